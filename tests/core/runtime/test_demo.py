"""The demo's exchange as a child: it comes up, or it is told why not, and it never stays behind."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from core.config import Settings
from core.errors import PreflightError
from core.runtime import demo
from core.runtime.demo import DemoExchange, throw_away_keys


async def test_it_comes_up_and_goes_with_its_parent(tmp_path: Path) -> None:
    """Its addresses replace the venue's, so that a demo cannot talk to the real one; the sheet stays the user's.

    A real service account's token must not be shown to the exchange, and an address of Google Sheets is no venue.
    """
    exchange, settings = DemoExchange(), Settings(demo_markets=1, spreadsheet_url="https://docs.google.com/x")
    told = await exchange.start(settings)
    own = {"sheets_url", "spreadsheet_url"}
    assert all(getattr(told, name) == getattr(settings, name) for name in own)
    urls = [getattr(told, name) for name in Settings.__slots__ if name.endswith("_url") and name not in own]
    assert len(urls) == 8 and all("//127.0.0.1:" in url for url in urls)
    async with httpx.AsyncClient() as http:
        assert (await http.get(told.clob_url + "/ok")).json() == "OK"
        await exchange.stop()
        with pytest.raises(httpx.ConnectError):
            await http.get(told.clob_url + "/ok")
    await exchange.stop()


async def test_a_directory_that_happens_to_hold_a_core_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`core` is a common name; a program started in such a directory must run its own exchange, not what lies there."""
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("raise SystemExit('not me')")
    monkeypatch.chdir(tmp_path)
    exchange = DemoExchange()
    assert (await exchange.start(Settings(demo_markets=1))).clob_url
    await exchange.stop()


async def test_the_live_key_does_not_reach_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo never reads a key, and hands none on."""
    monkeypatch.setenv("PK", "0x" + "ab" * 32)
    exchange = DemoExchange()
    await exchange.start(Settings(demo_markets=1))
    assert exchange._process is not None
    handed = _environment_of(exchange._process.pid)
    await exchange.stop()
    assert not any(entry.startswith(b"PK=") or b"abababab" in entry for entry in handed)


@pytest.mark.parametrize("script", ["raise SystemExit(3)", "print('hello')", "import time; time.sleep(60)"])
async def test_an_exchange_that_does_not_come_up_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str
) -> None:
    """It dies, it babbles, it hangs: one sentence, and no child left."""
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{script}"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    monkeypatch.setattr(demo, "START_SEC", 1.0)
    monkeypatch.setattr(demo, "STOP_SEC", 0.2)
    exchange = DemoExchange()
    with pytest.raises(PreflightError, match=r"python -m core\.exchange"):
        await exchange.start(Settings())
    assert exchange._process is None


async def test_a_child_that_ignores_its_end_is_made_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process does not read its end of file."""
    monkeypatch.setattr(demo, "STOP_SEC", 0.2)
    exchange = DemoExchange()
    await exchange.start(Settings(demo_markets=1))
    assert exchange._process is not None
    process = exchange._process
    process.send_signal(19)
    async with asyncio.timeout(5):
        await exchange.stop()
    assert process.returncode == -9
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_the_throw_away_key_is_new_every_time() -> None:
    """A key that two demos share is a key somebody keeps."""
    (one, _), (two, _) = throw_away_keys(), throw_away_keys()
    assert one.private_key.reveal() != two.private_key.reveal() and one.funder != two.funder
    assert one.private_key.reveal() not in repr(one)


def _environment_of(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def test_the_throw_away_key_needs_no_library_that_a_thread_may_be_importing() -> None:
    """``eth_account`` imports itself in circles: two threads that import it at once are a deadlock to Python."""
    code = "import sys, core.runtime.demo as d; w, _ = d.throw_away_keys(); print('eth_account' in sys.modules);"
    code += "from eth_account import Account; print(Account.from_key(w.private_key.reveal()).address == w.funder)"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["False", "True"]
