"""The console's view says what the engine knows, and building it changes nothing."""

import msgspec
import pytest

from core.actions import Finding
from core.events import (
    BudgetSeen,
    FillSeen,
    HeartbeatSeen,
    ListedOrder,
    OpenOrdersRead,
    OperatorCommand,
    OrderAnswered,
    OrderSeen,
    VenueSeen,
)
from core.orders.order import State
from core.risk.budget import SignerBudget
from core.viewing import LEVELS_SHOWN, Stage, budget_view, console_view
from core.views import BudgetView, ConsoleView, HeartbeatView
from tests.builders import MARKET, NO, YES, Driver, VenueBook, a_market, shares, usd


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
    (market,) = watching(driver, driver.desk.market).markets
    assert (len(market.bids), len(market.asks)) == (LEVELS_SHOWN, LEVELS_SHOWN)
    assert market.bids[0].price == 499


def test_a_book_at_which_nobody_looks_is_shown_by_its_touch() -> None:
    driver = Driver(VenueBook(a_market("0.001"), mid=500, depth=200)).quoting()
    (market,) = view_of(driver).markets
    assert [level.price for level in (*market.bids, *market.asks)] == [499, 501]


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
    stage = Stage(1, "demo", driver.now, driver.unix, 0.0, "", (), watched=frozenset((market,)))
    return console_view(driver.engine, stage)


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


# The venue, and what does not fit


def test_a_mode_of_the_venue_is_told_with_its_words_and_its_age() -> None:
    driver = Driver(VenueBook()).quoting()
    assert view_of(driver).venue.mode == "NORMAL"
    driver.send(VenueSeen(mode="RESTARTING", detail="HTTP 425"))
    driver.now += 12
    venue = view_of(driver).venue
    assert (venue.mode, venue.since_s, venue.detail) == ("RESTARTING", 12, "HTTP 425")
    assert view_of(driver).markets[0].blocked_by == "the venue is restarting: HTTP 425"


def test_the_age_of_the_heartbeat_is_that_of_the_last_acknowledgement() -> None:
    """A beat that failed, or was withheld, makes nothing younger; where none is needed there is none."""
    driver = Driver(VenueBook()).quoting()
    assert view_of(driver).venue.heartbeat is None
    driver.engine.venue.needs_heartbeat = True
    assert view_of(driver).venue.heartbeat == HeartbeatView(None, "")
    driver.send(HeartbeatSeen(acknowledged=True))
    driver.now += 5
    driver.send(HeartbeatSeen(acknowledged=False, detail="withheld: journal still for 4 s"))
    driver.now += 3
    assert view_of(driver).venue.heartbeat == HeartbeatView(8, "withheld: journal still for 4 s")


def test_the_budget_is_what_the_model_of_the_buckets_says() -> None:
    driver, budget = Driver(VenueBook()).quoting(), SignerBudget()
    assert view_of(driver).venue.budget is None
    budget.place(15, driver.now)
    budget.told(
        "cancels", remaining=30, tier="Copper", warned=True, refused=True, wait_s=2.0, now=driver.now
    )  # fmt: skip
    seen = budget_view(budget, driver.now)
    assert seen == BudgetView("Copper", 45, 90, 30, 180, 1, 1)
    driver.send(BudgetSeen(short="the cancel budget of 30 is below the reserve of 54"))
    stage = Stage(1, "live", driver.now, driver.unix, 0.0, "", (), budget=seen)
    venue = console_view(driver.engine, stage).venue
    assert (venue.budget, venue.short) == (seen, "the cancel budget of 30 is below the reserve of 54")


def test_an_unknown_order_carries_its_age_and_its_evidence() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1)
    lost, *rest = driver.orders(State.SENDING)
    driver.send(OrderAnswered(intent=lost.intent, outcome="unknown", detail="timeout"))
    for order in rest:
        driver.send(OrderAnswered(intent=order.intent, outcome="live"))
    driver.now += 8
    driver.send(OrderSeen(order_id=lost.order_id, status="absent", asked_s=driver.now))
    shown = {order.order_id: order for order in view_of(driver).markets[0].orders}
    assert shown[lost.order_id].unknown_s == pytest.approx(8)
    assert shown[lost.order_id].evidence == "read 1 of 2, list wanted, trades wanted"
    assert {shown[order.order_id].unknown_s for order in rest} == {None}


def test_what_is_not_ours_is_shown_apart_and_counted_nowhere() -> None:
    driver = Driver(VenueBook()).quoting()
    before = view_of(driver)
    rows = (
        ListedOrder("0xf0", MARKET, NO, "BUY", "0.01", shares(10), shares(4)),
        ListedOrder("0xf1", "0xelsewhere", "9", "SELL", "0.99", shares(1)),
    )
    driver.send(OpenOrdersRead(asked_s=driver.now, orders=rows, complete=False))
    driver.send(FillSeen("t1", "0xf2", shares(5), "matched", driver.unix, market=MARKET, order_side="BUY", price="0.3"))
    driver.engine.reconciliation.foreign.shares[YES] = shares(7)
    view = view_of(driver)
    assert [(o.order_id, o.side, o.outcome, o.price, o.size, o.matched) for o in view.foreign_orders] == [
        ("0xf0", "BUY", "NO", "0.01", shares(10), shares(4)),
        ("0xf1", "SELL", "", "0.99", shares(1), 0),
    ]
    held = view.markets[0].inventory
    assert (held.foreign_yes, held.foreign_no, held.yes, view.foreign_trades) == (shares(7), 0, 0, 1)
    assert (view.open_orders, view.gross_exposure) == (before.open_orders, before.gross_exposure)
    assert [finding.code for finding in view.findings] == ["foreign_order", "foreign_order", "foreign_fill"]


def test_a_finding_is_shown_whole_and_the_market_it_closes_says_why() -> None:
    driver = Driver(VenueBook()).quoting()
    text = "5 cancels came to nothing"
    found = Finding("cancel_unsettled", "alarm", "quarantine", MARKET, "0x1", text, "LIVE", "status 500")
    driver.engine.findings.tell([found], driver.unix)
    view = view_of(driver)
    (seen,) = view.findings
    assert (seen.unix, seen.code, seen.severity, seen.effect) == (
        driver.unix,
        "cancel_unsettled",
        "alarm",
        "quarantine",
    )
    assert (seen.market, seen.subject, seen.text, seen.ours, seen.venue) == (MARKET, "0x1", text, "LIVE", "status 500")
    assert view.markets[0].closed == f"quarantined: {text}" == view.markets[0].blocked_by


def test_the_oldest_trade_that_is_not_final_has_an_age() -> None:
    driver = Driver(VenueBook()).quoting()
    bid = next(order for order in driver.orders() if order.side == "bid")
    driver.fill(bid, 5, trade="t1")
    driver.now += 70
    driver.fill(bid, 5, trade="t2")
    assert view_of(driver).markets[0].inventory.unsettled_s == pytest.approx(70)
    driver.fill(bid, 5, "confirmed", trade="t1")
    assert view_of(driver).markets[0].inventory.unsettled_s == 0
