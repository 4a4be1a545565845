"""The exchange's Google Sheets as the real gspread sees it: only its base address is another.

gspread asks in a thread, as it does everywhere; the exchange serves in this process.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import gspread
import pytest
import requests
from google.auth.exceptions import RefreshError
from gspread.exceptions import APIError, SpreadsheetNotFound, WorksheetNotFound
from gspread.utils import ValueRenderOption

from core.exchange.sheets.spreadsheet import TAB
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS
from tests.core.runtime.fakes import until
from tests.loopback.faulty import Stage, stage_running
from tests.loopback.sheets_client import client_of

UNFORMATTED = {"valueRenderOption": "UNFORMATTED_VALUE"}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with stage_running() as running:
        yield running


class Reader:
    """Reads the stage's spreadsheet."""

    def __init__(self, stage: Stage, *scopes: str, **changed: str) -> None:
        host, url = stage.venue.running.host, str(stage.venue.urls["sheets_url"])
        self.key = host.spreadsheet.key
        self.client = client_of(url, host.accounts.file(f"{url}/token") | changed, *scopes)

    async def ask(self, what: Callable[[gspread.Client], Any]) -> Any:
        return await asyncio.to_thread(what, self.client)

    async def values(self, tab: str = TAB, **params: Any) -> dict[str, Any]:
        """What one request for a range gives, as the sheet provider asks it."""
        return dict(await self.ask(lambda each: each.http_client.values_get(self.key, tab, params or UNFORMATTED)))

    async def error(self) -> dict[str, Any]:
        """Google's error object of a read."""
        with pytest.raises(APIError) as caught:
            await self.values()
        assert caught.value.response.headers["content-type"].startswith("application/json")
        return dict(caught.value.error)


async def test_gspread_opens_the_sheet_finds_the_tab_and_reads_it(stage: Stage) -> None:
    reader = Reader(stage)
    book = await reader.ask(lambda client: client.open_by_url(stage.venue.running.host.spreadsheet.url))
    assert book.title == "Markets of the exchange" and book.id == reader.key
    tab = await asyncio.to_thread(book.worksheet, TAB)
    assert (tab.row_count, tab.col_count) == (1_000, 26)
    records = await asyncio.to_thread(tab.get_all_records, value_render_option=ValueRenderOption.unformatted)
    assert list(records[0]) == [*COLUMNS, *OPTIONAL_COLUMNS]
    assert [row["market_id"] for row in records] == list(stage.exchange.listings)
    assert [title.title for title in await asyncio.to_thread(book.worksheets)] == [TAB]
    with pytest.raises(WorksheetNotFound):
        await asyncio.to_thread(book.worksheet, "Sheet1")


async def test_one_request_gives_the_whole_tab_with_numbers_as_numbers(stage: Stage) -> None:
    told = await Reader(stage).values()
    assert told["range"] == "'Selected Markets'!A1:Z1000" and told["majorDimension"] == "ROWS"
    row = told["values"][1]
    assert row[:3] == [stage.market, stage.yes, stage.no], "ids are texts in the sheet, and stay texts"
    assert isinstance(row[3], float) and isinstance(row[5], int) and row[7] is True
    shown = (await Reader(stage).values(valueRenderOption="FORMATTED_VALUE"))["values"][1]
    assert shown[3] == f"{row[3]:.10g}" and shown[7] == "TRUE"
    turned = (await Reader(stage).values(majorDimension="COLUMNS"))["values"]
    assert turned[0] == ["market_id", *stage.exchange.listings]


async def test_several_ranges_come_in_one_request(stage: Stage) -> None:
    reader = Reader(stage)
    told = await reader.ask(lambda each: each.http_client.values_batch_get(reader.key, [f"{TAB}!A1", f"{TAB}!A2:B2"]))
    assert [part["values"] for part in told["valueRanges"]] == [[["market_id"]], [[stage.market, stage.yes]]]


async def test_an_id_typed_into_a_cell_is_a_float_for_gspread_too(stage: Stage) -> None:
    stage.venue.running.host.spreadsheet.write([["id"], [stage.yes], ["'" + stage.yes], ["=A2"]], by_hand=True)
    values = (await Reader(stage).values())["values"]
    assert values[1] == [float(f"{float(stage.yes):.15g}")] and isinstance(values[1][0], float)
    assert values[2:] == [[stage.yes], ["#ERROR!"]]
    shown = (await Reader(stage).values(valueRenderOption="FORMATTED_VALUE"))["values"]
    assert shown[1][0].endswith(("E+76", "E+77", "E+75")) and len(shown[1][0]) < 13


async def test_an_empty_tab_has_no_values_at_all(stage: Stage) -> None:
    stage.venue.running.host.spreadsheet.write([[""], []])
    assert "values" not in await Reader(stage).values()


async def test_a_stranger_a_wrong_id_and_a_missing_tab_get_googles_refusals(stage: Stage) -> None:
    reader = Reader(stage)
    with pytest.raises(SpreadsheetNotFound):
        await reader.ask(lambda client: client.open_by_key("1" * 44))
    with pytest.raises(APIError, match="Unable to parse range: Sheet1") as caught:
        await reader.values("Sheet1")
    assert caught.value.error["status"] == "INVALID_ARGUMENT" and caught.value.code == 400
    with pytest.raises(APIError, match="exceeds grid limits"):
        await reader.values(f"{TAB}!A1:AAA1")
    with pytest.raises(APIError, match="value_render_option"):
        await reader.values(valueRenderOption="PLAIN")
    url = f"{stage.venue.urls['sheets_url']}/v4/spreadsheets/{reader.key}"
    nobody = await stage.venue.http.get(url)
    assert nobody.status_code == 403 and "unregistered callers" in nobody.json()["error"]["message"]
    wrong = await stage.venue.http.get(url, headers={"Authorization": "Bearer ya29.x"})
    assert wrong.status_code == 401 and wrong.json()["error"]["status"] == "UNAUTHENTICATED"
    assert (await stage.venue.http.post(url, json={})).status_code == 405, "nobody writes"


async def test_a_scope_that_may_not_read_is_refused(stage: Stage) -> None:
    error = await Reader(stage, "https://www.googleapis.com/auth/calendar").error()
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


async def test_an_account_nobody_knows_gets_no_token(stage: Stage) -> None:
    with pytest.raises(RefreshError, match="account not found"):
        await Reader(stage, client_email="other@elsewhere.iam.gserviceaccount.com").values()
    answer = await stage.venue.http.post(f"{stage.venue.urls['sheets_url']}/token", data={"grant_type": "password"})
    assert answer.status_code == 400 and answer.json()["error"] == "unsupported_grant_type"


async def test_google_goes_by_the_machines_clock(stage: Stage) -> None:
    """As google-auth does: an exchange whose time is hours ahead gives tokens and takes them all the same."""
    stage.pass_time(7_200)
    reader = Reader(stage)
    assert (await reader.values())["values"]
    stage.pass_time(7_200)
    assert (await reader.values())["values"]


async def test_a_token_that_ran_out_is_replaced_without_a_word(stage: Stage) -> None:
    """google-auth fetches another one after a 401 and asks again."""
    reader = Reader(stage)
    await reader.values()
    stage.venue.running.host.accounts.forget()
    assert (await reader.values())["values"]


@pytest.mark.parametrize(
    ("what", "code", "status", "words"),
    [
        ("denied", 403, "PERMISSION_DENIED", "The caller does not have permission"),
        ("missing", 404, "NOT_FOUND", "Requested entity was not found."),
        ("quota", 429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Read requests'"),
        ("unavailable", 503, "UNAVAILABLE", "currently unavailable"),
        ("disabled", 403, "PERMISSION_DENIED", "Google Sheets API has not been used in project"),
        ("no_tab", 400, "INVALID_ARGUMENT", "Unable to parse range: Selected Markets"),
    ],
)
async def test_a_refusal_of_google_lasts_as_long_as_the_script_says(
    stage: Stage, what: str, code: int, status: str, words: str
) -> None:
    reader = Reader(stage)
    stage.arm(f'do = "sheet"\nwhat = "{what}"\nfor = 600')
    for _ in range(2):
        error = await reader.error()
        assert (error["code"], error["status"]) == (code, status) and words in error["message"]
    stage.pass_time(600)
    assert (await reader.values())["values"]
    assert stage.happened("sheet") == [
        "begins",
        *[f"GET /sheets/v4/spreadsheets/{reader.key}/values/{TAB}"] * 2,
        "ends",
    ]


async def test_a_tab_that_was_renamed_is_told_under_its_new_name(stage: Stage) -> None:
    reader = Reader(stage)
    stage.arm('do = "sheet"\nwhat = "no_tab"\nfor = 600')
    with pytest.raises(APIError, match="Unable to parse range"):
        await reader.values()
    book = await reader.ask(lambda client: client.open_by_key(reader.key))
    assert [each.title for each in await asyncio.to_thread(book.worksheets)] == [f"{TAB} (old)"]


async def test_a_refused_token_is_one_that_google_auth_cannot_mend(stage: Stage) -> None:
    stage.arm('do = "sheet"\nwhat = "unauthenticated"\nfor = 600')
    error = await Reader(stage).error()
    assert (error["code"], error["details"][0]["reason"]) == (401, "ACCESS_TOKEN_EXPIRED")


async def test_an_accident_with_the_cells_hits_so_many_reads(stage: Stage) -> None:
    reader = Reader(stage)
    whole = (await reader.values())["values"]
    stage.arm('do = "sheet"\nwhat = "half"')
    await reader.ask(lambda client: client.open_by_key(reader.key))
    assert (await reader.values())["values"] == whole[: 1 + (len(whole) - 1) // 2]
    assert (await reader.values())["values"] == whole, "one read, unless told otherwise"
    stage.arm('do = "sheet"\nwhat = "mangled"\ncount = 2')
    for _ in range(2):
        row = (await reader.values())["values"][1]
        assert row[0] == stage.market and isinstance(row[1], float) and isinstance(row[2], float)
    assert (await reader.values())["values"] == whole
    stage.arm('do = "sheet"\nwhat = "empty"\nfor = 10')
    assert "values" not in await reader.values()
    await reader.ask(lambda client: client.open_by_key(reader.key))
    stage.pass_time(10)
    stage.arm('do = "sheet"\nwhat = "flood"')
    assert len((await reader.values())["values"]) == 10_001


async def test_verbs_about_requests_hit_the_sheet_and_its_tokens(stage: Stage) -> None:
    reader = Reader(stage)
    stage.arm('do = "http"\nrequest = "GET /sheets/*"\nstatus = 500\nbody = "html"')
    with pytest.raises(APIError) as caught:
        await reader.values()
    assert caught.value.response.status_code == 500 and caught.value.code == -1
    stage.arm('do = "blackhole"\nrequest = "GET /sheets/*"\nthen = "cut"')
    with pytest.raises(requests.ConnectionError):
        await reader.values()
    stage.arm('do = "blackhole"\nrequest = "GET /sheets/*"')
    reader.client.set_timeout(0.2)
    with pytest.raises(requests.ReadTimeout):
        await reader.values()
    reader.client.set_timeout(5)
    stage.arm('do = "http"\nrequest = "POST /sheets/token"\nstatus = 403\nbody = "html"')
    with pytest.raises(RefreshError):
        await Reader(stage).values()
    assert (await reader.values())["values"], "the token it has is good"


async def test_a_slow_answer_comes_when_its_time_has_come(stage: Stage) -> None:
    """The wait is exchange time."""
    reader = Reader(stage)
    stage.arm('do = "slow"\nrequest = "GET /sheets/*"\nms = 30000')
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(reader.values())
        await until(lambda: stage.happened("slow")[1:] != [])
        assert not asked.done()
        stage.pass_time(30)
    assert asked.result()["values"]


async def test_a_list_as_long_as_any_is_can_be_written_by_hand(stage: Stage) -> None:
    """Ten thousand rows of ids, figures and a title: whoever rehearses with a flood needs no fault for it."""
    http, url = stage.venue.http, stage.venue.urls["clob_url"] + "/_exchange/sheet"
    row = ["0x" + "ab" * 32, "1" * 77, "2" * 77, 1e6, 1e5, 1e6, 1e6, "x" * 100]
    answered = await http.post(url, json={"values": [row] * 10_000, "tab": "Long"})
    assert answered.status_code == 200, answered.text
    assert len(stage.venue.running.host.spreadsheet.tabs["Long"]) == 10_000


async def test_the_operator_reads_and_writes_the_sheet_without_credentials(stage: Stage) -> None:
    http, url = stage.venue.http, stage.venue.urls["clob_url"] + "/_exchange/sheet"
    shown = (await http.get(url)).json()
    assert shown["spreadsheet"] == stage.venue.running.host.spreadsheet.url and list(shown["tabs"]) == [TAB]
    written = {"values": [["a", 1.5, True, None, "=B1"]], "tab": "New", "input": "USER_ENTERED"}
    assert (await http.post(url, json=written)).json() == {"tabs": [TAB, "New"]}
    assert (await http.get(url)).json()["tabs"]["New"] == [["a", 1.5, True, "", "=B1"]]
    assert (await Reader(stage).values("New"))["values"] == [["a", 1.5, True, "", "#ERROR!"]]
    assert (await http.post(url, json={"values": None, "tab": TAB})).json() == {"tabs": ["New"]}
    for wrong in ({}, {"values": [[{}]]}, {"values": [], "input": "PLAIN"}, {"values": [], "sheet": "x"}):
        assert (await http.post(url, json=wrong)).status_code == 400
    assert (await http.post(url + "/reset")).json() == {"tabs": [TAB]}
    assert len((await Reader(stage).values())["values"]) == 1 + len(stage.exchange.listings)
    info = (await http.get(url + "/service_account")).json()
    assert info["token_uri"] == f"{stage.venue.urls['sheets_url']}/token"
    told = await asyncio.to_thread(
        lambda: client_of(str(stage.venue.urls["sheets_url"]), info).open_by_key(Reader(stage).key).sheet1.title
    )
    assert told == TAB
