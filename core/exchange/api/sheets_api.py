"""Google Sheets v4 as far as a client that reads needs it, and the token endpoint that lets it in.

Served under ``/sheets``: with ``sheets_url`` for its base address, gspread works unchanged. The errors are Google's,
word for word (https://developers.google.com/workspace/sheets/api/reference/rest). A test or an operator writes the
spreadsheet at ``/_exchange/sheet``, nobody through the API: the service account may only read.
"""

import json
from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.clock import SystemClock
from core.exchange.api.host import Host, answer, refused
from core.exchange.sheets.accounts import EMAIL, READ_SCOPES, GrantError
from core.exchange.sheets.cells import RENDERS, Cell
from core.exchange.sheets.errors import SCOPE, UNREGISTERED, google_error
from core.exchange.sheets.spreadsheet import TAB, RangeError, default_spreadsheet

SHEETS: Final = "/sheets"
"""Where the service stands on the exchange's one port."""
TOKEN: Final = f"{SHEETS}/token"
_BOOK: Final = f"{SHEETS}/v4/spreadsheets/{{key}}"
_JWT_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXPIRES_S: Final = 3_599
_JSON: Final = "application/json; charset=UTF-8"

_Reader = Callable[[Request], dict[str, Any]]


class _Write(msgspec.Struct, forbid_unknown_fields=True):
    values: list[list[Cell]] | None
    """The tab's cells; none takes the tab away."""
    tab: str = TAB
    input: Literal["RAW", "USER_ENTERED"] = "RAW"


class _Refusal(Exception):
    """An answer in place of what was asked for."""

    def __init__(self, status: str, message: str = "", *, reason: str = "") -> None:
        super().__init__(message or status)
        self.body, self.code = google_error(status, message, reason=reason)


class SheetsApi:
    """One spreadsheet, shared with one service account.

    Tokens live by the machine's clock, whatever the exchange's says: so does Google's client library.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._clock = SystemClock()

    def routes(self) -> list[Route]:
        """The routes of this part."""
        public = self._host.public
        readers: tuple[tuple[str, _Reader], ...] = (
            (_BOOK + "/values:batchGet", self._batch),
            (_BOOK + "/values/{range:path}", self._values),
            (_BOOK, self._book),
        )
        return [
            Route(TOKEN, public(self._token), methods=["POST"]),
            *(Route(path, public(self._allowed(reader)), methods=["GET"]) for path, reader in readers),
            Route("/_exchange/sheet", public(self._shown), methods=["GET"]),
            Route("/_exchange/sheet", public(self._write), methods=["POST"]),
            Route("/_exchange/sheet/reset", public(self._reset), methods=["POST"]),
            Route("/_exchange/sheet/service_account", public(self._account), methods=["GET"]),
        ]

    # The token endpoint

    def _token(self, request: Request, body: bytes) -> Response:
        """An access token for a signed assertion (RFC 7523)."""
        form = parse_qs(body.decode("ascii", "replace"))
        kind = form.get("grant_type", [""])[0]
        try:
            if kind != _JWT_GRANT:
                raise GrantError("unsupported_grant_type", f"Invalid grant_type: {kind}")
            uri = f"http://{request.headers.get('host', '')}{TOKEN}"
            token = self._host.accounts.grant(form.get("assertion", [""])[0], uri, self._clock.unix())
        except GrantError as error:
            return _spelled({"error": error.error, "error_description": str(error)}, 400)
        return _spelled({"access_token": token, "expires_in": _EXPIRES_S, "token_type": "Bearer"})

    def _allowed(self, reader: _Reader) -> Callable[[Request, bytes], Response]:
        """Wrap a read so that it runs for a token that may read the spreadsheet."""

        def guarded(request: Request, body: bytes) -> Response:
            try:
                self._check(request)
                return _spelled(reader(request))
            except _Refusal as refusal:
                return Response(refusal.body, refusal.code, media_type=_JSON)

        return guarded

    def _check(self, request: Request) -> None:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        if not kind:
            raise _Refusal("PERMISSION_DENIED", UNREGISTERED)
        token = self._host.accounts.token(text.strip(), self._clock.unix()) if kind.lower() == "bearer" else None
        if token is None:
            raise _Refusal("UNAUTHENTICATED")
        if not token.scopes & READ_SCOPES:
            raise _Refusal("PERMISSION_DENIED", SCOPE, reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT")
        if request.path_params["key"] != self._host.spreadsheet.key:
            raise _Refusal("NOT_FOUND")

    # Reads

    def _book(self, request: Request) -> dict[str, Any]:
        """The spreadsheet's tabs, without their cells."""
        book = self._host.spreadsheet
        sheets = []
        for place, tab in enumerate(book.tabs):
            rows, columns = book.size(tab)
            grid = {"rowCount": rows, "columnCount": columns}
            fields = {"sheetId": place, "title": tab, "index": place, "sheetType": "GRID", "gridProperties": grid}
            sheets.append({"properties": fields})
        properties = {"title": book.title, "locale": "en_US", "autoRecalc": "ON_CHANGE", "timeZone": "Etc/GMT"}
        return {"spreadsheetId": book.key, "properties": properties, "sheets": sheets, "spreadsheetUrl": book.url}

    def _values(self, request: Request) -> dict[str, Any]:
        """The cells of one range."""
        return self._range(request.path_params["range"], request)

    def _batch(self, request: Request) -> dict[str, Any]:
        """The cells of several ranges."""
        ranges = [self._range(text, request) for text in request.query_params.getlist("ranges")]
        return {"spreadsheetId": self._host.spreadsheet.key, "valueRanges": ranges}

    def _range(self, text: str, request: Request) -> dict[str, Any]:
        major = request.query_params.get("majorDimension") or "ROWS"
        render = request.query_params.get("valueRenderOption") or "FORMATTED_VALUE"
        if major not in ("ROWS", "COLUMNS"):
            raise _Refusal("INVALID_ARGUMENT", f"Invalid value at 'major_dimension': \"{major}\"")
        if render not in RENDERS:
            raise _Refusal("INVALID_ARGUMENT", f"Invalid value at 'value_render_option': \"{render}\"")
        book = self._host.spreadsheet
        try:
            box = book.box(text)
        except RangeError as error:
            raise _Refusal("INVALID_ARGUMENT", str(error)) from error
        values = book.read(box, RENDERS[render], by_columns=major == "COLUMNS")
        return {"range": box.text, "majorDimension": major} | ({"values": values} if values else {})

    # The operator's side

    def _shown(self, request: Request, body: bytes) -> Response:
        """The spreadsheet as it was written."""
        book = self._host.spreadsheet
        tabs = {tab: book.read(book.whole(tab), "FORMULA") for tab in book.tabs}
        return answer({"spreadsheet": book.url, "service_account": EMAIL, "tabs": tabs})

    def _write(self, request: Request, body: bytes) -> Response:
        """Replace what a tab holds: ``{"values", "tab", "input"}``; ``null`` for the values takes the tab away."""
        try:
            asked = msgspec.json.decode(body, type=_Write)
        except msgspec.DecodeError as error:
            return refused(str(error))
        book = self._host.spreadsheet
        if asked.values is None:
            book.tabs.pop(asked.tab, None)
        else:
            book.write(asked.values, asked.tab, by_hand=asked.input == "USER_ENTERED")
        return answer({"tabs": list(book.tabs)})

    def _reset(self, request: Request, body: bytes) -> Response:
        """Write the list of all markets there are now, in place of whatever the spreadsheet holds."""
        self._host.spreadsheet = default_spreadsheet(self._host.exchange)
        return answer({"tabs": list(self._host.spreadsheet.tabs)})

    def _account(self, request: Request, body: bytes) -> Response:
        """The key file of the service account that may read the spreadsheet."""
        return answer(self._host.accounts.file(f"http://{request.headers.get('host', '')}{TOKEN}"))


def _spelled(body: Any, status: int = 200) -> Response:
    """JSON as Google spells it."""
    return Response(json.dumps(body, indent=2, ensure_ascii=False), status, media_type=_JSON)
