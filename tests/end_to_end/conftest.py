"""One demo run, shared by the tests that only look at what it left behind."""

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.program import PATIENCE_S, database, environment, last_json, started, wait_for, wait_for_orders


@dataclass(frozen=True)
class DemoRun:
    """What ``--mode demo --no-ui --duration 6 --seed 1 --json`` said and left."""

    code: int
    stdout: str
    stderr: str
    report: dict[str, Any]
    database: Path
    early: dict[str, float]
    """Metrics when orders rested."""
    late: dict[str, float]
    """Metrics when there were decisions, trades, fills and a profit or a loss since."""


def _scrape(port: int) -> dict[str, float]:
    """Metric -> value, summed over tokens."""
    page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    summed: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            summed[sample.name] = summed.get(sample.name, 0.0) + sample.value
    return summed


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoRun]:
    """The run of the issue's example, once per worker."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    env = environment(tmp_path_factory.mktemp("demo"), METRICS_PORT=str(port))
    arguments = ("--mode", "demo", "--no-ui", "--duration", "6", "--seed", "1", "--json")
    with started(*arguments, env=env, stderr=subprocess.PIPE) as process:
        wait_for_orders(database(env))
        early = _scrape(port)
        moving = ("mm_messages_total", "mm_decisions_total", "mm_fills_total", "mm_trades_per_min")

        def moved() -> dict[str, float] | None:
            seen = _scrape(port)
            return seen if all(seen[name] > early[name] for name in moving) and seen["mm_pnl_usd"] else None

        late = wait_for(moved, "metrics that move")
        out, err = process.communicate(timeout=PATIENCE_S)
    yield DemoRun(process.returncode, out, err, last_json(out), database(env), early, late)
