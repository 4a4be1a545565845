"""Dice keyed by seed, agent and counter, and cheap: no draw of one agent depends on what another does."""

import hashlib
import math
import random
from typing import Final, Self

_ODD: Final = 0x9E3779B97F4A7C15
_WORD: Final = (1 << 64) - 1
_UNIT: Final = 2.0**-53


class Dice(random.Random):
    """The private dice of one agent, thrown anew for each of its actions (market-making.md 4.7).

    A counter-based generator (SplitMix64): seeding a ``random.Random`` for each action would cost more than the
    action.

    Example::

        dice = Dice(seed=1, agent="m/maker")
        dice.turn().random()  # the first action's first draw
        dice.turn().random()  # the second action's, however much the first one drew
    """

    def __init__(self, seed: int, agent: str) -> None:
        self._key = int.from_bytes(hashlib.sha256(f"{seed}/{agent}".encode()).digest()[:8])
        self._state = self._key
        self._turns = 0
        super().__init__(0)

    def turn(self) -> Self:
        """Begin the agent's next action."""
        self._state = _mixed(self._key + _mixed(self._turns * _ODD))
        self._turns += 1
        self.gauss_next = None
        return self

    def random(self) -> float:
        """A number of [0, 1)."""
        state = self._state = (self._state + _ODD) & _WORD
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _WORD
        return ((state ^ (state >> 31)) >> 11) * _UNIT

    def getrandbits(self, k: int, /) -> int:
        """``k`` random bits, at most 53: choosing among things needs no more."""
        return int(self.random() * (1 << k))

    def lognormal(self, median: float, spread: float) -> float:
        """A log-normal number by its median."""
        return median * math.exp(spread * self.gauss(0.0, 1.0))


def _mixed(word: int) -> int:
    word &= _WORD
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return word ^ (word >> 31)
