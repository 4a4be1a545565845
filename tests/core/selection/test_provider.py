"""Which list a configuration means: a named file, a sheet, the usual file, ids, or an exchange's own markets."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.config import Settings
from core.errors import ListError, VenueUnavailable
from core.selection.files import FileProvider
from core.selection.listed import COLUMNS
from core.selection.provider import Provider, SettingProvider, VenueProvider, provider_of
from core.selection.sheets import SheetProvider
from core.venue.gamma import GammaClient
from tests.core.selection.test_rows import condition

ID = "x" * 44


def provider(home: Path, **settings: Any) -> Provider:
    return provider_of(Settings(**({"mode": "paper"} | settings)), {"HOME": str(home)}, ("calm",))


def usual(home: Path, name: str = "markets.csv") -> Path:
    """A list beside the user's settings."""
    path = home / ".config" / "polymm-tui" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(",".join(COLUMNS) + f"\n{condition(1)},12,13,1,2,3,4\n")
    path.chmod(0o644)
    return path


def read(made: Provider) -> tuple[str, ...]:
    return asyncio.run(made.read()).notes


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_sheet_with_credentials_is_the_list(tmp_path: Path, mode: str) -> None:
    usual(tmp_path)
    made = provider(tmp_path, mode=mode, spreadsheet_url=ID, google_credentials="~/key.json", sheet_tab="Mine")
    assert isinstance(made, SheetProvider)
    assert (made.source, made.spreadsheet) == ('sheet "Mine"', ID)
    with pytest.raises(ListError, match=f'sheet "Mine": {tmp_path}/key.json: no such file'):
        read(made)


def test_a_file_that_is_named_stands_in_place_of_a_sheet(tmp_path: Path) -> None:
    """So an operator whose sheet is in trouble gives another list, and is told that the sheet is not read."""
    path = usual(tmp_path, "mine.csv")
    made = provider(tmp_path, spreadsheet_url=ID, google_credentials="key.json", market_list=str(path))
    assert isinstance(made, FileProvider)
    assert made.source == str(path)
    assert read(made) == ("market_list is read in place of the sheet that SPREADSHEET_URL names",)
    home = provider(tmp_path, market_list="~/.config/polymm-tui/mine.csv")
    assert home.source == str(path)


@pytest.mark.parametrize("name", ["markets.csv", "markets.toml"])
def test_without_credentials_the_file_beside_the_settings_is_the_list(tmp_path: Path, name: str) -> None:
    path = usual(tmp_path, name)
    made = provider(tmp_path)
    assert isinstance(made, FileProvider)
    assert made.source == str(path)
    made = provider_of(Settings(mode="live"), {"HOME": "/nowhere", "XDG_CONFIG_HOME": str(tmp_path / ".config")}, ())
    assert made.source == str(path)


def test_a_sheet_that_cannot_be_read_for_want_of_credentials_is_told_with_every_reading(tmp_path: Path) -> None:
    usual(tmp_path)
    (note,) = read(provider(tmp_path, spreadsheet_url=ID))
    assert "is not read: set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account" in note


def test_two_usual_files_are_one_too_many(tmp_path: Path) -> None:
    usual(tmp_path)
    usual(tmp_path, "markets.toml")
    with pytest.raises(ListError, match=r"markets\.csv and .*markets\.toml are both there; remove one"):
        provider(tmp_path)


def test_ids_are_the_list_where_there_is_no_other(tmp_path: Path) -> None:
    made = provider(tmp_path, markets=(condition(1).upper(), "0xb", condition(2), condition(1)))
    assert isinstance(made, SettingProvider)
    found = asyncio.run(made.read())
    assert [(row.row, row.market, row.yes_token) for row in found.rows] == [
        (1, condition(1), ""),
        (3, condition(2), ""),
    ]
    assert [(each.row, each.value) for each in found.rejected] == [(2, "0xb"), (4, condition(1))]
    assert "has 1 characters after 0x" in found.rejected[0].reason
    assert found.rejected[1].reason == "a repetition of number 1"
    assert found.kind == "setting"
    usual(tmp_path)
    (note,) = read(provider(tmp_path, markets=(condition(1),)))
    assert "the ids of `markets` are not used" in note


def test_ids_of_which_none_can_be_used_are_no_list(tmp_path: Path) -> None:
    with pytest.raises(ListError, match=r"none can be used; number 1, 'a\[2Jb'"):
        read(provider(tmp_path, markets=("a\x1b[2Jb",)))


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_without_any_list_the_way_to_one_is_told(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ListError, match=r"`polymm-tui markets discover --out markets\.csv` writes a list"):
        provider(tmp_path, mode=mode)
    with pytest.raises(ListError, match="set GOOGLE_APPLICATION_CREDENTIALS"):
        provider(tmp_path, mode=mode, spreadsheet_url=ID)


def test_an_address_that_is_no_sheet_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ListError, match="SPREADSHEET_URL wants the address of a sheet"):
        provider(tmp_path, spreadsheet_url="https://evil.example/", google_credentials="key.json")
    with pytest.raises(ListError, match="sheets_url has to be"):
        provider(tmp_path, spreadsheet_url=ID, google_credentials="key.json", sheets_url="https://evil.example")


def test_a_list_for_live_is_not_read_from_an_exchange_of_ours(tmp_path: Path) -> None:
    """reliability.md M07: a sheet on loopback belongs to the demo and to tests, whose venue is on loopback too."""
    sheet = {"mode": "live", "spreadsheet_url": ID, "google_credentials": "k.json", "sheets_url": "http://127.0.0.1:9"}
    with pytest.raises(ListError, match="sheets_url is on loopback and the venue is not"):
        provider(tmp_path, **sheet)
    assert isinstance(provider(tmp_path, clob_url="http://127.0.0.1:9", **sheet), SheetProvider)


def test_what_is_configured_for_live_leaves_the_demo_alone(tmp_path: Path) -> None:
    usual(tmp_path)
    sheet = {"mode": "demo", "spreadsheet_url": "https://evil.example", "google_credentials": "key.json"}
    assert isinstance(provider(tmp_path, **sheet), VenueProvider)
    assert isinstance(provider(tmp_path, mode="demo"), VenueProvider)


def test_the_demo_takes_a_list_that_is_meant_for_it(tmp_path: Path) -> None:
    on_loopback = {"spreadsheet_url": ID, "google_credentials": "key.json", "sheets_url": "http://127.0.0.1:9/sheets"}
    assert isinstance(provider(tmp_path, mode="demo", **on_loopback), SheetProvider)
    assert isinstance(provider(tmp_path, mode="demo", market_list="a.csv"), FileProvider)
    assert isinstance(provider(tmp_path, mode="demo", markets=("0xa",)), SettingProvider)


def test_a_catalogue_that_is_not_there_is_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise VenueUnavailable("Gamma \x1b[2J: ConnectError")

    monkeypatch.setattr(GammaClient, "markets", fails)
    with pytest.raises(ListError, match=r"all markets of the exchange: Gamma \[2J: ConnectError; is it running\?"):
        read(provider(tmp_path, mode="demo"))

    async def hangs(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(GammaClient, "markets", hangs)
    with pytest.raises(ListError, match="no answer in time"):
        read(provider(tmp_path, mode="demo", list_deadline_sec=0.5))

    async def has_none(*_: object) -> tuple[list[object], list[str]]:
        return [], []

    monkeypatch.setattr(GammaClient, "markets", has_none)
    with pytest.raises(ListError, match="there is none"):
        read(provider(tmp_path, mode="demo"))


def test_a_list_can_be_kept_as_json(tmp_path: Path) -> None:
    """It goes to the disk and to other processes."""
    found = asyncio.run(provider(tmp_path, markets=(condition(1), "x")).read())
    assert json.loads(msgspec.json.encode(found))["kind"] == "setting"
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
