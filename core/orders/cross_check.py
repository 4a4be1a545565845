"""Our fills against the venue's public index of trades: two sources, one sum for each transaction, token and side.

The index is cached for minutes and lists what reached the chain, one row for each of our parts or one for all of them
(polymarket-api.md 8), so only sums are compared, only of what is final with us, and only once it is old enough. What
differs is a question to ask the venue's own lists, never a correction (reliability.md X31).
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from core.events import FillSeen, IndexedTrade
from core.units import SIZE_QUANTUM, Shares

_Key = tuple[str, str, str]
_UNNAMED: Final = "of trade "
"""Begins the name of a transaction whose hash nobody told."""


class Difference(msgspec.Struct, frozen=True):
    """One transaction of which our books and the index tell different sums."""

    transaction: str
    """Hash in lower case, or ``of trade`` and our trade's id where nobody told it."""
    token: str
    order_side: str
    ours: Shares
    theirs: Shares


def cross_check(
    fills: Iterable[FillSeen], trades: Iterable[IndexedTrade], after_unix: float, before_unix: float
) -> list[Difference]:
    """Compare sums by transaction, token and side.

    A transaction counts when the latest that either side knows of it lies between the two moments, and when nothing
    of it is still on its way with us. Sums that differ by less than a hundredth of a share are equal (reliability.md
    X17).

    Args:
        fills: ours, foreign orders included: one for each trade and order, with its latest settlement, token and
            side. They must begin some minutes before ``after_unix``, because the index dates a trade by its block.
        trades: the index's, complete from ``after_unix`` on.
        after_unix: seconds.
        before_unix: seconds; some minutes ago, so that the index has caught up.

    Returns:
        What differs, by transaction, token and side; so does a final fill whose hash nobody told.
    """
    ours: defaultdict[_Key, int] = defaultdict(int)
    theirs: defaultdict[_Key, int] = defaultdict(int)
    latest: defaultdict[str, float] = defaultdict(float)
    unsettled: set[str] = set()
    for fill in fills:
        name = fill.transaction.lower() or f"{_UNNAMED}{fill.trade_id}"
        if fill.settlement == "confirmed":
            ours[name, fill.token, fill.order_side] += fill.size
            latest[name] = max(latest[name], fill.unix)
        elif fill.settlement != "failed":
            unsettled.add(name)
    for trade in trades:
        name = trade.transaction.lower()
        theirs[name, trade.token, trade.order_side] += trade.size
        latest[name] = max(latest[name], trade.unix)
    return [
        Difference(*key, ours=Shares(ours[key]), theirs=Shares(theirs[key]))
        for key in sorted(ours.keys() | theirs.keys())
        if key[0] not in unsettled
        and after_unix <= latest[key[0]] <= before_unix
        and abs(ours[key] - theirs[key]) >= SIZE_QUANTUM
    ]
