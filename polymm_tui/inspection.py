"""The ``inspect`` command, and its report for people: aligned, 80 columns, the words of strangers made harmless."""

import json
import time
from pathlib import Path
from typing import Any, Final

from core.lab.inspect import Inspection
from core.lab.inspect_report import EXPLANATIONS, inspection_report
from core.lab.recording import known_instruments
from core.store.recorded import size_text
from polymm_tui.streams import give
from widgets.format import ELLIPSIS, clean, wrap_words

UNPROVEN: Final = 6
"""Exit code: the recording contradicts itself, or could not be read whole."""
WIDTH: Final = 80
_LABEL: Final = 17
_LISTED: Final = 10
"""Rows of one kind; the rest is counted."""
_SILENCES: Final = 5
_LONGEST_NAME: Final = 40

Row = tuple[str, str]


def run_inspect(path: Path, *, gamma: Path | None, as_json: bool) -> int:
    """Say what is in a recording and how far it proves itself; returns the exit code.

    Raises:
        UsageError: the recording or the Gamma file cannot be read.
    """
    inspection = Inspection(path, known_instruments(path, gamma))
    inspection.run()
    report = inspection_report(inspection)
    # json escapes what is not ASCII: nothing that a stranger wrote may reach a terminal as a control character.
    give(json.dumps(report) if as_json else "\n".join(inspection_lines(report)))
    return 0 if report["passed"] else UNPROVEN


def inspection_lines(report: dict[str, Any]) -> list[str]:
    """The report of :func:`core.lab.inspect_report.inspection_report` as lines."""
    lines = [*_wrapped(f"{clean(report['file'])}: {report['verdict']}", WIDTH), *_wrapped(report["words"], WIDTH), ""]
    for label, value in _rows(report):
        for n, part in enumerate(_wrapped(value, WIDTH - _LABEL)):
            lines.append(f"{'' if n else label:<{_LABEL}}{part}".rstrip())
    return lines


def _rows(report: dict[str, Any]) -> list[Row]:
    sizes = f"{size_text(report['bytes'])}, {size_text(report['disk_bytes'])} on disk"
    rows = [("frames", f"{report['frames']:,} in {_many(report['files'], 'file')}, {sizes}")]
    rows.append(("events", _counts(report["events"])))
    if report["unknown_types"]:
        rows.append(("unknown types", _counts(report["unknown_types"])))
    if report["user_messages"]:
        rows.append(("user channel", _many(report["user_messages"], "message")))
    rows.append(("tokens", f"{report['tokens']:,} in {_many(report['markets'], 'market')}"))
    return [
        *rows,
        *_times(report["span"]),
        *_agreement(report),
        *_findings("contradictions", report["contradictions"]),
        *_labelled("not consecutive", [_broken(one) for one in report["not_consecutive"]]),
        *_findings("gaps", report["gaps"]),
        *_pace(report),
        *_labelled("tick changes", [_place(one) for one in report["tick_changes"]]),
        *_labelled("resolutions", [_place(one) for one in report["resolutions"]]),
        *_findings("problems", report["problems"]),
    ]


def _times(spans: dict[str, Any]) -> list[Row]:
    rows = []
    for label, name in (("venue's clock", "venue"), ("receive clock", "receive")):
        span = spans[name]
        if span is None:
            rows.append((label, "not in the recording"))
            continue
        live = spans["live"] if name == "venue" else None
        after = f", {_seconds(live['seconds'])} after the first books" if live and live != span else ""
        rows.append((label, f"{_moment(span['first_ms'])} to {_moment(span['last_ms'])}"))
        rows.append(("", f"{_seconds(span['seconds'])}{after}"))
    return rows


def _agreement(report: dict[str, Any]) -> list[Row]:
    hashes, books = report["book_hash"], report["full_books"]
    rows = [("top of book", _agree(report["top_of_book"]))]
    at_once = "agree at once" if hashes["explained"] else "agree"
    rows.append(("hashes", _agree(hashes, at_once)))
    rows += [
        ("", f"{count:,} explained: {EXPLANATIONS[name]}") for name, count in hashes["explanations"].items() if count
    ]
    if hashes["undecided"]:
        rows.append(("", f"{hashes['undecided']:,} undecided: a message of the same millisecond is missing"))
    if hashes["differing"]:
        rows.append(("", f"{hashes['differing']:,} differ and nothing explains it"))
    for name, words in (
        ("own_hash", "have the hash they state"),
        ("rebuilt", "equal the rebuilt book"),
        ("mirror", "are the mirror of the other token's"),
    ):
        if books[name]["checked"]:
            label = "full books" if not any(row[0] == "full books" for row in rows) else ""
            rows.append((label, _agree(books[name], words)))
    if books["overtaken"]:
        rows.append(("", f"{books['overtaken']:,} came before the changes that lead to them"))
    if report["unchecked_changes"]:
        rows.append(("not compared", f"{_many(report['unchecked_changes'], 'change')} without a believed book"))
    return rows


def _pace(report: dict[str, Any]) -> list[Row]:
    rates, latency = report["rates"], report["latency_ms"]
    silent = [one for one in report["silences"] if one["longest_s"] > 0][:_SILENCES]
    rows = _labelled("silences", [f"{_seconds(one['longest_s'])}: {_name(one['title'])}" for one in silent])
    mean = "" if rates["mean_per_s"] is None else f"{rates['mean_per_s']:,.2f} a second, "
    rows.append(("messages", f"{mean}at most {rates['peak_1s']:,} in a second, {rates['peak_100ms']:,} in 100 ms"))
    rows.append(("duplicates", _many(report["duplicates"], "frame") if report["duplicates"] else "none"))
    if latency is not None:
        rows.append(
            ("latency", f"{latency['least']:,} ms least, {latency['median']:,} median, {latency['most']:,} most")
        )
    return rows


def _findings(label: str, findings: dict[str, Any]) -> list[Row]:
    texts = [_place(one) for one in findings["listed"][:_LISTED]]
    more = findings["count"] - len(texts)
    return _labelled(label, [*texts, *([f"and {more:,} more"] if more else [])] or ["none"])


def _labelled(label: str, texts: list[str]) -> list[Row]:
    more = len(texts) - _LISTED - 1
    shown = texts if more <= 0 else [*texts[:_LISTED], f"and {more + 1:,} more"]
    return [("" if n else label, text) for n, text in enumerate(shown)]


def _place(finding: dict[str, Any]) -> str:
    market = f"{_name(finding['market'])}: " if finding["market"] else ""
    return f"{finding['place']}: {market}{finding['what']}"


def _broken(one: dict[str, Any]) -> str:
    excused = f"; explains {_many(one['differences'], 'difference')}" if one["differences"] else ""
    return (
        f"{_name(one['market'])}: {one['out_of_order']:,} of {one['of']:,} messages are older than one before{excused}"
    )


def _agree(agreement: dict[str, int], words: str = "agree") -> str:
    if not agreement["checked"]:
        return "none to compare"
    return f"{agreement['agreed']:,} of {agreement['checked']:,} {words}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{_name(name) or '(none)'} {count:,}" for name, count in counts.items()) or "none"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _name(text: str) -> str:
    """A foreign name, harmless and short; of a condition id its ends."""
    plain = clean(text)
    if plain.startswith("0x") and len(plain) > 20:
        return f"{plain[:10]}{ELLIPSIS}{plain[-4:]}"
    return plain if len(plain) <= _LONGEST_NAME else plain[: _LONGEST_NAME - 1] + ELLIPSIS


def _seconds(seconds: float) -> str:
    return f"{seconds:,.2f} s" if seconds < 1 else f"{seconds:,.1f} s"


def _moment(ms: float) -> str:
    """A moment in UTC; a stamp that no calendar holds stays a number."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms / 1000)) + f".{int(ms) % 1000:03d} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{ms:g} ms"


def _wrapped(text: str, width: int) -> list[str]:
    return wrap_words(clean(text), width) or [""]
