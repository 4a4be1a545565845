"""Attached consoles, the session's side: what they cost, what they may do, and what no console can do to a session."""

import asyncio
import contextlib
import math
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import PREVIEWABLE, STOPPING_ACTS, Act, OperatorCommand
from core.runtime import consoles as module
from core.runtime.console_wire import (
    LONGEST_TO_SESSION,
    MOST_LADDERS,
    Answered,
    Do,
    Gaze,
    Over,
    Ready,
    Shown,
    decode_to_console,
    decode_to_session,
    framed,
)
from core.runtime.consoles import MOST_CONSOLES, TAKES_SEC
from core.runtime.control_socket import Explain, ask
from core.runtime.logs import Redactor
from core.views import ConsoleView
from tests.core.runtime.consoles import ByHand, Notes, by_hand, noting
from tests.core.runtime.fakes import until
from tests.widgets.view_builders import a_view

SECRET = "0x" + "c0ffee11" * 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


async def ready(console: ByHand, notes: Notes) -> None:
    """Ask for a view, and wait until the session has heard it."""
    console.say(Ready())
    await until(lambda: notes.consoles._consoles[console.name].ready)


async def done(console: ByHand, notes: Notes, command: OperatorCommand, asked_s: float | None = None) -> Answered:
    console.say(Do(7, notes.clock.monotonic() if asked_s is None else asked_s, command))
    answered = await console.hear()
    assert isinstance(answered, Answered) and answered.number == 7
    return answered


async def shown(console: ByHand) -> ConsoleView:
    told = await console.hear()
    assert isinstance(told, Shown)
    return told.view


async def test_a_view_comes_whole_and_once_for_each_asking(path: Path) -> None:
    """What the session made is what the console draws, and nothing is on its way that was not asked for."""
    async with noting(path) as notes, by_hand(notes) as console:
        await ready(console, notes)
        view = notes.publish()
        notes.publish()
        assert await shown(console) == view
        await ready(console, notes)
        newest = notes.publish()
        assert await shown(console) == newest and newest.seq == 3


async def test_nothing_is_encoded_for_nobody(path: Path) -> None:
    """Without a console, and while none has asked, a view costs nothing."""
    async with noting(path) as notes:
        notes.publish()
        async with by_hand(notes):
            for _ in range(50):
                notes.publish()
            assert notes.encoded == 0


async def test_a_view_is_encoded_once_for_all(path: Path) -> None:
    """Two consoles see the same view, of the same number, and the session pays for one."""
    async with noting(path) as notes, by_hand(notes) as one, by_hand(notes, read_only=True) as other:
        await ready(one, notes)
        await ready(other, notes)
        view = notes.publish()
        assert (await shown(one)).seq == (await shown(other)).seq == view.seq
        assert notes.encoded == 1


async def test_at_most_ten_views_a_second(path: Path) -> None:
    """However often the session makes one, a console is not sent them faster."""
    async with noting(path) as notes, by_hand(notes) as console:
        await ready(console, notes)
        notes.publish()
        await shown(console)
        await ready(console, notes)
        notes.consoles.show(a_view(seq=2))
        assert notes.encoded == 1
        newest = notes.publish()
        assert (await shown(console)).seq == newest.seq


async def test_who_takes_nothing_is_dropped_and_nobody_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process keeps no place and costs no more than one view; it is counted, and may come again."""
    monkeypatch.setattr(module, "TAKES_SEC", 1.0)
    async with noting(path) as notes, by_hand(notes) as stalled, by_hand(notes) as other:
        await ready(stalled, notes)
        for _ in range(12):
            await ready(other, notes)
            notes.publish()
            await shown(other)
        assert (notes.consoles.dropped, notes.consoles.count) == (1, 1)
        assert await shown(stalled) and await stalled.hear() is None
        async with by_hand(notes):
            assert notes.consoles.count == 2


async def test_a_command_is_done_and_its_author_is_the_console(path: Path) -> None:
    """Who did it is told by the session, not by who says so."""
    async with noting(path) as notes, by_hand(notes) as console:
        command = OperatorCommand(act="pause", market="0xab", view_seq=4, who="the queen")
        answered = await done(console, notes, command)
        assert answered.result.done and answered.result.text == "did pause"
        assert notes.commands == [msgspec.structs.replace(command, who=console.name)]


@pytest.mark.parametrize("act", get_args(Act))
async def test_a_console_that_only_watches_can_do_nothing(path: Path, act: Act) -> None:
    """The session refuses it, whatever the client thinks it is."""
    async with noting(path) as notes, by_hand(notes, read_only=True) as console:
        answered = await done(console, notes, OperatorCommand(act=act))
        assert not answered.result.done and "only watches" in answered.result.text
        assert not notes.commands


@pytest.mark.parametrize("act", get_args(Act))
async def test_what_opens_something_is_not_done_late(path: Path, act: Act) -> None:
    """A session that hung does not resume what was asked for a minute ago; what only stops it does."""
    async with noting(path) as notes, by_hand(notes) as console:
        answered = await done(console, notes, OperatorCommand(act=act), notes.clock.monotonic() - 60)
        assert answered.result.done == (act in STOPPING_ACTS) == bool(notes.commands)
        assert act in STOPPING_ACTS or "60 s ago" in answered.result.text


@pytest.mark.parametrize("act", get_args(Act))
async def test_only_what_has_a_preview_is_let_in_late_by_asking_for_one(path: Path, act: Act) -> None:
    """``preview`` on any other act is no way around the rule."""
    async with noting(path) as notes, by_hand(notes) as console:
        answered = await done(console, notes, OperatorCommand(act=act, preview=True), notes.clock.monotonic() - 60)
        assert answered.result.done == (act in STOPPING_ACTS | PREVIEWABLE)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": math.nan},
        {"amount": math.inf},
        {"for_s": math.nan},
        {"for_s": -1.0},
        {"half_life_s": math.inf},
        {"passive_s": 1e12},
        {"most_cost": -1},
        {"reason": "x" * 501},
        {"market": "x" * 501},
        {"changes": (("K_VOL", "9" * 501),)},
        {"changes": (("K_VOL", "1"),) * 101},
    ],
)
async def test_what_no_form_would_send_reaches_no_engine(path: Path, changes: dict[str, Any]) -> None:
    """MessagePack can say NaN and endless texts: an engine that fails by one would end the session."""
    async with noting(path) as notes, by_hand(notes) as console:
        answered = await done(console, notes, OperatorCommand(act="pause", **changes))
        assert not answered.result.done and not notes.commands


async def test_what_is_looked_at_is_each_consoles_own_and_goes_with_it(path: Path) -> None:
    """Two look at two markets; when one has gone nobody pays for its details any more."""
    async with noting(path) as notes, by_hand(notes) as one:
        async with by_hand(notes) as other:
            one.say(Gaze("a", ("b",)))
            other.say(Gaze("c"))
            await until(lambda: len(notes.gazes) == 2)
            assert notes.gazes == {one.name: ("a", ("b",)), other.name: ("c", ())}
        await until(lambda: len(notes.gazes) == 1)
        assert notes.gazes == {one.name: ("a", ("b",))} and notes.consoles.count == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x00\x00\x03abc",
        (LONGEST_TO_SESSION + 1).to_bytes(4, "big"),
        b"\xff" * 8,
        b"GET / HTTP/1.1\r\n\r\n",
        framed(Over("I am the session")),
        framed(Gaze("a", ("b",) * (MOST_LADDERS + 1))),
        framed(Gaze("x" * 501)),
        len(b"\x91" * 5_000).to_bytes(4, "big") + b"\x91" * 5_000,
    ],
)
async def test_garbage_costs_the_connection_and_a_counter(path: Path, garbage: bytes) -> None:
    """Of the one that says it; the other does not notice."""
    async with noting(path) as notes, by_hand(notes) as good, by_hand(notes) as bad:
        bad.writer.write(garbage)
        assert await bad.hear() is None
        await until(lambda: notes.consoles.count == 1)
        assert notes.consoles.garbled == 1
        await ready(good, notes)
        view = notes.publish()
        assert (await shown(good)).seq == view.seq


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_garbage(payload: bytes) -> None:
    """A frame decodes to one of three things, or is refused as what a console is dropped for."""
    with contextlib.suppress(msgspec.DecodeError, ValueError, RecursionError):
        assert isinstance(decode_to_session(payload), Ready | Gaze | Do)


async def test_half_a_frame_keeps_nothing_waiting(path: Path) -> None:
    """It is waited for without a loop that stands still, and its console is dropped in the end."""
    async with noting(path) as notes, by_hand(notes) as slow:
        slow.writer.write(b"\x00\x00")
        await slow.writer.drain()
        notes.clock.advance_to(notes.clock.monotonic() + TAKES_SEC)
        notes.publish()
        assert await slow.hear() is None
        assert notes.consoles.dropped == 1


async def test_another_version_is_refused_in_words(path: Path) -> None:
    """Views of another version may mean something else: neither is guessed."""
    async with noting(path) as notes, by_hand(notes, version="2") as console:
        assert console.answer["refused"] == "it runs version 1 of this program, and you 2; use one for both"
        assert await console.hear() is None
        assert (notes.consoles.count, notes.control.counts.turned_away) == (0, 1)


async def test_consoles_keep_no_shell_from_asking(path: Path) -> None:
    """As many as may attach do, one more is told so, and a question is answered all the while."""
    async with noting(path) as notes:
        attached = [by_hand(notes) for _ in range(MOST_CONSOLES)]
        for console in attached:
            await console.__aenter__()
        async with by_hand(notes) as one_more:
            assert "8 consoles are attached to it already" in one_more.answer["refused"]
        told = await asyncio.to_thread(ask, path, Explain("rain"), dict[str, str])
        assert told == {"text": "rain"}
        for console in attached:
            await console.__aexit__(None, None, None)
        await until(lambda: notes.consoles.count == 0)


async def test_the_end_is_told_to_all(path: Path) -> None:
    """In the session's own words, also to who has not asked for a view."""
    async with noting(path) as notes, by_hand(notes) as one, by_hand(notes) as other:
        notes.consoles.end("stopped (quit): zero open orders verified")
        await notes.control.close()
        for console in (one, other):
            assert await console.hear() == Over("stopped (quit): zero open orders verified")
            assert await console.hear() is None


async def test_secrets_are_blotted_out_of_what_is_sent(path: Path) -> None:
    """Whatever text of a view holds one; lengths stay true, so that the rest of the view arrives as it was."""
    redactor = Redactor()
    redactor.add(SECRET)
    async with noting(path, mask=redactor.mask) as notes, by_hand(notes) as console:
        await ready(console, notes)
        view = notes.publish(recovering=f"the venue says: bad key {SECRET}!")
        seen = await shown(console)
        assert SECRET[2:] not in seen.recovering and seen.recovering.endswith("*!")
        assert msgspec.structs.replace(seen, recovering=view.recovering) == view


async def test_who_sends_and_never_reads_is_dropped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are bounded too: a console is not read from while what it was told is not taken."""
    monkeypatch.setattr(module, "TAKES_SEC", 0.2)
    monkeypatch.setattr(module, "PAUSE_SEC", 0.0)
    async with noting(path) as notes, by_hand(notes) as console:
        notes.command = lambda command: module.CommandResult(True, "x" * 100_000)  # type: ignore[method-assign]
        notes.consoles._command = notes.command
        writer = notes.consoles._consoles[console.name].writer
        for _ in range(40):
            console.say(Do(1, notes.clock.monotonic(), OperatorCommand(act="pause")))
        most = 0
        while notes.consoles.count:
            most = max(most, writer.transport.get_write_buffer_size())
            await asyncio.sleep(0.005)
        assert most < 1_000_000 and notes.control.counts.failed == 1


async def test_who_says_ready_and_never_reads_is_sent_little_and_dropped(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its word is not believed while the socket still holds a view: nothing piles up, and its time runs."""
    monkeypatch.setattr(module, "TAKES_SEC", 3.0)
    monkeypatch.setattr(module, "PAUSE_SEC", 0.001)
    async with noting(path) as notes, by_hand(notes) as console, by_hand(notes) as other:
        writer = notes.consoles._consoles[console.name].writer
        wide = "x" * 200_000
        most = 0
        for _ in range(100):
            if console.name not in notes.consoles._consoles:
                break
            await ready(console, notes)
            await ready(other, notes)
            notes.publish(recovering=wide)
            most = max(most, writer.transport.get_write_buffer_size())
            await shown(other)
        assert 0 < most < 2 * len(wide)
        assert notes.consoles.dropped == 1 and notes.consoles.count == 1


async def test_whoever_says_ready_all_the_time_is_heard_at_a_pace(path: Path) -> None:
    """A flood of them is left in the socket, as one of commands is."""
    async with noting(path) as notes, by_hand(notes) as console:
        heard = []
        take = notes.consoles._take

        async def counted(one: module._Console, told: module.ToSession) -> None:
            heard.append(told)
            await take(one, told)

        notes.consoles._take = counted  # type: ignore[method-assign]
        began_s = asyncio.get_running_loop().time()
        for _ in range(500):
            console.say(Ready())
        await until(lambda: len(heard) >= 5)
        assert len(heard) <= 1 + (asyncio.get_running_loop().time() - began_s) / module.PAUSE_SEC


def test_a_frame_is_what_it_was() -> None:
    """Of everything a view can hold: the two ends agree on every type in it."""
    view = a_view()
    assert decode_to_console(framed(Shown(view))[4:]) == Shown(view)
    command = OperatorCommand(act="set", changes=(("K_VOL", "2"),), passive_s=3.0, preview=True)
    assert decode_to_session(framed(Do(1, 2.5, command))[4:]) == Do(1, 2.5, command)
