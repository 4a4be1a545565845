"""Frames of the market channel, decoded.

A frame is one object or an array of objects. One decode step checks the shape; where a frame holds a message of the
wrong shape, the others in it are still used and the bad one is counted. Of a key that stands twice in an object the
last counts: what it says is held against the book's hash like everything else.
"""

import contextlib
from collections.abc import Sequence
from typing import Final

import msgspec

from core.errors import MalformedMessage
from core.events import MarketMessage

FRAME: Final = msgspec.json.Decoder(MarketMessage | list[MarketMessage], strict=False)
"""Decodes a frame whole; raises one of :data:`UNREADABLE`."""
_message: Final = msgspec.json.Decoder(MarketMessage, strict=False)
_parts: Final = msgspec.json.Decoder(list[msgspec.Raw])


class _Kind(msgspec.Struct):
    event_type: str


_kind: Final = msgspec.json.Decoder(_Kind)

KNOWN_TYPES: Final = frozenset(
    {
        *("", "book", "price_change", "last_trade_price", "best_bid_ask"),
        *("tick_size_change", "new_market", "market_resolved"),
    }
)
"""Types whose shape is checked (polymarket-api.md 5.2); what names no type is bad too."""
UNREADABLE: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What decoding foreign bytes may raise: no JSON, another shape, broken text, endless nesting."""

Frame = bytes | bytearray | memoryview | str


def decode_frame(frame: Frame) -> list[MarketMessage]:
    """Decode a frame whole.

    Raises:
        MalformedMessage: it is not JSON, or any message in it has the wrong shape; see :func:`salvage_frame`.
    """
    try:
        decoded = FRAME.decode(frame)
    except UNREADABLE as error:
        raise MalformedMessage(str(error)) from error
    return decoded if isinstance(decoded, list) else [decoded]


def salvage_frame(frame: Frame) -> tuple[list[MarketMessage], int]:
    """Decode what can be used of a frame that :func:`decode_frame` refused.

    A message of a type we do not know is no bad one, whatever its fields hold; of it only the type is kept.

    Returns:
        The usable messages in order, and how many were not.
    """
    parts: Sequence[Frame] = [frame]
    with contextlib.suppress(*UNREADABLE):
        parts = _parts.decode(frame)
    messages = [message for message in map(_salvage, parts) if message is not None]
    return messages, len(parts) - len(messages)


def _salvage(part: Frame) -> MarketMessage | None:
    try:
        return _message.decode(part)
    except UNREADABLE:
        pass
    try:
        kind = _kind.decode(part).event_type
    except UNREADABLE:
        return None
    return None if kind in KNOWN_TYPES else MarketMessage(event_type=kind)
