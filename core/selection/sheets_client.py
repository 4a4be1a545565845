"""gspread's client held to what reading one list needs: one service, no redirect, an answer of bounded size.

Imported when a sheet is read and not before: what it brings with it takes a quarter of a second.
"""

import re
from collections.abc import Mapping
from functools import partial
from threading import Event
from typing import Any, Final

import requests
from google.auth.crypt import RSASigner
from google.auth.exceptions import RefreshError, TransportError
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials
from gspread.http_client import HTTPClient
from gspread.urls import SPREADSHEETS_API_V4_BASE_URL
from gspread.utils import absolute_range_name
from requests.adapters import HTTPAdapter

from core.errors import ListError
from core.selection.aside import AGAIN
from core.selection.listed import Cell
from core.selection.sheets import SCOPE, Account
from core.text import cleaned

MOST_BYTES: Final = 8 * 2**20
"""Of an answer, unpacked; a list of 10,000 rows has three MiB."""
_PART: Final = 64 * 1024
_GOOGLE: Final = SPREADSHEETS_API_V4_BASE_URL.removesuffix("/v4/spreadsheets")
_LONGEST_SAID: Final = 200
"""Characters of Google's own words that are passed on."""
_MOST_TABS: Final = 12
_JWT: Final = re.compile(r"eyJ[\w.-]+")
_BEARER: Final = re.compile(r"[\x21-\x7e]+")


class Reading:
    """One reading of a sheet: an access token, the cells, and the end."""

    def __init__(self, account: Account, base: str, timeout_s: float, given_up: Event) -> None:
        """Nothing is asked yet.

        Args:
            account: may read the sheet, or not, as will be seen.
            base: address of the Sheets service.
            timeout_s: longest silence of a server.
            given_up: set once nobody waits for the reading any more.
        """
        self._account = account
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies, no certificates and no .netrc of the environment
        self._session.headers["User-Agent"] = "polymm-tui"
        self._session.adapters.clear()
        for address in (f"{base}/", account.token_uri):  # to any other place there is no way
            self._session.mount(address, _Line(given_up))
        self._client = _Client(self._session, base, timeout_s)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def values(self, spreadsheet: str, tab: str) -> list[list[Cell]]:
        """All cells of a tab as they are, not as they look (Sheets v4, ``valueRenderOption=UNFORMATTED_VALUE``).

        Raises:
            ListError: there is no way to them; says why, and what to do.
        """
        try:
            self._sign_in()
            try:
                told = self._client.values_get(
                    spreadsheet, absolute_range_name(tab), {"valueRenderOption": "UNFORMATTED_VALUE"}
                )
            except _Refused as refused:
                if refused.status == 400 and "parse range" in refused.words:
                    raise ListError(self._no_such_tab(spreadsheet, tab)) from None
                raise
            return answered_cells(told)
        except _Refused as refused:
            raise ListError(_meaning(refused, spreadsheet, self._account.email)) from None
        except requests.RequestException as error:
            raise ListError(self._unreached(error)) from None
        except (ValueError, RecursionError):
            raise ListError(_NO_DATA) from None

    def _sign_in(self) -> None:
        """Have a token for this reading alone.

        Raises:
            ListError: the key is none, or Google gives no token for it.
            requests.RequestException: it could not be asked.
        """
        account = self._account
        try:
            signer = RSASigner.from_string(account.key.reveal(), account.key_id or None)  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001 - of several libraries, with the key in its traceback
            raise ListError("private_key of the service account's file is no RSA key; download the file anew") from None
        credentials = Credentials(  # type: ignore[no-untyped-call]
            signer, service_account_email=account.email, token_uri=account.token_uri, scopes=[SCOPE]
        )
        ask = partial(Request(self._session), timeout=self._timeout_s)
        try:
            # Not through an authorized session: it would ask another of Google's services about regions by itself.
            credentials.refresh(ask)  # type: ignore[no-untyped-call]
        except TransportError as error:
            cause = error.args[0] if error.args else None
            raise cause if isinstance(cause, requests.RequestException) else requests.RequestException() from None
        except RefreshError as error:
            raise ListError(_no_token(error, account.email)) from None
        except Exception:  # noqa: BLE001 - an answer that google-auth did not look for may raise anything in it
            raise ListError(_no_token(RefreshError(), account.email)) from None  # type: ignore[no-untyped-call]
        if not isinstance(credentials.token, str) or not _BEARER.fullmatch(credentials.token):
            raise ListError(_no_token(RefreshError(), account.email))  # type: ignore[no-untyped-call]
        self._session.headers["Authorization"] = f"Bearer {credentials.token}"

    def _no_such_tab(self, spreadsheet: str, tab: str) -> str:
        said = f'the spreadsheet has no tab "{cleaned(tab)}"'
        told = self._client.fetch_sheet_metadata(
            spreadsheet, {"includeGridData": "false", "fields": "sheets.properties.title"}
        )
        try:
            titles = [cleaned(str(sheet["properties"]["title"]), 100) for sheet in told["sheets"]]
        except (KeyError, TypeError):
            titles = []
        named = ", ".join(f'"{title}"' for title in titles[:_MOST_TABS])
        more = f" and {len(titles) - _MOST_TABS} more" if len(titles) > _MOST_TABS else ""
        return f"{said}; there is {named}{more}: name one of them as sheet_tab, or rename it" if titles else said

    def _unreached(self, error: requests.RequestException) -> str:
        """What a failure on the way means; its own text may quote headers and is not passed on."""
        if isinstance(error, _Unfit):
            return str(error)
        if isinstance(error, requests.JSONDecodeError):
            return _NO_DATA
        if isinstance(error, requests.Timeout):
            return f"Google gave no answer within {self._timeout_s:g} s; {AGAIN}"
        if isinstance(error, requests.exceptions.SSLError):
            return "Google's certificate could not be verified: is something between us and the network?"
        if isinstance(error, requests.exceptions.InvalidSchema):
            return "an answer led to another address; nothing was sent there"
        return f"Google could not be reached ({type(error).__name__}): is the network there? {AGAIN}"


_NO_DATA: Final = f"the answer is a page or something else that is no data: is a proxy or a login in between? {AGAIN}"


class _Refused(Exception):
    """An answer of the service that is no success."""

    def __init__(self, status: int, word: str, words: str) -> None:
        super().__init__(status)
        self.status = status
        self.word = word
        """Google's name for it; "" when the answer was not Google's kind of error."""
        self.words = words


class _Unfit(requests.RequestException):
    """An answer that is not read to its end."""


class _Line(HTTPAdapter):
    """Brings answers whole, if they are short enough and somebody still waits for them."""

    def __init__(self, given_up: Event) -> None:
        super().__init__()
        self._given_up = given_up

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Ask, and read the answer.

        Raises:
            requests.RequestException: no answer came, it is a redirect, too long, or nobody wants it any more.
        """
        response = super().send(request, **{**options, "stream": True})
        body = bytearray()
        try:
            if response.is_redirect:
                raise _Unfit("the answer was a redirect to another address, which is not followed")
            while part := response.raw.read1(_PART, decode_content=True):
                body += part
                if self._given_up.is_set():
                    raise _Unfit("nobody waits for it any more")
                if len(body) > MOST_BYTES:
                    raise _Unfit(f"the answer has more than {MOST_BYTES >> 20} MiB: is that the market list?")
        except requests.RequestException:
            raise
        except Exception as error:  # noqa: BLE001 - urllib3's and the socket's, whose texts may quote headers
            is_timeout = "Timeout" in type(error).__name__
            raise (requests.Timeout() if is_timeout else requests.ConnectionError()) from None
        finally:
            response.close()
        response._content, response._content_consumed = bytes(body), True
        return response


class _Client(HTTPClient):
    """gspread's own requests, sent to a service that may be on loopback; an answer is a success or refused."""

    def __init__(self, session: requests.Session, base: str, timeout_s: float) -> None:
        super().__init__(None, session)  # type: ignore[arg-type]
        self._base = base
        self.set_timeout(timeout_s)

    def request(self, method: str, endpoint: str, params: Any = None, *_: Any, **__: Any) -> requests.Response:
        """Send one request.

        Raises:
            _Refused: the answer is no success.
            requests.RequestException: there is none.
        """
        address = self._base + endpoint.removeprefix(_GOOGLE)
        response = self.session.request(method, address, params=params, timeout=self.timeout)
        if response.status_code != requests.codes.ok:
            raise _refused(response)
        return response


def _refused(response: requests.Response) -> _Refused:
    try:
        error = response.json()["error"]
        word, words = str(error["status"]), str(error["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        word, words = "", ""
    return _Refused(response.status_code, cleaned(word, 60), cleaned(words, _LONGEST_SAID))


def _meaning(refused: _Refused, spreadsheet: str, email: str) -> str:
    """What a refusal means for whoever has to mend it (Sheets v4, ``google.rpc.Code``)."""
    status, words = refused.status, refused.words
    if status == 429 or (status == 403 and "rate limit" in words.lower()):
        said = f"Google's quota of readings is used up for the moment ({status})"
        return f"{said}; {AGAIN}; raise list_refresh_sec if it lasts"
    if status >= 500:
        return f"Google has trouble of its own ({status}); {AGAIN}"
    if not refused.word:
        return f"something that is not Google's service answered {status}: is a proxy or a login in between? {AGAIN}"
    if status == 401:
        return f"Google takes the access token of {email} no more (401); {AGAIN}; if it lasts, make a new key"
    if status == 403 and ("has not been used" in words or "is disabled" in words):
        return f"the Google Sheets API is not enabled in the project of {email} (403): enable it in the Cloud console"
    if status == 403 and "scope" not in words:
        return f"no access (403): share the sheet with {email}, as a viewer"
    if status == 404:
        return f"Google has no spreadsheet {spreadsheet} (404): correct SPREADSHEET_URL, or was it deleted?"
    if status == 400 and "not supported for this document" in words:
        return "the document is an Office file (400): save it as a Google Sheet, and give that one's address"
    return f"Google refused ({status} {refused.word}): {words}"


def _no_token(error: RefreshError, email: str) -> str:
    """Why Google gives no token (RFC 6749 5.2, RFC 7523 3.1), without what it may quote of the request."""
    told = error.args[1] if len(error.args) > 1 else None
    code, words = "", ""
    if isinstance(told, Mapping):
        code, words = (
            cleaned(_JWT.sub("***", str(told.get(name, ""))), _LONGEST_SAID) for name in ("error", "error_description")
        )
    if error.retryable:
        return f"Google has trouble of its own and gives no access token; {AGAIN}"
    if not code:
        return f"no access token for {email}: {_NO_DATA}"
    if "time" in words and code == "invalid_grant":
        return (
            "Google gives no access token because this machine's clock is wrong: set it (NTP), then it is tried again"
        )
    if "ignature" in words:
        return f"Google does not know the key of {email} any more: make a new one, and download its file"
    if "account not found" in words:
        return f"Google knows no account {email}: was it deleted? Make another, and share the sheet with it"
    return f"Google gives no access token for {email}: {code} {words}".rstrip()


def answered_cells(told: Any) -> list[list[Cell]]:
    """The rows of an answer; a tab where nothing stands has none.

    Raises:
        ValueError: it is of another shape.
    """
    rows = told.get("values", []) if isinstance(told, dict) and "range" in told else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise ValueError("no rows")
    if not all(isinstance(cell, str | int | float | bool | None) for row in rows for cell in row):
        raise ValueError("no cells")
    return rows
