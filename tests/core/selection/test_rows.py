"""Row by row: what can be used, what cannot and why (peers.md 3, first row; reliability.md D12, D14, M03, M08)."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ListError
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS, Cell, Figures, Kind, MarketList
from core.selection.rows import checked, condition_id, proper_name
from core.units import Usd

PROFILES = ("calm", "sports")
ALL = (*COLUMNS, *OPTIONAL_COLUMNS)


def condition(number: int) -> str:
    return f"0x{number:064x}"


def token(number: int) -> str:
    """An id as the venue's are: 77 digits, of which none is like another."""
    return str(random.Random(number).randrange(10**76, 10**77))


def row(number: int = 1, **cells: Cell) -> dict[str, Cell]:
    """A row that can be used, with some of its cells changed."""
    usual: dict[str, Cell] = {
        "market_id": condition(number),
        "yes_token_id": token(2 * number),
        "no_token_id": token(2 * number + 1),
        "Liquidity": 20_000.5,
        "Volume_24h": 10_000,
        "Volume_7d": 60_000,
        "Volume_30d": 150_000,
    }
    return usual | cells


def read(
    *rows: dict[str, Cell], columns: Sequence[str] = ALL, kind: Kind = "sheet", most_rows: int = 100
) -> MarketList:
    cells: list[list[Cell]] = [list(columns), *([each.get(name) for name in columns] for each in rows)]
    return table(cells, kind=kind, most_rows=most_rows)


def table(cells: Sequence[Sequence[Cell]], kind: Kind = "sheet", most_rows: int = 100) -> MarketList:
    return checked(cells, source='sheet "S"', kind=kind, profiles=PROFILES, most_rows=most_rows)


def reason(kind: Kind = "sheet", **cells: Cell) -> str:
    """Why a row with these cells is rejected; another one beside it is not."""
    found = read(row(1, **cells), row(2), kind=kind)
    assert [each.row for each in found.rows] == [3]
    (rejected,) = found.rejected
    assert (rejected.row, rejected.column) == (2, next(iter(cells)))
    return rejected.reason


def test_a_row_is_read_with_all_it_says() -> None:
    found = read(row(enabled="no", profile="calm", max_usd="250.5", note="watch\x1b[31m it"))
    (only,) = found.rows
    assert (only.row, only.market, only.yes_token, only.no_token) == (2, condition(1), token(2), token(3))
    assert only.figures == Figures(20_000.5, 10_000, 60_000, 150_000)
    assert (only.enabled, only.profile, only.max_usd, only.note) == (False, "calm", Usd(250_500_000), "watch[31m it")
    assert not found.rejected
    assert not found.notes


def test_without_the_optional_columns_a_market_is_made_as_the_settings_say() -> None:
    (only,) = read(row(), columns=COLUMNS).rows
    assert (only.enabled, only.profile, only.max_usd, only.note) == (True, "", None, "")


@given(st.permutations(ALL), st.sampled_from([str.upper, str.lower, str.title]), st.sampled_from(["_", " ", "", " - "]))
def test_columns_are_found_by_name_whatever_order_case_and_spaces(order: list[str], case: Any, mark: str) -> None:
    """Row 3 of peers.md: the seed ignored the documented columns."""
    said = row(profile="calm", max_usd=5)
    cells: list[list[Cell]] = [[case(name.replace("_", mark)) for name in order], [said.get(name) for name in order]]
    assert table(cells).rows == read(said).rows


def test_what_stands_before_a_name_in_the_file_does_no_harm() -> None:
    """A byte order mark, a space that does not break, an apostrophe."""
    header: list[Cell] = ["\ufeffMarket\u00a0ID", "'yes_token_id", " no_token_id\n", *COLUMNS[3:]]
    assert table([header, [row()[name] for name in COLUMNS]]).rows[0].market == condition(1)


def test_rows_are_numbered_as_the_sheet_counts_them_and_empty_ones_are_skipped() -> None:
    """Also rows where nothing but a box that is not ticked stands: a column of boxes has them down to its end."""
    blank: list[Cell] = [None] * len(ALL)
    unticked: list[Cell] = [*blank[:7], False, None, "", "  "]
    cells = [[], list(ALL), blank, [row(1).get(name) for name in ALL], [], unticked, [row(2).get(name) for name in ALL]]
    assert [each.row for each in table(cells).rows] == [4, 7]


@pytest.mark.parametrize("kind", ["sheet", "file"])
@pytest.mark.parametrize("box", ["FALSE", " false ", "no", "0", 0, False])
def test_a_row_of_a_no_alone_is_empty(kind: Kind, box: Cell) -> None:
    """As a column of boxes is saved: a rejected row in its place would make every removal wait for it."""
    unticked: list[Cell] = [*[""] * 7, box, "", "", ""]
    cells = [list(ALL), [row(1).get(name) for name in ALL], unticked]
    assert not table(cells, kind=kind).rejected
    for said in ("TRUE", "yes", "maybe"):
        assert len(table([*cells[:2], [*[""] * 7, said, "", "", ""]], kind=kind).rejected) == 1, "that means something"
    elsewhere: list[Cell] = [*[""] * 8, "no", "", ""]
    assert len(table([*cells[:2], elsewhere], kind=kind).rejected) == 1, "no box stands in a column of names"


def test_a_row_of_what_is_not_read_is_empty() -> None:
    cells: list[list[Cell]] = [[*COLUMNS, "rank"], [*(row()[name] for name in COLUMNS), 1], [*([None] * 7), 2]]
    assert len(table(cells).rows) == 1
    assert not table(cells).rejected


@pytest.mark.parametrize("name", COLUMNS)
def test_a_renamed_column_is_named_with_the_nearest_there_is(name: str) -> None:
    """A changed header is another table than meant; peers.md 3: read errors became an empty list."""
    columns = [each if each != name else f"{name} (old)" for each in COLUMNS]
    with pytest.raises(ListError) as caught:
        table([list(columns), [row()[each] for each in COLUMNS]])
    assert f'no column "{name}" (the nearest there is "{name} (old)")' in str(caught.value)
    assert str(caught.value).startswith('sheet "S"')


def test_a_table_without_a_header_says_what_is_missing() -> None:
    with pytest.raises(ListError, match='no column "market_id", "yes_token_id"'):
        table([[row(n)[name] for name in COLUMNS] for n in range(3)])


@pytest.mark.parametrize("name", ALL)
def test_a_column_that_is_there_twice_is_named(name: str) -> None:
    with pytest.raises(ListError, match=f'the column "{name}" is there twice'):
        read(row(), columns=[*ALL, name.upper()])


@pytest.mark.parametrize(
    ("said", "meant"), [("max_us", "max_usd"), ("Max USD $", "max_usd"), ("enable", "enabled"), ("profiles", "profile")]
)
def test_a_misspelt_column_that_holds_markets_back_does_not_pass_for_none(said: str, meant: str) -> None:
    """Without it a market would lose a limit, or be made although it is switched off."""
    columns = [each if each != meant else said for each in ALL]
    with pytest.raises(ListError, match=f"if it means {meant}, call it so"):
        table([list(columns), [row().get(each) for each in ALL]])


def test_columns_nobody_knows_are_told_and_stop_nothing() -> None:
    found = table([[*COLUMNS, "Rank", "\x1b[2JWhy\u202e"], [*(row()[name] for name in COLUMNS), 1, "x"]])
    assert found.notes == ('columns that are not read: "Rank", "[2JWhy"',)
    many = table([[*COLUMNS, *(f"c{n}" for n in range(30))], [row()[name] for name in COLUMNS]])
    assert many.notes[0].endswith("and 20 more")
    most = table([[*COLUMNS, *(f"c{n}" for n in range(11))], [row()[name] for name in COLUMNS]])
    assert most.notes[0].endswith('"c9" and 1 more')


@pytest.mark.parametrize("cells", [[], [[]], [[None, ""], ["  "]], [list(COLUMNS)], [list(COLUMNS), [None], ["", " "]]])
def test_an_empty_list_is_no_list(cells: list[list[Cell]]) -> None:
    """reliability.md D12: it never means that all markets go."""
    with pytest.raises(ListError, match="is empty"):
        table(cells)


def test_a_list_that_is_too_long_is_taken_for_a_mistake() -> None:
    assert len(read(*(row(n) for n in range(1, 4)), most_rows=3).rows) == 3
    with pytest.raises(ListError, match=r"has 4 rows.*list_rows_max \(now 3\)"):
        read(*(row(n) for n in range(1, 5)), most_rows=3)


def test_ten_thousand_rows_are_counted_and_not_read() -> None:
    with pytest.raises(ListError, match="has 10000 rows"):
        read(*([row()] * 10_000), most_rows=2_000)


def test_a_list_of_which_no_row_can_be_used_says_what_is_wrong_with_the_first() -> None:
    with pytest.raises(
        ListError, match=r"none of its 2 rows can be used; the first: row 2, yes_token_id '7e\+76': the sp"
    ):
        read(row(1, yes_token_id=7e76), row(2, no_token_id=None))


MANGLED: list[Cell] = [
    7.13210456792522e76, 71321045679252213, 12, "7.13E+76", "7,13E+76", "7e76", "+7.13210456792522E+76",
    "71,321,045,679", "71.321.045.679", "71 321 045 679", "71\u202f321\u202f045\u202f679", "71'321'045'679",
    "713210456792522.0", "71321045679252200000000000000000000000000000000000000000000000000000000000000",
    str(int(7.132104567925221e76)), "71321045679252212" + "0" * 60, True,
]  # fmt: skip


@pytest.mark.parametrize("cell", MANGLED, ids=str)
@pytest.mark.parametrize("name", ["yes_token_id", "no_token_id"])
def test_an_id_that_was_made_a_number_is_recognised_and_named(name: str, cell: Cell) -> None:
    """reliability.md D12: digits are lost for good, so nothing is guessed from what is left."""
    assert reason(**{name: cell}).startswith("the spreadsheet made a number of it, and digits are lost: format the col")
    assert "plain text" in reason("file", **{name: cell})
    assert "in quotes" in reason("file", **{name: cell})


@given(st.integers(10**75, 2**256 - 1))
def test_an_id_never_survives_a_double_unseen(number: int) -> None:
    """Whatever a program made of it on its way through a double is recognised; the id itself is not taken for it."""
    double = float(number)
    if int(double) == number or not str(number)[17:].strip("0"):
        return
    assert read(row(yes_token_id=str(number))).rows
    spelled: list[Cell] = [double, repr(double), str(int(double)) if int(double) < 2**256 else repr(double),
                           f"{double:.5E}", f"{double:,.0f}", f"{double:.15g}"]  # fmt: skip
    for cell in spelled:
        assert "made a number of it" in reason(yes_token_id=cell)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (None, "missing"),
        ("", "missing"),
        ("   ", "missing"),
        ("nan", "no token id"),
        ("None", "no token id"),
        ("-5", "made a number of it"),
        ("0", "begins with 0"),
        ("0" + "7" * 76, "begins with 0"),
        ("9" * 78, "larger than 256 bits hold"),
        (str(2**256 + 1), "larger than 256 bits hold"),
        ("1" * 79, "has 79 digits"),
        ("0x" + "ab" * 32, "no token id"),
        ("12/../34", "no token id"),
        ("7" * 40 + "?x=1", "no token id"),
        ("\u0661\u0662\u0663", r"U+0661, U+0662, U+0663"),
        ("71\u200b" + "3" * 74, r"U+200B"),
        ("71\x1b[2J", "U+001B"),
        ("=A2", "a formula, and formulas are not worked out"),
        ("=IMPORTXML(1)", "a formula"),
        *(
            (error, "a formula error")
            for error in ("#N/A", "#REF!", "#ERROR!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!")
        ),
        ("Loading...", "a formula error"),
    ],
)
def test_what_is_no_token_id_is_rejected_with_the_reason(cell: Cell, says: str) -> None:
    assert says in reason(yes_token_id=cell)


@pytest.mark.parametrize("wrap", ["{}", "'{}", " {} ", "\u00a0{}\n", "' {}"])
def test_an_id_may_have_an_apostrophe_and_spaces_around_it(wrap: str) -> None:
    """The one by which a spreadsheet keeps text as text arrives with some of them."""
    (only,) = read(row(market_id=wrap.format(condition(1)), yes_token_id=wrap.format(token(2)))).rows
    assert (only.market, only.yes_token) == (condition(1), token(2))


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (None, "missing"),
        (512345, "a number"),
        ("512345", "Gamma's own number of a market is none"),
        (5e76, "a number"),
        ("ab" * 32, "has no 0x in front"),
        ("0x" + "a" * 63, "has 63 characters after 0x"),
        ("0x" + "a" * 65, "has 65 characters after 0x"),
        ("0x" + "g" * 64, "wants the condition id"),
        ("0x" + "a" * 63 + "\u0430", "U+0430"),
        ("https://polymarket.com/event/x", "no condition id"),
        ("../../etc/passwd", "no condition id"),
        ("#REF!", "a formula error"),
        ("=B2", "a formula"),
    ],
)
def test_what_is_no_condition_id_is_rejected_with_the_reason(cell: Cell, says: str) -> None:
    assert says in reason(market_id=cell)


def test_a_condition_id_is_kept_in_lower_case() -> None:
    assert read(row(market_id="0X" + "AB" * 32)).rows[0].market == "0x" + "ab" * 32
    assert condition_id("0x" + "Ab" * 32) == "0x" + "ab" * 32
    with pytest.raises(ListError, match="has 1 characters after 0x"):
        condition_id("0x1")


def test_a_market_whose_tokens_are_one_is_rejected() -> None:
    found = read(row(1, no_token_id=token(2)), row(2))
    assert [(each.row, each.column) for each in found.rejected] == [(2, "no_token_id")]
    assert "the same as yes_token_id" in found.rejected[0].reason


FIGURES = COLUMNS[3:]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (-1, "below 0"),
        ("-0.5", "below 0"),
        (1.1e12, "absurd"),
        ("1" * 16, "absurd"),
        ("9e99", "absurd"),
        (10**400, "absurd"),
        (float("inf"), "absurd"),
        (float("nan"), "absurd"),
        ("nan", "no plain number"),
        ("inf", "no plain number"),
        ("1_000", "no plain number"),
        ("1,234.5", "no plain number"),
        ("$1234", "no plain number"),
        ("12k", "no plain number"),
        ("\u0661\u0662", "no plain number"),
        ("n/a", "no plain number"),
        (True, "no number"),
        ("#N/A", "a formula error"),
        ("#DIV/0!", "a formula error"),
        ("=SUM(A1:A9)", "a formula"),
    ],
)
def test_a_figure_that_is_none_rejects_its_row(name: str, cell: Cell, says: str) -> None:
    """reliability.md D14: negative or absurd ones, and 'nan', which the seed took."""
    assert says in reason(**{name: cell})


@pytest.mark.parametrize("cell", [0, -0.0, 1e12, "0", "1000000000000", "1.5E+6", " 12.25 ", "'12"])
def test_the_bounds_of_figures_are_closed(cell: Cell) -> None:
    (only,) = read(row(Liquidity=cell)).rows
    liquidity = only.figures.liquidity
    assert liquidity is not None
    assert 0 <= liquidity <= 1e12
    assert str(liquidity)[0] != "-"


@pytest.mark.parametrize("cell", [None, "", "  "])
def test_a_figure_that_is_missing_is_not_known(cell: Cell) -> None:
    """It is no number 0, and no reason to reject a row: Gamma tells it."""
    (only,) = read(row(**dict.fromkeys(FIGURES, cell))).rows
    assert only.figures == Figures()


def test_yes_and_no_are_words_or_boxes() -> None:
    yes: list[Cell] = [None, "", "yes", "Y", "TRUE", "on", 1, True, "x", "'yes"]
    no: list[Cell] = ["no", "N", "False", "off", 0, False]
    assert all(read(row(enabled=cell)).rows[0].enabled for cell in yes)
    assert not any(read(row(enabled=cell)).rows[0].enabled for cell in no)
    for cell in ("maybe", "2", 2, 0.5, "ye s", "#REF!"):
        assert reason(enabled=cell)
    assert reason(enabled="yes\u200b") == "neither yes nor no (with characters that are not what they seem: U+200B)"


def test_a_profile_has_to_be_there() -> None:
    assert read(row(profile=" sports ")).rows[0].profile == "sports"
    assert reason(profile="sport") == "no profile of that name; did you mean sports?"
    assert reason(profile="Wild") == "no profile of that name; there are calm, sports"


@pytest.mark.parametrize(
    ("cell", "micro"), [(250, 250_000_000), ("0.01", 10_000), (1e9, 10**15), (1.0000009, 1_000_000)]
)
def test_a_limit_is_money_rounded_down(cell: Cell, micro: int) -> None:
    assert read(row(max_usd=cell)).rows[0].max_usd == micro


@pytest.mark.parametrize(
    "cell",
    [0, "0", "0.00", -5, "-5", 1e10, 0.001, "nan", float("nan"), float("inf"), "1,5", "$5", True, "#N/A", "all"],
)
def test_a_limit_that_cannot_be_read_rejects_its_row_and_is_never_no_limit(cell: Cell) -> None:
    """reliability.md O02: 0 is not unlimited, and a limit that was meant is not left out."""
    assert reason(max_usd=cell)
    assert "to end it, write no under enabled" in reason(max_usd=0)


def test_a_rejected_row_says_which_cells_are_wrong_and_keeps_what_can_be_known() -> None:
    found = read(row(1, yes_token_id=None, Liquidity="#REF!", max_usd=0), row(2))
    (rejected,) = found.rejected
    assert (rejected.row, rejected.column, rejected.value, rejected.market) == (2, "yes_token_id", "", condition(1))
    assert rejected.reason == "missing (wrong too: Liquidity, max_usd)"
    assert read(row(1, market_id="x"), row(2)).rejected[0].market == ""


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (True, "TRUE"),
        (7e76, "7e+76"),
        (10**99, "1" + "0" * 99),
        (10**100, "a number of over 100 digits"),
        (10**5_000, "a number of over 100 digits"),
    ],
    ids=["box", "double", "most", "more", "more than can be written"],
)
def test_a_value_is_shown_as_it_stood_there(cell: Cell, shown: str) -> None:
    assert read(row(1, yes_token_id=cell), row(2)).rejected[0].value.startswith(shown)


def test_a_short_id_is_taken_as_it_is() -> None:
    """Up to 20 digits zeros at the end say nothing; whether there is such a token, the venue knows."""
    assert read(row(yes_token_id="12345678901234567000")).rows
    assert "made a number of it" in reason(yes_token_id="123456789012345670000")


def test_of_rows_that_say_the_same_the_first_counts() -> None:
    found = read(row(1), row(2), row(1, note="again"))
    assert [each.row for each in found.rows] == [2, 3]
    assert [(each.row, each.column, each.reason) for each in found.rejected] == [
        (4, "market_id", "a repetition of row 2")
    ]


@pytest.mark.parametrize("other", [{"max_usd": 5}, {"enabled": "no"}, {"yes_token_id": token(99)}, {"Liquidity": 1}])
def test_rows_that_contradict_each_other_about_a_market_are_all_rejected(other: dict[str, Cell]) -> None:
    """Nothing tells which is meant; a market that is made already stays as it is."""
    found = read(row(1), row(2), row(1, **other))
    assert [each.row for each in found.rows] == [3]
    assert [(each.row, each.market) for each in found.rejected] == [(2, condition(1)), (4, condition(1))]
    assert "row 4 says something else of the same market" in found.rejected[0].reason
    assert "row 2 says something else of the same market" in found.rejected[1].reason


def test_a_row_is_rejected_with_another_one_about_its_market_that_cannot_be_read() -> None:
    """It may be the one that lowers the limit."""
    found = read(row(1), row(2), row(1, max_usd="5 dollars"))
    assert [each.row for each in found.rows] == [3]
    assert found.rejected[0].reason == "row 4 is about the same market and cannot be read"


def test_a_token_that_two_markets_claim_rejects_both() -> None:
    found = read(row(1), row(2, no_token_id=token(2)), row(3))
    assert [each.row for each in found.rows] == [4]
    assert [(each.row, each.column) for each in found.rejected] == [(2, "yes_token_id"), (3, "no_token_id")]
    assert found.rejected[0].reason == "row 3, another market, has the same token: one of them is wrong"


def test_more_cells_than_the_header_are_a_comma_in_a_file_and_nothing_in_a_sheet() -> None:
    """A file's cells have moved; beside a table in a sheet there is room for calculations."""
    cells: list[list[Cell]] = [
        list(COLUMNS),
        [*(row(1)[name] for name in COLUMNS), "b"],
        [row(2)[name] for name in COLUMNS],
    ]
    assert len(table(cells).rows) == 2
    (rejected,) = table(cells, kind="file").rejected
    assert "more cells than the header: quote texts that have commas in them" in rejected.reason


def test_what_is_shown_of_a_hostile_cell_is_harmless() -> None:
    """reliability.md M01 to M03: markup stays text; what moves the cursor or turns the direction is gone."""
    hostile = "[@click=app.quit]\x1b]52;c;AAAA\x07\u202e\u2066\u200b\x9b31m" + "z" * 5_000
    found = read(row(1, yes_token_id=hostile), row(2, note=hostile), row(3, profile=hostile))
    shown = [found.rejected[0].value, found.rejected[1].value, found.rejected[1].reason, found.rows[0].note]
    assert all(text.isprintable() and len(text) <= 300 for text in shown)
    assert shown[0].startswith("[@click=app.quit]")


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=90),
    st.sampled_from([condition(1), condition(2), token(2), token(3), "7.1E+76", "#REF!", "no", "calm", "5", "\ud800"]),
)  # fmt: skip


@given(st.lists(st.lists(CELLS, max_size=12), max_size=6), st.permutations(ALL))
def test_whatever_stands_there_rows_are_sound_or_rejected_in_words(cells: list[list[Cell]], header: list[str]) -> None:
    """No cell raises anything else, no row is lost, and nothing unsound comes through."""
    try:
        found = table([list(header), *cells])
    except ListError as error:
        assert str(error).isprintable()
        return
    tokens = [each for row in found.rows for each in (row.yes_token, row.no_token)]
    assert len(set(tokens)) == len(tokens)
    assert all(each.isdigit() and each.isascii() and 0 < int(each) < 2**256 for each in tokens)
    assert len({row.market for row in found.rows}) == len(found.rows)
    assert all(row.max_usd is None or row.max_usd > 0 for row in found.rows)
    assert all(each.value.isprintable() and each.reason.isprintable() and each.reason for each in found.rejected)
    told = [each.row for each in (*found.rows, *found.rejected)]
    assert len(set(told)) == len(told)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.randoms())
def test_no_order_of_rows_lets_two_of_them_through_for_one_market(numbers: list[int], dice: random.Random) -> None:
    rows = [row(number, max_usd=dice.choice([None, 5, 5, "x"])) for number in numbers]
    try:
        found = read(*rows)
    except ListError:
        return
    for kept in found.rows:
        same = [each["max_usd"] for each in rows if each["market_id"] == kept.market]
        assert len(set(same)) == 1


def test_names_of_columns_are_known_by_their_letters() -> None:
    assert proper_name("volume 24H") == "Volume_24h"
    assert proper_name("MARKETID") == "market_id"
    assert proper_name("volume") == ""
