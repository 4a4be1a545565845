"""The ``report`` command: what sessions did and earned, for people in 80 columns, for programs, or as a page."""

import gc
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from core.clock import Clock, SystemClock
from core.report.build import make_report
from core.report.charts import charts
from core.report.figures import Report
from core.report.files import whole_file
from core.report.history import History, opened
from core.report.html import page
from core.report.span import span_of
from core.report.tables import Section, sections, signed
from core.report.tidy import write_csv
from core.units import MICRO
from polymm_tui.streams import give, say
from widgets.format import clean, fit, wrap_words

DIFFERS: Final = 6
"""Exit code: a self-check found a difference."""
WIDTH: Final = 80
_LEAST_TITLE: Final = 12
_SHOWN: Final = 25
"""Rows of a table that a terminal shows; the rest is counted."""
_CHART_WIDTH: Final = 64
_CHART_HEIGHT: Final = 6
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_SHOWN_AFTER_SEC: Final = 1.0
"""What is over sooner shows no progress."""


class Choice(msgspec.Struct, frozen=True):
    """What the report is about, as it was asked for."""

    day: str | None = None
    since: str | None = None
    until: str | None = None
    market: str | None = None
    account: str | None = None


def run_report(
    database: Path,
    choice: Choice,
    *,
    form: str = "terminal",
    page_path: Path | None = None,
    force: bool = False,
    clock: Clock | None = None,
) -> int:
    """Make a report and tell it; returns the exit code.

    Args:
        database: the file to read.
        choice: what of it.
        form: ``terminal``, ``json`` or ``csv``, on stdout; ``html`` into ``page_path``.
        page_path: where the page goes.
        force: replace a page that is there.
        clock: for what "today" is, and when progress is shown.

    Raises:
        UsageError: the choice makes no sense, there is no such file, or a library is missing.
        StoreError: the file cannot be read.
    """
    clock = clock or SystemClock()
    with Waiting(clock) as waiting, _uncollected():
        report = read_report(database, choice, clock.unix(), waiting.tell)
        if form == "html" and page_path is not None:
            waiting.tell("drawing", 0.99)
            told = page(report, charts(report)).encode("utf-8", "replace")
            with whole_file(page_path, force=force) as stream:
                stream.write(told)
    if form == "html":
        say(f"polymm-tui: {page_path} is written")
    elif form == "json":
        give(json.dumps(msgspec.to_builtins(report)))
    elif form == "csv":
        text = io.StringIO()
        write_csv(report, text)
        give(text.getvalue().rstrip("\n"))
    else:
        give(report_text(report, has_colours=_has_colours()))
    if not report.agrees:
        say("polymm-tui: a self-check found a difference; see the section Self-checks")
    return 0 if report.agrees else DIFFERS


def read_report(database: Path, choice: Choice, now: float, progress: Callable[[str, float], None]) -> Report:
    """Read the file and make the report.

    Raises:
        UsageError: see :func:`run_report`.
        StoreError: the file cannot be read.
    """
    with opened(database) as db:
        history = History(db, choice.account)
        span = span_of(day=choice.day, since=choice.since, until=choice.until, known=history.known, now=now)
        return make_report(history, span, database=str(database), now=now, market=choice.market, progress=progress)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: much is made, and nearly all of it is kept until the end."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Waiting:
    """Progress on stderr, on a terminal only, of what takes longer than a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> "Waiting":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, what: str, part: float) -> None:
        """What is being done, and which part of the whole is behind."""
        if self._bar is None:
            console = Console(stderr=True)
            if not console.is_terminal or self._clock.monotonic() - self._began < _SHOWN_AFTER_SEC:
                return
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task(what, total=1.0)
            self._bar.start()
        self._bar.update(self._task, description=what, completed=part)


def report_text(report: Report, *, has_colours: bool = False) -> str:
    """The report as lines; wider than 80 columns only where numbers would not fit."""
    stream = io.StringIO()
    told = sections(report)
    width = max([WIDTH, *(_least_width(section) for section in told)])
    console = Console(
        file=stream, width=width, force_terminal=has_colours, color_system="standard" if has_colours else None,
        highlight=False, markup=False, emoji=False,
    )  # fmt: skip
    for section in told:
        _print(console, section, report, width)
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())


def _print(console: Console, section: Section, report: Report, width: int) -> None:
    console.print(Text(fit(clean(section.name), width).rstrip(), style="bold"))
    for words in section.words:
        for line in wrap_words(clean(words), width - 2):
            console.print(Text(f"  {line}"))
    if section.chart == "equity":
        for line in _equity_lines(report):
            console.print(Text(line))
    if section.rows:
        console.print(_table(section, width))
        if len(section.rows) > _SHOWN:
            console.print(Text(f"  and {len(section.rows) - _SHOWN:,} more; --csv and --json tell all"))
    if section.chart == "days":
        for line in _day_lines(report):
            console.print(Text(line))
    console.print()


def _shown(section: Section) -> list[tuple[str, ...]]:
    """The first rows, and a total in any case."""
    rows = list(section.rows[:_SHOWN])
    if len(section.rows) > _SHOWN and section.rows[-1][0] == "all":
        rows[-1] = section.rows[-1]
    return rows


def _least_width(section: Section) -> int:
    """Cells that a table needs whose names are cut and whose words are wrapped."""
    if not section.rows:
        return 0
    names = max(cell_len(clean(row[0])) for row in _shown(section))
    return 2 + min(names, _LEAST_TITLE) + sum(_cells(section))


def _cells(section: Section) -> list[int]:
    """Cells that each column of numbers needs, a space before it included; least what words need."""
    columns = list(zip(section.columns, *_shown(section), strict=True))[1:]
    return [
        1 + (_LEAST_TITLE if at in section.texts else max(map(cell_len, column)))
        for at, column in enumerate(columns, 1)
    ]


def _table(section: Section, width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, collapse_padding=True, show_edge=False)
    room = max(_LEAST_TITLE, width - 2 - sum(_cells(section)))
    table.add_column("", width=1)
    for at, head in enumerate(section.columns):
        if at in section.texts:
            table.add_column(head, overflow="fold")
        elif at == 0:
            table.add_column(head, no_wrap=True, overflow="ellipsis", max_width=room)
        else:
            table.add_column(head, justify="right", no_wrap=True)
    for row in _shown(section):
        style = "bold red" if row[0] == "DIFFERS" else "bold" if row[0] in ("TOTAL", "all") else ""
        cells = [Text(clean(cell)) for cell in row]
        table.add_row("", *cells, style=style)
    return table


def _equity_lines(report: Report) -> list[str]:
    """The course of the profit as an area, with its lowest and highest value beside it."""
    values = [point.profit_micro_usd / MICRO for point in report.points]
    if len(values) < 2:
        return []
    lines = area(values, _CHART_WIDTH, _CHART_HEIGHT)
    sides = [signed(round(edge * MICRO)) for edge in (max(values), min(values))]
    beside = [sides[0], *[""] * (_CHART_HEIGHT - 2), sides[1]]
    return ["  profit of all time, dollars", *(f"  {line} {side}" for line, side in zip(lines, beside, strict=True))]


def area(values: Sequence[float], width: int, height: int) -> list[str]:
    """Values as an area of block characters, the lowest at the bottom: ``height`` lines of ``width`` cells."""
    columns = [values[at * len(values) // width] for at in range(width)]
    low, high = min(values), max(values)
    steps = 8 * height
    levels = [1 + round((value - low) / (high - low) * (steps - 1)) if high > low else steps // 2 for value in columns]
    return ["".join(_BLOCKS[min(8, max(0, level - 8 * row))] for level in levels) for row in reversed(range(height))]


def _day_lines(report: Report) -> list[str]:
    """A bar a day, losses to the left of the line."""
    days = report.by_day[-_SHOWN:]
    if len(report.by_day) < 2:
        return []
    totals = [day.parts.total_micro_usd for day in days]
    largest = max(1, *(abs(total) for total in totals))
    half = 24
    lines = [""]
    for day, total in zip(days, totals, strict=True):
        length = round(abs(total) / largest * half)
        loss, gain = ("█" * length, "") if total < 0 else ("", "█" * length)
        lines.append(f"  {day.day} {loss:>{half}}│{gain:<{half}} {signed(total)}".rstrip())
    return lines


def _has_colours() -> bool:
    console = Console()
    return console.is_terminal and not os.environ.get("NO_COLOR")
