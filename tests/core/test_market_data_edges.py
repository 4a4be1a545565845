"""Situations in which a market could stay without quotes for ever, or ask the venue without end."""

import contextlib
from typing import Any

import msgspec
import pytest

from core.actions import Action, Cancel, ReadBooks, Reconnect, Resubscribe
from core.errors import MalformedMessage
from core.events import BooksRead
from core.runtime.ingest import Ingest
from tests.builders import NO, YES, Driver, VenueBook, a_market, notes


def of(kind: type[Any], actions: list[Action]) -> list[Any]:
    return [action for action in actions if isinstance(action, kind)]


def without_rest(driver: Driver, seconds: int) -> list[Action]:
    """Let time pass while every read of books is answered with a refusal."""
    driver.rest_answers = False
    seen: list[Action] = []
    for _ in range(2 * seconds):
        new = driver.pass_time(0.5)
        for read in of(ReadBooks, new):
            new += driver.answer_read(driver.now, read.tokens, books=(), touches=(), detail="/books: status 403")
        seen += new
    return seen


def test_an_old_dump_on_the_old_tick_does_not_undo_a_tick_change() -> None:
    """The dump of an heir, or of the other copy, made before the change of tick and delivered after it."""
    book = VenueBook()
    driver = Driver(book).quoting()
    late = book.book()
    driver.send(book.set("bid", 44, 300))
    driver.send(book.retick("0.001"))
    driver.send(book.set("bid", 441, 300))
    driver.send(book.book())
    driver.send(late)
    for turn in range(60):
        driver.pass_time(1.0)
        with contextlib.suppress(MalformedMessage):
            driver.send(book.set("bid", 441, 100 + turn))
    assert driver.desk.tracked.synced, driver.desk.data_trouble
    assert driver.desk.instrument.tick_text == "0.001"


def test_a_tick_change_may_be_newer_than_the_books_last_change() -> None:
    """The stamp of a book is that of its last change: the first book on the new grid may be older than the grid."""
    book = VenueBook()
    driver = Driver(book).quoting()
    driver.send(book.set("bid", 44, 300))
    message = book.retick("0.001")
    book.ms -= 4
    driver.send(message)
    driver.pass_time(5.0)
    assert driver.desk.tracked.synced, driver.desk.data_trouble


def test_without_rest_and_without_dumps_a_new_socket_is_tried() -> None:
    book = VenueBook()
    seen = without_rest(Driver(book).quoting(), 120)
    assert of(Reconnect, seen)
    assert len(of(Resubscribe, seen)) < 20, "ever more slowly"
    assert "books cannot be read over REST: /books: status 403" in notes(seen)


def test_many_silent_markets_are_subscribed_anew_together() -> None:
    books = [
        VenueBook(a_market(market=f"0x{n:064x}", yes=f"{2 * n + 1:077d}", no=f"{2 * n + 2:077d}")) for n in range(1, 51)
    ]
    seen = without_rest(Driver(*books).quoting(), 30)
    assert 0 < len(of(Resubscribe, seen)) <= 30


def test_a_book_recognised_by_its_hash_is_a_sign_of_life() -> None:
    """A book that repeats what is known is not decoded, but it proves the book all the same when nothing else does."""
    book = VenueBook(depth=8)
    driver = Driver(book).quoting()
    driver.rest_answers = False
    driver.send(book.set("bid", 44, 300))
    ingest = Ingest(lambda message, now: driver.send(message), driver.engine.data.find, None)
    for _ in range(14):
        driver.pass_time(1.0)
        ingest.frame(msgspec.json.encode({"event_type": "book", **book.wire()}), driver.now)
    assert not driver.desk.data_trouble


def test_two_sockets_teach_no_shorter_gap() -> None:
    """Every message comes twice: the second time is no gap of its own."""
    audits = []
    for copies in (1, 2):
        book = VenueBook()
        driver = Driver(book).quoting()
        before = driver.desk.silence.audits
        for turn in range(60):
            driver.pass_time(2.0)
            message = book.set("bid", 44, 300 + turn)
            for _ in range(copies):
                driver.send(message)
                driver.pass_time(0.01)
        audits.append(driver.desk.silence.audits - before)
    assert audits[1] <= 2 * max(1, audits[0])


def test_rest_that_stamps_with_the_request_freezes_nothing() -> None:
    book = VenueBook()
    driver = Driver(book).quoting()
    seen: list[Action] = []
    book.ms += 1_000
    for _ in range(60):
        seen += driver.pass_time(1.0)
        book.ms += 1_000
    assert "the channel is silent" not in notes(seen)


def test_a_minimum_size_that_gamma_has_wrong_is_learnt_from_rest() -> None:
    """It is part of the hash: without it a market's book could only be checked by its touch."""
    told, book = VenueBook(), VenueBook(a_market(min_size_text="15"))
    driver = Driver(told)
    driver.books = (book,)
    driver.quoting()
    driver.pass_time(60.0)
    driver.send(book.set("bid", 44, 7))
    driver.pass_time(60.0)
    driver.send(book.book())
    assert driver.desk.tracked.provable


def test_a_book_that_is_lost_over_what_gamma_had_wrong_is_read_again_when_the_first_read_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = VenueBook()
    driver = Driver(book)
    book.instrument = a_market(min_size_text="15")
    driver.quoting()
    driver.send(book.set("bid", 44, 7))
    assert driver.desk.tracked.synced and not driver.desk.tracked.provable and driver.orders()
    with monkeypatch.context() as patched:
        patched.setattr(driver.desk, "recover", lambda read, confirmed, now: "it is older than what the channel told")
        actions = driver.send(BooksRead(tokens=(YES, NO), asked_s=driver.now, books=(book.rest(),)))
    assert not driver.desk.tracked.synced and of(ReadBooks, actions)
    assert of(Cancel, actions)
    driver.pass_time(5.0)
    assert driver.desk.tracked.provable and driver.desk.tracked.synced
