"""Reads of books and prices over REST, as few as possible: wishes of one moment become one read, within a budget."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

from core.actions import ReadBooks
from core.clock import Clock
from core.errors import PolymmError
from core.events import BooksRead, RestBook, RestTouch

log = logging.getLogger(__name__)

COALESCE_SEC: Final = 0.01
"""Wishes within so long are read together."""
TOKENS_A_READ: Final = 250
"""So that a read is one request of each kind: POST /prices takes 500 entries, of which a token has two."""
READ_SEC: Final = 2.0
"""Longest wait for an answer."""
BUDGET: Final = 20
"""Reads in ``BUDGET_SEC``: one request each of POST /books and POST /prices, of which the venue allows 500 each
(polymarket-api.md 10.1)."""
BUDGET_SEC: Final = 10.0

Entry = TypeVar("Entry")


class Rest(Protocol):
    """Where books are read; see :class:`core.venue.public_rest.PublicRest`."""

    async def books(self, tokens: Sequence[str]) -> list[RestBook]:
        """Full books."""
        ...

    async def touches(self, tokens: Sequence[str]) -> list[RestTouch]:
        """Best bid and ask of each token."""
        ...

    async def time(self) -> int:
        """The venue's clock, whole seconds since 1970."""
        ...

    async def close(self) -> None:
        """Release the connections."""
        ...


class Bucket:
    """A token bucket: so many at once, refilled evenly."""

    def __init__(self, size: float, refill_s: float) -> None:
        """``refill_s`` is the time in which an empty bucket becomes full."""
        self._size = self._level = size
        self._per_s = size / refill_s
        self._at_s: float | None = None

    def wait_s(self, now: float) -> float:
        """Seconds until one may be taken."""
        if self._at_s is not None:
            self._level = min(self._size, self._level + (now - self._at_s) * self._per_s)
        self._at_s = now
        return max(0.0, (1 - self._level) / self._per_s)

    def take(self) -> None:
        """Take one."""
        self._level -= 1


class BooksReader:
    """Carries out :class:`core.actions.ReadBooks`, one read at a time; what waits meanwhile is read together."""

    def __init__(self, rest: Rest, clock: Clock, emit: Callable[[BooksRead], Any]) -> None:
        self.requests = 0
        """HTTP requests sent."""
        self.failures = 0
        """Requests without a usable answer."""
        self._rest = rest
        self._clock = clock
        self._emit = emit
        self._waiting: dict[str, None] = {}
        """Tokens not asked for yet, oldest first."""
        self._asked = asyncio.Event()
        self._failing = False
        """The last read failed, which was logged when it began to."""
        self._bucket = Bucket(BUDGET, BUDGET_SEC)

    @property
    def waiting(self) -> int:
        """Tokens that wait to be read."""
        return len(self._waiting)

    def take(self, action: ReadBooks) -> None:
        """Read these tokens soon; one that waits already keeps its place."""
        self._waiting.update(dict.fromkeys(action.tokens))
        if self._waiting:
            self._asked.set()

    async def run(self) -> None:
        """Read what is wished for, until cancelled; then the connections are released."""
        try:
            while True:
                await self._asked.wait()
                await asyncio.sleep(COALESCE_SEC)
                await asyncio.sleep(self._bucket.wait_s(self._clock.monotonic()))
                self._bucket.take()
                await self._read(self._next_batch())
        finally:
            await self._rest.close()

    def _next_batch(self) -> tuple[str, ...]:
        batch = tuple(self._waiting)[:TOKENS_A_READ]
        for token in batch:
            del self._waiting[token]
        if not self._waiting:
            self._asked.clear()
        return batch

    async def _read(self, tokens: tuple[str, ...]) -> None:
        asked_s = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(self._ask(self._rest.books, tokens), name="books")
            beside = group.create_task(self._ask(self._rest.touches, tokens), name="prices")
        (books, problem), (touches, other) = asked.result(), beside.result()
        if (problem or other) and not self._failing:
            log.warning("books_not_read", extra={"detail": problem or other})
        self._failing = bool(problem or other)
        self._emit(BooksRead(tokens=tokens, books=books, touches=touches, asked_s=asked_s, detail=problem))

    async def _ask(
        self, read: Callable[[Sequence[str]], Awaitable[list[Entry]]], tokens: Sequence[str]
    ) -> tuple[tuple[Entry, ...], str]:
        """What came, and why nothing did."""
        self.requests += 1
        try:
            async with asyncio.timeout(READ_SEC):
                return tuple(await read(tokens)), ""
        except TimeoutError:
            problem = f"no answer within {READ_SEC:g} s"
        except PolymmError as error:
            problem = str(error)
        self.failures += 1
        return (), problem
