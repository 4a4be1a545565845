"""When the watchdog kills, and when it does not: on a clock that the test moves, with a killer that only counts."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from core.clock import ManualClock
from core.kill import page as page_module
from core.kill.killer import Killer
from core.kill.page import Cause, Page
from core.kill.report import KillReport
from core.kill.switch import KillSwitch
from core.kill.watch import ASLEEP_S, STILL_S, Watch
from core.kill.watchdog import (
    GIVE_UP_S,
    GONE,
    GOODBYE,
    HEED_S,
    LATE_S,
    POWERLESS,
    READY,
    RETRY_S,
    UNREACHED_S,
    WARM_S,
    Watchdog,
    keep_warm,
)

STEP_S = 0.01


def test_a_session_that_moves_is_left_alone_and_one_that_stops_is_not() -> None:
    watch = Watch(100.0)
    assert watch.still_s(99.9, 100.5) == pytest.approx(0.5), "nobody watched before"
    assert watch.still_s(101.2, 101.3) == pytest.approx(0.1)
    assert watch.still_s(101.2, 102.2) == pytest.approx(1.0)
    assert watch.still_s(101.2, 103.0) == pytest.approx(1.8)


def test_time_in_which_nobody_watched_does_not_count() -> None:
    """A machine that was suspended: the session gets its three seconds again, and no more than that."""
    watch = Watch(100.0)
    night = 100.0 + 30_000.0
    assert watch.still_s(100.0, night) == 0.0
    now = night
    while (still_s := watch.still_s(100.0, now)) <= STILL_S:
        now += ASLEEP_S / 2
    assert still_s == pytest.approx(now - night) and now - night <= STILL_S + ASLEEP_S


def test_a_stamp_of_another_run_of_the_machine_is_no_progress() -> None:
    watch = Watch(100.0)
    for step in range(8):
        still_s = watch.still_s(1e6, 100.0 + step / 2)
    assert still_s == 0.0, "ahead of us counts as now: the session stamps anew before it starts a watchdog"


class FakeKiller:
    """Cancels at once, and notes when and why."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.gone_since_s = math.inf
        self.kills: list[tuple[float, str]] = []
        self.looks: list[float] = []
        self.late_orders = 0
        self.takes: Callable[[Callable[[], bool]], bool] = lambda goes_on: True
        """Whether zero is verified in the end."""

    def run(self, pull: int, cause: Cause, page: Page, goes_on: Callable[[], bool]) -> KillReport:
        self.kills.append((self._clock.monotonic(), cause.reason))
        verified = self.takes(goes_on)
        report = KillReport(
            pull=pull, by=cause.by, reason=cause.reason, killer="watchdog", began_unix=0.0, verified=verified
        )
        page.write_report(report)
        return report

    def sees_nothing(self) -> bool:
        self.looks.append(self._clock.monotonic())
        self.late_orders -= self.late_orders > 0
        return self.late_orders == 0


class Stage:
    """A watchdog and a session that does as it is told at given moments."""

    def __init__(self, directory: Path) -> None:
        directory.chmod(0o700)
        self.clock = ManualClock(unix=1_000.0, monotonic=100.0)
        self.switch = KillSwitch.open(directory, self.clock)
        self.killer = FakeKiller(self.clock)
        self.acts: list[tuple[float, Callable[[], object]]] = []
        self.beats_until_s = float("inf")
        self.said = b""
        self.is_there = True
        self.seen_s = 0.0
        """When the watchdog looked last."""
        self.report: KillReport | None = None
        """What is in the page in the end."""

    def at(self, after_s: float, act: Callable[[], object]) -> None:
        self.acts.append((100.0 + after_s, act))

    def dies(self) -> None:
        self.is_there = False

    def says_goodbye(self) -> None:
        self.said += GOODBYE
        self.is_there = False

    def pulls(self) -> None:
        self.switch.pull("operator", "enough")

    def rearms(self) -> None:
        self.switch.rearm("operator", "fine", pull=self.switch.page.pull)

    def run(self) -> None:
        """Until the watchdog ends by itself."""
        self.switch.page.beat_session(self.clock.monotonic())
        Watchdog(self.switch, cast(Killer, self.killer), self.clock, self._listen, self.pass_time).run()
        self.seen_s, self.report = self.switch.page.watchdog_s, self.switch.report
        self.switch.close()

    def pass_time(self) -> None:
        assert self.clock.monotonic() < 1_000.0, "it does not end"
        self.clock.advance_to(self.clock.monotonic() + STEP_S)
        now = self.clock.monotonic()
        if self.is_there and now < self.beats_until_s:
            self.switch.page.beat_session(now)
        due = [act for moment, act in self.acts if moment <= now]
        self.acts = [(moment, act) for moment, act in self.acts if moment > now]
        for act in due:
            act()

    def _listen(self) -> bytes | None:
        self.pass_time()
        said, self.said = self.said, b""
        return said or (b"" if self.is_there else None)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr("core.kill.switch.LATCH_PATIENCE_S", 20.0)
    return Stage(tmp_path)


def test_goodbye_ends_it_and_cancels_nothing(stage: Stage) -> None:
    stage.at(5.0, stage.says_goodbye)
    stage.run()
    assert stage.killer.kills == [] and stage.seen_s == pytest.approx(105.0, abs=0.1)


def test_goodbye_in_pieces_is_one(stage: Stage) -> None:
    for number, letter in enumerate(GOODBYE):
        stage.at(1.0 + number / 10, lambda letter=letter: setattr(stage, "said", bytes([letter])))
    stage.at(3.0, stage.dies)
    stage.run()
    assert stage.killer.kills == []


def test_an_end_without_goodbye_kills_at_once_and_looks_for_late_orders(stage: Stage) -> None:
    stage.at(5.0, stage.dies)
    stage.run()
    [(moment, reason)] = stage.killer.kills
    assert moment == pytest.approx(105.0, abs=0.05) and reason == "the session ended without a word"
    assert [look - moment for look in stage.killer.looks] == pytest.approx(LATE_S, abs=0.05)


def test_a_session_that_stands_still_is_killed_after_three_seconds(stage: Stage) -> None:
    stage.beats_until_s = 105.0
    stage.at(20.0, stage.says_goodbye)
    stage.run()
    [(moment, reason)] = stage.killer.kills
    assert moment == pytest.approx(105.0 + STILL_S, abs=0.05) and reason == "the session stood still for 3.0 s"


def test_every_pull_is_a_kill_of_its_own(stage: Stage) -> None:
    stage.at(2.0, stage.pulls)
    stage.at(4.0, stage.pulls)
    stage.at(30.0, stage.says_goodbye)
    stage.run()
    assert [moment for moment, _ in stage.killer.kills] == pytest.approx([102.0, 104.0], abs=0.05)


def test_a_kill_past_a_page_that_was_taken_away_is_seen_by_the_latch(stage: Stage, tmp_path: Path) -> None:
    """Whoever kills then makes a new page, which neither session nor watchdog has; the latch they share."""

    def kills() -> None:
        (tmp_path / page_module.NAME).unlink()
        other = KillSwitch.open(tmp_path, stage.clock)
        other.pull("shell", "from outside")
        other.close()

    stage.at(2.0, kills)
    stage.at(4.0, stage.says_goodbye)
    stage.run()
    [(moment, reason)] = stage.killer.kills
    assert moment == pytest.approx(102.0, abs=2 * HEED_S) and reason == "from outside"


def test_orders_that_land_late_are_killed_too(stage: Stage) -> None:
    stage.killer.late_orders = 2
    stage.at(2.0, stage.pulls)
    stage.at(60.0, stage.says_goodbye)
    stage.run()
    assert [moment for moment, _ in stage.killer.kills] == pytest.approx([102.0, 102.0 + LATE_S[0]], abs=0.1)


def test_it_goes_on_guarding_after_a_rearm(stage: Stage) -> None:
    """And looks for no late orders then: they may be new ones."""
    stage.at(2.0, stage.pulls)
    stage.at(3.0, stage.rearms)
    stage.at(10.0, stage.dies)
    stage.run()
    assert [moment for moment, _ in stage.killer.kills] == pytest.approx([102.0, 110.0], abs=0.05)
    assert all(look > 110.0 for look in stage.killer.looks)


def test_a_kill_that_an_earlier_watchdog_did_not_end_is_gone_on_with(stage: Stage) -> None:
    stage.pulls()
    stage.at(1.0, stage.says_goodbye)
    stage.run()
    assert len(stage.killer.kills) == 1


def test_a_kill_that_was_verified_is_not_repeated_at_a_start(stage: Stage) -> None:
    stage.pulls()
    stage.killer.run(stage.switch.page.pull, Cause("operator", "", 0.0), stage.switch.page, lambda: True)
    stage.killer.kills.clear()
    stage.at(1.0, stage.says_goodbye)
    stage.run()
    assert stage.killer.kills == []


def test_a_pull_without_a_reason_yet_waits_a_moment_for_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between shutting the page and saying why there is a moment; who dies in it is answered all the same."""
    monkeypatch.setattr(Page, "_write", lambda *arguments: None)
    stage.at(2.0, lambda: stage.switch.page.shut(stage.clock.monotonic(), Cause("operator", "enough", 0.0)))
    stage.at(4.0, stage.says_goodbye)
    stage.run()
    assert [moment for moment, _ in stage.killer.kills] == pytest.approx([102.05], abs=0.03)


def test_a_kill_ends_when_the_gate_is_opened_again(stage: Stage) -> None:
    """Also for a watchdog that is alone."""
    ends: list[float] = []

    def takes(goes_on: Callable[[], bool]) -> bool:
        while goes_on():
            pass
        ends.append(stage.clock.monotonic())
        return False

    stage.killer.takes = takes
    stage.at(2.0, stage.pulls)
    stage.at(3.0, stage.dies)
    stage.at(50.0, stage.rearms)
    stage.run()
    assert ends[0] == pytest.approx(150.0, abs=0.05), "however long the venue is out of reach"


def test_a_venue_of_this_machine_that_ended_with_its_session_is_given_up(stage: Stage) -> None:
    """Else a demo that was killed would leave a process behind for ever. It is said, and nothing is called verified."""

    def takes(goes_on: Callable[[], bool]) -> bool:
        while goes_on():
            if stage.clock.monotonic() > 110.0:
                stage.killer.gone_since_s = min(stage.killer.gone_since_s, stage.clock.monotonic())
        return False

    stage.killer.takes = takes
    stage.at(2.0, stage.pulls)
    stage.at(3.0, stage.dies)
    stage.run()
    assert stage.clock.monotonic() == pytest.approx(110.0 + GIVE_UP_S, abs=0.1)
    assert stage.report is not None and not stage.report.verified and stage.report.trouble == GONE
    assert stage.killer.looks == []


def test_a_venue_that_is_gone_while_its_session_lives_is_not_given_up(stage: Stage) -> None:
    """It may come back, and the session would trade on with orders that nobody has cancelled."""
    ends: list[float] = []

    def takes(goes_on: Callable[[], bool]) -> bool:
        stage.killer.gone_since_s = 102.0
        while goes_on():
            pass
        ends.append(stage.clock.monotonic())
        return False

    stage.killer.takes = takes
    stage.at(2.0, stage.pulls)
    stage.at(60.0, stage.dies)
    stage.run()
    assert ends == pytest.approx([160.0 + GIVE_UP_S], abs=0.1)


class Reached:
    """A connection whose answers are given, on a clock that moves with the waiting; notes what is said, and when."""

    def __init__(self, *troubles: str) -> None:
        self.troubles = list(troubles)
        self.clock = ManualClock(unix=1_000.0, monotonic=100.0)
        self.proofs: list[bool] = []
        self.said: list[tuple[float, bytes]] = []
        keep_warm(cast(Killer, self), self.clock, self.say, self.wait)

    def warm(self, *, proves: bool) -> str:
        self.proofs.append(proves)
        return self.troubles.pop(0)

    def say(self, line: bytes) -> None:
        self.said.append((self.clock.monotonic() - 100.0, line))

    def wait(self, for_s: float) -> bool:
        self.clock.advance_to(self.clock.monotonic() + for_s)
        return not self.troubles


def test_it_stands_guard_only_after_the_venue_has_answered_what_a_kill_would_ask() -> None:
    reached = Reached("refused", "refused", "401", "", "")
    assert reached.proofs == [True, True, True, True, False], "once that is proven a small request keeps it open"
    assert reached.said == [(0.0, POWERLESS + b"refused\n"), (2 * RETRY_S, POWERLESS + b"401\n"), (3 * RETRY_S, READY)]


def test_a_venue_that_is_out_of_reach_for_long_is_told_and_has_to_be_proven_again() -> None:
    """A short outage is none: every answer counts, and so does what comes within some seconds."""
    few = int((UNREACHED_S - WARM_S) / RETRY_S)
    reached = Reached("", *["timeout"] * few, "", *["timeout"] * (few + 2), "", "")
    assert [line for _, line in reached.said] == [READY, POWERLESS + b"timeout\n", READY]
    assert reached.proofs[-2:] == [True, False]
