"""Rows of the account's lists, made events: one that cannot be read is named, and costs no other.

Pure, so that a simulated venue's rows become events the same way (polymarket-api.md 4.2).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from core.errors import MalformedMessage
from core.events import FillSeen, ListedOrder, OpenOrdersRead, TradesRead
from core.units import Shares
from core.venue.lenient import id_of, micro_of, side_of, summary
from core.venue.user_channel import own_fills

ORDERS_PATH: Final = "/data/orders"
TRADES_PATH: Final = "/data/trades"


def open_orders_read(rows: Sequence[Any], asked_s: float, problems: Iterable[str] = ()) -> OpenOrdersRead:
    """Open orders of GET /data/orders, each once: of an order on two pages the later row counts.

    Sizes are taken for decimal shares, as they were wherever rows were recorded. The OpenAPI file speaks of 6-decimal
    integers (polymarket-api.md 4.2): such a size would be a million times what we sent, which only a caller who
    knows the order can see.

    Args:
        rows: of all pages that came.
        asked_s: when the first request left, monotonic seconds.
        problems: what is known to be missing.
    """
    unread = list(problems)
    found: dict[str, ListedOrder] = {}
    for number, row in enumerate(rows):
        try:
            order = _listed(row)
        except MalformedMessage as error:
            unread.append(f"{ORDERS_PATH}, row {number}: {error}")
        else:
            found[order.order_id] = order
    return OpenOrdersRead(asked_s=asked_s, orders=tuple(found.values()), complete=not unread, problem=summary(unread))


def _listed(row: Any) -> ListedOrder:
    if not isinstance(row, dict):
        raise MalformedMessage("no object")
    order_id = id_of(row.get("id"))
    if not order_id:
        raise MalformedMessage("no id")
    return ListedOrder(
        order_id=order_id,
        market=id_of(row.get("market")),
        token=id_of(row.get("asset_id")),
        order_side=side_of(row.get("side")) or "",
        price=id_of(row.get("price")),
        size=Shares(micro_of(row.get("original_size"))),
        matched=Shares(micro_of(row.get("size_matched") or 0)),
    )


def trades_read(
    rows: Sequence[Any], owner: str, wallet: str, asked_s: float, after_unix: int, problems: Iterable[str] = ()
) -> TradesRead:
    """Our fills in the trades of GET /data/trades; what two pages tell alike is told once.

    Args:
        rows: of all pages that came.
        owner: our API key id.
        wallet: our funder's address.
        asked_s: when the first request left, monotonic seconds.
        after_unix: from when on trades were asked for, seconds.
        problems: what is known to be missing.
    """
    unread = list(problems)
    fills: dict[FillSeen, None] = {}
    for number, row in enumerate(rows):
        try:
            if not isinstance(row, dict):
                raise MalformedMessage("no object")
            found, amiss = own_fills(row, owner, wallet, "read")
        except MalformedMessage as error:
            unread.append(f"{TRADES_PATH}, row {number}: {error}")
        else:
            fills |= dict.fromkeys(found)
            unread += [f"{TRADES_PATH}, row {number}: {problem}" for problem in amiss]
    return TradesRead(
        asked_s=asked_s, after_unix=after_unix, fills=tuple(fills), complete=not unread, problem=summary(unread)
    )
