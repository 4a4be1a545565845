"""What goes over the connection of an attached console: length-prefixed MessagePack of the console link's structs.

A console asks for every view (:class:`Ready`), so there is never more than one on its way to it.
"""

import asyncio
from typing import Annotated, Final

import msgspec

from core.events import OperatorCommand
from core.runtime.control_socket import Request
from core.runtime.link import CommandResult
from core.views import ConsoleView

LONGEST_TO_SESSION: Final = 16_384
"""Bytes of a frame."""
LONGEST_TO_CONSOLE: Final = 32 * 2**20
MOST_LADDERS: Final = 32
_HEAD: Final = 4
"""Bytes of a frame's length, big-endian, in front of it."""
_Text = Annotated[str, msgspec.Meta(max_length=500)]


class Attach(Request, frozen=True, tag="attach", forbid_unknown_fields=True, kw_only=True):
    """Let a console of another process follow the session: the connection carries frames after the answer."""

    version: str
    """Of the program that asks: views and commands have the same shape only in the same version."""
    read_only: bool = False
    """It may do nothing."""


class Attached(msgspec.Struct, frozen=True):
    """The answer to :class:`Attach`."""

    console: str
    """Name of the console; the author of what it asks for."""
    began_s: float
    """When the session began, by the machine's monotonic clock: another one is another session."""


class Ready(msgspec.Struct, frozen=True, tag="ready", forbid_unknown_fields=True):
    """The console has taken the last view, and wants the next."""


class Gaze(msgspec.Struct, frozen=True, tag="gaze", forbid_unknown_fields=True):
    """What the operator looks at, as in :meth:`core.runtime.link.ConsoleLink.watch`."""

    market: _Text
    ladders: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=MOST_LADDERS)] = ()


class Do(msgspec.Struct, frozen=True, tag="do", forbid_unknown_fields=True):
    """Something an operator asks for."""

    number: int
    """Comes back with the answer."""
    asked_s: float
    """When, by the machine's monotonic clock: what opens something is not done long after it was asked for."""
    command: OperatorCommand


class Shown(msgspec.Struct, frozen=True, tag="view"):
    """A view."""

    view: ConsoleView


class Answered(msgspec.Struct, frozen=True, tag="answer"):
    """What became of a :class:`Do`."""

    number: int
    result: CommandResult


class Over(msgspec.Struct, frozen=True, tag="over"):
    """The session has ended, and nothing more comes."""

    text: str
    """How, in words."""


ToSession = Ready | Gaze | Do
ToConsole = Shown | Answered | Over

_encode: Final = msgspec.msgpack.Encoder().encode
decode_to_session: Final = msgspec.msgpack.Decoder(ToSession).decode
decode_to_console: Final = msgspec.msgpack.Decoder(ToConsole).decode


def framed(told: ToSession | ToConsole) -> bytes:
    """A frame with its length in front."""
    payload = _encode(told)
    return len(payload).to_bytes(_HEAD, "big") + payload


async def next_frame(reader: asyncio.StreamReader, longest: int) -> bytes | None:
    """The next frame without its length; None when the other end has closed.

    Raises:
        ValueError: it is longer than ``longest``.
        OSError: the connection broke.
    """
    try:
        size = int.from_bytes(await reader.readexactly(_HEAD), "big")
        if size > longest:
            raise ValueError(f"a frame of {size} bytes")
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        return None
