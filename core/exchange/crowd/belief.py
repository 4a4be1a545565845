"""What is true and what is known: a hidden outcome, the evidence about it, and public opinion lagging behind.

An event's outcome is drawn before anything happens and shown to nobody. Evidence arrives whose law depends on it, and
belief is what Bayes makes of the evidence. So every probability is an exact martingale and calibrated by construction:
of all moments at which it says 30 %, 30 % end in YES. Seen without the outcome the log-odds follow the logit
jump-diffusion of market-making.md 2.4 and 4.7b; towards the end evidence comes as fast as in the score model of 2.5,
and at the end all is known. A group goes through a softmax over its questions and the outcome that is not listed
(4.7d).
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from core.exchange.crowd.dice import Dice
from core.exchange.crowd.profiles import Profile

Kind = Literal["single", "exclusive", "nested"]
"""How the questions of an event hang together: alone, at most one comes true, or each implies the one before it."""

FINALE_S: Final = 600.0
"""Seconds before the end from which the evidence is that of a score that is being settled."""
FINALE_SHARE: Final = 0.2
"""At most this share of an event's whole time is its finale."""
_SCORE_RATE: Final = 2.5
"""Variance of the log-odds that is still owed at T seconds from the end is this over T a second: the Gaussian score of
market-making.md 2.5 at even odds, (φ(0) / ¼)²."""
_LAST_S: Final = 0.25
"""Evidence before the very end is counted up to here; the rest is the end itself."""
EDGE: Final = 0.05
FINE_EDGE: Final = 0.02
"""Probability beyond which no evidence comes before the finale, by tick: a stopped martingale is one, and a demo left
running stays quotable."""
_FINE: Final = 0.005
_MEMORY: Final = 64
_NOTHING: Final = 1e-9
"""What rounding may leave of a probability."""


class Question(msgspec.Struct, frozen=True):
    """One question of an event: how probable it starts and how lively its evidence is."""

    name: str
    """What its dice are keyed by."""
    start: float
    tick: float
    """The market's tick at the start, dollars; the measure of all distances."""
    vol_ticks: float
    """Ticks per square root of a second at the start."""


class Hidden:
    """The outcome of one event, and the probabilities that follow from the evidence so far.

    State ``i`` says that question ``i`` is the one that comes true (exclusive) or the last that does (nested); the last
    state is "none of them", which an exclusive event whose chances sum to 1 does not have. With ``v`` its variance over
    a step, the evidence about state ``i`` is
    N(v·[i is true], v), and the log-weight of ``i`` grows by it less v/2, which is the log-likelihood ratio.
    """

    def __init__(
        self, seed: int, name: str, questions: Sequence[Question], profile: Profile, kind: Kind = "single"
    ) -> None:
        starts = [question.start for question in questions]
        chances = starts if kind != "nested" else [a - b for a, b in zip(starts, [*starts[1:], 0.0], strict=True)]
        rest = 1 - sum(chances)
        is_complete = kind == "exclusive" and abs(rest) < _NOTHING
        if not is_complete:
            chances = [*chances, rest]
        if min(chances) <= 0:
            raise ValueError(f"the probabilities of {name!r} leave an outcome without any")
        self.truths = starts
        """Present probability of each question."""
        self._kind = kind
        self._state = _drawn(chances, Dice(seed, f"outcome/{name}").turn().random())
        self._rest = -math.inf if is_complete else 0.0
        """Log-weight of "none of them", which the others are measured by where it is possible."""
        self._weights = [math.log(chance / chances[-1]) for chance in chances[: len(questions)]]
        slopes = [question.tick / (question.start * (1 - question.start)) for question in questions]
        self._rates = [(q.vol_ticks * profile.vol * s) ** 2 for q, s in zip(questions, slopes, strict=True)]
        self._jumps = [(profile.jump_ticks * slope) ** 2 for slope in slopes]
        self._jump_rate = profile.jump_rate
        self._edges = [_edge(question) for question in questions]
        self._dice = [Dice(seed, f"evidence/{question.name}") for question in questions]

    def outcome(self, question: int) -> bool:
        """Whether a question will have come true; known to nobody before the end."""
        none = len(self.truths)
        if self._kind == "nested":
            return question <= self._state < none
        return question == self._state

    def step(self, dt: float, owed: float = 0.0) -> list[int]:
        """Let ``dt`` seconds of evidence come in; returns the questions about which there was news.

        ``owed`` is the additional variance of log-odds of an event that is near its end (:func:`finale`).
        """
        news = []
        for i, dice in enumerate(self._dice):
            dice.turn()
            variance = owed
            lower = self._edges[i]
            if owed or lower < self.truths[i] < 1 - lower:
                variance += self._rates[i] * dt
                if dice.random() < self._jump_rate * dt:
                    variance += self._jumps[i]
                    news.append(i)
            if variance:
                drift = variance / 2 if i == self._state else -variance / 2
                self._weights[i] += drift + math.sqrt(variance) * dice.gauss(0.0, 1.0)
        self._conclude()
        return news

    def _conclude(self) -> None:
        top = max(self._rest, *self._weights)
        parts = [math.exp(weight - top) for weight in self._weights]
        total = math.fsum(parts) + math.exp(self._rest - top)
        chances = [part / total for part in parts]
        nested = self._kind == "nested"
        self.truths = [math.fsum(chances[i:]) for i in range(len(chances))] if nested else chances


def finale(left_s: float, dt_s: float, life_s: float) -> float:
    """Variance of log-odds owed over a step of ``dt_s`` that begins ``left_s`` before the end; 0 before the finale."""
    if left_s >= min(FINALE_S, FINALE_SHARE * life_s):
        return 0.0
    return _SCORE_RATE * math.log(max(left_s, _LAST_S) / max(left_s - dt_s, _LAST_S))


class Belief:
    """What is believed about one market: the truth that the evidence allows, and the public's lagging idea of it."""

    def __init__(self, seed: int, market: str, question: Question, profile: Profile) -> None:
        start = question.start
        self.truth = start
        """The true probability now, given all evidence there is."""
        self._lag_s = profile.lag_s
        self._calm_s = profile.mood_s
        self._mood_size = profile.mood_ticks * question.tick / (start * (1 - start))
        self._mood = 0.0
        self._dice = Dice(seed, f"mood/{market}")
        self._heard = start
        self._step_s = profile.step_s
        self._past: deque[float] = deque([start] * _MEMORY, maxlen=_MEMORY)

    def public(self, lag_s: float = 0.0) -> float:
        """What was publicly thought ``lag_s`` seconds ago, at most about 60 steps."""
        return self._past[-min(_MEMORY, 1 + round(lag_s / self._step_s))]

    def learn(self, truth: float, dt: float) -> None:
        """Go on by ``dt`` seconds to a new truth.

        Public opinion is an exponential average of it, so that opinions of a group add up as the truths do, and errs by
        a mood that comes and goes.
        """
        self.truth = truth
        self._heard += (truth - self._heard) * -math.expm1(-dt / self._lag_s)
        kept = math.exp(-dt / self._calm_s)
        shock = self._mood_size * math.sqrt(1 - kept * kept)
        self._mood = self._mood * kept + shock * self._dice.turn().gauss(0.0, 1.0)
        self._past.append(self._heard + self._mood * self._heard * (1 - self._heard))


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

    def next_wait(self, dice: Dice) -> float:
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


def _edge(question: Question) -> float:
    usual = FINE_EDGE if question.tick < _FINE else EDGE
    return min(usual, question.start / 2, (1 - question.start) / 2)


def _drawn(chances: Sequence[float], lot: float) -> int:
    for state, chance in enumerate(chances):
        lot -= chance
        if lot < 0:
            return state
    return len(chances) - 1
