"""What keeps an operator's money when the venue answers badly, late, or not at all."""

from core.events import CancelAnswered, OrderSeen
from core.market.doubt import STALE_RUN, STALE_SEC
from core.orders.order import State
from tests.builders import MARKET, Driver, VenueBook, a_market, notes, placed


def test_a_refused_order_is_not_placed_again_at_once():
    """A venue that refuses everything is asked ever more seldom, not four times a second."""
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    tries = 0
    for _ in range(200):
        tries += len(placed(driver.pass_time(0.1)))
        driver.answer("refused")
    assert 6 <= tries <= 6 * 7


def test_an_accepted_order_ends_the_holding_back():
    """One refusal does not slow a market for good."""
    driver = Driver(VenueBook()).quoting()
    order = driver.orders(State.LIVE)[0]
    driver.fill(order)
    driver.pass_time(0.5)
    driver.answer("refused")
    driver.pass_time(3.0)
    driver.answer("live")
    assert driver.desk._hold_s == 0.0


def test_a_bare_cancel_answer_does_not_free_the_cap_before_a_fill_can_be_told():
    """The answer tells no sizes; a fill may be on its way, so the order counts for another second."""
    driver = Driver(VenueBook()).quoting()
    driver.command("cancel_market")
    gone = driver.orders(State.CANCEL_SENT)
    for order in gone:
        driver.send(CancelAnswered(order_id=order.order_id, outcome="cancelled"))
    assert len(driver.orders()) == len(gone)
    assert not placed(driver.pass_time(0.9))
    driver.pass_time(1.5)
    assert not [order for order in driver.orders() if order in gone]


def test_what_the_user_channel_tells_of_a_cancel_frees_it_at_once():
    """With the matched size told there is nothing left to wait for."""
    driver = Driver(VenueBook()).quoting()
    driver.command("pause")
    for order in driver.orders(State.CANCEL_SENT):
        driver.send(CancelAnswered(order_id=order.order_id, outcome="cancelled"))
        driver.send(OrderSeen(order_id=order.order_id, status="cancelled", matched=order.filled))
    assert driver.orders() == []


def test_one_blind_market_does_not_switch_off_the_loss_limit():
    """A position whose book is gone counts at its last value; the others are still judged."""
    books = (VenueBook(), VenueBook(a_market(market="0x" + "cd" * 32, yes="3" * 77, no="4" * 77)))
    driver = Driver(*books, bankroll_usd=50_000.0)
    driver.feeds()
    driver.account(cash=5_000, yes=1_000)
    for book in books:
        driver.send(book.book())
    driver.pass_time(3.0)
    other = driver.engine.desks[books[1].instrument.market]
    before = driver.engine.account.equity
    driver.desk.tracked.lose("gone", driver.now)
    driver.pass_time(3.0)
    assert (driver.engine.account.equity, other.tracked.synced) == (before, True)
    driver.unix_offset += 86_400
    driver.pass_time(3.0)
    assert driver.engine.account._day == int(driver.unix // 86_400)


def test_the_average_starts_anew_after_a_longer_blindness():
    """What the market did while nobody looked must not be averaged with what it was before."""
    driver = Driver(VenueBook()).quoting()
    driver.feeds(up=False)
    driver.pass_time(600.0, alive=False)
    book = driver.books[0]
    book.bids, book.asks = {41: 200, 40: 200}, {43: 200, 44: 200}
    book.ms += 600_000
    driver.feeds()
    driver.send(book.book())
    assert abs(driver.desk.watch.fair.value_at(driver.now) - 0.42) < 1e-9


def test_a_short_blindness_keeps_the_average():
    """A resync of a second is no reason to forget."""
    driver = Driver(VenueBook()).quoting()
    driver.desk.tracked.lose("for a moment", driver.now)
    book = driver.books[0]
    book.bids, book.asks = {44: 200, 43: 200}, {46: 200, 47: 200}
    book.ms += 5
    driver.pass_time(0.5)
    driver.send(book.book())
    assert driver.desk.watch.fair.value_at(driver.now) > 0.455


def test_a_full_book_from_the_future_does_not_blind_us_for_good():
    """A false stamp makes everything after it look old; a run of that is a loss of continuity."""
    driver = Driver(VenueBook()).quoting()
    book = driver.books[0]
    now_ms = book.ms
    book.ms += 10_000_000
    driver.send(book.book())
    book.ms = now_ms
    driver.rest_answers = False
    for turn in range(STALE_RUN):
        assert driver.desk.tracked.synced
        driver.pass_time(STALE_SEC / (STALE_RUN - 1))
        driver.send(book.set("bid", 30, 50 + turn))
    assert not driver.desk.tracked.synced
    driver.send(book.book())
    assert driver.desk.tracked.synced


def test_flattening_ends_when_what_is_left_is_no_order():
    """Three shares are too few to rest, and nobody told what taking costs; the market is paused, the operator told."""
    driver = Driver(VenueBook()).quoting(yes=3.0)
    driver.flatten()
    driver.answer_cancels()
    told = notes(driver.pass_time(70.0))
    assert "what taking costs in this market is not told; 3 YES left" in told
    assert (driver.desk.flattening, driver.engine.controls.of(MARKET).state) == (None, "PAUSED")


def test_sizes_for_a_larger_account_are_worth_a_word():
    """Sizes made for fifty thousand dollars on an account of five are said at the start."""
    driver = Driver(VenueBook(), base_size_usd=300.0)
    driver.feeds()
    driver.account(cash=5_000)
    driver.send(driver.books[0].book())
    driver.pass_time(2.0)
    assert "40 % of the soft cap" in notes(driver.actions)


def test_a_trade_that_failed_before_it_was_ever_told_ends_its_order():
    """No ghost order of zero shares stays on show."""
    driver = Driver(VenueBook()).quoting()
    order = driver.orders(State.LIVE)[0]
    driver.fill(order, settlement="failed")
    assert order not in driver.orders()
    assert driver.desk.inventory.net == 0
