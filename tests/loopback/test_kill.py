"""A whole session is killed at a real exchange in another process: by whoever may, with whatever broken.

One session and one watchdog serve most of these tests, and are re-armed between them, as an operator would do it.
"""

import math
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kill_matrix import FAULTS, TRIGGERS, Console, Stage, by_key
from benchmarks.kill_yard import Helper, Venue, Yard, until, venue_beside
from core.actions import Rearm
from core.clock import SystemClock
from core.errors import CredentialError, StoreError
from core.events import OperatorCommand
from core.kill.switch import KillSwitch
from core.runtime.guard import SILENT_SEC
from core.runtime.heartbeat import LOOK_SEC
from core.venue.gateway import AuthSign
from polymm_tui.launch import Ending

GRACE_S = 0.25
"""For bytes that had left before the latch and were looked at late: this machine may be busy."""
now = SystemClock().monotonic


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    with venue_beside(profile="lively") as beside:
        yield beside


@pytest.fixture(scope="module")
def shared(venue: Venue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A session that quotes, and that several tests kill."""
    yard = Yard(tmp_path_factory.mktemp("yard"), venue)
    helper = Helper(yard.places.directory, yard.places.database)
    yard.start()
    console = Console(yard)
    try:
        yield Stage(yard, helper, console)
    finally:
        console.die()
        yard.end()
        helper.end()


@pytest.fixture
def stage(shared: Stage) -> Stage:
    """The shared session, quoting, whatever the test before has left."""
    if shared.yard.switch.is_closed:
        shared.yard.until_zero()
        shared.yard.rearm()
    shared.yard.until_quoting()
    return shared


def latch_of(yard: Yard) -> tuple[str, str]:
    """State and author as another process reads them from the disk."""
    switch = KillSwitch.open(yard.places.directory, SystemClock())
    record = switch.latch.read()
    switch.close()
    return record.state, record.by


def assert_dead(yard: Yard, latched_s: float) -> None:
    """Nothing of ours is open, and nothing was sent since; the report and the view say so."""
    yard.until_zero()
    assert yard.venue.open_orders() == 0
    report = yard.switch.report
    assert report is not None and (report.verified, report.left, report.killer) == (True, 0, "watchdog")
    time.sleep(0.2)
    assert not [one for one in yard.venue.wire(latched_s + GRACE_S) if one.places]
    view = yard.session.view
    assert view is not None and view.control == "KILLED" and view.kill.killed and view.kill.report is not None


@pytest.mark.parametrize(
    ("trigger", "fault"),
    [
        ("key", "loop asleep"),
        ("shell", "interpreter held"),
        ("key", "database locked"),
        ("shell", "disk full"),
        ("signal", "console dead"),
        ("key", "market channel down"),
        ("shell", "user channel down"),
        ("engine", "pool poisoned"),
    ],
)
def test_a_kill_empties_the_venue_and_nothing_is_sent_after_the_latch(stage: Stage, trigger: str, fault: str) -> None:
    """Each who may pull, and each fault; the bars in milliseconds are the benchmark's (`python -m benchmarks kill`)."""
    yard = stage.yard
    with Ending(yard.host):
        with FAULTS[fault](stage):
            latched_s = TRIGGERS[trigger](stage)
            assert latch_of(yard)[0] == "killed"
            yard.until_zero()
        assert_dead(yard, latched_s)
    names = {"key": "console", "shell": "shell", "signal": "SIGUSR1", "engine": "operator"}
    author = latch_of(yard)[1]
    assert author == names[trigger] or (fault in ("database locked", "disk full") and author == "storage")
    yard.rearm()
    assert latch_of(yard) == ("armed", "operator") and yard.switch.page.epoch > 1
    yard.until_quoting()


def test_no_heartbeat_leaves_once_zero_is_verified_and_they_resume_with_the_rearm(stage: Stage) -> None:
    """Else the venue would take us for alive for ever (reliability.md I-33)."""
    yard = stage.yard
    by_key(stage)
    yard.until_zero()
    verified_s = now()
    heartbeat = yard.session._heartbeat
    assert heartbeat is not None
    heartbeat.chain.due_s = -math.inf
    time.sleep(2 * LOOK_SEC)
    assert not [one for one in yard.venue.wire(verified_s + GRACE_S) if "heartbeats" in one.what]
    rearmed_s = now()
    yard.rearm()
    until(lambda: [one for one in yard.venue.wire(rearmed_s) if "heartbeats" in one.what], "no heartbeat")
    yard.until_quoting()


def test_a_loop_that_hangs_is_killed_by_the_watchdog(stage: Stage) -> None:
    """Three seconds without a beat (reliability.md P08); the session finds itself killed when it wakes."""
    yard = stage.yard
    began_s = now()
    yard.later(lambda: time.sleep(3.5))
    until(lambda: yard.switch.is_closed, "the watchdog did not pull")
    until(lambda: not yard.venue.open_orders(), "orders stay open")
    assert now() - began_s < 10
    assert latch_of(yard) == ("killed", "watchdog")
    assert_dead(yard, now())
    assert any("stood still" in event.text for event in yard.session._events)


def test_without_a_watchdog_nothing_is_quoted_until_there_is_another(stage: Stage) -> None:
    """Killed with -9: orders are pulled within two seconds, with the reason; then a new one stands guard."""
    yard = stage.yard
    process = yard.session.guard._process
    assert process is not None
    began_s = now()
    process.kill()
    until(lambda: yard.session.guard.is_up is False, "nobody noticed")
    assert any(one.cancels for one in yard.venue.wire(began_s)) or until(
        lambda: any(one.cancels for one in yard.venue.wire(began_s)), "nothing was cancelled", 2.0
    )
    assert now() - began_s < 2
    until(lambda: yard.session.guard.is_up, "no other watchdog")
    yard.until_quoting()
    assert yard.session.guard._process is not process and not yard.switch.is_closed
    assert any("no watchdog stands guard" in event.text for event in yard.session._events)


def test_a_watchdog_that_hangs_is_replaced(stage: Stage) -> None:
    """It is as good as dead: quoting stops within two seconds."""
    yard = stage.yard
    process = yard.session.guard._process
    assert process is not None
    began_s = now()
    os.kill(process.pid, signal.SIGSTOP)
    until(lambda: yard.session.guard.is_up is False, "nobody noticed")
    assert SILENT_SEC * 0.9 < now() - began_s < 2
    until(lambda: yard.session.guard.is_up and yard.session.guard._process is not process, "no other watchdog")
    yard.until_quoting()


def test_a_disk_that_takes_nothing_kills_and_the_session_goes_on_observing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written down is not to be traded with; when the disk is back, a re-arm is enough."""
    yard = stage.yard

    async def full(*arguments: object, **rows: object) -> None:
        raise StoreError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(yard.session._store, "write", full)
        until(lambda: yard.switch.is_closed, "nothing was pulled")
        assert_dead(yard, now())
        assert latch_of(yard) == ("killed", "storage") and not yard.host.ended
    yard.rearm()
    yard.until_quoting()


def test_a_rearm_is_refused_without_a_reason_and_while_orders_may_be_open(stage: Stage) -> None:
    """A refusal says why and changes nothing."""
    yard = stage.yard
    by_key(stage)
    told = yard.call(lambda: yard.session.command(OperatorCommand(act="rearm", reason="at once")))
    assert not told.done and "not verified" in told.text and yard.switch.is_closed
    yard.until_zero()
    told = yard.call(lambda: yard.session.command(OperatorCommand(act="rearm")))
    assert not told.done and "reason" in told.text and yard.switch.is_closed
    yard.rearm()


def test_a_pull_between_the_conditions_and_the_rearm_wins(stage: Stage) -> None:
    """Who pulls again means it."""
    yard = stage.yard
    by_key(stage)
    yard.until_zero()

    def pull_and_rearm() -> None:
        yard.switch.pull("shell", "again")
        yard.session._carry_out(Rearm(by="operator", reason="too late"))

    yard.call(pull_and_rearm)
    assert yard.switch.is_closed and latch_of(yard)[0] == "killed" and yard.session.engine.is_killed
    assert any("pulled again" in event.text for event in yard.session._events)


def test_credentials_that_are_back_after_a_derivation_kill_nothing(stage: Stage) -> None:
    """A 401 once: the key is derived again, and what it gives is what we have."""
    yard = stage.yard
    yard.venue.arm('do = "expire_credentials"\nheals = "derive"')
    until(lambda: any("they hold" in event.text for event in yard.session._events), "nobody looked")
    assert not yard.switch.is_closed
    yard.until_quoting()


# Ends: each with a session of its own


@pytest.fixture
def yard(shared: Stage, venue: Venue, tmp_path: Path) -> Iterator[Yard]:
    """A session of its own, begun by the test; the shared one is let go of before."""
    shared.yard.host.stop("quit")
    shared.yard.host.wait(20)
    one = Yard(tmp_path, venue)
    yield one
    if hasattr(one, "host"):
        one.end()


def test_credentials_that_are_refused_for_good_kill_and_end_the_session(yard: Yard) -> None:
    """Exit code 13: nothing of ours can be looked after, and the venue clears it for want of heartbeats."""
    yard.start()
    gateway: Any = yard.session._parts.gateway  # type: ignore[union-attr]

    async def refused() -> None:
        raise CredentialError("the venue refuses the API credentials")

    gateway.check_credentials = refused
    yard.later(lambda: yard.session.take_sign(AuthSign()))
    assert yard.host.wait(20)
    assert yard.host.outcome().exit_code == 13
    assert latch_of(yard) == ("killed", "auth")


def test_an_engine_that_fails_is_killed_and_the_session_ends(yard: Yard) -> None:
    """Exit code 15; the next start knows of it and observes only."""
    yard.start()

    def broken(*arguments: object) -> None:
        raise AssertionError("wrong")

    yard.session.engine.handle = broken  # type: ignore[method-assign,assignment]
    assert yard.host.wait(20)
    assert (yard.host.outcome().exit_code, latch_of(yard)) == (15, ("killed", "invariant"))
    assert yard.venue.open_orders() == 0


def test_a_start_with_a_latch_observes_and_a_rearm_lets_it_quote(yard: Yard) -> None:
    """There is no database: the latch is a file of its own (reliability.md I-9, O07)."""
    yard.switch.pull("shell", "before the start")
    began_s = now()
    yard.begin()
    until(lambda: yard.session.view is not None and len(yard.session.view.markets) > 0, "no markets")
    until(lambda: yard.session.engine.account.is_open, "the account is not read")
    time.sleep(0.5)
    view = yard.session.view
    assert view is not None and view.control == "KILLED" and view.kill.reason == "before the start"
    assert not [one for one in yard.venue.wire(began_s) if one.places]
    yard.until_zero()
    yard.rearm()
    yard.until_quoting()


def test_a_killed_session_ends_with_10_and_says_that_zero_was_verified(yard: Yard) -> None:
    """Killed, and proven to be empty; the database keeps the state, so that a lost latch is made again."""
    yard.start()
    yard.switch.pull("shell", "enough")
    yard.until_zero()
    yard.host.stop("quit")
    yard.host.wait(20)
    outcome = yard.host.outcome()
    assert (outcome.exit_code, outcome.verified) == (10, True)
    with closing(sqlite3.connect(yard.places.database)) as db:
        [state] = db.execute("SELECT state FROM controls WHERE source = 'kill' ORDER BY id DESC LIMIT 1").fetchone()
    assert state == "KILLED"
    yard.places.release()
    (yard.places.directory / "kill.latch").unlink()
    (yard.places.directory / "kill.page").unlink()
    again = Yard(yard._root, yard.venue)
    again.begin()
    until(lambda: again.switch.is_closed, "a lost latch armed the session")
    assert latch_of(again)[0] == "killed"
    again.end()
    assert again.host.outcome().exit_code == 10
