"""The switch: shut at once, latched on the disk, whoever pulls, and opened again only on purpose."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.children import child_environment
from core.clock import ManualClock
from core.errors import PreflightError
from core.kill import latch as latch_module
from core.kill import page as page_module
from core.kill.latch import Latch, LatchRecord
from core.kill.report import KillReport
from core.kill.switch import SILENT_S, KillSwitch
from tests.core.kill.threads import no_threads


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy disk is none of these tests' business."""
    monkeypatch.setattr("core.kill.switch.LATCH_PATIENCE_S", 20.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(unix=1_000.0, monotonic=50.0)


@pytest.fixture
def switch(directory: Path, clock: ManualClock) -> Iterator[KillSwitch]:
    opened = KillSwitch.open(directory, clock)
    yield opened
    opened.close()


def child(code: str, directory: Path) -> str:
    """Run code in a process of its own, with ``switch`` opened."""
    head = (
        "import sys; from pathlib import Path; from core.clock import SystemClock\n"
        "from core.kill.switch import KillSwitch\n"
        "switch = KillSwitch.open(Path(sys.argv[1]), SystemClock())\n"
    )
    command = [sys.executable, "-P", "-c", head + code, str(directory)]
    done = subprocess.run(command, env=child_environment(), check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


def test_a_pull_shuts_the_gate_and_is_on_the_disk(switch: KillSwitch, directory: Path, clock: ManualClock) -> None:
    assert not switch.is_closed and switch.killed is None
    assert switch.pull("operator", "enough")
    assert switch.is_closed
    assert switch.killed == LatchRecord(state="killed", epoch=1, by="operator", reason="enough", unix=1_000.0)
    later = KillSwitch.open(directory, clock)
    assert later.is_closed and later.killed == switch.killed
    later.close()


def test_many_pull_at_once_and_it_is_one_kill(switch: KillSwitch, directory: Path) -> None:
    """Threads and processes: none fails, the gate is shut and the latch whole."""
    threads = [threading.Thread(target=switch.pull, args=(f"thread {number}", "x")) for number in range(8)]
    command = [
        sys.executable, "-P", "-c",
        "import sys; from pathlib import Path; from core.clock import SystemClock\n"
        "from core.kill import switch; switch.LATCH_PATIENCE_S = 60.0\n"
        "s = switch.KillSwitch.open(Path(sys.argv[1]), SystemClock())\n"
        "sys.exit(not all([s.pull(f'process {n}', 'x') for n in range(50)]))",
        str(directory),
    ]  # fmt: skip
    processes = [subprocess.Popen(command, env=child_environment()) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    for thread in threads:
        thread.join()
    record = switch.latch.read()
    assert switch.is_closed and record.state == "killed" and record.reason == "x"


def test_a_signal_handler_may_pull(switch: KillSwitch) -> None:
    before = signal.signal(signal.SIGUSR2, lambda number, frame: switch.pull("signal", "SIGUSR2") and None)
    try:
        os.kill(os.getpid(), signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert switch.is_closed and switch.killed is not None and switch.killed.by == "signal"


def test_a_pull_opens_no_file(directory: Path) -> None:
    """So it works with every descriptor taken and every block of the disk full."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "print(switch.pull('operator', 'enough'), switch.is_closed)"
    )
    assert child(code, directory).split() == ["True", "True"]


def test_a_pull_works_on_a_full_disk(directory: Path) -> None:
    """A real one: a file system of its own, filled to the last byte."""
    code = (
        "import os\n"
        "fill = os.open(Path(sys.argv[1]) / 'fill', os.O_CREAT | os.O_WRONLY)\n"
        "try:\n"
        "    while True: os.write(fill, b'x' * 512)\n"
        "except OSError as error: print(error.errno)\n"
        "print(switch.pull('operator', 'enough'))\n"
        "later = KillSwitch.open(Path(sys.argv[1]), SystemClock())\n"
        "print(later.killed.reason, later.latch.read().state)"
    )
    head = (
        "import sys; from pathlib import Path; from core.clock import SystemClock\n"
        "from core.kill.switch import KillSwitch\n"
        "switch = KillSwitch.open(Path(sys.argv[1]), SystemClock())\n"
    )
    mount = 'mount -t tmpfs -o size=256k,mode=700 none "$1" && exec "$2" -P -c "$3" "$1"'
    command = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(directory), sys.executable, head + code]
    try:
        done = subprocess.run(command, env=child_environment(), capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("this system has no unshare")
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("this system lets nobody mount a file system of his own")
    assert done.stdout.split() == ["28", "True", "enough", "killed"], done.stderr


def test_a_disk_that_hangs_delays_nobody(switch: KillSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate is shut first; the latch follows when the disk comes back."""
    gate, synced = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(handle: int) -> None:
        gate.wait(20)
        real(handle)
        synced.set()

    monkeypatch.setattr("core.kill.switch.LATCH_PATIENCE_S", 0.05)
    monkeypatch.setattr(os, "fdatasync", slow)
    assert not switch.pull("storage", "the disk hangs") and switch.is_closed
    assert not synced.is_set()
    gate.set()
    assert synced.wait(20)


def test_a_disk_that_refuses_is_tried_again(switch: KillSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.kill.switch.RETRY_S", 0.001)
    failures = [OSError(5, "Input/output error")] * 3
    real = Latch.write

    def write(latch: Latch, record: LatchRecord) -> None:
        if failures:
            raise failures.pop()
        real(latch, record)

    monkeypatch.setattr(Latch, "write", write)
    assert switch.pull("operator", "enough") and not failures
    assert switch.latch.read().reason == "enough"


def test_without_threads_the_latch_is_written_all_the_same(switch: KillSwitch) -> None:
    with no_threads():
        assert switch.pull("operator", "enough")
    assert switch.latch.read().state == "killed"


def test_what_only_one_of_the_two_says_is_believed(switch: KillSwitch, directory: Path, clock: ManualClock) -> None:
    """A kill whose latch never reached the disk, or whose latch or page was deleted since."""
    switch.pull("operator", "enough")
    for name in (latch_module.NAME, page_module.NAME):
        (directory / name).unlink()
        again = KillSwitch.open(directory, clock)
        assert again.is_closed and again.killed is not None
        assert (again.killed.by, again.killed.reason) == ("operator", "enough")
        assert again.latch.read().state == "killed" and again.page.pull
        again.close()


def test_a_kill_past_a_page_that_was_taken_away_shows_in_the_latch(
    switch: KillSwitch, directory: Path, clock: ManualClock
) -> None:
    """Whoever has the old page sees it at the next look at the latch, which a watchdog takes four times a second."""
    (directory / page_module.NAME).unlink()
    other = KillSwitch.open(directory, clock)
    other.pull("shell", "from outside")
    assert not switch.is_closed and switch.killed is not None and switch.killed.reason == "from outside"
    switch.heed_latch()
    assert switch.is_closed and switch.page.cause is not None and switch.page.cause.by == "shell"
    other.close()


def test_a_damaged_page_is_a_kill_that_a_watchdog_answers(directory: Path, clock: ManualClock) -> None:
    path = directory / page_module.NAME
    path.write_bytes(b"damaged")
    path.chmod(0o600)
    switch = KillSwitch.open(directory, clock)
    assert switch.is_closed and switch.page.pull and switch.latch.read().reason == "the page was damaged"
    switch.close()


def test_rearming_opens_the_gate_for_every_process(switch: KillSwitch, directory: Path, clock: ManualClock) -> None:
    other = KillSwitch.open(directory, clock)
    switch.pull("operator", "enough")
    assert switch.rearm("operator", "looked into it", pull=switch.page.pull) == 2
    for one in (switch, other):
        assert not one.is_closed and one.killed is None and one.page.epoch == 2
    assert other.latch.read() == LatchRecord(
        state="armed", epoch=2, by="operator", reason="looked into it", unix=1_000.0
    )
    other.pull("loss", "limit")
    assert switch.killed is not None and (switch.killed.epoch, switch.killed.by) == (2, "loss")
    other.close()


def test_rearming_is_refused_when_somebody_pulled_since(switch: KillSwitch, directory: Path) -> None:
    switch.pull("operator", "enough")
    seen = switch.page.pull
    switch.pull("loss", "limit")
    before = (directory / latch_module.NAME).read_bytes()
    with pytest.raises(PreflightError, match="pulled again"):
        switch.rearm("operator", "fine", pull=seen)
    assert switch.is_closed and switch.page.epoch == 1
    assert (directory / latch_module.NAME).read_bytes() == before, "not even for a moment"


@pytest.mark.parametrize("moment", ["before the latch", "after the latch"])
def test_a_pull_amid_rearming_wins(
    switch: KillSwitch, directory: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    other = KillSwitch.open(directory, clock)
    switch.pull("operator", "enough")
    real = Latch.write

    def write(latch: Latch, record: LatchRecord) -> None:
        is_arming = record.state == "armed"
        if is_arming and moment == "before the latch":
            other.pull("loss", "limit")
        real(latch, record)
        if is_arming and moment == "after the latch":
            other.pull("loss", "limit")

    monkeypatch.setattr(Latch, "write", write)
    clock.advance_to(51.0)
    with pytest.raises(PreflightError, match="pulled again"):
        switch.rearm("operator", "fine", pull=switch.page.pull)
    assert switch.is_closed and switch.latch.read().state == "killed"
    other.close()


def test_a_disk_that_refuses_keeps_it_killed(switch: KillSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    switch.pull("operator", "enough")

    def write(latch: Latch, record: LatchRecord) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Latch, "write", write)
    with pytest.raises(PreflightError, match="No space left"):
        switch.rearm("operator", "fine", pull=switch.page.pull)
    assert switch.is_closed and switch.latch.read().state == "killed"


def test_a_latch_that_comes_late_does_not_undo_a_rearm(switch: KillSwitch) -> None:
    switch.pull("operator", "enough")
    switch.rearm("operator", "fine", pull=switch.page.pull)
    assert not switch.latch_soon().wait(0.05) and switch.latch.read().state == "armed"


def test_the_heartbeat_is_withheld_once_nothing_is_open(switch: KillSwitch, clock: ManualClock) -> None:
    """Or when nothing was proven for too long: then the venue is to clear us by itself."""
    now = clock.monotonic()
    assert not switch.withholds_heartbeat(now)
    switch.pull("operator", "enough")
    assert not switch.withholds_heartbeat(now + SILENT_S - 0.1)
    assert switch.withholds_heartbeat(now + SILENT_S)
    assert switch.withholds_heartbeat(now - 1.0), "pulled before the machine was started"
    pull = switch.page.pull
    report = KillReport(pull=pull, by="operator", reason="", killer="watchdog", began_unix=0.0, verified=True)
    switch.page.write_report(report)
    assert switch.withholds_heartbeat(now)
    clock.advance_to(now + 1)
    switch.pull("operator", "once more")
    assert switch.report is None and not switch.withholds_heartbeat(now + 1), "that report is about another pull"
    switch.rearm("operator", "fine", pull=switch.page.pull)
    assert not switch.withholds_heartbeat(now + 100)


def test_pulling_again_does_not_put_the_venues_dead_man_switch_off(switch: KillSwitch, clock: ManualClock) -> None:
    """Its time runs from the first pull since the switch was armed; after a re-arm it begins anew."""
    now = clock.monotonic()
    for _ in range(4):
        switch.pull("cron", "still not empty")
        clock.advance_to(clock.monotonic() + SILENT_S / 3)
    assert switch.withholds_heartbeat(now + SILENT_S)
    switch.rearm("operator", "fine", pull=switch.page.pull)
    switch.pull("operator", "enough")
    assert not switch.withholds_heartbeat(clock.monotonic() + SILENT_S / 2)


class Kills(RuleBasedStateMachine):
    """Pulls, re-arms, restarts, losses and damages in any order: killed stays killed until somebody re-arms."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = ManualClock(unix=1_000.0, monotonic=50.0)
        self._directory = Path(os.path.realpath(Kills.factory.mktemp("kills")))
        self._switches = [KillSwitch.open(self._directory, self._clock) for _ in range(2)]
        self._is_killed = False

    factory: pytest.TempPathFactory

    @rule(which=st.integers(0, 1))
    def pull(self, which: int) -> None:
        assert self._switches[which].pull("operator", "enough")
        self._is_killed = True

    @precondition(lambda self: self._is_killed)
    @rule(which=st.integers(0, 1), is_late=st.booleans())
    def rearm(self, which: int, is_late: bool) -> None:
        switch, seen = self._switches[which], self._switches[which].page.pull
        if is_late:
            self._clock.advance_to(self._clock.monotonic() + 0.001)
            self._switches[1 - which].pull("loss", "limit")
        try:
            switch.rearm("operator", "fine", pull=seen)
        except PreflightError:
            assert is_late
        else:
            assert not is_late
            self._is_killed = False

    @rule(seconds=st.sampled_from((0.0, 0.001, 3.0, 1e6)))
    def wait(self, seconds: float) -> None:
        self._clock.advance_to(self._clock.monotonic() + seconds)

    @rule(lost=st.sampled_from(("", latch_module.NAME, page_module.NAME)), is_damaged=st.booleans())
    def restart(self, lost: str, is_damaged: bool) -> None:
        """All processes end, one of the files is lost or damaged, and they start again."""
        for switch in self._switches:
            switch.close()
        if lost:
            path = self._directory / lost
            if is_damaged:
                path.write_bytes(path.read_bytes()[:-1] + b"!" if lost == latch_module.NAME else b"damaged")
                self._is_killed = True
            else:
                path.unlink()
        self._switches = [KillSwitch.open(self._directory, self._clock) for _ in range(2)]

    @invariant()
    def all_agree(self) -> None:
        for switch in self._switches:
            assert switch.is_closed == self._is_killed
            assert (switch.killed is not None) == self._is_killed
            assert (switch.latch.read().state == "killed") == self._is_killed

    def teardown(self) -> None:
        for switch in self._switches:
            switch.close()


def test_killed_stays_killed_until_somebody_rearms(tmp_path_factory: pytest.TempPathFactory) -> None:
    Kills.factory = tmp_path_factory
    machine = Kills.TestCase
    machine.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
    machine("runTest").runTest()
