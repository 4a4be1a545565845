"""An order is held back before its first byte however late the switch is pulled; everything else leaves."""

import asyncio
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, Final

import httpcore
import httpx
import pytest

from core.venue.wire_stop import Brake, Held, OrdersStopped, check_writes

URL: Final = "http://venue.test"
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"


class Wire(httpcore.NetworkBackend, httpcore.NetworkStream):
    """One connection of HTTP/1.1 that remembers what was written; ``at_connect`` happens while it is opened."""

    def __init__(self, at_connect: Callable[[], None]) -> None:
        self.written = b""
        self._at_connect = at_connect

    def connect_tcp(self, *arguments: Any, **options: Any) -> httpcore.NetworkStream:
        self._at_connect()
        return self

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.written += buffer

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return ANSWER

    def close(self) -> None:
        """Nothing to close."""

    def get_extra_info(self, info: str) -> Any:
        return None


class AsyncWire(httpcore.AsyncNetworkBackend, httpcore.AsyncNetworkStream):
    """The same for an asynchronous client, with HTTP/2 if it is to be: nothing is ever answered then."""

    def __init__(self, at_connect: Callable[[], None], at_write: Callable[[bytes], None] = lambda data: None) -> None:
        self.written = b""
        self._at_connect = at_connect
        self._at_write = at_write

    async def connect_tcp(self, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        self._at_connect()
        return self

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's interface
        self.written += buffer
        self._at_write(self.written)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the same
        return ANSWER

    async def aclose(self) -> None:
        """Nothing to close."""

    def get_extra_info(self, info: str) -> Any:
        return None


class Switch:
    """What the hooks ask, and how often they stopped something."""

    def __init__(self) -> None:
        self.closed = False
        self.stopped: list[bool] = []
        self.brake = Brake(lambda: self.closed)

    def close(self) -> None:
        self.closed = True

    def on_stop(self, is_unsent: bool) -> None:
        self.stopped.append(is_unsent)

    def hook(self, request: httpx.Request) -> None:
        self.brake.hold(request, self.on_stop)

    async def hook_async(self, request: httpx.Request) -> None:
        self.brake.hold_async(request, self.on_stop)


def ask(wire: Wire, switch: Switch, method: str, path: str) -> int:
    transport = httpx.HTTPTransport()
    transport._pool = httpcore.ConnectionPool(network_backend=wire)
    with httpx.Client(base_url=URL, transport=transport, event_hooks={"request": [switch.hook]}) as client:
        return client.request(method, path, content=b"ORDER").status_code


async def ask_async(wire: AsyncWire, switch: Switch, method: str, path: str, *, http2: bool = False) -> int:
    transport = httpx.AsyncHTTPTransport()
    transport._pool = httpcore.AsyncConnectionPool(network_backend=wire, http1=not http2, http2=http2)
    hooks: dict[str, Iterable[Any]] = {"request": [switch.hook_async]}
    async with httpx.AsyncClient(base_url=URL, transport=transport, event_hooks=hooks) as client:  # type: ignore[arg-type]
        return (await client.request(method, path, content=b"ORDER")).status_code


@pytest.mark.parametrize("path", ["/order", "/orders"])
async def test_no_byte_of_an_order_leaves_when_the_switch_is_pulled_while_a_connection_is_opened(path: str) -> None:
    """Later than any check of ours before the client is called."""
    switch = Switch()
    wire, async_wire = Wire(switch.close), AsyncWire(switch.close)
    with pytest.raises(OrdersStopped):
        ask(wire, switch, "POST", path)
    switch.closed = False
    with pytest.raises(OrdersStopped):
        await ask_async(async_wire, switch, "POST", path)
    assert (wire.written, async_wire.written, switch.stopped) == (b"", b"", [True, True])


async def test_over_http2_only_the_connection_itself_is_greeted() -> None:
    """The preface and the settings of a connection leave; no headers and no body of the order do."""
    switch = Switch()
    wire = AsyncWire(switch.close)
    with pytest.raises(OrdersStopped):
        await ask_async(wire, switch, "POST", "/orders", http2=True)
    assert wire.written.startswith(b"PRI * HTTP/2.0") and b"ORDER" not in wire.written
    assert _kinds(wire.written) == {4, 8}, "SETTINGS and WINDOW_UPDATE (RFC 9113, 6)"


async def test_a_body_is_held_back_when_the_switch_is_pulled_between_it_and_its_headers() -> None:
    """Headers alone are no order."""
    switch = Switch()
    wire = AsyncWire(lambda: None, lambda written: switch.close())
    with pytest.raises(OrdersStopped):
        await ask_async(wire, switch, "POST", "/orders")
    assert wire.written.startswith(b"POST /orders") and b"ORDER" not in wire.written
    assert switch.stopped == [True]


async def test_nothing_leaves_when_the_switch_is_pulled_in_a_turn_of_the_loop_before_the_write() -> None:
    """Layers below httpcore may yield, for a lock or a full buffer; the check is in the step of the write itself."""
    switch, wire, held = Switch(), AsyncWire(lambda: None), list[Held | None]()

    class Transport:
        def write(self, data: bytes) -> None:
            wire.written += data

    async def write(buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's interface
        await asyncio.sleep(0)
        lowest._transport.write(buffer)

    lowest = SimpleNamespace(_transport=Transport())
    wire._stream = lowest  # type: ignore[attr-defined]
    wire.write = write  # type: ignore[method-assign]

    async def hook(request: httpx.Request) -> None:
        held.append(switch.brake.hold_async(request, switch.on_stop))
        if held[-1] is not None:
            trace = request.extensions["trace"]

            async def trace_and_close(moment: str, facts: dict[str, Any]) -> None:
                await trace(moment, facts)
                asyncio.get_running_loop().call_soon(switch.close)

            request.extensions["trace"] = trace_and_close

    transport = httpx.AsyncHTTPTransport()
    transport._pool = httpcore.AsyncConnectionPool(network_backend=wire)
    async with httpx.AsyncClient(base_url=URL, transport=transport, event_hooks={"request": [hook]}) as client:
        await check_writes(client, lambda: switch.brake.look(held[-1]))
        assert (await client.post("/v1/heartbeats", content=b"PLAIN")).status_code == 200
        with pytest.raises(OrdersStopped):
            await client.post("/orders", content=b"ORDER")
    assert wire.written.endswith(b"PLAIN") and switch.stopped == [True]


def test_over_http2_no_other_request_takes_an_orders_queued_bytes_along() -> None:
    """All requests of a connection share what is to be written; once nothing of an order is queued, they pass."""
    switch = Switch()
    request = httpx.Request("POST", f"{URL}/orders", content=b"ORDER")
    held = switch.brake.hold(request, switch.on_stop)
    trace = request.extensions["trace"]
    trace("http2.send_request_headers.started", {})
    switch.close()
    with pytest.raises(OrdersStopped):
        switch.brake.look(None)
    with pytest.raises(OrdersStopped):
        trace("http2.send_request_body.started", {})
    switch.brake.look(None)
    assert held is not None and switch.stopped == [True]


def test_an_order_whose_body_may_have_left_in_part_is_not_called_unsent() -> None:
    """Its outcome is open: a proxy may have passed on what it had."""
    switch = Switch()
    request = httpx.Request("POST", f"{URL}/orders", content=b"ORDER")
    held = switch.brake.hold(request, switch.on_stop)
    request.extensions["trace"]("http11.send_request_body.started", {})
    switch.close()
    with pytest.raises(OrdersStopped):
        switch.brake.look(held)
    assert switch.stopped == [False]


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/orders"), ("DELETE", "/cancel-all"), ("POST", "/v1/heartbeats"), ("GET", "/orders")],
)
async def test_everything_else_leaves_with_the_switch_pulled(method: str, path: str) -> None:
    """Cancels above all."""
    switch = Switch()
    switch.close()
    wire, async_wire = Wire(switch.close), AsyncWire(switch.close)
    assert (ask(wire, switch, method, path), await ask_async(async_wire, switch, method, path)) == (200, 200)
    assert wire.written and async_wire.written and not switch.stopped


async def test_orders_leave_while_the_switch_is_not_pulled() -> None:
    """The hook costs nothing but a look."""
    switch = Switch()
    wire, async_wire = Wire(lambda: None), AsyncWire(lambda: None)
    assert (ask(wire, switch, "POST", "/orders"), await ask_async(async_wire, switch, "POST", "/orders")) == (200, 200)
    assert wire.written.endswith(b"ORDER") and async_wire.written.endswith(b"ORDER")


def _kinds(written: bytes) -> set[int]:
    """The kinds of the frames after the preface (RFC 9113, 4.1)."""
    at, kinds = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), set()
    while at < len(written):
        kinds.add(written[at + 3])
        at += 9 + int.from_bytes(written[at : at + 3])
    return kinds
