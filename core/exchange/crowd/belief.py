"""What is true and what is known: latent belief, public opinion lagging behind it, and clustered arrivals.

Every draw comes from a stream keyed by seed, agent and counter, so adding an agent changes no other (market-making.md
4.7).
"""

import math
import random
from collections import deque
from typing import Final

STEP_S: Final = 0.2
"""Belief moves on this grid of participants' time."""
PUBLIC_LAG_S: Final = 6.0
"""Mean time until public opinion has followed the truth; without a lag nobody is ever adversely selected."""
JUMP_RATE: Final = 1 / 75
"""Jumps of the belief per second and market."""
JUMP_TICKS: Final = 3.5
"""Standard deviation of a jump, in ticks at the starting price."""
EDGE: Final = 0.05
"""Probability at which the belief is held, on either side, so that a demo left running stays quotable."""
EDGE_TICKS: Final = 12
"""On coarse grids it is held already this many ticks from the end, to leave room for a book."""
_MEMORY: Final = 64


def stream(seed: int, agent: str, counter: int) -> random.Random:
    """The private dice of one agent's ``counter``-th action."""
    return random.Random(f"{seed}/{agent}/{counter}")


def logistic(x: float) -> float:
    """Probability of a logit."""
    return 1 / (1 + math.exp(-x))


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


class Belief:
    """A logit jump-diffusion whose probability is a martingale away from the edges (market-making.md 4.7b, 2.4)."""

    def __init__(self, seed: int, market: str, start: float, tick: float, vol_ticks: float) -> None:
        slope = start * (1 - start)
        self._seed = seed
        self._name = f"belief/{market}"
        self._x = _logit(start)
        self._vol = vol_ticks * tick / slope
        self._jump = JUMP_TICKS * tick / slope
        self._public = self._x
        self._edge = -_logit(max(EDGE, EDGE_TICKS * tick))
        self._past: deque[float] = deque([start] * _MEMORY, maxlen=_MEMORY)
        self._steps = 0

    @property
    def truth(self) -> float:
        """The true probability now."""
        return logistic(self._x)

    def public(self, lag_s: float = 0.0) -> float:
        """What was publicly thought ``lag_s`` seconds of participants' time ago (at most about 12)."""
        back = min(_MEMORY, 1 + round(lag_s / STEP_S))
        return self._past[-back]

    def step(self) -> bool:
        """Move on by ``STEP_S``; says whether the truth jumped."""
        dice = stream(self._seed, self._name, self._steps)
        self._steps += 1
        variance = self._vol**2 + JUMP_RATE * self._jump**2
        self._x += (self.truth - 0.5) * variance * STEP_S + self._vol * math.sqrt(STEP_S) * dice.gauss(0, 1)
        jumped = dice.random() < JUMP_RATE * STEP_S
        if jumped:
            self._x += self._jump * dice.gauss(0, 1)
        self._x = max(-self._edge, min(self._edge, self._x))
        self._public += (self._x - self._public) * -math.expm1(-STEP_S / PUBLIC_LAG_S)
        self._past.append(logistic(self._public))
        return jumped


class Hawkes:
    """Self-exciting arrivals (market-making.md 4.8): ``mu + Σ alpha · exp(-beta · age)``; an arrival at t itself not
    counted."""

    def __init__(self, mu: float, alpha: float, beta: float) -> None:
        if not 0 <= alpha < beta:
            raise ValueError("the branching ratio alpha / beta must be below 1")
        self._mu = mu
        self._alpha = alpha
        self._beta = beta
        self._excitement = 0.0

    def next_wait(self, dice: random.Random) -> float:
        """Seconds from the last arrival to the next, by thinning; that arrival then excites what follows."""
        waited = 0.0
        while True:
            bound = self._mu + self._excitement
            wait = dice.expovariate(bound)
            waited += wait
            self._excitement *= math.exp(-self._beta * wait)
            if dice.random() * bound <= self._mu + self._excitement:
                self._excitement += self._alpha
                return waited
