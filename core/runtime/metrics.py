"""Prometheus metrics on loopback, read from the engine's own counters when they are asked for.

Nothing is counted twice: a scrape reads integers that the engine keeps anyway (performance.md 7).
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.engine import Engine
from core.units import MICRO
from core.viewing import total_pnl

READ_SEC: Final = 2.0
"""Longest wait for the session's loop; a scrape that fails tells of a loop that hangs."""


class EngineCollector(Collector):
    """Turns the engine's state into metrics: asked in the scrape's thread, read on the engine's loop."""

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], float],
        gc_pause_s: Callable[[], float],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """``loop`` is the one the engine is run by."""
        self._engine = engine
        self._now = now
        self._gc_pause_s = gc_pause_s
        self._loop = loop

    def collect(self) -> list[Metric]:
        """All metrics at one moment."""

        async def read() -> list[Metric]:
            return list(self._families())

        return asyncio.run_coroutine_threadsafe(read(), self._loop).result(READ_SEC)

    def _families(self) -> Iterator[Metric]:
        engine, now = self._engine, self._now()
        feeds = (engine.market_feed, engine.user_feed)
        pnl = total_pnl(engine, now)
        yield _gauge("mm_ws_connected", "Channels that are connected.", sum(feed.connected for feed in feeds))
        yield _counter("mm_ws_reconnects", "Losses of a channel.", engine.tally.reconnects)
        gaps = CounterMetricFamily("mm_seq_gaps", "Losses of a book's continuity.", labels=["token_id"])
        reloads = CounterMetricFamily("mm_snapshot_reload", "Full books taken as the new truth.", labels=["token_id"])
        trades = GaugeMetricFamily("mm_trades_per_min", "Trades of the tape in the last minute.", labels=["token_id"])
        for desk in engine.desks.values():
            for token in (desk.instrument.yes_token, desk.instrument.no_token):
                gaps.add_metric([token], desk.tracked.gaps)
                reloads.add_metric([token], desk.tracked.reloads)
                trades.add_metric([token], desk.tape.per_minute(now))
        yield from (gaps, reloads, trades)
        yield _counter("mm_messages", "Market messages used.", engine.tally.messages)
        yield _counter("mm_malformed", "Market messages refused.", engine.tally.malformed)
        yield _counter("mm_decisions", "Quote decisions.", engine.tally.decisions)
        yield _counter("mm_orders_placed", "Orders accepted by the venue.", engine.orders.counts.placed)
        yield _counter("mm_rejects", "Orders refused by the venue.", engine.orders.counts.rejects)
        yield _counter("mm_fills", "Fills.", engine.orders.counts.fills)
        yield _gauge("mm_open_orders", "Orders that may be filled.", sum(1 for _ in engine.orders.all_at_risk()))
        yield _gauge("mm_pnl_usd", "Profit of the session, dollars.", pnl.total / MICRO)
        yield _gauge("mm_gc_pause_seconds", "Longest pause of the garbage collector.", self._gc_pause_s())


class MetricsServer:
    """The HTTP server of the metrics, in a thread of its own."""

    def __init__(self, port: int, collector: EngineCollector) -> None:
        """Start serving on 127.0.0.1.

        Raises:
            OSError: the port is taken.
        """
        registry = CollectorRegistry()
        registry.register(collector)
        self._server: WSGIServer
        self._thread: threading.Thread
        self._server, self._thread = start_http_server(port, addr="127.0.0.1", registry=registry)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)
