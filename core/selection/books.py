"""Books of many markets at once, to estimate with: read over REST, unproven, never quoted by."""

import contextlib
from collections.abc import Iterable, Sequence

from core.config import Settings
from core.errors import MalformedMessage, VenueError
from core.events import RestBook
from core.market.book import Book as MarketBook
from core.market.instrument import Instrument
from core.market.lens import Lenses
from core.selection.income import Book
from core.venue.public_rest import PublicRest


async def read_books(rest: PublicRest, instruments: Iterable[Instrument]) -> dict[str, Book]:
    """The YES books of these markets, by condition id; one that is not there or cannot be read is left out.

    Raises:
        VenueUnavailable: the venue cannot be reached.
        VenueRefused: it answers with an error, or with something that is no list of books.
    """
    by_token = {instrument.yes_token: instrument for instrument in instruments}
    books = {}
    for read in await rest.books(list(by_token)):
        instrument = by_token[read.asset_id]
        with contextlib.suppress(MalformedMessage):
            books[instrument.market] = levels_of(read, instrument)
    return books


def levels_of(read: RestBook, instrument: Instrument) -> Book:
    """A book of either token in the YES frame.

    Raises:
        MalformedMessage: it cannot be read on the market's grid, is crossed, or of a stranger's token.
    """
    lenses = Lenses(MarketBook(instrument.grid), instrument.yes_token, instrument.no_token)
    told = lenses.full_book(read)
    return Book(sorted(told.bids.items(), reverse=True), sorted(told.asks.items()))


async def books_or_why(
    settings: Settings, instruments: Sequence[Instrument]
) -> tuple[dict[str, Book], tuple[str, ...]]:
    """The books as :func:`read_books` has them, and a line for people where there are none because of the venue."""
    if not instruments:
        return {}, ()
    rest = PublicRest(settings.clob_url)
    try:
        return await read_books(rest, instruments), ()
    except VenueError as error:
        return {}, (f"no books could be read, so incomes are estimated without: {error}",)
    finally:
        await rest.close()
