"""The killer's own connection, against servers of a few lines: kept, broken, slow, endless, hostile."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from core.kill.line import Line, LineError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Serve = Callable[[socket.socket, int], None]


class Server:
    """Hands every connection, with its number, to a function in a thread."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.accepted: list[socket.socket] = []
        self.asked: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def read(self, peer: socket.socket) -> bytes:
        """The head of one request; b"" at the end."""
        heard = b""
        while b"\r\n\r\n" not in heard:
            part = peer.recv(65_536)
            if not part:
                return b""
            heard += part
        self.asked.append(heard)
        return heard

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.accepted:
            peer.close()
        self._thread.join(10)

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append(peer)
            threading.Thread(target=self._one, args=(peer, len(self.accepted)), daemon=True).start()

    def _one(self, peer: socket.socket, number: int) -> None:
        with suppress(OSError):
            self._serve(peer, number)


@contextmanager
def serving(serve: Callable[["Server", socket.socket, int], None]) -> Iterator[tuple[Server, Line]]:
    server = Server(lambda peer, number: serve(server, peer, number))
    line = Line(server.url + "/base/")
    try:
        yield server, line
    finally:
        line.close()
        server.close()


def answering(server: Server, peer: socket.socket, number: int) -> None:
    while server.read(peer):
        peer.sendall(OK)


def test_one_connection_serves_many_requests() -> None:
    with serving(answering) as (server, line):
        for _ in range(3):
            answer = line.ask("DELETE", "/orders?x=1", 5.0, {"POLY_ADDRESS": "0x1"}, b"[]")
            assert (answer.status, answer.body, answer.retry_s) == (200, b"{}", 0.0)
        assert len(server.accepted) == 1
        head = server.asked[0]
        assert head.startswith(b"DELETE /base/orders?x=1 HTTP/1.1\r\n") and b"POLY_ADDRESS: 0x1\r\n" in head
        assert b"User-Agent: polymm-tui\r\n" in head and b"Content-Type: application/json\r\n" in head


def test_a_kept_connection_that_the_server_has_closed_is_replaced() -> None:
    def once(server: Server, peer: socket.socket, number: int) -> None:
        server.read(peer)
        peer.sendall(OK)
        peer.close()

    with serving(once) as (server, line):
        for _ in range(3):
            assert line.ask("GET", "/ok", 5.0).status == 200
        assert len(server.asked) == 3


def test_a_connection_that_breaks_under_a_request_is_replaced_and_the_request_repeated() -> None:
    """The end of a kept connection is often seen only when something is sent on it."""

    def breaking(server: Server, peer: socket.socket, number: int) -> None:
        server.read(peer)
        peer.sendall(OK)
        if number == 1:
            server.read(peer)
            peer.close()
        else:
            answering(server, peer, number)

    with serving(breaking) as (server, line):
        assert line.ask("GET", "/ok", 5.0).status == 200
        assert line.ask("DELETE", "/cancel-all", 5.0).status == 200
        assert [head.split()[0] for head in server.asked] == [b"GET", b"DELETE", b"DELETE"]


def test_what_came_unasked_is_no_answer() -> None:
    """Some servers say 408 on a connection that is idle: the next request must not be told so."""
    is_read = threading.Event()

    def impatient(server: Server, peer: socket.socket, number: int) -> None:
        server.read(peer)
        peer.sendall(OK)
        if number == 1 and is_read.wait(10):
            peer.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        else:
            answering(server, peer, number)

    with serving(impatient) as (server, line):
        assert line.ask("GET", "/ok", 5.0).status == 200
        is_read.set()
        assert select.select([line._socket], [], [], 10)[0]
        assert line.ask("DELETE", "/cancel-all", 5.0).status == 200 and len(server.accepted) == 2


@pytest.mark.parametrize("what", ["nothing", "a drop a moment", "a head without end", "half a body"])
def test_the_deadline_is_for_the_whole_answer(what: str) -> None:
    """A server that sends a byte now and then holds nobody up."""
    is_over = threading.Event()

    def slow(server: Server, peer: socket.socket, number: int) -> None:
        server.read(peer)
        if what == "nothing":
            is_over.wait(20)
        if what == "half a body":
            peer.sendall(OK[:-1])
            is_over.wait(20)
        head = OK if what == "a drop a moment" else b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000
        for place in range(len(head)):
            peer.sendall(head[place : place + 1])
            if is_over.wait(0.02):
                return

    with serving(slow) as (_, line):
        begun = time.monotonic()
        with pytest.raises(LineError, match=r"no answer within 0\.3 s"):
            line.ask("GET", "/ok", 0.3)
        assert time.monotonic() - begun < 5
        is_over.set()


def test_an_answer_without_end_is_cut() -> None:
    def endless(server: Server, peer: socket.socket, number: int) -> None:
        server.read(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.sendall(b" " * 65_536)

    with serving(endless) as (_, line), pytest.raises(LineError):
        line.ask("GET", "/ok", 10.0)


@pytest.mark.parametrize(
    "said", [b"", b"garbage\r\n\r\n", b"\x00" * 100_000, b"HTTP/1.1 abc\r\n\r\n", b"SSH-2.0-x\r\n"]
)
def test_what_is_no_answer_is_an_error_of_ours_without_its_words(said: bytes) -> None:
    def saying(server: Server, peer: socket.socket, number: int) -> None:
        server.read(peer)
        peer.sendall(said)
        peer.close()

    with serving(saying) as (_, line), pytest.raises(LineError) as caught:
        line.ask("GET", "/ok", 5.0, {"POLY_PASSPHRASE": "canary"})
    assert "canary" not in str(caught.value) and "garbage" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with serving(answering) as (elsewhere, _):

        def redirecting(server: Server, peer: socket.socket, number: int) -> None:
            server.read(peer)
            peer.sendall(f"HTTP/1.1 307 x\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode())

        with serving(redirecting) as (_, line):
            assert line.ask("DELETE", "/cancel-all", 5.0, {"POLY_API_KEY": "canary"}).status == 307
        assert elsewhere.accepted == []


def test_where_nobody_listens_it_fails_at_once() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(LineError, match="ConnectionRefusedError"):
        Line(f"http://127.0.0.1:{port}").ask("GET", "/ok", 5.0)
    assert time.monotonic() - begun < 2


def test_a_resolver_that_dies_later_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the venue was reached before, it is looked for first."""

    def once(server: Server, peer: socket.socket, number: int) -> None:
        server.read(peer)
        peer.sendall(OK)
        peer.close()

    with serving(once) as (server, line):
        assert line.ask("GET", "/ok", 5.0).status == 200
        real = socket.getaddrinfo

        def dead(host: str, *arguments: object, **options: object) -> object:
            if host == "localhost":
                raise socket.gaierror("the resolver is dead")
            return real(host, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", dead)
        assert line.ask("GET", "/ok", 5.0).status == 200 and len(server.accepted) == 2


@pytest.mark.parametrize("url", ["http://clob.polymarket.com", "ftp://127.0.0.1", "", "clob.polymarket.com", "http://"])
def test_credentials_leave_the_machine_over_https_only(url: str) -> None:
    with pytest.raises(ValueError):
        Line(url)


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering) as (proxy, _), serving(answering) as (server, line):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert line.ask("GET", "/ok", 5.0).status == 200
        assert len(server.accepted) == 1 and proxy.accepted == []


def test_only_a_whole_number_of_seconds_is_a_wait() -> None:
    told = iter([b"7", b"soon", b"-1", b"1e9", b"99999999999"])

    def waiting(server: Server, peer: socket.socket, number: int) -> None:
        while server.read(peer):
            peer.sendall(b"HTTP/1.1 429 x\r\nRetry-After: " + next(told) + b"\r\nContent-Length: 0\r\n\r\n")

    with serving(waiting) as (_, line):
        assert [line.ask("GET", "/ok", 5.0).retry_s for _ in range(5)] == [7.0, 0.0, 0.0, 0.0, 0.0]
