"""The watchdog as a process beside an exchange in another: a session that dies, hangs, is killed or says goodbye."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from core.children import child_environment
from core.errors import PreflightError
from core.kill import latch, page, stored
from core.kill.report import KillReport
from core.kill.shell import kill_from_shell
from core.kill.switch import KillSwitch
from core.kill.watchdog import GONE, GOODBYE, POWERLESS, READY
from core.venue.credentials import Secret
from tests.loopback.killing import CLOCK, PATIENCE_S, Account, Watched, account_running, until, watched
from tests.loopback.test_kill_line import Server

ORDERS = 5


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with account_running(0) as running:
        yield running


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@contextmanager
def beating(watching: Watched) -> Iterator[None]:
    """A session that makes progress, until the block is left."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(0.05):
            watching.beat()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_pull_empties_the_exchange_and_is_reported(account: Account, directory: Path) -> None:
    account.place(ORDERS)
    with watched(directory, account.credentials) as watching, beating(watching):
        assert watching.switch.pull("operator", "enough")
        until(lambda: account.open_orders() == 0)
        until(watching.verified)
        report = watching.switch.report
        assert report is not None and (report.by, report.reason, report.killer) == ("operator", "enough", "watchdog")
        assert (report.sent, report.confirmed, report.left, report.unknown) == (2, ORDERS, 0, 0)
        assert report.elapsed_s >= 2.0, "the cancel was repeated after two seconds"
        assert watching.process.poll() is None, "it goes on guarding"
        watching.switch.rearm("operator", "fine", pull=watching.switch.page.pull)
        account.place(1)
        watching.switch.pull("operator", "once more")
        until(lambda: account.open_orders() == 0)


def test_a_session_that_says_goodbye_keeps_what_it_left(account: Account, directory: Path) -> None:
    """Whether orders stay is for its own end to decide; nothing latches."""
    account.place(1)
    with watched(directory, account.credentials) as watching:
        watching.stdin.write(GOODBYE)
        watching.stdin.close()
        assert watching.process.wait(PATIENCE_S) == 0
        assert account.open_orders() == 1 and watching.switch.killed is None
        kill_from_shell(directory, "test", "tidy", CLOCK, lambda report: None)


def test_a_session_that_ends_without_a_word_is_killed(account: Account, directory: Path) -> None:
    account.place(ORDERS)
    with watched(directory, account.credentials) as watching:
        watching.stdin.close()
        until(lambda: account.open_orders() == 0, 5.0)
        until(watching.verified)
        until(lambda: watching.switch.latch.read().state == "killed")
        record = watching.switch.killed
        assert record is not None and record.by == "watchdog"
        assert record.reason == "the session ended without a word"


SESSION = """
import subprocess, sys, time
from pathlib import Path
from core.clock import SystemClock
from core.kill import stored
from core.kill.switch import KillSwitch
directory, clock = Path(sys.argv[1]), SystemClock()
switch = KillSwitch.open(directory, clock)
switch.page.beat_session(clock.monotonic())
command = [sys.executable, "-P", "-m", "core.kill", str(directory)]
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
child.stdin.write(stored.encode(stored.load(directory)))
child.stdin.flush()
assert child.stdout.readline() == b"ready\\n"
print(child.pid, flush=True)
while True:
    switch.page.beat_session(clock.monotonic())
    time.sleep(0.05)
"""
"""A process in a session's place, with a watchdog of its own."""


@contextmanager
def session_running(account: Account, directory: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Such a session, and its watchdog's process id."""
    stored.store(directory, account.credentials)
    command = [sys.executable, "-P", "-c", SESSION, str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=child_environment())
    assert process.stdout
    watchdog = 0
    try:
        watchdog = int(process.stdout.readline())
        yield process, watchdog
    finally:
        for pid in (process.pid, watchdog):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
        process.stdout.close()


def test_a_stopped_session_is_killed_within_ten_seconds(account: Account, directory: Path) -> None:
    """SIGSTOP: the process is there, and does nothing; all threads of it stand."""
    account.place(ORDERS)
    with session_running(account, directory) as (session, _), closing(KillSwitch.open(directory, CLOCK)) as switch:
        time.sleep(0.5)
        assert account.open_orders() == ORDERS and not switch.is_closed
        session.send_signal(signal.SIGSTOP)
        assert until(lambda: account.open_orders() == 0, 10.0) > 2.0
        until(lambda: switch.latch.read().state == "killed")
        assert switch.latch.read().reason.startswith("the session stood still for 3.")
        session.send_signal(signal.SIGCONT)
        time.sleep(0.2)
        assert switch.is_closed, "it comes back to a gate that is shut"


def test_a_killed_session_is_seen_at_once(account: Account, directory: Path) -> None:
    account.place(ORDERS)
    with session_running(account, directory) as (session, _), closing(KillSwitch.open(directory, CLOCK)) as switch:
        session.kill()
        assert until(lambda: account.open_orders() == 0, 5.0) < 2.0
        until(lambda: switch.latch.read().state == "killed")


def test_a_killed_watchdog_is_seen_at_once_by_its_session(account: Account, directory: Path) -> None:
    """The end of its standard output, which no thread has to poll for."""
    with watched(directory, account.credentials) as watching:
        watching.process.kill()
        begun = time.monotonic()
        assert watching.stdout.read() == b"" and time.monotonic() - begun < 2.0


def test_a_stopped_watchdog_stops_its_beat(account: Account, directory: Path) -> None:
    with watched(directory, account.credentials) as watching, beating(watching):
        page = watching.switch.page
        until(lambda: CLOCK.monotonic() - page.watchdog_s < 0.1)
        watching.process.send_signal(signal.SIGSTOP)
        until(lambda: CLOCK.monotonic() - page.watchdog_s > 0.5)
        watching.process.send_signal(signal.SIGCONT)
        until(lambda: CLOCK.monotonic() - page.watchdog_s < 0.1)
        assert not page.is_shut


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_meant_for_the_session_leave_it_where_it_is(
    account: Account, directory: Path, number: signal.Signals
) -> None:
    with watched(directory, account.credentials) as watching, beating(watching):
        watching.process.send_signal(number)
        time.sleep(0.1)
        assert watching.process.poll() is None and not watching.switch.is_closed


def test_a_restarted_watchdog_goes_on_with_an_unfinished_kill(account: Account, directory: Path) -> None:
    account.place(ORDERS)
    with watched(directory, account.credentials) as watching:
        watching.process.send_signal(signal.SIGSTOP)
        watching.switch.pull("operator", "enough")
        watching.process.kill()
        watching.process.wait()
    assert account.open_orders() == ORDERS
    with watched(directory, account.credentials) as watching:
        until(lambda: account.open_orders() == 0)
        until(watching.verified)
        assert watching.switch.report is not None and watching.switch.report.reason == "enough"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        return int(gone.getsockname()[1])


def at(account: Account, port: int) -> stored.KillCredentials:
    """Its credentials, for a venue elsewhere on this machine."""
    return msgspec.structs.replace(account.credentials, clob_url=f"http://127.0.0.1:{port}")


def test_a_venue_that_is_away_is_waited_for(directory: Path, account: Account) -> None:
    """A kill is answered from the start, with nobody there; guard is stood once the venue has answered."""
    port = free_port()
    word = POWERLESS + b"GET /data/orders: ConnectionRefusedError\n"
    with watched(directory, at(account, port), word) as watching, beating(watching):
        watching.switch.pull("operator", "enough")
        until(lambda: (report := watching.switch.report) is not None and report.sent > 1)
        report = watching.switch.report
        assert report is not None and "ConnectionRefusedError" in report.trouble and report.left is None
        with account_running(0, "--port", str(port)):
            until(watching.verified)
            assert watching.stdout.readline() == READY


def test_credentials_that_the_venue_refuses_guard_nothing(account: Account, directory: Path) -> None:
    """They could not cancel either: known before anything is quoted, and not at the first kill."""
    api = msgspec.structs.replace(account.credentials.api, passphrase=Secret("wrong"))
    wrong = msgspec.structs.replace(account.credentials, api=api)
    words = b"GET /data/orders: status 401, the venue refuses the API credentials (check the clock too)\n"
    with watched(directory, wrong, POWERLESS + words):
        pass


def test_a_venue_that_died_with_its_session_is_given_up(directory: Path, account: Account) -> None:
    """As a demo's does: no process stays behind."""
    away = at(account, free_port())
    with watched(directory, away, POWERLESS + b"GET /data/orders: ConnectionRefusedError\n") as watching:
        watching.stdin.close()
        assert watching.process.wait(PATIENCE_S) == 0
        report = watching.switch.report
        assert report is not None and not report.verified and report.trouble == GONE
        assert watching.switch.latch.read().state == "killed"


def test_nothing_shows_its_secrets(account: Account, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, environment, output, and every file but the one that keeps them; a key that signs nowhere at all."""
    api = account.credentials.api
    secrets = [each.reveal().encode() for each in (api.key, api.secret, api.passphrase)]
    monkeypatch.setenv("PK", "canary-private-key")
    account.place(1)
    with watched(directory, account.credentials) as watching:
        process = Path(f"/proc/{watching.process.pid}")
        shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        watching.switch.pull("operator", "enough")
        until(watching.verified)
        for path in directory.iterdir():
            shown += b"" if path.name == stored.NAME else path.read_bytes()
            assert path.stat().st_mode & 0o777 == 0o600
        status, out, err = watching.end()
        shown += out + err
    assert status == -signal.SIGKILL and err == b""
    assert not [secret for secret in [*secrets, b"canary"] if secret in shown]


@pytest.mark.parametrize("line", [b"", b"\n", b"no json\n", b'{"secret":"canary"}\n'])
def test_a_watchdog_without_credentials_says_so_and_ends(directory: Path, line: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "core.kill", str(directory)],
        input=line, env=child_environment(), capture_output=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == b""
    assert done.stderr == b"watchdog: the credentials for a kill cannot be read\n"


def test_a_watchdog_without_a_directory_of_its_own_says_so_and_ends(directory: Path, account: Account) -> None:
    directory.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "core.kill", str(directory)],
        input=stored.encode(account.credentials), env=child_environment(), capture_output=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2 and b"chmod 700" in done.stderr and b"Traceback" not in done.stderr


# From a shell


def shell(directory: Path, patience_s: float = 20.0) -> KillReport:
    return kill_from_shell(directory, "shell", "from outside", CLOCK, lambda report: None, patience_s)


def test_a_shell_leaves_it_to_the_watchdog_where_there_is_one(account: Account, directory: Path) -> None:
    account.place(ORDERS)
    told: list[KillReport] = []
    with watched(directory, account.credentials) as watching, beating(watching):
        report = kill_from_shell(directory, "shell", "from outside", CLOCK, told.append)
        assert report.verified and report.killer == "watchdog" and report.confirmed == ORDERS
        assert account.open_orders() == 0 and told[-1] == report
        again = shell(directory)
        assert again.verified and again.pull != report.pull, "a second kill cancels again"


def test_a_shell_kills_by_itself_where_nobody_answers(account: Account, directory: Path) -> None:
    """Neither session nor watchdog: what the last session kept is enough."""
    account.place(ORDERS)
    stored.store(directory, account.credentials)
    report = shell(directory)
    assert report.verified and report.killer == "shell" and report.confirmed == ORDERS and account.open_orders() == 0
    with closing(KillSwitch.open(directory, CLOCK)) as switch:
        assert switch.killed is not None and switch.killed.reason == "from outside" and switch.report == report


def test_a_shell_kills_by_itself_where_the_watchdog_is_stopped(account: Account, directory: Path) -> None:
    account.place(ORDERS)
    with watched(directory, account.credentials) as watching, beating(watching):
        watching.process.send_signal(signal.SIGSTOP)
        report = shell(directory)
        assert report.verified and report.killer == "shell" and account.open_orders() == 0
        watching.process.send_signal(signal.SIGCONT)


def test_several_shells_at_once_all_see_it_through(account: Account, directory: Path) -> None:
    account.place(ORDERS)
    stored.store(directory, account.credentials)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: shell(directory), range(4)))
    assert all(report.verified for report in reports) and account.open_orders() == 0


def test_a_shell_without_credentials_latches_and_says_that_nothing_was_cancelled(directory: Path) -> None:
    report = shell(directory)
    assert not report.verified and report.sent == 0 and report.left is None
    assert "no API credentials are kept" in report.trouble and "left unknown" not in report.words
    with closing(KillSwitch.open(directory, CLOCK)) as switch:
        assert switch.killed is not None


@pytest.mark.parametrize("name", [latch.NAME, page.NAME])
def test_a_link_in_the_switch_keeps_no_shell_from_stopping_the_session(
    account: Account, directory: Path, name: str
) -> None:
    """It is set aside; the session that has the other file open is shut out by its watchdog or at once."""
    account.place(ORDERS)
    with watched(directory, account.credentials) as watching, beating(watching):
        (directory / name).unlink()
        (directory / name).symlink_to("/dev/null")
        with pytest.raises(PreflightError):
            KillSwitch.open(directory, CLOCK)
        report = shell(directory)
        assert report.verified and not report.trouble and account.open_orders() == 0
        until(lambda: watching.switch.is_closed)
    with closing(KillSwitch.open(directory, CLOCK)) as switch:
        assert switch.killed is not None and switch.killed.reason == "from outside"


def test_a_switch_that_cannot_be_had_keeps_no_shell_from_cancelling(
    account: Account, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gate and latch each alone; what could not be done is told although zero is verified."""
    account.place(ORDERS)
    stored.store(directory, account.credentials)
    with closing(KillSwitch.open(directory, CLOCK)) as switch:

        def refused(path: Path) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("core.kill.shell.mend", refused)
        (directory / latch.NAME).chmod(0o644)
        report = shell(directory)
        assert report.verified and account.open_orders() == 0
        assert report.trouble.startswith("not latched (") and report.trouble in report.words
        assert switch.is_closed, "the gate is shut all the same"


def test_a_shell_whose_patience_is_over_says_that_nothing_is_verified(account: Account, directory: Path) -> None:
    def hang(peer: socket.socket, number: int) -> None:
        while peer.recv(65_536):
            pass

    venue = Server(hang)
    try:
        api = account.credentials.api
        stored.store(directory, stored.KillCredentials(venue.url, account.credentials.address, api))
        report = shell(directory, patience_s=0.5)
        assert not report.verified and report.sent >= 1 and "no answer within 2 s" in report.trouble
    finally:
        venue.close()
