"""Paired comparisons: arms by description, errors that are right, the same figures from any number of processes.

``POLYMM_SLOW=1`` adds the claims about quoting over 200 worlds (docs/quoting-results.md): about an hour of two cores.
"""

import math
import os
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from core.config import load
from core.errors import ConfigError, PolymmError, UsageError
from core.lab.compare import ARMS, Report, arm_of, arm_report, compare, pair_report
from core.lab.outcome import Outcome, Scene
from core.profiles import Profiles
from core.units import MICRO, Shares
from tests.builders import laws
from tests.core.quoting.arrange import market

SLOW = bool(os.environ.get("POLYMM_SLOW"))
BASE = load(None, {}, {})
PLAIN = Outcome(
    edge=0.0, carry=0.0, edge_against={}, fills=0, filled=Shares(0), cancels=0, placed=0, most_held=Shares(0),
    uptime=0.0, attacks=0, bitten=0, lost_ticks=0.0, acts="",
)  # fmt: skip


def worlds(profits: list[float], **same: object) -> list[Outcome]:
    return [structs.replace(PLAIN, edge=profit, **same) for profit in profits]


# Arms


def test_an_arm_is_names_and_settings() -> None:
    """Later parts win, and the name says what was asked for."""
    arm = arm_of(" no-skew, order_layers=1 ,relabelled", BASE)
    assert (arm.name, arm.relabelled) == ("no-skew,order_layers=1,relabelled", True)
    settings = arm.effective.settings
    assert (settings.inv_gamma, settings.order_layers, settings.k_vol) == (0.0, 1, BASE.settings.k_vol)
    assert arm_of("no-skew,inv_gamma=0.5", BASE).effective.settings.inv_gamma == 0.5


def test_what_an_arm_sets_no_profile_overrules() -> None:
    """The profile of fine ticks wants layers of three ticks: not where an arm says otherwise."""
    fine = market("0.001")
    plain, arm = (Profiles(arm_of(text, BASE).effective).for_market(fine) for text in ("default", "layer_step_ticks=5"))
    assert (plain.settings.layer_step_ticks, arm.settings.layer_step_ticks) == (3, 5)
    assert arm.origins["layer_step_ticks"] == "arm layer_step_ticks=5" and plain.profile == arm.profile == "fine"


def test_every_named_arm_is_other_than_the_default() -> None:
    """A setting that was renamed must not leave an arm without effect."""
    for name in ARMS:
        arm = arm_of(name, BASE)
        assert (arm.effective.settings != BASE.settings or arm.relabelled) == (name != "default"), name


def test_an_arm_is_of_the_demo_whatever_the_users_mode() -> None:
    """The literal triggers are refused elsewhere, and worlds are simulated anyway."""
    assert arm_of("literal", load(None, {}, {"mode": "paper"})).effective.settings.mode == "demo"


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", UsageError, ["default", "name=value"]),
        (" , ", UsageError, ["default"]),
        ("no-skwe", UsageError, ["'no-skwe'", "no-skew"]),
        ("inv_gama=0", ConfigError, ["arm inv_gama=0", "inv_gamma"]),
        ("inv_gamma=lots", ConfigError, ["inv_gamma", "number"]),
        ("hard_cap_delta_pct=0.01", ConfigError, ["soft_cap_delta_pct"]),
    ],
)
def test_a_wrong_arm_is_refused(text: str, error: type[PolymmError], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        arm_of(text, BASE)
    assert all(word in str(caught.value) for word in words)


# Figures


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
@laws(60)
def test_the_error_of_a_mean_is_the_deviation_over_the_root_of_n(profits: list[float]) -> None:
    report = arm_report("a", worlds(profits))
    assert report.pnl.value == pytest.approx(statistics.fmean(profits))
    assert report.pnl.se == pytest.approx(statistics.stdev(profits) / math.sqrt(len(profits)))


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 1000)), min_size=3, max_size=20))
@laws(60)
def test_the_jackknife_of_a_quotient_with_equal_divisors_is_that_of_a_mean(parts: list[tuple[float, int]]) -> None:
    """Where both ways to an error apply they agree."""
    outcomes = [structs.replace(PLAIN, cancels=round(value), filled=Shares(MICRO)) for value, _ in parts]
    found = arm_report("a", outcomes).cancels_per_1000
    values = [1000.0 * one.cancels for one in outcomes]
    assert found.value == pytest.approx(statistics.fmean(values))
    assert found.se == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)), abs=1e-6)


def test_differences_are_taken_world_by_world() -> None:
    """Two arms a dollar apart in very different worlds are a dollar apart for certain."""
    pair = pair_report("b", worlds([1.0, 101.0, -50.0]), worlds([0.0, 100.0, -51.0]))
    assert pair.pnl.value == pytest.approx(1.0) and pair.pnl.se == pytest.approx(0.0, abs=1e-9)
    assert pair.deviation_ratio.value == pytest.approx(1.0)
    assert pair_report("b", worlds([2.0, 4.0, 6.0]), worlds([1.0, 2.0, 3.0])).deviation_ratio.value == 2.0


def test_worlds_done_alike_are_counted() -> None:
    first = [structs.replace(PLAIN, acts=acts) for acts in "aab"]
    other = [structs.replace(PLAIN, acts=acts) for acts in "abb"]
    assert pair_report("b", first, other).alike == 2


def test_what_the_worlds_do_not_say_is_left_open() -> None:
    """One world has no error, no fills no cancels a share, no baits no loss a bait; nothing is made up."""
    report = arm_report("a", worlds([3.0]))
    assert (report.pnl.value, report.pnl.se, report.deviation.value) == (3.0, None, None)
    assert report.cancels_per_1000.value is None and report.lost_per_attack.value is None
    assert pair_report("b", worlds([1.0, 2.0]), worlds([5.0, 5.0])).deviation_ratio.value is None


def test_loss_to_the_baiter_is_for_each_bait() -> None:
    bitten = structs.replace(PLAIN, edge_against={"baiter": -6.0}, attacks=3, bitten=1, lost_ticks=1.5)
    report = arm_report("a", [bitten, structs.replace(PLAIN, attacks=3)])
    assert (report.attacks, report.bitten) == (6, 1)
    assert (report.lost_per_attack.value, report.lost_ticks_per_attack.value) == (1.0, 0.25)


# Runs

SHORT = Scene(minutes=1, profile="lively")


def run(jobs: int, *names: str, scene: Scene = SHORT, seeds: int = 2) -> Report:
    return compare([arm_of(name, BASE) for name in names], scene, seeds, jobs=jobs)


def test_processes_change_nothing() -> None:
    """Which process measures which world, and which is done first, does not show."""
    assert run(1, "default", "no-skew") == run(2, "default", "no-skew")


def test_an_arm_differs_in_nothing_from_itself() -> None:
    """Common worlds: no figure of a pair may come from chance."""
    (pair,) = run(1, "default", "default").pairs
    assert (pair.pnl.value, pair.edge.value, pair.filled.value, pair.alike) == (0.0, 0.0, 0.0, 2)


# The claims about quoting, over 200 worlds: the scenes of docs/quoting-results.md


def over_200_worlds(scene: Scene, *names: str, **settings: object) -> Report:
    base = load(None, {}, settings)
    return compare([arm_of(name, base) for name in names], scene, 200, jobs=os.cpu_count() or 1)


def slow(test: Callable[..., None]) -> Callable[..., None]:
    skipped = pytest.mark.skipif(not SLOW, reason="minutes to half an hour; POLYMM_SLOW=1 runs it")
    return pytest.mark.timeout(7200)(skipped(test))


@slow
def test_keeping_the_queue_beats_the_literal_triggers() -> None:
    (pair,) = over_200_worlds(Scene(minutes=20), "default", "literal", bankroll_usd=5_000).pairs
    assert pair.edge.value > 2 * pair.edge.se and pair.pnl.value > 2 * pair.pnl.se


@slow
def test_skew_takes_a_quarter_and_more_off_the_deviation_of_profit() -> None:
    (pair,) = over_200_worlds(Scene(minutes=60), "default", "no-skew").pairs
    assert pair.deviation_ratio.value < 0.75


@slow
def test_resetting_the_average_at_jumps_pays() -> None:
    (pair,) = over_200_worlds(Scene(minutes=10, news=4.0), "default", "no-jump-reset").pairs
    assert pair.edge.value > 2 * pair.edge.se


@slow
def test_the_baiter_takes_less_than_a_tick_an_attack() -> None:
    report = over_200_worlds(Scene(minutes=5, markets=(6,), baiter=True), "default", "credulous")
    careful, credulous = report.arms
    assert careful.attacks > 1_000
    assert careful.lost_ticks_per_attack.value + 2 * careful.lost_ticks_per_attack.se < 1.0
    assert credulous.bitten > 100, "the baiter is a danger to somebody"


@slow
@pytest.mark.parametrize("question", [3, 37])
def test_a_long_shot_is_traded_alike_by_both_names_in_200_worlds(question: int) -> None:
    report = over_200_worlds(Scene(minutes=5, markets=(question,)), "default", "relabelled")
    assert report.pairs[0].alike == 200 and report.arms[0].fills.value > 1
