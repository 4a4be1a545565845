"""Market data that can be proven: under any fault a market is right as far as anybody told, or it is not quoted.

The oracle (:mod:`tests.core.lab.truth`) looks after every frame, answer and tick of the clock. Faults are drawn by lot
(:mod:`tests.core.lab.drawn`); ``POLYMM_SEEDS=500`` draws so many runs in place of the few of an ordinary test run, and
``POLYMM_SLOW=1`` adds half an hour of a busy market.
"""

import gc
import math
import os
import statistics
import sys
from types import FunctionType, ModuleType

import pytest

from core.actions import Action
from core.config import Settings
from core.desk import UNPROVEN_CHANGE
from core.engine import Engine
from core.events import BooksRead, Event, MarketMessage
from core.exchange.faults.script import read_toml
from core.lab.simulation import Onlooker, Simulation
from core.units import Shares
from tests.core.lab.drawn import KINDS, Drawn, drawn
from tests.core.lab.truth import MarketTruth, Truth, Violation, levels_of

SEEDS = int(os.environ.get("POLYMM_SEEDS", "68"))
SLOW = bool(os.environ.get("POLYMM_SLOW"))
RECOVERY_S = 75.0
"""Everything is proven again so long after the faults have ended, unless it says why not."""
WITHIN_S = 5.0
"""Longest time a market is quoted without news that the exchange had for it, while REST tells the truth."""


def play(script: str, *, seed: int = 1, seconds: float = 60, truth: Truth | None = None, **more: object) -> Simulation:
    options = {"markets": 2, "profile": "normal", "speed": 4.0, "settings": Settings()} | more
    settings = options.pop("settings")
    rules = read_toml(script, "script") if script else []
    simulation = Simulation(settings, seed=seed, rules=rules, onlooker=truth or Truth(), **options)  # type: ignore[arg-type]
    simulation.run(seconds)
    return simulation


def fault(text: str) -> str:
    return f"[[fault]]\n{text}\n"


def first(truth: Truth) -> MarketTruth:
    return next(iter(truth.markets.values()))


# The oracle itself


def test_the_oracle_finds_nothing_wrong_where_nothing_is() -> None:
    truth = Truth(within_s=0.2)
    simulation = play("", truth=truth, seconds=120)
    assert truth.checks > 2_000
    assert differences(simulation, truth) == []


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_the_oracle_notices_one_wrong_level(side: str) -> None:
    simulation = play("", seconds=20)
    book = next(iter(simulation.engine.desks.values())).tracked.book
    levels = book.bids if side == "bid" else book.asks
    deepest = levels.ticks[0 if side == "bid" else -1]
    levels.put(deepest, Shares(levels.sizes[deepest] + 1), "17")
    with pytest.raises(Violation, match="market 0 is SYNCED"):
        simulation.run(2)


class _Deaf(Engine):
    """Loses every message of the market channel from some time on, and says nothing."""

    deaf_s = 20.0

    def handle(self, event: Event, now: float) -> list[Action]:
        return [] if isinstance(event, MarketMessage | BooksRead) and now >= self.deaf_s else super().handle(event, now)


def test_the_oracle_notices_what_an_engine_was_told_and_ignores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.lab.simulation.Engine", _Deaf)
    with pytest.raises(Violation, match="as of"):
        play("", seconds=40)


def test_the_oracle_notices_a_market_quoted_without_news() -> None:
    settings = Settings(audit_sec=0, stale_sec=1_000)
    with pytest.raises(Violation, match="quotable without news"):
        play(fault('do = "freeze"\nat = 20'), truth=Truth(within_s=WITHIN_S), settings=settings)


# Faults drawn by lot


def endure(run: Drawn) -> tuple[Simulation, Truth, float]:
    """Play a drawn run until its markets are quotable again, or long enough; returns when that was."""
    truth = Truth(within_s=WITHIN_S if run.rest_is_right else None)
    settings = Settings(ws_tokens=run.tokens_a_socket, ws_copies=run.copies)
    until_s = run.ends_s + 1.0
    simulation = play(
        run.script, seed=run.seed, seconds=until_s, truth=truth, settings=settings, profile=run.profile, speed=run.speed
    )
    while any(market.changes[-1].why_not for market in truth.markets.values()) and until_s < run.ends_s + RECOVERY_S:
        simulation.run(1.0)
        until_s += 1.0
    return simulation, truth, until_s


def differences(simulation: Simulation, truth: Truth) -> list[str]:
    """Markets that are quoted on another book than the exchange's, once the others in them have gone to rest."""
    simulation.population.pause(True)
    for _ in range(20):
        simulation.run(0.5)
        wrong = []
        for place, (market, desk) in enumerate(simulation.engine.desks.items()):
            true = truth.markets[market]
            is_right = true.knows(levels_of(desk))
            if not true.changes[-1].why_not and not (is_right and true.missing_ms(simulation.now_ms) < 500):
                wrong.append(f"market {place} differs")
        if not wrong:
            return []
    return wrong


def disturbed(truth: Truth) -> list[str]:
    """Why the second market was not to be quoted for its data while only the first one was struck."""
    *_, other = truth.markets.values()
    said = [change.why_not for change in other.changes if change.at_ms > other.changes[0].at_ms + 5_000]
    return [why for why in said if why and why != UNPROVEN_CHANGE]


@pytest.mark.parametrize("kind", KINDS)
def test_a_market_is_right_or_silent_under_any_fault(kind: str) -> None:
    for seed in range(1, math.ceil(SEEDS / len(KINDS)) + 1):
        run = drawn(seed, kind)
        try:
            simulation, truth, _ = endure(run)
        except Violation as violation:
            raise AssertionError(f"{violation}\n{run}") from violation
        assert simulation.director.log, f"the fault happened\n{run}"
        for market in truth.markets.values():
            assert not market.changes[-1].why_not, f"{market.changes[-1].why_not}, long after\n{run}"
        assert differences(simulation, truth) == [], f"{run}"
        if run.first_only:
            assert disturbed(truth) == [], f"the other market did not notice\n{run}"


# One socket of several


@pytest.mark.parametrize("strike", ["reset", "stall"])
def test_of_two_sockets_of_a_token_one_may_die_and_nothing_happens(strike: str) -> None:
    truth = Truth(within_s=0.5)
    simulation = play("", truth=truth, seconds=20, settings=Settings(ws_copies=2))
    getattr(next(iter(simulation.director.links)), strike)()
    simulation.run(40)
    for market, desk in simulation.engine.desks.items():
        assert desk.tracked.gaps == 0 and desk.tracked.duplicates > 20
        assert {change.why_not for change in truth.markets[market].changes[1:]} <= {"", UNPROVEN_CHANGE}


def test_sockets_are_replaced_in_time_and_nothing_happens() -> None:
    truth = Truth(within_s=0.5)
    simulation = play("", truth=truth, seconds=120, settings=Settings(ws_recycle_sec=10, ws_tokens=2))
    for market, desk in simulation.engine.desks.items():
        assert desk.tracked.gaps == 0
        assert {change.why_not for change in truth.markets[market].changes[1:]} <= {"", UNPROVEN_CHANGE}


# Frozen and quiet


def first_missed_and_pulled(seed: int) -> tuple[int, int] | None:
    """Freeze the first market at some moment: when the first message was withheld and when its quotes were pulled."""
    truth = Truth()
    at_s = 30 + seed * 0.137
    simulation = play(
        fault(f'do = "freeze"\nmarket = 0\nat = {at_s:.3f}'), seed=seed, seconds=at_s, truth=truth, speed=1.0
    )
    market = first(truth)
    missed_ms = None
    for _ in range(900):
        simulation.run(0.1)
        if missed_ms is None and (missing_ms := market.missing_ms(simulation.now_ms)):
            missed_ms = simulation.now_ms - missing_ms
        if missed_ms is not None and market.changes[-1].why_not and market.pulled_ms is not None:
            return missed_ms, max(market.changes[-1].at_ms, market.pulled_ms)
    return None


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_frozen_market_is_pulled_within_five_seconds_of_its_first_missed_message(seed: int) -> None:
    found = first_missed_and_pulled(seed)
    assert found is not None
    assert found[1] - found[0] <= WITHIN_S * 1000


class _Reads(Onlooker):
    def __init__(self) -> None:
        self.answered = 0

    def read(self, event: BooksRead) -> None:
        self.answered += bool(event.books)


def test_a_quiet_market_stays_quotable_for_an_hour() -> None:
    reads = _Reads()
    simulation = Simulation(Settings(), seed=1, onlooker=reads)
    simulation.run(120)
    simulation.population.pause(True)
    simulation.run(20)
    (desk,) = simulation.engine.desks.values()
    before = reads.answered
    for _ in range(3_600):
        simulation.run(1)
        assert desk.blocked_by == "" and desk.tracked.synced
    assert reads.answered - before > 3_600 / 5


# Long


EVERY_MINUTE = 'do = "disconnect"\nchannel = "market"\nevery = 60'


def size_of(root: object) -> int:
    """Bytes of everything an object holds, classes and modules aside."""
    seen: set[int] = set()
    waiting, total = [root], 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        waiting += gc.get_referents(each)
    return total


def data_size(simulation: Simulation) -> int:
    """Bytes of what is known of the books: levels, proof, silence, recoveries, the tape of one minute."""
    shared = size_of([desk.instrument for desk in simulation.engine.desks.values()])
    desks = simulation.engine.desks.values()
    return size_of([(desk.tracked, desk.silence, desk.recovery, desk.tape, desk.watch) for desk in desks]) - shared


def run_busy(minutes: int) -> tuple[Simulation, Truth, list[int]]:
    """A lively market with a new socket every minute; the sizes of its data at the end of each minute."""
    truth = Truth()
    options = {"markets": 1, "profile": "busy", "speed": 1.0}
    simulation = play(fault(EVERY_MINUTE), truth=truth, seconds=59.9, **options)
    sizes = []
    for _ in range(minutes):
        sizes.append(data_size(simulation))
        simulation.run(60)
    return simulation, truth, sizes


def agrees(simulation: Simulation) -> None:
    """Every loss is a socket's, and every comparison of hash and touch agreed or is of a known kind."""
    (desk,) = simulation.engine.desks.values()
    evidence, lost = desk.tracked.evidence, simulation.engine.tally.reconnects
    assert lost == len(simulation.director.log) == desk.tracked.gaps
    assert evidence.hash_checked > 1_000
    assert evidence.hash_agreed + evidence.hash_explained == evidence.hash_checked
    assert evidence.top_agreed == evidence.top_checked


def test_a_busy_market_with_a_reconnect_every_minute_has_nothing_unexplained() -> None:
    simulation, _, sizes = run_busy(2)
    agrees(simulation)
    assert sizes[1] < 1.25 * sizes[0]


@pytest.mark.skipif(not SLOW, reason="takes minutes; POLYMM_SLOW=1 runs it")
@pytest.mark.timeout(1_200)
def test_half_an_hour_of_it_leaves_memory_flat() -> None:
    simulation, _, sizes = run_busy(30)
    agrees(simulation)
    early, late = statistics.median(sizes[2:9]), statistics.median(sizes[-7:])
    print(f"data: {early / 1024:.0f} KiB after minutes 3 to 9, {late / 1024:.0f} KiB after the last seven")
    assert late < 1.1 * early
