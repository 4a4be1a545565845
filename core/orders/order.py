"""One order and the states it may be in.

The transition table is the whole truth: a pair that is not in it does not happen, except that a fill is never
refused (reliability.md 4.2). UNKNOWN is a state, not an error: it counts at full size until evidence settles it. An end
is an end, unless the venue shows the order open afterwards: what rests there counts, whatever was proven before.
"""

import math
from enum import Enum
from typing import Final, Literal

from core.errors import InvariantBroken
from core.orders.evidence import Evidence
from core.quoting.explain import LayerExplanation
from core.units import MICRO, SIZE_QUANTUM, Grid, OrderSide, Outcome, Shares, Side, Ticks, Usd


class State(Enum):
    """Where an order is in its life."""

    __hash__ = object.__hash__  # members are singletons; Enum's own is Python code, and states are looked up everywhere

    INTENT = "INTENT"
    """Wanted; not signed yet."""
    SENDING = "SENDING"
    """Journaled; its bytes may be on their way."""
    LIVE = "LIVE"
    PARTIAL = "PARTIAL"
    DELAYED = "DELAYED"
    UNKNOWN = "UNKNOWN"
    """May or may not be at the venue."""
    CANCEL_SENT = "CANCEL_SENT"
    MATCHED = "MATCHED"
    DONE = "DONE"
    """Matched whole, and all its trades are final."""
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"
    """Stopped on our side before any byte was sent."""
    NOT_PLACED = "NOT_PLACED"
    """Proven never to have reached the book."""


TERMINAL: Final = frozenset(
    {State.MATCHED, State.DONE, State.CANCELLED, State.REJECTED, State.DENIED, State.NOT_PLACED}
)
AT_RISK: Final = frozenset(set(State) - TERMINAL)
"""States in which an order may be filled, or may come to be."""
IN_BOOK: Final = frozenset({State.LIVE, State.PARTIAL, State.CANCEL_SENT})
"""States in which the venue's book shows the order."""

OrderEvent = Literal[
    "signed",
    "live",
    "matched",
    "delayed",
    "refused",
    "unknown",
    "denied",
    "cancel_sent",
    "cancelled",
    "partial",
    "absent",
    "settled",
    "revived",
]

_OVERTAKEN: Final = frozenset({"signed", "delayed", "unknown", "refused", "denied", "absent"})
"""Words that come too late to matter: what the venue has shown of the order since says more."""
_OPEN: Final = (State.LIVE, State.PARTIAL, State.DELAYED, State.UNKNOWN, State.CANCEL_SENT)

TRANSITIONS: Final[dict[tuple[State, OrderEvent], State]] = {
    (State.INTENT, "signed"): State.SENDING,
    (State.INTENT, "denied"): State.DENIED,
    (State.SENDING, "denied"): State.DENIED,
    (State.SENDING, "live"): State.LIVE,
    (State.SENDING, "matched"): State.MATCHED,
    (State.SENDING, "partial"): State.PARTIAL,
    (State.SENDING, "delayed"): State.DELAYED,
    (State.SENDING, "refused"): State.REJECTED,
    (State.SENDING, "unknown"): State.UNKNOWN,
    (State.SENDING, "cancelled"): State.CANCELLED,
    (State.UNKNOWN, "live"): State.LIVE,
    (State.UNKNOWN, "partial"): State.PARTIAL,
    (State.UNKNOWN, "absent"): State.NOT_PLACED,
    (State.UNKNOWN, "refused"): State.REJECTED,
    (State.UNKNOWN, "denied"): State.DENIED,
    (State.MATCHED, "settled"): State.DONE,
    (State.DELAYED, "live"): State.LIVE,
    (State.DELAYED, "partial"): State.PARTIAL,
    (State.LIVE, "live"): State.LIVE,
    (State.LIVE, "partial"): State.PARTIAL,
    (State.PARTIAL, "partial"): State.PARTIAL,
    (State.PARTIAL, "live"): State.PARTIAL,
    (State.CANCEL_SENT, "partial"): State.CANCEL_SENT,
    (State.CANCEL_SENT, "live"): State.CANCEL_SENT,
    (State.CANCEL_SENT, "cancel_sent"): State.CANCEL_SENT,
    **{(state, "cancel_sent"): State.CANCEL_SENT for state in _OPEN},
    **{(state, "cancelled"): State.CANCELLED for state in _OPEN},
    **{(state, "matched"): State.MATCHED for state in _OPEN},
    **{(state, "revived"): State.LIVE for state in TERMINAL},
}


class Order:
    """One order of ours, from the wish to its end."""

    __slots__ = (
        "book",
        "cancel_sent_s",
        "cancel_wanted",
        "cancels",
        "created_s",
        "crosses",
        "detail",
        "evidence",
        "explanation",
        "filled",
        "flattens",
        "grid",
        "held",
        "intent",
        "last_read_s",
        "layer",
        "level_size",
        "market",
        "matched",
        "open_fills",
        "order_id",
        "order_side",
        "outcome",
        "price",
        "reads",
        "reason",
        "settings_hash",
        "side",
        "since_s",
        "size",
        "state",
        "token",
        "unknown_s",
        "usd",
        "validated_s",
        "yes_price",
    )

    def __init__(
        self,
        *,
        intent: int,
        market: str,
        token: str,
        outcome: Outcome,
        order_side: OrderSide,
        grid: Grid,
        price: Ticks,
        yes_price: Ticks,
        size: Shares,
        side: Side,
        layer: int,
        reason: str,
        now: float,
    ) -> None:
        self.intent = intent
        self.order_id = ""
        self.market = market
        self.token = token
        self.outcome = outcome
        self.order_side = order_side
        self.grid = grid
        """Of both prices."""
        self.price = price
        """In the frame of the token."""
        self.yes_price = yes_price
        """In the YES frame."""
        self.usd = grid.dollars_of(price)
        """What a share of the token costs, micro-dollars; the ticks above may be rounded when the grid changes."""
        self.size = size
        self.filled = Shares(0)
        self.held = Shares(0)
        """What may have been filled before a cancel whose answer told no sizes (polymarket-api.md 4.2)."""
        self.matched = Shares(0)
        """What the venue says is matched; its fills are told apart from that, sooner or later."""
        self.side = side
        self.layer = layer
        self.reason = reason
        """Why it was placed; later why it was cancelled."""
        self.detail = ""
        """The venue's words, foreign text."""
        self.state = State.INTENT
        self.created_s = now
        self.since_s = now
        """When the present state was entered."""
        self.validated_s = now
        """When a decision on fresh data last wanted it as it is."""
        self.cancel_wanted = ""
        """Reason of a cancel that has to be sent as soon as it can be; "" when none."""
        self.cancel_sent_s = -math.inf
        """When the last cancel was sent."""
        self.cancels = 0
        """Cancels sent without an answer that settled anything."""
        self.last_read_s = -math.inf
        """When the venue was last asked for it by id."""
        self.reads = 0
        """How often it was, since its last sign."""
        self.unknown_s: float | None = None
        """Since when it is not known whether the venue has the order; a cancel does not end this, evidence does."""
        self.evidence: Evidence | None = None
        """Of its absence; None while nothing speaks for one."""
        self.open_fills = 0
        """Its fills that may still fail."""
        self.settings_hash = ""
        """Of the settings it was decided with."""
        self.book = ""
        """Version of the book it was decided on."""
        self.explanation: LayerExplanation | None = None
        self.crosses = False
        """It takes what is there and never rests."""
        self.flattens = False
        """A flattening placed it."""
        self.level_size: Shares | None = None
        """Others' displayed size at our price when the order came into the book."""

    @property
    def remaining(self) -> Shares:
        """Shares that may still be filled, or are and were not told; never negative."""
        if self.state in TERMINAL:
            return Shares(max(self.owed, self.held))
        left = self.size - self.filled
        return Shares(left if left > 0 else 0)

    @property
    def reserves(self) -> Usd:
        """Micro-dollars that what remains of a buy would spend; nothing for a sell."""
        return Usd((self.usd * self.remaining + MICRO // 2) // MICRO) if self.order_side == "BUY" else Usd(0)

    @property
    def owed(self) -> Shares:
        """Shares the venue says are matched whose fills were not told."""
        owed = self.matched - self.filled
        return Shares(owed if owed >= SIZE_QUANTUM else 0)  # fills may end a hundredth short

    @property
    def at_risk(self) -> bool:
        """The order may be filled, or may come to be, or its fills are still to be told."""
        return self.state in AT_RISK or self.remaining > 0

    @property
    def in_doubt_since(self) -> float | None:
        """Since when the venue's part is not known: the outcome of the placement, or fills of an ended order."""
        if self.state in TERMINAL:
            return self.since_s if self.owed else None
        return self.unknown_s

    def advance(self, event: OrderEvent, now: float) -> bool:
        """Move along the table.

        Returns:
            True when the state changed. Events on a terminal order are late news and change nothing.

        Raises:
            InvariantBroken: the table has no such transition for a living order.
        """
        target = TRANSITIONS.get((self.state, event))
        if target is None:
            if self.state in TERMINAL or (self.state in _OPEN and event in _OVERTAKEN):
                return False
            raise InvariantBroken(f"order {self.order_id or self.intent}: {event} in state {self.state.value}")
        if target is self.state:
            return False
        if target is not State.CANCEL_SENT:
            self.unknown_s = now if target is State.UNKNOWN else None
        self.state, self.since_s = target, now
        return True
