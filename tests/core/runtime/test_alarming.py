"""Alarms of a run: made from its views once a second, told in its log, operated and counted like everything else."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from core.alarms.kinds import KINDS
from core.clock import SystemClock
from core.config import Settings
from core.engine import Engine
from core.events import FeedChanged, OperatorCommand
from core.lab.replay_host import ReplayHost
from core.runtime.alarming import ALARM_ACTS, LOOK_SEC, Alarming
from core.runtime.metrics import EngineCollector, Sources
from core.viewing import Stage, console_view
from core.views import FeedView
from tests.builders import MARKET, NO, YES, Driver, VenueBook
from tests.core.runtime.fakes import FakeGateway, composing, run_until_trading, session_in, until
from tests.widgets.view_builders import NOON, a_market, a_view, an_unknown_order

DOWN = FeedView("market", True, 1, 2, 0.5, 0, "no pong")
UP = FeedView("market", True, 2, 2, 0.5, 0, "")


def a_calm_view(**changes):
    return a_view(**{"markets": (a_market(),), "last_reject_age_s": None, "feeds": (UP,)} | changes)


class Run:
    """A run's alarms with its log and its clock."""

    def __init__(self):
        self.log = []
        self.alarming = Alarming(lambda severity, text, market="": self.log.append((severity, text, market)))
        self.now = 50.0

    def see(self, view, seconds=0.0):
        ends = self.now + seconds
        while True:
            self.alarming.look(msgspec.structs.replace(view, unix=NOON + self.now), self.now)
            if self.now >= ends:
                return self
            self.now += 0.1

    def act(self, act, **fields):
        return self.alarming.command(OperatorCommand(act=act, who="ann", **fields), self.now)


def test_a_view_is_looked_at_once_a_second():
    run = Run().see(a_calm_view(journal_stalled_s=3.0))
    assert [alarm.code for alarm in run.alarming.views] == ["journal"]
    run.now += LOOK_SEC / 2
    run.see(a_calm_view())
    assert run.alarming.views[0].standing
    run.now += LOOK_SEC / 2
    run.see(a_calm_view(), seconds=12.0)
    assert not run.alarming.views[0].standing


def test_what_begins_and_ends_is_told_once_each():
    run = Run().see(a_calm_view(feeds=(DOWN,)), seconds=20.0).see(a_calm_view(), seconds=20.0)
    assert [(severity, text.split(",")[0]) for severity, text, _ in run.log] == [
        ("warning", "alarm"),
        ("info", "alarm over: market feed"),
    ]
    assert "market feed: 1 of 2 sockets up" in run.log[0][1] and run.log[0][1].endswith("check the network")


def test_what_the_engine_tells_has_no_second_line():
    run = Run().see(a_calm_view(journal_stalled_s=3.0), seconds=3.0)
    assert run.alarming.views and run.alarming.calls == 1 and not run.log


def test_a_stall_between_two_looks_is_not_missed():
    """Ten views a second tell the longest delay since the one before; one in ten is looked at."""
    run = Run().see(a_calm_view())
    run.now += 0.5
    run.see(a_calm_view(loop_lag_ms=1_200.0))
    run.now += 0.5
    run.see(a_calm_view(loop_lag_ms=2.0))
    assert [(alarm.code, alarm.text) for alarm in run.alarming.views] == [("loop_lag", "it stood still for 1.2 s")]


def test_a_start_that_keeps_the_loop_is_no_stall():
    """Loading the order client takes seconds: before anything is heard nothing is missed."""
    starting = FeedView("market", False, 0, 0, None, 0, "")
    run = Run().see(a_calm_view(loop_lag_ms=2_400.0, feeds=(starting,), markets=()))
    run.now += 1.0
    assert not run.see(a_calm_view()).alarming.views


def test_acts_are_answered_and_told_and_seen_at_once():
    run = Run().see(a_calm_view(markets=(a_market(orders=(an_unknown_order(unknown_s=40.0),)),)))
    (alarm,) = run.alarming.views
    answer = run.act("alarm_ack", subject=alarm.key)
    assert answer.done and answer.text == "alarm acknowledged by ann: unknown order"
    assert run.log == [("info", answer.text, "0xfed")] and run.alarming.views[0].acknowledged
    assert run.act("alarm_shelve", subject=alarm.key, for_s=600.0, reason="the venue looks into it").done
    assert run.alarming.views[0].shelved_s == 600.0
    assert run.log[-1][1] == "alarm shelved for 10 min by ann: unknown order: the venue looks into it"
    assert run.act("alarm_unshelve", subject=alarm.key).done
    assert run.act("alarm_ack").text == "1 alarm acknowledged by ann"


@pytest.mark.parametrize("act", ALARM_ACTS)
def test_acts_that_cannot_be_done_are_refused_in_words_and_not_told(act):
    run = Run().see(a_calm_view())
    answer = run.act(act, subject="no such", for_s=60.0, reason="why")
    assert not answer.done and "no such alarm" in answer.text and not run.log


def test_a_replay_that_is_over_keeps_the_alarms_of_its_end():
    run = Run().see(a_calm_view(journal_stalled_s=3.0))
    run.now += 5.0
    assert run.see(a_calm_view(finished="end of recording")).alarming.views[0].standing


def test_counts_for_the_metrics():
    run = Run().see(a_calm_view(journal_stalled_s=3.0, feeds=(DOWN,)), seconds=8.0)
    run.act("alarm_ack", subject="journal")
    standing, wanted = run.alarming.counts()
    assert (standing[1], standing[2], wanted[1], wanted[2]) == (1, 1, 0, 1)
    assert run.alarming.raised == {"journal": 1, "market_feed": 1}
    assert set(run.alarming.raised) <= {kind.code for kind in KINDS}


def test_a_look_at_a_hundred_markets_costs_milliseconds():
    """It is on the session's loop, once a second."""
    markets = tuple(a_market(market=f"0x{number:064x}") for number in range(100))
    run, view = Run(), a_calm_view(markets=markets)
    took = []
    for _ in range(20):
        run.now += 1.0
        began = time.perf_counter()
        run.see(view)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.02


# In a session, in a replay, in the metrics


async def test_a_session_raises_answers_journals_and_shows(tmp_path: Path) -> None:
    session = session_in(tmp_path, composing(FakeGateway(), []))
    task = await run_until_trading(session)
    session.engine.vitals.skew_s = 9.0
    await until(lambda: session.view is not None and any(one.code == "clock_off" for one in session.view.alarms))
    assert session.view is not None and session.view.alarm_calls == 1
    command = OperatorCommand(act="alarm_shelve", subject="clock_off", who="ann", for_s=60.0, reason="being set")
    answer = session.command(command)
    assert answer.done and answer.text == "alarm shelved for 1 min by ann: clock off: being set"
    refused = session.command(OperatorCommand(act="alarm_ack", subject="clock_off", who="bob"))
    assert not refused.done and refused.text == "on the shelf, by ann: being set"
    await until(lambda: any(one.shelved_s is not None for one in session.view.alarms))  # type: ignore[union-attr]
    assert any(event.text == answer.text for event in session.view.events)
    session.request_stop("test")
    await task
    with closing(sqlite3.connect(session.places.database)) as db:
        rows = [body for (body,) in db.execute("SELECT body FROM journal WHERE kind = 'command'")]
    assert sum("alarm_" in body for body in rows) == 2


class FakeReplay:
    """A replay that stands at one moment."""

    def __init__(self) -> None:
        self.engine = Engine(Settings(), own_in_book=True)
        self.now = 10.0
        self.commands: list[OperatorCommand] = []

    @property
    def unix(self) -> float:
        return NOON + self.now

    def take_notes(self):
        return []

    def command(self, command):
        self.commands.append(command)
        return []


def test_a_replay_has_the_alarms_of_its_time_and_answers_their_acts() -> None:
    """Nothing of them reaches the engine that is replayed."""
    replay = FakeReplay()
    host = ReplayHost(replay, 1.0, SystemClock())  # type: ignore[arg-type]
    replay.engine.vitals.skew_s = 9.0
    host._publish()
    replay.now += 1.0
    host._publish()
    assert host.view is not None
    assert [(one.code, one.since_unix) for one in host.view.alarms] == [("clock_off", NOON + 10.0)]
    assert host.view.alarm_calls == 1
    future = host.send(OperatorCommand(act="alarm_ack", subject="clock_off", who="ann"))
    host._serve()
    host._publish()
    assert future.result().done and host.view.alarms[0].acknowledged and not replay.commands
    assert host.view.events[-1].text == "alarm acknowledged by ann: clock off"


async def test_metrics_have_every_code_and_priority_from_the_start() -> None:
    """A series that comes and goes cannot be compared with itself."""
    run = Run().see(a_calm_view(journal_stalled_s=3.0, feeds=(DOWN,)), seconds=8.0)
    run.act("alarm_ack", subject="journal")
    engine, loop = Engine(Settings(), own_in_book=True), asyncio.get_running_loop()
    collector = EngineCollector(engine, lambda: 1.0, lambda: 0.0, loop, Sources(alarms=run.alarming))
    families = {family.name: family for family in await asyncio.to_thread(collector.collect)}

    def by_label(name):
        return {
            value: sample.value
            for sample in families[name].samples
            for value in sample.labels.values()
            if "_created" not in sample.name
        }

    assert by_label("mm_alarms") == {"1": 1, "2": 1, "3": 0}
    assert by_label("mm_alarms_unacknowledged") == {"1": 0, "2": 1, "3": 0}
    raised = by_label("mm_alarm_raised")
    assert set(raised) == {kind.code for kind in KINDS} and raised["journal"] == raised["market_feed"] == 1
    page = (Path(__file__).parents[3] / "docs" / "alarms.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in ("mm_alarms", "mm_alarms_unacknowledged", "mm_alarm_raised_total"))


def test_an_engine_that_loses_its_channel_calls_once_and_lists_what_follows():
    """One cause, one annunciation, with the views of a real engine: channel down, book lost, nothing quoted."""
    driver = Driver(VenueBook()).quoting()
    log = []
    alarming = Alarming(lambda severity, text, market="": log.append(text))

    def live(seconds):
        for _ in range(seconds):
            driver.pass_time(1.0, alive=False)
            stage = Stage(1, "demo", driver.now, driver.unix, 0.0, "", (), sockets_up=0, sockets=2)
            alarming.look(console_view(driver.engine, stage), driver.now)

    driver.rest_answers = False
    driver.send(FeedChanged(feed="market", connected=False, detail="reset", tokens=(YES, NO)))
    driver.answer_cancels()
    live(400)
    seen = {alarm.key: alarm.cause for alarm in alarming.views if alarm.standing}
    assert seen == {"market_feed": "", f"book:{MARKET}": "market_feed", f"not_quoted:{MARKET}": "market_feed"}
    assert len(log) == 1 and "0 of 2 sockets up" in log[0] and alarming.calls == 0
