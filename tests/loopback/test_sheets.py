"""The real gspread client and the exchange's Sheets service: every accident of a sheet becomes words with a next step.

Issue 9; peers.md 3, first row; reliability.md D12, M01 to M03, M07, M15, 5 (2, 9, 10, 18, 19, 25).
"""

import asyncio
import contextlib
import dataclasses
import gzip
import json
import logging
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.config import Settings
from core.errors import ListError
from core.exchange.sheets.accounts import EMAIL
from core.exchange.sheets.cells import Formula
from core.exchange.sheets.spreadsheet import TAB
from core.selection.listed import COLUMNS, Cell, MarketList
from core.selection.provider import provider_of
from core.selection.sheets import SCOPE, SheetProvider
from tests.core.runtime.fakes import until
from tests.end_to_end.program import ROOT, environment
from tests.loopback.faulty import Stage, stage_running

PROFILES = ("calm",)
OFFICE = '{"error": {"status": "FAILED_PRECONDITION", "message": "This operation is not supported for this document"}}'
UNTIMELY = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."


class Sheet:
    """The exchange's sheet, and a configuration that reads it."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.host = stage.venue.running.host
        self.book = self.host.spreadsheet
        self.key_file = folder / "service-account.json"
        self.account = self.host.accounts.file(f"{stage.venue.urls['sheets_url']}/token")
        self.save_key()
        self.settings = Settings(
            mode="paper",
            sheets_url=stage.venue.urls["sheets_url"],
            spreadsheet_url=self.book.url,
            google_credentials=str(self.key_file),
        )

    def save_key(self, **fields: Any) -> None:
        """Write the key file, with some of its fields changed."""
        self.key_file.write_text(json.dumps(self.account | fields))
        self.key_file.chmod(0o600)

    def provider(self, **settings: Any) -> SheetProvider:
        made = provider_of(dataclasses.replace(self.settings, **settings), {}, PROFILES)
        assert isinstance(made, SheetProvider)
        return made

    async def read(self, **settings: Any) -> MarketList:
        return await self.provider(**settings).read()

    async def trouble(self, **settings: Any) -> str:
        """What a reading that comes to nothing says; it never holds anything of the key."""
        with pytest.raises(ListError) as caught:
            await self.read(**settings)
        assert_without_key(caught.value, self.account)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600
        return str(caught.value)

    def cells(self) -> list[list[Cell]]:
        """What stands in the tab, to be changed and written back."""
        return [list(row) for row in self.book.tabs[TAB]]

    def write(self, rows: Sequence[Sequence[Cell]], tab: str = TAB, *, by_hand: bool = False) -> None:
        self.book.write(rows, tab, by_hand=by_hand)


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that readings ask the way to, in order."""
    hosts: list[str] = []
    look = socket.getaddrinfo

    def seen(host: Any, *others: Any, **options: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            hosts.append(host)
        return look(host, *others, **options)

    monkeypatch.setattr(socket, "getaddrinfo", seen)
    return hosts


def denial(words: str) -> str:
    """What the token endpoint says of a signed assertion that it does not like (RFC 6749 5.2)."""
    return json.dumps({"error": "invalid_grant", "error_description": words})


def assert_without_key(error: BaseException, account: dict[str, str]) -> None:
    """Neither text nor traceback of an error, with all locals of all frames, holds a line of the private key."""
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    for line in secret_lines(account):
        assert line not in told
    assert error.__cause__ is None
    assert error.__context__ is None or not isinstance(error.__context__, ListError)


def secret_lines(account: dict[str, str]) -> list[str]:
    return [line for line in account["private_key"].splitlines() if line and not line.startswith("-----")]


@pytest.fixture
async def sheet(tmp_path: Path) -> AsyncIterator[Sheet]:
    async with stage_running() as stage:
        yield Sheet(stage, tmp_path)


# What a sheet says


async def test_the_list_of_the_exchange_is_read_as_it_is(sheet: Sheet) -> None:
    found = await sheet.read()
    listings = sheet.stage.exchange.listings
    assert [row.market for row in found.rows] == list(listings)
    assert [row.row for row in found.rows] == [2, 3]
    for row in found.rows:
        instrument = listings[row.market].instrument
        assert (row.yes_token, row.no_token) == (instrument.yes_token, instrument.no_token)
        assert row.figures.liquidity and row.figures.volume_30d
    assert (found.kind, found.source, found.changed_unix) == ("sheet", 'sheet "Selected Markets"', None)
    assert not found.rejected and not found.notes


async def test_ids_of_the_settings_that_are_not_used_are_told(sheet: Sheet) -> None:
    found = await sheet.read(markets=(sheet.stage.market,))
    assert found.notes == ("the ids of `markets` are not used: the sheet is the list",)


async def test_a_change_of_the_sheet_is_in_the_next_reading(sheet: Sheet) -> None:
    provider = sheet.provider()
    assert len((await provider.read()).rows) == 2
    sheet.write(sheet.cells()[:2])
    assert len((await provider.read()).rows) == 1


async def test_a_reading_is_one_token_with_the_least_scope_and_goes_nowhere_else(
    sheet: Sheet, looked_up: list[str]
) -> None:
    """reliability.md 5, 25: read-only; and what the client library would ask elsewhere by itself is not asked."""
    before = set(threading.enumerate())
    await sheet.read()
    tokens = list(sheet.host.accounts._tokens.values())
    assert [token.scopes for token in tokens] == [{SCOPE}]
    assert SCOPE == "https://www.googleapis.com/auth/spreadsheets.readonly"
    assert {each.name for each in set(threading.enumerate()) - before} <= {"market list"}
    assert set(looked_up) == {"127.0.0.1"}


@pytest.mark.parametrize("tab", ["It's a tab", "Märkte 2026", "a!b", "Sheet1!A1:B2", "100%", "A1", "x/../y?z#w"])
async def test_a_tab_is_found_whatever_its_name(sheet: Sheet, tab: str) -> None:
    sheet.write(sheet.cells()[:2], tab)
    assert len((await sheet.read(sheet_tab=tab)).rows) == 1


async def test_ids_typed_by_hand_into_a_plain_column_are_named_as_lost(sheet: Sheet) -> None:
    """The commonest accident of all: a sheet keeps 15 digits of a number of 77, and JSON brings a float."""
    sheet.write(sheet.cells(), by_hand=True)
    said = await sheet.trouble()
    assert "none of its 2 rows can be used; the first: row 2, yes_token_id" in said
    assert "the spreadsheet made a number of it, and digits are lost: format the column as plain text" in said


async def test_one_id_made_a_number_rejects_its_row_alone(sheet: Sheet) -> None:
    cells = sheet.cells()
    cells[1][1] = float(str(cells[1][1]))
    sheet.write(cells)
    found = await sheet.read()
    assert [row.row for row in found.rows] == [3]
    (rejected,) = found.rejected
    assert (rejected.row, rejected.column, rejected.market) == (2, "yes_token_id", sheet.stage.market)
    assert "e+" in rejected.value
    assert "made a number of it" in rejected.reason


async def test_formula_errors_are_named_cell_by_cell(sheet: Sheet) -> None:
    cells = sheet.cells()
    cells.append([f"0x{5:064x}", "1" + "37" * 38, "2" + "37" * 38, 1, 2, 3, 4])
    sheet.write(cells)
    tab = sheet.book.tabs[TAB]
    tab[1][3], tab[2][2] = Formula("=IMPORTDATA(A1)"), Formula("=NA()")
    found = await sheet.read()
    assert [row.row for row in found.rows] == [4]
    assert [(each.row, each.column, each.value) for each in found.rejected] == [
        (2, "Liquidity", "#ERROR!"),
        (3, "no_token_id", "#N/A"),
    ]
    assert all("a formula error" in each.reason for each in found.rejected)


async def test_markup_escapes_and_formulas_in_notes_are_harmless_text(sheet: Sheet) -> None:
    """reliability.md M01 to M03, M05."""
    cells = [row[:10] for row in sheet.cells()]
    cells = [[*row, *([""] * (10 - len(row)))] for row in cells]
    cells[0] = [*cells[0], "note"]
    cells[1].append("[@click=app.quit]\x1b]52;c;QUJD\x07\u202e\u200b\r\nlast")
    cells[2].append("=IMPORTXML(1)")
    sheet.write(cells)
    notes = [row.note for row in (await sheet.read()).rows]
    assert notes == ["[@click=app.quit]]52;c;QUJD last", "=IMPORTXML(1)"]


async def test_columns_may_stand_in_any_order_and_case(sheet: Sheet) -> None:
    cells = [row[:7][::-1] for row in sheet.cells()]
    cells[0] = [str(name).upper().replace("_", " ") for name in cells[0]]
    sheet.write(cells)
    assert [row.market for row in (await sheet.read()).rows] == list(sheet.stage.exchange.listings)


# What is no list


async def test_a_renamed_tab_is_answered_with_the_tabs_there_are(sheet: Sheet) -> None:
    sheet.book.tabs = {"Old\x1b[2J": [], "Markets, new": sheet.cells()}
    said = await sheet.trouble()
    assert said == (
        'sheet "Selected Markets": the spreadsheet has no tab "Selected Markets"; there is "Old[2J", "Markets, new": '
        "name one of them as sheet_tab, or rename it"
    )


async def test_a_changed_header_names_the_column_and_the_nearest(sheet: Sheet) -> None:
    cells = sheet.cells()
    cells[0][5] = "Volume 7 days"
    sheet.write(cells)
    said = await sheet.trouble()
    assert 'sheet "Selected Markets": no column "Volume_7d" (the nearest there is "Volume 7 days")' in said


@pytest.mark.parametrize("rows", [[], [[]], [list(COLUMNS)], [[""], ["", ""]]])
async def test_an_empty_tab_is_no_list(sheet: Sheet, rows: list[list[Cell]]) -> None:
    sheet.write(rows)
    assert "is empty" in await sheet.trouble()


async def test_ten_thousand_rows_are_taken_for_a_mistake(sheet: Sheet) -> None:
    cells = sheet.cells()
    sheet.write([*cells, *([cells[1]] * 9_998)])
    assert "has 10000 rows, which is taken for a mistake; if it is none, raise list_rows_max" in await sheet.trouble()


async def test_a_long_list_is_read_if_it_is_meant(sheet: Sheet) -> None:
    cells = sheet.cells()
    more: list[list[Cell]] = [
        [f"0x{n:064x}", "1" + f"{n:075d}"[::-1] + "3", "2" + f"{n:075d}"[::-1] + "3", 1, 2, 3, 4]
        for n in range(1, 2_999)
    ]
    sheet.write([*cells, *more])
    found = await sheet.read(list_rows_max=3_000)
    assert (len(found.rows), found.rejected) == (3_000, ())


async def test_an_answer_without_end_is_not_read_to_its_end(sheet: Sheet) -> None:
    sheet.stage.arm(f'do = "http"\nrequest = "GET /sheets/v4/*"\nstatus = 200\ntext = "{"x" * 9 * 2**20}"\nfor = 10')
    assert "the answer has more than 8 MiB" in await sheet.trouble()


@asynccontextmanager
async def answering(head: str, parts: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """A server that answers one request with these headers and then byte by byte; its address."""

    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            asked = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(asked.partition("content-length: ")[2].partition("\r\n")[0]))
            writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
            async for part in parts:
                writer.write(part)
                await writer.drain()
        except ConnectionError:
            pass  # who asked has gone
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def test_an_answer_that_unpacks_without_end_is_not_unpacked_to_its_end(sheet: Sheet) -> None:
    """reliability.md M14: a hundred kilobytes that would be a hundred megabytes."""
    bomb = gzip.compress(b" " * 100 * 2**20, 9)

    async def all_of_it() -> AsyncIterator[bytes]:
        yield bomb

    head = f"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}"
    async with answering(head, all_of_it()) as address:
        sheet.save_key(token_uri=address)
        assert "the answer has more than 8 MiB" in await sheet.trouble()


@pytest.mark.parametrize("packed", [True, False])
async def test_an_answer_may_come_in_any_pieces(sheet: Sheet, packed: bool) -> None:
    """A piece that unpacks to nothing yet is not the end; here of a token, which Sheets then does not know."""
    body = b'{"access_token": "ya29.x", "expires_in": 3599, "token_type": "Bearer"}'
    body = gzip.compress(body) if packed else body

    async def byte_by_byte() -> AsyncIterator[bytes]:
        for place in range(len(body)):
            yield body[place : place + 1]
            await asyncio.sleep(0)

    encoding = "Content-Encoding: gzip\r\n" if packed else ""
    async with answering(f"{encoding}Content-Length: {len(body)}", byte_by_byte()) as address:
        sheet.save_key(token_uri=address)
        assert f"takes the access token of {EMAIL} no more (401)" in await sheet.trouble()


@pytest.mark.parametrize("head", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_half_an_answer_is_none(sheet: Sheet, head: str) -> None:
    """What was cut off is never taken for a shorter list."""

    async def half() -> AsyncIterator[bytes]:
        yield b'20\r\n{"range": "A1"}' if "chunked" in head else b'{"access_token": "ya29.x"}'

    async with answering(head, half()) as address:
        sheet.save_key(token_uri=address)
        assert "Google could not be reached (ConnectionError)" in await sheet.trouble()


async def test_an_answer_that_drips_is_given_up_and_its_thread_ends(sheet: Sheet) -> None:
    """Each byte is in time and all of them never: a timeout of the socket would not see it."""

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    async with answering("Content-Length: 1000000", dripping()) as address:
        sheet.save_key(token_uri=address)
        assert "nothing came within 0.5 s" in await sheet.trouble(list_deadline_sec=0.5)
        await until(lambda: not [each for each in threading.enumerate() if each.name == "market list"])


# What Google may answer instead


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("denied", f"no access (403): share the sheet with {EMAIL}, as a viewer"),
        ("disabled", f"the Google Sheets API is not enabled in the project of {EMAIL} (403): enable it"),
        ("missing", "(404): correct SPREADSHEET_URL"),
        ("quota", "quota of readings is used up for the moment (429); it is tried again at the next refresh"),
        ("unauthenticated", f"takes the access token of {EMAIL} no more (401)"),
        ("unavailable", "Google has trouble of its own (503); it is tried again at the next refresh"),
        ("no_tab", 'has no tab "Selected Markets"; there is "Selected Markets (old)"'),
        ("empty", "is empty"),
        ("header", "is empty"),
        ("header_renamed", 'no column "yes_token_id" (the nearest there is "yes_token_id (old)")'),
        ("mangled", "the spreadsheet made a number of it"),
        ("errors", "a formula error"),
        ("flood", "has 10000 rows"),
    ],
)
async def test_each_accident_has_words_of_its_own_and_passes(sheet: Sheet, what: str, says: str) -> None:
    """What is wrong, what to do; and once it is over the same provider reads the list again."""
    provider = sheet.provider()
    sheet.stage.arm(f'do = "sheet"\nwhat = "{what}"\nfor = 10')
    with pytest.raises(ListError) as caught:
        await provider.read()
    assert says in str(caught.value)
    assert str(caught.value).startswith('sheet "Selected Markets"')
    assert_without_key(caught.value, sheet.account)
    sheet.stage.pass_time(11)
    assert len((await provider.read()).rows) == 2


async def test_half_a_list_is_a_list(sheet: Sheet) -> None:
    """That it shrank is for whoever knows what it was."""
    sheet.stage.arm('do = "sheet"\nwhat = "half"')
    assert len((await sheet.read()).rows) == 1


async def test_rows_pasted_twice_count_once(sheet: Sheet) -> None:
    sheet.stage.arm('do = "sheet"\nwhat = "repeated"')
    found = await sheet.read()
    assert [row.row for row in found.rows] == [2, 3]
    assert [each.row for each in found.rejected] == [4, 5]


@pytest.mark.parametrize(
    ("status", "text", "says"),
    [
        (400, OFFICE,
         "the document is an Office file (400): save it as a Google Sheet"),
        (400, '{"error": {"status": "INVALID_ARGUMENT", "message": "Invalid [value]\\u001b[2J\\u202e"}}',
         "Google refused (400 INVALID_ARGUMENT): Invalid [value][2J"),
        (403, '{"error": {"status": "PERMISSION_DENIED", "message": "x"}}', f"share the sheet with {EMAIL}"),
        (403, '{"error": {"status": "PERMISSION_DENIED", "message": "User rate limit exceeded"}}', "quota of readings"),
        (403, '{"error": {"status": "PERMISSION_DENIED", "message": "insufficient authentication scopes"}}',
         "Google refused (403 PERMISSION_DENIED): insufficient authentication scopes"),
        (403, '{"error": "odd"}', "something that is not Google's service answered 403"),
        (403, '{"error": {"code": 403}}', "something that is not Google's service answered 403"),
        (404, "not found", "something that is not Google's service answered 404"),
        (407, "", "something that is not Google's service answered 407"),
        (500, "", "Google has trouble of its own (500)"),
        (200, "null", "something else that is no data"),
        (200, "[1]", "something else that is no data"),
        (200, '{"values": [["a"]]}', "something else that is no data"),
        (200, '{"range": "A", "values": {"a": 1}}', "something else that is no data"),
        (200, '{"range": "A", "values": [1]}', "something else that is no data"),
        (200, '{"range": "A", "values": [[{}]]}', "something else that is no data"),
        (200, '{"range": "A", "values": ' + "[" * 20_000, "something else that is no data"),
        (200, '{"range": "A", "values": [[' + "9" * 5_000 + "]]}", "something else that is no data"),
        (200, '{"range": "A", "values": [[NaN, 1e999, -1e999]]}', 'no column "market_id"'),
        (200, '{"range": "A"}', "is empty"),
        (200, "", "something else that is no data"),
        (201, '{"range": "A"}', "something that is not Google's service answered 201"),
    ],
)  # fmt: skip
async def test_odd_answers_are_told_in_words(sheet: Sheet, status: int, text: str, says: str) -> None:
    fault = f'do = "http"\nrequest = "GET /sheets/v4/*"\nstatus = {status}\ntext = {json.dumps(text)}\nfor = 10'
    sheet.stage.arm(fault)
    assert says in await sheet.trouble()


@pytest.mark.parametrize("status", [200, 403, 404, 429, 502])
@pytest.mark.parametrize("path", ["GET /sheets/v4/*", "POST /sheets/token"])
async def test_a_page_in_place_of_data_is_told_as_one(
    sheet: Sheet, monkeypatch: pytest.MonkeyPatch, status: int, path: str
) -> None:
    """reliability.md 5, 10: one short line of it, whatever the page says."""
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)  # it asks thrice
    sheet.stage.arm(f'do = "http"\nrequest = "{path}"\nstatus = {status}\nbody = "html"\nfor = 60')
    said = await sheet.trouble()
    assert "<" not in said
    assert "Google" in said or "proxy" in said


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["GET /sheets/v4/*", "POST /sheets/token"])
async def test_a_redirect_is_not_followed(sheet: Sheet, looked_up: list[str], status: int, path: str) -> None:
    """reliability.md M15, D-M07: neither token nor signed assertion goes where an answer points to."""
    sheet.stage.arm(
        f'do = "redirect"\nrequest = "{path}"\nto = "http://elsewhere.invalid/"\nstatus = {status}\nfor = 10'
    )
    assert "a redirect to another address, which is not followed" in await sheet.trouble()
    assert set(looked_up) == {"127.0.0.1"}


@pytest.mark.parametrize("path", ["GET /sheets/v4/*", "POST /sheets/token"])
async def test_a_connection_that_breaks_is_told(sheet: Sheet, path: str) -> None:
    sheet.stage.arm(f'do = "blackhole"\nrequest = "{path}"\nthen = "cut"\nfor = 10')
    assert "Google could not be reached (ConnectionError): is the network there?" in await sheet.trouble()


async def test_a_service_that_is_not_there_is_told(sheet: Sheet) -> None:
    sheet.save_key(token_uri="http://127.0.0.1:9/token")
    assert "Google could not be reached" in await sheet.trouble()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (denial("Invalid JWT Signature."), f"does not know the key of {EMAIL} any more: make a new one"),
        (denial("Invalid grant: account not found"), f"knows no account {EMAIL}: was it deleted?"),
        (denial(UNTIMELY), "this machine's clock is wrong: set it (NTP)"),
        ('{"error": "invalid_scope", "error_description": "eyJhbGciOi.x.y\\u001b[2J"}', "invalid_scope ***[2J"),
        ('{"error": ["x"], "error_description": {"a": 1}}', "gives no access token"),
        ('"text"', "no access token for"),
        ("[1]", "no access token for"),
        ("{}", "no access token for"),
    ],
)  # fmt: skip
async def test_why_there_is_no_access_token_is_told(sheet: Sheet, text: str, says: str) -> None:
    sheet.stage.arm(f'do = "http"\nrequest = "POST /sheets/token"\nstatus = 400\ntext = {json.dumps(text)}\nfor = 10')
    assert says in await sheet.trouble()


@pytest.mark.parametrize(
    "text",
    [
        "{}", "[]", "null", '{"access_token": 5}', '{"access_token": "\\u00fc"}', '{"access_token": "a\\r\\nb"}',
        '{"access_token": "x", "expires_in": "soon"}',
    ],
)  # fmt: skip
async def test_a_token_that_is_none_is_told(sheet: Sheet, text: str) -> None:
    sheet.stage.arm(f'do = "http"\nrequest = "POST /sheets/token"\nstatus = 200\ntext = {json.dumps(text)}\nfor = 10')
    assert "token" in await sheet.trouble()


async def test_a_key_that_was_replaced_is_taken_from_its_file_at_the_next_reading(sheet: Sheet) -> None:
    provider = sheet.provider()
    sheet.save_key(client_email="gone@elsewhere.iam.gserviceaccount.com")
    with pytest.raises(ListError, match=r"knows no account gone@elsewhere\.iam"):
        await provider.read()
    sheet.save_key()
    assert len((await provider.read()).rows) == 2


# What hangs


async def test_a_reading_that_hangs_ends_with_its_deadline(sheet: Sheet) -> None:
    sheet.stage.arm('do = "blackhole"\nrequest = "GET /sheets/v4/*"\nthen = "hang"\ncount = 1')
    said = await sheet.trouble(list_deadline_sec=0.5)
    assert "within 0.5 s" in said
    assert "tried again at the next refresh" in said


async def test_readings_that_hang_never_pile_up(sheet: Sheet) -> None:
    """One thread at most, whatever is asked meanwhile; and the loop goes on."""
    provider = sheet.provider(list_deadline_sec=0.5)
    release = threading.Event()
    began: list[threading.Thread] = []

    def hang(_: threading.Event) -> MarketList:
        began.append(threading.current_thread())
        release.wait(30)
        raise ListError("late")

    with pytest.raises(ListError, match=r"nothing came within 0.05 s"):
        await provider._aside.call(hang, 0.05)
    for _ in range(3):
        with pytest.raises(ListError, match="the reading before this one still hangs"):
            await provider._aside.call(hang, 0.05)
    await until(lambda: began)
    assert len(began) == 1
    assert began[0].daemon
    release.set()
    assert len((await provider.read()).rows) == 2


async def test_two_who_ask_at_once_are_served_one_after_the_other(sheet: Sheet) -> None:
    provider = sheet.provider()
    first, second = await asyncio.gather(provider.read(), provider.read())
    assert first == second


async def test_whoever_gives_up_waiting_leaves_the_next_one_alone(sheet: Sheet) -> None:
    provider = sheet.provider()
    task = asyncio.create_task(provider.read())
    await asyncio.sleep(0)
    task.cancel()
    assert len((await provider.read()).rows) == 2


def test_the_end_of_a_process_waits_for_no_reading(tmp_path: Path) -> None:
    """A listener that never answers, a reading of it, and the process is gone once its own work is done."""
    account = {
        "type": "service_account", "client_email": "a@b.iam.gserviceaccount.com", "private_key": rsa_key(),
        "token_uri": "http://127.0.0.1:%d/token",
    }  # fmt: skip
    code = f"""
import asyncio, json, os, socket, sys
from pathlib import Path
from core.config import Settings
from core.errors import ListError
from core.selection.provider import provider_of
silent = socket.create_server(("127.0.0.1", 0))
port = silent.getsockname()[1]
account = {account!r}
account["token_uri"] %= port
path = Path({str(tmp_path)!r}, "key.json")
path.write_text(json.dumps(account)); path.chmod(0o600)
settings = Settings(mode="paper", sheets_url=f"http://127.0.0.1:{{port}}", spreadsheet_url="x" * 44,
                    google_credentials=str(path), list_deadline_sec=300.0)
provider = provider_of(settings, {{}}, ())
async def main():
    task = asyncio.create_task(provider.read())
    await asyncio.get_running_loop().sock_accept(silent)
    task.cancel()
silent.setblocking(False)
asyncio.run(main())
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


# Where nothing goes


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/token", "http://oauth2.googleapis.com/token", "https://oauth2.googleapis.com.evil.example/token",
        "https://oauth2.googleapis.com@evil.example/token", "https://oauth2.googleapis.com:8443/token", "file:///etc/passwd",
        "https://169.254.169.254/computeMetadata/v1/", "http://metadata.google.internal/", "https://10.0.0.1/token",
        "https://oauth2.googleapis.com\\@evil.example/token", "https://\u043eauth2.googleapis.com/token", "token", "",
        "https://[::1", "https://oauth2.googleapis.com:token/",
    ],
)  # fmt: skip
async def test_the_signature_of_the_key_goes_to_google_alone(sheet: Sheet, looked_up: list[str], address: str) -> None:
    """reliability.md M07: a key file may come from somebody else."""
    sheet.save_key(token_uri=address)
    assert "token_uri is not Google's" in await sheet.trouble()
    assert not looked_up


async def test_a_key_file_for_an_exchange_is_no_use_at_google(sheet: Sheet) -> None:
    """Only beside a Sheets service on loopback may tokens come from there."""
    said = await sheet.trouble(sheets_url="https://sheets.googleapis.com")
    assert "token_uri is not Google's" in said


async def test_proxies_and_certificates_of_the_environment_are_not_used(
    sheet: Sheet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """reliability.md 5, 18: HTTP libraries read them by default; so does .netrc send other credentials."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert len((await sheet.read()).rows) == 2


async def test_nothing_of_the_key_reaches_a_log(sheet: Sheet, caplog: pytest.LogCaptureFixture) -> None:
    """reliability.md 5, 9: through every logger at its chattiest, in success, refusal and failure."""
    with caplog.at_level(logging.DEBUG):
        await sheet.read()
        for fault in (
            'do = "http"\nrequest = "POST /sheets/token"\nstatus = 400\nbody = "html"',
            'do = "sheet"\nwhat = "denied"',
            'do = "blackhole"\nrequest = "GET /sheets/v4/*"\nthen = "cut"',
        ):
            sheet.stage.arm(fault)
            await sheet.trouble()
        sheet.save_key(private_key=sheet.account["private_key"][:300])
        await sheet.trouble()
    told = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert "sheets" in told, "the loggers were heard at all"
    for line in secret_lines(sheet.account):
        assert line not in told
    assert "Bearer" not in told
    assert "ya29." not in told


async def test_nothing_of_the_key_reaches_what_a_command_says_or_keeps(sheet: Sheet, tmp_path: Path) -> None:
    """The program as it is, in success and in refusal: its words and every file of its state."""
    given = environment(tmp_path) | {
        "SPREADSHEET_URL": sheet.book.url,
        "GOOGLE_APPLICATION_CREDENTIALS": str(sheet.key_file),
        **{f"POLYMM_{name.upper()}": sheet.stage.venue.urls[name] for name in ("sheets_url", "gamma_url", "clob_url")},
    }

    async def said() -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "polymm_tui", "markets", "list", "--mode", "paper", cwd=ROOT, env=given,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        told, _ = await process.communicate()
        return told.decode()

    told = await said()
    assert 'sheet "Selected Markets"' in told, told
    sheet.stage.arm('do = "sheet"\nwhat = "denied"')
    told += await said()
    assert f"share the sheet with {EMAIL}, as a viewer" in " ".join(told.split())
    kept = all_files(tmp_path)
    for line in (*secret_lines(sheet.account), "ya29."):
        assert line not in told
        assert sum(line in text for text in kept) == ("ya29" not in line), "in the key file alone"


def all_files(folder: Path) -> list[str]:
    return [path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file()]


def rsa_key() -> str:
    """A key of the size that Google gives out, in PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode()
