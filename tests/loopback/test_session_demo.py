"""The demo's own exchange, asked just before it goes: its word on our orders and fills is the session's word."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from core.clock import SystemClock
from core.config import Settings
from core.errors import PreflightError
from core.runtime import compose as compose_module
from core.runtime.compose import composer
from core.runtime.ending import Outcome
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.runtime.session import Compose, Parts, Session
from core.venue.gamma import GammaClient
from tests.core.runtime.fakes import until


def a_session(root: Path, compose: Compose, **settings: Any) -> Session:
    places = Places(root, "demo")
    places.claim()
    chosen = Settings(metrics_port=0, **settings)
    return Session(chosen, places, SystemClock(), Redactor(), compose, "0", lambda: 0.0)


def painted() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


async def run_to(session: Session, placed: int) -> Outcome:
    """Trade until so many orders were placed, then end."""
    task = asyncio.create_task(session.run())
    await until(lambda: task.done() or session.engine.orders.counts.placed >= placed, 30)
    session.request_stop("quit")
    return await task


async def test_the_demos_exchange_has_nothing_of_ours_open_at_the_end(tmp_path: Path) -> None:
    """Zero open orders by the word of the venue, and every fill it made is in our books."""
    ledgers: list[dict[str, Any]] = []
    demo = composer({}, painted())

    async def compose(session: Session) -> Parts:
        parts = await demo(session)

        async def close() -> None:
            async with httpx.AsyncClient(base_url=parts.settings.clob_url) as http:
                ledgers.append((await http.get("/_exchange/ledger", params={"accounts": "outside"})).json())
            await parts.close()

        return msgspec.structs.replace(parts, close=close)

    session = a_session(tmp_path, compose, demo_markets=3, seed=1)
    outcome = await run_to(session, 30)
    assert (outcome.exit_code, outcome.verified) == (0, True), outcome.sentence
    [account] = ledgers[0]["accounts"]
    assert account["open_orders"] == []
    matched = sum(round(float(order["matched"]) * 1e6) for order in ledgers[0]["orders"])
    assert matched == sum(order.filled for order in session.engine.orders._by_intent.values())
    assert len(ledgers[0]["orders"]) == outcome.report["orders_placed"] > 0


async def test_the_venues_scoring_flags_reach_the_engine(tmp_path: Path) -> None:
    """Asked of the exchange over its private REST, with the facts of its catalogue."""
    session = a_session(tmp_path, composer({}, painted()), demo_markets=1)
    task = asyncio.create_task(session.run())
    orders, scoring = session.engine.orders, session.engine.earnings.scoring
    await until(lambda: task.done() or any(scoring.flag(o.order_id) is not None for o in orders.all_at_risk()), 30)
    [desk] = session.engine.desks.values()
    assert desk.instrument.reward_daily_usd and desk.instrument.fees is not None and desk.instrument.tags
    assert any(scoring.flag(order.order_id) is not None for order in orders.all_at_risk())
    session.request_stop("quit")
    assert (await task).exit_code == 0


async def test_two_demos_at_once_do_not_meet(tmp_path: Path) -> None:
    """Each has an exchange of its own; beside each other they trade and end like alone."""
    sessions = [a_session(tmp_path / name, composer({}, painted()), demo_markets=1) for name in ("a", "b")]
    outcomes = await asyncio.gather(*(run_to(session, 4) for session in sessions))
    assert [outcome.exit_code for outcome in outcomes] == [0, 0]


async def test_an_exchange_that_does_not_start_is_a_condition_of_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence and exit code 3; the database tells it too."""

    async def broken(*arguments: object) -> Settings:
        raise PreflightError("the demo exchange did not start")

    monkeypatch.setattr(compose_module.DemoExchange, "start", broken)
    outcome = await a_session(tmp_path, composer({}, painted())).run()
    assert outcome.exit_code == 3
    assert outcome.sentence == "not started: PreflightError: the demo exchange did not start"


async def test_a_start_that_fails_half_way_takes_the_exchange_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue is refused after the exchange came up: the child must not stay."""
    stopped: list[bool] = []
    stop = compose_module.DemoExchange.stop

    async def refuse(self: GammaClient, conditions: tuple[str, ...]) -> None:
        raise PreflightError("no catalogue")

    async def noted(self: compose_module.DemoExchange) -> None:
        await stop(self)
        stopped.append(self._process is None)

    monkeypatch.setattr(GammaClient, "markets", refuse)
    monkeypatch.setattr(compose_module.DemoExchange, "stop", noted)
    outcome = await a_session(tmp_path, composer({}, painted()), demo_markets=1).run()
    assert outcome.exit_code == 3 and stopped == [True]


@pytest.mark.parametrize("wait_s", [0.0, 0.2, 0.5, 0.8])
async def test_a_stop_at_any_moment_of_the_start_leaves_no_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_s: float
) -> None:
    """Before the exchange, while it comes up, while credentials are made, while the account is read."""
    children: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def noted(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        children.append(await start(*arguments, **options))
        return children[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    session = a_session(tmp_path, composer({}, painted()), demo_markets=1)
    task = asyncio.create_task(session.run())
    await asyncio.sleep(wait_s)
    session.request_stop("SIGTERM")
    outcome = await task
    assert outcome.exit_code == 0 and outcome.report["exit_reason"] == "SIGTERM"
    assert all(child.returncode is not None for child in children)
