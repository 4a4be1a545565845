"""Something that stands between the program and the exchange: it can cut, hold back, forge and remember."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve


class ChannelRelay:
    """A WebSocket server that passes a channel of the exchange on, message by message."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.url = ""
        self.connections = 0
        self.refuses = False
        self.pass_on: Callable[[str], str | None] = lambda text: text
        """What becomes of a message on its way down; None drops it."""
        self._live: set[ServerConnection] = set()

    def cut(self) -> None:
        """Break every connection without a goodbye."""
        for socket in self._live:
            socket.transport.abort()

    async def forge(self, text: str) -> None:
        """Send a message that the exchange never sent."""
        for socket in self._live:
            await socket.send(text)

    async def handle(self, socket: ServerConnection) -> None:
        """One client."""
        if self.refuses:
            await socket.close()
            return
        self.connections += 1
        self._live.add(socket)
        try:
            async with connect(self.upstream, max_size=None) as up:
                down = asyncio.create_task(self._down(up, socket))
                with suppress(websockets.ConnectionClosed):
                    async for message in socket:
                        await up.send(message)
                down.cancel()
                await asyncio.gather(down, return_exceptions=True)
        finally:
            self._live.discard(socket)

    async def _down(self, up: websockets.ClientConnection, socket: ServerConnection) -> None:
        async for message in up:
            text = self.pass_on(message if isinstance(message, str) else message.decode())
            if text is not None:
                await socket.send(text)


@asynccontextmanager
async def channel_relay(upstream: str) -> AsyncIterator[ChannelRelay]:
    """A relay on a free port."""
    relay = ChannelRelay(upstream)
    server: Server
    async with serve(relay.handle, "127.0.0.1", 0, max_size=None, compression=None) as server:
        relay.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws/market"
        yield relay


class WireTap:
    """A TCP relay that keeps all bytes the client sent."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.port = 0
        self.heard = bytearray()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        await asyncio.gather(self._pump(reader, up_writer, self.heard), self._pump(up_reader, writer, None))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray | None) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if kept is not None:
                    kept += data
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def wire_tap(port: int) -> AsyncIterator[WireTap]:
    """A tap in front of a port."""
    tap = WireTap(port)
    server = await asyncio.start_server(tap.handle, "127.0.0.1", 0)
    tap.port = server.sockets[0].getsockname()[1]
    async with server:
        yield tap
