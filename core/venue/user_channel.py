"""The user channel's messages, turned into what happened to our orders (polymarket-api.md 6).

Numbers are read leniently, because the venue sends empty texts in optional ones; what a fill needs is strict.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from core.errors import MalformedMessage
from core.events import FillSeen, OrderSeen
from core.units import Shares, UnitError, parse_micro
from core.venue.wire import UNREADABLE

Settlement = Literal["matched", "mined", "confirmed", "retrying", "failed"]

_SETTLEMENTS: Final[dict[str, Settlement]] = {
    "MATCHED": "matched",
    "MATCHED_NOT_BROADCASTED": "matched",
    "MINED": "mined",
    "CONFIRMED": "confirmed",
    "RETRYING": "retrying",
    "FAILED": "failed",
}


class _MakerOrder(msgspec.Struct):
    order_id: str = ""
    matched_amount: str = ""
    owner: str = ""
    maker_address: str = ""


class _UserMessage(msgspec.Struct):
    """Both message types in one flat struct; the fields a type does not have stay empty."""

    event_type: str = ""
    type: str = ""
    id: str = ""
    status: str = ""
    size_matched: str | None = None
    size: str = ""
    taker_order_id: str = ""
    trader_side: str = ""
    owner: str = ""
    match_time: str = ""
    matchtime: str = ""
    timestamp: str = ""
    maker_orders: tuple[_MakerOrder, ...] | None = None


_message: Final = msgspec.json.Decoder(_UserMessage)
_parts: Final = msgspec.json.Decoder(list[msgspec.Raw])

UserEvent = OrderSeen | FillSeen


def decode_user_frame(frame: bytes | str, owner: str) -> Iterator[UserEvent]:
    """Decode a frame of the user channel.

    One message that cannot be read must not cost the fills beside it: all others are told before it is reported.

    Args:
        frame: one object or an array of objects.
        owner: our API key id; only its entries of a trade are ours.

    Raises:
        MalformedMessage: after the last event: the frame is not JSON of this shape, or a size is no number.
    """
    problem: Exception | None = None
    try:
        parts: Sequence[bytes | str | msgspec.Raw] = [frame]
        if frame.lstrip()[:1] in ("[", b"["):
            parts = _parts.decode(frame)
    except UNREADABLE as error:
        raise MalformedMessage(str(error)) from error
    for part in parts:
        try:
            yield from _events(_message.decode(part), owner)
        except (*UNREADABLE, MalformedMessage) as error:
            problem = error
    if problem is not None:
        raise MalformedMessage(str(problem)) from problem


def _events(message: _UserMessage, owner: str) -> list[UserEvent]:
    if message.event_type == "order":
        return [_order(message)]
    return [*_fills(message, owner)] if message.event_type == "trade" else []


def fills_of_trades(trades: list[dict[str, Any]], owner: str) -> list[FillSeen]:
    """Our fills in trades read over REST, which have the shape of the channel's (polymarket-api.md 4.2).

    Raises:
        MalformedMessage: a trade has another shape.
    """
    try:
        messages = [msgspec.convert(trade, _UserMessage, strict=False) for trade in trades]
    except msgspec.ValidationError as error:
        raise MalformedMessage(str(error)) from error
    return [fill for message in messages for fill in _fills(message, owner)]


def order_seen(order_id: str, status: str, size_matched: str | None, kind: str = "") -> OrderSeen:
    """Read the venue's status words for one order, from a message or from a REST read.

    ``CANCELED_<reason>`` is open-ended, and ``INVALID`` with a cancellation means cancelled (polymarket-api.md 6.1).

    Raises:
        MalformedMessage: the matched size is no number.
    """
    word = status.removeprefix("ORDER_STATUS_").upper()
    matched = None if not size_matched else _shares(size_matched)
    if kind == "CANCELLATION" or word.startswith("CANCELED") or word == "INVALID":
        return OrderSeen(order_id=order_id, status="cancelled", matched=matched, detail=word)
    if word == "MATCHED":
        return OrderSeen(order_id=order_id, status="matched", matched=matched)
    return OrderSeen(order_id=order_id, status="live", matched=matched)


def _order(message: _UserMessage) -> OrderSeen:
    return order_seen(message.id, message.status, message.size_matched, message.type)


def _fills(message: _UserMessage, owner: str) -> list[FillSeen]:
    """Our entries of a trade. The top level describes the taker; a maker finds itself in ``maker_orders``."""
    settlement = _SETTLEMENTS.get(message.status.removeprefix("TRADE_STATUS_").upper())
    if settlement is None:
        raise MalformedMessage(f"trade status {message.status[:40]!r}")
    unix = _seconds(message.match_time or message.matchtime or message.timestamp)
    makers = message.maker_orders or ()
    # An entry without an owner may be ours: whoever knows our orders drops the strangers.
    ours = [(o.order_id, _shares(o.matched_amount)) for o in makers if o.owner in (owner, "")]
    if message.trader_side == "TAKER" and message.owner == owner:
        ours.append((message.taker_order_id, _shares(message.size)))
    return [
        FillSeen(trade_id=message.id, order_id=order, size=size, settlement=settlement, unix=unix)
        for order, size in ours
        if size > 0
    ]


def _shares(text: str) -> Shares:
    try:
        return Shares(parse_micro(text))
    except UnitError as error:
        raise MalformedMessage(str(error)) from error


def _seconds(text: str) -> float:
    """A stamp in seconds or, by its length, in milliseconds; 0 when it is none, because a fill counts without it."""
    if not (text.isdigit() and text.isascii() and len(text) < 16):
        return 0.0
    return int(text) / 1000 if len(text) > 11 else float(int(text))
