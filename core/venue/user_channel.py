"""The user channel's messages, turned into what happened to our orders (polymarket-api.md 6).

Fields are read leniently; what a fill needs is strict: trade id, order id, size and settlement. What cannot be read is
reported by name and costs nothing beside it.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from core.errors import MalformedMessage
from core.events import FillSeen, OrderSeen, Taken
from core.units import MICRO, OrderSide, Shares, Usd
from core.venue.lenient import id_of, micro_of, shown, side_of, summary, text_of, unix_of, word_of
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
"""Another word is no settlement: what it does to a position would be a guess (reliability.md X33)."""
_ORDER_TYPES: Final = ("PLACEMENT", "UPDATE", "CANCELLATION")
_TIMES: Final = ("match_time", "matchtime", "timestamp", "last_update")
_LONGEST_REASON: Final = 100

_parts: Final = msgspec.json.Decoder(list[msgspec.Raw])

UserEvent = OrderSeen | FillSeen


def decode_user_frame(frame: bytes | str, owner: str, wallet: str = "") -> Iterator[UserEvent]:
    """Decode a frame of the user channel.

    What cannot be read must not cost the fills beside it: everything else is told before it is reported.

    Args:
        frame: one object or an array of objects.
        owner: our API key id, and
        wallet: our funder's address: entries of a trade that name either are ours; "" names nobody.

    Raises:
        MalformedMessage: after the last event: the frame is no JSON, or something in it cannot be read.
    """
    parts: Sequence[bytes | str | msgspec.Raw] = [frame]
    try:
        if frame.lstrip()[:1] in ("[", b"["):
            parts = _parts.decode(frame)
    except UNREADABLE as error:
        raise MalformedMessage(str(error)) from error
    problems: list[str] = []
    for part in parts:
        try:
            message = msgspec.json.decode(part)
            kind = _kind(message)
            if kind == "order":
                yield _order(message)
            elif kind == "trade":
                fills, unread = own_fills(message, owner, wallet)
                yield from fills
                problems += unread
        except (*UNREADABLE, MalformedMessage) as error:
            problems.append(str(error))
    if problems:
        raise MalformedMessage(summary(problems))


def _kind(message: Any) -> str:
    """``order``, ``trade``, or a type that is none of ours.

    Raises:
        MalformedMessage: it is no object, or names no type at all.
    """
    if not isinstance(message, dict):
        raise MalformedMessage("a message that is no object")
    told, kind = word_of(message.get("event_type")), word_of(message.get("type"))
    if not told and not kind:
        raise MalformedMessage("a message that names no type")
    return "order" if not told and kind in _ORDER_TYPES else (told or kind).lower()


def _order(message: dict[str, Any]) -> OrderSeen:
    return order_seen(id_of(message.get("id")), message.get("status"), message.get("size_matched"), message.get("type"))


def order_seen(order_id: str, status: Any, size_matched: Any, kind: Any = "") -> OrderSeen:
    """Read the venue's status words for one order, from a message or from a REST read.

    ``CANCELED_<reason>`` is open-ended, and ``INVALID`` with a cancellation means cancelled (polymarket-api.md 6.1).
    A word that is not known leaves the order in the book, where it counts in full.

    Args:
        order_id: of the order.
        status: as told, with or without prefix.
        size_matched: shares as told; null and "" tell nothing.
        kind: ``type`` of the message that tells it.

    Raises:
        MalformedMessage: there is no order id, or the matched size is no number.
    """
    if not order_id:
        raise MalformedMessage("an order without an id")
    word = word_of(status, "ORDER_STATUS_")[:_LONGEST_REASON]
    is_cancel = word_of(kind) == "CANCELLATION" or word.startswith(("CANCELED", "CANCELLED")) or word == "INVALID"
    try:
        matched = None if size_matched is None or size_matched == "" else Shares(micro_of(size_matched))
    except MalformedMessage as error:
        raise MalformedMessage(f"order {shown(order_id)}: {error}") from error
    if is_cancel:
        return OrderSeen(order_id=order_id, status="cancelled", matched=matched, detail=word)
    detail = "" if word in ("LIVE", "MATCHED") else word
    return OrderSeen(
        order_id=order_id, status="matched" if word == "MATCHED" else "live", matched=matched, detail=detail
    )


def own_fills(
    trade: dict[str, Any], owner: str, wallet: str, source: Literal["channel", "read"] = "channel"
) -> tuple[list[FillSeen], list[str]]:
    """Our parts of one trade, of the channel or of GET /data/trades (polymarket-api.md 6.2, 6.3).

    The top level describes the taker; makers find themselves in ``maker_orders``, which lists those of the whole
    sweep. A part that names nobody may be ours: it is told as not owned, and whoever knows our orders drops it.

    Args:
        trade: the message or row.
        owner: our API key id, "" when nobody.
        wallet: our funder's address, "" when nobody.
        source: where it was read.

    Returns:
        The fills, and one line for each part that cannot be read; both name the trade.

    Raises:
        MalformedMessage: nothing of it can be used: no trade id, or an unknown settlement.
    """
    trade_id = id_of(trade.get("id"))
    if not trade_id:
        raise MalformedMessage("a trade without an id")
    settlement = _SETTLEMENTS.get(word_of(trade.get("status"), "TRADE_STATUS_"))
    if settlement is None:
        raise MalformedMessage(f"trade {shown(trade_id)}: status {shown(trade.get('status'))}")
    header = FillSeen(
        trade_id=trade_id,
        order_id="",
        size=Shares(0),
        settlement=settlement,
        unix=next(filter(None, (unix_of(trade.get(name)) for name in _TIMES)), 0.0),
        source=source,
        market=id_of(trade.get("market")),
        transaction=id_of(trade.get("transaction_hash")),
    )
    reading = _Reading(trade, header, owner.lower(), wallet.lower())
    return reading.fills(), reading.problems


class _Reading:
    """One trade while our parts are looked for."""

    def __init__(self, trade: dict[str, Any], header: FillSeen, owner: str, wallet: str) -> None:
        self.problems: list[str] = []
        self._trade = trade
        self._header = header
        """What all fills of the trade have in common."""
        self._owner = owner
        self._wallet = wallet

    def fills(self) -> list[FillSeen]:
        """Our parts, each order once; what is amiss is added to the problems."""
        found: dict[str, FillSeen] = {}
        doubtful: set[str] = set()
        makers = self._makers()
        parts: list[FillSeen] = []
        for number, entry in enumerate(makers):
            try:
                parts += self._maker(entry)
            except MalformedMessage as error:
                self._problem(f"maker {number}: {error}")
        try:
            parts += self._taker(may_have_made=bool(parts or self.problems))
        except MalformedMessage as error:
            self._problem(f"taker: {error}")
        if not makers and not parts and not self.problems:
            self._problem("no part of it is told")
        for fill in parts:
            if found.setdefault(fill.order_id, fill) != fill:
                doubtful.add(fill.order_id)
        for order_id in sorted(doubtful):
            self._problem(f"order {shown(order_id)} is in it twice, differently")
        return [fill for order_id, fill in found.items() if fill.size and order_id not in doubtful]

    def _makers(self) -> list[Any]:
        told = self._trade.get("maker_orders")
        if isinstance(told, list):
            return told
        if told is not None:
            self._problem("its makers are no list")
        return []

    def _maker(self, entry: Any) -> list[FillSeen]:
        if not isinstance(entry, dict):
            raise MalformedMessage("no object")
        names_somebody, names_us = self._names(entry.get("owner"), entry.get("maker_address"))
        if names_somebody and not names_us:
            return []
        token = id_of(entry.get("asset_id"))
        side = side_of(entry.get("side")) or self._opposed(token)
        return [self._fill(entry, "order_id", "matched_amount", side, names_us)]

    def _taker(self, *, may_have_made: bool) -> list[FillSeen]:
        """The taker's part, if it is ours.

        ``owner`` may be the one of whoever gets the message, so without a role it says little where we are a maker.
        """
        trade, role = self._trade, word_of(self._trade.get("trader_side"))
        names_somebody, names_us = self._names(
            text_of(trade.get("owner")) or trade.get("trade_owner"), trade.get("maker_address")
        )
        if role == "MAKER" or (names_somebody and not names_us):
            return []
        owned = names_us and (role == "TAKER" or not may_have_made)
        fill = self._fill(trade, "taker_order_id", "size", side_of(trade.get("side")), owned)
        return [replace(fill, taken=self._taken(fill))]

    def _taken(self, fill: FillSeen) -> tuple[Taken, ...]:
        """What a taker met, maker by maker; by the trade's price, the average, where its makers cannot be read."""
        told = self._trade.get("maker_orders")
        try:
            parts = tuple(_met(entry, fill.token) for entry in told) if isinstance(told, list) else ()
        except MalformedMessage:
            parts = ()
        if parts and sum(part.size for part in parts) == fill.size:
            return parts
        try:
            return (_paid(fill.price, fill.size),)
        except MalformedMessage:
            return ()

    def _names(self, key: Any, address: Any) -> tuple[bool, bool]:
        """Whether a part names anybody, and whether it names us. An empty key names nobody, whatever the address."""
        key, address = text_of(key).lower(), text_of(address).lower()
        names_us = (key != "" and key == self._owner) or (address != "" and address == self._wallet)
        return key != "", names_us

    def _opposed(self, token: str) -> OrderSide | None:
        """A maker's side by the taker's: the opposite on the same token, the same on the other (6.3)."""
        taker_side, taker_token = side_of(self._trade.get("side")), id_of(self._trade.get("asset_id"))
        if taker_side is None or not token or not taker_token:
            return None
        if token != taker_token:
            return taker_side
        return "SELL" if taker_side == "BUY" else "BUY"

    def _fill(self, part: dict[str, Any], order: str, size: str, side: OrderSide | None, owned: bool) -> FillSeen:
        order_id = id_of(part.get(order))
        if not order_id:
            raise MalformedMessage(f"no {order}")
        return replace(
            self._header,
            order_id=order_id,
            size=Shares(micro_of(part.get(size))),
            owned=owned,
            token=id_of(part.get("asset_id")),
            order_side=side or "",
            price=id_of(part.get("price")),
        )

    def _problem(self, text: str) -> None:
        self.problems.append(f"trade {shown(self._header.trade_id)}: {text}")


def _met(entry: Any, token: str) -> Taken:
    """One maker's part as its taker sees it: on the other token both give, or get, what makes up a dollar a share.

    Raises:
        MalformedMessage: it cannot be read.
    """
    if not isinstance(entry, dict):
        raise MalformedMessage("no object")
    part = _paid(entry.get("price"), Shares(micro_of(entry.get("matched_amount"))))
    if id_of(entry.get("asset_id")) == token:
        return part
    return Taken(Usd(MICRO - part.price), part.size, Usd(part.size - part.cash))


def _paid(price: Any, size: Shares) -> Taken:
    """So many shares at a price as told, which has as many digits as the dollars that were paid need (6.2).

    Raises:
        MalformedMessage: it is no price.
    """
    usd = micro_of(price)
    if usd > MICRO:
        raise MalformedMessage(f"a price of {shown(price)}")
    return Taken(Usd(usd), size, Usd(round(Decimal(text_of(price)) * size)))
