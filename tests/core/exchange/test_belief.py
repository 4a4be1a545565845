"""What is true and what is known: probabilities that mean what they say (market-making.md 4.7)."""

import math
import statistics

import pytest
from msgspec import structs

from core.exchange.crowd.belief import EDGE, Belief, Hawkes, Hidden, Kind, Question, finale
from core.exchange.crowd.dice import Dice
from core.exchange.crowd.profiles import PROFILES

LIVELY = structs.replace(PROFILES["normal"], vol=3.0, jump_rate=1 / 20, jump_ticks=6.0)
SEEDS = 1_500
STEPS = 60
DT = 10.0


def question(name: str = "q", start: float = 0.3, tick: float = 0.01, vol_ticks: float = 0.22) -> Question:
    return Question(name=name, start=start, tick=tick, vol_ticks=vol_ticks)


def league(kind: Kind, starts: tuple[float, ...], seed: int) -> Hidden:
    return Hidden(seed, "league", [question(f"q{i}", start) for i, start in enumerate(starts)], LIVELY, kind)


def after(hidden: Hidden, steps: int = STEPS) -> Hidden:
    for _ in range(steps):
        hidden.step(DT)
    return hidden


def assert_zero_mean(moves: list[float]) -> None:
    assert statistics.stdev(moves) > 0.02, "nothing moved"
    assert abs(statistics.mean(moves)) < 3 * statistics.stdev(moves) / math.sqrt(len(moves))


@pytest.mark.parametrize("start", [0.08, 0.3, 0.71])
def test_belief_is_a_martingale(start: float) -> None:
    """Test 1: the mean of p_T - p_0 over the seeds is within three standard errors of 0."""
    ends = [after(Hidden(seed, "e", [question(start=start)], LIVELY)) for seed in range(SEEDS)]
    assert_zero_mean([hidden.truths[0] - start for hidden in ends])


@pytest.mark.parametrize(
    ("kind", "starts"),
    [("exclusive", (0.4, 0.25, 0.12)), ("exclusive", (0.46, 0.33, 0.21)), ("nested", (0.8, 0.5, 0.2))],
    ids=["exclusive", "complete", "nested"],
)
def test_a_group_is_a_consistent_martingale(kind: Kind, starts: tuple[float, ...]) -> None:
    """Of exclusive questions at most one comes true, of a complete event exactly one; strikes never contradict."""
    ends = [after(league(kind, starts, seed)) for seed in range(SEEDS)]
    for hidden in ends:
        came_true = [hidden.outcome(i) for i in range(3)]
        if kind == "exclusive":
            assert sum(came_true) <= 1
            assert sum(hidden.truths) <= 1 + 1e-12
            if sum(starts) > 1 - 1e-9:
                assert sum(came_true) == 1 and abs(sum(hidden.truths) - 1) < 1e-12
        else:
            assert came_true == sorted(came_true, reverse=True)
            assert hidden.truths == sorted(hidden.truths, reverse=True)
    for i, start in enumerate(starts):
        assert_zero_mean([hidden.truths[i] - start for hidden in ends])
    assert {sum(hidden.outcome(i) for i in range(3)) for hidden in ends} >= ({0, 1} if sum(starts) < 1 else {1})


def test_what_is_called_thirty_per_cent_happens_in_thirty_of_a_hundred() -> None:
    """Test 1: in ten buckets of probability the outcome's frequency is the mean probability."""
    pairs = []
    for seed in range(4_000):
        hidden = after(Hidden(seed, "e", [question(start=0.5)], LIVELY), 40)
        pairs.append((hidden.truths[0], hidden.outcome(0)))
    for bucket in range(10):
        inside = [(p, came) for p, came in pairs if bucket <= 10 * p < bucket + 1]
        assert len(inside) >= 30, bucket
        mean = statistics.mean(p for p, _ in inside)
        error = math.sqrt(mean * (1 - mean) / len(inside))
        assert abs(statistics.mean(came for _, came in inside) - mean) < 3.5 * error, bucket


def test_evidence_stops_beyond_the_edge_and_comes_again_before_the_end() -> None:
    """A demo left running stays quotable; what is nearly certain is settled all the same when its time has come."""
    ends = 0
    for seed in range(60):
        hidden = after(Hidden(seed, "e", [question()], LIVELY), 800)
        truth = hidden.truths[0]
        if EDGE < truth < 1 - EDGE:
            continue
        ends += 1
        assert 0.002 < truth < 0.998
        after(hidden, 100)
        assert hidden.truths[0] == truth
        hidden.step(1.0, owed=0.1)
        assert hidden.truths[0] != truth
    assert ends > 40


def test_the_finale_settles_the_question() -> None:
    """Variance is owed only near the end, and enough of it that the truth is nearly known a second before."""
    assert finale(601, 1, 1e6) == 0 and finale(599, 1, 1e6) > 0
    assert finale(61, 1, 300) == 0 and finale(59, 1, 300) > 0, "a fifth of five minutes"
    assert finale(10, 1, 300) > 5 * finale(59, 1, 300)
    assert finale(0.1, 1, 300) == 0, "the last bit is the end itself"
    sure = 0
    for seed in range(200):
        hidden = Hidden(seed, "e", [question(start=0.5)], PROFILES["normal"])
        for left in range(300, 1, -1):
            hidden.step(1.0, finale(left, 1.0, 300.0))
        sure += abs(hidden.truths[0] - hidden.outcome(0)) < 0.1
    assert sure > 150


def test_impossible_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="without any"):
        league("exclusive", (0.6, 0.41), 1)
    with pytest.raises(ValueError, match="without any"):
        league("nested", (0.5, 0.6), 1)


def test_public_opinion_lags_the_truth() -> None:
    """Past public opinion is closer to the past truth than to the present one."""
    hidden = Hidden(1, "e", [question(start=0.5)], PROFILES["normal"])
    belief = Belief(1, "m", question(start=0.5), structs.replace(PROFILES["normal"], mood_ticks=0.0))
    truths: list[float] = []
    gaps_now, gaps_lagged = [], []
    for _ in range(5_000):
        hidden.step(0.2)
        belief.learn(hidden.truths[0], 0.2)
        truths.append(belief.truth)
        if len(truths) > 30:
            gaps_now.append(abs(belief.public() - truths[-1]))
            gaps_lagged.append(abs(belief.public() - truths[-30]))
    assert statistics.mean(gaps_now) > 0.001
    assert statistics.mean(gaps_lagged) < statistics.mean(gaps_now)
    assert belief.public(2.0) == belief._past[-11]


def test_the_public_mood_comes_and_goes() -> None:
    profile = PROFILES["normal"]
    belief = Belief(1, "m", question(start=0.5), profile)
    errors = []
    for _ in range(20_000):
        belief.learn(0.5, 0.5)
        errors.append(100 * (belief.public() - 0.5))
    assert abs(statistics.mean(errors)) < 0.15
    assert statistics.stdev(errors) == pytest.approx(profile.mood_ticks, rel=0.15)


def test_hawkes_has_its_stationary_rate_and_clusters() -> None:
    """Rate mu / (1 - alpha / beta); gaps vary more than in a Poisson process (market-making.md 4.8)."""
    arrivals = Hawkes(mu=0.1, alpha=0.3, beta=0.6)
    dice = Dice(1, "h")
    waits = [arrivals.next_wait(dice.turn()) for _ in range(20_000)]
    assert abs(1 / statistics.mean(waits) - 0.2) < 0.02
    assert statistics.stdev(waits) > 1.1 * statistics.mean(waits)


def test_dice_depend_on_seed_agent_and_counter_only() -> None:
    """What an agent draws in one action changes nothing in its next, nor in any other agent's."""
    greedy, modest = Dice(1, "a"), Dice(1, "a")
    greedy.turn().gauss(0, 1)
    modest.turn()
    for _ in range(100):
        greedy.random()
    assert [greedy.turn().gauss(0, 1) for _ in range(3)] == [modest.turn().gauss(0, 1) for _ in range(3)]
    firsts = {
        dice.turn().random()
        for seed in (1, 2)
        for agent in ("a", "b")
        for dice in [Dice(seed, agent)]
        for _ in range(2)
    }
    assert len(firsts) == 8


def test_dice_are_fair() -> None:
    dice = Dice(1, "a").turn()
    draws = [dice.random() for _ in range(20_000)]
    counts = [sum(int(10 * x) == digit for x in draws) for digit in range(10)]
    assert sum((count - 2_000) ** 2 / 2_000 for count in counts) < 27.9, "chi-square, 9 degrees, 0.1 %"
    assert abs(statistics.correlation(draws[:-1], draws[1:])) < 0.03
    across = [Dice(1, f"agent/{number}").turn().random() for number in range(5_000)]
    assert abs(statistics.mean(across) - 0.5) < 0.015
    picks = [dice.choice("abc") for _ in range(3_000)]
    assert all(abs(picks.count(letter) - 1_000) < 120 for letter in "abc")
    assert statistics.median(dice.lognormal(30, 1.2) for _ in range(5_000)) == pytest.approx(30, rel=0.1)
