"""The worst case at cost: vectors by hand, and that nothing that may happen to our orders makes it worse."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import CancelAnswered, OrderAnswered, OrderSeen, OrderSigned
from core.market.instrument import Instrument
from core.orders.fills import Fill
from core.orders.manager import OrderManager
from core.orders.order import Order
from core.portfolio.entries import Buy, Entry, Merge, Sell, Settle, Split
from core.portfolio.ledger import Ledger, posting_of
from core.portfolio.net import NetLedger
from core.portfolio.portfolio import Portfolio
from core.quoting.caps import CostRoom
from core.risk.exposure import CostLimits, Exposures, Leg, Loss, Stand, leg_of, loss_of, stand_of
from core.units import MICRO, Outcome, Shares, Side, Ticks, Usd, grid_of
from tests.builders import a_market, laws, shares, usd

GRID = grid_of("0.01")
PICO = MICRO * MICRO
"""A dollar."""
UNLIMITED = CostLimits(10**30, 10**30, 10**30)


def ledger_of(*entries: Entry) -> NetLedger:
    ledger = NetLedger()
    for entry in entries:
        ledger.post(posting_of(entry))
    return ledger


def bought(outcome: Outcome, size: float, price: float) -> Buy:
    return Buy(outcome, shares(size), usd(price))


def dollars(loss: Loss) -> tuple[float, float]:
    """(if YES wins, if NO wins)."""
    return loss.yes / PICO, loss.no / PICO


@pytest.mark.parametrize(
    ("entries", "net", "price", "loss"),
    [
        ((), 0, 0.0, (0, 0)),
        ((bought("YES", 100, 0.40),), 100, 0.40, (-60, 40)),
        ((bought("NO", 100, 0.70),), -100, 0.30, (70, -30)),
        # pairs are no position, whatever they gained or lost
        ((bought("YES", 100, 0.40), bought("NO", 60, 0.50)), 40, 0.40, (-24, 16)),
        ((bought("YES", 100, 0.60), bought("NO", 100, 0.50)), 0, 0.0, (0, 0)),
        ((bought("YES", 100, 0.40), bought("YES", 100, 0.60), Sell("YES", shares(50), usd(0.9))), 150, 0.50, (-75, 75)),
        ((Split(shares(10), usd(0.3)),), 0, 0.0, (0, 0)),
        # sold before the purchase was told: 100 NO for the rest of a dollar
        ((Sell("YES", shares(100), usd(0.30)),), -100, 0.30, (70, -30)),
        ((bought("YES", 100, 0.40), Settle(usd(0))), 0, 0.0, (0, 0)),
    ],
)
def test_stand_of_final_lines(entries: Any, net: float, price: float, loss: tuple[float, float]) -> None:
    stand = stand_of(ledger_of(*entries))
    assert (stand.net, stand.entered, dollars(loss_of(stand, [], []))) == (shares(net), usd(price), loss)


@pytest.mark.parametrize(
    ("held", "side", "price", "size", "loss"),
    [
        ((), "bid", 0.40, 100, (0, 40)),
        ((), "ask", 0.40, 100, (60, 0)),
        ((bought("YES", 100, 0.40),), "bid", 0.45, 10, (0, 4.5)),
        # closing above cost counts at cost, below cost at the price
        ((bought("YES", 100, 0.40),), "ask", 0.50, 100, (60, 0)),
        ((bought("YES", 100, 0.40),), "ask", 0.30, 100, (70, 0)),
        ((bought("YES", 100, 0.40),), "ask", 0.50, 150, (60 + 25, 0)),
        ((bought("NO", 100, 0.70),), "bid", 0.20, 100, (0, 30)),
        ((bought("NO", 100, 0.70),), "bid", 0.35, 150, (0, 52.5)),
    ],
)
def test_what_an_order_adds(held: Any, side: Side, price: float, size: float, loss: tuple[float, float]) -> None:
    stand, leg = stand_of(ledger_of(*held)), leg_of(side, usd(price), shares(size))
    told = loss_of(stand, [leg], []) if side == "bid" else loss_of(stand, [], [leg])
    alone = loss_of(stand, [], [])
    assert dollars(Loss(told.yes - alone.yes, told.no - alone.no)) == loss


def test_what_closes_a_position_is_counted_once() -> None:
    """Two asks of 100 over 100 held at 40 cents: the dearer one may close it, the other one then adds."""
    stand = stand_of(ledger_of(bought("YES", 100, 0.40)))
    asks = [leg_of("ask", usd(0.50), shares(100)), leg_of("ask", usd(0.60), shares(100))]
    assert dollars(loss_of(stand, [], asks)) == (-60 + 60 + 50, 40)


class Desk:
    """A book of orders and lines of some markets, without an engine."""

    def __init__(self, groups: dict[str, tuple[str, int]] | None = None) -> None:
        self.orders, self.portfolio = OrderManager(), Portfolio()
        self.exposures = Exposures(self.portfolio, self.orders)
        for market, (group, size) in (groups or {}).items():
            self.exposures.join(market, group, size)
        self.count = 0

    def instrument(self, market: str) -> Instrument:
        return a_market(market=market, yes=f"{market}y", no=f"{market}n")

    def book(self, market: str, entry: Entry) -> None:
        self.count += 1
        self.portfolio.book(market, f"k{self.count}", 0.0, entry, "job")

    def order(self, market: str, side: Side, tick: int, size: float, outcome: Outcome = "YES") -> Order:
        price = Ticks(tick if outcome == "YES" else 100 - tick)
        buys = (side == "bid") == (outcome == "YES")
        place = self.orders.place(
            self.instrument(market), outcome=outcome, order_side="BUY" if buys else "SELL",
            price=price, size=shares(size), side=side, layer=0, reason="t", now=0.0,
        )  # fmt: skip
        return self.orders.by_intent(place.intent)

    def filled(self, order: Order, size: float) -> Fill:
        self.count += 1
        return Fill(
            trade_id=f"t{self.count}", order_id=order.order_id, intent=order.intent, market=order.market,
            outcome=order.outcome, order_side=order.order_side, price=order.price, usd=order.usd,
            yes_price=order.yes_price, side=order.side, size=shares(size), layer=0, unix=0.0,
        )  # fmt: skip

    def worst(self, market: str) -> tuple[float, float, float]:
        """Dollars: market, event, account."""
        told = self.exposures.worst(market)
        return told.market / PICO, told.group / PICO, told.account / PICO


def test_order_counts_from_the_wish_to_the_proof_of_its_end() -> None:
    """In flight, resting, of unknown outcome, being cancelled, cancelled without sizes: all at full size."""
    desk = Desk()
    order = desk.order("a", "bid", 40, 100)
    assert desk.worst("a") == (40, 0, 40), "wished for"
    desk.orders.signed(OrderSigned(intent=1, order_id="o1"), 0.1)
    assert desk.worst("a")[0] == 40, "its bytes may be on their way"
    desk.orders.answered(OrderAnswered(intent=1, outcome="unknown"), 0.2)
    assert desk.worst("a")[0] == 40, "nobody knows"
    desk.orders.seen(OrderSeen(order_id="o1", status="live", matched=Shares(0)), 0.3)
    assert desk.worst("a")[0] == 40, "it rests"
    desk.orders.cancel(order, "t", 0.4)
    assert desk.worst("a")[0] == 40, "its cancel is sent"
    desk.orders.cancel_answered(CancelAnswered(order_id="o1", outcome="cancelled"), 0.5)
    assert desk.worst("a")[0] == 40, "what was matched before was not told"
    desk.orders.chase(2.0, is_out=False, is_deaf=False)
    assert desk.worst("a") == (0, 0, 0)


def test_order_that_was_denied_counts_no_more() -> None:
    desk = Desk()
    desk.order("a", "bid", 40, 100)
    assert desk.worst("a")[0] == 40
    desk.orders.answered(OrderAnswered(intent=1, outcome="denied"), 0.2)
    assert desk.worst("a")[0] == 0


def test_fill_that_is_not_final_counts_both_ways() -> None:
    """100 YES at 40 are final; what closed them may fail, and what was bought beside may be taken back."""
    desk = Desk()
    desk.book("a", bought("YES", 100, 0.40))
    sold = desk.filled(desk.order("a", "ask", 50, 100), 100)
    desk.orders.answered(OrderAnswered(intent=1, outcome="denied"), 0.1)  # only the fill is looked at here
    desk.portfolio.fill(sold, True, 0.0)
    assert dollars(desk.exposures.loss("a")) == (-60 + 60, 40), "the position may be back"
    desk.portfolio.confirm(sold)
    assert dollars(desk.exposures.loss("a")) == (0, 0)
    again = desk.filled(desk.orders.by_intent(1), 50)
    desk.portfolio.fill(again, True, 0.0)
    assert dollars(desk.exposures.loss("a")) == (25, 0)
    desk.portfolio.fill(again, False, 0.0)
    assert dollars(desk.exposures.loss("a")) == (0, 0), "it failed"


def test_event_loses_in_its_worst_outcome_only() -> None:
    """YES of three outcomes for 30 cents each: one of them pays, the other two are lost."""
    names = dict.fromkeys("abc", ("g", 3))
    desk = Desk(names)
    for name in names:
        desk.book(name, bought("YES", 100, 0.30))
    assert desk.worst("a") == (30, 0, 0), "a complete set for 90 cents gains whoever wins"
    open_ended = Desk(dict.fromkeys("abc", ("g", 0)))
    for name in names:
        open_ended.book(name, bought("YES", 100, 0.30))
    assert open_ended.worst("a") == (30, 90, 90), "another outcome may win"


def test_no_of_two_outcomes_loses_one_of_them_at_most() -> None:
    desk = Desk({"a": ("g", 0), "b": ("g", 0)})
    desk.book("a", bought("NO", 100, 0.60))
    desk.book("b", bought("NO", 100, 0.70))
    # a wins: NO of a is lost, 60, and b's gains 30; b wins: 70 lost, 40 gained
    assert desk.worst("a") == (60, 30, 30) and desk.worst("b") == (70, 30, 30)
    assert desk.exposures.group_worst("g") == usd(30) and desk.exposures.account_worst == usd(30)


def test_orders_that_would_hedge_an_event_are_no_hedge_until_they_fill() -> None:
    desk = Desk({"a": ("g", 0), "b": ("g", 0)})
    desk.book("a", bought("NO", 100, 0.60))
    desk.order("b", "ask", 30, 100, "NO")  # buys NO of b: would gain 30 if a wins
    assert desk.worst("a") == (60, 60 + 0, 60), "b's order may not fill"
    assert desk.worst("b") == (70, 60, 60), "and if it does and b wins, 70 are lost and a's 40 are gained"


def test_account_sums_events_and_single_markets() -> None:
    desk = Desk({"a": ("g", 0), "b": ("g", 0)})
    desk.book("a", bought("YES", 100, 0.40))
    desk.book("b", bought("NO", 100, 0.40))
    desk.book("lone", bought("YES", 10, 0.50))
    desk.book("elsewhere", bought("NO", 10, 0.20))
    assert desk.worst("lone") == (5, 0, desk.exposures.account_worst / MICRO)
    # b wins: 40 of a and 40 of b are lost
    assert desk.worst("a") == (40, 80, 80 + 5 + 2)


def test_market_that_joins_its_event_late_is_counted_once() -> None:
    desk = Desk({"b": ("g", 0)})
    desk.book("a", bought("NO", 100, 0.60))
    desk.book("b", bought("NO", 100, 0.70))
    assert desk.exposures.account_worst == usd(130)
    desk.exposures.join("a", "g", 0)
    assert desk.exposures.account_worst == usd(30)


@pytest.mark.parametrize("complete", [False, True])
def test_room_is_what_may_still_be_added(complete: bool) -> None:
    """An order of exactly the room reaches a cap, and a share more exceeds it: for each cap and side."""
    sides: tuple[tuple[Side, int], ...] = (("bid", 40), ("ask", 70))
    for cap, (side, tick) in product(("market", "group", "account"), sides):
        desk = Desk({"a": ("g", 2 if complete else 0), "b": ("g", 2 if complete else 0)})
        desk.book("a", bought("YES" if side == "bid" else "NO", 20, 0.50))
        desk.book("b", bought("NO", 30, 0.20))
        desk.book("lone", bought("NO", 10, 0.50))
        planned = desk.order("a", side, tick, 5)
        limits = UNLIMITED._replace(**{cap: 50 * PICO})
        room = desk.exposures.room("a", [planned], limits).shares(side, usd(tick / 100))
        desk.orders.answered(OrderAnswered(intent=planned.intent, outcome="denied"), 0.0)
        reached = [
            getattr(desk.exposures.with_order("a", side, usd(tick / 100), Shares(room + more))[1], cap)
            for more in (0, MICRO)
        ]
        assert reached[0] <= 50 * PICO
        assert reached[1] > 50 * PICO or room > 10**20, (cap, side)


def test_closing_side_has_room_at_the_price_it_counts_at() -> None:
    room = CostRoom(bid=10 * PICO, ask=10 * PICO, net=shares(100), entered=usd(0.40))
    assert room.shares("bid", usd(0.50)) == shares(20)
    assert room.shares("ask", usd(0.80)) == shares(10) // 0.6 // 1, "closing counts at 40 cents: 60 a share"
    short = CostRoom(bid=10 * PICO, ask=10 * PICO, net=shares(-100), entered=usd(0.40))
    assert short.shares("bid", usd(0.20)) == shares(25) and short.shares("ask", usd(0.80)) == shares(50)
    assert CostRoom(-1, -1, Shares(0), Usd(0)).shares("bid", usd(0.5)) == 0


def a_line() -> st.SearchStrategy[Entry]:
    size = st.integers(1, 400).map(lambda number: Shares(number * 10_000))
    price = st.integers(1, 99).map(lambda tick: Usd(tick * 10_000))
    outcome: st.SearchStrategy[Outcome] = st.sampled_from(("YES", "NO"))
    return st.one_of(
        st.builds(Buy, outcome, size, price),
        st.builds(Buy, outcome, size, price),
        st.builds(Sell, outcome, size, price),
    )


def an_order() -> st.SearchStrategy[tuple[Side, Outcome, int, int]]:
    """(side, token, YES ticks, micro-shares)."""
    return st.tuples(
        st.sampled_from(("bid", "ask")), st.sampled_from(("YES", "NO")), st.integers(1, 99),
        st.integers(1, 300).map(lambda number: number * 10_000),
    )  # fmt: skip


def total(stand: Stand, orders: list[list[Any]]) -> Loss:
    legs: dict[str, list[Leg]] = {"bid": [], "ask": []}
    for side, _, tick, left in orders:
        legs[side].append(leg_of(side, Usd(tick * 10_000), left))
    return loss_of(stand, legs["bid"], legs["ask"])


@laws(400)
@given(st.lists(a_line(), max_size=6), st.lists(an_order(), min_size=1, max_size=6), st.data())
def test_no_fill_merge_or_cancel_makes_the_worst_case_worse(lines: list[Any], drawn: list[Any], data: Any) -> None:
    """Orders fill in parts and in any order, are taken back, pairs are merged: neither outcome ever loses more.

    Sums may differ by the rounding of average costs, a Pico a step.
    """
    ledger, held = NetLedger(), Ledger()

    def post(entry: Entry) -> None:
        ledger.post(posting_of(entry))
        held.post(posting_of(entry))

    for line in lines:
        post(line)
    orders = [list(order) for order in drawn]
    before, steps = total(stand_of(ledger), orders), 0
    for _ in range(data.draw(st.integers(1, 12))):
        act = data.draw(st.sampled_from(("fill", "fill", "fill", "merge", "cancel")))
        pairs = min(held.yes.shares, held.no.shares)
        steps += 2 + len(orders)
        if act == "merge" and pairs > 0:
            post(Merge(Shares(data.draw(st.integers(1, pairs)))))
        elif act == "cancel" and orders:
            orders.pop(data.draw(st.integers(0, len(orders) - 1)))
        elif act == "fill" and orders:
            order = data.draw(st.sampled_from(orders))
            side, outcome, tick, left = order
            if not left:
                continue
            size = data.draw(st.integers(1, left))
            buys = (side == "bid") == (outcome == "YES")
            price = Usd((tick if outcome == "YES" else 100 - tick) * 10_000)
            post((Buy if buys else Sell)(outcome, Shares(size), price))
            order[3] = left - size
        after = total(stand_of(ledger), orders)
        assert after.yes <= before.yes + steps and after.no <= before.no + steps, (act, before, after)
        before = Loss(max(before[0], after[0]), max(before[1], after[1]))
