"""How lively a market is: one set of rates per kind of market, calibrated on recordings (real-data.md, rates)."""

from typing import Final, Literal

import msgspec

Span = tuple[float, float]
"""Least and most."""


class Profile(msgspec.Struct, frozen=True):
    """Rates of one market in participants' time; distances in ticks of the market's first grid."""

    step_s: float
    """Grid on which evidence comes in."""
    vol: float
    """Share of a question's own volatility."""
    jump_rate: float
    """News a second."""
    jump_ticks: float
    """Standard deviation of what news moves, at the starting price."""
    lag_s: float
    """Mean time until the public has followed the truth; without a lag nobody is ever adversely selected."""
    mood_ticks: float
    """Standard deviation of the public's passing error."""
    mood_s: float
    """How long the error lasts."""
    fast_makers: int
    fast_sleep_s: Span
    """Between two looks of a fast maker, in the exchange's time: a machine is as quick as it is."""
    slow_sleep_s: Span
    """Between two looks of a slow maker."""
    tolerance: float
    """How far the public must move until a maker follows, ticks."""
    flicker: float
    """Chance that a fast maker's look renews an order for no reason that shows."""
    decay: float
    """Share of the others' resting orders that is cancelled each second (the canceller)."""
    batch_s: float
    """Mean time between two such rounds of cancelling, and between two looks of the crowd."""
    noise_rate: float
    """Orders of noise takers a second."""
    patience_s: float
    """Mean time between two looks of the slow informed trader."""


Name = Literal["calm", "normal", "busy", "lively"]

PROFILES: Final[dict[Name, Profile]] = {
    "calm": Profile(
        step_s=1.0,
        vol=0.08,
        jump_rate=1 / 7_200,
        jump_ticks=3.0,
        lag_s=10.0,
        mood_ticks=0.5,
        mood_s=480.0,
        fast_makers=1,
        fast_sleep_s=(0.8, 1.6),
        slow_sleep_s=(4.0, 12.0),
        tolerance=1.0,
        flicker=0.0,
        decay=0.000_4,
        batch_s=90.0,
        noise_rate=0.002,
        patience_s=120.0,
    ),
    "normal": Profile(
        step_s=0.2,
        vol=0.45,
        jump_rate=1 / 450,
        jump_ticks=3.2,
        lag_s=6.0,
        mood_ticks=0.6,
        mood_s=25.0,
        fast_makers=1,
        fast_sleep_s=(0.25, 0.55),
        slow_sleep_s=(1.0, 3.0),
        tolerance=1.0,
        flicker=0.0,
        decay=0.003,
        batch_s=15.0,
        noise_rate=0.02,
        patience_s=60.0,
    ),
    "busy": Profile(
        step_s=0.1,
        vol=1.2,
        jump_rate=1 / 30,
        jump_ticks=2.0,
        lag_s=2.0,
        mood_ticks=1.5,
        mood_s=2.0,
        fast_makers=8,
        fast_sleep_s=(0.03, 0.09),
        slow_sleep_s=(0.3, 0.9),
        tolerance=0.5,
        flicker=0.65,
        decay=0.005,
        batch_s=0.5,
        noise_rate=4.0,
        patience_s=4.0,
    ),
    "lively": Profile(
        step_s=0.2,
        vol=0.7,
        jump_rate=1 / 150,
        jump_ticks=2.4,
        lag_s=4.0,
        mood_ticks=0.6,
        mood_s=6.0,
        fast_makers=1,
        fast_sleep_s=(0.25, 0.55),
        slow_sleep_s=(0.6, 2.0),
        tolerance=0.8,
        flicker=0.05,
        decay=0.01,
        batch_s=2.0,
        noise_rate=0.25,
        patience_s=20.0,
    ),
}
"""``calm``: politics, 0.1 frames/s a market. ``normal``: the recorded esports and neg-risk sessions, 0.5 to 0.9 in
bursts. ``busy``: like the five-minute bitcoin markets, 200 a market. ``lively``: no real market's, for the demo, where
something is to be seen within a minute."""
