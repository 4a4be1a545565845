"""Forms of acts that want a typed word or a reason: flatten everything, re-arm, shelve. Without Textual."""

from collections.abc import Mapping
from typing import Final

import msgspec

from core.alarms.board import MOST_SHELVED_S
from core.events import Act, OperatorCommand
from core.views import AlarmView, ConsoleView, ControlView, KillView
from polymm_tui.screens.form_parts import Field, Form, FormError, number_of
from widgets.control_words import kill_words, left_words, reason_words, report_words, state_words
from widgets.format import whole_usd

TYPED: Final[tuple[Act, ...]] = ("flatten_all", "rearm", "alarm_shelve")
"""Acts of these forms."""
_FLATTEN_WORD: Final = "FLATTEN"
_REARM_WORD: Final = "REARM"
FLATTEN_WINDOW_S: Final = 25.0
"""A little less than a preview of a flattening can be confirmed."""
_REARM_WINDOW_S: Final = 120.0
"""Long enough to write a reason; what is shown is of the moment at which it opened."""
_MOST_MINUTES: Final = MOST_SHELVED_S / 60


def held_words(control: ControlView) -> str:
    """A state in force, as a line: what it is about, for how long yet, and why."""
    scope = " ".join(part for part in ("" if control.market else "all markets", control.side) if part) or "both sides"
    left = f", {left_words(control.left_s)}" if control.left_s is not None else ""
    return f"now {state_words(control.state)}, {scope}{left}: {reason_words(control)}"


def flatten_all_form(preview: str, confirm: str) -> Form:
    """The form that closes every position: the lines of its preview with what confirms it, and a word."""
    return Form(
        "flatten_all",
        "Flatten everything",
        (Field("word", "type", f"{_FLATTEN_WORD} to close every position"),),
        lead=tuple(preview.split("\n")),
        previews=False,
        window_s=FLATTEN_WINDOW_S,
        confirm=confirm,
    )


def rearm_form(kill: KillView, view: ConsoleView | None) -> Form:
    """The form that lifts a kill, a loss or a drawdown stop: a word and a reason.

    It closes when somebody else kills or re-arms meanwhile.
    """
    fields = (
        Field("word", "type", f"{_REARM_WORD} to let the session quote again"),
        Field("reason", "reason", "why it may; it is kept with the kill"),
    )
    killed = (f"killed {kill_words(kill)}", f"orders: {report_words(kill.report)}") if kill.killed else ()
    controls = view.controls if view else ()
    held = tuple(held_words(each) for each in controls if each.source in ("kill", "loss", "drawdown"))
    last = "refused while something is unread, unknown or does not add up"
    return Form(
        "rearm",
        "Re-arm",
        fields,
        lead=(*killed, *held, *_at_stake(view), last),
        previews=False,
        window_s=_REARM_WINDOW_S,
        about=lambda view: (view.kill.killed, view.kill.unix),
    )


def _at_stake(view: ConsoleView | None) -> tuple[str, ...]:
    """How much may be quoted afterwards, and what that may cost at worst."""
    if view is None:
        return ()
    caps = [cap for cap in view.caps if cap.scope == "account"]
    worst = f", worst loss at most {whole_usd(max(cap.cap for cap in caps))} by the account's caps" if caps else ""
    return (f"quotes may return in {len(view.markets):,} markets{worst}",)


def shelve_form(alarm: AlarmView) -> Form:
    """The form that puts an alarm aside for a time; it closes when the alarm is gone or shelved by somebody else."""
    fields = (
        Field("minutes", "minutes", f"at most {_MOST_MINUTES:g}; it calls again afterwards", "30"),
        Field("reason", "reason", "why nobody needs to act now"),
    )
    lead = (alarm.text, f"while nobody acts: {alarm.consequence}", f"first: {alarm.action}")
    return Form(
        "alarm_shelve",
        "Shelve",
        fields,
        lead=lead,
        previews=False,
        confirm=alarm.key,
        about=lambda view: any(each.key == alarm.key and each.shelved_s is None for each in view.alarms),
    )


def typed_command(form: Form, texts: Mapping[str, str], base: OperatorCommand) -> OperatorCommand:
    """The command that one of these forms means.

    Args:
        form: one of this module.
        texts: text of each field by name.
        base: act and view.

    Raises:
        FormError: a field cannot be used.
    """
    if form.act == "alarm_shelve":
        minutes = number_of(texts["minutes"].strip(), "minutes", 1, _MOST_MINUTES)
        reason = _reason(texts, "say in a few words why nobody needs to act")
        return msgspec.structs.replace(base, subject=form.confirm, for_s=minutes * 60, reason=reason)
    if form.act == "rearm":
        _typed(texts["word"], _REARM_WORD)
        return msgspec.structs.replace(base, reason=_reason(texts, "say in a few words why trading may go on"))
    _typed(texts["word"], _FLATTEN_WORD)
    return msgspec.structs.replace(base, confirm=form.confirm)


def _typed(text: str, word: str) -> None:
    if text.strip() != word:
        raise FormError("word", f"type {word} in capitals, or go back")


def _reason(texts: Mapping[str, str], wanted: str) -> str:
    if not (reason := texts["reason"].strip()):
        raise FormError("reason", wanted)
    return reason
