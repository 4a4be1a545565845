"""Socket to decision: CPU a message of the product's feed, against the same client with the yardstick behind it.

A server in another process sends one stream, as fast as it is taken (blast) or one message a millisecond (paced: every
message wakes the client). Both clients are ``websockets`` with the same options.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.harness import Spread, spread
from benchmarks.pipeline import factory
from benchmarks.stream import Stream, make_stream
from benchmarks.yardstick import RefDecide
from core.clock import SystemClock
from core.venue.market_feed import FeedOwner, MarketFeed

BAR: Final = 1.15
TOKENS: Final = 100
BLAST, BLASTS = 20_000, 8
PACED, PACES = 2_000, 5
PACE_SEC: Final = 0.001
WARM: Final = 500
"""Frames before the measured ones."""
CHUNK: Final = 32
"""Frames in one write of a blast."""
MOST_UNSENT: Final = 2**20
_fork: Final = multiprocessing.get_context("fork")
Take = Callable[[bytes], bool]
Client = Callable[[str, Stream, Callable[[Take], Take], asyncio.Event], Any]


def run() -> bool:
    """Print both ways of sending; says whether the bar was reached."""
    stream = make_stream(TOKENS, BLAST)
    print(f"socket to decision, {TOKENS} tokens, server in another process, CPU a message, paired")
    reached = [
        _compare(stream, "blast", BLAST, BLASTS, 0.0),
        _compare(stream, "one message a millisecond", PACED, PACES, PACE_SEC),
    ]
    return all(reached)


def _compare(stream: Stream, name: str, count: int, rounds: int, pace_s: float) -> bool:
    cut = stream._replace(frames=stream.frames[:count])
    clients: dict[str, Client] = {"the yardstick": _yardstick, "ours": _ours}
    times: dict[str, list[float]] = {client: [] for client in clients}
    for turn in range(rounds):
        for client in sorted(clients, reverse=bool(turn % 2)):
            times[client].append(_once(clients[client], cut, pace_s))
    ratios = spread(ours / theirs for ours, theirs in zip(times["ours"], times["the yardstick"], strict=True))
    costs = ", ".join(f"{client} {_micro(values)}" for client, values in times.items())
    print(f"  {name:<26} {ratios} x the yardstick (bar {BAR}); us a message: {costs}")
    return ratios.median <= BAR


def _micro(seconds: list[float]) -> Spread:
    return spread(value * 1e6 for value in seconds)


def _once(client: Client, stream: Stream, pace_s: float) -> float:
    """CPU seconds a message of one client over the whole stream."""
    to_server, server_end = _fork.Pipe()
    to_client, client_end = _fork.Pipe()
    server = _fork.Process(target=_serve, args=(server_end, stream, pace_s), daemon=True)
    server.start()
    port = to_server.recv()
    process = _fork.Process(target=_listen, args=(client_end, client, f"ws://127.0.0.1:{port}", stream), daemon=True)
    process.start()
    seconds = to_client.recv()
    process.join()
    to_server.send("enough")
    server.join()
    return seconds


def _listen(line: Connection, client: Client, url: str, stream: Stream) -> None:
    line.send(asyncio.run(_measure(client, url, stream)))


async def _measure(client: Client, url: str, stream: Stream) -> float:
    done = asyncio.Event()
    last = len(stream.dump) + len(stream.frames)
    count, started, ended = 0, 0.0, 0.0

    def counted(take: Take) -> Take:
        def count_and_take(frame: bytes) -> bool:
            nonlocal count, started, ended
            used = take(frame)
            count += 1
            if count == WARM:
                started = time.process_time()
            elif count == last:
                ended = time.process_time()
                done.set()
            return used

        return count_and_take

    await client(url, stream, counted, done)
    return (ended - started) / (last - WARM)


async def _yardstick(url: str, stream: Stream, counted: Callable[[Take], Take], done: asyncio.Event) -> None:
    yardstick = RefDecide(stream.tokens)

    def feed(frame: bytes) -> bool:
        yardstick.feed(frame)
        return True

    take = counted(feed)
    async with connect(url, max_size=None, compression=None, ping_interval=None, close_timeout=1) as socket:
        await socket.send("subscribe")
        while not done.is_set():
            take(await socket.recv(decode=False))


async def _ours(url: str, stream: Stream, counted: Callable[[Take], Take], done: asyncio.Event) -> None:
    path = factory(stream.tokens)
    owner = FeedOwner(counted(path.feed), lambda tokens, connected, detail: None, lambda: None)
    feed = MarketFeed(url, owner, SystemClock(), 1, tokens_a_socket=200, copies=1, recycle_s=0.0)
    feed.subscribe(list(stream.tokens))
    task = asyncio.create_task(feed.run())
    ended = asyncio.create_task(done.wait())
    await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    await asyncio.gather(task, ended, return_exceptions=True)


def _serve(line: Connection, stream: Stream, pace_s: float) -> None:
    asyncio.run(_send_stream(line, stream, pace_s))


async def _send_stream(line: Connection, stream: Stream, pace_s: float) -> None:
    dump = [_framed(frame.text) for frame in stream.dump]
    frames = [_framed(frame.text) for frame in stream.frames]
    chunks = [b"".join(frames[at : at + CHUNK]) for at in range(0, len(frames), CHUNK)]

    async def handle(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.write(b"".join(dump))
        await (_paced(socket, frames, pace_s) if pace_s else _blast(socket, chunks))
        await socket.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=1) as server:
        line.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(line.recv)


async def _blast(socket: ServerConnection, chunks: list[bytes]) -> None:
    socket.transport.set_write_buffer_limits(MOST_UNSENT)
    for chunk in chunks:
        socket.transport.write(chunk)
        await socket.drain()


async def _paced(socket: ServerConnection, frames: list[bytes], pace_s: float) -> None:
    next_s = time.monotonic()
    for frame in frames:
        next_s += pace_s
        await asyncio.sleep(max(0.0, next_s - time.monotonic()))
        socket.transport.write(frame)


def _framed(text: str) -> bytes:
    """An unmasked text frame of RFC 6455, as a server sends it."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 2**16:
        head = bytes((0x81, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x81, 127)) + size.to_bytes(8, "big")
    return head + payload
