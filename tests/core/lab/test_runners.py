"""Work in processes of its own: results in order, errors told, and nothing left running whatever happens."""

import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from core.children import child_environment
from core.errors import PolymmError
from core.lab import runners
from core.lab.runners import results
from tests.end_to_end.program import PATIENCE_S

AGES = partial(time.sleep, 1_000)
"""A call that only ends with its process."""


class Started(subprocess.Popen[bytes]):
    """Remembers every process."""

    all: "list[Started]"

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[call-overload]
        self.all.append(self)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    """Those started during a test."""
    monkeypatch.setattr(Started, "all", [], raising=False)
    monkeypatch.setattr(runners.subprocess, "Popen", Started)
    return Started.all


# Results


@pytest.mark.parametrize("jobs", [1, 3, 100])
def test_results_come_in_the_order_of_the_calls(jobs: int) -> None:
    assert list(results([partial(pow, number, 2) for number in range(20)], jobs)) == [n * n for n in range(20)]


def test_a_later_result_waits_for_an_earlier_one(tmp_path: Path) -> None:
    """The first call cannot be done before the last."""
    os.mkfifo(fifo := tmp_path / "fifo")
    calls = [partial(fifo.read_text), partial(abs, -1), partial(abs, -2), partial(fifo.write_text, "done")]
    assert list(results(calls, 2)) == ["done", 1, 2, 4]


def test_no_process_is_started_without_work(processes: list[Started]) -> None:
    assert list(results([partial(abs, -1), partial(abs, -2)], 16)) == [1, 2] and len(processes) == 2
    assert list(results([], 16)) == [] and len(processes) == 2


def test_a_child_runs_this_very_program_and_knows_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever lies in the present directory."""
    (tmp_path / "core.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PK", "0x1")
    assert list(results([partial(os.getenv, "PK"), os.getcwd], 1)) == [None, str(tmp_path)]


# Errors


def test_an_error_is_raised_here_and_tells_where_it_was(processes: list[Started]) -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        list(results([partial(int, "x"), AGES], 2))
    assert "In a process of its own:\nTraceback" in caught.value.__notes__[0]
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2


def test_a_result_that_cannot_be_sent_is_an_error() -> None:
    with pytest.raises(TypeError, match="pickle"):
        list(results([partial(memoryview, b""), AGES], 2))


def test_a_process_that_is_killed_is_told_and_leaves_none_behind(processes: list[Started]) -> None:
    with pytest.raises(PolymmError, match="was killed; try again with fewer --jobs"):
        list(results([partial(os._exit, 1), AGES], 2))
    assert [process.poll() is None for process in processes] == [False, False]


def test_a_process_that_was_killed_between_two_calls_is_told(processes: list[Started]) -> None:
    """While another was working."""
    with closing(results([os.getpid, AGES, AGES], 2)) as found:
        pid = next(found)
        idle = next(process for process in processes if process.pid == pid)
        idle.kill()
        idle.wait()
        with pytest.raises(PolymmError, match="was killed"):
            next(found)


def test_a_process_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "_COMMAND", ("/nowhere",))
    with pytest.raises(PolymmError, match="cannot be started: No such file or directory; try again with fewer --jobs"):
        list(results([AGES, AGES], 2))


# The end


def test_closing_ends_processes_amid_their_work(processes: list[Started]) -> None:
    with closing(results([os.getpid, AGES, AGES], 2)) as found:
        assert next(found) in [process.pid for process in processes]
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2


def test_an_interrupt_amid_the_start_waits_for_its_end(
    processes: list[Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of which nobody knows yet could not be ended."""

    def interrupted() -> dict[str, str]:
        os.kill(os.getpid(), signal.SIGINT)
        return child_environment()

    monkeypatch.setattr(runners, "child_environment", interrupted)
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(results([AGES, AGES], 2))
    finally:
        signal.signal(signal.SIGINT, usual)
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGINT, signal.SIGTERM}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_do_not_reach_the_processes(number: signal.Signals) -> None:
    """They are the parent's to act on: children that died of them first would look like an accident."""
    assert list(results([partial(signal.raise_signal, number), partial(abs, -1)], 1)) == [None, 1]


CALL = pickle.dumps(pickle.dumps(AGES))


@pytest.mark.parametrize("sent", [b"", CALL[:1], CALL[:-1], CALL], ids=["nothing", "a byte", "half a call", "a call"])
def test_a_child_ends_quietly_with_its_parent(sent: bytes) -> None:
    """Before it got anything, amid what it was being told, and amid its work."""
    command = [sys.executable, "-m", "core.lab.runner"]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=child_environment()
    )
    out, err = child.communicate(sent, timeout=PATIENCE_S)
    assert (child.returncode, out, err) == (0, b"", b"")


def test_a_child_whose_answer_nobody_takes_ends_quietly() -> None:
    command = [sys.executable, "-m", "core.lab.runner"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=child_environment()
    ) as child:
        assert child.stdin and child.stdout and child.stderr
        child.stdout.close()
        child.stdin.write(pickle.dumps(pickle.dumps(os.getpid)))
        child.stdin.flush()
        assert (child.stderr.read(), child.wait(PATIENCE_S)) == (b"", 0)
