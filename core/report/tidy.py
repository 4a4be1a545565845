"""A report as one long table: a row a figure, for spreadsheets and data frames.

Amounts are dollars and sizes are shares, as plain decimals that are exact to the millionth.
"""

import csv
from collections.abc import Iterator, Sequence
from typing import Any, Final, TextIO

import msgspec

from core.report.figures import Report
from core.report.files import defused
from core.units import micro_text

HEADER: Final = (
    "section", "market", "title", "day", "side", "layer", "horizon_s", "figure", "value", "unit",
)  # fmt: skip
_ABOUT: Final = frozenset({"market", "title", "day", "side", "layer", "horizon_s"})
_UNITS: Final = (("_micro_usd", "dollars"), ("_micro", "shares"), ("_unix", "unix seconds"), ("_s", "seconds"))
_MILLIONTHS: Final = frozenset({"dollars", "shares"})
_SECTIONS: Final = (
    "total", "equity", "by_day", "by_market", "by_side", "by_layer", "markouts", "exposure", "drawdown", "uptime",
    "orders", "income", "positions", "findings", "checks", "sessions",
)  # fmt: skip


def write_csv(report: Report, stream: TextIO) -> None:
    """Write the table with its header."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(_rows(report))


def _rows(report: Report) -> Iterator[Sequence[Any]]:
    for name in ("database", "account", "begin", "end", "market"):
        yield ("report", "", "", "", "", "", "", name, defused(str(getattr(report, name))), "text")
    for section in _SECTIONS:
        found = getattr(report, section)
        for one in found if isinstance(found, tuple) else () if found is None else (found,):
            yield from _figures(section, one)
    for number, note in enumerate(report.notes):
        yield ("notes", "", "", "", "", "", "", f"note {number + 1}", defused(note), "text")


def _figures(section: str, one: msgspec.Struct) -> Iterator[Sequence[Any]]:
    """Every figure of a struct; those of a struct in it stand beside its own."""
    about = [defused(str(told)) if (told := getattr(one, name, "")) is not None else "" for name in HEADER[1:7]]
    for name in one.__struct_fields__:
        value = getattr(one, name)
        if name in _ABOUT or value is None:
            continue
        if isinstance(value, msgspec.Struct):
            for _, *_, figure, told, unit in _figures(section, value):
                yield (section, *about, figure, told, unit)
        else:
            yield (section, *about, *_cell(name, value))


def _cell(name: str, value: Any) -> tuple[str, Any, str]:
    """Name without its unit, value, unit."""
    if isinstance(value, str):
        return name, defused(value), "text"
    for ending, unit in _UNITS:
        if name.endswith(ending) and not isinstance(value, bool):
            figure = name.removesuffix(ending)
            if unit not in _MILLIONTHS:
                return figure, value, unit
            return figure, micro_text(value) if isinstance(value, int) else f"{value / 1e6:.12g}", unit
    return name, value, ""
