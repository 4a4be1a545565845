"""Limits per signer: two token buckets each, one for orders and one for cancels (polymarket-api.md 10.2).

Pure integer arithmetic on thousandths of a token: a rate of ``r`` tokens a second brings ``r`` thousandths a
millisecond. The buckets belong to the address of the API key, whichever wallet it trades for.
"""

from typing import Final, Literal

import msgspec

Bucket = Literal["orders", "cancels"]
_TOKEN: Final = 1_000
"""Thousandths of a token."""


class Rate(msgspec.Struct, frozen=True):
    """How fast a bucket fills and how much it holds, in tokens."""

    per_second: int
    burst: int


class Tier(msgspec.Struct, frozen=True):
    """What a volume of the last 30 days entitles to."""

    name: str
    orders: Rate
    cancels: Rate

    def rate(self, bucket: Bucket) -> Rate:
        """The rate of one of the two buckets."""
        return self.orders if bucket == "orders" else self.cancels


STANDARD: Final = "Standard"
TIERS: Final = {
    name: Tier(name=name, orders=Rate(rate, burst), cancels=Rate(2 * rate, cancel_burst))
    for name, rate, burst, cancel_burst in (
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
"""By name, the smallest first."""


class _Level(msgspec.Struct):
    milli: int
    """Thousandths of a token; negative when in debt."""
    at_ms: int | None = None
    """When it was so; None for "at the next look"."""


class Limits:
    """Token buckets of all signers; time comes in with every call, unix milliseconds."""

    def __init__(self) -> None:
        self.tier_of: dict[str, str] = {}
        """Name of the tier by lower-case address; Standard for everybody who is not in it."""
        self._levels: dict[tuple[str, Bucket], _Level] = {}

    def tier(self, address: str) -> Tier:
        """The tier of a signer."""
        return TIERS[self.tier_of.get(address.lower(), STANDARD)]

    def take(self, address: str, bucket: Bucket, cost: int, now_ms: int) -> int:
        """Pay for a request, whole or not at all.

        Returns:
            0 when it is admitted, else the whole seconds to wait, at least 1. A cost above the burst is never
            admitted; the answer then is the time until the bucket is full.
        """
        level, rate = self._filled(address, bucket, now_ms)
        need = cost * _TOKEN
        if level.milli >= need:
            level.milli -= need
            return 0
        return _seconds(min(need, rate.burst * _TOKEN) - level.milli, rate)

    def charge(self, address: str, bucket: Bucket, cost: int, now_ms: int) -> None:
        """Pay for what has happened already; the bucket may go into debt."""
        self._filled(address, bucket, now_ms)[0].milli -= cost * _TOKEN

    def drain(self, address: str, bucket: Bucket, to: int) -> None:
        """Set what a bucket holds, in tokens, as of the next look at it; negative for a debt."""
        self._levels[(address.lower(), bucket)] = _Level(milli=to * _TOKEN)

    def headers(self, address: str, bucket: Bucket, now_ms: int, wait_s: int) -> dict[str, str]:
        """What an answer to an order or a cancel says about its bucket; ``wait_s`` is what ``take`` returned."""
        level, rate = self._filled(address, bucket, now_ms)
        lacking = _TOKEN - level.milli
        reset_s = wait_s or (_seconds(lacking, rate) if lacking > 0 else 0)
        told = {
            "Poly-RateLimit-Remaining": str(level.milli // _TOKEN),
            "Poly-RateLimit-Reset": str(now_ms // 1_000 + reset_s),
            "Poly-RateLimit-Tier": self.tier(address).name,
            "Poly-RateLimit-Warning": "true" if wait_s else "false",
        }
        return told | {"Retry-After": str(wait_s)} if wait_s else told

    def _filled(self, address: str, bucket: Bucket, now_ms: int) -> tuple[_Level, Rate]:
        """A bucket with what has run into it until now."""
        rate = self.tier(address).rate(bucket)
        full = rate.burst * _TOKEN
        level = self._levels.setdefault((address.lower(), bucket), _Level(milli=full))
        passed = 0 if level.at_ms is None else max(0, now_ms - level.at_ms)
        level.milli = min(full, level.milli + passed * rate.per_second)
        level.at_ms = now_ms
        return level, rate


def _seconds(milli: int, rate: Rate) -> int:
    """Whole seconds until so much has run in, at least 1."""
    return max(1, -(-milli // (rate.per_second * _TOKEN)))
