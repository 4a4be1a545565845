"""All books together: lost ones are won back, silent ones audited, and the others do not notice."""

import math
from typing import Any

import pytest

from core.actions import Action, Cancel, Note, ReadBooks, Reconnect, Resubscribe, Unsubscribe
from core.events import BooksRead, FeedChanged, MarketMessage
from core.orders.order import State
from core.units import grid_of
from tests.builders import MARKET, NO, YES, Driver, VenueBook, a_market, notes, placed

OTHER = a_market(market="0x" + "cd" * 32, yes="3" * 77, no="4" * 77)


def of(kind: type[Any], actions: list[Action]) -> list[Any]:
    return [action for action in actions if isinstance(action, kind)]


def two_markets() -> tuple[Driver, VenueBook, VenueBook]:
    first, second = VenueBook(), VenueBook(OTHER)
    return Driver(first, second).quoting(), first, second


def lose_a_change(driver: Driver, book: VenueBook) -> list[Action]:
    """One change never arrives, the next does."""
    book.set("bid", 30, 11)
    return driver.send(book.set("bid", 31, 11)) + driver.pass_time(0.7)


def reads_of_lost(actions: list[Action]) -> list[ReadBooks]:
    return [read for read in of(ReadBooks, actions) if read.reason != "audit"]


def blocked(driver: Driver) -> str:
    return str(driver.desk.blocked_by)


# Lost books


def test_a_lost_book_is_pulled_read_and_quoted_again_while_others_do_not_notice() -> None:
    driver, book, _ = two_markets()
    before = {order.order_id for order in driver.orders(State.LIVE, market=OTHER.market)}
    actions = lose_a_change(driver, book)
    assert {action.market for action in of(Cancel, actions)} == {MARKET}
    assert [read.tokens for read in reads_of_lost(actions)] == [(YES, NO)]
    driver.answer_cancels()
    driver.pass_time(2.0)
    driver.answer()
    assert driver.desk.tracked.synced and driver.orders(State.LIVE)
    assert {order.order_id for order in driver.orders(State.LIVE, market=OTHER.market)} == before
    assert driver.engine.data.recoveries.sum_s > 0 and "proven again" in notes(driver.actions)


def test_changes_that_come_while_a_book_is_read_are_not_lost() -> None:
    driver, book, _ = two_markets()
    driver.rest_answers = False
    lose_a_change(driver, book)
    asked_s, snapshot = driver.now, [book.rest("YES"), book.rest("NO")]
    touches = (book.rest_touch("YES"), book.rest_touch("NO"))
    driver.send(book.set("ask", 50, 77))
    driver.send(book.set("bid", 44, 0))
    driver.answer_read(asked_s, (YES, NO), books=tuple(snapshot), touches=touches)
    assert driver.desk.tracked.synced
    assert driver.desk.tracked.book.asks.sizes.keys() == book.asks.keys()
    assert driver.desk.tracked.book.bids.sizes.keys() == book.bids.keys()


def test_when_reading_does_not_help_the_subscription_and_then_the_socket_is_renewed() -> None:
    driver, book, _ = two_markets()
    driver.rest_answers = False
    lose_a_change(driver, book)
    driver.answer_cancels()
    actions = driver.pass_time(11.0)
    for kind in (Resubscribe, Reconnect):
        assert [action.tokens for action in of(kind, actions) if YES in action.tokens] == [(YES, NO)]
    assert not placed([a for a in actions if getattr(a, "market", "") == MARKET])
    driver.send(book.book())
    assert driver.desk.tracked.synced


def test_a_ghost_book_is_not_taken_for_the_lost_one() -> None:
    """peers.md T1: POST /books may show 0.01 against 0.99 while prices are right."""
    driver, book, _ = two_markets()
    driver.rest_answers = False
    lose_a_change(driver, book)
    ghost = VenueBook(ms=book.ms + 50)
    ghost.bids, ghost.asks = {1: 100}, {99: 100}
    touches = (book.rest_touch("YES"), book.rest_touch("NO"))
    driver.answer_read(driver.now, (YES, NO), books=(ghost.rest("YES"), ghost.rest("NO")), touches=touches)
    assert not driver.desk.tracked.synced


def test_a_book_older_than_the_loss_is_not_taken() -> None:
    driver, book, _ = two_markets()
    driver.rest_answers = False
    stale = (book.rest("YES"), book.rest("NO"))
    touches = (book.rest_touch("YES"), book.rest_touch("NO"))
    lose_a_change(driver, book)
    driver.answer_read(driver.now, (YES, NO), books=stale, touches=touches)
    assert not driver.desk.tracked.synced
    assert blocked(driver).startswith("book ")


def test_hashes_that_are_wrong_while_contents_are_right_are_not_asked_any_more() -> None:
    """A venue that states wrong hashes must not blind us for ever, nor cost a read a second (reliability.md D04)."""
    driver, book, _ = two_markets()
    for turn in range(4):
        message = book.set("bid", 30, 11 + turn)
        wrong = tuple([type(change)(**{**_members(change), "hash": "0" * 40}) for change in message.price_changes])
        driver.send(MarketMessage(**{**_members(message), "price_changes": wrong}))
        driver.pass_time(3.0)
    assert driver.desk.tracked.synced and not driver.desk.tracked.provable
    assert driver.desk.tracked.gaps == 3


def _members(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


# Silence


def test_a_silent_market_is_audited_and_stays_quotable_for_an_hour() -> None:
    driver, _, _ = two_markets()
    live = {order.order_id for order in driver.orders(State.LIVE)}
    actions = driver.pass_time(3_600.0)
    assert {order.order_id for order in driver.orders(State.LIVE)} == live
    assert driver.desk.silence.status == "quiet"
    reads = of(ReadBooks, actions)
    assert 3_600 / 4.5 <= len(reads) <= 3_600 / 3.4 and all(len(read.tokens) == 4 for read in reads)


def test_a_market_frozen_behind_a_living_pong_is_pulled_within_five_seconds() -> None:
    driver, book, _ = two_markets()
    driver.pass_time(20.0)
    missed_s = driver.now
    book.set("bid", 45, 1)
    other = {order.order_id for order in driver.orders(State.LIVE, market=OTHER.market)}
    while driver.orders(State.LIVE):
        driver.pass_time(0.1)
    assert driver.now - missed_s <= 5.0
    assert driver.desk.tracked.state in ("SUSPECT", "RESYNCING")
    assert of(Resubscribe, driver.actions)[-1].tokens == (YES, NO)
    assert "silent on this market" in notes(driver.actions)
    assert {order.order_id for order in driver.orders(State.LIVE, market=OTHER.market)} == other


def test_after_a_freeze_a_dump_alone_brings_no_quotes() -> None:
    driver, book, _ = two_markets()
    driver.pass_time(5.0)
    book.set("bid", 45, 1)
    driver.pass_time(6.0)
    driver.answer_cancels()
    driver.send(book.book())
    assert driver.desk.tracked.synced and driver.desk.silence.status == "frozen"
    assert not placed(driver.pass_time(0.4))
    driver.send(book.set("ask", 60, 5))
    driver.pass_time(0.5)
    assert driver.desk.silence.status == "live" and placed(driver.actions[-8:])


def test_a_second_freeze_gets_a_new_socket() -> None:
    driver, book, _ = two_markets()
    for turn in range(2):
        driver.pass_time(5.0)
        book.set("bid", 45, 1 + turn)
        while driver.desk.silence.status != "frozen":
            driver.pass_time(0.1)
        driver.send(book.book())
        driver.send(book.set("ask", 60, 5 + turn))
    assert [len(of(kind, driver.actions)) for kind in (Resubscribe, Reconnect)] == [1, 1]


def test_a_referee_that_lies_and_prices_that_disagree_leave_the_market_unproven() -> None:
    driver, book, _ = two_markets()
    driver.rest_answers = False
    driver.pass_time(5.0)
    ghost = VenueBook(ms=book.ms)
    ghost.bids, ghost.asks = {1: 100}, {99: 100}
    moved = VenueBook(ms=book.ms)
    moved.bids, moved.asks = {50: 100}, {52: 100}
    actions = driver.answer_read(
        driver.now - 0.1, (YES, NO), books=(ghost.rest(hash="0" * 40),), touches=(moved.rest_touch(),)
    )
    assert driver.desk.silence.status == "unproven" and of(Cancel, actions) and of(Resubscribe, actions)
    assert not driver.orders(State.LIVE)
    driver.pass_time(0.5)
    assert blocked(driver).startswith("book unproven: ")


def test_rest_that_does_not_answer_is_no_proof_for_ever() -> None:
    driver, _, _ = two_markets()
    driver.rest_answers = False
    driver.pass_time(7.5)
    assert driver.orders(State.LIVE)
    driver.pass_time(1.0)
    assert not driver.orders(State.LIVE)
    assert driver.desk.silence.status == "unproven"


def test_an_unanswered_audit_asks_the_channel_before_proof_runs_out() -> None:
    """The dump of a new subscription is proof as well: a silent market keeps its orders while REST is down."""
    driver, book, other = two_markets()
    live = {order.order_id for order in driver.orders(State.LIVE)}
    driver.rest_answers = False
    for _ in range(60):
        for action in driver.pass_time(0.5):
            if isinstance(action, ReadBooks):
                driver.answer_read(driver.now, action.tokens, books=(), touches=(), detail="502")
        asked = {token for action in of(Resubscribe, driver.actions) for token in action.tokens}
        if asked:
            driver.send(book.book())
            driver.send(other.book())
    assert {order.order_id for order in driver.orders(State.LIVE)} == live


# Sockets


def test_a_socket_that_goes_takes_its_own_markets_only() -> None:
    driver, _, second = two_markets()
    actions = driver.send(FeedChanged(feed="market", connected=False, detail="reset", tokens=(YES, NO)))
    assert {action.market for action in of(Cancel, actions)} == {MARKET}
    assert "for 1 of 2 markets: reset" in notes(actions)
    assert driver.engine.data.feed.connected and driver.engine.tally.reconnects == 1
    driver.send(second.set("bid", 40, 9))
    driver.pass_time(2.0)
    assert driver.orders(State.LIVE, market=OTHER.market)
    assert blocked(driver) == "market feed is down"
    driver.send(FeedChanged(feed="market", connected=False, detail="reset", tokens=(OTHER.yes_token, OTHER.no_token)))
    assert not driver.engine.data.feed.connected


def test_nobody_is_asked_for_a_market_without_a_socket() -> None:
    driver, _, _ = two_markets()
    driver.feeds(up=False)
    assert not of(ReadBooks, driver.pass_time(60.0))


def test_a_first_book_that_does_not_come_is_read() -> None:
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    assert of(ReadBooks, driver.pass_time(4.0))
    assert driver.desk.tracked.synced


# Ticks, new markets, resolutions


def test_a_tick_change_that_only_rest_told_is_heeded() -> None:
    driver, book, _ = two_markets()
    book.retick("0.001")
    driver.pass_time(8.0)
    assert driver.desk.instrument.grid is grid_of("0.001") and driver.desk.tracked.synced


def test_a_stale_rest_book_does_not_turn_the_grid_back() -> None:
    driver, book, _ = two_markets()
    driver.rest_answers = False
    old = (book.rest("YES"), book.rest("NO"))
    driver.send(book.retick("0.001"))
    driver.answer_read(driver.now, (YES, NO), books=old)
    assert driver.desk.instrument.tick_text == "0.001" and not driver.desk.tracked.synced


def test_a_new_market_is_counted_and_disturbs_nobody() -> None:
    driver, _, _ = two_markets()
    assert driver.send(MarketMessage(event_type="new_market", market="0x" + "ef" * 32)) == []
    assert (driver.engine.tally.new_markets, driver.engine.tally.unknown_types) == (1, 0)


def test_a_resolved_market_is_not_audited_any_more() -> None:
    driver, _, _ = two_markets()
    actions = driver.send(MarketMessage(event_type="market_resolved", market=MARKET, winning_outcome="Yes"))
    assert [action.tokens for action in of(Unsubscribe, actions)] == [(YES, NO)]
    assert all(read.tokens == (OTHER.yes_token, OTHER.no_token) for read in of(ReadBooks, driver.pass_time(60.0)))


def test_a_stranger_in_an_answer_changes_nothing() -> None:
    driver, _, _ = two_markets()
    assert driver.send(BooksRead(tokens=("7" * 77,))) == []


# Sampling


def test_above_two_thousand_messages_a_second_hashes_are_sampled() -> None:
    driver, book, _ = two_markets()
    data = driver.engine.data
    for second in range(3):
        for turn in range(5_000):
            driver.send(book.set("bid", 30, 11 + (turn + second) % 7, after_ms=0 if turn % 5 else 1))
        driver.pass_time(1.0)
    assert data.rate > 4_000 and data.proof.every == math.ceil(data.rate / 2_000)
    driver.pass_time(3.0)
    assert data.proof.every == 1


# The seed's interface


def test_signals_are_in_the_frame_of_their_token() -> None:
    driver, _, _ = two_markets()
    yes, no = (driver.engine.data.get_signals(token, driver.now) for token in (YES, NO))
    assert (yes.best_bid, yes.best_ask, yes.mid) == (0.45, 0.47, 0.46)
    assert (no.best_bid, no.best_ask, no.mid) == (0.53, 0.55, 0.54)
    assert yes.microprice is not None and no.microprice is not None
    assert abs(yes.microprice + no.microprice - 1.0) < 1e-12
    assert (yes.valid, yes.shape, yes.book_seq) == (True, "two_sided", 0) and yes.age_s is not None


@pytest.mark.parametrize(
    ("bids", "asks", "yes_shape", "no_shape"),
    [
        ({45: 100}, {}, "no_asks", "no_bids"),
        ({}, {47: 100}, "no_bids", "no_asks"),
        ({}, {}, "empty", "empty"),
    ],
)
def test_one_sided_and_empty_books_are_states_not_zeros(
    bids: dict[int, int], asks: dict[int, int], yes_shape: str, no_shape: str
) -> None:
    book = VenueBook()
    book.bids, book.asks = bids, asks
    driver = Driver(book).quoting()
    yes, no = (driver.engine.data.get_signals(token, driver.now) for token in (YES, NO))
    assert (yes.shape, no.shape) == (yes_shape, no_shape)
    assert yes.mid is None and yes.microprice is None and yes.valid
    assert yes.best_ask is None if not asks else yes.best_ask == 0.47


def test_signals_of_a_lost_book_say_so() -> None:
    driver, book, _ = two_markets()
    driver.rest_answers = False
    lose_a_change(driver, book)
    signals = driver.engine.data.get_signals(YES, driver.now)
    assert not signals.valid and signals.reason.startswith("book resyncing: ")
    with pytest.raises(KeyError):
        driver.engine.data.get_signals("7", driver.now)


def test_trade_stats_are_in_the_frame_of_their_token() -> None:
    driver, book, _ = two_markets()
    assert driver.engine.data.get_trade_stats(YES, driver.now).imbalance is None
    driver.send(book.trade("0.45", "30", side="SELL"))
    driver.send(book.trade("0.53", "10", outcome="NO", side="SELL"))
    yes, no = (driver.engine.data.get_trade_stats(token, driver.now) for token in (YES, NO))
    assert (yes.last_price, yes.trades_per_min, yes.imbalance) == (0.47, 2, -0.5)
    assert (no.last_price, no.trades_per_min, no.imbalance) == (0.53, 2, 0.5)


def test_a_doubt_holds_quotes_back_without_pulling_them() -> None:
    """Messages of one millisecond may carry the hash of the last of them: half a second's patience (real-data.md 4)."""
    driver, book, _ = two_markets()
    live = {order.order_id for order in driver.orders(State.LIVE)}
    first = book.set("bid", 45, 190)
    second = book.set("bid", 44, 390, after_ms=0)
    hashes = {change.asset_id: change.hash for change in second.price_changes}
    entries = [type(c)(**{**_members(c), "hash": hashes[c.asset_id]}) for c in first.price_changes]
    driver.send(MarketMessage(**{**_members(first), "price_changes": tuple(entries)}))
    assert driver.desk.data_trouble == "the newest change is not proven yet"
    assert not of(Cancel, driver.pass_time(0.3))
    driver.send(second)
    assert driver.desk.data_trouble == ""
    assert not of(Cancel, driver.pass_time(2.0))
    assert {order.order_id for order in driver.orders(State.LIVE)} == live


def test_a_doubt_that_nothing_explains_is_a_loss() -> None:
    driver, book, _ = two_markets()
    book.set("bid", 30, 11)
    driver.send(book.set("bid", 31, 11))
    driver.pass_time(0.4)
    assert driver.desk.tracked.state == "SYNCED"
    actions = driver.pass_time(0.2)
    assert of(Cancel, actions) and any(isinstance(a, Note) and a.severity == "warning" for a in actions)
