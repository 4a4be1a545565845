"""Orders of which nobody knows whether the venue has them: what is asked for each, and what the answers prove."""

from collections.abc import Iterator
from typing import Final

from core.actions import Cancel, ReadOrder
from core.orders.evidence import Evidence
from core.orders.order import Order, State

READ_SEC: Final = 2.0
"""Time between reads of an order in doubt while the doubt is young."""
SLOW_READ_SEC: Final = 8.0
"""The same later (reliability.md 2.0)."""
QUICK_READS: Final = 8
CANCEL_RETRY_SEC: Final = (2.0, 4.0, 8.0, 8.0)
"""Time from each cancel of an order to the next."""
MOST_CANCELS: Final = len(CANCEL_RETRY_SEC) + 1
"""Cancels of one order that nothing came of; after these only reads go on (reliability.md 4.2)."""
STUBBORN_SEC: Final = 30.0
"""From one further cancel to the next of an order that the venue goes on showing."""


class Doubts:
    """The orders with evidence against them. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._orders: dict[int, Order] = {}

    def __iter__(self) -> Iterator[Order]:
        return iter(list(self._orders.values()))

    def begin(self, order: Order, since_s: float) -> None:
        """Begin to collect evidence that an order last seen at ``since_s`` is not there; what is collected stays."""
        if order.evidence is None:
            order.evidence = Evidence(since_s)
            order.reads = 0
            self._orders[order.intent] = order

    def end(self, order: Order) -> None:
        """The venue has shown the order: nothing found before speaks against it any more."""
        order.evidence = order.unknown_s = None
        self._orders.pop(order.intent, None)

    def start_anew(self, order: Order, now: float) -> None:
        """The venue was out: what was found before proves nothing, and what was sent before did nothing."""
        order.cancels = 0
        order.evidence = None
        self.begin(order, now)

    def ask(self, now: float) -> list[Cancel | ReadOrder]:
        """What to ask now; an order that may have landed unseen is cancelled by its id too."""
        actions: list[Cancel | ReadOrder] = []
        for order in self:
            every = READ_SEC if order.reads < QUICK_READS else SLOW_READ_SEC
            if now - order.last_read_s < every:
                continue
            if order.state is State.UNKNOWN and order.cancels < MOST_CANCELS:
                order.cancels += 1
                actions.append(Cancel(order_id=order.order_id, market=order.market, reason="outcome unknown"))
            order.reads += 1
            actions.append(asked_for(order, now))
        return actions

    def wants_lists(self) -> bool:
        """Lists of open orders and of trades would settle something."""
        return any(order.evidence is not None and order.evidence.wants_lists for order in self._orders.values())


def asked_for(order: Order, now: float) -> ReadOrder:
    """The question for one order, noted."""
    order.last_read_s = now
    return ReadOrder(order_id=order.order_id)


def wants_cancel(order: Order, now: float) -> bool:
    """An order's cancel is to be sent again."""
    since = now - order.cancel_sent_s
    if order.cancels < MOST_CANCELS:
        return order.cancels == 0 or since >= CANCEL_RETRY_SEC[order.cancels - 1]
    return order.evidence is None and since >= STUBBORN_SEC


def is_stuck(order: Order, now: float) -> bool:
    """All cancels of an order were sent, and long enough ago for an answer."""
    is_spent = order.state is State.CANCEL_SENT and order.cancels >= MOST_CANCELS
    return is_spent and now - order.cancel_sent_s >= CANCEL_RETRY_SEC[-1]
