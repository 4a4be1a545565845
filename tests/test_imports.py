"""What a command loads: looked at in a process of its own, because a linter cannot see a deferred import."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.program import ROOT, environment

SCREEN = "textual"
CLIENT = ("polymarket", "eth_account", "pydantic")


def loaded_after(code: str, home: Path) -> set[str]:
    """Top-level modules that a piece of code leaves loaded."""
    tail = "\nimport sys\nprint()\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], cwd=ROOT, env=environment(home), capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", ["core.runtime.session", "core.runtime.host", "core.engine", "core.viewing"])
def test_the_core_knows_nothing_of_terminals(tmp_path: Path, module: str) -> None:
    """A headless session has no use for Textual or Rich, and nothing but placing orders has a use for the client."""
    assert not loaded_after(f"import {module}", tmp_path) & {SCREEN, "rich", *CLIENT}


@pytest.mark.parametrize("module", ["polymm_tui.launch", "core.runtime.compose", "core.lab.replay_host"])
def test_screen_and_client_are_loaded_when_there_is_a_use_for_them(tmp_path: Path, module: str) -> None:
    """`--no-ui` starts faster and lighter; it must also run where Textual cannot. (httpx itself loads Rich.)"""
    assert not loaded_after(f"import {module}", tmp_path) & {SCREEN, *CLIENT}


@pytest.mark.parametrize("module", ["core.runtime.session", "polymm_tui.launch", "core.lab.replay"])
def test_only_studies_load_numpy(tmp_path: Path, module: str) -> None:
    """It costs a tenth of a second and thirty megabytes, and scalars are slower with it than without."""
    assert "numpy" not in loaded_after(f"import {module}", tmp_path)


@pytest.mark.parametrize("module", ["core.selection.provider", "core.runtime.compose", "polymm_tui.launch"])
def test_what_google_takes_is_loaded_when_a_sheet_is_read(tmp_path: Path, module: str) -> None:
    """A quarter of a second and a client of HTTP of its own, for nothing where the list is a file."""
    assert not loaded_after(f"import {module}", tmp_path) & {"gspread", "google", "requests", "oauthlib"}


def test_the_watchdog_loads_next_to_nothing(tmp_path: Path) -> None:
    """It starts at once, fits in where memory is short, and has no code that signs."""
    heavy = {SCREEN, "rich", *CLIENT, "asyncio", "httpx", "websockets", "sqlite3", "aiosqlite", "coincurve", "numpy"}
    assert not loaded_after("import core.kill.watchdog", tmp_path) & heavy


def test_config_show_loads_next_to_nothing(tmp_path: Path) -> None:
    """It answers at once."""
    code = "from polymm_tui.cli import main\nmain(['config', 'show'])"
    heavy = {SCREEN, "rich", *CLIENT, "asyncio", "httpx", "websockets", "sqlite3", "aiosqlite"}
    assert not loaded_after(code, tmp_path) & heavy


def test_a_headless_replay_loads_neither_screen_nor_client(tmp_path: Path) -> None:
    """From the command line to the last line."""
    recording = tmp_path / "r.jsonl"
    recording.write_text("")
    code = f"from polymm_tui.cli import main\nmain(['replay', {str(recording)!r}, '--no-ui', '--json'])"
    assert not loaded_after(code, tmp_path) & {SCREEN, *CLIENT}


def test_headless_paper_loads_neither_screen_nor_client(tmp_path: Path) -> None:
    """It never signs, so it never needs what signs."""
    code = (
        "import os\nos.environ.update(POLYMM_MARKETS='0x1', POLYMM_GAMMA_URL='http://127.0.0.1:9')\n"
        "from polymm_tui.cli import main\nmain(['--mode', 'paper', '--no-ui'])"
    )
    assert not loaded_after(code, tmp_path) & {SCREEN, "polymarket", "eth_account"}


def test_the_exchange_loads_neither_screen_nor_client(tmp_path: Path) -> None:
    """It is a witness against the client, so it may not share its code."""
    assert not loaded_after("import core.exchange.api.server", tmp_path) & {SCREEN, "polymarket"}
