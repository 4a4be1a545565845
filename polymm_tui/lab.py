"""The ``lab compare`` command: worlds in, a comparison for people or programs out."""

import os
import signal
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from core.config import Effective
from core.errors import UsageError
from core.exchange.listing import MAX_MARKETS
from core.lab.compare import ArmReport, Estimate, PairReport, Report, arm_of, compare
from core.lab.outcome import Scene
from polymm_tui.streams import give, say

INTERRUPTED: Final = 130
_LABEL: Final = 23
_COLUMN: Final = 19

Row = tuple[str, str, str, str]


def run_compare(
    base: Effective, descriptions: Sequence[str], scene: Scene, *, seeds: int, jobs: int | None, as_json: bool
) -> int:
    """Compare the first of the described arms with each of the others; returns the exit code.

    Raises:
        UsageError: an arm is described wrongly, or there are no such markets.
        ConfigError: a setting of an arm is refused.
    """
    arms = [arm_of(text, base) for text in descriptions]
    _check_markets(scene.markets)
    total, finished = seeds * len(arms), 0
    is_watched = sys.stderr is not None and sys.stderr.isatty()

    def done(count: int) -> None:
        nonlocal finished
        finished = count
        if is_watched:
            _status(f"{count:,} of {total:,} runs")

    try:
        with _interrupted_once():
            report = compare(arms, scene, seeds, jobs=jobs or os.cpu_count() or 1, done=done)
    except KeyboardInterrupt:
        _clear(is_watched)
        say(f"polymm-tui: interrupted after {finished:,} of {total:,} runs; nothing to report")
        return INTERRUPTED
    _clear(is_watched)
    give(msgspec.json.encode(report).decode() if as_json else "\n".join(report_lines(report)))
    return 0


def report_lines(report: Report) -> list[str]:
    """A comparison for people, in 80 columns: one table for each of the other arms."""
    scene = report.scene
    which = f"{_many(scene.markets, 'market')}" if isinstance(scene.markets, int) else f"markets {_listed(scene)}"
    news = f", news times {scene.news:g}" if scene.news != 1 else ""
    bait = ", with a baiter" if scene.baiter else ""
    lines = [f"{_many(report.seeds, 'world')} of {scene.minutes:g} minutes, {which}, {scene.profile}{news}{bait}"]
    lines.append("means of a world ± standard error; dollars and shares; money at the truth")
    first = report.arms[0]
    for other, pair in zip(report.arms[1:], report.pairs, strict=True):
        lines += ["", *_table([("", _short(first.name), _short(other.name), "difference"), *_rows(first, other, pair)])]
        if pair.alike:
            lines.append(f"Both did exactly the same in {pair.alike:,} of {_many(report.seeds, 'world')}.")
    return lines


def _rows(first: ArmReport, other: ArmReport, pair: PairReport) -> list[Row]:
    rows = [
        _row("profit", first.pnl, other.pnl, pair.pnl),
        _row("  edge of the fills", first.edge, other.edge, pair.edge),
        _row("  carried", first.carry, other.carry),
        ("  deviation", _text(first.deviation), _text(other.deviation), f"x {_text(pair.deviation_ratio, 2)}"),
    ]
    nothing = Estimate(0.0, 0.0)
    for who in sorted({*first.edge_against, *other.edge_against}):
        mine, theirs = first.edge_against.get(who, nothing), other.edge_against.get(who, nothing)
        rows.append(_row(f"  edge against {who}", mine, theirs))
    rows += [
        _row("fills", first.fills, other.fills),
        _row("shares filled", first.filled, other.filled, pair.filled, digits=0),
        _row("cancels / 1,000 shares", first.cancels_per_1000, other.cancels_per_1000, digits=0),
        _row("largest position", first.most_held, other.most_held, pair.most_held, digits=0),
        _row("both sides quoted", first.uptime, other.uptime, pair.uptime, digits=4),
    ]
    if first.attacks or other.attacks:
        rows += [
            ("baits laid", f"{first.attacks:,}", f"{other.attacks:,}", ""),
            ("  that caught us", f"{first.bitten:,}", f"{other.bitten:,}", ""),
            _row("  lost a bait", first.lost_per_attack, other.lost_per_attack, digits=4),
            _row("  ticks lost a bait", first.lost_ticks_per_attack, other.lost_ticks_per_attack, digits=4),
        ]
    return rows


def _row(label: str, first: Estimate, other: Estimate, less: Estimate | None = None, *, digits: int = 2) -> Row:
    return label, _text(first, digits), _text(other, digits), "" if less is None else _text(less, digits, "+")


def _text(figure: Estimate, digits: int = 2, sign: str = "") -> str:
    if figure.value is None:
        return "-"
    error = "" if figure.se is None else f" ± {figure.se:,.{digits}f}"
    return f"{figure.value:{sign},.{digits}f}{error}"


def _table(rows: Sequence[Row]) -> list[str]:
    return [f"{row[0]:<{_LABEL}}{''.join(f'{cell:>{_COLUMN}}' for cell in row[1:])}".rstrip() for row in rows]


def _short(name: str) -> str:
    return name if len(name) < _COLUMN else f"{name[: _COLUMN - 2]}…"


def _listed(scene: Scene) -> str:
    assert not isinstance(scene.markets, int)
    return ", ".join(str(number) for number in scene.markets)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _check_markets(markets: int | tuple[int, ...]) -> None:
    """Refuse markets that the exchange does not list."""
    if isinstance(markets, int):
        if not 1 <= markets <= MAX_MARKETS:
            raise UsageError(f"--markets: {markets} is outside 1 .. {MAX_MARKETS}")
        return
    wrong = [number for number in markets if not 0 <= number < MAX_MARKETS]
    if wrong:
        raise UsageError(f"--questions: {wrong[0]} is outside 0 .. {MAX_MARKETS - 1}")


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """The first SIGINT or SIGTERM raises KeyboardInterrupt; further ones change nothing any more, to the program's end.

    They do come in pairs: `timeout` signals its child, then the child's group. The first must not get lost, so whoever
    runs under this only waits for others.
    """
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heeded = [number for number, handler in usual.items() if handler is not signal.SIG_IGN]
    is_interrupted = False

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        nonlocal is_interrupted
        if not is_interrupted:
            is_interrupted = True
            raise KeyboardInterrupt

    try:
        for number in heeded:
            signal.signal(number, interrupt)
        yield
    finally:
        if is_interrupted:
            signal.pthread_sigmask(signal.SIG_BLOCK, heeded)  # when Python ends, it drops handlers, but not this
        else:
            for number in heeded:
                signal.signal(number, usual[number])


def _status(line: str) -> None:
    sys.stderr.write(f"\r{line}")
    sys.stderr.flush()


def _clear(is_watched: bool) -> None:
    if is_watched:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
