"""A real session against a real exchange through a relay: every metric moves, and for its own reason."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.actions import Denied, Place, SignedPlace
from core.clock import SystemClock
from core.config import Settings
from core.events import CancelAnswered, OperatorCommand, OrderAnswered
from core.risk.gate import Cleared
from core.runtime.compose import composer
from core.runtime.ending import Outcome
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.runtime.session import Parts, Session
from core.units import Ticks
from core.venue.gateway import Gateway
from tests.core.runtime.fakes import until
from tests.end_to_end.program import CANARY_KEY, Exchange, address_of, exchange
from tests.loopback.relay import ChannelRelay, channel_relay

PAUSE_S = 0.0123
"""Told as the longest pause of the garbage collector."""


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    """A lively exchange."""
    with exchange("--seed", "11", "--markets", "2", "--speed", "24") as running:
        yield running


class Meddler:
    """Passes everything on to a gateway, and spoils the price of an order or loses its answer when told to."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.spoil = 0
        self.loses_next = False
        self.is_deaf = False
        """Once an answer was lost, those to cancels are lost too."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    async def sign(self, place: Place, neg_risk: bool) -> SignedPlace:
        """Sign; a spoiled order crosses the book behind the gate's back, which a post-only order must not."""
        if not self.spoil:
            return await self._gateway.sign(place, neg_risk)
        self.spoil -= 1
        tick = Decimal(place.price_text) / place.price
        text = "0.99" if place.order_side == "BUY" else "0.01"
        spoiled = msgspec.structs.replace(place, price=Ticks(int(Decimal(text) / tick)), price_text=text)
        return msgspec.structs.replace(await self._gateway.sign(spoiled, neg_risk), place=place)

    async def post(self, orders: Sequence[Cleared]) -> list[OrderAnswered]:
        """Post; a lost answer leaves the outcome unknown."""
        answers = await self._gateway.post(orders)
        if not self.loses_next:
            return answers
        self.loses_next, self.is_deaf = False, True
        return [OrderAnswered(intent=answer.intent, outcome="unknown", detail="lost") for answer in answers]

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        """Cancel, unless deaf."""
        if not self.is_deaf:
            return await self._gateway.cancel(order_ids)
        return [CancelAnswered(order_id=order_id, outcome="unknown", detail="lost") for order_id in order_ids]


@dataclass
class Running:
    """A session under test and what stands around it."""

    session: Session
    relay: ChannelRelay
    meddler: Meddler
    port: int
    task: "asyncio.Task[Outcome]"

    async def metrics(self) -> dict[str, float]:
        """Name and labels, one after the other -> value."""
        async with httpx.AsyncClient() as http:
            page = await http.get(f"http://127.0.0.1:{self.port}/metrics")
        assert page.status_code == 200, page.text
        return {
            sample.name + "".join(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(page.text)
            for sample in family.samples
        }

    async def reach(self, name: str, least: float) -> dict[str, float]:
        """Ask until a metric has reached a value."""
        async with asyncio.timeout(20):
            while (seen := await self.metrics()).get(name, 0.0) < least:  # noqa: ASYNC110 - a scrape has no event
                await asyncio.sleep(0.05)
        return seen


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@asynccontextmanager
async def running(root: Path, venue: Exchange, port: int, **over: Any) -> AsyncIterator[Running]:
    """A live session against the exchange, its market channel through a relay; ``over`` are settings."""
    urls = {name: url for name, url in venue.urls.items() if name.endswith("_url")}
    async with channel_relay(urls["ws_market_url"]) as relay:
        settings = Settings(mode="live", metrics_port=port, markets=tuple(venue.market_ids()), **urls)
        settings = replace(settings, ws_market_url=relay.url, **over)
        keys = {"PK": CANARY_KEY, "BROWSER_ADDRESS": address_of(CANARY_KEY), "XDG_STATE_HOME": str(root)}
        made = composer(keys, _painted())
        meddlers: list[Meddler] = []

        async def compose(session: Session) -> Parts:
            parts = await made(session)
            meddlers.append(Meddler(parts.gateway))
            return msgspec.structs.replace(parts, gateway=meddlers[0])

        places = Places(root, "live")
        places.claim()
        session = Session(settings, places, SystemClock(), Redactor(), compose, "0", lambda: PAUSE_S)
        task = asyncio.create_task(session.run())
        await until(lambda: meddlers or task.done())
        try:
            yield Running(session, relay, meddlers[0], port, task)
        finally:
            session.request_stop("test")
            outcome = await task
            places.release()
        assert (outcome.exit_code, outcome.verified) == (0, True), outcome.sentence


def _painted() -> threading.Event:
    painted = threading.Event()
    painted.set()
    return painted


async def test_every_metric_moves(tmp_path: Path, venue: Exchange) -> None:
    """A metric that never moves is a lie waiting for an incident."""
    async with running(tmp_path, venue, free_port()) as run:
        first = venue.markets()[0]
        token = json.loads(first["clobTokenIds"])[0]
        seen = await run.reach("mm_orders_placed_total", 4)
        assert seen["mm_ws_connected"] == 2 and seen["mm_open_orders"] >= 4
        assert seen["mm_ws_reconnects_total"] == seen["mm_malformed_total"] == seen["mm_rejects_total"] == 0
        assert seen["mm_snapshot_reload_total" + token] >= 1 and seen["mm_seq_gaps_total" + token] == 0
        assert seen["mm_messages_total"] > 0 and seen["mm_decisions_total"] > 0
        assert seen["mm_frames_total"] > 0 and seen["mm_frame_bytes_total"] > 100 * seen["mm_frames_total"]
        assert (seen["mm_socketsup"], seen["mm_socketsdown"]) == (1, 0)
        assert (seen["mm_booksSYNCED"], seen["mm_booksEMPTY"], seen["mm_hash_check_every"]) == (2, 0, 1)
        assert seen["mm_book_freshnesslive"] + seen["mm_book_freshnessquiet"] == 2
        assert seen["mm_hash_checks_totalagreed"] > 0 == seen["mm_hash_checks_totalfailed"]
        assert seen["mm_touch_checks_totalagreed"] > 0 == seen["mm_touch_checks_totalfailed"]
        assert 0 <= seen["mm_book_age_seconds" + first["conditionId"]] < 20 and seen["mm_oldest_proof_seconds"] < 20
        assert seen["mm_gc_pause_seconds"] == PAUSE_S
        assert 0 <= seen["mm_heartbeat_age_seconds"] < 7 and seen["mm_venue_modeNORMAL"] == 1
        assert (await run.reach("mm_account_reads_totalcompletebalances", 1))["mm_foreign_orders"] == 0
        assert 0 < seen["mm_rate_budget_remainingorders"] <= 60 and seen["mm_rate_budget_remainingcancels"] <= 120
        assert 0 < seen["mm_loop_lag_seconds"] < 5 and seen["mm_unknown_orders"] == 0

        for side in ("BUY", "SELL"):
            venue.admin("trade", {"market": first["conditionId"], "outcome": "YES", "side": side, "size": 400})
        await run.reach("mm_unsettled_trades", 1)
        await run.reach("mm_unsettled_trade_age_seconds", 0.01)
        seen = await run.reach("mm_fills_total", 1)
        assert (await run.reach("mm_trades_per_min" + token, 1))["mm_trades_per_min" + token] >= 1
        assert (await run.metrics())["mm_pnl_usd"] != 0

        await run.relay.forge('{"event_type": "price_change", "market": 7}')
        await run.reach("mm_malformed_total", 1)
        refused = {"event_type": "book", "market": first["conditionId"], "asset_id": token, "timestamp": "1"}
        await run.relay.forge(json.dumps(refused))
        await run.reach("mm_malformed_total", 2)
        assert (await run.metrics())["mm_malformed_total"] == 2, "whoever refuses it, it is counted once"
        await run.relay.forge('{"event_type": "holiday", "market": "0x1", "timestamp": "1"}')
        await run.reach("mm_unknown_types_total", 1)
        await run.relay.forge('{"event_type": "new_market", "market": "0x1", "timestamp": "1"}')
        await run.reach("mm_new_markets_total", 1)
        await run.relay.forge('{"event_type": "market_resolved", "market": "0x1", "timestamp": "1"}')
        await run.reach("mm_foreign_messages_total", 1)
        await run.reach("mm_repeated_books_total", 1)

        assert seen["mm_denials_totalpost_only"] == 0 and seen["mm_worst_case_usdaccount"] > 0
        assert (await run.metrics())["mm_worst_case_usdmarket"] > 0
        run.session.engine.gatekeeper.count([Denied(0, token, "bid", "market_cap", "test")], 0.0)
        await run.reach("mm_denials_totalmarket_cap", 1)

        run.meddler.spoil = 1
        run.session.command(OperatorCommand(act="widen", market=first["conditionId"], amount=3.0))
        await run.reach("mm_rejects_total", 1)


FOREIGN = """
[[fault]]
do = "foreign_order"
market = 1
price = 0.02
size = 10
"""
SILENT = """
[[fault]]
do = "mute_user"
for = 6
[[fault]]
do = "http"
request = "GET /data/*"
status = 500
for = 6
"""
CANCEL_ONLY = """
[[fault]]
do = "mode"
mode = "cancel_only"
for = 5
"""


async def test_what_goes_wrong_at_the_venue_shows(tmp_path: Path) -> None:
    """Strangers' orders, reads that fail, unknown outcomes, a mode: each moves its own metric, and the view with it."""
    with exchange("--seed", "12", "--markets", "2", "--speed", "24") as venue:
        async with running(tmp_path, venue, free_port()) as run:
            market, reconciliation = venue.market_ids()[0], run.session.engine.reconciliation
            await run.reach("mm_orders_placed_total", 4)
            venue.add_faults(FOREIGN)
            reconciliation.wish(("orders",), "test")
            seen = await run.reach("mm_foreign_orders", 1)
            assert seen["mm_findings_totalforeign_orderwarning"] == 1
            assert seen["mm_account_reads_totalincompleteorders"] == seen["mm_unknown_orders"] == 0
            venue.add_faults(SILENT)
            reconciliation.wish(("orders",), "test")
            run.meddler.loses_next = True
            run.session.command(OperatorCommand(act="cancel_market", market=market))
            await run.reach("mm_unknown_orders", 1)
            view = run.session.view
            assert view is not None and view.foreign_orders and view.venue.heartbeat is not None
            assert (await run.reach("mm_unknown_order_age_seconds", 1))["mm_unknown_orders"] >= 1
            view = run.session.view
            assert any(order.unknown_s is not None for each in view.markets for order in each.orders)
            await run.reach("mm_account_reads_totalincompleteorders", 1)
            run.meddler.is_deaf = False
            await until(lambda: not run.session.engine.orders.in_doubt(), 30)
            venue.add_faults(CANCEL_ONLY)
            run.session.command(OperatorCommand(act="cancel_market", market=market))
            await run.reach("mm_venue_modeCANCEL_ONLY", 1)
            await until(lambda: run.session.view is not None and run.session.view.venue.mode == "CANCEL_ONLY")
            await until(lambda: not run.session.engine.orders.in_doubt(), 30)  # a 503 leaves an order's outcome open


async def test_messages_that_are_lost_show_as_a_gap_and_heal(tmp_path: Path, venue: Exchange) -> None:
    """The venue numbers nothing: lost changes are noticed by hash or touch, counted, and a fresh book is asked for.

    Every other change is lost until one is noticed, because a full book that happens to come next heals silently.
    """
    async with running(tmp_path, venue, free_port()) as run:
        await run.reach("mm_orders_placed_total", 4)
        desks = run.session.engine.desks.values()
        changes = 0

        def drop(text: str) -> str | None:
            nonlocal changes
            changes += '"price_change"' in text
            lossy = not any(desk.tracked.gaps for desk in desks)
            return None if lossy and '"price_change"' in text and changes % 2 else text

        run.relay.pass_on = drop
        await until(lambda: any(desk.tracked.gaps for desk in desks), 20)
        desk = next(desk for desk in desks if desk.tracked.gaps)
        token = desk.instrument.yes_token
        seen = await run.reach("mm_snapshot_reload_total" + token, 2)
        assert (
            seen["mm_rest_requests_total"] >= 2
            and seen["mm_hash_checks_totalfailed"] + seen["mm_touch_checks_totalfailed"] >= 1
        )
        await run.reach("mm_recovery_seconds_count", 1)
        assert seen["mm_seq_gaps_total" + token] >= 1 == seen["mm_ws_connected"] - 1
        await until(lambda: desk.tracked.synced)


async def test_a_cut_connection_pulls_all_orders_and_comes_back(tmp_path: Path, venue: Exchange) -> None:
    """Without a feed nothing is quoted; when it is back, quoting goes on from a fresh book."""
    async with running(tmp_path, venue, free_port()) as run:
        await run.reach("mm_open_orders", 4)
        run.relay.refuses = True
        run.relay.cut()
        await run.reach("mm_ws_reconnects_total", 1)
        assert (await run.metrics())["mm_ws_connected"] == 1
        await until(lambda: not venue.open_orders(address_of(CANARY_KEY)))
        gaps = sum(value for name, value in (await run.metrics()).items() if name.startswith("mm_seq_gaps_total"))
        assert gaps >= 2
        run.relay.refuses = False
        await run.reach("mm_ws_connected", 2)
        await run.reach("mm_open_orders", 4)
        assert (await run.metrics())["mm_ws_reconnects_total"] == 1, "failed attempts are no losses"


async def test_a_recycled_socket_is_counted_and_no_book_notices(tmp_path: Path, venue: Exchange) -> None:
    """Planned replacements are no losses: the operator sees them apart."""
    async with running(tmp_path, venue, free_port(), ws_recycle_sec=2.0) as run:
        seen = await run.reach("mm_sockets_replaced_total", 1)
        gaps = sum(value for name, value in seen.items() if name.startswith("mm_seq_gaps_total"))
        assert (seen["mm_ws_reconnects_total"], seen["mm_ws_connected"], gaps) == (0, 2, 0)
        assert seen["mm_booksSYNCED"] == 2


async def test_the_console_hears_of_sockets_and_rates(tmp_path: Path, venue: Exchange) -> None:
    """What the strip shows comes from the feed itself."""
    async with running(tmp_path, venue, free_port(), ws_tokens=2) as run:
        await run.reach("mm_socketsup", 2)

        def shown() -> bool:
            view = run.session.view
            if view is None or not view.messages_per_s:
                return False
            return (view.feeds[0].sockets_up, view.feeds[0].sockets, view.hash_every) == (2, 2, 1)

        await until(shown, 10)


async def test_a_taken_port_costs_the_metrics_and_nothing_else(tmp_path: Path, venue: Exchange) -> None:
    """A second session beside this one is no reason not to trade; the event log says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with running(tmp_path, venue, taken.getsockname()[1]) as run:
            await until(lambda: run.session.engine.orders.counts.placed >= 4, 20)
            view = run.session.view
            assert view is not None
            assert any("METRICS_PORT" in event.text for event in view.events)


async def test_the_port_is_closed_with_the_session(tmp_path: Path, venue: Exchange) -> None:
    """The next session needs it."""
    port = free_port()
    async with running(tmp_path, venue, port) as run:
        await run.reach("mm_ws_connected", 2)
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass
