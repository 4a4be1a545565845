"""Screen, income and list on the venue's own words: open markets of Gamma, and books with their markets."""

import csv
import io
import json
import math

from msgspec import convert

from core.config import Settings
from core.events import RestBook
from core.selection.books import levels_of
from core.selection.discover import Candidate, list_text, ranked
from core.selection.enrich import Sourced, figures_of, row_of
from core.selection.income import Book
from core.selection.rows import checked
from core.selection.screen import UsedFigures, screened
from core.venue.gamma import GammaMarket, parse_market
from tests.builders import recorded
from tests.core.selection.sources import NOW


def candidate(market: GammaMarket, number: int = 1, book: Book | None = None) -> Candidate:
    """A recorded market before the usual screen."""
    source = Sourced(row_of(market, number), market, None, market.instrument, (), (), ())
    figures = figures_of(market)
    return Candidate(source, figures, screened(source, UsedFigures(figures, "Gamma's"), None, Settings(), NOW, book))


def test_every_recorded_book_gives_an_estimate_of_its_own() -> None:
    """21 books: the estimate is made of the book, and differs from the one that has to assume it."""
    paths = recorded("book-gamma-pairs-2026-07/book-*.json")
    assert len(paths) == 21
    for path in paths:
        market = parse_market(json.loads(path.with_name(path.name.replace("book-", "gamma-market-")).read_bytes()))
        read = convert(json.loads(path.read_bytes()), RestBook, strict=False)
        book = levels_of(read, market.instrument)
        assert book.bids and book.asks and book.bids[0][0] < book.asks[0][0], path.name
        income = candidate(market, book=book).screening.income
        assumed = candidate(market).screening.income
        assert income is not None and income.has_book and not any("no book read" in words for words in income.words)
        assert assumed is not None and not assumed.has_book
        assert math.isfinite(income.usd_per_day) and income != assumed
        assert market.mid is not None
        middle = (book.bids[0][0] + book.asks[0][0]) / 2 / market.instrument.grid.k
        assert abs(middle - market.mid) < 0.05, "both are of YES, whichever token the book was read of"


def test_recorded_markets_are_ranked_written_and_read_back() -> None:
    """Gamma's page of fifty: the best come first, and the file holds them all."""
    raw = json.loads(recorded("gamma-markets-50.json")[0].read_bytes())
    found = ranked(candidate(parse_market(one), number) for number, one in enumerate(raw, 1))
    assert len(found) == len(raw) == 50
    passing = [each for each in found if not each.against]
    assert found[: len(passing)] == passing and passing
    fracs = [each.screening.income.frac for each in passing if each.screening.income is not None]
    assert fracs == sorted(fracs, reverse=True)
    cells = list(csv.reader(io.StringIO(list_text(found), newline=""), strict=True))
    read = checked(cells, source="it", kind="file", profiles=(), most_rows=50)
    assert not read.rejected
    for row, each in zip(read.rows, found, strict=True):
        assert (row.market, row.yes_token, row.no_token) == (
            each.sourced.row.market, each.sourced.row.yes_token, each.sourced.row.no_token,
        )  # fmt: skip
        assert row.figures == each.figures
