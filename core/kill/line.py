"""A connection of the killer's own: synchronous, opened beforehand, with a deadline for the whole of every answer.

Nothing of it is shared with the session's HTTP clients, so their pools may be poisoned. No proxy, no redirect, no
cookie; of an error only its kind is told, because texts of HTTP libraries may quote headers.
"""

import http.client
import os
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

MOST_BYTES: Final = 4 * 2**20
"""Of an answer; a page of a hundred orders has well under one MiB."""
CONNECT_S: Final = 2.0
"""For each address that is tried."""
_SPARE_S: Final = 1.0
"""A socket's own timeout comes after the deadline; it counts where there is no timer."""
_HEADERS: Final = {"User-Agent": "polymm-tui", "Accept": "application/json"}

Address = tuple[Any, ...]


class LineError(Exception):
    """No answer came; the text names the kind of failure."""

    def __init__(self, text: str, *, is_refused: bool = False) -> None:
        super().__init__(text)
        self.is_refused = is_refused
        """Nobody listens at the service's address."""


class Answer(msgspec.Struct, frozen=True):
    """What came, whatever its status."""

    status: int
    body: bytes
    retry_s: float
    """Header ``Retry-After`` in seconds; 0 without."""


class Line:
    """One connection to one service; opened when needed, and again when it broke. For one thread at a time."""

    def __init__(self, url: str) -> None:
        """Nothing is opened yet.

        Raises:
            ValueError: the address is none, or would carry credentials in the clear to another machine.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a service")
        self._host = parts.hostname
        self._is_tls = parts.scheme == "https"
        if not self._is_tls and not is_local(url):
            raise ValueError(f"{url!r}: credentials leave this machine over https only")
        self._port = parts.port or (443 if self._is_tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._tls: ssl.SSLContext | None = None
        self._addresses: list[Address] = []
        """Where it was reached before: a resolver that has died since does not matter."""
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        """Of the connection, also while it is being opened."""

    def ask(
        self, method: str, target: str, deadline_s: float, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request that may be sent twice, and wait for the whole answer.

        A connection that was kept and turns out to be closed is replaced at once, and the request repeated.

        Args:
            method: of the request.
            target: path with query, below the service's address.
            deadline_s: longest wait, opening the connection included.
            headers: besides the usual ones.
            body: JSON, or nothing.

        Raises:
            LineError: no answer, or not all of it in time, or too long.
        """
        if self._connection is not None and _is_stale(self._connection):
            self.close()
        was_open = self._connection is not None
        asked = {**_HEADERS, **(headers or {})} | ({"Content-Type": "application/json"} if body else {})
        with self._cut_after(deadline_s) as cut:
            try:
                try:
                    answer = self._once(method, target, asked, body, deadline_s)
                except (OSError, http.client.HTTPException):
                    self.close()
                    if not was_open or cut.is_set():
                        raise
                    answer = self._once(method, target, asked, body, deadline_s)
                if cut.is_set():  # its head or body may end where it was cut
                    raise TimeoutError
            except (OSError, http.client.HTTPException) as error:
                self.close()
                why = f"no answer within {deadline_s:g} s" if cut.is_set() else type(error).__name__
                raise LineError(why, is_refused=isinstance(error, ConnectionRefusedError)) from None
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _once(self, method: str, target: str, headers: Mapping[str, str], body: bytes, deadline_s: float) -> Answer:
        if self._connection is None:
            self._connection = self._opened(deadline_s)
        connection = self._connection
        connection.request(method, self._prefix + target, body=body or None, headers=dict(headers))
        response = connection.getresponse()
        told = response.read(MOST_BYTES + 1)
        if len(told) > MOST_BYTES or response.will_close:
            self.close()
        if len(told) > MOST_BYTES:
            raise http.client.HTTPException("too long")
        return Answer(status=response.status, body=told, retry_s=_seconds(response.getheader("Retry-After")))

    def _opened(self, deadline_s: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        connection = kind(self._host, self._port)
        connection.sock = self._reach(min(deadline_s, CONNECT_S), deadline_s)
        return connection

    def _reach(self, connect_s: float, deadline_s: float) -> socket.socket:
        """A connected socket, at an address that served before if one still does."""
        error: OSError = OSError("no address")
        for is_known in (True, False):
            if not is_known:
                self._addresses = self._resolved()
            for address in list(self._addresses):
                try:
                    return self._connected(address, connect_s, deadline_s)
                except OSError as failure:
                    error = failure
        raise error

    def _resolved(self) -> list[Address]:
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        return [address for *_, address in found]

    def _connected(self, address: Address, connect_s: float, deadline_s: float) -> socket.socket:
        self._socket = plain = socket.create_connection(address[:2], connect_s)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(deadline_s + _SPARE_S)
            if not self._is_tls:
                return plain
            self._tls = self._tls or _authorities()
            self._socket = secure = self._tls.wrap_socket(
                plain, server_hostname=self._host, do_handshake_on_connect=False
            )
            secure.do_handshake()
            return secure
        except BaseException:
            self._socket.close()
            raise

    @contextmanager
    def _cut_after(self, deadline_s: float) -> Iterator[threading.Event]:
        """Shut the socket down when the time is over: its own timeout begins anew with every byte."""
        cut = threading.Event()

        def end() -> None:
            cut.set()
            if self._socket is not None:
                with suppress(OSError):  # of a TLS socket too: its own method would disturb whoever reads
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

        timer = threading.Timer(deadline_s, end)
        timer.daemon = True
        with suppress(RuntimeError):  # no thread is to be had: the socket's own timeout has to do
            timer.start()
        try:
            yield cut
        finally:
            timer.cancel()


def is_local(url: str) -> bool:
    """A service is on this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def _is_stale(connection: http.client.HTTPConnection) -> bool:
    """Something came that nobody asked for: the end of the connection, as a rule."""
    try:
        return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _authorities() -> ssl.SSLContext:
    """Whom the rest of the program trusts too: what the environment names, else the certificates that come along."""
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or directory:
        return ssl.create_default_context(cafile=file or None, capath=directory or None)
    import certifi  # a service on loopback needs none

    return ssl.create_default_context(cafile=certifi.where())


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 0.0
