"""What the venue says of the markets of the list: screened, estimated, judged. Nothing is decided or told here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from core.clock import Clock
from core.config import Settings
from core.errors import VenueError
from core.market.instrument import Instrument
from core.selection.changes import Kept
from core.selection.enrich import Sourced
from core.selection.found import Found, find_out
from core.selection.income import Book
from core.selection.standings import Judged
from core.views import ListedMarketView

log = logging.getLogger(__name__)

HYDRATING_SEC: Final = 180.0
"""How long a new market is looked at often (reliability.md 2.3, D11); then at the usual readings."""
MOST_BOOKS: Final = 200
"""Markets whose books are read for the estimate: those that were taken up, then the most promising ones."""
BOOKS_AT_ONCE: Final = 10
"""Books of one request; decoding them is one step of the loop."""
CHUNK: Final = 20
"""Markets that are screened between two turns of the loop."""

ReadBooks = Callable[[Sequence[Instrument]], Awaitable[Mapping[str, Book]]]


class Judging:
    """What was found out about every market so far. All methods run on the session's loop."""

    def __init__(self, clock: Clock, settings: Settings, books: ReadBooks) -> None:
        """Nothing is found out yet; ``books`` may raise ``VenueError``."""
        self._clock = clock
        self._settings = settings
        self._books = books
        self.judged: dict[str, Judged] = {}
        self.shown: dict[str, ListedMarketView] = {}
        """What was found out, as it is shown; only where it stands is not said yet."""
        self.unmade: dict[str, str] = {}
        """Why the engine could not take a market up, in words."""
        self._seen_s: dict[str, float] = {}
        """When a market was first looked at that is not made."""

    def refuse(self, market: str, why: str) -> None:
        """The engine cannot take a market up, for a reason in words."""
        self.unmade[market] = f"it cannot be made: {why}"
        self.judged[market] = replace(self.judged[market], refusal=self.unmade[market])

    async def judge(self, looked: Mapping[str, Sourced], kept: Kept, made: Container[str]) -> bool:
        """Screen what was found out; returns whether some market is worth another look soon.

        Args:
            looked: what the venue says, by market.
            kept: the list in force.
            made: markets that the engine has.
        """
        again = self._comes_soon(looked, made)
        found = await self._screened(looked, kept)
        await self._estimate_with_books(found)
        for n, (market, one) in enumerate(found.items()):
            if n % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
            self.shown[market] = one.shown
            judged, before = one.judged, self.judged.get(market)
            if why := self.unmade.get(market):
                judged = replace(judged, refusal=why)
            is_made = one.entry.made_unix is not None
            if is_made and judged.against and (before is None or not (before.against or before.doubted)):
                self.judged[market] = replace(before or judged, refusal="", passes=True, doubted=True)
                again = True
            else:
                self.judged[market] = judged
        return again

    def _comes_soon(self, looked: Mapping[str, Sourced], made: Container[str]) -> bool:
        """A market that is not made may be known to both sources in a moment."""
        now = self._clock.monotonic()
        self._seen_s = {market: at for market, at in self._seen_s.items() if market in looked}
        coming = [market for market, sourced in looked.items() if sourced.lags and market not in made]
        for market in coming:
            self._seen_s.setdefault(market, now)
        return any(now - self._seen_s[market] < HYDRATING_SEC for market in coming)

    async def _screened(self, looked: Mapping[str, Sourced], kept: Kept) -> dict[str, Found]:
        """Every market of the list against the screen, some between two turns of the loop."""
        entries = {entry.row.market: entry for entry in (*kept.leaving, *kept.listed)}
        found = {}
        for n, (market, sourced) in enumerate(looked.items()):
            if n % CHUNK == CHUNK - 1:
                await asyncio.sleep(0)
            entry = entries.get(market)
            is_made = entry is not None and entry.made_unix is not None
            if entry is None or (is_made and (sourced.market is None or sourced.params is None)):
                continue  # one source alone neither opens nor closes a market (reliability.md D10)
            found[market] = find_out(entry, sourced, self._settings, self._clock.unix())
        return found

    async def _estimate_with_books(self, found: dict[str, Found]) -> None:
        """Estimate again, with their books, what is made or may be; without where there are none."""
        able = {
            market: one.sourced.instrument
            for market, one in found.items()
            if one.sourced.instrument is not None and one.screening.passes and not one.sourced.refusals
        }
        first = sorted(able, key=lambda market: (not found[market].entry.taken, -found[market].income))[:MOST_BOOKS]
        for n in range(0, len(first), BOOKS_AT_ONCE):
            try:
                books = await self._books([able[market] for market in first[n : n + BOOKS_AT_ONCE]])
            except VenueError as error:
                log.warning("list_books_unread", extra={"detail": str(error)})
                return
            for market, book in books.items():
                one = found[market]
                found[market] = find_out(one.entry, one.sourced, self._settings, self._clock.unix(), book)
