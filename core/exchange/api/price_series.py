"""Prices of a token over time, as the charts of the venue are fed (polymarket-api.md 4.1, prices-history)."""

from typing import Final

from core.exchange.exchange import Exchange
from core.units import MICRO, Outcome, Usd, usd_from_float

MINUTE_S: Final = 60
INTERVALS: Final = {
    "1h": 3_600,
    "6h": 6 * 3_600,
    "1d": 86_400,
    "1w": 7 * 86_400,
    "1m": 30 * 86_400,
    "max": None,
    "all": None,
}
"""Seconds an interval reaches back; None for the whole life of the market."""
POINTS_MOST: Final = 10_000


def least_step_s(interval: str) -> int:
    """The finest step the venue serves for an interval, seconds."""
    return {"1h": 60, "6h": 60, "1d": 60, "1w": 300}.get(interval, 600)


def price_at(exchange: Exchange, market: str, outcome: Outcome, unix_s: float) -> Usd:
    """Micro-dollars a share of a token at a moment: its market's last trade until then, else where it started."""
    known = exchange.history.price_at(market, unix_s)
    yes = usd_from_float(exchange.listings[market].plot.start) if known is None else known
    return yes if outcome == "YES" else Usd(MICRO - yes)


def series(
    exchange: Exchange, market: str, outcome: Outcome, start_s: int, end_s: int, step_s: int
) -> list[tuple[int, Usd]]:
    """A price for every step of a stretch of time, as far as the market has lived; unix seconds and micro-dollars.

    The last point is of the very end. The newest ``POINTS_MOST`` are kept.
    """
    start_s = max(start_s, exchange.listings[market].start_unix)
    end_s = min(end_s, exchange.now_ms // 1000)
    if start_s > end_s:
        return []
    first = max(start_s + -start_s % step_s, end_s - POINTS_MOST * step_s)
    times = [*range(first, end_s, step_s), end_s]
    return [(at_s, price_at(exchange, market, outcome, at_s)) for at_s in times[-POINTS_MOST:]]
