"""Where the market list comes from: one protocol, and which kind a configuration means (peers.md 3, first row)."""

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from core.config import Settings
from core.errors import ListError, VenueError
from core.selection.addresses import is_loopback
from core.selection.files import SUFFIXES, FileProvider
from core.selection.listed import ListRow, MarketList, RejectedRow
from core.selection.rows import condition_id
from core.selection.sheets import SheetProvider
from core.text import cleaned

_BEGIN = "`polymm-tui markets discover --out markets.csv` writes a list to begin with"


class Provider(Protocol):
    """Something that a market list can be read from, as often as one likes."""

    source: str
    """Where it reads, for people."""

    async def read(self) -> MarketList:
        """The list as it stands there now, row by row checked; figures and profiles as they were written.

        Raises:
            ListError: it cannot be read as a whole; the text says what, where and what to do.
        """
        ...


def provider_of(settings: Settings, environment: Mapping[str, str], profiles: Collection[str]) -> Provider:
    """The list that a configuration means.

    A file that was named comes first, since it is there in place of a sheet; then the sheet, if there are credentials
    to read it with; then ``markets.csv`` or ``markets.toml`` beside the user's settings; then the ids of ``markets``.
    The demo has a list of its own, its exchange's markets, so that what is configured for live never breaks it, except
    by ``market_list``, ``markets``, or a sheet of an exchange on loopback.

    Args:
        settings: of the run.
        environment: tells where the user's settings are.
        profiles: names of parameter sets that a row may choose.

    Raises:
        ListError: there is no list, or what names it cannot be understood.
    """
    notes: list[str] = []
    sheet_is_meant = bool(settings.spreadsheet_url) and (settings.mode != "demo" or is_loopback(settings.sheets_url))
    if settings.market_list:
        if sheet_is_meant:
            notes.append("market_list is read in place of the sheet that SPREADSHEET_URL names")
        return FileProvider(_expanded(settings.market_list, environment), settings, profiles, notes)
    if sheet_is_meant and settings.google_credentials:
        if settings.markets:
            notes.append("the ids of `markets` are not used: the sheet is the list")
        if settings.mode == "live" and is_loopback(settings.sheets_url) and not is_loopback(settings.clob_url):
            raise ListError("sheets_url is on loopback and the venue is not: unset it, a list for live is at Google")
        path = _expanded(settings.google_credentials, environment)
        return SheetProvider(path, settings, profiles, notes)
    if sheet_is_meant:
        notes.append(
            "the sheet that SPREADSHEET_URL names is not read: set GOOGLE_APPLICATION_CREDENTIALS to the file of a "
            "service account that may read it"
        )
    if settings.mode != "demo":
        beside = usual_files(environment)
        if len(beside) > 1:
            raise ListError(f"{' and '.join(map(str, beside))} are both there; remove one, or name one as market_list")
        if beside:
            if settings.markets:
                notes.append(f"the ids of `markets` are not used: {beside[0]} is the list")
            return FileProvider(beside[0], settings, profiles, notes)
    if settings.markets:
        return SettingProvider(settings.markets, notes)
    if settings.mode == "demo":
        return VenueProvider(settings)
    raise ListError("; ".join(("there is no market list", *notes, _BEGIN)))


def usual_files(environment: Mapping[str, str]) -> list[Path]:
    """Market lists that are there beside the user's settings."""
    home = environment.get("HOME", "~")
    base = Path(environment.get("XDG_CONFIG_HOME") or Path(home).expanduser() / ".config") / "polymm-tui"
    return [path for suffix in SUFFIXES if os.path.exists(path := base / f"markets{suffix}")]


class SettingProvider:
    """Reads the setting ``markets``: condition ids alone; tokens and figures are the venue's."""

    source = "setting markets"

    def __init__(self, markets: Sequence[str], notes: Sequence[str] = ()) -> None:
        self._markets = tuple(markets)
        self._notes = tuple(notes)

    async def read(self) -> MarketList:
        """The markets as they were set.

        Raises:
            ListError: none of them can be used.
        """
        rows: dict[str, ListRow] = {}
        rejected = []
        for number, text in enumerate(self._markets, 1):
            try:
                market = condition_id(text)
                if market in rows:
                    raise ListError(f"a repetition of number {rows[market].row}")
                rows[market] = ListRow(row=number, market=market)
            except ListError as error:
                rejected.append(
                    RejectedRow(row=number, column="market_id", value=cleaned(text, 100), reason=str(error))
                )
        if not rows:
            first = rejected[0]
            raise ListError(f"{self.source}: none can be used; number 1, {first.value!r}: {first.reason}")
        return MarketList(
            source=self.source, kind="setting", rows=tuple(rows.values()), rejected=tuple(rejected), notes=self._notes
        )


class VenueProvider:
    """Takes all open markets of an exchange of our own: the demo needs no list."""

    source = "all markets of the exchange"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def read(self) -> MarketList:
        """The markets of the catalogue's first page.

        Raises:
            ListError: the catalogue cannot be read, or has none.
        """
        from core.venue.gamma import GammaClient  # loads the client of HTTP, which a list in a file has no use for

        gamma = GammaClient(self._settings.gamma_url)
        try:
            async with asyncio.timeout(self._settings.list_deadline_sec):
                markets, problems = await gamma.markets(())
        except (VenueError, TimeoutError) as error:
            raise ListError(f"{self.source}: {cleaned(str(error)) or 'no answer in time'}; is it running?") from None
        finally:
            await gamma.close()
        rows = tuple(ListRow(row=number, market=each.instrument.market) for number, each in enumerate(markets, 1))
        if not rows:
            raise ListError(f"{self.source}: there is none")
        return MarketList(source=self.source, kind="venue", rows=rows, notes=tuple(map(cleaned, problems)))


def _expanded(path: str, environment: Mapping[str, str]) -> Path:
    """A path of the settings, where ``~`` is the user's home."""
    home = environment.get("HOME", "")
    return Path(home, path.removeprefix("~/")) if path.startswith("~/") and home else Path(path)
