"""A real session whose market data goes wrong in the ways of the venue: what the engine wants is really carried out."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.clock import SystemClock
from core.config import Settings
from core.desk import Desk
from core.runtime.compose import composer
from core.runtime.feeds import Feeds
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.runtime.session import Session
from tests.core.runtime.fakes import until
from tests.end_to_end.program import Exchange, exchange


@pytest.fixture
def venue() -> Iterator[Exchange]:
    """A lively exchange of two markets."""
    with exchange("--seed", "11", "--markets", "2", "--speed", "24") as running:
        yield running


def arm(venue: Exchange, fault: str) -> None:
    answer = httpx.post(venue.urls["clob_url"] + "/_exchange/faults", content=f"[[fault]]\n{fault}\n")
    assert answer.status_code == 200, answer.text


@asynccontextmanager
async def paper(root: Path, venue: Exchange, **over: Any) -> AsyncIterator[tuple[Session, Feeds]]:
    """A paper session on the exchange's public data, with all its books proven."""
    urls = {name: url for name, url in venue.urls.items() if name.endswith("_url")}
    chosen: dict[str, Any] = {"markets": tuple(venue.market_ids()), "ws_tokens": 2, **urls, **over}
    settings = Settings(mode="paper", metrics_port=0, **chosen)
    painted = threading.Event()
    painted.set()
    places = Places(root, "paper")
    places.claim()
    session = Session(settings, places, SystemClock(), Redactor(), composer({}, painted), "0", lambda: 0.0)
    task = asyncio.create_task(session.run())
    try:
        await until(
            lambda: task.done() or (session.engine.desks and all(map(proven, session.engine.desks.values()))), 20
        )
        assert session._feeds is not None
        yield session, session._feeds
    finally:
        session.request_stop("test")
        outcome = await task
        places.release()
    assert outcome.exit_code == 0, outcome.sentence


def proven(desk: Desk) -> bool:
    return desk.tracked.synced


async def test_lost_changes_are_made_good_over_public_rest(tmp_path: Path, venue: Exchange) -> None:
    """In paper mode too: no key is needed to know the truth."""
    async with paper(tmp_path, venue) as (session, feeds):
        first, second = session.engine.desks.values()
        arm(venue, f'do = "drop"\nmarket = "{first.market}"\nkinds = ["price_change", "book"]\nfor = 30')
        await until(lambda: first.tracked.gaps and first.recovery.last_s is not None, 30)
        await until(lambda: proven(first), 20)
        assert feeds.reader.requests >= 2 and feeds.reader.failures == 0
        assert second.tracked.gaps == 0, "the other market was not disturbed"


@pytest.mark.parametrize("heals", ["resubscribe", "reconnect"])
async def test_a_dead_subscription_is_found_and_replaced(tmp_path: Path, venue: Exchange, heals: str) -> None:
    """PONG works, the socket is open, and one market is silent for ever unless somebody does something."""
    async with paper(tmp_path, venue) as (session, feeds):
        first, second = session.engine.desks.values()
        arm(venue, f'do = "freeze"\nmarket = "{first.market}"\nheals = "{heals}"')
        await until(lambda: first.tracked.gaps, 30)
        heard_s = first.silence.heard_s
        await until(lambda: proven(first) and first.silence.heard_s > heard_s + 1, 40)
        assert feeds.market.replaced == (heals == "reconnect")
        assert second.tracked.gaps == 0
        assert [one.reconnects for one in feeds.market.sockets] == [0, 0]


async def test_other_tokens_can_be_heard_without_a_new_session(tmp_path: Path, venue: Exchange) -> None:
    """The seed's ``subscribe(token_ids)``; whether they are made is another question."""
    first, second = venue.market_ids()
    async with paper(tmp_path, venue, markets=(first,)) as (session, feeds):
        other = next(market for market in venue.markets() if market["conditionId"] == second)
        session.subscribe(json.loads(other["clobTokenIds"]))
        await until(lambda: session.engine.tally.foreign > 0, 20)
        assert [one.tokens for one in feeds.market.sockets] == [2, 2]
        assert list(session.engine.desks) == [first]


async def test_a_session_that_ends_leaves_no_task_and_no_connection(tmp_path: Path, venue: Exchange) -> None:
    async with paper(tmp_path, venue, ws_copies=2) as (session, feeds):
        assert len(feeds.market.sockets) == 4
    assert not session._tasks and feeds.reader._rest._client.is_closed  # type: ignore[attr-defined]
