"""How much risk a market carries and how much more it may take, so that the cap holds even if every order fills."""

from typing import Final, Literal, NamedTuple

import msgspec

from core.units import MICRO, Shares, Side, Usd

CapState = Literal["normal", "soft", "hard"]
RoomLimit = Literal["ok", "hard_cap", "inventory", "reduce_only", "gross_cap", "cost_cap", "pending", "fading"]
"""What left a side without room; ``inventory``: the room to the hard cap is used up."""

_SLACK: Final = 1e-9
_ROOM_MOST: Final = 1e12
"""Shares; keeps the room finite next to a price of 0 or 1."""
_ROOM_SLACK: Final = 0.01
"""Micro-shares: undoes binary noise of a room that is a whole number of them."""


class Caps(msgspec.Struct, frozen=True, gc=False):
    """One market's inventory against its caps."""

    net: Shares
    """YES minus NO."""
    exposure: float
    """Dollars lost at the present fair value if the market resolves against us."""
    q_norm: float
    """-1 .. 1; 1 is long YES at the hard cap."""
    state: CapState
    adding_multiplier: float
    """0 .. 1, for the sizes of the side that adds risk."""
    room_bid: float
    """Shares that may still be bought in the YES frame."""
    room_ask: float
    """Shares that may still be sold in the YES frame."""


class CostRoom(NamedTuple):
    """How much one market's orders may still add to what it may lose at cost (:mod:`core.risk.exposure`)."""

    bid: int
    """Pico; negative where a cap is exceeded already."""
    ask: int
    net: Shares
    """What the final lines hold, YES minus NO."""
    entered: Usd
    """What a share of that was entered at in the YES frame, micro-dollars: closing it counts at this or worse."""
    closing_bid: int | None = None
    """As ``bid``, for what works the position off: the market's cap never stops that, its event's may, as the position
    may hedge another. None: nothing does."""
    closing_ask: int | None = None

    def shares(self, side: Side, price: Usd) -> int:
        """Micro-shares that a side's orders may sum to, none of them nearer to the middle than ``price``."""
        return max(0, (self.bid if side == "bid" else self.ask) // self._counted_at(side, price))

    def closing(self, side: Side, price: Usd) -> int | None:
        """The same for what works the position off; None without a limit."""
        room = self.closing_bid if side == "bid" else self.closing_ask
        return None if room is None else max(0, room // self._counted_at(side, price))

    def _counted_at(self, side: Side, price: Usd) -> int:
        """What a share of a side adds at most, micro-dollars, at least one."""
        if side == "bid":
            return max(1, price, self.entered if self.net < 0 else 0)
        return max(1, MICRO - price, MICRO - self.entered if self.net > 0 else 0)


def inventory_caps(net: Shares, fair: float, equity: Usd, soft: float, hard: float) -> Caps:
    """Exposure, normalised inventory, state and room of one market.

    Args:
        net: YES minus NO, provisional fills included.
        fair: dollars, in (0, 1).
        equity: the bankroll, above 0.
        soft: fraction of the bankroll, below ``hard``.
        hard: fraction of the bankroll.

    Source: market-making.md 1.6, ``inventory.caps``.
    """
    shares = net / MICRO
    bankroll = equity / MICRO
    cap = hard * bankroll
    exposure = shares * fair if net >= 0 else -shares * (1.0 - fair)
    used = exposure / cap
    if used > 1.0:
        used = 1.0
    state: CapState = "normal"
    if exposure >= cap - _SLACK:
        state = "hard"
    elif exposure >= soft * bankroll - _SLACK:
        state = "soft"
    adding = (1.0 - used) / (1.0 - soft / hard)
    room_bid, room_ask = cap / fair - shares, shares + cap / (1.0 - fair)
    return Caps(
        net,
        exposure,
        used if net >= 0 else -used,
        state,
        adding if adding < 1.0 else 1.0,
        room_bid if room_bid > 0.0 else 0.0,
        room_ask if room_ask > 0.0 else 0.0,
    )


def side_room(
    side: Side, caps: Caps, fair: float, pending: Shares, reduce_only: bool, gross_room: Usd | None
) -> tuple[Shares, RoomLimit]:
    """Shares a side's orders may sum to, and what would be to blame if that is too little.

    Args:
        side: of the YES book.
        caps: from :func:`inventory_caps` at the same fair value.
        fair: dollars, in (0, 1).
        pending: orders of this side that may still fill and are not part of the plan.
        reduce_only: no more risk is wanted, whatever the caps allow.
        gross_room: exposure beyond the present one that the portfolio cap still allows; None without such a cap.

    Returns:
        Micro-shares, never negative. A side that adds has none at the hard cap, when reducing only and when the
        portfolio is full; the other side is then limited to the position itself, so that it cannot turn it over.

    Source: market-making.md 1.6 (hard state, portfolio cap), 1.14.
    """
    net = caps.net
    of_cap = caps.room_bid if side == "bid" else caps.room_ask
    room = int((of_cap if of_cap < _ROOM_MOST else _ROOM_MOST) * MICRO + _ROOM_SLACK)
    limit: RoomLimit = "inventory"
    full: RoomLimit = "ok"
    if caps.state == "hard":
        full = "hard_cap"
    elif reduce_only:
        full = "reduce_only"
    elif gross_room is not None and gross_room <= 0:
        full = "gross_cap"
    if full != "ok":
        limit = full
        reduces = net < 0 if side == "bid" else net > 0
        room = min(room, abs(net)) if reduces else 0
    elif gross_room is not None:
        allowed = caps.exposure * MICRO + gross_room
        of_gross = allowed / fair - net if side == "bid" else net + allowed / (1.0 - fair)
        if of_gross < room:
            room, limit = int(of_gross + _ROOM_SLACK), "gross_cap"
    if pending:
        limit = "pending" if room else limit
        room = max(0, room - pending)
    return Shares(room), limit
