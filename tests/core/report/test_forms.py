"""The forms of a report and the exports: one page without anything foreign in it, tables a spreadsheet can take."""

import csv
import io
import re
import sqlite3
import sys
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.account_history import Made, Plan, make
from core.errors import UsageError
from core.portfolio.entries import Buy, Sell
from core.report.charts import charts
from core.report.exports import CHUNK, TABLES, count, write_csv, write_parquet
from core.report.figures import Report
from core.report.files import defused, whole_file
from core.report.html import escaped, page
from core.report.tables import dollars, lasting, sections, share_count, signed
from core.report.tidy import HEADER
from core.report.tidy import write_csv as write_tidy
from core.units import Shares, Usd
from tests.core.report.small import MARKET, NOON, WALLET, Small, report_of

HOSTILE = '=HYPERLINK("http://x")</td><script>alert(1)</script>$\\frac{1}{0$ \x1b[31m\u202e\U0001f600'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("history") / "mm_state.db", Plan(fills=300, days=2, markets=3))


@pytest.fixture(scope="module")
def report(made: Made) -> Report:
    return report_of(made.path)


@pytest.fixture
def hostile(tmp_path: Path) -> Report:
    """Of a market whose title is meant to do harm, twice so that it stands in a chart."""
    small = Small(tmp_path)
    small.session()
    small.market(title=HOSTILE)
    small.market("-0xevil", title="$\\frac{1}{0$ @SUM(A1)")
    for market in (MARKET, "-0xevil"):
        small.fair(1.0, 500_000, market)
        small.book(10.0, Buy("YES", Shares(1_000_000), Usd(480_000)), market)
    small.add("findings", None, 1, NOON + 5.0, "odd", "warning", "none", MARKET, "", HOSTILE, "", "")
    return small.report()


class Page(HTMLParser):
    """Tags, attributes that lead somewhere, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.leads: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src", "xlink:href", "action", "data", "srcset", "poster"):
                self.leads.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            assert not name.startswith("on")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else(report: Report) -> None:
    """No script, no reference out of it, charts inline, in the ink of the page; and the same tables as elsewhere."""
    drawn = charts(report)
    assert set(drawn) == {"equity", "days", "markets", "markouts"}
    told = page(report, drawn)
    found = Page(told)
    assert not found.tags & {"script", "link", "iframe", "img", "object", "embed", "form", "base", "audio", "video"}
    assert found.leads and all(lead.startswith("#") for lead in found.leads)
    assert len(found.ids) == len(set(found.ids)) and {lead[1:] for lead in found.leads} <= set(found.ids)
    without = re.sub(r'xmlns(:xlink)?="[^"]*"', "", told)
    assert "://" not in without and "@import" not in told and "url(" not in re.sub(r"url\(#[^)]*\)", "", told)
    assert told.count("<svg") == 4 and "currentColor" in told and "#010203" not in told
    assert "prefers-color-scheme: dark" in told and "default-src 'none'" in told
    for section in sections(report):
        for cell in (cell for row in section.rows for cell in row):
            assert cell in found.text, cell


def test_the_same_report_is_the_same_page(report: Report) -> None:
    """Nothing of the clock or of chance is in it."""
    assert page(report, charts(report)) == page(report, charts(report))


def test_words_of_strangers_are_harmless_on_the_page(hostile: Report) -> None:
    """No tag of theirs, no formula of a drawing language, nothing invisible."""
    told = page(hostile, charts(hostile))
    found = Page(told)
    assert "script" not in found.tags and "alert(1)" in found.text
    assert not {"\x1b", "\u202e", "\x00"} & set(told)
    assert escaped("a\x00b\n<\u2028") == "ab &lt; "


def test_without_matplotlib_the_extra_is_named(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lack costs the page only."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"install polymm-tui\[report\]"):
        charts(report)


def table_of(report: Report) -> list[dict[str, str]]:
    stream = io.StringIO()
    write_tidy(report, stream)
    return list(csv.DictReader(io.StringIO(stream.getvalue())))


def test_the_long_table_has_a_row_a_figure(report: Report) -> None:
    """With exact decimals, whose unit stands beside them."""
    rows = table_of(report)
    assert list(rows[0]) == list(HEADER)
    [total] = [row for row in rows if (row["section"], row["figure"]) == ("total", "total")]
    assert round(float(total["value"]) * 1e6) == report.total.parts.total_micro_usd and total["unit"] == "dollars"
    days = [row for row in rows if row["section"] == "by_day" and row["figure"] == "total"]
    assert [row["day"] for row in days] == [day.day for day in report.by_day]
    assert sum(round(float(row["value"]) * 1e6) for row in days) == report.total.parts.total_micro_usd
    [layer] = [
        row for row in rows
        if (row["section"], row["side"], row["layer"], row["figure"]) == ("by_layer", "bid", "1", "shares")
    ]  # fmt: skip
    assert layer["unit"] == "shares"
    assert {row["unit"] for row in rows} == {"dollars", "shares", "seconds", "unix seconds", "text", ""}


def test_no_cell_is_a_formula(hostile: Report) -> None:
    """Text that a spreadsheet would carry out begins with an apostrophe; numbers stay numbers."""
    for row in table_of(hostile):
        for name, cell in row.items():
            if cell[:1] in ("=", "+", "-", "@"):
                assert name == "value" and float(cell) < 0
    assert [defused(text) for text in ("=1", "+1", "-1", "@x", "\tx", "x", "")] == [
        "'=1", "'+1", "'-1", "'@x", "'\tx", "x", "",
    ]  # fmt: skip
    assert all(defused(text) == f"'{text}" for text in "\uff1d\uff0b\uff0d\uff20"), "full-width, by some locales"


def test_numbers_for_people() -> None:
    """Dollars to the cent, shares to the hundredth, long times in long units."""
    assert [dollars(n) for n in (0, 1_234_567_890, -3_205_000, -1, 123_456_789_000)] == [
        "0.00", "1,234.57", "\u22123.20", "0.00", "123,457",
    ]  # fmt: skip
    assert [signed(n) for n in (0, 5_000, 4_999, -10_000)] == ["0.00", "0.00", "0.00", "\u22120.01"]
    assert [share_count(n) for n in (0, 7_500_000, -10_000, 12_345_678_900)] == ["0", "7.5", "\u22120.01", "12,346"]
    assert [lasting(n) for n in (5.0, 119.0, 3_600.0, 90_000.0, 864_000.0)] == [
        "5 s",
        "119 s",
        "60 min",
        "25.0 h",
        "10.0 d",
    ]


@pytest.mark.parametrize("what", sorted(TABLES))
def test_an_export_holds_every_row(made: Made, tmp_path: Path, what: str) -> None:
    """In both forms, the same values, integers as integers, and nothing of another account."""
    table = TABLES[what]
    with closing(sqlite3.connect(made.path)) as db:
        plain, columns = io.BytesIO(), tmp_path / "out.parquet"
        told: list[int] = []
        written = write_csv(db, table, WALLET, plain, told.append)
        with columns.open("wb") as stream:
            assert write_parquet(db, table, WALLET, stream, lambda _: None) == written
        assert written == count(db, table, WALLET) == (told[-1] if told else 0)
        assert count(db, table, "nobody") == 0
    rows = list(csv.DictReader(io.StringIO(plain.getvalue().decode())))
    parquet = pq.read_table(columns)
    assert len(rows) == parquet.num_rows == written
    assert list(rows[0] if rows else parquet.schema.names) == parquet.schema.names == [c.name for c in table.columns]
    for column in table.columns:
        assert (
            str(parquet.schema.field(column.name).type)
            == {"int": "int64", "float": "double", "text": "string"}[column.kind]
        )
        values = parquet[column.name].to_pylist()
        assert ["" if value is None else str(value) for value in values] == [row[column.name] for row in rows]


def test_an_export_of_nothing_has_a_header(tmp_path: Path) -> None:
    """Also as Parquet."""
    small = Small(tmp_path)
    small.session()
    with closing(sqlite3.connect(small.path)) as db:
        plain, columns = io.BytesIO(), io.BytesIO()
        assert write_csv(db, TABLES["fills"], WALLET, plain, lambda _: None) == 0
        assert write_parquet(db, TABLES["fills"], WALLET, columns, lambda _: None) == 0
    assert plain.getvalue().startswith(b"seq,session,matched_unix,market")
    assert pq.read_table(io.BytesIO(columns.getvalue())).num_rows == 0


def test_an_export_goes_in_pieces_and_defuses_text(tmp_path: Path) -> None:
    """Memory does not grow with the table; what a market is called is no formula."""
    small = Small(tmp_path)
    small.session()
    small.market(title="=1+1")
    small.book(1.0, Sell("YES", Shares(1_000_000), Usd(500_000)))
    with closing(sqlite3.connect(small.path)) as db:
        db.executemany(
            "INSERT INTO journal VALUES (?, 1, ?, 'note', '{}')", [(n, 0.0) for n in range(1, 2 * CHUNK + 2)]
        )
        db.commit()
        told: list[int] = []
        write_csv(db, TABLES["journal"], WALLET, io.BytesIO(), told.append)
        assert told == [CHUNK, 2 * CHUNK, 2 * CHUNK + 1]
        stream = io.BytesIO()
        write_csv(db, TABLES["fills"], WALLET, stream, lambda _: None)
    [row] = csv.DictReader(io.StringIO(stream.getvalue().decode()))
    assert (row["title"], row["order_side"], row["layer"]) == ("'=1+1", "SELL", "")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """One that is there stays unless it is to be replaced; after an error nothing is left behind."""
    path = tmp_path / "out.csv"
    with whole_file(path, force=False) as stream:
        stream.write(b"first")
        assert not path.exists()
    with pytest.raises(UsageError, match="is there already; --force"), whole_file(path, force=False):
        pass
    with pytest.raises(ZeroDivisionError), whole_file(path, force=True) as stream:
        stream.write(b"second")
        1 / 0  # noqa: B018
    assert path.read_bytes() == b"first"
    with whole_file(path, force=True) as stream:
        stream.write(b"third")
    assert path.read_bytes() == b"third" and [one.name for one in tmp_path.iterdir()] == ["out.csv"]
    with pytest.raises(UsageError, match="cannot be written"), whole_file(tmp_path / "no" / "x", force=False):
        pass
