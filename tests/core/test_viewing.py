"""The console's view says what the engine knows, and building it changes nothing."""

import msgspec
import pytest

from core.events import OperatorCommand, OrderAnswered
from core.orders.order import State
from core.viewing import LEVELS_SHOWN, Stage, console_view
from core.views import ConsoleView
from tests.builders import Driver, VenueBook, a_market, usd


def view_of(driver: Driver, seq: int = 1) -> ConsoleView:
    return console_view(driver.engine, Stage(seq, "paper", driver.now, driver.unix, 1.5, "", ()))


def test_view_before_anything_is_known_has_no_numbers_it_cannot_know() -> None:
    view = view_of(Driver(VenueBook()))
    (market,) = view.markets
    assert (market.fair, market.last_price, market.quoting) == (None, None, False)
    data = market.data
    assert (data.state, data.age_s, data.proven_s, data.usual_gap_s, data.recovery_s) == (
        "EMPTY",
        None,
        None,
        None,
        None,
    )
    assert market.blocked_by == "user feed is down"
    assert [feed.age_s for feed in view.feeds] == [None, None]


def test_orders_are_listed_best_first_and_counted_by_what_is_known_of_them() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    count = len(driver.orders(State.SENDING))
    assert (view_of(driver).in_flight, view_of(driver).open_orders) == (count, count)
    lost, *rest = driver.orders(State.SENDING)
    driver.send(OrderAnswered(intent=lost.intent, outcome="unknown"))
    for order in rest:
        driver.send(OrderAnswered(intent=order.intent, outcome="live"))
    view = view_of(driver)
    assert (view.unknown_orders, view.in_flight, view.open_orders) == (1, 0, count)
    bids = [order.price for order in view.markets[0].orders if order.side == "bid"]
    asks = [order.price for order in view.markets[0].orders if order.side == "ask"]
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks)
    assert view.open_notional == sum(round(o.price * 10_000 * o.remaining / 10**6) for o in driver.orders())


def test_totals_are_the_sums_of_what_the_markets_show() -> None:
    other = VenueBook(a_market(market="0x" + "cd" * 32, yes="3" * 77, no="4" * 77))
    driver = Driver(VenueBook(), other).quoting(yes=300)
    bid = next(order for order in driver.orders() if order.side == "bid")
    driver.fill(bid, 50)
    driver.pass_time(3)
    view = view_of(driver)
    for name in ("realised", "unrealised", "total", "fills", "bought", "sold"):
        assert getattr(view.pnl, name) == sum(getattr(market.pnl, name) for market in view.markets)
    assert view.gross_exposure == sum(market.inventory.exposure for market in view.markets)
    assert view.cash == usd(50_000 - 50 * bid.price / 100)


def test_looking_changes_nothing() -> None:
    one, two = Driver(VenueBook()).quoting(), Driver(VenueBook()).quoting()
    for _ in range(5):
        view_of(one)
    assert one.pass_time(20) == two.pass_time(20)
    assert msgspec.json.encode(view_of(one)) == msgspec.json.encode(view_of(two))


def test_deep_book_is_shown_as_far_as_a_console_can_use_it() -> None:
    driver = Driver(VenueBook(a_market("0.001"), mid=500, depth=200)).quoting()
    (market,) = view_of(driver).markets
    assert (len(market.bids), len(market.asks)) == (LEVELS_SHOWN, LEVELS_SHOWN)
    assert market.bids[0].price == 499


def test_a_proven_book_says_when_and_how_it_was_proven() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.pass_time(1)
    driver.send(book.set("bid", 44, 7))
    driver.now += 0.25
    data = view_of(driver).markets[0].data
    assert (data.state, data.freshness, data.freshness_reason, data.reason, data.repair) == (
        "SYNCED",
        "live",
        "",
        "",
        "",
    )
    assert (data.age_s, data.proven_s, data.doubt_s, data.check_every) == (0.25, 0.25, None, 1)
    assert 0 < data.hash_agreed == data.hash_checked and data.book_seq == 1 and data.gaps == 0
    assert data.since_s > 1 and data.usual_gap_s is not None


def test_a_lost_book_says_why_for_how_long_and_what_is_done() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.rest_answers = False
    book.set("bid", 30, 11)
    driver.send(book.set("bid", 31, 11))
    driver.now += 0.1
    doubtful = view_of(driver).markets[0]
    assert doubtful.data.doubt_s == pytest.approx(0.1) and "hash" in doubtful.data.doubt
    assert (doubtful.quoting, doubtful.blocked_by) == (True, ""), "a moment's doubt pulls nothing and is no news"
    driver.pass_time(0.8)
    market = view_of(driver).markets[0]
    assert (market.data.state, market.data.repair) == ("RESYNCING", "asking for a fresh book, try 1")
    assert market.data.reason and market.data.reason in market.blocked_by and not market.quoting
    assert 0 < market.data.since_s < 0.8 and market.data.gaps == 1


def test_a_recovery_tells_how_long_it_took() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    book.set("bid", 30, 11)
    driver.send(book.set("bid", 31, 11))
    driver.pass_time(4)
    data = view_of(driver).markets[0].data
    assert (data.state, data.repair) == ("SYNCED", "")
    assert data.recovery_s is not None and 0 < data.recovery_s < 3


def test_a_quiet_book_was_proven_when_rest_was_asked() -> None:
    driver = Driver(VenueBook()).quoting()
    driver.pass_time(60)
    data = view_of(driver).markets[0].data
    assert data.freshness == "quiet" and data.audits > 10
    assert data.age_s is not None and data.age_s > 59 and data.proven_s is not None and data.proven_s < 5


def test_books_that_cannot_be_proven_by_hash_and_samples_are_told() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.engine.data.proof.every = 3
    view = view_of(driver)
    assert (view.hash_every, view.markets[0].data.check_every) == (3, 3)
    driver.desk.tracked.distrust_hashes(driver.now)
    assert view_of(driver).markets[0].data.check_every == 0


def test_the_rate_of_messages_is_that_of_the_last_second() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    assert view_of(driver).messages_per_s < 10
    driver.pass_time(2)
    for size in range(1, 41):
        driver.send(book.set("bid", 44, size))
    driver.pass_time(1)
    assert 20 < view_of(driver).messages_per_s <= 41


def test_sockets_come_from_the_session() -> None:
    driver = Driver(VenueBook()).quoting()
    stage = Stage(1, "live", driver.now, driver.unix, 0.0, "", (), sockets_up=2, sockets=3)
    feeds = {feed.name: (feed.sockets_up, feed.sockets) for feed in console_view(driver.engine, stage).feeds}
    assert feeds == {"market": (2, 3), "user": (1, 1)}


def watching(driver: Driver, market: str) -> ConsoleView:
    """The view of somebody who looks at a market."""
    return console_view(driver.engine, Stage(1, "demo", driver.now, driver.unix, 0.0, "", (), watched=market))


def test_only_the_market_that_is_looked_at_carries_its_details() -> None:
    """They cost several times as much as all the rest of a view."""
    other = VenueBook(a_market(market="0x" + "cd" * 32, yes="3" * 77, no="4" * 77))
    driver = Driver(VenueBook(), other).quoting()
    one, two = watching(driver, other.instrument.market).markets
    assert (one.detailed, one.layers, one.markouts) == (False, (), ())
    assert two.detailed and two.layers and two.markouts
    assert not any(market.detailed for market in view_of(driver).markets)


def test_layers_of_the_view_add_up_to_what_stands_in_the_book() -> None:
    driver = Driver(VenueBook()).quoting()
    (market,) = watching(driver, driver.desk.market).markets
    placed = [layer for layer in market.layers if layer.size]
    assert {(layer.side, layer.layer, layer.ticks) for layer in placed} == {
        (order.side, order.layer, order.price) for order in market.orders
    }
    for layer in placed:
        assert layer.ticks is not None
        assert sum(amount for _, amount in layer.price_terms) == layer.ticks * 10**9
        assert sum(amount for _, amount in layer.size_terms) == layer.size
        assert layer.binding and not layer.forbidden


def test_adjustments_are_shown_with_what_is_left_of_them() -> None:
    driver = Driver(VenueBook()).quoting()
    market = driver.desk.market
    driver.send(OperatorCommand(act="widen", market=market, amount=4.0, half_life_s=10.0, for_s=60.0))
    driver.send(OperatorCommand(act="one_side", market=market, sides="ask"))
    driver.pass_time(10)
    view = view_of(driver).markets[0]
    widened, one_side = view.adjustments
    assert widened.amount == pytest.approx(2.0) == view.widen_ticks
    assert (widened.left_s, one_side.left_s, one_side.sides) == (50.0, None, "ask")
    assert view.bid_reason and not view.ask_reason
    driver.pass_time(51)
    assert [each.what for each in view_of(driver).markets[0].adjustments] == ["one_side"]


def test_fills_are_marked_out_and_cancels_counted_by_them() -> None:
    driver = Driver(VenueBook()).quoting()
    market = driver.desk.market
    assert view_of(driver).cancels_per_1000 is None and view_of(driver).markets[0].cancels_per_1000 is None
    driver.fill(driver.orders()[0], 50)
    driver.pass_time(6)
    view = watching(driver, market)
    at = {(row.side, row.layer, row.horizon_s): row for row in view.markets[0].markouts}
    assert at["all", None, 1.0].fills == at["all", None, 5.0].fills == 1
    assert (at["all", None, 300.0].fills, at["all", None, 300.0].pending) == (0, 1)
    assert view.cancels_per_1000 == view.markets[0].cancels_per_1000 is not None


def test_the_schedule_is_told_from_the_first_decision_on() -> None:
    driver = Driver(VenueBook()).quoting()
    regime = view_of(driver).markets[0].regime
    assert (regime.name, regime.spread_factor, regime.time_factor, regime.calendar) == ("normal", 1.0, 1.0, "")
    assert regime.phase in ("open", "unknown")
