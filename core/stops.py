"""What stops the engine's orders, and what lets them go on: control states put into force, ended and re-armed.

Whoever sets a state sets it here: operators, the venue's refusals, the loss limit, protections, the kill. A stricter
state cancels at once what it forbids; what a restart restores holds before anything is quoted.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

from core.actions import Action, CancelAll, Kill, Note, Rearm, refusal
from core.desk import Desk
from core.events import Armed, ClockSeen, JournalSeen, Killed, LoopSeen, OperatorCommand, WatchdogSeen
from core.orders.order import Order
from core.portfolio.account import DayMark
from core.portfolio.position import Position
from core.risk.control import Control, Source, strictest
from core.risk.loss import DAY_SEC
from core.risk.protections import Trip
from core.units import Side

if TYPE_CHECKING:
    from core.engine import Engine


class Stops:
    """The control states of one engine at work. ``now`` is monotonic seconds."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._armed_unix = -math.inf
        """Since when the kill latch stands at armed, as far as told: what was killed before is not restored."""
        self._rearming: tuple[OperatorCommand, tuple[Source, ...]] | None = None
        """The act that the latch is asked to be armed for, and what else it lifts then."""

    # Setting and ending

    def set(self, control: Control, now: float, for_s: float | None = None, *, insists: bool = False) -> list[Action]:
        """Put a state in force, in place of the one of the same scope, and cancel what it forbids.

        Args:
            control: ``ACTIVE`` lifts.
            now: this moment.
            for_s: how long it holds; None: until it is lifted.
            insists: cancel again also what is being cancelled already.
        """
        engine = self._engine
        control = engine.controls.set(control, now, now + engine.wall_s, for_s)
        actions: list[Action] = []
        for desk in self._desks(control.market):
            if control.state != "ACTIVE":
                actions += self._cancel(desk, control, now, insists)
            desk.touch_due()
        engine.wake_at_once(now)
        return actions

    def lift(self, sources: Iterable[Source], now: float, *, market: str = "", sides: Iterable[str] = ("",)) -> None:
        """Lift the states of some sources about exactly this market and these sides."""
        engine, chosen = self._engine, tuple(sources)
        for side in sides:
            engine.controls.lift(chosen, now, now + engine.wall_s, market=market, side=side)
        for desk in self._desks(market):
            desk.touch_due()
        engine.wake_at_once(now)

    def insist(self, control: Control, now: float) -> list[Action]:
        """Cancel again what a state in force forbids, also what is being cancelled already."""
        return [action for desk in self._desks(control.market) for action in self._cancel(desk, control, now, True)]

    def end_flattening(self, market: str, now: float, side: Side | Literal[""] = "") -> list[Action]:
        """A pause or a resume ends the flattening of a market, or of all, and its orders; of a side, where it sells."""
        actions: list[Action] = []
        for desk in self._desks(market):
            sells_on: Side = "ask" if desk.inventory.net > 0 else "bid"
            if desk.flattening is not None and side in ("", sells_on):
                desk.flattening = None
                self.lift(("flatten",), now, market=desk.market)
                actions += desk.pull("the flattening has ended", now)
        return actions

    def advance(self, now: float) -> list[Action]:
        """End what was set for a time that is over."""
        engine, unix = self._engine, now + self._engine.wall_s
        engine.controls.keep_time(now, unix)
        actions: list[Action] = []
        for control in engine.controls.expire(now, unix):
            for desk in self._desks(control.market):
                desk.touch_due()
            actions.append(Note("info", control.market, f"no longer {control.told}"))
        return actions

    def restore(self, controls: Iterable[Control], now: float) -> list[Action]:
        """Go on with the states that an earlier session left; the day's loss stands even if nobody wrote its state.

        Of markets that are not made any more the market list says nothing: it speaks when they come back.
        """
        engine = self._engine
        left = [one for one in controls if one.source != "kill" or one.since_unix > self._armed_unix]
        engine.controls.restore(left, now, now + engine.wall_s)
        actions: list[Action] = []
        for control in engine.controls.held():
            if control.source == "selection" and control.market not in engine.desks:
                self.lift(("selection",), now, market=control.market)
                continue
            actions.append(Note("warning", control.market, f"since an earlier session {control.told}"))
            for desk in self._desks(control.market):  # orders of that session may be kept
                actions += self._cancel(desk, control, now, insists=False)
        if self._latched_for_s(now) > 0 and engine.controls.find("", "", "loss") is None:
            actions += self.set(Control("REDUCE_ONLY", "the daily loss limit was reached", "loss"), now)
        return actions

    # Rules that concern everything

    def restrict(self, control: Control, now: float) -> list[Action]:
        """Forbid what the venue forbids (source ``venue``), and say so once."""
        held = self._engine.controls.find("", "", "venue")
        if held is not None and strictest(held, control) is held:
            return []
        return [*self.set(control, now), Note("alarm", "", f"{control.reason}; resume when that is mended")]

    def heed_day(self, marked: DayMark, now: float) -> list[Action]:
        """Heed what a mark of the account says of the day's loss (market-making.md 3.6)."""
        actions: list[Action] = []
        lost = f"{marked.loss:.2%} of the day's opening equity is lost"
        if marked.limit == "reached":
            text = f"daily loss limit: {lost}"
            actions += self._engine.pull_all("daily loss limit", now)
            actions += self.set(Control("REDUCE_ONLY", text, "loss"), now)
            actions.append(Note("alarm", "", f"{text}; only reducing until the next day and a re-arm"))
        elif marked.limit == "open again" and self._engine.controls.find("", "", "loss") is not None:
            actions.append(Note("warning", "", "a new day: the daily loss limit may be re-armed"))
        if marked.kills and not self._engine.is_killed:
            actions += self.kill("loss", lost, now)
        return actions

    # Kill and re-arm

    def kill(self, by: str, reason: str, now: float) -> list[Action]:
        """Pull the switch: nothing is placed from this moment on, and everything the account has is cancelled."""
        return [Kill(by=by, reason=reason), *self._die(by, reason, now)]

    def on_killed(self, event: Killed, now: float) -> list[Action]:
        """The switch was pulled by somebody else, or before this session."""
        return [] if self._engine.is_killed else self._die(event.by, event.reason, now)

    def _die(self, by: str, reason: str, now: float) -> list[Action]:
        self._rearming = None
        count = sum(1 for _ in self._engine.orders.all_at_risk())
        orders = list(self._engine.orders.all_at_risk())
        pulled = self.set(Control("KILLED", reason, "kill", author=by), now, insists=True)
        self._engine.results.begin("kill", "", by, orders, now, now + self._engine.wall_s)
        text = f"KILLED by {by}{reason and ': '}{reason}; cancelling {count} orders"
        return [CancelAll(reason="killed"), *pulled, Note("alarm", "", text)]

    def on_armed(self, event: Armed, now: float) -> list[Action]:
        """The latch stands at armed: what was killed before is lifted, and what it was asked for with the same act.

        When it was armed this session's own act tells best, because wall clocks are set.
        """
        self._armed_unix = event.unix
        asked, self._rearming = self._rearming, None
        killed = self._engine.controls.find("", "", "kill")
        if killed is None or (asked is None and killed.since_unix > event.unix):
            return []
        self.lift(("kill",), now)
        actions: list[Action] = [Note("warning", "", f"armed again by {event.by}: {event.reason}")]
        if asked is not None:
            command, others = asked
            held = [control for source in others if (control := self._engine.controls.find("", "", source))]
            for control in held:  # the latch may have taken its time
                actions += [] if self._too_early(control, now) else self._rearm(control.source, command, now)
        return actions

    def rearm(self, command: OperatorCommand, now: float) -> list[Action]:
        """Let quotes return after a kill, a day's loss or a drawdown, as far as nothing is in the way.

        A kill ends when the latch on the disk does, which comes back as :class:`core.events.Armed`; the rest that may
        end then ends with it. While the kill has to stay nothing else ends, so that a refusal changes nothing.
        """
        held = [control for source in _ARMED if (control := self._engine.controls.find("", "", source))]
        if not held:
            return [refusal("", "rearm: nothing is tripped")]
        why = "" if command.reason.strip() else "a reason is needed"
        why = why or self._unclean()
        if why:
            return [refusal("", f"rearm: {why}")]
        early = {control.source: self._too_early(control, now) for control in held}
        ends = tuple([source for source, why in early.items() if not why])
        stays = "; ".join([f"{source} stays: {why}" for source, why in early.items() if why])
        if not ends or early.get("kill"):
            return [refusal("", f"rearm: {stays}")]
        done = "re-arming" if "kill" in ends else "re-armed"
        text = f"{done} ({', '.join(ends)}) by {command.who}: {command.reason}{stays and '; '}{stays}"
        if "kill" in ends:
            self._rearming = command, tuple([source for source in ends if source != "kill"])
            return [Rearm(by=command.who, reason=command.reason), Note("info", "", text)]
        return [*(action for source in ends for action in self._rearm(source, command, now)), Note("info", "", text)]

    def _rearm(self, source: Source, command: OperatorCommand, now: float) -> list[Action]:
        if source == "drawdown":
            engine = self._engine
            engine.protections.drawdown.rearm()
            engine.account.guard_peak, engine.books.wants_snapshot = engine.protections.drawdown.peak, True
            engine.account.touch()  # the next mark writes it down
        control = Control("ACTIVE", command.reason, source, author=command.who)
        return [*self.set(control, now), Note("info", "", f"{source} is re-armed")]

    def _unclean(self) -> str:
        """What of the account has to be settled before anything is re-armed, in words; "" when all is (4.7)."""
        engine = self._engine
        unknown, at_risk = engine.orders.in_doubt(), sum(1 for _ in engine.orders.all_at_risk())
        if not engine.account.is_open or engine.reconciliation.recovering():
            return engine.reconciliation.recovering() or "the account has not been read yet"
        if unknown:
            return f"{unknown} orders are of unknown outcome"
        if engine.is_killed and at_risk:
            return f"{at_risk} orders are not known to be gone yet"
        return engine.books.trouble

    def _too_early(self, control: Control, now: float) -> str:
        """Why a state cannot be re-armed yet, in words; "" when it can."""
        if control.source == "drawdown" and not self._engine.valuing.is_marked:
            return "the account has not been valued yet in this session"
        killed_for_loss = control.source == "kill" and (control.author == "loss" or self._engine.account.is_beyond_kill)
        left_s = self._latched_for_s(now)
        if left_s <= 0 or not (control.source == "loss" or killed_for_loss):
            return ""
        return f"today's loss is over the limit; not before 00:00 UTC, in {left_s / 3600:.1f} h"

    def _latched_for_s(self, now: float) -> float:
        """Seconds that the day still has in which the loss limit was reached; not positive when there is none."""
        account = self._engine.account
        return (account.day.day + 1) * DAY_SEC - (now + self._engine.wall_s) if account.is_latched else 0.0

    # Protections, and what the session tells of itself

    def trip(self, trips: list[Trip], now: float) -> list[Action]:
        """Put in force what protections want, and say so."""
        actions: list[Action] = []
        for trip in trips:
            actions += [*self.set(trip.control, now, trip.for_s), trip.note]
        return actions

    def on_watchdog(self, event: WatchdogSeen, now: float) -> list[Action]:
        """Without a watchdog nobody would cancel for us if we hung: then nothing may be open (reliability.md P06)."""
        engine = self._engine
        was_up, engine.watchdog = not engine.watchdog, "" if event.up else f"no watchdog stands guard: {event.detail}"
        self._engine.all_due()
        self._engine.wake_at_once(now)
        if event.up:
            return [Note("info", "", "the watchdog stands guard")]
        pulled = self._engine.pull_all("no watchdog stands guard", now)
        return [*pulled, Note("warning" if was_up else "info", "", self._engine.watchdog)]

    def on_clock(self, event: ClockSeen, now: float) -> list[Action]:
        """Heed what the venue's clock shows against ours."""
        return self._vital(list(self._engine.vitals.take_clock(event)), now)

    def on_journal(self, event: JournalSeen, now: float) -> list[Action]:
        """Heed how long the journal has been waiting for the disk; a journal that takes nothing kills."""
        actions = self._vital(list(self._engine.vitals.take_journal(event)), now)
        if self._engine.vitals.kills and not self._engine.is_killed:
            actions += self.kill("storage", self._engine.vitals.journal, now)
        return actions

    def on_loop(self, event: LoopSeen, now: float) -> list[Action]:
        """Heed that the session's loop stood still."""
        return self._vital(list(self._engine.vitals.take_loop(event, now)), now)

    def _vital(self, actions: list[Action], now: float) -> list[Action]:
        """Something the session tells of itself has changed: every market decides anew."""
        if actions:
            self._engine.all_due()
            self._engine.wake_at_once(now)
        return actions

    # Orders

    def pull_adding(self, desk: Desk, reason: str, now: float) -> list[Action]:
        """Cancel the orders of a market but for what together surely only reduces."""
        reducing, orders = Control("REDUCE_ONLY", reason, market=desk.market), self._engine.orders
        forbidden = _forbidden(reducing, desk.position, orders.at_risk(desk.market))
        return [action for order in forbidden for action in orders.cancel(order, reason, now)]

    def _desks(self, market: str) -> list[Desk]:
        """Those that a state is about; a market that is not made has none."""
        desks = self._engine.desks
        return [desk for desk in desks.values() if market in ("", desk.market)]

    def _cancel(self, desk: Desk, control: Control, now: float, insists: bool) -> list[Action]:
        orders = self._engine.orders
        return [
            action
            for order in _forbidden(control, desk.position, orders.at_risk(desk.market))
            for action in orders.cancel(order, control.words, now, insists=insists)
        ]


_ARMED: Final[tuple[Source, ...]] = ("kill", "loss", "drawdown")
"""What only a re-arm ends."""


def _forbidden(control: Control, position: Position, orders: Iterable[Order]) -> list[Order]:
    """The orders of a market that a state wants gone: those it is about, but for what together surely only reduces."""
    side: Side = "ask" if position.inventory.net > 0 else "bid"
    left: int = position.closable(side) if control.state == "REDUCE_ONLY" else 0
    forbidden: list[Order] = []
    for order in orders:
        if not control.concerns(order.market, order.side):
            continue
        if order.side == side and order.remaining <= left:
            left -= order.remaining
        else:
            forbidden.append(order)
    return forbidden
