"""The console's view says what the engine knows, and building it changes nothing."""

import msgspec

from core.events import OrderAnswered
from core.orders.order import State
from core.viewing import LEVELS_SHOWN, Stage, console_view
from core.views import ConsoleView
from tests.builders import Driver, VenueBook, a_market, usd


def view_of(driver: Driver, seq: int = 1) -> ConsoleView:
    return console_view(driver.engine, Stage(seq, "paper", driver.now, driver.unix, 1.5, "", ()))


def test_view_before_anything_is_known_has_no_numbers_it_cannot_know() -> None:
    view = view_of(Driver(VenueBook()))
    (market,) = view.markets
    assert (market.fair, market.book_age_s, market.last_price, market.quoting) == (None, None, None, False)
    assert market.blocked_by == "market feed is down"
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
