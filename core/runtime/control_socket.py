"""Questions and commands to a running session from other programs of its user: a JSON line in, a JSON line out.

``{"ask": "explain", "market": "..."}`` over a unix socket is answered with ``{"protocol": 1, "answer": ...}`` or
``{"protocol": 1, "refused": "why"}``. What can be asked is a table of request types and functions; the functions run on
the session's loop, so they see it between two events. Whoever sends garbage, half a line, too much or nothing loses the
connection, and nothing changes but a counter. One question may keep its connection (:class:`Upgrade`): an attached
console's.
"""

import asyncio
import contextlib
import logging
import os
import socket
import struct
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from core.errors import PreflightError
from core.market.naming import Named

log = logging.getLogger(__name__)

PROTOCOL: Final = 1
LONGEST_REQUEST: Final = 4_096
"""Bytes of a line."""
LONGEST_ANSWER: Final = 8 * 2**20
MOST_CONNECTIONS: Final = 8
LINE_SEC: Final = 5.0
"""Longest wait for a whole line, and for an answer to be taken."""
PAUSE_SEC: Final = 0.02
"""After each answer: nobody can keep the session busy with questions."""
ANSWER_SEC: Final = 5.0
"""Longest wait of whoever asks."""
LONGEST_PATH: Final = 100
"""Bytes of a path that is used as it is; socket addresses hold 104 on some systems, 108 on others."""
_CREDENTIALS: Final = struct.Struct("iII")
_encode: Final = msgspec.json.Encoder().encode


WHO: Final = "shell"
"""Author of what is done over it."""
LONGEST_SEC: Final = 30 * 86_400.0
"""Longest time a command may hold for."""
MOST_REASON: Final = 200
"""Characters of a reason."""


class Request(msgspec.Struct, frozen=True, tag_field="ask", kw_only=True):
    """Base of everything that can be asked; the member ``ask`` names it."""

    protocol: int = PROTOCOL
    """Which version of the questions is spoken; another one than the session's is refused."""


class Explain(Request, frozen=True, tag="explain"):
    """Why is a market quoted as it is?"""

    market: str
    """Condition id, the beginning of it, or a part of the title."""


class Status(Request, frozen=True, tag="status"):
    """How do things stand?"""


ShellAct = Literal["pause", "resume", "reduce", "widen", "cancel", "flatten", "flatten_stop", "rearm"]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=LONGEST_SEC)]


class Act(Request, frozen=True, tag="act", forbid_unknown_fields=True, kw_only=True):
    """Do something that an operator may do. A member that is not known is refused, never ignored."""

    act: ShellAct
    asked_s: float
    """When, by the machine's monotonic clock: what opens something again is not done long after it was asked for."""
    market: Annotated[str, msgspec.Meta(max_length=500)] = ""
    """As in :class:`Explain`; "" with ``every``, and for ``rearm``."""
    every: bool = False
    """All markets, said on purpose."""
    side: Literal["", "bid", "ask"] = ""
    """Of the YES book, for ``pause``, ``resume`` and ``reduce``; "" for both."""
    for_s: _Seconds | None = None
    """It ends by itself after this."""
    reason: Annotated[str, msgspec.Meta(max_length=MOST_REASON)] = ""
    ticks: Annotated[float, msgspec.Meta(ge=-1_000, le=1_000)] = 0.0
    """``widen``: by how many on each side; below 0 tightens."""
    preview: bool = False
    """``flatten``: only tell what it would do, and give what to confirm it with."""
    confirm: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """``flatten``: what the preview gave."""
    most_cost: Annotated[int, msgspec.Meta(ge=0, le=10**15)] | None = None
    """``flatten``: most it may cost, micro-dollars; None by the settings."""
    passive_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_SEC)] | None = None
    """``flatten``: how long it waits at the touch before it crosses; None by the settings."""


class Markets(Request, frozen=True, tag="markets"):
    """What is the market list, and what became of it?"""


class ListAct(Request, frozen=True, tag="list_act", forbid_unknown_fields=True, kw_only=True):
    """Approve or reject what the market list proposes, or have it read now."""

    act: Literal["approve", "reject", "refresh"]
    asked_s: float
    """When, by the machine's monotonic clock, as in :class:`Act`."""
    confirm: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Token of the proposal that was looked at; for ``refresh`` none."""


class Done(msgspec.Struct, frozen=True):
    """What became of an :class:`Act` or a :class:`ListAct`."""

    done: bool
    """False: it was refused, and nothing changed."""
    text: str
    """What was done or is previewed, or why it was refused; may hold foreign text, and lines."""
    market: str = ""
    """Condition id of what it was about; "" for all markets."""
    title: str = ""
    """Foreign text."""
    confirm: str = ""
    """Of a preview: what it is confirmed with."""
    candidates: tuple[Named, ...] = ()
    """Markets that may have been meant, when it is not clear which."""


class _Asked(msgspec.Struct):
    ask: str


_asked: Final = msgspec.json.Decoder(_Asked).decode


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of answer."""

    protocol: int
    answer: Any = None
    refused: str = ""
    """Why there is no answer, in words."""


class Counts(msgspec.Struct):
    """What came over the socket since the start."""

    answered: int = 0
    garbled: int = 0
    """Lines that were no request, or too long, or never ended."""
    turned_away: int = 0
    """Connections of other users, or beyond the most at a time."""
    failed: int = 0
    """Requests that the session could not answer, and answers that nobody took."""


Answers = Mapping[type[Any], Callable[[Any], Any]]
"""Subclass of :class:`Request` -> what answers it; anything that can be written as JSON, or an :class:`Upgrade`."""


class Upgrade(NamedTuple):
    """An answer after which the connection is somebody else's: no line is read from it any more."""

    answer: Any
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    """Uses the connection until it returns; what the other end is found to have broken it raises as OSError."""


class Refused(Exception):
    """A function of the table refuses a request that is one; the text says why."""


class ControlSocket:
    """The answering side. All methods run on one loop."""

    def __init__(self, path: Path, answers: Answers, clean: Callable[[str], str]) -> None:
        """Nothing is opened yet.

        Args:
            path: of the socket; only the holder of the instance lock beside it may open it.
            answers: what can be asked.
            clean: takes secrets out of a text.
        """
        self.path = path
        self.counts = Counts()
        self._answers = {
            str(kind.__struct_config__.tag): (msgspec.json.Decoder(kind).decode, answer)
            for kind, answer in answers.items()
        }
        self._clean = clean
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self._upgraded: set[asyncio.Task[Any]] = set()
        """Connections on which no lines are read any more; they keep nobody from asking."""

    async def open(self) -> None:
        """Take the place of a socket that a killed session left, and listen.

        Raises:
            OSError: the socket cannot be made.
        """
        listening = _listening(self.path)
        try:
            self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LONGEST_REQUEST)
        except BaseException:
            listening.close()
            raise

    async def close(self) -> None:
        """Answer nobody any more."""
        if self._server is None:
            return
        self._server.close()
        tasks = self._connections | self._upgraded
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._server = None
        with contextlib.suppress(OSError):
            self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= MOST_CONNECTIONS or not _is_own_user(writer):
            self.counts.turned_away += 1
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            while (going := await self._answer_next(reader, writer)) is True:
                pass
            if isinstance(going, Upgrade):
                self._connections.discard(task)
                self._upgraded.add(task)
                await going.serve(reader, writer)
            writer.close()
            async with asyncio.timeout(LINE_SEC):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            self.counts.failed += 1
        except asyncio.CancelledError:
            return  # the socket is closed; asyncio's streams would log a cancelled task as an error
        finally:
            self._connections.discard(task)
            self._upgraded.discard(task)
            writer.transport.abort()

    async def _answer_next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool | Upgrade:
        """Answer one line; False when no other will be read from this connection, or whose it is from now on."""
        try:
            async with asyncio.timeout(LINE_SEC):
                line = await reader.readline()
        except (ValueError, TimeoutError):
            line = b"too long or too late"
        if not line:
            return False
        reply = self._reply(line)
        upgrade = reply.answer if isinstance(reply.answer, Upgrade) else None
        said = reply if upgrade is None else Reply(PROTOCOL, answer=upgrade.answer)
        text = self._clean(_encode(said).decode())
        async with asyncio.timeout(LINE_SEC):
            writer.write(text.encode() + b"\n")
            await writer.drain()
        if upgrade is not None:
            return upgrade
        await asyncio.sleep(PAUSE_SEC)
        return not reply.refused

    def _reply(self, line: bytes) -> Reply:
        try:
            if not line.endswith(b"\n"):
                raise ValueError(f"no line of at most {LONGEST_REQUEST} bytes came in time")
            name = _asked(line).ask
            if name not in self._answers:
                raise ValueError(f"{name[:40]!r} is none of {', '.join(self._answers)}")
            decode, answer = self._answers[name]
            request = decode(line)
            if request.protocol != PROTOCOL:
                raise ValueError(f"it is of version {request.protocol}, this session of {PROTOCOL}; use one for both")
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            self.counts.garbled += 1
            return Reply(PROTOCOL, refused=f"no request: {error}"[:200])
        try:
            answered = answer(request)
        except Refused as error:
            self.counts.turned_away += 1
            return Reply(PROTOCOL, refused=str(error))
        except Exception:
            log.exception("request_failed")
            self.counts.failed += 1
            return Reply(PROTOCOL, refused="the session cannot answer that; its log says why")
        self.counts.answered += 1
        return Reply(PROTOCOL, answer=answered)


Answer = TypeVar("Answer")


class NoSession(PreflightError):
    """Nobody is there to be asked."""


class NoAnswer(PreflightError):
    """Somebody is there and says nothing: whether what was asked for is done is not known."""


def is_there(path: Path) -> bool:
    """A session listens at this socket; one that hangs does too, because the system takes the connection for it."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            with _reachable(path) as address:
                connection.connect(address)
    except BlockingIOError:  # so many wait for it that no other may
        return True
    except OSError:
        return False
    return True


def ask(path: Path, request: Request, kind: type[Answer], timeout_s: float = ANSWER_SEC) -> Answer:
    """Ask the session behind a socket.

    Raises:
        NoSession: no session runs there.
        NoAnswer: it does not answer.
        PreflightError: it refuses, or is of another version of this program.
    """
    connection, answer = dial(path, request, kind, timeout_s)
    connection.close()
    return answer


def dial(
    path: Path, request: Request, kind: type[Answer], timeout_s: float = ANSWER_SEC
) -> tuple[socket.socket, Answer]:
    """Ask as :func:`ask` does, and keep the connection; the caller closes it.

    Raises:
        NoSession: no session runs there.
        NoAnswer: it does not answer.
        PreflightError: it refuses, or is of another version of this program.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        return connection, _answer_over(connection, path, request, kind, timeout_s)
    except BaseException:
        connection.close()
        raise


def _answer_over(
    connection: socket.socket, path: Path, request: Request, kind: type[Answer], timeout_s: float
) -> Answer:
    """Connect and ask; raises what :func:`dial` does."""
    try:
        connection.settimeout(timeout_s)
        with _reachable(path) as address:
            connection.connect(address)
        connection.sendall(_encode(request) + b"\n")
        line = _line(connection)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NoSession(f"no session runs in {path.parent}; start one there, or see --mode and state_dir") from error
    except OSError as error:
        raise NoAnswer(f"the session in {path.parent} does not answer: {error or 'connection lost'}") from error
    try:
        reply = msgspec.json.decode(line, type=Reply)
        if reply.refused:
            raise PreflightError(f"the session refuses: {reply.refused}")
        return msgspec.convert(reply.answer, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PreflightError(f"the session in {path.parent} is of another version of this program: {error}") from error


def _line(connection: socket.socket) -> bytes:
    """What comes up to a line end.

    Raises:
        OSError: none comes.
    """
    received = bytearray()
    while not received.endswith(b"\n"):
        chunk = connection.recv(65_536)
        if not chunk or len(received) + len(chunk) > LONGEST_ANSWER:
            raise ConnectionError("no whole answer came")
        received += chunk
    return bytes(received)


def _listening(path: Path) -> socket.socket:
    """A bound socket that only its owner may connect to."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _reachable(path) as address:
            bound.bind(address)
        path.chmod(0o600)  # nobody can connect before it listens
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """The path as a socket address can hold it: a long one by way of a link that lives as long as the context."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="polymm-") as short:
        link = Path(short) / "s"
        link.symlink_to(path.parent.resolve(), target_is_directory=True)
        yield str(link / path.name)


def _is_own_user(writer: asyncio.StreamWriter) -> bool:
    """The other end is a process of ours; where the system does not tell, the file's mode has to do."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    told = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(told)[1] == os.getuid())
