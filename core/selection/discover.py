"""Open markets of the venue ranked for an operator who has no list, and the list that is made of them."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from core.clock import Clock
from core.config import Settings
from core.report.files import defused
from core.selection.books import books_or_why
from core.selection.enrich import Catalogue, Sourced, figures_of
from core.selection.income import Book
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS, Figures, ListRow
from core.selection.screen import Screening, UsedFigures, screened
from core.text import cleaned
from core.venue.gamma import GammaMarket

SPARE: Final = 10
"""So many more than are wanted are confirmed against the exchange: some fall out."""
_NO_INCOME: Final = -math.inf
_LEAST_USD: Final = 0.001


class Candidate(msgspec.Struct, frozen=True):
    """One open market of the venue."""

    sourced: Sourced
    figures: Figures
    screening: Screening

    @property
    def title(self) -> str:
        """Foreign text, uncleaned."""
        market = self.sourced.market
        return "" if market is None else market.instrument.title

    @property
    def against(self) -> str:
        """Why it is not for the list, in words; "" when it is."""
        sources = (*self.sourced.refusals, *self.sourced.lags)
        return "; ".join([*sources, *([] if self.screening.passes else [self.screening.words])])


class Discovery(msgspec.Struct, frozen=True):
    """What a look over the venue found."""

    scanned: int
    """Open markets that were looked at."""
    candidates: tuple[Candidate, ...]
    """The best, best first; those that something is said against come last."""
    notes: tuple[str, ...] = ()


async def discover(settings: Settings, clock: Clock, *, scan: int, most: int) -> Discovery:
    """Look over the venue's busiest open markets.

    Args:
        settings: the screen's bounds and the planned sizes.
        clock: says what is past.
        scan: open markets to look at, those with the largest volume of the day.
        most: best ones to return.

    Raises:
        VenueError: the catalogue, or the exchange's parameters as a whole, cannot be read.
    """
    catalogue = Catalogue(settings, clock)
    try:
        offered = await catalogue.open_markets(scan)
        unconfirmed = [_candidate(_by_gamma(offer.market, offer.row), settings, clock.unix()) for offer in offered]
        best = ranked(unconfirmed)[: most + SPARE]
        looked = await catalogue.look([candidate.sourced.row for candidate in best])
    finally:
        await catalogue.close()
    instruments = [found.instrument for found in looked.values() if found.instrument is not None]
    books, notes = await books_or_why(settings, instruments)
    unix = clock.unix()
    confirmed = [_candidate(found, settings, unix, books.get(market)) for market, found in looked.items()]
    return Discovery(len(offered), tuple(ranked(confirmed)[:most]), notes)


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Best first: those that nothing is said against, by expected income for each dollar at risk, then by score.

    Source: market-making.md 2.13.
    """

    def key(candidate: Candidate) -> tuple[bool, float, float, str]:
        screening = candidate.screening
        frac = _NO_INCOME if screening.income is None else screening.income.frac
        score = _NO_INCOME if math.isnan(screening.score) else screening.score
        return bool(candidate.against), -frac, -score, candidate.sourced.row.market

    return sorted(candidates, key=key)


def list_text(candidates: Sequence[Candidate]) -> str:
    """A market list, CSV, that ``market_list`` reads back as it is.

    Token ids begin with an apostrophe: a spreadsheet that opens the file would make numbers of them and lose their
    digits. Titles go into ``note``; none is taken for a formula (reliability.md M05).
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*COLUMNS, *OPTIONAL_COLUMNS))
    for candidate in candidates:
        row, figures = candidate.sourced.row, msgspec.structs.astuple(candidate.figures)
        note = cleaned(candidate.title)
        writer.writerow(
            (
                row.market,
                f"'{row.yes_token}",
                f"'{row.no_token}",
                *map(_number, figures),
                "yes",
                "",
                "",
                f"'{note}" if note.startswith("'") else defused(note),
            )
        )
    return stream.getvalue()


def _candidate(sourced: Sourced, settings: Settings, unix: float, book: Book | None = None) -> Candidate:
    figures = Figures() if sourced.market is None else figures_of(sourced.market)
    screening = screened(sourced, UsedFigures(figures, "Gamma's"), None, settings, unix, book)
    return Candidate(sourced, figures, screening)


def _by_gamma(market: GammaMarket, row: ListRow) -> Sourced:
    """A market as the catalogue alone tells it: enough to rank with, not to list."""
    return Sourced(row, market, None, None, (*market.obstacles, *market.conflicts), (), ())


def _number(figure: float | None) -> str:
    """A figure in plain digits, exactly; less than a tenth of a cent is nothing."""
    if figure is None:
        return ""
    return format(Decimal(repr(figure)), "f") if figure >= _LEAST_USD else "0"
