"""What an operator may do, and what each act does to the engine.

An act answers with a line that says what was done. One that is refused says why, and nothing has changed.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from core.actions import Action, CancelAll, CancelMarket, KeepAdjustments, Note, refusal
from core.config import Settings
from core.decision import CANCEL_GRACE_SEC
from core.desk import Desk
from core.errors import ConfigError
from core.events import Act, OperatorCommand
from core.orders.order import IN_BOOK, TERMINAL, Order, State
from core.quoting.adjust import AdjustmentRefused, Adjustments, KeptAdjustments, adjusted
from core.quoting.explain import preview_words
from core.quoting.rules import Bounds
from core.resuming import preview_resume
from core.risk.control import RESUMABLE, Control, strictest
from core.risk.permission import why_not_quote
from core.units import SIDES, Side
from core.views import ControlState

if TYPE_CHECKING:
    from core.engine import Engine

_OF_SESSION: Final[frozenset[Act]] = frozenset(
    {
        "list_approve",
        "list_reject",
        "list_refresh",
        "alarm_ack",
        "alarm_shelve",
        "alarm_unshelve",
        "record_start",
        "record_stop",
        "stop",
    }
)
"""Acts that are none on what is traded."""
_WANTS_GONE: Final[frozenset[Act]] = frozenset(
    {
        "pause",
        "reduce",
        "cancel_order",
        "cancel_market",
        "flatten",
        "pause_all",
        "reduce_all",
        "cancel_all",
        "flatten_all",
    }
)
"""Acts that want orders gone, beside the kill."""
MOST_FOR_S: Final = 366 * 86_400.0
"""Longest time for which a state may be asked."""


class Operating:
    """The operator's hand on one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._adjusted: dict[str, KeptAdjustments] = {}
        """What was asked of the quotes of markets that are not made now."""

    def take(self, command: OperatorCommand, now: float) -> list[Action]:
        """Carry out an act at ``now`` (monotonic seconds)."""
        command = command.meant
        if why := command.why_no_preview:
            return [refusal(command.market, f"{command.act}: {why}")]
        actions = self._take(command, now)
        if command.act in _WANTS_GONE and not command.preview and not _is_refused(actions):
            market = "" if command.act.endswith("_all") else command.market
            unix = now + self._engine.wall_s
            self._engine.results.begin(command.act, market, command.who, self._going(command), now, unix)
        return actions

    def _going(self, command: OperatorCommand) -> list[Order]:
        """The orders within an act's reach that are to go, now that it was carried out."""
        engine, act = self._engine, command.act
        if act == "cancel_order":
            order = engine.orders.find(command.subject)
            return [] if order is None else [order]
        market = "" if act.endswith("_all") else command.market
        desks = [desk for desk in engine.desks.values() if market in ("", desk.market)]
        if act.startswith("flatten"):
            desks = [desk for desk in desks if desk.flattening is not None]
        side = command.sides if act in ("pause", "reduce", "pause_all", "reduce_all") else "both"
        return [
            order
            for desk in desks
            for order in engine.orders.at_risk(desk.market)
            if side in ("both", order.side) and (order.cancel_wanted or order.state is State.CANCEL_SENT)
        ]

    def _take(self, command: OperatorCommand, now: float) -> list[Action]:
        engine = self._engine
        if command.act in _OF_SESSION:
            return [refusal("", f"{command.act}: only the session can do that")]
        if not command.preview:
            engine.wake_at_once(now)
        if command.act in ("split", "merge", "redeem", "convert"):
            return engine.inventory.command(command, now)
        if command.act in ("job_confirmed", "job_failed"):
            return engine.inventory.end(command, now)
        if command.act in ("flatten", "flatten_all", "flatten_stop"):
            return engine.flattening.command(command, now)
        if command.act in ("cancel_all", "kill", "rearm"):
            return self._on_all(command, now)
        if command.act in ("pause_all", "reduce_all", "resume_all"):
            command = msgspec.structs.replace(command, market="")
        elif command.market not in engine.desks and not self._is_let_go(command):
            return [refusal("", f"{command.act}: no such market")]
        if command.act in ("pause", "reduce", "pause_all", "reduce_all"):
            return self._restrain(command, now)
        if command.act in ("resume", "resume_all"):
            return [preview_resume(engine, command, now)] if command.preview else self._resume(command, now)
        desk = engine.desks[command.market]
        if command.act == "cancel_order":
            return self._cancel_order(desk, command.subject, now)
        if not command.preview:
            desk.touch_due()
        return self._on_market(desk, command, now)

    def _is_let_go(self, command: OperatorCommand) -> bool:
        """A market that is not made is to be let go of what still holds it: it may be made again."""
        held = any(control.market == command.market for control in self._engine.controls.held())
        return command.act == "resume" and bool(command.market) and held

    def _on_all(self, command: OperatorCommand, now: float) -> list[Action]:
        engine, count = self._engine, sum(1 for _ in self._engine.orders.all_at_risk())
        match command.act:
            case "kill":
                return engine.stops.kill(command.who, command.reason, now)
            case "rearm":
                return engine.stops.rearm(command, now)
        pulled = [CancelAll(reason=command.act), *engine.pull_all(command.act, now, insists=True)]
        others = len(engine.reconciliation.foreign.orders)
        apart = f" and {others} of others on this account" if others else ""
        return [*pulled, Note("info", "", f"cancelling {count} orders{apart}")]

    def _restrain(self, command: OperatorCommand, now: float) -> list[Action]:
        """Pause, or let only reduce, a market or all, one side or both, for a while or until resumed."""
        engine = self._engine
        if command.for_s is not None and not 0.0 < command.for_s <= MOST_FOR_S:
            return [refusal(command.market, f"{command.act}: {command.for_s:g} s is no duration")]
        state: ControlState = "PAUSED" if command.act in ("pause", "pause_all") else "REDUCE_ONLY"
        side: Side | Literal[""] = "" if command.sides == "both" else command.sides
        control = Control(state, command.reason, "operator", author=command.who, market=command.market, side=side)
        held = engine.controls.find(control.market, side, "operator")
        if held is not None and strictest(control, held) is held:
            return [refusal(command.market, f"{command.act}: {held.told}; resume first")]
        ended = engine.stops.end_flattening(command.market, now, side) if state == "PAUSED" else []
        actions, until = self._hold(control, held, command.for_s, now)
        concerned = [o for o in engine.orders.all_at_risk() if control.concerns(o.market, o.side)]
        count = sum(1 for order in concerned if order.cancel_wanted or order.state is State.CANCEL_SENT)
        text = f"{control.scope_words} {control.state_words}{until}, cancelling {count} orders".lstrip()
        return [*ended, *actions, Note("info", command.market, text)]

    def _hold(
        self, control: Control, held: Control | None, for_s: float | None, now: float
    ) -> tuple[list[Action], str]:
        """Put a state in force in place of one that is not stricter, for at least as long as that holds.

        An act that only stops is carried out however late it comes, so none may end sooner what holds longer.

        Returns:
            What is to be done, and for how long that is, in words.
        """
        controls, stops = self._engine.controls, self._engine.stops
        until = "" if for_s is None else f" for {for_s:g} s"
        left = math.inf if held is None or (left_s := controls.left_s(held, now)) is None else left_s
        if held is None or for_s is None or left <= for_s:
            return stops.set(control, now, for_s, insists=True), until
        until = " until resumed, as before" if math.isinf(left) else f" for {left:.0f} s, as before"
        if held.state == control.state:
            return stops.insist(held, now), until
        return stops.set(control, now, None if math.isinf(left) else left, insists=True), until

    def _resume(self, command: OperatorCommand, now: float) -> list[Action]:
        """Lift what may be resumed of exactly this market, or of all, and of a side alone if one is named."""
        engine, market = self._engine, command.market
        sides = ("", *SIDES) if command.sides == "both" else (command.sides,)
        engine.stops.lift(RESUMABLE, now, market=market, sides=sides)
        ended: list[Action] = []
        if command.sides == "both" and market:
            ended = engine.stops.end_flattening(market, now)
            engine.findings.quarantine.release(market)
        what = Control(market=market, side="" if command.sides == "both" else command.sides).scope_words
        return [*ended, Note("info", market, f"{what} resumed{self._still(market)}".lstrip())]

    def _on_market(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        count = len(self._engine.orders.at_risk(desk.market))
        match command.act:
            case "widen" | "tighten" | "shift" | "one_side" | "size" | "reset":
                return self._adjust(desk, command, now)
            case "set":
                return self._change_settings(desk, command, now)
            case _:
                return self._cancel_market(desk, count, now)

    def _cancel_order(self, desk: Desk, order_id: str, now: float) -> list[Action]:
        """Cancel one order of ours that the venue may have; quoting goes on, as after cancelling a market."""
        order = self._engine.orders.find(order_id) if order_id else None
        if order is None or order.market != desk.market:
            return [refusal(desk.market, "cancel order: no order of ours here has that id")]
        if why := _why_not_cancel(order, now):
            return [refusal(desk.market, f"cancel order: {why}")]
        desk.touch_due()
        what = f"{order.side} {desk.instrument.grid.cents(order.yes_price)}c"
        pulled = self._engine.orders.cancel(order, "cancelled by operator", now, insists=True)
        return [*pulled, Note("info", desk.market, f"cancelling the {what}")]

    def _cancel_market(self, desk: Desk, count: int, now: float) -> list[Action]:
        """Cancel our orders of a market; while some cannot be found or cancelled, everything the account has there."""
        lost = [order for order in self._engine.orders.at_risk(desk.market) if order.unknown_s is not None]
        pulled = desk.pull("cancelled by operator", now, insists=True)
        text = f"cancelling {count} orders"
        if not lost:
            return [*pulled, Note("info", desk.market, text)]
        swept = CancelMarket(market=desk.market, reason="an operator asked while the outcome of orders was unknown")
        text += f"; {len(lost)} of unknown outcome, so everything this account has in the market goes"
        return [*pulled, swept, Note("info", desk.market, text)]

    def _adjust(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        """Take or preview an adjustment of one market's quotes."""
        try:
            adjustments = adjusted(desk.stance.adjustments, command, now, desk.instrument.grid.k)
        except AdjustmentRefused as error:
            return [refusal(desk.market, f"{command.act}: {error}")]
        if command.preview:
            return [self._preview(desk, (desk.settings, desk.bounds), adjustments, adjustments.words(now), now)]
        desk.stance.adjustments = adjustments
        kept = KeptAdjustments(desk.market, desk.instrument.grid.k, adjustments.moved(self._engine.wall_s))
        return [KeepAdjustments(kept), Note("info", desk.market, adjustments.words(now))]

    def restore(self, adjustments: Iterable[KeptAdjustments], now: float) -> list[Action]:
        """Go on with what was asked of quotes before a restart, where nothing was asked since."""
        notes: list[Action] = []
        for kept in adjustments:
            desk = self._engine.desks.get(kept.market)
            if desk is None:
                self._adjusted[kept.market] = kept
            elif not desk.stance.adjustments.in_force:
                notes += self._restore(desk, kept, "since an earlier session", now)
        return notes

    def added(self, desk: Desk, now: float) -> list[Action]:
        """A market is made from now on: what was asked of its quotes when it was made before goes on."""
        kept = self._adjusted.pop(desk.market, None)
        return [] if kept is None else self._restore(desk, kept, "since it was made before", now)

    def removed(self, desk: Desk) -> None:
        """A market is made no longer."""
        if desk.stance.adjustments.in_force:
            adjustments = desk.stance.adjustments.moved(self._engine.wall_s)
            self._adjusted[desk.market] = KeptAdjustments(desk.market, desk.instrument.grid.k, adjustments)

    def _restore(self, desk: Desk, kept: KeptAdjustments, since: str, now: float) -> list[Action]:
        desk.stance.adjustments = left = kept.restored(desk.instrument.grid.k, now, now + self._engine.wall_s)
        return [Note("info", desk.market, f"{since} {left.words(now)}")] if left.in_force else []

    def _change_settings(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        """Take or preview other settings for one market."""
        profiles = self._engine.profiles
        if profiles is None:
            return [refusal(desk.market, "this run has no profiles")]
        try:
            live = profiles.changed(desk.instrument, desk.live, command.profile, command.changes)
            made = profiles.for_market(desk.instrument, live, desk.listed.profile)
            self._engine.valuing.check_sizes(made.settings)
        except ConfigError as error:
            return [refusal(desk.market, str(error))]
        changes = ", ".join(f"{name} = {value}" for name, value in live.changes) or "no changes"
        what = f"profile {made.profile}; {changes}"
        if command.preview:
            made_of = made.settings, desk.bounds_with(made.bounds)
            return [self._preview(desk, made_of, desk.stance.adjustments, what, now)]
        desk.use(live, now)
        oversized = self._engine.valuing.oversized(made.settings)
        return [*([Note("warning", desk.market, oversized)] if oversized else []), Note("info", desk.market, what)]

    def _preview(
        self, desk: Desk, made_of: tuple[Settings, Bounds], adjustments: Adjustments, what: str, now: float
    ) -> Note:
        """What is asked for, and what would become of the market's orders; a line for each that moves."""
        unix, (settings, bounds) = now + self._engine.wall_s, made_of
        posture = desk.stance.preview(settings, adjustments, now, unix)
        reason = why_not_quote(msgspec.structs.replace(self._engine.facts(desk, now), stance=posture.forbids))
        draft = None if reason else desk.preview(self._engine.surroundings(desk, unix, now), settings, posture, bounds)
        if draft is None:
            pulled = sum(1 for order in self._engine.orders.at_risk(desk.market) if order.state in IN_BOOK)
            text = f"nothing would be quoted, {pulled} orders pulled: {reason or 'no fair value yet'}"
        else:
            text = preview_words(draft.plan, draft.diff, draft.live, desk.instrument.grid)
        return Note("info", desk.market, f"{what}\n{text}")

    def _still(self, market: str) -> str:
        """What keeps a resumed market, or all of them, from quoting as usual; "" when nothing does."""
        held = self._engine.controls.held()
        others = {one.market for one in held} - {"", market}
        apart = f"; {len(others)} markets stay held by themselves" if others and not market else ""
        return "".join(f"; still {one.told}" for one in held if one.market in ("", market)) + apart


def _is_refused(actions: list[Action]) -> bool:
    """An act was not carried out."""
    return any(isinstance(action, Note) and action.refused for action in actions)


def _why_not_cancel(order: Order, now: float) -> str:
    """Why one order cannot be cancelled now, in words; "" when it can, again if the answer to its cancel is overdue."""
    if order.state in TERMINAL:
        return f"it is over: {order.state.value.lower().replace('_', ' ')}"
    is_asked = order.state is State.CANCEL_SENT and now - order.since_s <= CANCEL_GRACE_SEC
    if is_asked or order.cancel_wanted:
        return "its cancel is under way"
    return "it is not at the venue yet" if order.state in (State.INTENT, State.SENDING) else ""
