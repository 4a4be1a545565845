"""Orders by intent and by id: answers, cancels, doubt, fills, and what they tie up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import Cancel, ReadOrder
from core.errors import InvariantBroken
from core.events import (
    CancelAnswered,
    FillSeen,
    KnownFill,
    KnownOrder,
    ListedOrder,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    Recovered,
    Taken,
)
from core.market.fees import FeeSchedule, taker_fee
from core.orders import manager
from core.orders.doubts import CANCEL_RETRY_SEC, MOST_CANCELS, QUICK_READS, READ_SEC, SLOW_READ_SEC
from core.orders.evidence import RECENT_GUARD_SEC
from core.orders.manager import CANCEL_HOLD_SEC, SENDING_DEADLINE_SEC, TRADES_LATE_SEC, OrderManager
from core.orders.order import AT_RISK, TERMINAL, Order, State
from core.units import Shares, Ticks, Usd, grid_of
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
        told = OrderSeen(order_id=order.order_id, status=status, matched=matched, asked_s=self.now)
        self.orders.seen(told, self.now)

    def absent(self, order: Order, times: int = 2) -> None:
        """Reads by id that find nothing, each late enough after the last."""
        for _ in range(times):
            self.now += RECENT_GUARD_SEC
            self.seen(order, "absent")

    def listed(self, *rows: Order, complete: bool = True, asked_s: float | None = None) -> None:
        shown = tuple([ListedOrder(order_id=row.order_id, size=row.size, matched=row.filled) for row in rows])
        asked = self.now if asked_s is None else asked_s
        self.orders.listed(OpenOrdersRead(asked_s=asked, orders=shown, complete=complete), self.now)

    def traded(self, covers_s: float = 0.0) -> list[Order]:
        return self.orders.traded(self.now, covers_s, self.now)

    def fill(self, order: Order, size: float, trade: str = "t", settlement: Any = "matched") -> str | None:
        told = FillSeen(
            trade_id=trade, order_id=order.order_id, size=shares(size), settlement=settlement, unix=self.now
        )
        booked = self.orders.filled(told, self.now)
        return None if booked is None else booked[1]

    def cancel(self, order: Order) -> list[Cancel]:
        return self.orders.cancel(order, "test", self.now)

    def chase(self, seconds: float, is_out: bool = False) -> list[Any]:
        self.now += seconds
        return self.orders.chase(self.now, is_out=is_out, is_deaf=False)


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


def test_cancel_is_repeated_with_growing_pauses_until_it_is_answered_and_stays_overdue() -> None:
    desk = Desk()
    order = desk.live()
    assert len(desk.cancel(order)) == 1
    assert desk.cancel(order) == [], "not twice within the retry time"
    since = order.since_s
    for pause in CANCEL_RETRY_SEC:
        early = [action for action in desk.chase(pause - 0.1) if isinstance(action, Cancel)]
        assert early == []
        again = desk.chase(0.1)
        assert Cancel(order_id="id-1", market=MARKET, reason="test") in again
    assert order.since_s == since, "repeating does not make the wait look short"


def test_cancels_that_come_to_nothing_end_and_the_order_is_only_read() -> None:
    """A loop of cancels would last for ever when the venue answers each with the same word (2.2, X14)."""
    desk = Desk()
    order = desk.live()
    sent = desk.cancel(order)
    for _ in range(200):
        for action in desk.chase(1.0):
            if isinstance(action, Cancel):
                sent.append(action)
                desk.orders.cancel_answered(CancelAnswered(order_id="id-1", outcome="refused"), desk.now)
    assert len(sent) == MOST_CANCELS
    assert (order.state, order.remaining) == (State.CANCEL_SENT, shares(100)), "still counted in full"
    assert any(isinstance(action, ReadOrder) for action in desk.chase(SLOW_READ_SEC))


def test_nothing_is_cancelled_or_read_while_the_venue_is_out_and_all_of_it_afterwards() -> None:
    desk = Desk()
    unknown, leaving = desk.sent(), desk.live(tick=44)
    desk.answer(unknown, "unknown")
    desk.cancel(leaving)
    assert desk.chase(60.0, is_out=True) == []
    desk.orders.venue_was_out(desk.now)
    assert {type(action) for action in desk.chase(0.0)} == {Cancel, ReadOrder}


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
        desk.seen(order, "cancelled", Shares(0))
    assert (order.state, desk.orders.counts.cancelled, desk.orders.at_risk(MARKET)) == (State.CANCELLED, 1, [])
    assert desk.cancel(order) == []


# Doubt


def test_unknown_order_is_cancelled_and_read_again_and_again_later_more_slowly() -> None:
    desk = Desk()
    order = desk.sent()
    desk.answer(order, "unknown")
    cancel, read = Cancel(order_id="id-1", market=MARKET, reason="outcome unknown"), ReadOrder(order_id="id-1")
    told = []
    for number in range(QUICK_READS):
        told += desk.chase(READ_SEC if number else 0.0)
        assert desk.chase(0.0) == []
    assert told == [cancel, read] * MOST_CANCELS + [read] * (QUICK_READS - MOST_CANCELS)
    assert desk.chase(SLOW_READ_SEC - 0.1) == []
    assert desk.chase(0.1) == [read]
    assert order.state is State.UNKNOWN, "time proves nothing"


def test_unknown_order_needs_two_absences_and_then_a_list_and_the_trades() -> None:
    """A read that raced the order, two answers to one question, or lists of before prove nothing (4.3)."""
    desk = Desk()
    order = desk.sent()
    desk.answer(order, "unknown")
    for _ in range(5):
        desk.seen(order, "absent")
        desk.listed()
        desk.traded()
    desk.now += RECENT_GUARD_SEC
    for _ in range(5):
        desk.seen(order, "absent")
        desk.listed()
        desk.traded()
    assert order.state is State.UNKNOWN
    desk.now += READ_SEC
    before = desk.now - 0.1
    desk.seen(order, "absent")
    assert desk.orders.doubts.wants_lists()
    desk.orders.listed(OpenOrdersRead(asked_s=before, complete=True), desk.now)
    desk.orders.traded(before, 0.0, desk.now)
    desk.listed(complete=False)
    desk.orders.traded(desk.now, order.created_s + 0.1, desk.now)
    assert order.state is State.UNKNOWN, "lists asked for before the last read, incomplete ones, trades of later on"
    desk.listed()
    assert order.state is State.UNKNOWN
    desk.traded()
    assert (order.state, desk.orders.at_risk(MARKET)) == (State.NOT_PLACED, [])
    assert not desk.orders.doubts.wants_lists()


def test_absence_of_an_order_known_to_rest_is_asked_for_by_nobody_and_ends_nothing() -> None:
    desk = Desk()
    order = desk.live()
    desk.absent(order, 5)
    desk.traded()
    assert order.state is State.LIVE
    assert desk.chase(60.0) == []


def test_order_that_a_complete_list_lacks_is_looked_for_and_ends_cancelled() -> None:
    """The venue dropped it without a word (reliability.md 2.2, X02, X15)."""
    desk = Desk()
    order = desk.live()
    desk.fill(order, 30)
    desk.now += RECENT_GUARD_SEC
    desk.listed(complete=False)
    assert desk.chase(READ_SEC) == [], "an incomplete list proves nothing (I-36)"
    desk.listed()
    assert desk.chase(0.0) == [ReadOrder(order_id="id-1")]
    desk.absent(order)
    desk.listed()
    desk.traded()
    assert (order.state, order.filled, desk.orders.at_risk(MARKET)) == (State.CANCELLED, shares(30), [])


def test_list_that_was_asked_for_just_after_the_order_came_says_nothing_of_it() -> None:
    desk = Desk()
    order = desk.live()
    desk.now += RECENT_GUARD_SEC - 0.1
    desk.listed()
    desk.now += 60.0
    assert (desk.chase(0.0), order.state) == ([], State.LIVE)


def test_listed_order_rests_and_what_is_matched_of_it_is_owed() -> None:
    desk = Desk()
    order = desk.sent()
    desk.answer(order, "unknown")
    row = ListedOrder(order_id="id-1", size=shares(100), matched=shares(40))
    desk.orders.listed(OpenOrdersRead(asked_s=desk.now, orders=(row,)), desk.now)
    assert (order.state, order.owed, order.in_doubt_since) == (State.PARTIAL, shares(40), None)


def test_order_seen_in_between_makes_absences_count_anew() -> None:
    desk = Desk()
    order = desk.live()
    desk.cancel(order)
    desk.orders.cancel_answered(CancelAnswered(order_id="id-1", outcome="gone"), desk.now)
    desk.absent(order, 1)
    desk.seen(order, "live")
    desk.orders.cancel_answered(CancelAnswered(order_id="id-1", outcome="gone"), desk.now)
    desk.absent(order, 1)
    desk.listed()
    desk.traded()
    assert order.state is State.CANCEL_SENT
    desk.absent(order, 1)
    desk.listed()
    desk.traded()
    assert order.state is State.CANCELLED


def test_outage_makes_everything_doubtful_and_what_was_found_before_worthless() -> None:
    """Reads before and during an outage prove nothing (reliability.md 4.3 d)."""
    desk = Desk()
    live, unknown, sending = desk.live(), desk.sent(tick=44), desk.sent(tick=43)
    desk.answer(unknown, "unknown")
    desk.absent(unknown)
    desk.orders.venue_was_out(desk.now)
    assert set(desk.orders.unproven()) == {live, unknown}, "what is still being sent has an answer to come"
    desk.listed()
    desk.traded()
    assert (live.state, unknown.state, sending.state) == (State.LIVE, State.UNKNOWN, State.SENDING)
    desk.seen(live, "live")
    assert desk.orders.unproven() == [unknown]
    desk.absent(unknown)
    desk.listed(live)
    desk.traded()
    assert (live.state, unknown.state) == (State.LIVE, State.NOT_PLACED)


def test_order_of_unknown_outcome_that_has_filled_was_placed() -> None:
    desk = Desk()
    order = desk.sent()
    desk.fill(order, 30)
    desk.answer(order, "unknown")
    desk.absent(order)
    desk.listed()
    desk.traded()
    assert (order.state, order.filled) == (State.CANCELLED, shares(30))


def ended(desk: Desk, how: str) -> Order:
    order = desk.sent()
    desk.answer(order, "refused" if how == "REJECTED" else "unknown" if how == "NOT_PLACED" else "live")
    if how == "NOT_PLACED":
        desk.absent(order)
        desk.listed()
        desk.traded()
    elif how == "CANCELLED":
        desk.fill(order, 30)
        desk.seen(order, "cancelled", shares(30))
    elif how == "MATCHED":
        desk.seen(order, "matched")
    assert order.state.value == how
    return order


@pytest.mark.parametrize("how", ["NOT_PLACED", "REJECTED", "CANCELLED", "MATCHED"])
@pytest.mark.parametrize("is_read", [True, False])
def test_order_that_the_venue_shows_after_its_end_counts_again_and_is_to_be_cancelled(how: str, is_read: bool) -> None:
    """A request that was held up may be carried out after every proof; what rests at the venue has to be counted."""
    desk = Desk()
    order = ended(desk, how)
    left = order.size - order.filled
    desk.now += RECENT_GUARD_SEC
    if is_read:
        desk.seen(order, "live")
    else:
        desk.listed(order, complete=False)
    assert order.state in (State.LIVE, State.PARTIAL)
    assert (order.remaining, desk.orders.at_risk(MARKET)) == (left, [order])
    assert desk.orders.reserved_cash() == order.usd * left // 10**6
    assert (order.cancel_wanted, len(desk.cancel(order))) == ("thought to be over", 1)
    desk.seen(order, "cancelled", order.filled)
    assert (order.state, desk.orders.at_risk(MARKET)) == (State.CANCELLED, [])


@pytest.mark.parametrize("how", ["NOT_PLACED", "CANCELLED"])
def test_late_word_of_before_the_end_revives_nothing(how: str) -> None:
    desk = Desk()
    order = ended(desk, how)
    before = desk.now + RECENT_GUARD_SEC - 0.1
    desk.now += 60.0
    desk.orders.seen(OrderSeen(order_id=order.order_id, status="live", asked_s=before), desk.now)
    desk.listed(order, asked_s=before)
    assert order.state.value == how
    desk.orders.seen(OrderSeen(order_id=order.order_id, status="live"), desk.now)
    assert (order.state is State.LIVE) == (how == "NOT_PLACED"), (
        "the user channel repeats itself, but it invents nothing"
    )


def test_order_filled_whole_is_revived_by_nothing() -> None:
    desk = Desk()
    order = desk.live()
    desk.fill(order, 100)
    desk.now += 60.0
    desk.listed(order)
    desk.seen(order, "live")
    assert order.state is State.MATCHED


def test_delayed_order_that_nothing_is_heard_of_is_asked_for() -> None:
    desk = Desk()
    order = desk.sent()
    desk.answer(order, "delayed")
    assert desk.chase(READ_SEC) == [ReadOrder(order_id="id-1")]
    desk.absent(order)
    desk.listed()
    desk.traded()
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
        (("matched", "matched", "mined", "confirmed"), ["booked", None, "moved", "confirmed"]),
        (("confirmed", "mined", "failed"), ["booked", None, "contradicted"]),
        (
            ("matched", "retrying", "failed", "failed", "mined", "confirmed"),
            ["booked", "moved", "void", None, None, "contradicted"],
        ),
        (("failed", "matched"), [None, None]),
        (("retrying", "confirmed"), ["booked", "confirmed"]),
        (("mined", "matched", "retrying", "mined", "matched"), ["booked", None, "moved", "moved", None]),
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
    if state in TERMINAL and state is not State.MATCHED:
        assert order.state is state, "nothing leaves its end"


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


def test_what_changes_is_handed_to_the_journal_once_and_again_when_it_could_not_be_written() -> None:
    desk = Desk()
    order = desk.live()
    desk.fill(order, 10)
    touched = desk.orders.take_touched()
    assert (touched.orders, [fill.word.settlement for fill in touched.fills]) == ([order], ["matched"])
    assert [step.state for step in touched.states] == ["INTENT", "SENDING", "LIVE", "PARTIAL"]
    assert [word.settlement for _, word in touched.steps] == ["matched"]
    empty = desk.orders.take_touched()
    assert (empty.orders, empty.states, empty.fills, empty.steps) == ([], [], [], [])
    desk.orders.put_back(touched)
    desk.fill(order, 10, settlement="confirmed")
    again = desk.orders.take_touched()
    assert again.orders == [order]
    assert [word.settlement for _, word in again.steps] == ["matched", "confirmed"]
    assert [fill.word.settlement for fill in again.fills] == ["confirmed"], "one row of its latest settlement"


# Ends


def test_matched_order_is_done_when_its_last_trade_is_final() -> None:
    desk = Desk()
    order = desk.live()
    desk.fill(order, 60, "a")
    desk.fill(order, 40, "b")
    assert order.state is State.MATCHED
    desk.fill(order, 60, "a", "confirmed")
    assert order.state is State.MATCHED
    desk.fill(order, 40, "b", "failed")
    assert (order.state, order.filled) == (State.DONE, shares(100)), "a failed trade consumed the order all the same"


def test_matched_order_whose_fills_nobody_tells_is_over_once_the_trades_are_known() -> None:
    """The venue's word on a size is worth less than its trades (4.4); the order is done all the same."""
    desk = Desk()
    order = desk.live()
    desk.seen(order, "matched")
    assert (order.state, order.remaining) == (State.MATCHED, shares(100))
    desk.now += TRADES_LATE_SEC - 0.1
    assert desk.traded() == [] and order.remaining == shares(100), "its trades may be listed late"
    desk.now += 0.1
    assert desk.traded(covers_s=order.created_s + 1) == [] and order.remaining == shares(100)
    assert desk.traded() == [order]
    assert (order.state, order.remaining, desk.orders.at_risk(MARKET)) == (State.DONE, 0, [])


def test_word_matched_with_less_than_the_whole_size_does_not_end_an_order() -> None:
    """``filled < size`` can never be all of it (reliability.md 2.2, X16)."""
    desk = Desk()
    order = desk.live()
    desk.seen(order, "matched", shares(40))
    assert order.state not in TERMINAL
    assert (order.remaining, order.owed) == (shares(100), shares(40))


@pytest.mark.parametrize("is_answer", [True, False])
def test_end_without_a_word_on_sizes_frees_nothing_for_a_second(is_answer: bool) -> None:
    """A bare answer to a cancel, or a cancel of the venue with an empty ``size_matched`` (polymarket-api.md 6.1)."""
    desk = Desk()
    order = desk.live()
    desk.cancel(order)
    if is_answer:
        desk.orders.cancel_answered(CancelAnswered(order_id="id-1", outcome="cancelled"), desk.now)
    desk.seen(order, "cancelled")
    assert (order.state, desk.orders.reserved_cash()) == (State.CANCELLED, usd(45))
    desk.fill(order, 30)
    assert desk.orders.reserved_cash() == usd(0.45 * 70)
    desk.chase(CANCEL_HOLD_SEC)
    assert (desk.orders.reserved_cash(), desk.orders.at_risk(MARKET)) == (0, [])


def test_ended_orders_are_forgotten_when_their_trades_are_known_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often they came back to life: told late of more that is matched, filled late."""
    monkeypatch.setattr(manager, "KEPT_TERMINAL", 2)
    desk = Desk()
    ended = [desk.live() for _ in range(6)]
    for order in ended:
        desk.seen(order, "cancelled", Shares(0))
        desk.seen(order, "cancelled", shares(40))
        desk.fill(order, 40, "late", "confirmed")
        desk.fill(order, 10, "later", "confirmed")
    desk.now += 60.0
    assert all(desk.orders.find(order.order_id) for order in ended), "trades of their time are not known yet"
    desk.now += TRADES_LATE_SEC
    desk.traded()
    assert [desk.orders.find(order.order_id) is not None for order in ended] == [False] * 4 + [True] * 2
    assert [desk.fill(order, 40, "late", "confirmed") for order in ended] == [None] * 6, "their fills are no news"


def test_order_of_unknown_outcome_has_no_cancels_left_and_is_cancelled_by_the_plan_without_another() -> None:
    """Five by its id are all it gets, until the venue shows it."""
    desk = Desk()
    order = desk.sent()
    desk.answer(order, "unknown")
    for _ in range(QUICK_READS):
        desk.chase(READ_SEC)
    assert (desk.cancel(order), order.state) == ([], State.CANCEL_SENT)
    assert not any(isinstance(action, Cancel) for action in desk.chase(60.0))
    shown = desk.sent()
    desk.answer(shown, "unknown")
    for _ in range(QUICK_READS):
        desk.chase(READ_SEC)
    desk.seen(shown, "live")
    assert len(desk.cancel(shown)) == 1


# Start with a journal


def known(intent: int = 7, state: str = "LIVE", **over: Any) -> KnownOrder:
    row: dict[str, Any] = {
        "intent": intent,
        "order_id": f"id-{intent}",
        "market": MARKET,
        "token": "1" * 77,
        "outcome": "YES",
        "order_side": "BUY",
        "tick_text": "0.01",
        "usd": usd(0.45),
        "size": shares(100),
        "filled": Shares(0),
        "matched": Shares(0),
        "side": "bid",
        "layer": 1,
        "state": state,
        "reason": "test",
        "created_unix": 900.0,
    }
    return KnownOrder(**(row | over))


@pytest.mark.parametrize(
    ("before", "after"),
    [("INTENT", "DENIED"), ("SENDING", "UNKNOWN"), ("CANCELLED", "CANCELLED")]
    + [(state, state) for state in ("LIVE", "PARTIAL", "DELAYED", "UNKNOWN", "CANCEL_SENT")],
)
def test_what_may_be_at_the_venue_after_a_restart_counts_and_has_to_be_shown(before: str, after: str) -> None:
    desk = Desk()
    desk.orders.recover(Recovered(orders=(known(state=before),), next_intent=8), desk.now, 1_000.0, {})
    order = desk.orders.by_intent(7)
    is_open = after not in ("DENIED", "CANCELLED")
    assert (order.state.value, order.at_risk, order in desk.orders.unproven()) == (after, is_open, is_open)
    assert (order.price, order.remaining, order.created_s) == (45, shares(100) if is_open else 0, 0.0)
    assert desk.orders.reserved_cash() == (usd(45) if is_open else 0)
    assert desk.place().intent == 8, "no intent is used twice"


def test_fills_of_before_are_no_news_after_a_restart_and_may_still_fail() -> None:
    desk = Desk()
    told = FillSeen(trade_id="t", order_id="id-7", size=shares(40), settlement="mined", unix=950.0)
    row = known(state="PARTIAL", filled=shares(40), matched=shares(40))
    desk.orders.recover(Recovered(orders=(row,), fills=(KnownFill(told, 7),), next_intent=8), desk.now, 1_000.0, {})
    order = desk.orders.by_intent(7)
    assert [desk.fill(order, 40, settlement="matched"), order.filled] == [None, shares(40)]
    assert desk.fill(order, 40, settlement="failed") == "void"
    assert desk.orders.counts.filled == 0, "what an earlier session counted is not taken off here"


def test_fill_of_a_part_does_not_show_that_the_rest_is_still_there() -> None:
    """It may have matched long ago: an order whose cancel's answer was lost has trades to be read, and is gone."""
    desk = Desk()
    desk.orders.recover(Recovered(orders=(known(state="LIVE"),), next_intent=8), desk.now, 1_000.0, {})
    order = desk.orders.by_intent(7)
    desk.fill(order, 40)
    assert (order.state, desk.orders.unproven()) == (State.PARTIAL, [order])
    desk.absent(order)
    desk.fill(order, 10, trade="u")
    desk.listed()
    desk.traded()
    assert order.state is State.PARTIAL, "what was found before a fill was told says nothing after it"
    desk.absent(order)
    desk.listed()
    desk.traded()
    assert (order.state, order.filled, desk.orders.unproven()) == (State.CANCELLED, shares(50), [])


def test_fill_of_a_part_is_no_doubt_of_its_own() -> None:
    """An order that was shown and fills in part rests; one in doubt that is shown afterwards does too."""
    desk = Desk()
    shown, doubted = desk.live(), desk.live(tick=44)
    desk.fill(shown, 40)
    assert desk.orders.unproven() == []
    desk.orders.doubts.begin(doubted, desk.now)
    desk.fill(doubted, 40)
    desk.listed(shown, doubted)
    assert desk.orders.unproven() == []


def test_price_off_the_grid_of_its_row_is_kept_to_the_dollar() -> None:
    """The tick may have changed after the order was placed, and the row has the tick of then."""
    desk = Desk()
    desk.orders.recover(Recovered(orders=(known(usd=usd(0.455)),), next_intent=8), desk.now, 1_000.0, {})
    order = desk.orders.by_intent(7)
    assert (order.usd, order.reserves) == (usd(0.455), usd(45.5))


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


# Orders that cross


def a_crossing(desk: Desk, size: float = 100) -> Order:
    return desk.sent(side="ask", size=size, crosses=True, flattens=True)


def answer(desk: Desk, order: Order, **over: Any) -> None:
    desk.orders.answered(OrderAnswered(intent=order.intent, **over), desk.now)


def test_order_that_crosses_is_over_with_its_answer_and_owes_its_fills() -> None:
    """A part was taken: the rest is gone, and what was taken stays at risk until its fills are told."""
    desk = Desk()
    order = a_crossing(desk)
    answer(desk, order, outcome="matched", matched=shares(40))
    assert (order.state, order.remaining) == (State.CANCELLED, shares(40))
    desk.orders.filled(FillSeen("t", order.order_id, shares(40), "matched", 0.0), desk.now)
    assert not order.at_risk and desk.orders.at_risk(MARKET) == []


def test_order_that_crosses_and_matched_whole_is_matched() -> None:
    desk = Desk()
    order = a_crossing(desk)
    desk.orders.filled(FillSeen("t", order.order_id, shares(100), "confirmed", 0.0), desk.now)
    answer(desk, order, outcome="matched", matched=shares(100))
    assert not order.at_risk


@pytest.mark.parametrize("matched", [None, Shares(0), shares(100.01)])
def test_answer_without_a_size_that_can_be_is_looked_up(matched: Shares | None) -> None:
    """Whole or in part nobody knows: it is asked for by its id, and its end ends it."""
    desk = Desk()
    order = a_crossing(desk)
    answer(desk, order, outcome="matched", matched=matched)
    assert (order.state, order.remaining) == (State.DELAYED, shares(100))
    desk.now += READ_SEC
    assert any(isinstance(one, ReadOrder) for one in desk.orders.chase(desk.now, is_out=False, is_deaf=False))
    desk.orders.seen(OrderSeen(order_id=order.order_id, status="live", matched=Shares(0)), desk.now)
    assert order.state is State.DELAYED, "it never rests, so this is no news"
    desk.orders.seen(OrderSeen(order_id=order.order_id, status="matched", matched=shares(30)), desk.now)
    assert (order.state, order.remaining) == (State.CANCELLED, shares(30))


def test_order_that_crosses_is_in_no_book() -> None:
    """A fill before its answer leaves it open for a moment; the book of others is not lessened by it."""
    desk = Desk()
    order = a_crossing(desk)
    answer(desk, order, outcome="delayed")
    desk.orders.filled(FillSeen("t", order.order_id, shares(30), "matched", 0.0), desk.now)
    assert order.state is State.PARTIAL and desk.orders.resting_at(MARKET, "ask") == {}
    desk.now += READ_SEC
    assert any(isinstance(one, ReadOrder) for one in desk.orders.chase(desk.now, is_out=False, is_deaf=False))
    desk.orders.seen(OrderSeen(order_id=order.order_id, status="cancelled", matched=shares(30)), desk.now)
    assert not order.at_risk


def test_order_that_missed_is_no_reject() -> None:
    desk = Desk()
    order = a_crossing(desk)
    answer(desk, order, outcome="refused", refusal="missed")
    assert order.state is State.REJECTED and desk.orders.counts.rejects == 0 and desk.orders.last_reject_s is None


@laws(100)
@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 50_000_000)), min_size=1, max_size=9))
def test_takers_fill_is_worth_what_was_paid_less_the_fees(parts: list[tuple[int, int]]) -> None:
    """Size times price, and what that leaves, are the dollars that were paid; each maker's part has its own fee."""
    desk, fees = Desk(), FeeSchedule(rate=70_000)
    size = Shares(sum(one for _, one in parts))
    order = a_crossing(desk, 5_000)
    taken = tuple(Taken(usd(tick / 100), Shares(one), Usd(one * tick // 100)) for tick, one in parts)
    told = desk.orders.filled(FillSeen("t", order.order_id, size, "matched", 0.0, taken=taken), desk.now, fees)
    assert told is not None
    fill, cash = told[0], sum(part.cash for part in taken)
    assert abs(fill.usd * size + fill.rest * 10**6 - cash * 10**6) <= 10**6 // 2 and 0 <= fill.rest <= size // 10**6 + 1
    assert fill.takes and fill.fee == sum(taker_fee(part.price, part.size, fees) for part in taken)
