"""A list in a file: CSV as spreadsheets and editors save it, and TOML; what is no list says so and names the place."""

import asyncio
import csv
import io
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import Settings
from core.errors import ListError
from core.selection.files import MOST_BYTES, FileProvider, csv_cells
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS, Figures, ListRow, MarketList
from core.selection.rows import checked
from core.units import Usd, micro_text
from tests.core.selection.test_rows import condition, token

HEADER = ",".join(COLUMNS)


def line(number: int = 1, *more: str, separator: str = ",") -> str:
    return separator.join([condition(number), token(2 * number), token(2 * number + 1), "1.5", "2", "3", "4", *more])


def lines(*of: str) -> str:
    return "\n".join([HEADER, *of]) + "\n"


def read(path: Path, **settings: Any) -> MarketList:
    return asyncio.run(FileProvider(path, Settings(**settings), ("calm",), notes=("why",)).read())


def trouble(path: Path, **settings: Any) -> str:
    with pytest.raises(ListError) as caught:
        read(path, **settings)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "markets.csv"


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "markets.toml"


def test_a_csv_is_read_with_the_time_of_its_last_change(path: Path) -> None:
    path.write_text(lines(line(1), line(2)))
    path.chmod(0o644)
    os.utime(path, (1_790_000_000, 1_790_000_000))
    found = read(path)
    assert [(row.row, row.market, row.yes_token) for row in found.rows] == [
        (2, condition(1), token(2)),
        (3, condition(2), token(4)),
    ]
    assert found.rows[0].figures == Figures(1.5, 2, 3, 4)
    assert (found.source, found.kind, found.changed_unix) == (str(path), "file", 1_790_000_000)
    assert found.notes == ("why",)


def test_each_reading_is_of_the_file_as_it_is_then(path: Path) -> None:
    provider = FileProvider(path, Settings(), ())
    path.write_text(lines(line(1)))
    assert len(asyncio.run(provider.read()).rows) == 1
    path.write_text(lines(line(1), line(2)))
    assert len(asyncio.run(provider.read()).rows) == 2


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(["", "calm"]), st.integers(1, 10**9), st.text()),
        min_size=1,
        max_size=8,
    ),
    st.permutations([*COLUMNS, *OPTIONAL_COLUMNS]),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_program_writes_as_csv_is_read_as_it_was_meant(
    told: list[tuple[bool, str, int, str]], order: list[str], separator: str, end: str
) -> None:
    """Whatever the order of the columns, the separator, and what notes have in them."""
    meant = [
        ListRow(0, condition(n), token(2 * n), token(2 * n + 1), Figures(1.5, None, n, 3), enabled, profile,
                Usd(cents * 10_000), note)
        for n, (enabled, profile, cents, note) in enumerate(told, 1)
    ]  # fmt: skip
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, order, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for row in meant:
        figures = zip(COLUMNS[3:], msgspec.structs.astuple(row.figures), strict=True)
        ids = {"market_id": row.market, "yes_token_id": row.yes_token, "no_token_id": row.no_token}
        limit = micro_text(row.max_usd or 0)
        own = {"enabled": row.enabled, "profile": row.profile, "max_usd": limit, "note": row.note}
        writer.writerow(ids | dict(figures) | own)
    cells, _ = csv_cells(stream.getvalue().encode(errors="replace").decode(), "list")
    found = checked(cells, source="list", kind="file", profiles=("calm",), most_rows=10)
    assert not found.rejected
    for row, read_back in zip(meant, found.rows, strict=True):
        assert msgspec.structs.replace(read_back, row=0, note="") == msgspec.structs.replace(row, note="")
        assert read_back.note.isprintable()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_it_is_read_whatever_program_saved_it(path: Path, separator: str, end: str, mark: str) -> None:
    """Excel puts a mark at the beginning, and semicolons where commas are decimal."""
    text = end.join([HEADER.replace(",", separator), line(1, separator=separator), "", line(2, separator=separator)])
    path.write_bytes((mark + text + end).encode())
    assert [row.row for row in read(path).rows] == [2, 4]


def test_rows_are_counted_in_lines_where_texts_go_over_several(path: Path) -> None:
    path.write_text(f'{HEADER},note\n{line(1)},"one\ntwo\nthree"\n{line(2)},\n{line(3, "x")[:-1]}"a, b"\n')
    found = read(path)
    assert [(row.row, row.note) for row in found.rows] == [(2, "one two three"), (5, ""), (6, "a, b")]


def test_a_comma_too_many_is_named(path: Path) -> None:
    path.write_text(f"{HEADER},note\n{line(1)},one, two\n{line(2)},three\n")
    (rejected,) = read(path).rejected
    assert (rejected.row, rejected.market) == (2, condition(1))
    assert "more cells than the header" in rejected.reason


def test_ids_that_a_spreadsheet_saved_as_numbers_are_named(path: Path) -> None:
    path.write_text(lines(line(1).replace(token(2), "7.13210456792522E+76"), line(2)))
    (rejected,) = read(path).rejected
    assert (rejected.row, rejected.column, rejected.value) == (2, "yes_token_id", "7.13210456792522E+76")
    assert "a spreadsheet made it so; format its column as plain text" in rejected.reason


def test_a_cell_guarded_against_formulas_is_read(path: Path) -> None:
    """As `markets discover` writes texts that would be formulas elsewhere (reliability.md M05)."""
    path.write_text(f"{HEADER},note\n{line(1)},'=1+1\n")
    assert read(path).rows[0].note == "=1+1"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (HEADER.encode(), "is empty"),
        (b"market_id,yes\n0x1,2\n", 'no column "yes_token_id"'),
        (lines(line()).encode("utf-16"), "is no UTF-8 text"),
        (lines(line(1, "M\xe4rz")).encode("latin-1"), "is no UTF-8 text"),
        (f'{HEADER}\n{line(1)}\n"not closed'.encode(), "no valid CSV"),
        (f'{HEADER}\n"{"x" * 200_000}"'.encode(), "line 2: no valid CSV"),
        (b"\x00" * 100, 'no column "market_id"'),
        (b"x" * (MOST_BYTES + 1), "taken for a mistake"),
    ],
)
def test_what_is_no_list_is_told_with_its_place(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(content)
    assert says in trouble(path)


def test_a_file_that_is_not_there_is_told_with_the_way_to_one(path: Path) -> None:
    assert "No such file or directory; `polymm-tui markets discover --out markets.csv`" in trouble(path)


def test_a_directory_or_a_pipe_is_no_list(path: Path, tmp_path: Path) -> None:
    path.mkdir()
    assert "is no file" in trouble(path)
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    assert "is no file" in trouble(pipe)


def test_a_file_must_say_of_what_kind_it_is(tmp_path: Path) -> None:
    with pytest.raises(ListError, match=r"a market list is a file named \.csv or \.toml"):
        FileProvider(tmp_path / "markets.xlsx", Settings(), ())
    (tmp_path / "MARKETS.CSV").write_text(lines(line()))
    assert read(tmp_path / "MARKETS.CSV").rows


def test_a_file_that_others_may_change_is_told(path: Path) -> None:
    """It is an instruction about money."""
    path.write_text(lines(line()))
    path.chmod(0o666)
    assert read(path).notes == ("why", f"other users may change {path}: chmod go-w it")


def test_a_list_that_is_too_long_names_the_setting(path: Path) -> None:
    path.write_text(lines(*(line(n) for n in range(1, 6))))
    assert "has 5 rows, which is taken for a mistake; if it is none, raise list_rows_max (now 4)" in trouble(
        path, list_rows_max=4
    )


def test_a_disk_that_hangs_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file on a server that is gone; the thread is left behind, the loop goes on."""
    release = threading.Event()
    monkeypatch.setattr("core.selection.files._content", lambda *_: release.wait(30))
    with pytest.raises(ListError, match=r"nothing came within 0\.5 s"):
        read(path, list_deadline_sec=0.5)
    release.set()


def test_what_goes_wrong_unforeseen_is_told_by_its_kind_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.selection.files._content", lambda *_: 1 / 0)
    assert "reading it failed (ZeroDivisionError)" in trouble(path)


def table(number: int, **more: str) -> str:
    fields = {
        "market_id": f'"{condition(number)}"', "yes_token_id": f'"{token(2 * number)}"',
        "no_token_id": f'"{token(2 * number + 1)}"', "Liquidity": "1.5", "Volume_7d": "3",
    }  # fmt: skip
    return "\n".join(["[[market]]", *(f"{key} = {value}" for key, value in (fields | more).items())]) + "\n"


def test_a_toml_has_a_table_a_market(toml: Path) -> None:
    """Their numbers are their places; what a table does not name is missing there alone."""
    toml.write_text(table(1) + table(2, enabled="false", max_usd="250", profile='"calm"', volume_24H="7"))
    first, second = read(toml).rows
    assert (first.row, first.market, first.figures) == (1, condition(1), Figures(1.5, None, 3, None))
    assert (second.row, second.enabled, second.max_usd, second.profile) == (2, False, Usd(250_000_000), "calm")
    assert second.figures == Figures(1.5, 7, 3, None)


def test_an_id_without_quotes_is_named(toml: Path) -> None:
    """TOML's integers have 64 bits; what a reader makes of longer ones is its own affair."""
    toml.write_text(table(1, yes_token_id=token(2)) + table(2, no_token_id="1e76") + table(3))
    found = read(toml)
    assert [row.row for row in found.rows] == [3]
    assert [(each.row, each.column) for each in found.rejected] == [(1, "yes_token_id"), (2, "no_token_id")]
    assert all("in TOML: in quotes" in each.reason for each in found.rejected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("market = []", "is empty"),
        ("[[market]]\n", "is empty"),
        ("[market]\nmarket_id = 1", "written as [[market]]"),
        ('[market."0x12"]\nprofile = "calm"', "written as [[market]]"),
        ("market = [1, 2]", "written as [[market]]"),
        (f"k_vol = 2\n{table(1)}", "k_vol: not known here"),
        (f"[[markets]]\n{table(1)}", "markets: not known here"),
        (f"{table(1)}market_ID = 'x'\n", "table 1 has market_id twice"),
        (f"{table(1)}max_us = 5\n", "if it means max_usd, call it so"),
        ("[[market]\n", "no valid TOML"),
        (f"[[market]]\nmarket_id = {'9' * 5_000}\n", "no valid TOML: a number or a nesting is too long"),
        (f"market = {'[' * 5_000}", "no valid TOML"),
    ],
)
def test_what_is_no_toml_list_is_told(toml: Path, text: str, says: str) -> None:
    toml.write_text(text)
    assert says in trouble(toml)


def test_values_of_other_kinds_are_no_cells(toml: Path) -> None:
    toml.write_text(table(1, market_id="[1]") + table(2, max_usd="2026-01-01") + table(3))
    assert [(each.row, each.column) for each in read(toml).rejected] == [(1, "market_id"), (2, "max_usd")]


def test_keys_nobody_knows_are_told(toml: Path) -> None:
    toml.write_text(table(1, colour='"red"'))
    assert read(toml).notes == ("why", 'columns that are not read: "colour"')
