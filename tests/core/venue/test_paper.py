"""The paper venue: late answers, post-only, queues, and no share of a trade given twice."""

from typing import Any

import msgspec
import pytest

from core.actions import Place
from core.events import CancelAnswered, Event, FillSeen, MarketMessage, OrderAnswered
from core.market.continuity import TrackedBook
from core.market.fees import FeeSchedule, taker_fee
from core.units import MICRO, Shares, Side, Ticks
from core.venue.paper import ANSWER_SEC, ENTRY_SEC, PaperVenue
from tests.builders import MARKET, NO, YES, VenueBook, shares, usd

ROUND_TRIP = ENTRY_SEC + ANSWER_SEC


class Paper:
    """A venue over one book: bids 45 (200 shares), 44 (400); asks 47 (200), 48 (400)."""

    def __init__(self) -> None:
        self.book = VenueBook()
        self.tracked = TrackedBook(self.book.instrument)
        self.now = 0.0
        self.tracked.apply_book(self.book.book(), self.now)
        self.venue = PaperVenue(lambda _: self.tracked)
        self.intents = 0

    def submit(self, side: Side, tick: int, size: float = 100, on_no: bool = False) -> str:
        self.intents += 1
        price = 100 - tick if on_no else tick
        place = Place(
            intent=self.intents,
            market=MARKET,
            token=NO if on_no else YES,
            order_side="BUY",
            price=Ticks(price),
            price_text=self.tracked.instrument.grid.text(price),
            size=shares(size),
            side=side,
            layer=0,
            reason="test",
        )
        self.venue.submit(place, f"o{self.intents}", self.now)
        return f"o{self.intents}"

    def wait(self, seconds: float) -> list[Event]:
        self.now += seconds
        return self.venue.advance(self.now)

    def see(self, message: MarketMessage) -> list[Event]:
        if message.event_type == "price_change":
            self.tracked.apply_changes(message, self.now)
        elif message.event_type == "book":
            self.tracked.apply_book(message, self.now)
        elif message.event_type == "tick_size_change":
            self.tracked.change_tick(message.new_tick_size, self.now)
        self.venue.see(message, self.now)
        return self.wait(1.0)


def fills(events: list[Event]) -> dict[str, int]:
    """Shares by order, each fill counted once."""
    total: dict[str, int] = {}
    for event in events:
        if isinstance(event, FillSeen) and event.settlement == "matched":
            total[event.order_id] = total.get(event.order_id, 0) + event.size
    return {order: size // MICRO for order, size in total.items()}


def outcomes(events: list[Event]) -> list[Any]:
    return [event.outcome for event in events if isinstance(event, OrderAnswered | CancelAnswered)]


def test_answer_comes_a_round_trip_later_and_not_before() -> None:
    paper = Paper()
    order = paper.submit("bid", 45)
    assert paper.wait(ROUND_TRIP - 0.01) == []
    assert paper.venue.is_open(order)
    assert outcomes(paper.wait(0.02)) == ["live"]
    assert paper.venue.next_due() == float("inf")


@pytest.mark.parametrize(("side", "tick"), [("bid", 47), ("bid", 60), ("ask", 45), ("ask", 1)])
def test_order_that_would_cross_is_refused_and_never_repriced(side: Side, tick: int) -> None:
    paper = Paper()
    paper.submit(side, tick)
    (answer,) = paper.wait(ROUND_TRIP)
    assert isinstance(answer, OrderAnswered) and answer.outcome == "refused" and "crosses book" in answer.detail
    assert paper.venue.open_order_ids() == []


def test_order_crosses_the_book_as_it_is_on_arrival() -> None:
    paper = Paper()
    paper.submit("bid", 46)
    paper.tracked.apply_changes(paper.book.set("ask", 46, 5), paper.now)
    assert outcomes(paper.wait(ROUND_TRIP)) == ["refused"]


def test_order_for_an_unproven_book_or_off_its_grid_is_refused() -> None:
    paper = Paper()
    paper.tracked.lose("test", paper.now)
    paper.submit("bid", 40)
    assert outcomes(paper.wait(ROUND_TRIP)) == ["refused"]
    fine = Paper()
    fine.see(fine.book.retick("0.001"))
    fine.submit("bid", 455)
    coarse = Paper()
    place = Place(1, MARKET, YES, "BUY", Ticks(455), "0.455", shares(10), "bid", 0, "test")
    coarse.venue.submit(place, "o", 0.0)
    assert outcomes(coarse.wait(ROUND_TRIP)) == ["refused"]


def test_trade_fills_only_what_is_left_behind_the_queue() -> None:
    paper = Paper()
    order = paper.submit("bid", 45)
    paper.wait(ROUND_TRIP)
    assert fills(paper.see(paper.book.trade("0.45", "150", side="SELL"))) == {}
    assert fills(paper.see(paper.book.trade("0.45", "80", side="SELL"))) == {order: 30}
    assert fills(paper.see(paper.book.trade("0.45", "500", side="SELL"))) == {order: 70}
    assert paper.venue.open_order_ids() == []


def test_two_orders_of_ours_are_not_both_filled_by_the_same_shares() -> None:
    paper = Paper()
    one, two = paper.submit("bid", 46), paper.submit("bid", 46)
    paper.wait(ROUND_TRIP)
    assert fills(paper.see(paper.book.trade("0.46", "130", side="SELL"))) == {one: 100, two: 30}


def test_trade_in_the_other_token_is_the_same_trade() -> None:
    paper = Paper()
    order = paper.submit("ask", 46, on_no=True)
    paper.wait(ROUND_TRIP)
    assert fills(paper.see(paper.book.trade("0.54", "40", outcome="NO", side="SELL"))) == {order: 40}


def test_price_that_goes_through_ours_fills_the_rest() -> None:
    paper = Paper()
    order = paper.submit("bid", 45)
    paper.wait(ROUND_TRIP)
    assert fills(paper.see(paper.book.trade("0.44", "5", side="SELL"))) == {order: 100}
    crossed = Paper()
    order = crossed.submit("ask", 46)
    crossed.wait(ROUND_TRIP)
    assert fills(crossed.see(crossed.book.set("bid", 46, 10))) == {order: 100}


def test_level_that_shrinks_brings_us_forward_and_one_that_grows_does_not_push_us_back() -> None:
    paper = Paper()
    order = paper.submit("bid", 45)
    paper.wait(ROUND_TRIP)
    paper.see(paper.book.set("bid", 45, 50))
    paper.see(paper.book.set("bid", 45, 900))
    assert fills(paper.see(paper.book.trade("0.45", "60", side="SELL"))) == {order: 10}


def test_cancel_takes_its_time_and_may_come_too_late() -> None:
    paper = Paper()
    order = paper.submit("bid", 46)
    paper.wait(ROUND_TRIP)
    paper.venue.cancel(order, paper.now)
    paper.venue.see(paper.book.trade("0.46", "500", side="SELL"), paper.now)
    events = paper.wait(1.0)
    assert fills(events) == {order: 100}
    assert outcomes(events) == ["gone"]
    assert isinstance(events[-1], CancelAnswered), "the fill is told before the cancel's answer"


def test_cancelled_order_is_filled_no_more() -> None:
    paper = Paper()
    order = paper.submit("bid", 46)
    paper.wait(ROUND_TRIP)
    paper.venue.cancel(order, paper.now)
    assert outcomes(paper.wait(1.0)) == ["cancelled"]
    assert fills(paper.see(paper.book.trade("0.40", "500", side="SELL"))) == {}
    seen = paper.venue.order_seen(order, paper.now)
    assert (seen.status, seen.matched, seen.asked_s) == ("cancelled", 0, paper.now)
    assert paper.venue.order_seen("stranger", paper.now).status == "absent"


def test_every_fill_is_confirmed_once() -> None:
    paper = Paper()
    paper.submit("bid", 46)
    paper.wait(ROUND_TRIP)
    events = paper.see(paper.book.trade("0.46", "40", side="SELL"))
    told = [(event.trade_id, event.settlement) for event in events if isinstance(event, FillSeen)]
    assert told == [("paper-1-1", "matched"), ("paper-1-1", "confirmed")]


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_tick_change_does_not_move_an_order_that_rests(side: Side) -> None:
    """45 hundredths are 450 thousandths; read as 45 thousandths an ask would be swept at once."""
    paper = Paper()
    order = paper.submit(side, 46)
    paper.wait(ROUND_TRIP)
    assert paper.see(paper.book.retick("0.001")) == []
    assert fills(paper.see(paper.book.book())) == {}
    price = "0.459" if side == "bid" else "0.461"
    assert fills(paper.see(paper.book.trade(price, "5"))) == {order: 100}


def test_open_orders_are_those_that_rest_or_are_on_their_way() -> None:
    paper = Paper()
    one = paper.submit("bid", 45)
    paper.wait(ROUND_TRIP)
    two = paper.submit("bid", 44)
    assert sorted(paper.venue.open_order_ids()) == [one, two]
    assert Shares(0) == paper.tracked.book.size_at("bid", Ticks(46))


def test_refusals_say_what_they_are_about() -> None:
    """Crossing is for another price, an unproven book for another time."""
    paper = Paper()
    paper.submit("bid", 60)
    [crossed] = paper.wait(ROUND_TRIP)
    paper.tracked.lose("test", paper.now)
    paper.submit("bid", 40)
    [unproven] = paper.wait(1.0)
    assert isinstance(crossed, OrderAnswered) and isinstance(unproven, OrderAnswered)
    assert (crossed.refusal, unproven.refusal) == ("crossed", "not_ready")
    assert paper.venue.orders_of(MARKET) == []


def test_reads_of_the_account_agree_with_the_fills_told() -> None:
    """40 shares bought at 46 cents and 10 of the other token at 53: cash, holdings, trades and orders say so."""
    paper = Paper()
    one, two = paper.submit("bid", 46), paper.submit("ask", 47, size=10, on_no=True)
    paper.wait(ROUND_TRIP)
    told = paper.see(paper.book.trade("0.46", "40", side="SELL"))
    told += paper.see(paper.book.trade("0.48", "5", side="BUY"))
    venue, now = paper.venue, paper.now
    read = venue.trades_since(0, now)
    confirmed = [event for event in told if isinstance(event, FillSeen) and event.settlement == "confirmed"]
    assert read.complete and [msgspec.structs.replace(fill, source="channel") for fill in read.fills] == confirmed
    assert [(fill.order_id, fill.token, fill.order_side, fill.price, fill.size) for fill in read.fills] == [
        (one, YES, "BUY", "0.46", shares(40)),
        (two, NO, "BUY", "0.53", shares(10)),
    ]
    assert venue.trades_since(round(read.fills[-1].unix) + 1, now).fills == ()
    balances = venue.balances(usd(1_000), [YES, NO, "9"], now)
    assert balances.complete and balances.cash == usd(1_000 - 40 * 0.46 - 10 * 0.53)
    assert balances.holdings == ((YES, shares(40)), (NO, shares(10)), ("9", 0))
    assert venue.positions([YES], now).holdings == ((YES, shares(40)),)
    [order] = venue.open_orders(now).orders
    assert (order.order_id, order.price, order.size, order.matched) == (one, "0.46", shares(100), shares(40))
    assert (venue.order_seen(one, now).status, venue.order_seen(one, now).matched) == ("live", shares(40))
    assert (venue.order_seen(two, now).status, venue.order_seen(two, now).matched) == ("matched", shares(10))


# Scoring


def scoring_paper(**over: Any) -> Paper:
    """45 / 47 and our orders count for a programme of 50 shares within 3.5 cents of 46."""
    paper = Paper()
    terms = {"reward_min_size": shares(50), "reward_max_spread_cents": 3.5, "reward_daily_usd": 20.0} | over
    paper.tracked.instrument = msgspec.structs.replace(paper.tracked.instrument, **terms)
    return paper


def test_flags_follow_age_size_and_distance() -> None:
    paper = scoring_paper()
    near, small, far = paper.submit("bid", 45, 50), paper.submit("bid", 45, 49), paper.submit("ask", 50, 50)
    paper.wait(ENTRY_SEC)
    orders = (near, small, far, "stranger")
    assert paper.venue.scoring(orders, paper.now + 3.9) == tuple((order, False) for order in orders)
    assert [flag for _, flag in paper.venue.scoring(orders, paper.now + 4.0)] == [True, False, False, False]


def test_our_own_orders_move_the_midpoint_as_they_do_at_the_venue() -> None:
    """An ask at 50 is 4 cents from the midpoint of 45 and 47, and 3.5 from that of our bid at 46 and 47."""
    paper = scoring_paper(reward_max_spread_cents=3.6)
    far = paper.submit("ask", 50, 50)
    paper.wait(ENTRY_SEC + 10)
    assert paper.venue.scoring((far,), paper.now) == ((far, False),)
    paper.submit("bid", 46, 50)
    paper.wait(ENTRY_SEC)
    assert paper.venue.scoring((far,), paper.now) == ((far, True),)


def test_nothing_scores_without_a_programme_or_a_proven_book() -> None:
    for over in ({"reward_min_size": None}, {"reward_max_spread_cents": None}):
        paper = scoring_paper(**over)
        near = paper.submit("bid", 45, 50)
        paper.wait(10)
        assert paper.venue.scoring((near,), paper.now) == ((near, False),)
    paper = scoring_paper()
    near = paper.submit("bid", 45, 50)
    paper.wait(10)
    paper.tracked.lose("test", paper.now)
    assert paper.venue.scoring((near,), paper.now) == ((near, False),)


# Orders that cross


def crossing(paper: Paper, tick: int, size: float, token: str = YES) -> str:
    """Sell so much at ``tick`` of the token or better."""
    paper.intents += 1
    place = Place(
        intent=paper.intents,
        market=MARKET,
        token=token,
        order_side="SELL",
        price=Ticks(tick),
        price_text=paper.tracked.instrument.grid.text(tick),
        size=shares(size),
        side="ask" if token == YES else "bid",
        layer=0,
        reason="test",
        crosses=True,
    )
    paper.venue.submit(place, f"o{paper.intents}", paper.now)
    return f"o{paper.intents}"


@pytest.mark.parametrize("token", [YES, NO])
def test_order_that_crosses_takes_the_levels_it_may_and_never_rests(token: str) -> None:
    """200 at 45 and 100 of the 400 at 44; of NO the asks mirrored, 53 and 52. Fees and cash are the account's."""
    paper = Paper()
    paper.tracked.instrument = msgspec.structs.replace(paper.tracked.instrument, fees=FeeSchedule(rate=40_000))
    best = 45 if token == YES else 53
    order = crossing(paper, best - 1, 300, token)
    events = paper.wait(1.0)
    answer = next(event for event in events if isinstance(event, OrderAnswered))
    assert (answer.outcome, answer.matched) == ("matched", shares(300))
    fill = next(event for event in events if isinstance(event, FillSeen))
    assert [(part.price, part.size) for part in fill.taken] == [
        (usd(best / 100), shares(200)),
        (usd((best - 1) / 100), shares(100)),
    ]
    assert not paper.venue.is_open(order) and paper.venue.order_seen(order, 0.0).status == "matched"
    read = paper.venue.balances(usd(100), [token], 0.0)
    fee = sum(taker_fee(part.price, part.size, FeeSchedule(rate=40_000)) for part in fill.taken)
    assert read.cash == usd(100) + sum(part.cash for part in fill.taken) - fee
    assert read.holdings == ((token, -shares(300)),)


def test_order_that_crosses_drops_what_it_does_not_find() -> None:
    """Only 200 rest at 45: the rest of the order is gone, and a second one finds nothing until the feed shows more."""
    paper = Paper()
    order = crossing(paper, 45, 500)
    events = paper.wait(1.0)
    assert fills(events) == {order: 200}
    assert paper.venue.order_seen(order, 0.0).status == "cancelled"
    again = crossing(paper, 45, 500)
    [missed] = paper.wait(1.0)
    assert isinstance(missed, OrderAnswered) and (missed.outcome, missed.refusal) == ("refused", "missed")
    assert not paper.venue.is_open(again)
    paper.see(paper.book.set("bid", 45, 50))
    third = crossing(paper, 45, 500)
    assert fills(paper.wait(1.0)) == {third: 50}
