"""What an operator may do, and what each act does to the engine.

An act answers with a line that says what was done; one that could not be done says why, as a warning.
"""

from typing import TYPE_CHECKING

import msgspec

from core.actions import Action, CancelAll, CancelMarket, Latch, Note
from core.config import Settings
from core.desk import Desk
from core.errors import ConfigError
from core.events import OperatorCommand
from core.orders.order import IN_BOOK
from core.quoting.adjust import AdjustmentRefused, Adjustments, adjusted
from core.quoting.explain import preview_words
from core.risk.control import Control
from core.risk.gate import why_not_quote
from core.units import micro_text

if TYPE_CHECKING:
    from core.engine import Engine


class Operating:
    """The operator's hand on one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def take(self, command: OperatorCommand, now: float) -> list[Action]:
        """Carry out an act at ``now`` (monotonic seconds)."""
        engine = self._engine
        if not command.preview:
            engine.wake_at_once(now)
        if command.act in ("split", "merge", "redeem", "convert"):
            return engine.inventory.command(command, now)
        if command.act in ("job_confirmed", "job_failed"):
            return engine.inventory.end(command, now)
        if command.act in ("pause_all", "resume_all", "cancel_all", "kill"):
            return self._on_all(command, now)
        desk = engine.desks.get(command.market)
        if desk is None:
            return [Note("warning", "", f"{command.act}: no such market")]
        if not command.preview:
            desk.touch_due()
        return self._on_market(desk, command, now)

    def _on_all(self, command: OperatorCommand, now: float) -> list[Action]:
        count = sum(1 for _ in self._engine.orders.all_at_risk())
        if self._engine.control.state == "KILLED" and command.act != "cancel_all":
            return [Note("warning", "", "killed: only a restart with the latch removed allows orders again")]
        match command.act:
            case "resume_all":
                self._engine.control = Control()
                self._engine.all_due()
                own = sum(1 for desk in self._engine.desks.values() if desk.control.state != "ACTIVE")
                return [
                    Note(
                        "info", "", f"resumed; {own} markets stay held by themselves" if own else "all markets resumed"
                    )
                ]
            case "kill":
                self._engine.control = Control("KILLED", f"by {command.who}")
                return [
                    Latch(reason=f"kill by {command.who}"),
                    CancelAll(reason="killed"),
                    *self._engine.pull_all("killed", now, insists=True),
                    Note("alarm", "", f"KILLED by {command.who}: cancelling {count} orders"),
                ]
        if command.act == "pause_all":
            self._engine.control = Control("PAUSED", f"by {command.who}")
            pulled = self._engine.pull_all(command.act, now, insists=True)
            return [*pulled, Note("info", "", f"all markets paused, cancelling {count} orders")]
        pulled = [CancelAll(reason=command.act), *self._engine.pull_all(command.act, now, insists=True)]
        others = len(self._engine.reconciliation.foreign.orders)
        apart = f" and {others} of others on this account" if others else ""
        return [*pulled, Note("info", "", f"cancelling {count} orders{apart}")]

    def _on_market(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        market, count = desk.market, len(self._engine.orders.at_risk(desk.market))
        match command.act:
            case "pause":
                desk.control = Control("PAUSED", f"by {command.who}")
                return [
                    *desk.pull("paused", now, insists=True),
                    Note("info", market, f"paused, cancelling {count} orders"),
                ]
            case "resume":
                desk.control, desk.flattening = Control(), False
                self._engine.findings.quarantine.release(market)
                return [Note("info", market, f"resumed{self._still()}")]
            case "widen" | "tighten" | "shift" | "one_side" | "size" | "reset":
                return self._adjust(desk, command, now)
            case "set":
                return self._change_settings(desk, command, now)
            case "cancel_market":
                return self._cancel_market(desk, count, now)
            case _:
                return self._flatten(desk, command, now)

    def _cancel_market(self, desk: Desk, count: int, now: float) -> list[Action]:
        """Cancel our orders of a market; while some cannot be found or cancelled, everything the account has there."""
        lost = [order for order in self._engine.orders.at_risk(desk.market) if order.unknown_s is not None]
        pulled = desk.pull("cancelled by operator", now, insists=True)
        text = f"cancelling {count} orders"
        if not lost:
            return [*pulled, Note("info", desk.market, text)]
        swept = CancelMarket(market=desk.market, reason="an operator asked while the outcome of orders was unknown")
        text += f"; {len(lost)} of unknown outcome, so everything this account has in the market goes"
        return [*pulled, swept, Note("warning", desk.market, text)]

    def _adjust(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        """Take or preview an adjustment of one market's quotes."""
        try:
            adjustments = adjusted(desk.stance.adjustments, command, now, desk.instrument.grid.k)
        except AdjustmentRefused as error:
            return [Note("warning", desk.market, f"{command.act}: {error}")]
        if command.preview:
            return [self._preview(desk, desk.settings, adjustments, adjustments.words(now), now)]
        desk.stance.adjustments = adjustments
        return [Note("info", desk.market, adjustments.words(now))]

    def _change_settings(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        """Take or preview other settings for one market."""
        profiles = self._engine.profiles
        if profiles is None:
            return [Note("warning", desk.market, "this run has no profiles")]
        try:
            live = profiles.changed(desk.instrument, desk.live, command.profile, command.changes)
            made = profiles.for_market(desk.instrument, live)
        except ConfigError as error:
            return [Note("warning", desk.market, str(error))]
        changes = ", ".join(f"{name} = {value}" for name, value in live.changes) or "no changes"
        what = f"profile {made.profile}; {changes}"
        if command.preview:
            return [self._preview(desk, made.settings, desk.stance.adjustments, what, now)]
        desk.use(live, now)
        oversized = self._engine.oversized(made.settings)
        return [*([Note("warning", desk.market, oversized)] if oversized else []), Note("info", desk.market, what)]

    def _preview(self, desk: Desk, settings: Settings, adjustments: Adjustments, what: str, now: float) -> Note:
        """What is asked for, and what would become of the market's orders; a line for each that moves."""
        unix = now + self._engine.wall_s
        posture = desk.stance.preview(settings, adjustments, now, unix)
        forbids = "" if desk.flattening else posture.forbids
        reason = why_not_quote(msgspec.structs.replace(self._engine.facts(desk, now), stance=forbids))
        draft = None if reason else desk.preview(self._engine.surroundings(desk, unix, now), settings, posture)
        if draft is None:
            pulled = sum(1 for order in self._engine.orders.at_risk(desk.market) if order.state in IN_BOOK)
            text = f"nothing would be quoted, {pulled} orders pulled: {reason or 'no fair value yet'}"
        else:
            text = preview_words(draft.plan, draft.diff, draft.live, desk.instrument.grid)
        return Note("info", desk.market, f"{what}\n{text}")

    def _still(self) -> str:
        """What keeps an act on one market from taking effect; "" when nothing does."""
        state = self._engine.control.state
        return "" if state == "ACTIVE" else f"; all markets are {state.lower().replace('_', '-')} still"

    def _flatten(self, desk: Desk, command: OperatorCommand, now: float) -> list[Action]:
        """Work the position off with post-only orders at the touch; then the market is paused."""
        net = desk.inventory.net
        if net == 0:
            return [Note("info", desk.market, "nothing to flatten")]
        desk.flattening = True
        desk.control = Control("REDUCE_ONLY", f"flattening for {command.who}")
        verb = "selling" if net > 0 else "buying"
        text = (
            f"flattening: {verb} {micro_text(abs(net) // 10_000 * 10_000)} YES at the touch, post-only{self._still()}"
        )
        return [*desk.pull("flatten", now), Note("info", desk.market, text)]
