"""Work spread over processes that can be interrupted at any moment and never outlive this one.

Not a pool of the standard library: its processes wait for each other's locks, so they stay when their parent is killed,
and one whose parent ends while it starts complains on stderr. Here each has a pipe of its own and ends with it. The
parent only waits, so that an interrupt cannot get lost in the midst of work.
"""

import pickle
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from core.children import child_environment
from core.errors import PolymmError

_Result = TypeVar("_Result")

_COMMAND: Final = (sys.executable, "-P", "-m", "core.lab.runner")
_INTERRUPTS: Final = {signal.SIGINT, signal.SIGTERM}


def results(calls: Sequence[Callable[[], _Result]], jobs: int) -> Generator[_Result, None, None]:
    """The result of each call, in their order, however many processes work on them.

    Close it to end the processes; to be used in the main thread, which is the one that signals interrupt.

    Args:
        calls: what to do; they and their results can be pickled.
        jobs: processes at most.

    Raises:
        PolymmError: a process was killed or cannot be started.
        Exception: what a call raised.
    """
    runners: list[_Runner] = []
    try:
        with _interrupts_held_back():
            runners.extend(_Runner() for _ in range(min(jobs, len(calls))))
        yield from _in_order(calls, runners)
    finally:
        with _interrupts_held_back():
            for runner in runners:
                runner.end()


def _in_order(calls: Sequence[Callable[[], _Result]], runners: Sequence["_Runner"]) -> Iterator[_Result]:
    """Every runner has one call at a time; whoever is done gets the next."""
    waiting = iter(enumerate(calls))
    idle = list(runners)
    found: dict[int, _Result] = {}
    told = 0
    with selectors.DefaultSelector() as busy:
        while told < len(calls):
            for runner, (number, call) in zip(idle, waiting, strict=False):
                runner.give(call)
                busy.register(runner, selectors.EVENT_READ, (runner, number))
            idle = []
            for key, _ in busy.select():
                runner, number = key.data
                found[number] = runner.take()
                busy.unregister(runner)
                idle.append(runner)
            while told in found:
                yield found.pop(told)
                told += 1


class _Runner:
    """A process that carries out one call at a time (:mod:`core.lab.runner`). It inherits which signals are blocked."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environment()
            )
        except OSError as error:
            raise PolymmError(f"a process cannot be started: {error.strerror}; try again with fewer --jobs") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._calls, self._answers = self._process.stdin, self._process.stdout

    def fileno(self) -> int:
        """Readable when the call is done or the process dead."""
        return self._answers.fileno()

    def give(self, call: Callable[[], object]) -> None:
        """Let it begin."""
        try:
            pickle.dump(pickle.dumps(call), self._calls)
            self._calls.flush()
        except BrokenPipeError as error:
            raise _killed() from error

    def take(self) -> Any:
        """Wait for the result of the call."""
        try:
            result, error = pickle.load(self._answers)
        except (EOFError, pickle.UnpicklingError) as broken:
            raise _killed() from broken
        if error is not None:
            raise error
        return result

    def end(self) -> None:
        """Kill it: it has nothing to lose, and one that is just starting may not heed less."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with suppress(BrokenPipeError):  # of what it has not read
            self._calls.close()


def _killed() -> PolymmError:
    return PolymmError("a process of the comparison was killed; try again with fewer --jobs")


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """What arrives meanwhile is heard afterwards, so that no process is started or ended by half.

    Processes started meanwhile never hear any: ctrl+c reaches the whole group, but it is this one that ends them.
    """
    heard: list[int] = []
    usual = {number: signal.getsignal(number) for number in _INTERRUPTS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # The mask is what processes inherit; here another thread, unmasked, may take the signal for all of them.
        signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)  # one that came just before is heard here
        for number in _INTERRUPTS:
            signal.signal(number, lambda number, frame: heard.append(number))
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in usual.items():
            signal.signal(number, handler)
        for first in heard[:1]:
            signal.raise_signal(first)
