"""Events in, actions out: what is quoted when, and what every act of the operator does."""

from typing import Any

import msgspec
import pytest

from core.actions import Cancel, CancelAll, Finding, Kill, Note, Place, ReadBooks
from core.errors import MalformedMessage
from core.events import (
    CancelAnswered,
    FeedChanged,
    FillSeen,
    InstrumentAdded,
    MarketMessage,
    OrderAnswered,
    OrderSeen,
    StopRequested,
    Woken,
)
from core.orders.order import State
from core.units import MICRO
from core.viewing import Stage, console_view, market_view
from tests.builders import (
    DAY,
    MARKET,
    NO,
    YES,
    Driver,
    VenueBook,
    a_market,
    cancelled,
    kinds,
    notes,
    placed,
    shares,
    usd,
)


def blocked(driver: Driver) -> str:
    return market_view(driver.engine, driver.desk, driver.now, driver.unix).blocked_by


def assert_quoting(driver: Driver) -> None:
    assert {order.side for order in driver.orders(State.LIVE)} == {"bid", "ask"}, blocked(driver)


def assert_pulled(driver: Driver) -> None:
    assert driver.orders()
    assert all(order.state is State.CANCEL_SENT for order in driver.orders())


# What must be known before anything is placed


def test_nothing_is_placed_before_account_and_book_are_known() -> None:
    book = VenueBook()
    driver = Driver(book)
    driver.rest_answers = False
    driver.feeds()
    driver.pass_time(3)
    assert blocked(driver) == "account is not known yet"
    driver.account()
    driver.pass_time(3)
    assert blocked(driver) == "book empty: waiting for the first book"
    assert not placed(driver.actions)
    driver.send(book.book())
    driver.pass_time(2)
    assert {place.side for place in placed(driver.actions)} == {"bid", "ask"}


@pytest.mark.parametrize("feed", ["market", "user"])
def test_nothing_is_placed_while_a_feed_is_down(feed: Any) -> None:
    book = VenueBook()
    driver = Driver(book)
    driver.send(FeedChanged(feed="user" if feed == "market" else "market", connected=True))
    driver.account()
    driver.send(book.book())
    driver.pass_time(3)
    assert not placed(driver.actions)
    assert blocked(driver) == f"{feed} feed is down"


def test_account_is_told_once() -> None:
    driver = Driver(VenueBook()).quoting()
    before = driver.engine.books.cash
    assert driver.account(cash=1) == []
    assert driver.engine.books.cash == before


def test_book_without_a_fair_value_is_not_quoted() -> None:
    book = VenueBook()
    book.bids = {10: 100}
    driver = Driver(book).quoting()
    assert not placed(driver.actions)
    assert blocked(driver) == "no fair value: the spread is too wide"


# When orders are pulled


def test_book_that_becomes_suspect_is_pulled_and_asked_for_in_the_same_step() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    live = {order.order_id for order in driver.orders(State.LIVE)}
    book.set("bid", 30, 11)
    driver.send(book.set("bid", 31, 11))
    actions = driver.send(book.set("bid", 32, 11))
    assert {action.order_id for action in actions if isinstance(action, Cancel)} == live
    assert [a.tokens for a in actions if isinstance(a, ReadBooks)] == [(YES, NO)]
    assert driver.desk.tracked.state == "RESYNCING"
    driver.answer_cancels()
    driver.send(book.book())
    driver.pass_time(2)
    driver.answer()
    assert_quoting(driver)


@pytest.mark.parametrize("feed", ["market", "user"])
def test_feed_that_goes_down_pulls_at_once(feed: Any) -> None:
    driver = Driver(VenueBook()).quoting()
    driver.send(FeedChanged(feed=feed, connected=False, detail="reset"))
    assert_pulled(driver)
    assert driver.engine.tally.reconnects == 1
    driver.answer_cancels()
    assert placed(driver.pass_time(5)) == []


def test_market_feed_that_comes_back_waits_for_a_new_book() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.feeds(up=False)
    driver.answer_cancels()
    driver.feeds()
    assert placed(driver.pass_time(3)) == []
    driver.send(book.book())
    driver.pass_time(2)
    driver.answer()
    assert_quoting(driver)


def test_silent_feed_pulls_after_stale_sec() -> None:
    driver = Driver(VenueBook(), stale_sec=4.0, audit_sec=0.0).quoting()
    driver.pass_time(1.5, alive=False)
    assert driver.orders(State.LIVE)
    driver.pass_time(4.0, alive=False)
    assert_pulled(driver)
    assert blocked(driver).startswith("feed silent for")


def test_market_that_resolves_is_pulled_for_good() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.send(MarketMessage(event_type="market_resolved", market=MARKET, winning_outcome="Yes"))
    assert_pulled(driver)
    driver.answer_cancels()
    assert placed(driver.pass_time(5)) == []
    assert blocked(driver) == "resolved"


def test_lease_that_ran_out_costs_an_order_its_place() -> None:
    """An engine that stalled for longer than the lease does not trust what it left in the book."""
    driver = Driver(VenueBook(), order_max_age_sec=5.0).quoting()
    live = {order.order_id for order in driver.orders(State.LIVE)}
    driver.desk.touch_due()
    driver.now += 6.0
    driver.feeds()
    actions = driver.send(Woken(driver.unix))
    assert {a.order_id for a in actions if isinstance(a, Cancel) and a.reason == "unvalidated"} == live


def test_order_confirmed_on_fresh_data_keeps_its_place_for_ever() -> None:
    driver = Driver(VenueBook(), order_max_age_sec=3.0).quoting()
    before = {order.order_id for order in driver.orders(State.LIVE)}
    assert cancelled(driver.pass_time(60)) == []
    assert {order.order_id for order in driver.orders(State.LIVE)} == before


# Tick change


def test_tick_change_pulls_and_quotes_again_on_the_new_grid() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    actions = driver.send(book.retick("0.001"))
    assert [a.tokens for a in actions if isinstance(a, ReadBooks)] == [(YES, NO)]
    assert_pulled(driver)
    driver.answer_cancels()
    driver.send(book.book())
    fresh = placed(driver.pass_time(2))
    assert {place.side for place in fresh} == {"bid", "ask"}
    assert any(place.price % 10 for place in fresh), "some price lies between the old ticks"
    assert driver.send(book.retick("0.001")) == []


def test_fill_after_a_tick_change_is_booked_at_the_dollars_of_its_order() -> None:
    """Tick numbers change their meaning with the grid; an order filled late was still placed for its own price."""
    book = VenueBook()
    driver = Driver(book).quoting()
    order = next(o for o in driver.orders() if o.side == "bid")
    price, cash = driver.desk.instrument.grid.dollars(order.yes_price), driver.engine.books.cash
    driver.send(book.retick("0.001"))
    told = driver.fill(order, 10)
    spent = (cash - driver.engine.books.cash) / MICRO
    assert spent == pytest.approx(10 * price)
    assert f"{price * 100:g}c" in notes(told)


def test_fill_before_a_tick_change_can_be_taken_back_after_it() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    order, cash = driver.orders()[0], driver.engine.books.cash
    driver.fill(order, 10, trade="t")
    driver.send(book.retick("0.001"))
    driver.fill(order, 10, "failed", "t")
    assert (driver.engine.books.cash, driver.desk.inventory.net) == (cash, 0)


def test_orders_at_risk_reserve_the_same_cash_after_a_tick_change() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()

    def reserved() -> int:
        return driver.engine.orders.reserved_cash()

    before = reserved()
    driver.send(book.retick("0.001"))
    assert reserved() == before
    shown = market_view(driver.engine, driver.desk, driver.now, driver.unix)
    assert all(0.3 < order.price / shown.grid_k < 0.6 for order in shown.orders)


def test_book_on_another_tick_starts_the_new_grid_by_itself() -> None:
    """A tick change told while the channel was down must not lock the market out for ever."""
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.feeds(up=False)
    driver.answer_cancels()
    book.retick("0.001")
    driver.feeds()
    driver.send(book.book())
    driver.pass_time(2)
    driver.answer()
    assert driver.desk.instrument.tick_text == "0.001"
    assert_quoting(driver)


def test_spoiled_book_on_another_tick_changes_nothing() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    spoiled = book.book(tick_size="0.02")
    with pytest.raises(MalformedMessage):
        driver.send(spoiled)
    assert driver.desk.instrument.tick_text == "0.01"
    assert_quoting(driver)


# The operator


def test_paused_market_is_pulled_and_comes_back_when_resumed() -> None:
    driver = Driver(VenueBook()).quoting()
    count = len(driver.orders())
    assert notes(driver.command("pause")) == f"paused, cancelling {count} orders"
    assert_pulled(driver)
    driver.answer_cancels()
    assert placed(driver.pass_time(3)) == []
    assert blocked(driver) == "paused: by test"
    driver.command("resume")
    driver.pass_time(2)
    driver.answer()
    assert_quoting(driver)


def test_widening_moves_quotes_outwards_and_tightening_back() -> None:
    driver = Driver(VenueBook(), base_size_usd=50.0, max_size_usd=200.0).quoting()

    def half() -> float:
        driver.pass_time(2)
        driver.answer_cancels()
        driver.pass_time(2)
        driver.answer()
        return market_view(driver.engine, driver.desk, driver.now, driver.unix).half_spread or 0.0

    plain = half()
    driver.command("widen")
    driver.command("widen")
    assert half() == pytest.approx(plain + 0.02)
    driver.command("tighten")
    assert half() == pytest.approx(plain + 0.01)
    for _ in range(50):
        driver.command("widen")
    assert driver.desk.stance.adjustments.at(driver.now).widen_ticks == 20


def test_cancel_market_cancels_its_orders_only() -> None:
    other = VenueBook(a_market(market="0x" + "cd" * 32, yes="3" * 77, no="4" * 77))
    driver = Driver(VenueBook(), other).quoting()
    for order in driver.orders(State.SENDING, market=other.instrument.market):
        driver.send(OrderAnswered(intent=order.intent, outcome="live"))
    mine = {order.order_id for order in driver.orders()}
    actions = driver.command("cancel_market")
    assert {a.order_id for a in actions if isinstance(a, Cancel)} == mine
    assert not any(isinstance(a, CancelAll) for a in actions)
    assert driver.orders(State.LIVE, market=other.instrument.market)


@pytest.mark.parametrize("act", ["pause_all", "cancel_all", "kill"])
def test_acts_on_everything_cancel_everything_at_once(act: Any) -> None:
    driver = Driver(VenueBook()).quoting()
    actions = driver.command(act)
    account_wide = any(isinstance(action, CancelAll) for action in actions)
    assert account_wide == (act in ("cancel_all", "kill")), "only these touch what somebody else has open"
    assert_pulled(driver)


def test_all_paused_means_nothing_is_placed_until_all_resume() -> None:
    driver = Driver(VenueBook()).quoting()
    driver.command("pause_all")
    driver.answer_cancels()
    driver.command("resume")
    assert "resumed; still all markets paused: by test" in notes(driver.actions[-1:])
    assert placed(driver.pass_time(3)) == []
    driver.command("resume_all")
    driver.pass_time(2)
    driver.answer()
    assert_quoting(driver)


def test_market_paused_by_itself_stays_paused_when_all_resume() -> None:
    driver = Driver(VenueBook()).quoting()
    driver.command("pause")
    driver.command("pause_all")
    driver.answer_cancels()
    driver.command("resume_all")
    assert placed(driver.pass_time(3)) == []


def test_kill_latches_first_and_nothing_undoes_it() -> None:
    driver = Driver(VenueBook()).quoting()
    assert kinds(driver.command("kill"))[:2] == ["Kill", "CancelAll"]
    driver.answer_cancels()
    for act in ("resume_all", "resume", "pause_all", "reduce_all", "flatten", "widen", "cancel_all", "resume_all"):
        assert not any(isinstance(a, Kill) for a in driver.command(act))
        assert driver.engine.is_killed
    assert placed(driver.pass_time(5)) == []
    assert blocked(driver) == "killed: by test"


def test_order_under_way_when_all_is_cancelled_is_cancelled_when_it_lands() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    sending = driver.orders(State.SENDING)
    assert sending
    driver.command("pause_all")
    assert driver.orders(State.SENDING) == sending, "a cancel cannot reach an order that has not landed"
    told = [driver.send(OrderAnswered(intent=order.intent, outcome="live")) for order in sending]
    assert all(kinds(actions) == ["Cancel"] for actions in told)


def test_order_of_unknown_outcome_that_turns_out_to_live_is_cancelled_if_that_was_wished() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    sending = driver.orders(State.SENDING)
    driver.command("cancel_all")
    for order in sending:
        driver.send(OrderAnswered(intent=order.intent, outcome="unknown"))
        driver.send(OrderSeen(order_id=order.order_id, status="live"))
    driver.pass_time(1.2)
    assert all(order.state is State.CANCEL_SENT for order in sending)


def test_act_on_a_market_that_is_not_ours_is_refused_in_words() -> None:
    driver = Driver(VenueBook()).quoting()
    assert notes(driver.command("pause", "0xfeed")) == "pause: no such market"


def test_stopping_cancels_everything_and_places_nothing_more() -> None:
    driver = Driver(VenueBook()).quoting()
    assert "CancelAll" not in kinds(driver.send(StopRequested("asked"))), "what somebody else has open stays"
    assert_pulled(driver)
    driver.answer_cancels()
    driver.command("resume_all")
    assert placed(driver.pass_time(5)) == []
    assert blocked(driver) == "stopping"


# Flatten


def test_flattening_works_the_position_off_at_the_touch_and_then_pauses() -> None:
    driver = Driver(VenueBook()).quoting(yes=1000)
    assert "selling 1000 YES" in notes(driver.flatten())
    driver.answer_cancels()
    driver.pass_time(2)
    (order,) = driver.orders(State.SENDING)
    assert (order.side, order.yes_price, order.remaining) == ("ask", 46, shares(1000))
    driver.answer()
    driver.fill(order)
    driver.pass_time(2)
    assert driver.desk.inventory.net == 0
    assert blocked(driver) == "paused: flattened; nothing left, by test"
    assert not driver.orders()


def test_flat_market_has_nothing_to_flatten() -> None:
    driver = Driver(VenueBook()).quoting()
    assert notes(driver.flatten()) == "flatten: nothing to flatten"
    assert_quoting(driver)


def test_flattening_works_through_a_pause_and_not_through_a_kill() -> None:
    """An operator asks for it, so only what forbids every order keeps it from working."""
    driver = Driver(VenueBook()).quoting(yes=1000)
    driver.command("pause_all")
    driver.answer_cancels()
    driver.flatten()
    assert {place.side for place in placed(driver.pass_time(1))} == {"ask"}
    driver.answer()
    driver.command("kill")
    driver.answer_cancels()
    assert placed(driver.pass_time(3)) == []


# Fills and positions


def test_fill_changes_position_and_cash_and_is_final_when_confirmed() -> None:
    driver = Driver(VenueBook()).quoting()
    bid = next(order for order in driver.orders() if order.side == "bid")
    cash = driver.engine.books.cash
    driver.fill(bid, 10, trade="t")
    held = driver.desk.position
    assert (held.inventory.net, held.provisional, held.settled_yes) == (shares(10), shares(10), 0)
    assert cash - driver.engine.books.cash == usd(10 * bid.price / 100)
    driver.fill(bid, 10, "mined", "t")
    driver.fill(bid, 10, "confirmed", "t")
    driver.fill(bid, 10, "confirmed", "t")
    held = driver.desk.position
    assert (held.inventory.net, held.provisional, held.settled_yes) == (shares(10), 0, shares(10))


def test_failed_trade_is_taken_back_once_and_raises_an_alarm() -> None:
    driver = Driver(VenueBook()).quoting()
    bid, cash = next(o for o in driver.orders() if o.side == "bid"), driver.engine.books.cash
    driver.fill(bid, 10, trade="t")
    actions = driver.fill(bid, 10, "failed", "t")
    assert "taken back" in notes(actions) and actions[0].severity == "alarm"  # type: ignore[union-attr]
    assert driver.fill(bid, 10, "failed", "t") == []
    assert (driver.engine.books.cash, driver.desk.inventory.net, driver.desk.position.provisional) == (cash, 0, 0)


def test_failed_trade_takes_back_its_own_purchase_and_not_one_that_was_sold_since() -> None:
    """The same size at the same price was bought, sold, and bought again; only the last purchase failed."""
    driver = Driver(VenueBook()).quoting()
    bid = next(o for o in driver.orders() if o.side == "bid" and o.layer == 0)
    driver.fill(bid, 50, trade="first")
    driver.fill(bid, 50, "confirmed", "first")
    driver.pass_time(3)
    driver.answer_cancels()
    driver.pass_time(3)
    driver.answer()
    ask = next(o for o in driver.orders() if o.order_side == "SELL" and o.outcome == "YES")
    driver.fill(ask, 50, "confirmed", "sale")
    driver.fill(bid, 50, trade="second")
    driver.fill(bid, 50, "failed", "second")
    assert (driver.desk.inventory.yes, driver.desk.inventory.net) == (0, 0)


@pytest.mark.parametrize(("owned", "told"), [(True, ["Finding"]), (False, [])])
def test_fill_of_an_order_that_is_not_ours_changes_nothing(owned: bool, told: list[str]) -> None:
    """A stranger's is nobody's business; somebody else's on our account is told, once, and never counted as ours."""
    driver = Driver(VenueBook()).quoting()
    other = FillSeen("t", "0xother", shares(5), "matched", 0.0, owned=owned)
    assert kinds(driver.send(other)) == told
    assert driver.send(other) == []
    assert driver.desk.inventory.net == 0


def test_opening_holdings_are_valued_but_are_no_profit() -> None:
    driver = Driver(VenueBook()).quoting(yes=300, no=100)
    view = console_view(driver.engine, Stage(1, "demo", driver.now, driver.unix, 0.0, "", ()))
    assert (view.pnl.total, view.cash) == (0, usd(50_000))
    assert view.markets[0].inventory.pairs == shares(100)
    assert view.equity == usd(50_000 + 100 + 200 * 0.45)


def test_only_settled_shares_are_sold() -> None:
    driver = Driver(VenueBook(), order_layers=1).quoting()
    bid = driver.orders()[0]
    driver.fill(bid, settlement="matched", trade="t")
    driver.command("cancel_market")
    driver.answer_cancels()
    driver.pass_time(4)
    driver.answer()
    assert not any(order.order_side == "SELL" for order in driver.orders())
    driver.fill(bid, bid.size / MICRO, "confirmed", "t")
    driver.command("cancel_market")
    driver.answer_cancels()
    driver.pass_time(4)
    assert any(order.order_side == "SELL" and order.outcome == "YES" for order in driver.orders())


# Risk over all markets


def losing(driver: Driver, mid: int) -> None:
    """The market moves to another mid and stays there."""
    book = driver.books[0]
    moved = VenueBook(book.instrument, mid=mid, ms=book.ms + 1000)
    book.bids, book.asks, book.ms = moved.bids, moved.asks, moved.ms
    driver.send(book.book())


def test_daily_loss_latches_after_two_marks_and_allows_only_reducing() -> None:
    driver = Driver(VenueBook()).quoting(yes=6000)
    losing(driver, 30)
    actions = driver.pass_time(3)
    assert "daily loss limit" in notes(actions)
    assert_pulled(driver)
    driver.answer_cancels()
    driver.pass_time(34)  # such a jump is an event: quotes come back after half a minute
    driver.answer()
    assert {order.side for order in driver.orders()} == {"ask"}
    net = driver.desk.inventory.net
    assert sum(order.remaining for order in driver.orders()) <= net


def test_one_absurd_mark_does_not_latch() -> None:
    driver = Driver(VenueBook()).quoting(yes=6000)
    losing(driver, 30)
    driver.pass_time(0.5)
    losing(driver, 46)
    assert "daily loss limit" not in notes(driver.pass_time(5))
    assert not driver.engine.account.is_latched


def test_loss_latch_opens_with_the_next_utc_day() -> None:
    driver = Driver(VenueBook()).quoting(yes=6000)
    losing(driver, 30)
    driver.pass_time(3)
    assert driver.engine.account.is_latched
    driver.unix_offset += DAY
    assert "a new day" in notes(driver.pass_time(2))
    assert not driver.engine.account.is_latched


def test_bankroll_falls_within_a_day_and_never_rises() -> None:
    driver = Driver(VenueBook()).quoting(yes=1000)
    start = driver.engine.account.bankroll
    losing(driver, 40)
    driver.pass_time(3)
    low = driver.engine.account.bankroll
    losing(driver, 60)
    driver.pass_time(3)
    assert start and low and driver.engine.account.bankroll == low < start


def test_wall_clock_that_steps_back_over_midnight_does_not_raise_the_bankroll() -> None:
    driver = Driver(VenueBook()).quoting(yes=1000)
    losing(driver, 40)
    driver.pass_time(3)
    low = driver.engine.account.bankroll
    losing(driver, 60)
    driver.unix_offset -= DAY
    driver.pass_time(3)
    assert driver.engine.account.bankroll == low


def test_assigned_bankroll_bounds_sizes() -> None:
    whole, part = (Driver(VenueBook(), **over).quoting() for over in ({}, {"bankroll_usd": 5000.0}))
    largest = [max(order.size for order in driver.orders()) for driver in (whole, part)]
    assert largest[1] < largest[0] / 5
    assert part.engine.account.bankroll == usd(5000)


def test_equity_is_marked_at_others_prices_and_not_at_our_own() -> None:
    """Our own bid is no price at which our shares could be sold."""
    book = VenueBook()
    book.bids = {40: 500}
    driver = Driver(book, own_in_book=True).quoting(yes=300)
    ours = max(o.yes_price for o in driver.orders(State.LIVE) if o.side == "bid")
    assert ours > 40
    size = sum(o.remaining for o in driver.orders() if o.side == "bid" and o.yes_price == ours)
    driver.send(book.set("bid", ours, size // MICRO))
    driver.pass_time(2)
    assert driver.engine.account.equity == usd(50_000 + 300 * 0.40)


def test_gross_cap_holds_over_all_markets() -> None:
    second = VenueBook(a_market(market="0x" + "cd" * 32, yes="3" * 77, no="4" * 77))
    driver = Driver(VenueBook(), second, gross_cap=0.05).quoting()
    for order in driver.orders(State.SENDING, market=second.instrument.market):
        driver.send(OrderAnswered(intent=order.intent, outcome="live"))
    driver.pass_time(5)
    worst = sum(desk.worst_exposure for desk in driver.engine.desks.values())
    assert 0 < worst <= 0.05 * 50_000 * MICRO + 2
    assert worst > 0.03 * 50_000 * MICRO, "a single market would not have met this cap"


def test_position_whose_fair_value_is_unknown_counts_at_its_most_in_the_gross_cap() -> None:
    silent = VenueBook(a_market(market="0x" + "cd" * 32, yes="3" * 77, no="4" * 77))
    driver = Driver(silent, VenueBook(), gross_cap=0.05)
    driver.rest_answers = False
    driver.feeds()
    driver.send(silent.book())
    driver.account(yes=3000)
    driver.send(driver.books[1].book())
    driver.send(silent.retick("0.001"))
    driver.pass_time(2)
    assert driver.engine.desks[silent.instrument.market].worst_exposure == usd(3000)
    assert not placed(driver.actions), "3,000 dollars may be lost and 2,500 are allowed"


# Orders of unknown outcome


def test_unknown_order_keeps_its_exposure_and_closes_its_market_in_time() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    lost, *rest = driver.orders(State.SENDING)
    driver.send(OrderAnswered(intent=lost.intent, outcome="unknown", detail="timeout"))
    for order in rest:
        driver.send(OrderAnswered(intent=order.intent, outcome="live"))
    driver.pass_time(20)
    assert lost in driver.orders()
    assert not [o for o in driver.orders() if (o.side, o.layer) == (lost.side, lost.layer) and o is not lost]
    driver.pass_time(15)
    assert blocked(driver).startswith("an order could not be cancelled"), "its cancels by its id alone are spent"
    driver.answer_cancels("unknown")
    driver.pass_time(60)
    assert blocked(driver).startswith("an order could not be cancelled"), "pulling it is no evidence"
    assert lost in driver.orders()


def test_unknown_order_that_is_proven_absent_is_released_and_replaced() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    lost = driver.orders(State.SENDING)[0]
    driver.send(OrderAnswered(intent=lost.intent, outcome="unknown"))
    for _ in range(5):
        driver.pass_time(2)
        driver.send(OrderSeen(order_id=lost.order_id, status="absent", asked_s=driver.now))
    assert lost.state is State.UNKNOWN, "the lists have not been read"
    driver.read_account()
    assert lost.state is State.NOT_PLACED
    driver.pass_time(2)
    assert [o for o in driver.orders() if (o.side, o.layer) == (lost.side, lost.layer)]


@pytest.mark.parametrize("late", ["refused", "denied", "live", "matched"])
def test_answer_that_comes_after_the_deadline_is_still_an_answer(late: Any) -> None:
    """A slow disk or transport may answer an order that was given up as unknown; the session must survive it."""
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    order = driver.orders(State.SENDING)[0]
    driver.pass_time(25)
    assert order.state in (State.UNKNOWN, State.CANCEL_SENT)
    driver.send(OrderAnswered(intent=order.intent, outcome=late))
    assert (order in driver.orders()) == (late in ("live", "matched"))


@pytest.mark.parametrize(
    ("refusal", "blocked_by", "told"),
    [
        ("configuration", "cancel-only: the venue takes none of our orders: words", 1),
        ("account", "cancel-only: the venue takes none of our orders: words", 1),
        ("closed_only", "bid: reduce only; ask: reduce only", 1),
        ("market", "quarantined: the venue takes no orders here: words", 1),
        ("crossed", "", 0),
    ],
)
def test_refusal_that_concerns_more_than_its_order_is_heeded_once(refusal: Any, blocked_by: str, told: int) -> None:
    """Whatever would refuse every further order too must not be tried with each of them, nor told for each."""
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    answers = [
        action
        for order in driver.orders(State.SENDING)
        for action in driver.send(
            OrderAnswered(intent=order.intent, outcome="refused", detail="words", refusal=refusal)
        )
    ]
    alarms = [one for one in answers if isinstance(one, (Note, Finding)) and one.severity == "alarm"]
    assert len(alarms) == told
    driver.pass_time(2)
    assert blocked(driver) == blocked_by
    assert (driver.engine.controls.of_all().state == "REDUCE_ONLY") == (refusal == "closed_only")


def test_refusal_of_an_order_that_is_known_to_live_is_not_believed() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    order = driver.orders(State.SENDING)[0]
    driver.send(OrderSeen(order_id=order.order_id, status="live"))
    driver.send(OrderAnswered(intent=order.intent, outcome="refused", detail="Duplicated"))
    assert order.state is State.LIVE


@pytest.mark.parametrize("status", ["matched", "cancelled"])
def test_ended_order_stays_at_risk_until_the_fills_the_venue_speaks_of_are_told(status: Any) -> None:
    """An order's message may overtake its trade's: what is matched and not booked yet must not free any room."""
    driver = Driver(VenueBook(), order_layers=1, quote_debounce_ms=0).quoting()
    bid = next(order for order in driver.orders() if order.side == "bid")
    driver.send(OrderSeen(order_id=bid.order_id, status=status, matched=bid.size))
    assert bid.remaining == bid.size
    assert not [place for place in placed(driver.pass_time(3)) if place.side == "bid"]
    driver.fill(bid, bid.size / MICRO)
    assert (driver.desk.inventory.net, bid in driver.orders(), bid.remaining) == (bid.size, False, 0)


def test_fills_that_are_owed_for_long_close_the_market_in_words() -> None:
    driver = Driver(VenueBook()).quoting()
    bid = next(order for order in driver.orders() if order.side == "bid")
    driver.send(OrderSeen(order_id=bid.order_id, status="cancelled", matched=shares(7)))
    driver.pass_time(35)
    assert blocked(driver).startswith("an order's outcome is unknown")
    driver.fill(bid, 7)
    driver.answer_cancels()
    driver.pass_time(2)
    driver.answer()
    assert_quoting(driver)


def test_cancelled_order_that_was_matched_in_part_is_at_risk_again_when_that_is_told() -> None:
    driver = Driver(VenueBook()).quoting()
    bid = next(order for order in driver.orders() if order.side == "bid")
    driver.command("cancel_market")
    driver.answer_cancels()
    assert bid not in driver.orders()
    driver.send(OrderSeen(order_id=bid.order_id, status="cancelled", matched=shares(7)))
    assert (bid in driver.orders(), bid.remaining) == (True, shares(7))
    driver.fill(bid, 7)
    assert bid not in driver.orders()


# Own orders in the book


@pytest.mark.parametrize("own_in_book", [True, False])
def test_own_orders_are_taken_out_of_the_touch_only_where_the_book_shows_them(own_in_book: bool) -> None:
    book = VenueBook()
    driver = Driver(book, own_in_book=own_in_book, order_layers=1).quoting()
    bid = next(order for order in driver.orders(State.LIVE) if order.side == "bid")
    driver.send(book.set("bid", bid.yes_price, book.bids.get(bid.yes_price, 0) + bid.remaining // MICRO))
    others = driver.desk.others_at("bid", bid.yes_price)
    shown = driver.desk.tracked.book.size_at("bid", bid.yes_price)
    assert others == (shown - bid.remaining if own_in_book else shown)


# What does not concern us


def test_malformed_message_changes_a_counter_and_nothing_else() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()

    def seen() -> Any:
        view = market_view(driver.engine, driver.desk, driver.now, driver.unix)
        return view, driver.engine.tally.messages, driver.engine.next_wake(), driver.desk.wake_at()

    before = seen()
    change = book.set("bid", 45, 1)
    assert change.price_changes
    spoiled = tuple(msgspec.structs.replace(c, price="1.4501") for c in change.price_changes)
    for message in (
        msgspec.structs.replace(change, price_changes=spoiled),
        book.book(bids=book.book().asks),
        MarketMessage(event_type="last_trade_price", market=MARKET, asset_id=YES, price="nan", size="5"),
        MarketMessage(event_type="last_trade_price", market=MARKET, asset_id="9", price="0.4", size="5"),
        MarketMessage(event_type="tick_size_change", market=MARKET, new_tick_size="0.3"),
    ):
        with pytest.raises(MalformedMessage):
            driver.send(message)
    assert seen() == before


def test_messages_of_other_markets_and_unknown_types_are_counted() -> None:
    driver = Driver(VenueBook()).quoting()
    for kind, market in (("book", "0xother"), ("price_change", ""), ("aurora", MARKET), ("new_market", "")):
        assert driver.send(MarketMessage(event_type=kind, market=market)) == []
    assert (driver.engine.tally.foreign, driver.engine.tally.unknown_types) == (2, 1)


def test_market_added_twice_is_one_market() -> None:
    driver = Driver(VenueBook()).quoting()
    desk = driver.desk
    driver.send(InstrumentAdded(a_market(tick="0.001")))
    assert driver.desk is desk
    assert driver.send(CancelAnswered(order_id="0xother", outcome="cancelled")) == []


def test_trades_of_both_tokens_are_read_in_the_yes_frame() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.send(book.trade("0.47", outcome="YES", side="BUY"))
    assert (driver.desk.tape.last.price, driver.desk.tape.last.taker_buys_yes) == (47, True)
    driver.send(book.trade("0.55", outcome="NO", side="BUY"))
    assert (driver.desk.tape.last.price, driver.desk.tape.last.taker_buys_yes) == (45, False)
    assert driver.desk.tape.per_minute(driver.now) == 2
    assert driver.desk.tape.per_minute(driver.now + 61) == 0


def test_last_trade_is_shown_for_its_own_price_after_a_tick_change() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.send(book.trade("0.47"))
    driver.send(book.retick("0.001"))
    view = market_view(driver.engine, driver.desk, driver.now, driver.unix)
    assert view.last_price is None or view.last_price / view.grid_k == pytest.approx(0.47)


def test_every_placement_is_tagged_with_what_it_is_for() -> None:
    driver = Driver(VenueBook()).quoting()
    for place in placed(driver.actions):
        order = driver.engine.orders.by_intent(place.intent)
        assert isinstance(place, Place) and place.reason and place.token in (YES, NO)
        assert (order.yes_price if order.outcome == "YES" else 100 - order.yes_price) == place.price
