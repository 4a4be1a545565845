"""Markets whose truth is known: a price that walks, takers that reach as far as chance lets them."""

from dataclasses import dataclass

import numpy as np

from core.lab.calibrate import Course, Evidence, Trades

TICK = 0.01


@dataclass(frozen=True)
class Truth:
    """What a made market is made with."""

    rate: float = 0.05
    """A, a second and side."""
    kappa: float = 0.8
    """Per tick."""
    sigma: float = 0.0008
    """Dollars per root second, of the walk alone."""
    impact: float = 0.0
    """Dollars by which a taker moves the price for good."""
    hours: float = 2.0
    step_s: float = 0.5


def made(seed: int, truth: Truth = Truth()) -> Evidence:
    """A market of two ticks' or four ticks' spread, twenty seconds each, and its trades."""
    dice = np.random.default_rng(seed)
    count = int(truth.hours * 3_600 / truth.step_s)
    t = np.arange(count) * truth.step_s
    steps = dice.normal(0, truth.sigma * np.sqrt(truth.step_s), count)
    width = dice.integers(1, 3, count // 40 + 1).repeat(40)[:count] / 2
    price, bid, ask = np.empty(count), np.empty(count), np.empty(count)
    trades: list[tuple[float, float, float, int]] = []
    x = 0.5
    for n in range(count):
        x = min(max(x + steps[n], 0.1), 0.9)
        price[n], bid[n], ask[n] = x, np.floor(x / TICK - width[n]) * TICK, np.ceil(x / TICK + width[n]) * TICK
        for sign, touch in ((1, ask[n]), (-1, bid[n])):
            distance = abs(touch - x) / TICK
            for _ in range(dice.poisson(truth.step_s * truth.rate * np.exp(-truth.kappa * distance))):
                reached = dice.geometric(1 - np.exp(-truth.kappa)) - 1
                taker = len(trades)
                for level in sorted({0, int(reached)}):  # a taker is told level by level
                    size = float(dice.integers(5, 50))
                    trades.append((t[n] + 0.5 + 1e-6, touch + sign * level * TICK, size, taker))
                x += sign * truth.impact
    rows = np.array(trades, dtype=float).reshape(-1, 4)
    course = Course(t, price, bid, ask, float(t[-1] + truth.step_s))
    tape = Trades(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3].astype(np.int64))
    return Evidence("0x" + "cd" * 32, "Will it?", TICK, course, course, tape, None, None)
