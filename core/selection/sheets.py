"""The market list in a Google Sheet, read with a service account that may only read (peers.md 3, first row).

Whatever Google answers is told in words with a next step. The account's key is read from its file for one reading and
nowhere kept; no exception of the client leaves the thread, because tracebacks hold what it worked with.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import structs

from core.config import Settings
from core.errors import ListError, PreflightError
from core.kill.files import open_existing
from core.selection.addresses import is_loopback
from core.selection.aside import Aside
from core.selection.listed import MarketList
from core.selection.rows import checked
from core.text import cleaned
from core.venue.credentials import Secret

SCOPE: Final = "https://www.googleapis.com/auth/spreadsheets.readonly"
"""All that is asked for (reliability.md 5, 25)."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{20,128}")
_SHEETS_AT: Final = "docs.google.com"
_SHEET_PATH: Final = re.compile(r"(?:/a/[^/]+)?/spreadsheets/(?:u/[0-9]{1,2}/)?d/([^/]+)(?:/.*)?")
"""``/a/DOMAIN`` stands before it for accounts of an organisation."""
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}")
_LONGEST_FILE: Final = 64 * 1024
"""Bytes; a service account file has about two thousand."""
_TOKEN_HOSTS: Final = ("oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com")
"""Where Google gives out access tokens; the key's signature goes nowhere else."""
_SHEETS_HOST: Final = ".googleapis.com"


class Account(msgspec.Struct, frozen=True):
    """A service account: what signs for access, and where."""

    email: str
    key: Secret
    key_id: str
    token_uri: str


class _AccountFile(msgspec.Struct):
    """The fields of the file that are used (Google Cloud documentation, service account keys); the rest is ignored."""

    type: str = ""
    client_email: str = ""
    private_key: Secret | None = None
    private_key_id: str = ""
    token_uri: str = ""


class SheetProvider:
    """Reads a tab of a Google Sheet as it is when asked."""

    def __init__(
        self, credentials: Path, settings: Settings, profiles: Collection[str], notes: Sequence[str] = ()
    ) -> None:
        """``credentials`` is the file of a service account, not opened before the first reading.

        Raises:
            ListError: the sheet's address, or that of the service, cannot be used.
        """
        self.source = f'sheet "{cleaned(settings.sheet_tab)}"'
        self.spreadsheet = spreadsheet_id(settings.spreadsheet_url)
        self.base = sheets_base(settings.sheets_url)
        self._credentials = credentials
        self._settings = settings
        self._profiles = frozenset(profiles)
        self._notes = tuple(notes)
        self._aside: Aside[MarketList] = Aside(self.source)

    async def read(self) -> MarketList:
        """The list as it stands in the sheet now.

        Raises:
            ListError: it cannot be read as a whole; the text never holds anything of the key.
        """
        return await self._aside.call(self._read, self._settings.list_deadline_sec)

    def _read(self, given_up: Event) -> MarketList:
        from core.selection.sheets_client import Reading  # takes gspread, requests and google-auth with it

        settings = self._settings
        try:
            account = account_of(self._credentials, may_be_loopback=is_loopback(self.base))
            with closing(Reading(account, self.base, settings.list_deadline_sec, given_up)) as reading:
                cells = reading.values(self.spreadsheet, settings.sheet_tab)
        except ListError as error:
            raise ListError(f"{self.source}: {error}") from None
        found = checked(
            cells, source=self.source, kind="sheet", profiles=self._profiles, most_rows=settings.list_rows_max
        )
        return structs.replace(found, notes=(*self._notes, *found.notes))


def spreadsheet_id(address: str) -> str:
    """The id of a spreadsheet, from its address in the browser or as it is; nothing else of an address is used.

    Raises:
        ListError: it is neither.
    """
    text = address.strip()
    if _ID.fullmatch(text):
        return text
    wanted = "SPREADSHEET_URL wants the address of a sheet as the browser shows it, https://docs.google.com/spreadsheets/d/..."
    parts = _split(f"https://{text}" if text.startswith(f"{_SHEETS_AT}/") else text)
    if parts is None or parts.scheme != "https" or parts.netloc != _SHEETS_AT:
        raise ListError(f"{wanted}; it is no https address at docs.google.com")
    found = _SHEET_PATH.fullmatch(parts.path)
    if found is not None and found[1] == "e":
        raise ListError(f"{wanted}; this one is of a published copy")
    if found is None or not _ID.fullmatch(found[1]):
        raise ListError(f"{wanted}; there is no id of a spreadsheet in it")
    return found[1]


def sheets_base(address: str) -> str:
    """Where the Sheets service is, without a slash at the end: Google's, or one on loopback (reliability.md M07).

    Raises:
        ListError: it is somewhere else, or not over TLS.
    """
    parts = _split(address)
    host = parts.hostname if parts is not None else None
    if parts is None or host is None or not (is_loopback(address) or _is_google(parts, host.endswith(_SHEETS_HOST))):
        raise ListError("sheets_url has to be an https address at googleapis.com, or one on loopback")
    return address.rstrip("/")


def account_of(path: Path, *, may_be_loopback: bool) -> Account:
    """Read the file of a service account.

    Args:
        path: of a file of ours that nobody else can read.
        may_be_loopback: whether its tokens may come from an exchange on this machine.

    Raises:
        ListError: it is not there, not ours alone, no service account's, or has its tokens from elsewhere than Google.
    """
    shown = cleaned(str(path))
    try:
        handle = open_existing(path)
    except FileNotFoundError:
        raise ListError(
            f"{shown}: no such file; GOOGLE_APPLICATION_CREDENTIALS names the JSON key file of a service account"
        ) from None
    except PreflightError as error:
        raise ListError(cleaned(str(error))) from None
    told = _account_file(handle)
    if told is None:
        raise ListError(f"{shown} is no service account's key file: no JSON of that kind; download it anew")
    if told.type != "service_account":
        kind = f"it is of type {cleaned(told.type, 40)!r}" if told.type else "it has no type"
        raise ListError(f"{shown} is no service account's key file ({kind}); make one in the Google Cloud console")
    if not _EMAIL.fullmatch(told.client_email):
        raise ListError(f"{shown}: client_email is missing or no address; download the key file anew")
    if told.private_key is None:
        raise ListError(f"{shown}: private_key is missing or no PEM key; download the key file anew")
    if not _gives_tokens(told.token_uri, may_be_loopback=may_be_loopback):
        raise ListError(
            f"{shown}: token_uri is not Google's (https://oauth2.googleapis.com/token); nothing is sent there"
        )
    return Account(told.client_email, told.private_key, told.private_key_id, told.token_uri)


def _account_file(handle: int) -> _AccountFile | None:
    """The fields of a key file, which is closed; None when it is none.

    Nothing is raised in here, where the key is a local: it would be in the traceback.
    """
    with open(handle, "rb") as file:
        try:
            content = file.read(_LONGEST_FILE + 1)
            found = msgspec.json.decode(content, type=_AccountFile, dec_hook=_hidden)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
    return found if len(content) <= _LONGEST_FILE else None


def _hidden(_: type, text: Any) -> Secret:
    """A PEM key as a secret.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str) or not text.lstrip().startswith("-----BEGIN "):
        raise ValueError("no PEM key")
    return Secret(text)


def _gives_tokens(address: str, *, may_be_loopback: bool) -> bool:
    parts = _split(address)
    if parts is None:
        return False
    return (may_be_loopback and is_loopback(address)) or _is_google(parts, parts.hostname in _TOKEN_HOSTS)


def _is_google(parts: SplitResult, is_known_host: bool) -> bool:
    """Over TLS, at a known host on the usual port, with no name and password in front of it."""
    return parts.scheme == "https" and is_known_host and parts.netloc in (parts.hostname, f"{parts.hostname}:443")


def _split(address: str) -> SplitResult | None:
    """The parts of an http address; None when it is none or has in it what parsers disagree about."""
    if not address.isascii() or any(char in address for char in "\\ \t\r\n\0@"):
        return None
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None
