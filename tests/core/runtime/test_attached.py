"""The client's link to a session: what it shows, what it says when nobody answers, and a kill that needs nobody."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.errors import PreflightError
from core.events import OperatorCommand
from core.kill.report import KillReport
from core.kill.switch import KillSwitch
from core.runtime import attached as module
from core.runtime.attached import LATE, LOST, NOT_SENT, WATCHING, AttachedLink
from core.runtime.control_socket import NoSession
from core.runtime.link import ConsoleLink
from core.runtime.places import Places
from tests.core.runtime.consoles import VERSION, noting
from tests.core.runtime.fakes import until

CLOCK = SystemClock()
PAUSE = OperatorCommand(act="pause", market="0xab")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which words follow which event matters here, not how long anybody waits."""
    monkeypatch.setattr(module, "RETRY_SEC", 0.02)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(tmp_path, "demo")
    found.directory.mkdir(mode=0o700)
    return found


class Client:
    """A link, and all it has said and done."""

    def __init__(self, places: Places, *, read_only: bool = False, version: str = VERSION, verified: bool = True):
        self.said: list[tuple[str, bool]] = []
        self.killed_alone: list[str] = []
        self.verified = verified
        self.link = AttachedLink(places, version, CLOCK, self._kill_alone, read_only=read_only)
        self.link.listen(lambda text, is_good: self.said.append((text, is_good)))

    def _kill_alone(self, reason: str) -> bool:
        self.killed_alone.append(reason)
        return self.verified


@asynccontextmanager
async def following(places: Places, **options: Any) -> AsyncIterator[Client]:
    """A link that follows the session of these places."""
    client = Client(places, **options)
    await asyncio.to_thread(client.link.connect)
    client.link.start()
    try:
        yield client
    finally:
        client.link.stop("the test is over")
        assert await asyncio.to_thread(client.link.wait, 5)
        if client.link._switch is not None:
            client.link._switch.close()


def session(places: Places, **options: Any) -> Any:
    """A session of these places, of now."""
    return noting(places.control, clock=CLOCK, **options)


@contextmanager
def hanging(places: Places) -> Iterator[None]:
    """A session that takes a console in and then never comes to its loop again."""
    let_go, is_up = threading.Event(), threading.Event()

    async def serve() -> None:
        async with noting(places.control, clock=CLOCK) as notes:
            is_up.set()
            await until(lambda: notes.consoles.count)
            let_go.wait()  # blocks the loop

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert is_up.wait(10)
    try:
        yield
    finally:
        let_go.set()
        thread.join(10)
        assert not thread.is_alive()


async def answer(client: Client, command: OperatorCommand = PAUSE) -> tuple[bool, str]:
    result = await asyncio.wrap_future(client.link.send(command))
    return result.done, result.text


async def test_it_is_a_console_link(places: Places) -> None:
    """Views come, commands go, and what is looked at is told to the session."""
    async with session(places) as notes, following(places) as client:
        link: ConsoleLink = client.link
        assert link.access == "attached" and not link.ended
        await until(lambda: link.view is not None and link.view.seq > 3)
        assert await answer(client) == (True, "did pause")
        link.watch("0xab", ("0xcd",))
        await until(lambda: list(notes.gazes.values()) == [("0xab", ("0xcd",))])
        assert notes.commands[0].who == "console 1"
    assert client.said == [] and client.link.over == ""


async def test_two_at_once_one_of_which_only_watches(places: Places) -> None:
    """Both see the same views; what one does the session does, the other is refused by the session."""
    async with session(places) as notes, following(places) as one, following(places, read_only=True) as other:
        assert other.link.access == "watching"
        seen: list[set[int]] = [set(), set()]

        def same() -> bool:
            for client, numbers in zip((one, other), seen, strict=True):
                if client.link.view is not None:
                    numbers.add(client.link.view.seq)
            return bool(seen[0] & seen[1])

        await until(same)
        assert await answer(one) == (True, "did pause")
        assert await answer(other) == (False, "pause: this console only watches; nothing was done")
        assert len(notes.commands) == 1


async def test_detaching_changes_nothing(places: Places) -> None:
    """The session does not even end what the console looked at twice."""
    async with session(places) as notes:
        async with following(places) as client:
            await until(lambda: client.link.view)
        await until(lambda: not notes.consoles.count)
        assert client.link.ended and client.link.over == "" and not notes.commands and notes.consoles.dropped == 0


async def test_the_end_of_the_session_is_told(places: Places) -> None:
    """In the session's words, and nothing is tried again."""
    async with session(places) as notes, following(places) as client:
        await until(lambda: client.link.view)
        notes.consoles.end("stopped (quit): zero open orders verified")
        await until(lambda: client.link.ended)
        assert client.link.over == "stopped (quit): zero open orders verified"
        assert not client.link.is_lost and client.said == []
        assert await answer(client) == (False, NOT_SENT)


async def test_a_lost_connection_is_found_again(places: Places) -> None:
    """The same session: what the operator looks at is told it again; what was not answered is unknown, not refused."""
    async with session(places) as notes, following(places) as client:
        await until(lambda: client.link.view)
        client.link.watch("0xab")
        await until(lambda: notes.gazes)
        [console] = notes.consoles._consoles.values()
        notes.command = _drop_instead(console.writer)  # type: ignore[method-assign]
        notes.consoles._command = notes.command
        assert await answer(client) == (False, LOST)
        await until(lambda: notes.gazes.get("console 2") == ("0xab", ()))
        assert [is_good for _, is_good in client.said] == [False, True]
        assert client.said[0][0].startswith("lost; trying again") and "the session goes on" in client.said[1][0]


def _drop_instead(writer: asyncio.StreamWriter) -> Callable[[OperatorCommand], Any]:
    """Do it, and lose the connection before the answer."""

    def command(command: OperatorCommand) -> Any:
        writer.transport.abort()
        raise ConnectionError("lost")

    return command


async def test_a_session_that_was_started_anew_is_followed(places: Places) -> None:
    """The same console goes on, and says that it is another session."""
    async with session(places):
        follow = following(places)
        client = await follow.__aenter__()
        await until(lambda: client.link.view)
    await until(lambda: client.said)
    assert await answer(client) == (False, NOT_SENT) and not client.link.ended
    old = client.link.view
    async with session(places):
        await until(lambda: client.link.view is not old)
        assert "started anew" in client.said[-1][0]
        assert (await answer(client))[0]
        await follow.__aexit__(None, None, None)


async def test_a_session_that_does_not_come_back_is_lost_for_good(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before the time is up, and in words that claim nothing of its orders."""
    monkeypatch.setattr(module, "GIVE_UP_SEC", 0.3)
    async with session(places):
        follow = following(places)
        client = await follow.__aenter__()
        await until(lambda: client.link.view)
    assert not client.link.ended
    begun = time.monotonic()
    await until(lambda: client.link.ended)
    assert time.monotonic() - begun > 0.2
    assert client.link.is_lost and "no session runs" in client.link.over
    await follow.__aexit__(None, None, None)


async def test_another_version_in_its_place_is_not_followed(places: Places) -> None:
    """A restart with a new program: the old console closes and says why."""
    async with session(places):
        follow = following(places)
        client = await follow.__aenter__()
        await until(lambda: client.link.view)
    async with session(places, version="2"):
        await until(lambda: client.link.ended)
        assert client.link.is_lost and client.link.over.endswith("use one for both")
    await follow.__aexit__(None, None, None)


async def test_a_session_that_speaks_nonsense_is_left(places: Places) -> None:
    """Nothing of it is shown, and it is said."""
    async with session(places) as notes, following(places) as client:
        await until(lambda: notes.consoles.count)
        [console] = notes.consoles._consoles.values()
        console.writer.write(b"\x00\x00\x00\x01\xc1")
        await until(lambda: client.link.ended)
        assert "cannot be read" in client.link.over


def test_no_session_and_another_version_are_told_before_anything_is_drawn(places: Places) -> None:
    """The shell hears why there is no console."""
    with pytest.raises(NoSession):
        Client(places).link.connect()


async def test_a_session_that_refuses_is_told_before_anything_is_drawn(places: Places) -> None:
    """In its words."""
    async with session(places):
        with pytest.raises(PreflightError, match="use one for both"):
            await asyncio.to_thread(Client(places, version="7").link.connect)


async def test_no_answer_is_unknown(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that hangs may do it yet: nobody claims that it was refused; the console itself never waits."""
    monkeypatch.setattr(module, "ANSWER_SEC", 0.1)
    with hanging(places):
        async with following(places) as client:
            await until(lambda: client.link._line)
            begun = time.monotonic()
            future = client.link.send(PAUSE)
            client.link.watch("0xab")
            assert time.monotonic() - begun < 0.05
            result = await asyncio.wrap_future(future)
            assert (result.done, result.text) == (False, LATE) and "unknown" in LATE
            assert not client.link.ended and client.said == []


async def test_a_session_that_takes_nothing_is_not_filled_up(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many keys are pressed while it hangs, what waits for it is bounded, and the operator is told."""
    monkeypatch.setattr(module, "MOST_UNSENT", 1_000)
    with hanging(places):
        async with following(places) as client:
            await until(lambda: client.link._line)
            long = OperatorCommand(act="pause", reason="x" * 10_000)
            results = [client.link.send(long) for _ in range(100)]
            await until(lambda: any(future.done() for future in results))
            told = next(future.result() for future in results if future.done())
            assert not told.done and told.text == "nothing was done: the session takes nothing"


async def test_the_kill_works_while_the_session_hangs(places: Places) -> None:
    """The gate of the session's own switch is shut on the caller's thread; the view says so."""
    switch = KillSwitch.open(places.directory, CLOCK)
    with hanging(places):
        async with following(places) as client:
            client.link.kill("the operator's key")
            assert switch.is_closed
            assert switch.killed is not None and switch.killed.by == "console 1"
            view = client.link.kill_view
            assert view is not None and view.killed and view.reason == "the operator's key"
            await until(lambda: client.killed_alone == ["the operator's key"])
    switch.close()


async def test_what_is_found_while_connecting_is_told_to_whoever_listens_later(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A switch that cannot be opened is found before there is a console to say it on; the operator is told it all."""

    def broken(directory: Path, clock: object) -> KillSwitch:
        raise PreflightError(f"{directory}: Read-only file system")

    monkeypatch.setattr(module, "open_to_kill", broken)
    async with session(places):
        link = AttachedLink(places, VERSION, CLOCK, lambda reason: True)
        await asyncio.to_thread(link.connect)
        said: list[tuple[str, bool]] = []
        for _ in range(2):  # and not twice
            link.listen(lambda text, is_good: said.append((text, is_good)))
        assert said == [(f"the kill key cannot work here: {places.directory}: Read-only file system", False)]
        link.start()
        await until(lambda: link.view)
        link.stop("the test is over")
        assert await asyncio.to_thread(link.wait, 5)


async def test_the_kill_works_when_the_session_is_gone(places: Places) -> None:
    """Where nobody takes charge of it the console has it done, and says if zero was not verified."""
    async with session(places):
        follow = following(places, verified=False)
        client = await follow.__aenter__()
        await until(lambda: client.link.view)
    await until(lambda: client.said)
    client.link.kill("gone")
    await until(lambda: any("NOT verified" in text for text, _ in client.said))
    assert client.killed_alone == ["gone"]
    await follow.__aexit__(None, None, None)


async def test_a_kill_that_somebody_took_charge_of_is_left_to_him(places: Places) -> None:
    """The watchdog cancels; a second killer would only take from its rate budget."""
    switch = KillSwitch.open(places.directory, CLOCK)
    async with session(places), following(places) as client:
        client.link.kill("guarded")
        switch.page.answer(switch.page.pull, CLOCK.monotonic() + 5)
        report = KillReport(pull=switch.page.pull, by="x", reason="y", killer="watchdog", began_unix=1.0, verified=True)
        switch.page.write_report(report)
        await asyncio.to_thread(_join, "kill")
        assert client.killed_alone == []
        view = client.link.kill_view
        assert view is not None and view.report is not None and view.report.zero
    switch.close()


def _join(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(10)


async def test_a_console_that_only_watches_kills_nothing(places: Places) -> None:
    """It says what does."""
    switch = KillSwitch.open(places.directory, CLOCK)
    async with session(places), following(places, read_only=True) as client:
        client.link.kill("no")
        assert client.said == [(WATCHING, False)] and not switch.is_closed and client.killed_alone == []
    switch.close()


async def test_whether_there_is_a_watchdog_is_as_last_heard_and_its_age_of_now(places: Places) -> None:
    """One that has died since shows in the page, whatever the last view said."""
    async with session(places), following(places) as client:
        await until(lambda: client.link.view)
        heard, view = client.link.view, client.link.kill_view
        assert heard is not None and view is not None
        assert view.guarded == heard.kill.guarded and view.watchdog_age_s is None and not view.watchdog_up
        assert client.link._switch is not None
        client.link._switch.page.beat_watchdog(CLOCK.monotonic())
        view = client.link.kill_view
        assert view is not None and view.watchdog_up == heard.kill.watchdog_up
