"""Rows of the account's lists, made events: one that cannot be read is named, and costs no other.

Pure, so that a simulated venue's rows become events the same way (polymarket-api.md 4.2).
"""

from collections.abc import Iterable, Sequence, Set
from typing import Any, Final

from core.errors import MalformedMessage
from core.events import FillSeen, ListedOrder, OpenOrdersRead, TradesRead, UnreadableTrade
from core.units import Shares
from core.venue.lenient import id_of, micro_of, side_of, summary, unix_of
from core.venue.user_channel import own_fills

ORDERS_PATH: Final = "/data/orders"
TRADES_PATH: Final = "/data/trades"


def open_orders_read(rows: Sequence[Any], asked_s: float, problems: Iterable[str] = ()) -> OpenOrdersRead:
    """Open orders of GET /data/orders, each once: of an order on two pages the later row counts.

    A row of which only the id can be read shows that its order is there; without an id any order may be it.

    Sizes are taken for decimal shares, as they were wherever rows were recorded. The OpenAPI file speaks of 6-decimal
    integers (polymarket-api.md 4.2): such a size would be a million times what we sent, which only a caller who
    knows the order can see.

    Args:
        rows: of all pages that came.
        asked_s: when the first request left, monotonic seconds.
        problems: what is known to be missing.
    """
    missing, unread = list(problems), list[str]()
    found: dict[str, ListedOrder] = {}
    for number, row in enumerate(rows):
        where = f"{ORDERS_PATH}, row {number}"
        order_id = id_of(row.get("id")) if isinstance(row, dict) else ""
        if not order_id:
            missing.append(f"{where}: {'no id' if isinstance(row, dict) else 'no object'}")
            continue
        try:
            found[order_id] = _listed(order_id, row)
        except MalformedMessage as error:
            found[order_id] = ListedOrder(order_id=order_id, market=id_of(row.get("market")))
            unread.append(f"{where}: {error}")
    return OpenOrdersRead(
        asked_s=asked_s,
        orders=tuple(found.values()),
        complete=not missing,
        problem=summary([*missing, *unread]),
    )


def _listed(order_id: str, row: dict[str, Any]) -> ListedOrder:
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

    A row that cannot be read, or not to its end, is told as such: it is on the list, and costs no other.

    Args:
        rows: of all pages that came.
        owner: our API key id.
        wallet: our funder's address.
        asked_s: when the first request left, monotonic seconds.
        after_unix: from when on trades were asked for, seconds.
        problems: what is known to be missing.
    """
    missing = list(problems)
    fills: dict[FillSeen, None] = {}
    unreadable: dict[UnreadableTrade, None] = {}
    for row in rows:
        found, amiss = _parts(row, owner, wallet)
        fills |= dict.fromkeys(found)
        if amiss:
            unreadable[_unreadable(row, {fill.order_id for fill in found}, summary(amiss))] = None
    return TradesRead(
        asked_s=asked_s,
        after_unix=after_unix,
        fills=tuple(fills),
        complete=not missing,
        problem=summary(missing),
        unreadable=tuple(unreadable),
    )


def _parts(row: Any, owner: str, wallet: str) -> tuple[list[FillSeen], list[str]]:
    """Our fills in a row, and what of it cannot be read."""
    if not isinstance(row, dict):
        return [], ["no object"]
    try:
        return own_fills(row, owner, wallet, "read")
    except MalformedMessage as error:
        return [], [str(error)]


def _unreadable(row: Any, read: Set[str], problem: str) -> UnreadableTrade:
    """A row of which at most the parts of the orders in ``read`` were understood; the others may be anybody's."""
    trade: dict[str, Any] = row if isinstance(row, dict) else {}
    makers = trade.get("maker_orders")
    entries = makers if isinstance(makers, list) else []
    named = [id_of(entry.get("order_id")) if isinstance(entry, dict) else "" for entry in entries]
    named.append(id_of(trade.get("taker_order_id")))
    return UnreadableTrade(
        trade_id=id_of(trade.get("id")),
        order_ids=tuple(dict.fromkeys(name for name in named if name and name not in read)),
        problem=problem,
        names_all=bool(entries) and all(named),
        unix=unix_of(trade.get("match_time")),
    )
