"""Frames of the market channel, decoded.

A frame is one object or an array of objects. One decode step checks the shape; where a frame holds a message of the
wrong shape, the others in it are still used and the bad one is counted.
"""

from typing import Final

import msgspec

from core.errors import MalformedMessage
from core.events import MarketMessage

_frame: Final = msgspec.json.Decoder(MarketMessage | list[MarketMessage], strict=False)
_message: Final = msgspec.json.Decoder(MarketMessage, strict=False)
_parts: Final = msgspec.json.Decoder(list[msgspec.Raw])

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding foreign bytes may raise: no JSON, another shape, broken text, endless nesting."""

Frame = bytes | bytearray | memoryview | str


def decode_frame(frame: Frame) -> list[MarketMessage]:
    """Decode a frame whole.

    Raises:
        MalformedMessage: it is not JSON, or any message in it has the wrong shape; see :func:`salvage_frame`.
    """
    try:
        decoded = _frame.decode(frame)
    except UNREADABLE as error:
        raise MalformedMessage(str(error)) from error
    return decoded if isinstance(decoded, list) else [decoded]


def salvage_frame(frame: Frame) -> tuple[list[MarketMessage], int]:
    """Decode what can be used of a frame that :func:`decode_frame` refused.

    Returns:
        The well-formed messages in order, and how many (at least one) were not.
    """
    try:
        parts = _parts.decode(frame)
    except UNREADABLE:
        return [], 1
    messages = []
    for part in parts:
        try:
            messages.append(_message.decode(part))
        except UNREADABLE:
            continue
    return messages, len(parts) - len(messages)
