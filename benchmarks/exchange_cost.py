"""The exchange: its share of a core and its memory while it serves, and how fast it runs without sockets.

Both sides of each ratio are of one run: seconds of the exchange against seconds of the machine.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import websockets

from core.config import Settings
from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.lab.simulation import Simulation

WATCHED_S = 15.0
SUBSCRIBERS = 2
START = 1_790_000_000_000


def run() -> bool:
    """Print every figure with its bar; says whether all bars were reached."""
    print("\nexchange")
    reached = [_served("busy", 4, core=0.5), _served("normal", 50, megabytes=200), _alone(), _with_engine()]
    return all(reached)


def _served(profile: str, markets: int, core: float = 1.0, megabytes: int = 1_000) -> bool:
    """A process with two subscribers to everything."""
    command = [sys.executable, "-m", "core.exchange", "--profile", profile, "--markets", str(markets)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        urls = json.loads(process.stdout.readline())
        frames, used = asyncio.run(_watch(urls, process.pid))
        memory = _status(process.pid, "VmHWM") / 1024
        process.stdin.close()
    print(
        f"  {markets} markets, {profile}: {frames:.0f} messages/s to each of {SUBSCRIBERS} subscribers in {used:.2f} "
        f"of a core (bar {core}), {memory:.0f} MB at its peak (bar {megabytes})"
    )
    return used < core and memory < megabytes


async def _watch(urls: dict[str, Any], pid: int) -> tuple[float, float]:
    """Messages a second of one subscriber, and the process's share of a core meanwhile."""
    async with httpx.AsyncClient() as http:
        markets = (await http.get(urls["gamma_url"] + "/markets", params={"limit": "100"})).json()
    tokens = [token for market in markets for token in json.loads(market["clobTokenIds"])]
    begun, used = time.perf_counter(), _cpu_seconds(pid)
    counts = await asyncio.gather(*(_count(urls["ws_market_url"], tokens) for _ in range(SUBSCRIBERS)))
    passed = time.perf_counter() - begun
    return min(counts) / passed, (_cpu_seconds(pid) - used) / passed


async def _count(url: str, tokens: list[str]) -> int:
    count = 0
    async with websockets.connect(url, max_size=None, compression=None) as socket:
        await socket.send(json.dumps({"type": "market", "assets_ids": tokens}))
        try:
            async with asyncio.timeout(WATCHED_S):
                async for _ in socket:
                    count += 1
        except TimeoutError:
            pass
    return count


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _alone() -> bool:
    exchange = Exchange(seed=1, markets=1, now_ms=START)
    Population(exchange)
    begun, seconds = time.perf_counter(), 7_200
    for now_ms in range(START, START + seconds * 1000, 1_000):
        exchange.step(now_ms)
        exchange.drain()
    ratio = seconds / (time.perf_counter() - begun)
    print(f"  1 market, normal, in process: {ratio:,.0f} times real time (bar 1,000)")
    return ratio >= 1_000


def _with_engine() -> bool:
    simulation = Simulation(Settings(), seed=1, markets=1)
    begun, seconds = time.perf_counter(), 3_600
    simulation.run(seconds)
    ratio = seconds / (time.perf_counter() - begun)
    decided = simulation.engine.tally.decisions
    print(f"  1 market, normal, with the engine: {ratio:,.0f} times real time, {decided:,} decisions (bar 1,000)")
    return ratio >= 1_000
