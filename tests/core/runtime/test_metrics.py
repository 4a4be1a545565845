"""The scrape and the engine never touch the same thing at the same time."""

import asyncio
import socket
import threading
from pathlib import Path

import httpx
import pytest

from core.config import Settings
from core.engine import Engine
from core.runtime.metrics import EngineCollector, MetricsServer


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


async def test_the_engine_is_read_on_its_own_thread() -> None:
    """Dictionaries and queues that change while a scrape walks them would fail the scrape, or the engine."""
    threads: list[int] = []

    def now() -> float:
        threads.append(threading.get_ident())
        return 1.0

    collector = EngineCollector(Engine(Settings(), own_in_book=True), now, lambda: 0.0, asyncio.get_running_loop())
    port = free_port()
    server = MetricsServer(port, collector)
    async with httpx.AsyncClient() as http:
        page = await http.get(f"http://127.0.0.1:{port}/metrics")
    await asyncio.to_thread(server.close)
    assert page.status_code == 200 and "mm_ws_connected 0.0" in page.text
    assert set(threads) == {threading.get_ident()}


async def test_it_listens_on_loopback_only_and_tells_a_taken_port() -> None:
    """Positions are nobody's business outside of this machine."""
    port = free_port()
    collector = EngineCollector(
        Engine(Settings(), own_in_book=True), lambda: 0.0, lambda: 0.0, asyncio.get_running_loop()
    )
    server = MetricsServer(port, collector)
    with pytest.raises(OSError):
        MetricsServer(port, collector)
    assert _listens_on(port) == {"0100007F"}
    await asyncio.to_thread(server.close)


def _listens_on(port: int) -> set[str]:
    """Addresses, as the kernel spells them, on which somebody listens at a port."""
    listed = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = (row[1].split(":") for row in listed if row[3] == "0A")
    return {address for address, number in places if int(number, 16) == port}
