"""What the gate is asked with: the engine's facts about one order, when it is decided and right before it is sent."""

from typing import TYPE_CHECKING

import msgspec

from core.actions import Action, Denied, SignedPlace
from core.config import Settings
from core.decision import is_pending
from core.desk import Desk
from core.events import OrderAnswered
from core.market.instrument import Instrument
from core.orders.order import Order
from core.quoting.caps import CostRoom
from core.quoting.rules import Bounds
from core.risk.exposure import NOTHING_TAKEN, CostLimits, Exposures, Worst
from core.risk.gate import (
    Candidate,
    Cleared,
    Denial,
    GateFacts,
    GateRules,
    OrderGate,
    candidate_of,
    closed,
    gate_rules_of,
)
from core.risk.permission import Clause, clause_of
from core.units import MICRO, Shares, Usd

if TYPE_CHECKING:
    from core.engine import Engine


class DenialCount(msgspec.Struct):
    """Orders of this session that the gate let not through for one reason."""

    count: int
    last: Denied
    at_s: float
    """When that was, monotonic seconds."""


class Gatekeeper:
    """The gate of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._gate = OrderGate()
        self._rules: dict[str, tuple[Settings, Instrument, Bounds, GateRules]] = {}
        self.exposures = Exposures(engine.books.portfolio, engine.orders)
        self.denials: dict[str, DenialCount] = {}
        """By code, in the order of their first."""

    def add(self, desk: Desk) -> None:
        """A market is made from now on."""
        instrument = desk.instrument
        self.exposures.join(instrument.market, instrument.group, instrument.group_size)

    def remove(self, market: str) -> None:
        """A market is made no longer. What may still be lost there goes on being counted, in its event too."""
        self._rules.pop(market, None)

    def rules(self, desk: Desk) -> GateRules:
        """What a market's orders are judged by; made anew when its settings, its tick or the market list change."""
        known, bounds = self._rules.get(desk.market), desk.bounds
        if known is not None and known[0] is desk.settings and known[1] is desk.instrument and known[2] is bounds:
            return known[3]
        rules = gate_rules_of(desk.settings, desk.instrument, self._engine.settings, bounds)
        self._rules[desk.market] = desk.settings, desk.instrument, bounds, rules
        return rules

    def judge(self, desk: Desk, candidate: Candidate, now: float) -> Denial | None:
        """Why an order that a decision wants may not be placed; one that may is taken for placed.

        That the market may be quoted at all the decision has asked before.
        """
        worst = self.exposures.with_order(desk.market, candidate.side, candidate.yes_usd, candidate.size)
        facts = self._facts(desk, candidate, None, None, worst, now)
        denial = self._gate.judge(desk.market, candidate, facts, self.rules(desk), now)
        if denial is None:
            self._gate.placed(desk.market, candidate, now)
        return denial

    def clear(self, signed: SignedPlace, now: float) -> Cleared | Denial:
        """The last look at a signed order, right before its first byte leaves."""
        engine = self._engine
        order = engine.orders.by_intent(signed.place.intent)
        desk, candidate = engine.desks.get(order.market), candidate_of(order)
        if desk is None:
            return closed("the market is not made any more")
        worst, clause = self.exposures.without_order(order), clause_of(engine.facts(desk, now))
        facts = self._facts(desk, candidate, order, clause, worst, now)
        return self._gate.clear(signed, desk.market, candidate, facts, self.rules(desk), now)

    def answered(self, event: OrderAnswered, order: Order, now: float) -> list[Action]:
        """An order was denied, or refused by the venue: it may be tried again at once; what the gate said is told."""
        if event.outcome not in ("denied", "refused"):
            return []
        self._gate.forget(order.market, candidate_of(order))
        if not event.denial:
            return []
        denied = Denied(order.intent, order.market, order.side, event.denial, event.detail)
        self.count([denied], now)
        return [denied]

    def count(self, denied: list[Denied], now: float) -> None:
        """Orders were denied."""
        for each in denied:
            known = self.denials.get(each.code)
            self.denials[each.code] = DenialCount(1 if known is None else known.count + 1, each, now)

    def cost_room(self, desk: Desk, now: float, taken: CostLimits = NOTHING_TAKEN) -> CostRoom:
        """What the caps at cost leave a market whose orders are planned anew; ``taken``: less than they are by this."""
        planned = [order for order in self._engine.orders.at_risk(desk.market) if not is_pending(order, now)]
        caps = self.rules(desk).limits(self._engine.account.bankroll or Usd(0))
        limits = CostLimits(caps.market - taken.market, caps.group - taken.group, caps.account - taken.account)
        return self.exposures.room(desk.market, planned, limits)

    def _facts(
        self,
        desk: Desk,
        candidate: Candidate,
        own: Order | None,
        clause: Clause | None,
        worst: tuple[Worst, Worst],
        now: float,
    ) -> GateFacts:
        """Everything as it stands without the order; ``own`` is it when it was placed already."""
        engine, market = self._engine, desk.market
        position, fair = desk.position, desk.watch.fair.value_at(now)
        yes_sold, no_sold = position.settled_yes - position.locked_yes, position.settled_no - position.locked_no
        sellable = yes_sold if candidate.outcome == "YES" else no_sold
        sellable -= engine.orders.reserved_shares(market, candidate.outcome)
        cash, count = engine.free_cash, engine.orders.count()
        orders = engine.orders.at_risk(market)
        if own is not None:
            cash, count = Usd(cash + own.reserves), count - 1
            sellable += own.remaining if own.order_side == "SELL" else 0
            orders = [order for order in orders if order is not own]
        return GateFacts(
            clause=clause,
            control=engine.control_of(desk, candidate.side),
            trouble=f"our books do not add up: {engine.books.trouble}" if engine.books.trouble else "",
            touch=desk.touch_of_others,
            fair=None if fair is None else Usd(round(fair * MICRO)),
            net=desk.inventory.net,
            unsure=Shares(position.unsure["bid" if candidate.side == "ask" else "ask"]),
            orders=orders,
            open_orders=count,
            bankroll=engine.account.bankroll,
            cash=cash,
            sellable=Shares(sellable),
            before=worst[0],
            after=worst[1],
        )
