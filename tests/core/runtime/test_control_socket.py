"""The control socket: what is asked is answered, what is garbage changes nothing but a counter."""

import asyncio
import json
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PreflightError
from core.runtime import control_socket as module
from core.runtime.control_socket import (
    LONGEST_REQUEST,
    MOST_CONNECTIONS,
    MOST_REASON,
    PROTOCOL,
    Act,
    ControlSocket,
    Done,
    Explain,
    NoAnswer,
    NoSession,
    Refused,
    Upgrade,
    ask,
    is_there,
)
from tests.builders import laws
from tests.core.runtime.fakes import until


class Told(msgspec.Struct):
    """An answer of the tests."""

    text: str


def echo(request: Explain) -> Told:
    return Told(request.market)


def plain(text: str) -> str:
    return text


@asynccontextmanager
async def serving(
    path: Path, answer: Callable[[Any], Any] = echo, clean: Callable[[str], str] = plain
) -> AsyncIterator[ControlSocket]:
    control = ControlSocket(path, {Explain: answer}, clean)
    await control.open()
    try:
        yield control
    finally:
        await control.close()


async def asked(path: Path, market: str = "rain", timeout_s: float = 5.0) -> Told:
    """Ask from another thread, as another program would."""
    return await asyncio.to_thread(ask, path, Explain(market), Told, timeout_s)


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield reader, writer
    finally:
        writer.close()


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ask", "market", "x"]), inner, max_size=3)


def look(path: Path) -> int | None:
    """Mode and kind of a file; None without one."""
    return path.stat().st_mode if path.exists() else None


def kill_one(path: Path) -> None:
    """Leave the socket of a process that was killed."""
    code = (
        f"import os, socket as k\ns = k.socket(k.AF_UNIX)\ns.bind({str(path)!r})\ns.listen()\nos.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


async def test_a_question_is_answered(path: Path) -> None:
    """The plain case; and the answer is what the function gave."""
    async with serving(path) as control:
        assert await asked(path, "ra\nin\u202e") == Told("ra\nin\u202e")
        assert (control.counts.answered, control.counts.garbled) == (1, 0)


async def test_many_questions_over_one_connection(path: Path) -> None:
    """A line each, in order."""
    async with serving(path), connected(path) as (reader, writer):
        writer.write(b"".join(msgspec.json.encode(Explain(str(n))) + b"\n" for n in range(5)))
        texts = [json.loads(await reader.readline())["answer"]["text"] for _ in range(5)]
        assert texts == ["0", "1", "2", "3", "4"]


async def test_only_the_owner_may_connect_and_nothing_is_left_behind(path: Path) -> None:
    """The file's mode is the door; the end of a session takes it away."""
    async with serving(path):
        assert look(path) == 0o600 | stat.S_IFSOCK
    assert look(path) is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'"explain"',
        b"1" * 300,
        b"[" * 3_000,
        b'{"market": "rain"}',
        b'{"ask": "kill", "market": "rain"}',
        b'{"ask": ["explain"], "market": "rain"}',
        b'{"ask": "explain"}',
        b'{"ask": "explain", "market": 7}',
        b'{"ask": "__init__", "market": ""}',
    ],
    ids=range(14),
)
async def test_garbage_is_refused_and_the_connection_ends(path: Path, line: bytes) -> None:
    """Nothing but a counter changes, and the next one is served."""
    async with serving(path) as control:
        async with connected(path) as (reader, writer):
            writer.write(line + b"\n")
            assert b"refused" in await reader.readline()
            assert await reader.read() == b""
        assert (control.counts.garbled, control.counts.answered) == (1, 0)
        assert await asked(path) == Told("rain")


@laws(400)
@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), _nested).map(msgspec.json.encode))
def test_any_line_is_answered_or_refused_and_counted(line: bytes) -> None:
    """Whatever comes, exactly one counter moves, and nothing is raised."""
    control = ControlSocket(Path("unused"), {Explain: echo}, plain)
    reply = control._reply(line + b"\n")
    assert bool(reply.refused) == (reply.answer is None)
    counts = control.counts
    assert (counts.answered, counts.garbled, counts.failed) == ((0, 1, 0) if reply.refused else (1, 0, 0))


AN_ACT = {"ask": "act", "act": "pause", "asked_s": 5.0, "market": "rain"}


@pytest.mark.parametrize(
    "changes",
    [
        {"act": "kill"},
        {"act": "__init__"},
        {"act": None},
        {"asked_s": None},
        {"asked_s": "5"},
        {"market": 7},
        {"market": "x" * 501},
        {"every": 1},
        {"side": "yes"},
        {"for_s": 0},
        {"for_s": -5.0},
        {"for_s": 30 * 86_400 + 1},
        {"reason": "x" * (MOST_REASON + 1)},
        {"ticks": 1_001},
        {"most_cost": -1},
        {"most_cost": 1.5},
        {"passive_s": -1},
        {"confirm": "x" * 201},
        {"forever": True},
        {"markett": "rain"},
        {"protocol": PROTOCOL + 1},
        {"protocol": 0},
        {"protocol": "1"},
    ],
    ids=str,
)
def test_an_act_that_is_not_quite_right_is_refused(changes: dict[str, Any]) -> None:
    """A member out of bounds, misspelled or of another version does nothing, instead of something else."""
    acts: list[Act] = []
    control = ControlSocket(Path("unused"), {Act: acts.append}, plain)
    line = json.dumps({**AN_ACT, **changes}).encode() + b"\n"
    reply = control._reply(line)
    assert reply.refused.startswith("no request: ") and acts == [] and control.counts.garbled == 1
    assert not control._reply(json.dumps(AN_ACT).encode() + b"\n").refused and len(acts) == 1


def test_another_version_is_told_so() -> None:
    """The one who updated only half of it knows what to do."""
    control = ControlSocket(Path("unused"), {Explain: echo}, plain)
    reply = control._reply(json.dumps({"ask": "explain", "market": "x", "protocol": 2}).encode() + b"\n")
    assert "version 2" in reply.refused and "use one for both" in reply.refused


_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)


@laws(400)
@given(
    st.dictionaries(st.sampled_from([*Act.__struct_fields__, "x"]), _VALUES, max_size=6),
    st.sampled_from(["pause", "flatten", "rearm", "kill"]),
)
def test_any_act_is_within_its_bounds_or_refused(members: dict[str, Any], act: str) -> None:
    """What reaches the session needs no second look at its numbers."""
    acts: list[Act] = []

    def take(request: Act) -> Done:
        acts.append(request)
        return Done(True, "")

    control = ControlSocket(Path("unused"), {Act: take}, plain)
    reply = control._reply(msgspec.json.encode({"asked_s": 1.0, **members, "ask": "act", "act": act}) + b"\n")
    assert bool(reply.refused) == (not acts)
    for one in acts:
        assert one.protocol == PROTOCOL and len(one.reason) <= MOST_REASON and abs(one.ticks) <= 1_000
        assert one.for_s is None or 0 < one.for_s <= module.LONGEST_SEC
        assert one.most_cost is None or one.most_cost >= 0
        assert one.side in ("", "bid", "ask")


async def test_a_process_of_another_user_is_turned_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the file's mode ever be wrong, the other end's user is looked at too."""
    async with serving(path) as control:
        monkeypatch.setattr(module.os, "getuid", lambda: 65_534)
        with pytest.raises(NoAnswer):
            await asked(path)
        assert (control.counts.turned_away, control.counts.answered) == (1, 0)


async def test_who_is_there(path: Path) -> None:
    """A session that listens; nobody where there is nothing, and not what a killed one left."""
    assert not is_there(path)
    async with serving(path) as control:
        assert await asyncio.to_thread(is_there, path)
        assert await asked(path) == Told("rain")
        await until(lambda: not control._connections)
    kill_one(path)
    assert not is_there(path)


def test_one_that_hangs_is_there(path: Path) -> None:
    """The system takes the connection for it, and at last none any more."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(0)
        assert all(is_there(path) for _ in range(3)), "also when nobody else may wait for it"
        with pytest.raises(NoAnswer):
            ask(path, Explain("rain"), Told, 0.05)
    path.unlink()
    with pytest.raises(NoSession):
        ask(path, Explain("rain"), Told)


async def test_a_huge_line_is_not_kept(path: Path) -> None:
    """Memory is not for whoever sends most."""
    async with serving(path) as control:
        async with connected(path) as (reader, writer):
            writer.write(b"x" * (16 * LONGEST_REQUEST))
            with suppress(ConnectionResetError):
                await reader.read()
        await until(lambda: control.counts.garbled == 1)
        assert await asked(path) == Told("rain")


@pytest.mark.parametrize("half", [b"", b'{"ask": "expl'])
async def test_half_a_line_is_waited_for_no_longer_than_a_while(
    path: Path, half: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that says nothing more is ended."""
    monkeypatch.setattr(module, "LINE_SEC", 0.05)
    async with serving(path) as control, connected(path) as (reader, writer):
        writer.write(half)
        assert b"in time" in await reader.read()
        assert control.counts.garbled == 1


async def test_half_a_line_and_goodbye(path: Path) -> None:
    """A program that died while asking."""
    async with serving(path) as control:
        async with connected(path) as (_, writer):
            writer.write(b'{"ask"')
        await until(lambda: control.counts.garbled == 1)
        assert await asked(path) == Told("rain")


async def test_too_many_connections_are_turned_away(path: Path) -> None:
    """Those that are there keep their place, and when one goes there is room again."""
    async with serving(path) as control:
        held = [await asyncio.open_unix_connection(path) for _ in range(MOST_CONNECTIONS)]
        for n, (reader, writer) in enumerate(held):
            writer.write(msgspec.json.encode(Explain(str(n))) + b"\n")
            assert b"answer" in await reader.readline()
        with pytest.raises(PreflightError, match="does not answer"):
            await asked(path)
        assert control.counts.turned_away >= 1
        for _, writer in held:
            writer.close()
        await until(lambda: not control._connections)
        assert await asked(path) == Told("rain")


async def test_an_answer_that_nobody_takes_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stalled reader holds neither the session nor memory."""
    monkeypatch.setattr(module, "LINE_SEC", 0.1)
    async with serving(path, lambda request: Told("x" * 2**22)) as control, connected(path) as (_, writer):
        writer.write(msgspec.json.encode(Explain("rain")) + b"\n")
        await until(lambda: control.counts.failed == 1)
        assert not control._connections


async def test_a_question_that_cannot_be_answered_ends_no_session(path: Path) -> None:
    """The fault is in the log; who asked is told so, and no word of its text."""

    def fails(request: Explain) -> Told:
        raise RuntimeError("secret detail")

    async with serving(path, fails) as control:
        with pytest.raises(PreflightError, match="its log says why") as caught:
            await asked(path)
        assert "secret detail" not in str(caught.value)
        assert control.counts.failed == 1


async def test_no_secret_leaves(path: Path) -> None:
    """Whatever an answer holds goes through the redactor."""
    async with serving(path, clean=lambda text: text.replace("hunter2", "***")):
        assert await asked(path, "hunter2") == Told("***")


async def test_the_socket_of_a_killed_session_is_replaced(path: Path) -> None:
    """Nothing of a kill -9 has to be cleaned up by hand."""
    kill_one(path)
    assert look(path) is not None
    with pytest.raises(PreflightError, match="no session runs"):
        await asked(path)
    async with serving(path):
        assert await asked(path) == Told("rain")


async def test_a_path_too_long_for_an_address_works(tmp_path: Path) -> None:
    """State directories may be anywhere."""
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    async with serving(folder / "control.sock"):
        assert await asked(folder / "control.sock") == Told("rain")
        assert sorted(one.name for one in folder.iterdir()) == ["control.sock"]
    assert list(folder.iterdir()) == []


async def test_where_no_session_can_be(tmp_path: Path) -> None:
    """The message says what to do."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "control.sock", tmp_path / "none" / "control.sock", tmp_path / "file" / "control.sock"):
        with pytest.raises(PreflightError, match="no session runs in"):
            await asked(path)


@pytest.mark.parametrize("answer", [b"", b"no json\n", b'{"protocol": 1, "answer": {"text": 7}}\n', b"{}\n", b"\xff\n"])
def test_an_answer_that_makes_no_sense_is_told(path: Path, answer: bytes) -> None:
    """Another version of the program, or another program."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        accepted: list[socket.socket] = []

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(1_000)
            connection.sendall(answer)
            connection.close()
            accepted.append(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(PreflightError, match=r"does not answer|another version"):
            ask(path, Explain("rain"), Told)
        thread.join()


async def test_what_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    """A directory in its place is somebody's."""
    (tmp_path / "control.sock").mkdir()
    with pytest.raises(OSError):
        async with serving(tmp_path / "control.sock"):
            pass
    assert (tmp_path / "control.sock").is_dir()


async def test_a_function_may_refuse_in_words(path: Path) -> None:
    """Its own words reach whoever asked; it is neither garbage nor a failure."""

    def refuse(request: Explain) -> Told:
        raise Refused("not today")

    async with serving(path, refuse) as control:
        with pytest.raises(PreflightError, match="the session refuses: not today"):
            await asked(path)
        assert (control.counts.turned_away, control.counts.garbled, control.counts.failed) == (1, 0, 0)


async def test_an_upgrade_has_the_connection_to_itself(path: Path) -> None:
    """What comes after the answer is no line any more, and the end of the socket ends it."""
    taken: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readexactly(2 * LONGEST_REQUEST))
        writer.write(b"thanks")

    async with serving(path, lambda request: Upgrade(Told("go on"), serve)) as control, connected(path) as (r, w):
        w.write(msgspec.json.encode(Explain("x")) + b"\n")
        assert json.loads(await r.readline()) == {"protocol": PROTOCOL, "answer": {"text": "go on"}}
        w.write(b"\n" * 2 * LONGEST_REQUEST)
        assert await r.read() == b"thanks"
        assert taken == [b"\n" * 2 * LONGEST_REQUEST] and control.counts.garbled == 0
