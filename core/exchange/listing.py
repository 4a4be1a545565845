"""The markets the exchange lists: invented questions with identifiers that follow from the seed."""

import hashlib
from typing import Final

import msgspec

from core.market.instrument import Instrument
from core.units import MICRO, Shares

MAX_MARKETS: Final = 8
_V2_MARK: Final = ((1 << 64) - 1) << 40
"""Bits whose absence makes the official client take an id for a Protocol V2 position (polymarket-api.md 2.1)."""
_DAY_S: Final = 86_400


class Plot(msgspec.Struct, frozen=True):
    """What makes one invented market what it is."""

    question: str
    category: str
    tick_text: str
    start: float
    """Probability at the start."""
    fee_bps: int
    """Taker fee rate of the category, 400 = 0.04 (polymarket-api.md 9.1)."""
    rebate: float
    reward_size: int
    """Least size that scores for rewards, shares."""
    reward_cents: float
    """Largest distance from the midpoint that scores, cents."""
    days: int
    """Days until it is expected to resolve."""
    liquidity: float
    volume_week: float
    volume_month: float
    vol_ticks: float = 0.22
    """How far the belief wanders, ticks per square root of a second."""
    neg_risk: bool = False


_PLOTS: Final = (
    Plot(
        "Will the central bank cut rates at its next meeting?",
        "Economics", "0.01", 0.46, 500, 0.25, 100, 3.5, 38, 184_220.5, 412_900.0, 1_090_300.0,
    ),
    Plot(
        "Will Northbridge United win the league?",
        "Sports", "0.001", 0.318, 500, 0.15, 200, 3.0, 120, 96_410.2, 260_140.0, 610_880.0, neg_risk=True,
    ),
    Plot(
        "Will bitcoin close the quarter above its opening price?",
        "Crypto", "0.01", 0.57, 700, 0.2, 50, 4.5, 61, 71_030.9, 508_777.0, 1_402_015.0, vol_ticks=0.3,
    ),
    Plot(
        "Will a named storm make landfall before the season ends?",
        "Weather", "0.001", 0.137, 500, 0.25, 100, 3.5, 85, 48_905.7, 88_310.0, 240_690.0,
    ),
    Plot(
        "Will the coalition government survive the confidence vote?",
        "Politics", "0.01", 0.71, 400, 0.25, 100, 3.0, 24, 133_580.0, 190_400.0, 502_200.0,
    ),
    Plot(
        "Will the lander touch down intact on its first attempt?",
        "Tech", "0.01", 0.34, 400, 0.25, 50, 4.5, 47, 39_215.3, 77_050.0, 198_700.0,
    ),
    Plot(
        "Will the ceasefire hold through the end of the month?",
        "Geopolitics", "0.01", 0.62, 0, 0.0, 200, 3.5, 19, 210_660.1, 395_020.0, 1_120_440.0,
    ),
    Plot(
        "Will the album top the charts in its opening week?",
        "Culture", "0.001", 0.884, 500, 0.25, 50, 3.0, 12, 27_340.6, 64_980.0, 150_230.0,
    ),
)  # fmt: skip


class Listing(msgspec.Struct, frozen=True):
    """One market with everything the catalogue says about it."""

    instrument: Instrument
    plot: Plot
    gamma_id: str
    question_id: str
    event_id: str
    neg_risk_market_id: str
    slug: str
    start_unix: int
    """Unix seconds at which the exchange opened."""


def listings(seed: int, count: int, start_unix: int) -> list[Listing]:
    """The first ``count`` markets; ids depend on the seed only.

    Raises:
        ValueError: more markets are asked for than there are questions.
    """
    if not 1 <= count <= MAX_MARKETS:
        raise ValueError(f"the number of markets must be 1 to {MAX_MARKETS}")
    return [_listing(seed, number, start_unix) for number in range(count)]


def _listing(seed: int, number: int, start_unix: int) -> Listing:
    plot = _PLOTS[number]
    words = "".join(c if c.isalnum() else " " for c in plot.question.lower()).split()
    instrument = Instrument(
        market=_hex_id(seed, number, "condition"),
        yes_token=_token_id(seed, number, "yes"),
        no_token=_token_id(seed, number, "no"),
        title=plot.question,
        tick_text=plot.tick_text,
        min_size=Shares(5 * MICRO),
        neg_risk=plot.neg_risk,
        end_unix=float(start_unix + plot.days * _DAY_S),
        reward_min_size=Shares(plot.reward_size * MICRO),
    )
    return Listing(
        instrument=instrument,
        plot=plot,
        gamma_id=str(600_000 + 100 * (seed % 1000) + number),
        question_id=_hex_id(seed, number, "question"),
        event_id=str(30_000 + 100 * (seed % 1000) + number),
        neg_risk_market_id=_hex_id(seed, number, "neg-risk") if plot.neg_risk else "",
        slug="-".join(words),
        start_unix=start_unix,
    )


def _hex_id(seed: int, number: int, what: str) -> str:
    return "0x" + hashlib.sha256(f"{what}/{seed}/{number}".encode()).hexdigest()


def _token_id(seed: int, number: int, what: str) -> str:
    attempt = 0
    while True:
        value = int(_hex_id(seed, number, f"{what}/{attempt}"), 16)
        if value >= 10**76 and value & _V2_MARK:
            return str(value)
        attempt += 1
