"""A session on its own thread, seen from the console's side."""

import threading
from pathlib import Path

import pytest

from core.events import OperatorCommand
from core.runtime.host import SessionHost
from core.runtime.session import Session
from tests.core.runtime.fakes import FakeGateway, composing, session_in

PATIENCE_S = 15


def a_host(root: Path) -> SessionHost:
    return SessionHost(lambda: session_in(root, composing(FakeGateway())))


def test_a_stop_before_the_start_ends_the_session_at_once(tmp_path: Path) -> None:
    """A signal may come before the thread has made its session."""
    host = a_host(tmp_path)
    host.stop("SIGTERM")
    host.start()
    assert host.wait(PATIENCE_S)
    outcome = host.outcome()
    assert outcome.exit_code == 0 and outcome.report["exit_reason"] == "SIGTERM"


def test_a_host_that_was_never_started_has_ended(tmp_path: Path) -> None:
    """A console that crashes before the session begins must not be followed by a wait for a session's end."""
    host = a_host(tmp_path)
    assert not host.ended
    host.stop("console crashed")
    assert not host.started and host.wait(0)


def test_commands_before_and_after_get_an_answer(tmp_path: Path) -> None:
    """The console shows what became of each key; a future that never resolves is a key without effect."""
    host = a_host(tmp_path)
    command = OperatorCommand(act="pause_all")
    assert host.send(command).result(PATIENCE_S).text == "the session is not running"
    host.start()
    while host.view is None:
        assert not host.wait(0.01)
    assert host.send(command).result(PATIENCE_S).done
    host.stop("quit")
    assert host.wait(PATIENCE_S)
    assert host.send(command).result(PATIENCE_S).text == "the session is not running"


def test_a_session_that_cannot_be_made_is_raised_where_it_is_seen() -> None:
    """The thread has nobody to tell; the main thread does."""

    def broken() -> Session:
        raise RuntimeError("no session")

    host = SessionHost(broken)
    host.start()
    assert host.wait(PATIENCE_S) and host.ended
    with pytest.raises(RuntimeError, match="no session"):
        host.outcome()


def test_many_stops_from_many_threads_end_it_once(tmp_path: Path) -> None:
    """Signal, key and lost terminal may come together."""
    host = a_host(tmp_path)
    host.start()
    threads = [threading.Thread(target=host.stop, args=(f"stop {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert host.wait(PATIENCE_S)
    assert host.outcome().report["exit_reason"].startswith("stop ")
