"""Blocking calls beside the loop: one thread at most, left behind when it hangs, and nothing carried over of it."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from core.errors import ListError
from core.selection.aside import Aside
from tests.core.runtime.fakes import until
from tests.loopback.jumping import jumping_loop

MOMENT = 0.05
PATIENCE = 10.0


class Hang:
    """A call that returns once it is released; all of them at the end of a test."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.given_up: threading.Event | None = None
        self.calls = 0

    def __call__(self, given_up: threading.Event) -> str:
        self.calls += 1
        self.given_up = given_up
        assert self.released.wait(PATIENCE)
        return "late"


@pytest.fixture
def hang() -> Iterator[Hang]:
    made = Hang()
    yield made
    made.released.set()


def at_once(_: threading.Event) -> str:
    return "done"


async def trouble(aside: Aside[str], work: Callable[[threading.Event], str], deadline_s: float = MOMENT) -> str:
    with pytest.raises(ListError) as caught:
        await aside.call(work, deadline_s)
    assert caught.value.__cause__ is None
    return str(caught.value)


async def test_a_call_gives_what_it_returns_from_a_daemon() -> None:
    seen: list[threading.Thread] = []

    def note(_: threading.Event) -> str:
        seen.append(threading.current_thread())
        return "done"

    assert await Aside[str]("list").call(note, PATIENCE) == "done"
    assert seen[0].daemon, "the end of the process does not wait for it"
    assert seen[0] is not threading.current_thread()


async def test_a_call_that_hangs_is_left_behind_and_told_so(hang: Hang) -> None:
    aside = Aside[str]("list")
    assert await trouble(aside, hang) == "list: nothing came within 0.05 s; it is tried again at the next refresh"
    await until(lambda: hang.calls > 0)
    assert hang.given_up is not None
    assert hang.given_up.is_set()


async def test_while_one_hangs_no_other_begins(hang: Hang) -> None:
    aside = Aside[str]("list")
    await trouble(aside, hang)
    for _ in range(3):
        assert "the reading before this one still hangs" in await trouble(aside, hang)
    await until(lambda: hang.calls > 0)
    assert hang.calls == 1
    hang.released.set()
    assert await aside.call(at_once, PATIENCE) == "done"


async def test_one_that_comes_back_in_time_lets_the_next_begin(hang: Hang) -> None:
    """What came too late is nobody's answer."""
    aside = Aside[str]("list")
    await trouble(aside, hang)
    waiting = asyncio.create_task(aside.call(at_once, PATIENCE))
    await asyncio.sleep(0)
    hang.released.set()
    assert await waiting == "done"


async def test_those_who_ask_at_once_come_one_after_the_other() -> None:
    aside = Aside[str]("list")
    inside = 0

    def count(_: threading.Event) -> str:
        nonlocal inside
        inside += 1
        assert inside == 1
        inside -= 1
        return "done"

    assert await asyncio.gather(*(aside.call(count, PATIENCE) for _ in range(5))) == ["done"] * 5


async def test_who_is_cancelled_leaves_the_next_one_alone(hang: Hang) -> None:
    aside = Aside[str]("list")
    task = asyncio.create_task(aside.call(hang, PATIENCE))
    await until(lambda: hang.calls > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert hang.given_up is not None
    assert hang.given_up.is_set()
    hang.released.set()
    assert await aside.call(at_once, PATIENCE) == "done"


async def test_an_exception_is_told_by_its_kind_and_never_carried_over() -> None:
    """Its traceback holds the locals of what it came from."""

    def fails(_: threading.Event) -> str:
        key = "CANARY"
        raise ValueError(key)

    said = await trouble(Aside[str]("list"), fails, PATIENCE)
    assert said == "list: reading it failed (ValueError); please report this"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
async def test_what_is_no_exception_ends_that_call_alone(kind: type[BaseException]) -> None:
    """A library that gives up by leaving the process must not end the session, nor every reading after it."""
    aside = Aside[str]("list")

    def leaves(_: threading.Event) -> str:
        raise kind

    assert kind.__name__ in await trouble(aside, leaves, PATIENCE)
    assert await aside.call(at_once, PATIENCE) == "done"


async def test_what_it_says_itself_is_passed_on_as_it_is() -> None:
    def refuses(_: threading.Event) -> str:
        raise ListError("no such tab")

    assert await trouble(Aside[str]("list"), refuses, PATIENCE) == "no such tab"


async def test_a_machine_without_threads_is_told_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    aside = Aside[str]("list")
    with monkeypatch.context() as patch:

        def none_left(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", none_left)
        assert "the machine has no thread for it" in await trouble(aside, at_once, PATIENCE)
    assert await aside.call(at_once, PATIENCE) == "done"


def test_one_that_comes_back_after_its_loop_has_ended_says_nothing(
    hang: Hang, caplog: pytest.LogCaptureFixture
) -> None:
    """The end of a session while a reading hangs."""
    aside = Aside[str]("list")
    with caplog.at_level(logging.DEBUG, logger="concurrent.futures"):
        asyncio.run(trouble(aside, hang))
        left = [each for each in threading.enumerate() if each.name == "market list"]
        hang.released.set()
        for thread in left:
            thread.join(PATIENCE)
    assert not caplog.records
    assert asyncio.run(aside.call(at_once, PATIENCE)) == "done", "and another loop may go on with it"


def test_on_a_clock_that_jumps_time_stands_still_while_it_reads() -> None:
    """Deadlines of tests cost nothing, and pass only when nothing else can happen."""
    loop = jumping_loop()
    try:
        assert loop.run_until_complete(Aside[str]("list").call(at_once, 0.001)) == "done"
        assert loop.time() == 0
    finally:
        loop.close()
