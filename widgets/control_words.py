"""What is allowed, what the kill switch did and who watches, as text and role, the same in every widget."""

from collections.abc import Sequence
from typing import Final

from core.views import ConsoleView, ControlState, ControlView, KillReportView, KillView
from widgets.format import NOTHING, age, clean, duration, utc_clock

SKEW_WARNS_S: Final = 1.0
"""A difference between our clock and the venue's from which it is worth a word."""
_STRICTNESS: Final = ("ACTIVE", "REDUCE_ONLY", "PAUSED", "CANCEL_ONLY", "KILLED")
_ROLES: Final = {"ACTIVE": "good", "REDUCE_ONLY": "warn", "PAUSED": "warn", "CANCEL_ONLY": "warn"}
_WAYS_OUT: Final = {
    "kill": "re-arm (palette) ends it, once zero is proven",
    "loss": "re-arm (palette) ends it, after 00:00 UTC",
    "drawdown": "re-arm (palette) ends it",
    "selection": "",
}
"""What lifts a state whose source no resume lifts; "" where its reason tells it."""


def state_words(state: ControlState) -> str:
    """A control state as it is written everywhere."""
    return state.replace("_", " ")


def state_role(state: ControlState) -> str:
    """``KILLED`` is the one alarm."""
    return _ROLES.get(state, "alarm")


def global_control(view: ConsoleView) -> ControlView | None:
    """The strictest state that is about all markets; None while none is."""
    held = [control for control in view.controls if not control.market and not control.side]
    return max(held, key=lambda control: _STRICTNESS.index(control.state), default=None)


def exceptions(view: ConsoleView) -> list[ControlView]:
    """States of markets and of sides, which differ from what holds for everything; oldest first."""
    return [control for control in view.controls if control.market or control.side]


def reductions(controls: Sequence[ControlView]) -> dict[str, ControlView]:
    """By market, the oldest state that lets its orders only reduce; those of one side, or of all markets, are not."""
    found: dict[str, ControlView] = {}
    for control in controls:
        if control.state == "REDUCE_ONLY" and control.market and not control.side:
            found.setdefault(control.market, control)
    return found


def way_out(control: ControlView) -> str:
    """What ends a state, in words; "" where its reason tells that."""
    if control.source in _WAYS_OUT:
        return _WAYS_OUT[control.source]
    return f"resume{'' if control.market else ' all'} ends it"


def reason_words(control: ControlView) -> str:
    """Why a state holds and who set it; may contain foreign text, cleaned."""
    said = [clean(control.reason), f"by {clean(control.author)}" if control.author else ""]
    return ", ".join(part for part in said if part) or clean(control.source)


def why_words(control: ControlView) -> str:
    """Why a state holds, who set it, and what ends it; may contain foreign text, cleaned."""
    return "; ".join(part for part in (reason_words(control), way_out(control)) if part)


def left_words(left_s: float | None) -> str:
    """Time until something ends by itself."""
    return NOTHING if left_s is None else f"{age(left_s)} left"


def least_left(controls: Sequence[ControlView]) -> float | None:
    """Seconds until the first of some states ends by itself; None when none does."""
    return min((control.left_s for control in controls if control.left_s is not None), default=None)


# The kill switch


def kill_words(kill: KillView) -> str:
    """Who pulled the switch, when and why."""
    when = f" {utc_clock(kill.unix)} UTC" if kill.unix is not None else ""
    why = f": {clean(kill.reason)}" if kill.reason else ""
    return f"by {clean(kill.by) or 'nobody known'}{when}{why}"


def report_verdict(report: KillReportView | None) -> str:
    """Whether nothing is open any more: what was sent is not done before it is proven."""
    return "ZERO PROVEN" if report is not None and report.zero else "ZERO NOT PROVEN"


def report_counts(report: KillReportView | None) -> str:
    """What was sent, what of it the venue confirmed, what is left and what nobody knows."""
    if report is None:
        return "no report yet"
    left = NOTHING if report.left is None else f"{report.left:,}"
    return f"sent {report.sent:,}, confirmed {report.confirmed:,}, left {left}, unknown {report.unknown:,}"


def report_words(report: KillReportView | None) -> str:
    """Verdict and counts in a line."""
    return f"{report_verdict(report)}: {report_counts(report)}"


def report_course(report: KillReportView | None) -> str:
    """Who cancels, for how long by now, and what fails; "" without a report."""
    if report is None:
        return ""
    by = f"by {clean(report.by)}" if report.by else ""
    took = f"after {duration(report.took_s)}" if report.took_s is not None else ""
    return "; ".join(part for part in (" ".join(part for part in (by, took) if part), clean(report.detail)) if part)


def watchdog_words(kill: KillView) -> str:
    """Whether the process that watches over the session stands guard."""
    if not kill.guarded:
        return "none in this mode: nothing rests at a venue"
    seen = f"sign of life {age(kill.watchdog_age_s)} ago" if kill.watchdog_age_s is not None else "no sign of life yet"
    if kill.watchdog_up:
        return f"stands guard, {seen}"
    return f"DOWN, nothing is quoted; {seen}{f'; {clean(kill.watchdog_detail)}' if kill.watchdog_detail else ''}"


def watchdog_role(kill: KillView) -> str:
    """A watchdog that is down is told in words too; red is for alarms that nobody has acknowledged."""
    return "muted" if not kill.guarded else "good" if kill.watchdog_up else "warn"


def skew_words(skew_s: float | None) -> str:
    """Our clock against the venue's."""
    if skew_s is None:
        return "the venue's was not asked yet"
    return f"{abs(skew_s):.2f}s {'ahead of' if skew_s > 0 else 'behind'} the venue's"


def skew_role(skew_s: float | None) -> str:
    """How bad the difference is."""
    if skew_s is None:
        return "muted"
    return "warn" if abs(skew_s) > SKEW_WARNS_S else ""
