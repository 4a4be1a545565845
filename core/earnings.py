"""What resting and filled orders earn beside trading: liquidity rewards and maker rebates, as far as it can be told.

Estimates, shown beside profit and never in it (market-making.md 2.12 to 2.14). Whether an order scores is the venue's
word; where that is not what we reckon, somebody should know.
"""

from core.actions import Action, Note
from core.desk import Desk
from core.events import ScoringSeen
from core.market.fees import rebate_estimate
from core.market.rewards import terms_of
from core.orders.manager import Fill, OrderManager
from core.orders.order import IN_BOOK, Order
from core.quoting.rewards import OwnOrder, RewardEstimate, estimate
from core.quoting.scoring import ScoringWatch
from core.units import Usd


class Earnings:
    """Rewards and rebates of all markets."""

    def __init__(self, desks: dict[str, Desk], orders: OrderManager) -> None:
        self._desks = desks
        self._orders = orders
        self.scoring = ScoringWatch()
        self.rebates: dict[str, float] = {}
        """Dollars that fills may bring back, by market; distributed by the venue day by day."""

    def estimate(self, desk: Desk, now: float) -> RewardEstimate | None:
        """What a market's resting orders earn at this moment; None without a programme."""
        terms = terms_of(desk.instrument)
        if terms is None:
            return None
        own = [
            OwnOrder(order.order_id, order.side, order.yes_price, order.remaining, now - order.created_s)
            for order in self._resting(desk)
        ]
        return estimate(own, *desk.others(), desk.instrument.grid, terms)

    def ask(self, now: float) -> list[Action]:
        """The question which orders score, when it is time for it and there are any."""
        paying = [desk for desk in self._desks.values() if terms_of(desk.instrument) is not None]
        question = self.scoring.ask([order.order_id for desk in paying for order in self._resting(desk)], now)
        return [] if question is None else [question]

    def take(self, event: ScoringSeen, now: float) -> list[Action]:
        """Take the venue's answer; tells of orders that should score and do not."""
        self.scoring.take(event)
        actions: list[Action] = []
        for desk in self._desks.values():
            expected = self.estimate(desk, now)
            late = [] if expected is None else self.scoring.contradictions(expected.orders)
            if late:
                which = "1 order" if len(late) == 1 else f"{len(late)} orders"
                text = f"{which} should score for rewards by our reckoning, and the venue says no"
                actions.append(Note("warning", desk.market, text))
        return actions

    def fill(self, desk: Desk, fill: Fill, counts: bool) -> None:
        """Take a fill of ours, or take it back."""
        fees = desk.instrument.fees
        if fees is None:
            return
        price = Usd(fill.price * desk.instrument.grid.tick_usd)
        rebate = rebate_estimate(price, fill.size, fees)
        self.rebates[desk.market] = self.rebates.get(desk.market, 0.0) + (rebate if counts else -rebate)

    def _resting(self, desk: Desk) -> list[Order]:
        return [order for order in self._orders.at_risk(desk.market) if order.state in IN_BOOK]
