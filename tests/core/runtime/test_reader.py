"""Reads of books: few, within a budget, and each answered once, with what came or with why nothing did."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from core.actions import ReadBooks
from core.clock import ManualClock
from core.errors import VenueRefused, VenueUnavailable
from core.events import BooksRead, RestBook, RestTouch
from core.runtime import reader as module
from core.runtime.reader import BooksReader, Bucket


def a_book(token: str) -> RestBook:
    return RestBook(market="0xab", asset_id=token, timestamp=1, hash="h", bids=(), asks=())


class FakeRest:
    """Knows every token; each kind of read can fail, or wait."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.prices: list[tuple[str, ...]] = []
        self.books_fail: Exception | None = None
        self.touches_fail: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()
        self.at_once = self.most_at_once = 0
        self.closed = False

    async def books(self, tokens: Sequence[str]) -> list[RestBook]:
        self.asked.append(tuple(tokens))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go.wait()
        finally:
            self.at_once -= 1
        if self.books_fail is not None:
            raise self.books_fail
        return [a_book(token) for token in reversed(tokens)]

    async def touches(self, tokens: Sequence[str]) -> list[RestTouch]:
        self.prices.append(tuple(tokens))
        await self.go.wait()
        if self.touches_fail is not None:
            raise self.touches_fail
        return [RestTouch(token, "0.4", "0.6") for token in tokens]

    async def time(self) -> int:
        raise VenueUnavailable("nobody asks here")

    async def close(self) -> None:
        self.closed = True


class Desk:
    """A reader with its fakes, running."""

    def __init__(self) -> None:
        self.rest = FakeRest()
        self.clock = ManualClock(monotonic=100.0)
        self.answers: list[BooksRead] = []
        self.reader = BooksReader(self.rest, self.clock, self.answers.append)
        self.task = asyncio.create_task(self.reader.run())

    def ask(self, *tokens: str) -> None:
        self.reader.take(ReadBooks(tokens=tokens, reason="test"))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                assert not self.task.done(), self.task.exception()
                await asyncio.sleep(0.001)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


async def test_wishes_of_one_moment_become_one_read_of_each_token_once(desk: Desk) -> None:
    desk.ask("1", "2")
    desk.ask("2", "3")
    assert desk.reader.waiting == 3
    await desk.until(lambda: desk.answers)
    [answer] = desk.answers
    assert desk.rest.asked == desk.rest.prices == [("1", "2", "3")]
    assert (answer.tokens, answer.asked_s, answer.detail) == (("1", "2", "3"), 100.0, "")
    assert [book.asset_id for book in answer.books] == ["3", "2", "1"]
    assert [touch.token for touch in answer.touches] == ["1", "2", "3"]
    assert (desk.reader.requests, desk.reader.failures, desk.reader.waiting) == (2, 0, 0)


async def test_books_and_prices_are_asked_for_at_the_same_time(desk: Desk) -> None:
    """One after the other would compare a book with prices of another moment."""
    desk.rest.go.clear()
    desk.ask("1")
    await desk.until(lambda: desk.rest.asked and desk.rest.prices)
    assert not desk.answers
    desk.rest.go.set()
    await desk.until(lambda: desk.answers)


async def test_what_waits_during_a_read_is_read_together_and_never_beside_it(desk: Desk) -> None:
    desk.rest.go.clear()
    desk.ask("1")
    await desk.until(lambda: desk.rest.asked)
    for token in ("2", "3", "1"):
        desk.ask(token)
        await asyncio.sleep(0)
    assert desk.reader.waiting == 3, "what is being read may be older than the wish"
    desk.rest.go.set()
    await desk.until(lambda: len(desk.answers) == 2)
    assert desk.rest.asked == [("1",), ("2", "3", "1")] and desk.rest.most_at_once == 1


async def test_many_tokens_are_split_so_that_each_read_is_one_request_of_each_kind(desk: Desk) -> None:
    desk.ask(*(str(number) for number in range(600)))
    await desk.until(lambda: len(desk.answers) == 3)
    assert [len(tokens) for tokens in desk.rest.asked] == [250, 250, 100]
    assert [token for tokens in desk.rest.asked for token in tokens] == [str(number) for number in range(600)]


async def test_an_empty_wish_asks_nobody(desk: Desk) -> None:
    desk.ask()
    desk.ask("1")
    await desk.until(lambda: desk.answers)
    assert desk.rest.asked == [("1",)]


async def test_a_spent_budget_makes_wishes_wait_and_merges_them(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    refilled = asyncio.Event()

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        await refilled.wait()
        desk.clock.advance_to(desk.clock.monotonic() + seconds)

    for number in range(module.BUDGET):
        desk.ask(str(number))
        await desk.until(lambda: len(desk.answers) == number + 1)  # noqa: B023
    monkeypatch.setattr(module, "COALESCE_SEC", 0.0)
    sleep = asyncio.sleep
    monkeypatch.setattr(module.asyncio, "sleep", lambda s: wait(s) if s else sleep(0))
    desk.ask("a")
    async with asyncio.timeout(5):
        while not waits:
            await sleep(0)
    desk.ask("b")
    desk.ask("a")
    refilled.set()
    async with asyncio.timeout(5):
        while len(desk.answers) == module.BUDGET:
            await sleep(0)
    assert desk.rest.asked[module.BUDGET :] == [("a", "b")], "oldest first, in one read"
    assert waits == [pytest.approx(module.BUDGET_SEC / module.BUDGET)]


def test_the_budget_is_twenty_at_once_and_two_a_second() -> None:
    bucket = Bucket(20, 10.0)
    for _ in range(20):
        assert bucket.wait_s(100.0) == 0.0
        bucket.take()
    assert bucket.wait_s(100.0) == pytest.approx(0.5)
    assert bucket.wait_s(100.25) == pytest.approx(0.25)
    assert bucket.wait_s(100.5) == pytest.approx(0.0)
    bucket.take()
    assert bucket.wait_s(500.0) == 0.0
    for _ in range(20):
        bucket.take()
    assert bucket.wait_s(500.0) > 0, "a long rest fills it once, not for ever"


@pytest.mark.parametrize("error", [VenueRefused("/books: status 503"), VenueUnavailable("/books: ConnectError")])
async def test_a_failure_is_an_answer_that_says_why(desk: Desk, error: Exception) -> None:
    """The engine waits for it; without one it would take silence for patience."""
    desk.rest.books_fail = error
    desk.ask("1")
    await desk.until(lambda: desk.answers)
    [answer] = desk.answers
    assert (answer.tokens, answer.books, answer.detail) == (("1",), (), str(error))
    assert desk.reader.failures == 1
    desk.rest.books_fail = None
    desk.ask("1")
    await desk.until(lambda: len(desk.answers) == 2)
    assert desk.answers[1].detail == "" and len(desk.answers[1].books) == 1


async def test_books_without_prices_are_told_without_them(desk: Desk) -> None:
    """They are a book all the same; whether they may be believed unconfirmed is not decided here."""
    desk.rest.touches_fail = VenueRefused("/prices: status 500")
    desk.ask("1")
    await desk.until(lambda: desk.answers)
    assert (len(desk.answers[0].books), desk.answers[0].touches, desk.answers[0].detail) == (1, (), "")
    assert desk.reader.failures == 1


async def test_a_venue_that_does_not_answer_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SEC", 0.02)
    desk.rest.go.clear()
    desk.ask("1")
    await desk.until(lambda: desk.answers)
    assert desk.answers[0].detail == "no answer within 0.02 s" and desk.reader.failures == 2
    assert desk.rest.at_once == 0, "and nothing is left behind"


async def test_a_venue_that_stays_down_is_logged_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.rest.books_fail = VenueUnavailable("/books: ConnectError")
    for number in range(3):
        desk.ask("1")
        await desk.until(lambda: len(desk.answers) == number + 1)  # noqa: B023
    assert [record.getMessage() for record in caplog.records].count("books_not_read") == 1


async def test_the_connections_are_released_with_the_reader(desk: Desk) -> None:
    desk.ask("1")
    await desk.until(lambda: desk.answers)
    desk.task.cancel()
    await asyncio.gather(desk.task, return_exceptions=True)
    assert desk.rest.closed


async def test_an_error_of_ours_ends_the_reader(desk: Desk) -> None:
    """A reader that died silently would leave every book in doubt for ever."""
    desk.rest.books_fail = ZeroDivisionError()
    desk.ask("1")
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(asyncio.shield(desk.task), 5)
