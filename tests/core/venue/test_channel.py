"""One channel kept up, against a small server on loopback; pauses are shortened, and the test moves the clock."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus, WebSocketException
from websockets.frames import Close
from websockets.http11 import Response

from core.clock import ManualClock
from core.venue import channel as module
from core.venue.channel import (
    Channel,
    ChannelOwner,
    market_operation_frame,
    receive_limit,
    subscribe_market_frame,
    subscribe_user_frame,
    why_closed,
    why_not_open,
)

Script = Callable[[ServerConnection], Awaitable[None]]
FIRST: tuple[str, ...] = ('{"want":1}', '{"want":2}', '{"want":3}', '{"want":4}', '{"want":5}')


class Peer:
    """The venue's end: what every connection heard, and the channel with what it told its owner."""

    def __init__(self) -> None:
        self.heard: list[list[str]] = []
        self.frames: list[bytes] = []
        self.states: list[bool] = []
        self.details: list[str] = []
        self.alive = 0
        self.valid = True
        """What the owner says of every frame."""
        self.limit = receive_limit(2)
        self.clock = ManualClock()
        self.asked = 0
        self.script: Script = self.keep
        self.server: Server | None = None
        self.channel: Channel | None = None
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.server = await serve(self.accept, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        owner = ChannelOwner(self.on_frame, self.on_state, self.on_alive)
        url = f"ws://127.0.0.1:{port}"
        self.channel = Channel("market", url, self.first_frame, owner, self.clock, 1, limit=self.limit)
        self.task = asyncio.create_task(self.channel.run())

    def on_frame(self, frame: bytes) -> bool:
        self.frames.append(frame)
        return self.valid

    def on_state(self, up: bool, detail: str) -> None:
        assert self.channel is not None and self.channel.connected == up
        self.states.append(up)
        self.details.append(detail)

    def on_alive(self) -> None:
        self.alive += 1

    async def stop(self) -> None:
        assert self.task and self.server
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.server.close()
        await self.server.wait_closed()

    def first_frame(self) -> bytes:
        self.asked += 1
        return FIRST[self.asked - 1].encode()

    async def accept(self, socket: ServerConnection) -> None:
        self.heard.append([])
        await self.script(socket)

    async def keep(self, socket: ServerConnection) -> None:
        """Hear everything, answer PING, close nothing."""
        mine = self.heard[-1]
        async for text in socket:
            mine.append(str(text))
            if text == "PING":
                await socket.send("PONG")

    def pass_ping(self) -> None:
        """Let enough time pass for one PING."""
        self.clock.advance_to(self.clock.monotonic() + module.PING_SEC + 1)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - what is waited for lies on the other side of a socket
                await asyncio.sleep(0.002)


@pytest.fixture
async def peer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peer]:
    monkeypatch.setattr(module, "CHECK_SEC", 0.01)
    monkeypatch.setattr(module, "FIRST_BACKOFF_SEC", 0.004)
    monkeypatch.setattr(module, "LAST_BACKOFF_SEC", 0.05)
    made = Peer()
    yield made
    await made.stop()


async def test_first_frame_is_sent_once_and_before_any_ping(peer: Peer) -> None:
    await peer.start()
    for count in range(1, 5):
        await peer.until(lambda: peer.heard and len(peer.heard[0]) == count)  # noqa: B023
        peer.pass_ping()
    assert peer.heard[0] == [FIRST[0], "PING", "PING", "PING"]
    assert (peer.states, peer.asked) == ([True], 1)


async def test_frames_are_handed_on_as_they_come_and_other_text_only_counts_as_life(peer: Peer) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        for text in ('{"a":1}', "PONG", "INVALID OPERATION", "", "[1]", "\x00", b'{"b":2}'):
            await socket.send(text)
        await peer.keep(socket)

    peer.script = talk
    await peer.start()
    await peer.until(lambda: len(peer.frames) == 3)
    assert peer.frames == [b'{"a":1}', b"[1]", b'{"b":2}']
    assert peer.alive >= 4
    assert peer.states == [True]


async def test_lost_channel_comes_back_and_asks_what_is_wanted_now(peer: Peer) -> None:
    async def drop_twice(socket: ServerConnection) -> None:
        await socket.recv()
        if len(peer.heard) < 3:
            await socket.close(1011, "restart")
        else:
            await peer.keep(socket)

    peer.script = drop_twice
    await peer.start()
    await peer.until(lambda: len(peer.heard) == 3 and peer.states[-1])
    assert peer.states == [True, False, True, False, True]
    assert peer.asked == 3


async def test_silent_socket_is_given_up_although_it_is_open(peer: Peer) -> None:
    async def say_nothing(socket: ServerConnection) -> None:
        async for text in socket:
            peer.heard[-1].append(str(text))

    peer.script = say_nothing
    await peer.start()
    for count in range(1, 4):
        await peer.until(lambda: peer.heard and len(peer.heard[0]) == count)  # noqa: B023
        assert peer.states == [True], "two PINGs without an answer are no end yet"
        peer.pass_ping()
    await peer.until(lambda: len(peer.heard) >= 2)
    assert peer.states[:2] == [True, False]
    assert "nothing was heard" in peer.details[1]


async def test_pong_alone_keeps_a_socket(peer: Peer) -> None:
    await peer.start()
    await peer.until(lambda: peer.states)
    for count in range(1, 7):
        peer.pass_ping()
        await peer.until(lambda: peer.alive == count)  # noqa: B023
    assert (len(peer.heard), peer.states) == (1, [True])


@pytest.mark.parametrize(
    ("word", "valid", "grows"), [("PONG", True, True), ("{}", False, True), ('{"event_type":"book"}', True, False)]
)
async def test_pause_between_attempts_grows_until_something_valid_came(
    peer: Peer, word: str, valid: bool, grows: bool
) -> None:
    """A venue that accepts and drops, or speaks only to say no, must not be hammered."""

    async def speak_and_drop(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(word)
        if len(peer.heard) == 4:
            await socket.wait_closed()

    peer.script, peer.valid = speak_and_drop, valid
    await peer.start()
    await peer.until(lambda: peer.alive + len(peer.frames) >= 4)
    assert peer.channel is not None
    assert peer.channel._backoff_s == pytest.approx(module.FIRST_BACKOFF_SEC * (8 if grows else 1))


async def test_a_frame_over_the_limit_ends_the_socket_and_is_never_handed_on(peer: Peer) -> None:
    """64 MiB are refused by their announced length; the next socket is as good as ever."""

    async def flood(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("[" + "1" * (64 * 2**20 if len(peer.heard) == 1 else 8) + "]")
        await peer.keep(socket)

    peer.script = flood
    await peer.start()
    await peer.until(lambda: peer.frames)
    assert peer.frames == [b"[11111111]"] and peer.states == [True, False, True]
    assert peer.details[1] == f"a frame of more than {peer.limit} bytes"
    assert peer.channel is not None and (peer.channel.oversized, peer.channel.reconnects) == (1, 1)


async def test_a_full_dump_of_large_books_fits(peer: Peer) -> None:
    """A limit under the first legitimate frame would make an endless loop of connects (polymarket-api.md 5.1)."""
    dump = "[" + ",".join(["9" * (module.LARGE_BOOK - 1)] * 200)[: receive_limit(200) - 2] + "]"

    async def tell(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(dump)
        await peer.keep(socket)

    peer.script, peer.limit = tell, receive_limit(200)
    await peer.start()
    await peer.until(lambda: peer.frames)
    assert len(peer.frames[0]) == receive_limit(200) and peer.states == [True]


async def test_a_socket_that_does_not_end_after_a_refused_frame_is_cut(peer: Peer) -> None:
    """We have said goodbye with 1009 and the other end ignores it; PONGs do not come through any more either."""
    done = asyncio.Event()

    async def flood_and_ignore(socket: ServerConnection) -> None:
        await socket.recv()
        if len(peer.heard) == 1:
            socket.transport.write(b"\x81\x7f" + (64 * 2**20).to_bytes(8, "big"))
            socket.transport.pause_reading()
            await done.wait()
            socket.transport.abort()
        else:
            await peer.keep(socket)

    peer.script = flood_and_ignore
    await peer.start()
    await peer.until(lambda: len(peer.heard) == 2)
    assert peer.channel is not None and peer.channel.oversized == 1
    done.set()


async def test_a_reset_in_the_middle_of_a_frame_drops_the_part(peer: Peer) -> None:
    async def tear(socket: ServerConnection) -> None:
        await socket.recv()
        if len(peer.heard) == 1:
            socket.transport.write(b"\x81\x7e\x01\x00" + b"[1,2")
            await peer.until(lambda: socket.transport.get_write_buffer_size() == 0)
            socket.transport.abort()
        else:
            await socket.send("[3]")
            await peer.keep(socket)

    peer.script = tear
    await peer.start()
    await peer.until(lambda: peer.frames)
    assert peer.frames == [b"[3]"] and peer.states == [True, False, True]


async def test_bytes_that_are_no_text_are_handed_on_as_they_are(peer: Peer) -> None:
    """Whether they are of use is for the decoder to say; they are no reason to lose the socket."""

    async def babble(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.write(b"\x81\x03[\xff]")
        await peer.keep(socket)

    peer.script, peer.valid = babble, False
    await peer.start()
    await peer.until(lambda: peer.frames)
    peer.pass_ping()
    await peer.until(lambda: peer.alive)
    assert peer.frames == [b"[\xff]"] and peer.states == [True]


async def test_a_reason_given_by_a_stranger_steers_no_terminal(peer: Peer) -> None:
    async def shout(socket: ServerConnection) -> None:
        await socket.recv()
        if len(peer.heard) == 1:
            await socket.close(1011, "\x1b[2J\nbye\u202e")
        else:
            await peer.keep(socket)

    peer.script = shout
    await peer.start()
    await peer.until(lambda: len(peer.states) == 3)
    assert "?[2J?bye?" in peer.details[1] and peer.details[1].isprintable()


async def test_what_the_owner_raises_ends_the_channel(peer: Peer) -> None:
    """An error of ours taken for a lost connection would be met again and again, and never told."""

    def broken(frame: bytes) -> bool:
        raise OSError("disk full")

    async def tell(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("{}")
        await peer.keep(socket)

    peer.script, peer.on_frame = tell, broken  # type: ignore[method-assign]
    await peer.start()
    assert peer.task is not None
    with pytest.raises(OSError, match="disk full"):
        await asyncio.wait_for(asyncio.shield(peer.task), 5)
    assert peer.states == [True]


async def test_refused_handshake_is_a_loss_like_any_other(peer: Peer) -> None:
    await peer.start()
    assert peer.channel is not None and peer.server is not None
    peer.server.close()
    await peer.until(lambda: peer.states.count(False) >= 3)
    assert peer.details[-1] == "refused", "words, no name of a Python class"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "refused"),
        (TimeoutError(), "no answer in time"),
        (socket.gaierror(-2, "Name or service not known"), "no such name"),
        (OSError(113, "No route to host"), "cannot be reached: No route to host"),
        (OSError("Multiple exceptions: [Errno 111]"), "no connection: Multiple exceptions: [Errno 111]"),
        (InvalidStatus(Response(503, "busy", Headers())), "answered with status 503"),
    ],
)
def test_why_there_is_no_connection_is_told_in_words(error: OSError | WebSocketException, words: str) -> None:
    assert why_not_open(error) == words


@pytest.mark.parametrize(
    ("close", "words"),
    [
        (None, "closed without a word"),
        (Close(1011, "restart"), "closed with code 1011: restart"),
        (Close(1000, ""), "closed with code 1000"),
    ],
)
def test_how_a_connection_ended_is_told_in_words(close: Close | None, words: str) -> None:
    assert why_closed(ConnectionClosedError(close, None)) == words


async def test_operation_without_a_socket_is_dropped_and_with_one_is_sent(peer: Peer) -> None:
    await peer.start()
    assert peer.channel is not None
    peer.channel.post(b'{"early":1}')
    await peer.until(lambda: peer.states == [True])
    peer.channel.post(b'{"late":1}')
    await peer.until(lambda: peer.heard and '{"late":1}' in peer.heard[0])
    assert '{"early":1}' not in peer.heard[0]
    assert peer.heard[0][0] == FIRST[0]


def test_first_frames_are_those_of_the_protocol() -> None:
    later = b'{"operation":"unsubscribe","assets_ids":["1","2"],"custom_feature_enabled":true}'
    assert market_operation_frame("unsubscribe", ["1", "2"]) == later
    assert subscribe_market_frame(["1"]) == b'{"type":"market","assets_ids":["1"],"custom_feature_enabled":true}'
    assert subscribe_user_frame("k", "s", "p") == b'{"type":"user","auth":{"apiKey":"k","secret":"s","passphrase":"p"}}'
