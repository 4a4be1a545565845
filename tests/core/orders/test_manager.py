"""Orders by intent and by id: answers, cancels, doubt, fills, and what they tie up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import Cancel, ReadOrder
from core.errors import InvariantBroken
from core.events import CancelAnswered, FillSeen, OrderAnswered, OrderSeen, OrderSigned
from core.orders.manager import CANCEL_RETRY_SEC, RECENT_GUARD_SEC, SENDING_DEADLINE_SEC, OrderManager
from core.orders.order import AT_RISK, TERMINAL, Order, State
from core.units import Shares, Ticks, grid_of
from tests.builders import MARKET, a_market, laws, shares, usd

CENTS = {MARKET: grid_of("0.01")}


class Desk:
    """A manager with one market and a clock."""

    def __init__(self) -> None:
        self.orders = OrderManager()
        self.now = 100.0

    def place(self, side: Any = "bid", tick: int = 45, size: float = 100, **over: Any) -> Order:
        wish: dict[str, Any] = {
            "outcome": "YES",
            "order_side": "BUY" if side == "bid" else "SELL",
            "price": Ticks(tick),
            "size": shares(size),
            "side": side,
            "layer": 0,
            "reason": "test",
            "now": self.now,
        }
        return self.orders.by_intent(self.orders.place(a_market(), **(wish | over)).intent)

    def sent(self, **over: Any) -> Order:
        order = self.place(**over)
        self.orders.signed(OrderSigned(intent=order.intent, order_id=f"id-{order.intent}"), self.now)
        return order

    def live(self, **over: Any) -> Order:
        order = self.sent(**over)
        self.answer(order)
        return order

    def answer(self, order: Order, outcome: Any = "live") -> list[Cancel]:
        return self.orders.answered(OrderAnswered(intent=order.intent, outcome=outcome), self.now)

    def seen(self, order: Order, status: Any, matched: Shares | None = None) -> None:
        self.orders.seen(OrderSeen(order_id=order.order_id, status=status, matched=matched), self.now)

    def fill(self, order: Order, size: float, trade: str = "t", settlement: Any = "matched") -> str | None:
        told = FillSeen(
            trade_id=trade, order_id=order.order_id, size=shares(size), settlement=settlement, unix=self.now
        )
        booked = self.orders.filled(told, self.now)
        return None if booked is None else booked[1]

    def cancel(self, order: Order) -> list[Cancel]:
        return self.orders.cancel(order, "test", self.now)

    def chase(self, seconds: float) -> list[Any]:
        self.now += seconds
        return self.orders.chase(self.now)


# Placing and answering


def test_order_exists_from_the_wish_on_and_is_found_once_it_has_an_id() -> None:
    desk = Desk()
    order = desk.place()
    assert (order.state, desk.orders.at_risk(MARKET), desk.orders.find("id-1")) == (State.INTENT, [order], None)
    desk.orders.signed(OrderSigned(intent=1, order_id="id-1"), desk.now)
    assert (order.state, desk.orders.find("id-1")) == (State.SENDING, order)


def test_buy_of_the_complement_stands_at_the_mirrored_price() -> None:
    order = Desk().place("ask", tick=53, outcome="NO", order_side="BUY")
    assert (order.price, order.yes_price) == (53, 47)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("live", "LIVE"),
        ("matched", "MATCHED"),
        ("delayed", "DELAYED"),
        ("refused", "REJECTED"),
        ("unknown", "UNKNOWN"),
        ("denied", "DENIED"),
    ],
)
def test_answer_decides_the_state(outcome: Any, state: str) -> None:
    desk = Desk()
    order = desk.sent()
    desk.answer(order, outcome)
    assert order.state.value == state
    assert (order in desk.orders.at_risk(MARKET)) == (outcome not in ("refused", "denied"))
    assert desk.orders.counts.rejects == (outcome == "refused")


def test_placement_without_an_answer_becomes_unknown() -> None:
    desk = Desk()
    order = desk.sent()
    assert desk.chase(SENDING_DEADLINE_SEC) == [] and order.state is State.SENDING
    desk.chase(0.1)
    assert order.state is State.UNKNOWN


def test_fill_before_the_answer_is_booked_and_the_order_lives_on_in_part() -> None:
    desk = Desk()
    order = desk.sent()
    assert desk.fill(order, 30) == "booked"
    assert (order.state, order.remaining) == (State.SENDING, shares(70))
    desk.answer(order)
    assert order.state is State.PARTIAL


def test_fill_of_everything_before_the_answer_ends_the_order() -> None:
    desk = Desk()
    order = desk.sent()
    desk.fill(order, 100)
    desk.answer(order)
    assert (order.state, desk.orders.at_risk(MARKET)) == (State.MATCHED, [])


# Cancelling


def test_cancel_of_an_order_under_way_waits_for_its_answer() -> None:
    desk = Desk()
    order = desk.sent()
    assert desk.cancel(order) == []
    assert [cancel.order_id for cancel in desk.answer(order)] == ["id-1"]
    assert order.state is State.CANCEL_SENT


@pytest.mark.parametrize("outcome", ["refused", "denied", "unknown"])
def test_waiting_cancel_is_not_sent_for_an_order_that_did_not_land(outcome: Any) -> None:
    desk = Desk()
    order = desk.sent()
    desk.cancel(order)
    assert desk.answer(order, outcome) == []


def test_cancel_is_repeated_until_it_is_answered_and_stays_overdue() -> None:
    desk = Desk()
    order = desk.live()
    assert len(desk.cancel(order)) == 1
    assert desk.cancel(order) == [], "not twice within the retry time"
    since = order.since_s
    for _ in range(3):
        again = desk.chase(CANCEL_RETRY_SEC)
        assert [type(action) for action in again] == [ReadOrder, Cancel]
    assert order.since_s == since, "repeating does not make the wait look short"


@pytest.mark.parametrize("outcome", ["refused", "unknown"])
def test_cancel_that_is_not_confirmed_leaves_the_order_at_risk(outcome: Any) -> None:
    desk = Desk()
    order = desk.live()
    desk.cancel(order)
    assert desk.orders.cancel_answered(CancelAnswered(order_id="id-1", outcome=outcome), desk.now) == []
    assert order in desk.orders.at_risk(MARKET)


def test_order_that_is_gone_is_asked_for() -> None:
    desk = Desk()
    order = desk.live()
    desk.cancel(order)
    gone = CancelAnswered(order_id="id-1", outcome="gone")
    assert desk.orders.cancel_answered(gone, desk.now) == [ReadOrder(order_id="id-1")]
    assert order.state is State.CANCEL_SENT


def test_cancelled_order_is_counted_once() -> None:
    desk = Desk()
    order = desk.live()
    desk.cancel(order)
    for _ in range(2):
        desk.orders.cancel_answered(CancelAnswered(order_id="id-1", outcome="cancelled"), desk.now)
        desk.seen(order, "cancelled")
    assert (order.state, desk.orders.counts.cancelled, desk.orders.at_risk(MARKET)) == (State.CANCELLED, 1, [])
    assert desk.cancel(order) == []


# Doubt


def test_unknown_order_is_cancelled_and_read_again_and_again() -> None:
    desk = Desk()
    order = desk.sent()
    desk.answer(order, "unknown")
    for _ in range(3):
        assert desk.chase(2.0) == [
            Cancel(order_id="id-1", market=MARKET, reason="outcome unknown"),
            ReadOrder(order_id="id-1"),
        ]
        assert desk.chase(0.5) == []


def test_unknown_order_needs_two_absences_after_the_guard_and_apart() -> None:
    """A read that raced the order, or two answers to one question, prove nothing."""
    desk = Desk()
    order = desk.sent()
    desk.answer(order, "unknown")
    for _ in range(5):
        desk.seen(order, "absent")
    desk.now += RECENT_GUARD_SEC + 0.1
    for _ in range(5):
        desk.seen(order, "absent")
    assert order.state is State.UNKNOWN
    desk.now += 2.0
    desk.seen(order, "absent")
    assert (order.state, desk.orders.at_risk(MARKET)) == (State.NOT_PLACED, [])


def test_absence_does_not_end_an_order_known_to_rest() -> None:
    desk = Desk()
    order = desk.live()
    for _ in range(5):
        desk.now += 10
        desk.seen(order, "absent")
    assert order.state is State.LIVE


def test_order_seen_in_between_makes_absences_count_anew() -> None:
    desk = Desk()
    order = desk.live()
    desk.cancel(order)
    desk.now += 10
    desk.seen(order, "absent")
    desk.seen(order, "live")
    desk.now += 10
    desk.seen(order, "absent")
    assert order.state is State.CANCEL_SENT
    desk.now += 10
    desk.seen(order, "absent")
    assert order.state is State.CANCELLED


@pytest.mark.parametrize(("status", "state"), [("live", "LIVE"), ("matched", "MATCHED"), ("cancelled", "CANCELLED")])
def test_evidence_settles_an_unknown_order(status: Any, state: str) -> None:
    desk = Desk()
    order = desk.sent()
    desk.answer(order, "unknown")
    desk.seen(order, status)
    assert order.state.value == state


# Fills


def test_fill_counts_once_for_each_trade_and_order() -> None:
    desk = Desk()
    one, two = desk.live(), desk.live(tick=44)
    assert [desk.fill(one, 10, "a"), desk.fill(one, 10, "a"), desk.fill(two, 5, "a"), desk.fill(one, 7, "b")] == [
        "booked",
        None,
        "booked",
        "booked",
    ]
    assert (one.filled, two.filled, desk.orders.counts.fills) == (shares(17), shares(5), 3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("matched", "mined", "confirmed"), ["booked", None, "confirmed"]),
        (("confirmed", "mined", "failed"), ["booked", None, None]),
        (("matched", "retrying", "failed", "failed", "confirmed"), ["booked", None, "void", None, None]),
        (("failed", "matched"), [None, None]),
        (("retrying", "confirmed"), ["booked", "confirmed"]),
    ],
)
def test_settlement_goes_one_way(words: tuple[Any, ...], told: list[str | None]) -> None:
    desk = Desk()
    order = desk.live()
    assert [desk.fill(order, 10, "t", word) for word in words] == told


@pytest.mark.parametrize("state", [state for state in State if state is not State.INTENT])
def test_fill_is_applied_in_every_state(state: State) -> None:
    desk = Desk()
    order = desk.live()
    order.state = state
    assert desk.fill(order, 10) == "booked"
    assert order.filled == shares(10)
    assert (order.state in TERMINAL) == (state in TERMINAL)


def test_late_fill_of_an_ended_order_counts() -> None:
    desk = Desk()
    order = desk.live()
    desk.seen(order, "cancelled")
    assert desk.fill(order, 10) == "booked"
    assert (order.state, order.filled) == (State.CANCELLED, shares(10))


def test_fill_beyond_the_size_is_taken_as_told() -> None:
    desk = Desk()
    order = desk.live()
    desk.fill(order, 100.5)
    assert (order.filled, order.remaining, order.state) == (shares(100.5), 0, State.MATCHED)


def test_fill_of_nothing_is_a_contradiction() -> None:
    desk = Desk()
    with pytest.raises(InvariantBroken):
        desk.fill(desk.live(), 0)


def test_strangers_are_counted_and_change_nothing() -> None:
    desk = Desk()
    order = desk.live()
    assert desk.orders.seen(OrderSeen(order_id="other", status="cancelled"), desk.now) is None
    told = FillSeen(trade_id="t", order_id="other", size=shares(1), settlement="matched", unix=0)
    assert desk.orders.filled(told, desk.now) is None
    assert (order.state, desk.orders.counts.foreign) == (State.LIVE, 2)


# What is tied up


def test_open_buys_reserve_cash_and_open_sells_reserve_shares() -> None:
    desk = Desk()
    desk.live(tick=45, size=100)
    desk.sent(tick=44, size=50.01)
    desk.live(side="ask", tick=48, size=20)
    desk.live(side="ask", tick=52, size=30, outcome="NO", order_side="BUY")
    assert desk.orders.reserved_cash() == usd(45 + 22.0044 + 15.6)
    assert desk.orders.reserved_shares(MARKET, "YES") == shares(20)
    assert desk.orders.reserved_shares(MARKET, "NO") == 0


def test_book_shows_only_what_has_landed() -> None:
    desk = Desk()
    desk.live(tick=45, size=100)
    desk.live(tick=45, size=10)
    desk.sent(tick=44)
    desk.answer(desk.sent(tick=43), "unknown")
    assert desk.orders.resting_at(MARKET, "bid") == {45: shares(110)}


def test_changed_orders_are_handed_to_the_journal_once() -> None:
    desk = Desk()
    order = desk.live()
    desk.fill(order, 10)
    orders, fills = desk.orders.take_touched()
    assert (orders, [settlement for _, settlement in fills]) == ([order], ["matched"])
    assert desk.orders.take_touched() == ([], [])
    desk.fill(order, 10, settlement="confirmed")
    assert [settlement for _, settlement in desk.orders.take_touched()[1]] == ["confirmed"]


words = st.lists(
    st.tuples(
        st.sampled_from(["place", "sign", "answer", "cancel", "gone", "cancelled", "fill", "void", "seen", "chase"]),
        st.integers(0, 5),
        st.integers(1, 6),
    ),
    max_size=60,
)


@laws(200)
@given(words)
def test_whatever_is_told_nothing_is_lost_or_counted_twice(steps: list[tuple[str, int, int]]) -> None:
    """Exposure is the sum over the orders that may fill, and the fills of an order are the sum of what was told."""
    desk, placed, told = Desk(), list[Order](), dict[tuple[str, str], int]()
    for kind, which, number in steps:
        order = placed[which % len(placed)] if placed else None
        if kind == "place" or order is None:
            placed.append(desk.place(tick=40 + number, size=10))
        elif kind == "sign" and order.state is State.INTENT:
            desk.orders.signed(OrderSigned(intent=order.intent, order_id=f"id-{order.intent}"), desk.now)
        elif not order.order_id:
            continue
        elif kind == "answer":
            desk.answer(order, ("live", "matched", "delayed", "refused", "unknown", "denied")[number - 1])
        elif kind == "cancel":
            desk.cancel(order)
        elif kind in ("gone", "cancelled"):
            desk.orders.cancel_answered(CancelAnswered(order_id=order.order_id, outcome=kind), desk.now)  # type: ignore[arg-type]
        elif kind == "fill":
            told.setdefault((f"t{number}", order.order_id), shares(number))
            desk.fill(order, number, f"t{number}")
        elif kind == "void":
            desk.fill(order, number, f"t{number}", "failed") if (f"t{number}", order.order_id) in told else None
        elif kind == "seen":
            desk.seen(order, ("live", "matched", "cancelled", "absent")[number % 4])
        else:
            desk.chase(float(number))
    at_risk = desk.orders.at_risk(MARKET)
    assert set(at_risk) == {order for order in placed if order.at_risk}
    assert {order for order in placed if order.state in AT_RISK} <= set(at_risk)
    for order in placed:
        assert order.filled == sum(size for (_, key), size in told.items() if key == order.order_id)
    grid = CENTS[MARKET]
    assert desk.orders.reserved_cash() == sum(grid.notional(order.price, order.remaining) for order in at_risk)
