"""A kill from any shell: through the page, so that the watchdog does it, else straight to the venue."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from core.clock import Clock
from core.errors import PolymmError, PreflightError
from core.kill import latch, page, stored
from core.kill.files import mend
from core.kill.killer import Killer
from core.kill.latch import Latch, LatchRecord
from core.kill.page import Cause, Page
from core.kill.report import KillReport
from core.kill.switch import KillSwitch

ANSWER_S: Final = 0.15
"""A watchdog takes charge of a pull within this time, or there is none."""
PATIENCE_S: Final = 60.0
"""For zero verified; then the command ends, and says that it was not."""
LATCH_S: Final = 2.0
"""For a latch that a busy disk has not taken when everything else was done."""
_LOOK_S: Final = 0.02

Told = Callable[[KillReport], None]


def kill_from_shell(
    directory: Path, by: str, reason: str, clock: Clock, told: Told, patience_s: float = PATIENCE_S
) -> KillReport:
    """Pull the switch of a session's directory, and see everything cancelled by whoever can.

    What is wrong with page or latch is made good (:func:`open_to_kill`). If that fails, each is done alone, everything
    is cancelled all the same, and ``trouble`` tells of it.

    Args:
        directory: of the session, which need not run any more.
        by: who kills.
        reason: why.
        clock: the machine's.
        told: takes every report on the way.
        patience_s: when it has lasted so long, it ends without zero verified.

    Returns:
        The last report; ``verified`` says whether nothing is open any more.
    """
    end_s = clock.monotonic() + patience_s
    cause = Cause(by=by, reason=reason, unix=clock.unix())
    try:
        switch = open_to_kill(directory, clock)
    except PreflightError:
        trouble = _stop_by_either(directory, cause, clock)
        return _with_trouble(_kill_here(directory, None, cause, 0, clock, told, end_s), trouble)
    try:
        is_latched = switch.pull(by, reason)
        report = _followed(switch, clock, told, end_s) or _kill_here(
            directory, switch.page, cause, switch.page.pull, clock, told, end_s
        )
        return with_latch(report, switch, is_latched=is_latched)
    finally:
        switch.close()


def open_to_kill(directory: Path, clock: Clock) -> KillSwitch:
    """The switch of a directory; what keeps it from being opened is made good first (:func:`core.kill.files.mend`).

    Raises:
        PreflightError: it cannot be opened all the same.
    """
    try:
        try:
            return KillSwitch.open(directory, clock)
        except (PreflightError, OSError):
            for name in (page.NAME, latch.NAME):
                mend(directory / name)
            return KillSwitch.open(directory, clock)
    except OSError as error:
        raise PreflightError(f"{directory}: {error.strerror}") from error


def with_latch(report: KillReport, switch: KillSwitch, *, is_latched: bool) -> KillReport:
    """The report of a pull; it says so when the latch is not on the disk even now."""
    if is_latched or switch.latch_soon().wait(LATCH_S):
        return report
    return _with_trouble(report, "the latch is not on the disk")


def _with_trouble(report: KillReport, trouble: str) -> KillReport:
    both = "; ".join(text for text in (report.trouble, trouble) if text)
    return msgspec.structs.replace(report, trouble=both)


def _stop_by_either(directory: Path, cause: Cause, clock: Clock) -> str:
    """Shut the page, and write the latch, each as far as it can be had; returns what could not be done."""
    troubles = []
    try:
        with closing(Page(directory)) as gate:
            gate.shut(clock.monotonic(), cause)
    except (PreflightError, OSError) as error:
        troubles.append(f"the gate of a session is not shut ({error})")
    try:
        with closing(Latch(directory, clock.unix())) as held:
            held.kill(LatchRecord("killed", held.read().epoch, cause.by, cause.reason, cause.unix))
    except (PreflightError, OSError) as error:
        troubles.append(f"not latched ({error})")
    return "; ".join(troubles) or "page and latch could not be had together: `polymm-tui kill` again"


def _followed(switch: KillSwitch, clock: Clock, told: Told, end_s: float) -> KillReport | None:
    """What the killer who answers comes to; None when none does, or when he has stopped."""
    answer_by_s = clock.monotonic() + ANSWER_S
    last = switch.report
    while (now := clock.monotonic()) < end_s:
        report = switch.report
        if report is not None and report != last:
            last = report
            told(report)
            if report.verified:
                return report
        if now > answer_by_s and not switch.page.is_busy(now):
            return None
        time.sleep(_LOOK_S)
    return last


def _kill_here(
    directory: Path, gate: Page | None, cause: Cause, pull: int, clock: Clock, told: Told, end_s: float
) -> KillReport:
    """Kill with the credentials that the last session of this directory kept."""
    try:
        killer = Killer(stored.load(directory), clock, "shell")
    except (PolymmError, ValueError) as error:
        nothing = KillReport(pull=pull, by=cause.by, reason=cause.reason, killer="shell", began_unix=cause.unix)
        return msgspec.structs.replace(nothing, trouble=str(error))
    with closing(killer):
        return killer.run(pull, cause, gate, lambda: clock.monotonic() < end_s, told)
