"""The exchange's spreadsheet: what cells become of what is typed, which range is which, who gets a token."""

import base64
import json
import string
from typing import Any

import pytest
from google.auth import crypt
from google.auth import jwt as google_jwt
from hypothesis import example, given
from hypothesis import strategies as st

from core.exchange.exchange import Exchange
from core.exchange.faults.spreadsheet import spoiled
from core.exchange.sheets.accounts import EMAIL, LIFE_S, Accounts, GrantError
from core.exchange.sheets.cells import ERRORS, Cell, Formula, Render, rendered, stored, typed
from core.exchange.sheets.spreadsheet import TAB, Box, RangeError, Spreadsheet, default_spreadsheet
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS

LONG_ID = "58238091139394825816744453598597550203817253398369939297215805910013686272226"
NOW_S = 1_790_000_000.0
URI = "http://127.0.0.1:1/sheets/token"
READONLY = "https://www.googleapis.com/auth/spreadsheets.readonly"


# Cells


@pytest.mark.parametrize(
    ("text", "plain", "shown"),
    [
        (LONG_ID, 5.82380911393948e76, "5.82381E+76"),
        ("12345678901234567", 12345678901234600, "1.23457E+16"),
        ("123456789012345678901", 123456789012346000000, "1.23457E+20"),
        ("1234567890123456789012", 1.23456789012346e21, "1.23457E+21"),
        ("123456789012345", 123456789012345, "123456789012345"),
        ("5,000.50", 5000.5, "5000.5"),
        ("1e3", 1000, "1000"),
        ("0.1", 0.1, "0.1"),
        ("-3", -3, "-3"),
        ("true", True, "TRUE"),
        ("'" + LONG_ID, LONG_ID, LONG_ID),
        ("0x" + "ab" * 32, "0x" + "ab" * 32, "0x" + "ab" * 32),
        ("=IMPORTRANGE(A1)", "#ERROR!", "#ERROR!"),
        ("=NA()", "#N/A", "#N/A"),
        ("=1/0", "#DIV/0!", "#DIV/0!"),
        ("=", "=", "="),
        ("#REF!", "#REF!", "#REF!"),
        ("12 USD", "12 USD", "12 USD"),
        ("1,2", "1,2", "1,2"),
        ("", "", ""),
    ],
)
def test_what_is_typed_into_a_cell_and_what_a_reader_gets(text: str, plain: Cell, shown: str) -> None:
    """A long id that is typed is lost: fifteen digits of it are kept, in either rendering."""
    cell = typed(text)
    told = rendered(cell, "UNFORMATTED_VALUE")
    assert (told, type(told)) == (plain, type(plain))
    assert rendered(cell, "FORMATTED_VALUE") == shown


def test_what_a_program_writes_stays_a_text_or_a_number() -> None:
    for text in (LONG_ID, "=A1", "'x", "TRUE"):
        assert rendered(stored(text), "UNFORMATTED_VALUE") == text
    assert stored(int(LONG_ID)) == 5.82380911393948e76, "a number is a number whoever writes it"
    assert rendered(None, "UNFORMATTED_VALUE") == "" and rendered(False, "UNFORMATTED_VALUE") is False


def test_a_formula_is_shown_only_where_formulas_are_asked_for() -> None:
    cell = typed("=A1")
    assert isinstance(cell, Formula) and rendered(cell, "FORMULA") == "=A1"
    assert rendered(cell, "FORMATTED_VALUE") in ERRORS


@given(
    st.text(string.digits, min_size=16, max_size=78).filter(
        lambda text: text[:1] not in ("", "0") and text[15:].strip("0")
    )
)
def test_no_long_number_survives_being_typed(text: str) -> None:
    """Whatever is read back is another number, in every rendering: nobody may take it for the id."""
    for how in ("FORMATTED_VALUE", "UNFORMATTED_VALUE"):
        assert str(rendered(typed(text), how)) != text


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_short_numbers_are_kept_exactly(number: int) -> None:
    assert rendered(typed(str(number)), "UNFORMATTED_VALUE") == number
    assert rendered(stored(number), "FORMATTED_VALUE") == str(number)


@example(10**400)
@example("1e999")
@example("9" * 400)
@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none()))
def test_every_cell_can_be_told_in_json(cell: Cell) -> None:
    for kept in (typed(cell), stored(cell)):
        for how in ("FORMATTED_VALUE", "UNFORMATTED_VALUE", "FORMULA"):
            told = rendered(kept, how)
            assert json.loads(json.dumps(told)) == told


# Ranges


@pytest.fixture
def book() -> Spreadsheet:
    sheet = Spreadsheet("k" * 44, "t")
    sheet.write([["a", "b", "c", ""], ["d", None, "f"], [], ["", ""]], TAB)
    sheet.write([["x"]], "It's")
    sheet.write([["y"]], "a!b")
    return sheet


@pytest.mark.parametrize(
    ("text", "box", "values"),
    [
        (TAB, "'Selected Markets'!A1:Z1000", [["a", "b", "c"], ["d", "", "f"]]),
        (f"'{TAB}'", "'Selected Markets'!A1:Z1000", [["a", "b", "c"], ["d", "", "f"]]),
        (f"{TAB}!B1:C2", "'Selected Markets'!B1:C2", [["b", "c"], ["", "f"]]),
        (f"'{TAB}'!A:A", "'Selected Markets'!A1:A1000", [["a"], ["d"]]),
        (f"'{TAB}'!2:2", "'Selected Markets'!A2:Z2", [["d", "", "f"]]),
        (f"'{TAB}'!A2:Z", "'Selected Markets'!A2:Z1000", [["d", "", "f"]]),
        ("C2:A1", "'Selected Markets'!A1:C2", [["a", "b", "c"], ["d", "", "f"]]),
        ("$A$2", "'Selected Markets'!A2", [["d"]]),
        (f"{TAB}!D4:E9", "'Selected Markets'!D4:E9", []),
        ("'It''s'!A1", "'It''s'!A1", [["x"]]),
        ("It's", "'It''s'!A1:Z1000", [["x"]]),
        ("'a!b'", "'a!b'!A1:Z1000", [["y"]]),
        ("'a!b'!A1", "'a!b'!A1", [["y"]]),
    ],
)
def test_ranges_mean_what_they_mean_in_sheets(book: Spreadsheet, text: str, box: str, values: list[Any]) -> None:
    """Empty cells at the ends of rows and empty rows at the end are left out, those between are not."""
    found = book.box(text)
    assert found.text == box
    assert book.read(found, "UNFORMATTED_VALUE") == values


def test_columns_may_come_first(book: Spreadsheet) -> None:
    assert book.read(book.box(f"{TAB}!A1:C2"), "FORMATTED_VALUE", by_columns=True) == [["a", "d"], ["b"], ["c", "f"]]


@pytest.mark.parametrize("text", ["Nope", "Nope!A1", f"{TAB}!", f"{TAB}!A", "7", "", f"{TAB}!A0", f"{TAB}!1A", "!A1"])
def test_a_range_that_is_none_is_refused_in_googles_words(book: Spreadsheet, text: str) -> None:
    with pytest.raises(RangeError, match=r"^Unable to parse range: "):
        book.box(text)


def test_a_range_beyond_the_grid_is_refused(book: Spreadsheet) -> None:
    with pytest.raises(RangeError, match=r"exceeds grid limits\. Max rows: 1000, max columns: 26"):
        book.box(f"{TAB}!A1:AA1")
    with pytest.raises(RangeError, match="A1:A1001"):
        book.box(f"{TAB}!A1:A1001")
    book.write([[""]] * 1_200, TAB)
    assert book.box(f"{TAB}!A1:A1001").bottom == 1_000, "the grid grows with what is written"


@given(*(st.integers(0, 25) for _ in range(2)), *(st.integers(0, 999) for _ in range(2)))
def test_a_box_is_found_again_by_its_own_text(left: int, right: int, top: int, bottom: int) -> None:
    sheet = Spreadsheet("k", "t")
    sheet.write([], "It's one")
    left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)
    box = Box("It's one", top, left, bottom, right)
    assert sheet.box(box.text) == box


@given(
    st.one_of(st.text(), st.text("A1Z9:!'$ b", max_size=12), st.builds("{}!{}".format, st.just(TAB), st.text("AZ19:$")))
)
def test_any_text_is_a_range_within_the_grid_or_none(text: str) -> None:
    sheet = Spreadsheet("k", "t")
    sheet.write([["a"]], TAB)
    try:
        box = sheet.box(text)
    except RangeError:
        return
    assert 0 <= box.top <= box.bottom < 1_000 and 0 <= box.left <= box.right < 26
    assert sheet.read(box, "FORMATTED_VALUE") in ([], [["a"]])


def test_the_first_sheet_lists_every_market_of_the_exchange() -> None:
    exchange = Exchange(seed=3, markets=4, now_ms=0)
    sheet, again = default_spreadsheet(exchange), default_spreadsheet(Exchange(seed=4, markets=1, now_ms=0))
    assert sheet.key != again.key and len(sheet.key) == 44, "its id follows from the seed"
    assert sheet.url == f"https://docs.google.com/spreadsheets/d/{sheet.key}/edit"
    header, *rows = sheet.read(sheet.whole(TAB), "UNFORMATTED_VALUE")
    assert header == [*COLUMNS, *OPTIONAL_COLUMNS]
    assert [row[0] for row in rows] == list(exchange.listings)
    for row, listing in zip(rows, exchange.listings.values(), strict=True):
        assert row[1:3] == [listing.instrument.yes_token, listing.instrument.no_token]
        assert row[3] == listing.plot.liquidity and row[5] == listing.plot.volume_week
        assert row[7] is True and row[8:] == ["", "", listing.plot.question]


# Accidents


@pytest.mark.parametrize("how", ["FORMATTED_VALUE", "UNFORMATTED_VALUE"])
def test_accidents_leave_of_the_cells_what_people_leave(how: Render) -> None:
    header: list[Cell] = ["market_id", "yes_token_id", "Liquidity"]
    rows: list[list[Cell]] = [["0xa", LONG_ID, 5], ["0xb", LONG_ID, "123"], ["0xc", LONG_ID, 7]]
    whole = [header, *rows]
    assert spoiled(whole, "empty", how) == []
    assert spoiled(whole, "header", how) == [header]
    assert spoiled(whole, "half", how) == whole[:2]
    lost = 5.82380911393948e76 if how == "UNFORMATTED_VALUE" else "5.82381E+76"
    assert spoiled(whole, "mangled", how) == [header, *([row[0], lost, row[2]] for row in rows)]
    assert spoiled(whole, "errors", how)[1] == ["0xa", "#REF!", 5]
    assert spoiled(whole, "header_renamed", how) == [["market_id", "yes_token_id (old)", "Liquidity"], *rows]
    assert spoiled(whole, "repeated", how) == whole + rows
    flood = spoiled(whole, "flood", how)
    assert len(flood) == 10_001 and flood[1:4] == rows
    assert spoiled([], "flood", how) == [] == spoiled([], "half", how)


# Tokens


def assertion(
    accounts: Accounts, *, key: str = "", life_s: float = 3_600, issued_s: float = NOW_S, **claims: str
) -> str:
    """A signed assertion as Google's client library makes it."""
    signer = crypt.RSASigner.from_string(key or accounts.file(URI)["private_key"])  # type: ignore[no-untyped-call]
    told = {
        "iss": EMAIL, "aud": "https://oauth2.googleapis.com/token", "scope": READONLY,
        "iat": int(issued_s), "exp": int(issued_s + life_s),
    } | claims  # fmt: skip
    return str(google_jwt.encode(signer, told).decode())  # type: ignore[no-untyped-call]


def test_a_signed_assertion_gets_a_token_for_an_hour() -> None:
    accounts = Accounts(1)
    text = accounts.grant(assertion(accounts), URI, NOW_S)
    token = accounts.token(text, NOW_S + LIFE_S - 1)
    assert token is not None and token.scopes == {READONLY} and token.email == EMAIL
    assert accounts.token(text, NOW_S + LIFE_S) is None
    assert accounts.token("ya29.x", NOW_S) is None
    assert accounts.grant(assertion(accounts, aud=URI), URI, NOW_S) != text
    accounts.forget()
    assert accounts.token(text, NOW_S) is None


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"iss": "somebody@else"}, "invalid_grant", "account not found"),
        ({"aud": "https://elsewhere"}, "invalid_scope", "audience"),
        ({"scope": ""}, "invalid_scope", "scope"),
        ({"scope": "everything"}, "invalid_scope", "scope"),
        ({"issued_s": NOW_S - 2 * 3_600}, "invalid_grant", "reasonable timeframe"),
        ({"issued_s": NOW_S + 400}, "invalid_grant", "reasonable timeframe"),
        ({"life_s": 3_601}, "invalid_grant", "short-lived"),
        ({"life_s": 0}, "invalid_grant", "short-lived"),
    ],
)
def test_an_assertion_that_is_not_right_gets_none(changes: dict[str, Any], error: str, words: str) -> None:
    accounts = Accounts(1)
    with pytest.raises(GrantError, match=words) as caught:
        accounts.grant(assertion(accounts, **changes), URI, NOW_S)
    assert caught.value.error == error


def test_another_key_and_a_changed_assertion_get_none() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    accounts = Accounts(1)
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    good = assertion(accounts)
    head, body, signature = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    signer = crypt.RSASigner.from_string(accounts.file(URI)["private_key"])  # type: ignore[no-untyped-call]
    claims = google_jwt.decode(good, verify=False)  # type: ignore[no-untyped-call]
    odd = google_jwt.encode(signer, claims, header={"alg": "HS256"}).decode()  # type: ignore[no-untyped-call]
    for bad in (assertion(accounts, key=other.decode()), odd, f"{none}.{body}.{signature}", f"{head}.{body}."):
        with pytest.raises(GrantError, match="Invalid JWT Signature"):
            accounts.grant(bad, URI, NOW_S)


@given(st.one_of(st.text(), st.lists(st.text(string.ascii_letters + "-_"), min_size=3, max_size=3).map(".".join)))
def test_nonsense_gets_no_token_and_no_crash(text: str) -> None:
    with pytest.raises(GrantError):
        Accounts(1).grant(text, URI, NOW_S)


def test_the_key_file_is_what_google_gives_out() -> None:
    fields = Accounts(1).file(URI)
    assert fields["type"] == "service_account" and fields["token_uri"] == URI and fields["client_email"] == EMAIL
    assert fields["private_key"].startswith("-----BEGIN PRIVATE KEY-----\n")
    assert fields == Accounts(2).file(URI), "one key a process, whichever exchange asks"
