"""Books read over REST in a simulation: gathered, budgeted and given up as :mod:`core.runtime.reader` does it.

Served as faults allow, and decoded by the session's own reader of answers.
"""

import math
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from core.errors import PolymmError, VenueRefused, VenueUnavailable
from core.events import BooksRead, RestBook, RestTouch
from core.exchange.api.book_api import price_of
from core.exchange.api.market_api import ExchangeShelf
from core.exchange.faults.requests import Reply
from core.lab.simulated_world import ANSWER_MS, ENTRY_MS, World
from core.runtime.reader import BUDGET, BUDGET_SEC, COALESCE_SEC, READ_SEC, Bucket
from core.venue.public_rest import TOKENS_PER_PRICES, PublicRest

PRICES_LAG_MS: Final = 15
"""POST /prices is served so much later: the two requests never see quite the same moment."""
_encode: Final = msgspec.json.Encoder().encode
_Wanted = list[dict[str, str]]
Made = TypeVar("Made")


class Reads:
    """POST /books and POST /prices, one read at a time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shelf = ExchangeShelf(world.exchange)
        self._waiting: dict[str, None] = {}
        """Tokens not asked for yet, oldest first."""
        self._busy = False
        self._bucket = Bucket(BUDGET, BUDGET_SEC)

    def read(self, tokens: Sequence[str]) -> None:
        """Read these tokens soon; wishes that come together are one read."""
        self._waiting.update(dict.fromkeys(tokens))
        self._go_on()

    def serve(self, path: str, wanted: _Wanted, answered: Callable[[bytes | Reply], None]) -> None:
        """Serve a request as the director wants it (as :mod:`core.exchange.faults.serving` does), now."""
        plan = self._world.plan("POST", path, _encode(wanted))

        def serve() -> None:
            answer: bytes | Reply | None = plan.reply
            if plan.lost != "before" and answer is None:
                for happening in plan.first:
                    happening()
                with ExitStack() as stack:
                    for different in plan.around:
                        stack.enter_context(different)
                    answer = (self._books if path == "/books" else self._prices)(wanted)
                for edit in plan.edits:
                    answer = edit(answer) if isinstance(answer, bytes) else answer
            if plan.lost:
                answer = _CUT if plan.cut else None
            if answer is not None:
                self._world.later(ANSWER_MS + plan.wait_after_ms, partial(answered, answer))

        self._world.after(plan.wait_before_ms, serve)

    def _go_on(self) -> None:
        if self._waiting and not self._busy:
            self._busy = True
            self._world.later(round(COALESCE_SEC * 1000), self._begin)

    def _begin(self) -> None:
        wait_s = self._bucket.wait_s(self._world.now_s)
        if wait_s:
            self._world.later(math.ceil(wait_s * 1000), self._begin)
            return
        self._bucket.take()
        tokens = tuple(self._waiting)[:TOKENS_PER_PRICES]
        for token in tokens:
            del self._waiting[token]
        _Read(self._world, self, tokens, self._done).begin()

    def _done(self, read: BooksRead) -> None:
        self._world.tell(read)
        self._busy = False
        self._go_on()

    def _books(self, wanted: _Wanted) -> bytes:
        """In another order than asked for, as the venue answers."""
        places = [place for one in reversed(wanted) if (place := self._shelf.face(one["token_id"])) is not None]
        return f"[{','.join(face.rest_book(outcome) for face, outcome in places)}]".encode()

    def _prices(self, wanted: _Wanted) -> bytes:
        prices: dict[str, dict[str, str]] = {}
        for one in wanted:
            place = self._shelf.face(one["token_id"])
            price = None if place is None else price_of(place, one["side"])
            if price is not None:
                prices.setdefault(one["token_id"], {})[one["side"]] = price
        return _encode(prices)


class _Read:
    """Two requests that become one event."""

    def __init__(self, world: World, reads: Reads, tokens: tuple[str, ...], done: Callable[[BooksRead], None]) -> None:
        self._world = world
        self._reads = reads
        self._tokens = tokens
        self._done = done
        self._asked_s = world.now_s
        self._open = {"/books", "/prices"}
        self._books: tuple[RestBook, ...] = ()
        self._touches: tuple[RestTouch, ...] = ()
        self._problem = ""

    def begin(self) -> None:
        """Send both."""
        books = [{"token_id": token} for token in self._tokens]
        prices = [one | {"side": side} for one in books for side in ("BUY", "SELL")]
        for path, wanted, late_ms in (("/books", books, 0), ("/prices", prices, PRICES_LAG_MS)):
            sent = partial(self._reads.serve, path, wanted, partial(self._take, path))
            self._world.later(ENTRY_MS + late_ms, sent)
            self._world.later(round(READ_SEC * 1000), partial(self._close, path, f"no answer within {READ_SEC:g} s"))

    def _take(self, path: str, answer: bytes | Reply) -> None:
        if path not in self._open:
            return
        rest, problem = _Answered(answer), ""
        try:
            if path == "/books":
                self._books = tuple(_at_once(rest.books(self._tokens)))
            else:
                self._touches = tuple(_at_once(rest.touches(self._tokens)))
        except PolymmError as error:
            problem = str(error)
        self._close(path, problem)

    def _close(self, path: str, problem: str) -> None:
        if path not in self._open:
            return
        self._open.discard(path)
        if path == "/books":
            self._problem = problem
        if not self._open:
            self._done(BooksRead(self._tokens, self._books, self._touches, self._asked_s, self._problem))


_CUT: Final = Reply(status=0, body=b"")
"""The connection was reset."""


class _Answered(PublicRest):
    """The session's reader of answers, for one that is there already."""

    def __init__(self, answer: bytes | Reply) -> None:
        self.malformed = 0
        self._answer = answer

    async def _post(self, path: str, wanted: _Wanted, most_bytes: int) -> bytes:
        answer = self._answer
        if isinstance(answer, bytes):
            return answer
        if answer is _CUT:
            raise VenueUnavailable(f"{path}: reset")
        if answer.status != 200:
            raise VenueRefused(f"{path}: status {answer.status}")
        return answer.body


def _at_once(work: Coroutine[Any, Any, Made]) -> Made:
    """What a coroutine returns that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        made: Made = end.value
        return made
    raise RuntimeError("it waits")
