"""One channel kept up, against a small server on loopback; the module's pauses are shortened, nothing waits long."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from core.clock import SystemClock
from core.venue import channel as module
from core.venue.channel import Channel, ChannelOwner, subscribe_market_frame, subscribe_user_frame

Script = Callable[[ServerConnection], Awaitable[None]]
FIRST: tuple[str, ...] = ('{"want":1}', '{"want":2}', '{"want":3}', '{"want":4}', '{"want":5}')


class Peer:
    """The venue's end: what every connection heard, and the channel with what it told its owner."""

    def __init__(self) -> None:
        self.heard: list[list[str]] = []
        self.frames: list[bytes] = []
        self.states: list[bool] = []
        self.alive = 0
        self.asked = 0
        self.script: Script = self.keep
        self.server: Server | None = None
        self.channel: Channel | None = None
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.server = await serve(self.accept, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        owner = ChannelOwner(
            lambda _, frame: self.frames.append(frame),
            lambda _, up, detail: self.states.append(up),
            lambda _: setattr(self, "alive", self.alive + 1),
        )
        self.channel = Channel("market", f"ws://127.0.0.1:{port}", self.first_frame, owner, SystemClock(), 1)
        self.task = asyncio.create_task(self.channel.run())

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

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - what is waited for lies on the other side of a socket
                await asyncio.sleep(0.002)


@pytest.fixture
async def peer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peer]:
    monkeypatch.setattr(module, "PING_SEC", 0.03)
    monkeypatch.setattr(module, "FIRST_BACKOFF_SEC", 0.004)
    monkeypatch.setattr(module, "LAST_BACKOFF_SEC", 0.05)
    made = Peer()
    yield made
    await made.stop()


async def test_first_frame_is_sent_once_and_before_any_ping(peer: Peer) -> None:
    await peer.start()
    await peer.until(lambda: peer.heard and len(peer.heard[0]) >= 4)
    assert peer.heard[0][:4] == [FIRST[0], "PING", "PING", "PING"]
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


async def test_silent_socket_is_given_up_although_it_is_open(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_SEC", 0.05)

    async def say_nothing(socket: ServerConnection) -> None:
        async for _ in socket:
            pass

    peer.script = say_nothing
    await peer.start()
    await peer.until(lambda: len(peer.heard) >= 2)
    assert peer.states[:2] == [True, False]


async def test_pong_alone_keeps_a_socket(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_SEC", 0.1)
    await peer.start()
    await peer.until(lambda: peer.alive >= 6)
    assert (len(peer.heard), peer.states) == (1, [True])


@pytest.mark.parametrize(("word", "grows"), [("PONG", True), ('{"event_type":"book"}', False)])
async def test_pause_between_attempts_grows_until_real_data_came(peer: Peer, word: str, grows: bool) -> None:
    """A venue that accepts and drops, or speaks only to say no, must not be hammered."""

    async def speak_and_drop(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(word)
        if len(peer.heard) == 4:
            await socket.wait_closed()

    peer.script = speak_and_drop
    await peer.start()
    await peer.until(lambda: peer.alive + len(peer.frames) >= 4)
    assert peer.channel is not None
    assert peer.channel._backoff_s == pytest.approx(module.FIRST_BACKOFF_SEC * (8 if grows else 1))


async def test_refused_handshake_is_a_loss_like_any_other(peer: Peer) -> None:
    await peer.start()
    assert peer.channel is not None and peer.server is not None
    peer.server.close()
    await peer.until(lambda: peer.states.count(False) >= 3)


async def test_operation_without_a_socket_is_dropped_and_with_one_is_sent(peer: Peer) -> None:
    await peer.start()
    assert peer.channel is not None
    await peer.channel.send(b'{"early":1}')
    await peer.until(lambda: peer.states == [True])
    await peer.channel.send(b'{"late":1}')
    await peer.until(lambda: peer.heard and '{"late":1}' in peer.heard[0])
    assert '{"early":1}' not in peer.heard[0]
    assert peer.heard[0][0] == FIRST[0]


def test_first_frames_are_those_of_the_protocol() -> None:
    assert subscribe_market_frame(["1"]) == b'{"type":"market","assets_ids":["1"],"custom_feature_enabled":true}'
    assert subscribe_user_frame("k", "s", "p") == b'{"type":"user","auth":{"apiKey":"k","secret":"s","passphrase":"p"}}'
