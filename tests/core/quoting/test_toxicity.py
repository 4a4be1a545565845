"""Adverse drift widens its own side; luck never tightens."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.portfolio.markouts import Drift
from core.quoting.toxicity import Toxicity, ToxicityRules, adverse_share
from core.units import Shares
from tests.core.quoting.arrange import laws

RULES = ToxicityRules(beta=0.1, prior_fills=20, k=1.0, cap_ticks=5)
drawn = st.lists(st.floats(-1, 1), max_size=60)


def drift(move: float, size: int = 10) -> Drift:
    return Drift(("t", "o"), 0.0, "bid", 0, Shares(size), 30.0, 0.0, move)


@laws
@given(drawn, st.sampled_from([0.1, 0.01, 0.001, 0.0001]))
def test_widening_is_between_nothing_and_the_cap(drifts: list[float], tick: float) -> None:
    assert 0.0 <= Toxicity.of(RULES, drifts).widen(tick) <= RULES.cap_ticks * tick


@laws
@given(drawn)
def test_average_agrees_with_the_weights_it_stands_for(drifts: list[float]) -> None:
    """Weights of the newest to the oldest fall by a tenth each and sum to one."""
    weights = [0.9**age for age in range(len(drifts))]
    expected = sum(w * d for w, d in zip(weights, reversed(drifts), strict=True)) / sum(weights) if drifts else 0.0
    found = Toxicity.of(RULES, drifts)
    assert found.ewma == pytest.approx(expected, abs=1e-9)
    assert found.shrunk == pytest.approx(expected * len(drifts) / (len(drifts) + 20), abs=1e-9)


@laws
@given(drawn, st.floats(-1, 1), st.floats(0, 1))
def test_a_worse_drift_never_narrows(drifts: list[float], last: float, worse: float) -> None:
    less = Toxicity.of(RULES, [*drifts, last]).widen(0.01)
    more = Toxicity.of(RULES, [*drifts, max(-1.0, last - worse)]).widen(0.01)
    assert more >= less - 1e-12


def test_nothing_is_added_before_the_first_fill_or_for_luck() -> None:
    assert Toxicity(RULES).widen(0.01) == 0.0
    assert Toxicity.of(RULES, [0.02] * 50).widen(0.01) == 0.0


def test_few_fills_count_for_little() -> None:
    few, many = Toxicity.of(RULES, [-0.02]), Toxicity.of(RULES, [-0.02] * 200)
    assert few.widen(0.01) == pytest.approx(0.02 / 21)
    assert many.widen(0.01) == pytest.approx(0.02 * 200 / 220)


def test_every_rule_changes_the_widening() -> None:
    drifts = [-0.03, 0.0, -0.01]
    plain = Toxicity.of(RULES, drifts).widen(0.01)
    for other in (
        ToxicityRules(0.5, 20, 1.0, 5), ToxicityRules(0.1, 2, 1.0, 5), ToxicityRules(0.1, 20, 0.5, 5),
        ToxicityRules(0.1, 20, 1.0, 0.1),
    ):  # fmt: skip
        assert Toxicity.of(other, drifts).widen(0.01) != plain


@pytest.mark.parametrize("move", [math.nan, math.inf, -math.inf, 1.5, -1.5])
def test_what_is_no_drift_is_refused_and_changes_nothing(move: float) -> None:
    toxicity = Toxicity.of(RULES, [-0.02])
    before = toxicity.n, toxicity.widen(0.01)
    with pytest.raises(ValueError, match="no drift"):
        toxicity.observe(move)
    assert (toxicity.n, toxicity.widen(0.01)) == before


@pytest.mark.parametrize(
    "figures", [(0.0, 20, 1, 5), (1.1, 20, 1, 5), (math.nan, 20, 1, 5), (0.1, -1, 1, 5), (0.1, 20, -1, 5),
                (0.1, 20, 1, math.nan), (0.1, 20, math.inf, 5)],
)  # fmt: skip
def test_rules_out_of_range_are_refused(figures: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="no rules"):
        ToxicityRules(*figures)


def test_rules_and_drifts_at_the_ends_of_their_ranges_are_taken() -> None:
    """The newest drift alone, asked back whole."""
    toxicity = Toxicity.of(ToxicityRules(1.0, 0, 1.0, 200), [1.0, -1.0])
    assert toxicity.widen(0.01) == 1.0
    assert Toxicity.of(ToxicityRules(1.0, 0, 0, 0), [-1.0]).widen(0.01) == 0.0


def test_adverse_share_counts_volume_moved_against_by_a_tick() -> None:
    moves = [drift(-0.01, 30), drift(-0.0099, 20), drift(-0.05, 10), drift(0.02, 40)]
    assert adverse_share(moves, 0.01) == pytest.approx(0.4)
    assert adverse_share(moves, 0.001) == pytest.approx(0.6)
    assert adverse_share([], 0.01) is None
