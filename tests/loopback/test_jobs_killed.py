"""A process that carries out an inventory operation is killed with SIGKILL and started again, with the real journal."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest

from core.clock import SystemClock
from core.exchange.api.host import Host
from core.exchange.api.server import RunningExchange
from core.exchange.chain import transactions
from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.venue.wallets import wallets_of
from tests.loopback.jobs_yard import CASH, EOA, KINDS

PATIENCE_SEC = 60.0
ROOT = Path(__file__).parents[2]
START = """
import sys, types
root = sys.argv.pop(1)
sys.path.insert(0, root)
sys.modules["tests"] = types.ModuleType("tests")
sys.modules["tests"].__path__ = [root + "/tests"]
from tests.loopback.jobs_mortal import main
main()
"""
"""A dependency installs a package named ``tests`` of its own, which would be found before ours."""


@asynccontextmanager
async def life(root: Path, running: RunningExchange, kind: str, act: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One process; whatever happens, it is gone afterwards."""
    instrument = next(iter(running.host.exchange.listings.values())).instrument
    tokens = {"market": instrument.market, "yes": instrument.yes_token, "no": instrument.no_token}
    told = msgspec.json.encode(running.urls | tokens).decode()
    command = [sys.executable, "-c", START, str(ROOT), str(root), told, kind, act]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines_until(process: asyncio.subprocess.Process, wanted: str) -> list[str]:
    """What a process says, up to a line that begins so."""
    assert process.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(PATIENCE_SEC):
        while not said or not said[-1].startswith(wanted):
            line = (await process.stdout.readline()).decode().strip()
            assert line, f"it died after {said}"
            said.append(line)
    return said


@pytest.mark.parametrize("point", ["alive", "sending", "sent", "mined"])
@pytest.mark.parametrize("kind", ["EOA", "SAFE"])
async def test_a_killed_process_does_nothing_twice_and_loses_nothing(tmp_path: Path, kind: str, point: str) -> None:
    """What the journal says in the end is what the exchange's ledger says: the split happened once, or never."""
    wallet = wallets_of(EOA, KINDS[kind])[0]
    exchange = Exchange(seed=1, markets=1, now_ms=int(SystemClock().unix() * 1000), auto_cash=CASH)
    exchange.admit(wallet)
    confirmed = 6_000 if point == "mined" else 1_000  # a busy machine must not miss the point it waits for
    with patch.multiple(
        transactions, _SENT_MS=(50, 100), _MINED_MS=(400, 500), _CONFIRMED_MS=(confirmed, confirmed + 200)
    ):
        async with RunningExchange(Host(exchange, Population(exchange, paused=True), SystemClock())) as running:
            async with life(tmp_path, running, kind, "split") as first:
                await lines_until(first, point)
                first.kill()
                await first.wait()
            async with life(tmp_path, running, kind, "-") as second:
                said = await lines_until(second, "over")
                assert await second.wait() == 0
    exchange.ledger.check()
    moved = exchange.ledger.account(wallet).cash - CASH
    assert said[-1] == f"over {moved}", said
    if point in ("sent", "mined"):
        assert moved < 0 and "confirmed" in said
