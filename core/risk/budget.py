"""How much may be sent: a model of the signer's two token buckets at the venue, and what we allow ourselves of them.

Orders and cancels have a bucket each; a request costs what it carries and is admitted whole or refused whole
(polymarket-api.md 10.2). The model follows the headers of each answer and refills by itself between them. Placements
keep to a part of the tier and leave the cancels what clears the book (reliability.md 2.0, 4.9, X19, X20, I-17). Cancels
are never denied: they wait only when the venue itself has refused one for its rate (I-35).
"""

import math
from typing import Final, Literal

import msgspec

BucketName = Literal["orders", "cancels"]

ORDER_SHARE: Final = 0.25
"""Part of the tier's refill and burst that placements use (reliability.md 2.0, ``ORDER_BUDGET``)."""
RESERVE_SHARE: Final = 0.3
"""Part of the cancel burst that placements leave untouched (reliability.md 2.0, ``CANCEL_RESERVE``)."""
MOST_OPEN_SHARE: Final = 5 / 6
"""Part of the cancel burst that open orders may be: 100 on the smallest tier (reliability.md 2.0)."""
CANCEL_BATCH: Final = 100
"""Most ids in one request; below every tier's burst, above which it could never be admitted."""
SHORT_SEC: Final = 0.5
"""A wait longer than this is a shortage worth telling."""
LEAST_WAIT_SEC: Final = 1.0
"""After a refusal that says of no time, or of one that has passed: the venue counts whole seconds."""
LONGEST_WAIT_SEC: Final = 60.0
"""The longest refusal that is believed: an empty bucket of any tier is full after 1.5 s, a deep debt takes longer."""


class Rate(msgspec.Struct, frozen=True):
    """How fast a bucket fills and how much it holds, in tokens."""

    per_s: float
    burst: float


class Tier(msgspec.Struct, frozen=True):
    """What a signer's volume of the last 30 days entitles to."""

    orders: Rate
    cancels: Rate


STANDARD: Final = "Standard"
TIERS: Final = {
    name: Tier(Rate(per_s, burst), Rate(2 * per_s, cancel_burst))
    for name, per_s, burst, cancel_burst in (
        (STANDARD, 40, 60, 120),
        ("Copper", 60, 90, 180),
        ("Bronze", 80, 120, 240),
        ("Silver", 200, 300, 600),
        ("Gold", 400, 600, 1_200),
        ("Platinum", 450, 675, 1_350),
        ("Diamond", 525, 787, 1_575),
        ("Elite", 600, 900, 1_800),
    )
}
"""By name (polymarket-api.md 10.2)."""


class Meter:
    """What a token bucket holds, refilled evenly; it may go into debt, never above its burst."""

    __slots__ = ("_at_s", "_tokens", "rate")

    def __init__(self, rate: Rate) -> None:
        """It starts full."""
        self.rate = rate
        self._tokens = rate.burst
        self._at_s = -math.inf

    def level(self, now: float) -> float:
        """Tokens at ``now``, monotonic seconds."""
        if now > self._at_s:
            passed = now - self._at_s
            self._tokens = min(self.rate.burst, self._tokens + passed * self.rate.per_s)
            self._at_s = now
        return self._tokens

    def wait_s(self, tokens: float, now: float) -> float:
        """Seconds until it holds so many; infinity when it never will."""
        if tokens > self.rate.burst:
            return math.inf
        return max(0.0, (tokens - self.level(now)) / self.rate.per_s)

    def take(self, tokens: float, now: float) -> None:
        """Pay; what is not there is owed."""
        self._tokens = self.level(now) - tokens

    def set(self, tokens: float, now: float) -> None:
        """Believe somebody who knows."""
        self.level(now)
        self._tokens = min(self.rate.burst, tokens)


class SignerBudget:
    """The two buckets of one signer, and our own throttle on placements. Times are monotonic seconds."""

    def __init__(self) -> None:
        """The smallest tier, until the venue names another."""
        self.tier = STANDARD
        self.warnings = 0
        """Answers that warned of a limit, refused or not."""
        self.refusals = 0
        """Requests that were refused for their rate."""
        self.cancels_at_s = -math.inf
        """When the venue wants the next cancel after it refused one; the past when it may go at once."""
        self._orders_at_s = -math.inf
        self._meters = {"orders": Meter(TIERS[STANDARD].orders), "cancels": Meter(TIERS[STANDARD].cancels)}
        self._in_flight = {"orders": 0, "cancels": 0}
        """Requests without an answer."""
        self._own = Meter(_own_rate(STANDARD))

    def level(self, bucket: BucketName, now: float) -> float:
        """Tokens that a bucket holds by our estimate; negative in debt."""
        return self._meters[bucket].level(now)

    def most_open(self) -> int:
        """Orders that may be open: below the burst of the cancels, so that what is open can be cleared at once."""
        return int(self._meters["cancels"].rate.burst * MOST_OPEN_SHARE)

    def reserve(self, open_orders: int) -> float:
        """Cancel tokens that placements leave untouched: enough to cancel everything, one by one or at once.

        Args:
            open_orders: all that the venue may have, those about to be sent included.
        """
        most = min(open_orders, self.most_open()) + 1.0
        return max(most, RESERVE_SHARE * self._meters["cancels"].rate.burst)

    # Placements

    def room(self, open_orders: int, now: float) -> int:
        """How many orders may be sent at ``now`` beside those that the venue may have already."""
        clearable = self.level("cancels", now)
        if now < self._orders_at_s or clearable < self.reserve(0):
            return 0
        clearable = min(clearable - 1, self.most_open())
        return max(0, int(min(self._own.level(now), self.level("orders", now), clearable - open_orders)))

    def why_not_place(self, open_orders: int, now: float) -> str:
        """The last look before orders leave, in words; "" lets them.

        Args:
            open_orders: all that the venue may have, those about to be sent included.
            now: monotonic seconds.
        """
        if now < self._orders_at_s:
            return "the venue has refused orders for their rate"
        if open_orders > self.most_open():
            return f"{self.most_open()} orders are open: more could not be cancelled at once"
        if self.level("cancels", now) < self.reserve(open_orders):
            return self._below_reserve(open_orders, now)
        return ""

    def short(self, open_orders: int, now: float) -> str:
        """What keeps a further order waiting for longer than a moment, in words; "" when nothing does.

        As many open orders as may be are no shortage: no waiting ends it.
        """
        if self._meters["cancels"].wait_s(self.reserve(open_orders + 1), now) > SHORT_SEC:
            return self._below_reserve(open_orders + 1, now)
        if max(self._orders_at_s - now, self._meters["orders"].wait_s(1, now)) > SHORT_SEC:
            return "the signer's order budget is used up"
        return ""

    def place(self, orders: int, now: float) -> None:
        """So many orders leave in one request."""
        self._own.take(orders, now)
        self._send("orders", orders, now)

    # Cancels

    def cancel_chunk(self, now: float) -> int:
        """How many ids one request may carry to be admitted as a whole; one at least."""
        return max(1, int(min(CANCEL_BATCH, self.level("cancels", now))))

    def cancel(self, cost: int, now: float) -> None:
        """A cancel leaves: one token an id, and one for the request when it names none."""
        self._send("cancels", cost, now)

    # What comes back

    def answered(self, bucket: BucketName) -> None:
        """A request is over, whatever came of it."""
        self._in_flight[bucket] -= 1

    def told(
        self, bucket: BucketName, *, remaining: int, tier: str, warned: bool, refused: bool, wait_s: float, now: float
    ) -> None:
        """Take what the headers of an answer say.

        Args:
            bucket: which one.
            remaining: tokens; negative in debt.
            tier: its name; one that nobody knows changes nothing.
            warned: they warn of the limit.
            refused: the request was refused for its rate.
            wait_s: seconds until the venue wants to hear of it again.
            now: monotonic seconds.
        """
        if tier in TIERS and tier != self.tier:
            self._change_tier(tier, now)
        meter = self._meters[bucket]
        # With other requests under way nobody knows whether they are in this number: the lower one is the safe one.
        alone = self._in_flight[bucket] <= 1
        meter.set(remaining if alone else min(remaining, meter.level(now)), now)
        self.warnings += warned
        if refused:
            self.refusals += 1
            at_s = now + min(LONGEST_WAIT_SEC, max(LEAST_WAIT_SEC, wait_s))
            if bucket == "orders":
                self._orders_at_s = at_s
            else:
                self.cancels_at_s = at_s

    def _below_reserve(self, open_orders: int, now: float) -> str:
        level, reserve = math.floor(self.level("cancels", now)), math.ceil(self.reserve(open_orders))
        return f"the cancel budget of {level} is below the reserve of {reserve} for {open_orders} orders"

    def _send(self, bucket: BucketName, cost: int, now: float) -> None:
        self._in_flight[bucket] += 1
        self._meters[bucket].take(cost, now)

    def _change_tier(self, tier: str, now: float) -> None:
        self.tier = tier
        for meter, rate in (
            (self._meters["orders"], TIERS[tier].orders),
            (self._meters["cancels"], TIERS[tier].cancels),
            (self._own, _own_rate(tier)),
        ):
            level = meter.level(now)
            meter.rate = rate
            meter.set(level, now)


def _own_rate(tier: str) -> Rate:
    orders = TIERS[tier].orders
    return Rate(ORDER_SHARE * orders.per_s, ORDER_SHARE * orders.burst)
