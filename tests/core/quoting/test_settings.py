"""Every setting of quoting and requoting changes a price, a size or a verdict."""

from typing import Any

import pytest

from core.config import Settings
from core.quoting.plan import plan_quotes
from core.quoting.requote import LiveOrder, Situation, decide, requote_rules_of
from core.quoting.routing import Target
from core.units import Ticks
from tests.core.quoting.arrange import inputs, market, rules, shares

BASE: dict[str, Any] = {"jitter_ticks": 9, "base_size_usd": 300.0, "max_size_usd": 1500.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 2),
        ("k_vol", 5.0),
        ("k_fee_ticks", 3.0),
        ("min_edge_ticks", 4.0),
        ("inv_gamma", 0.0),
        ("inv_skew_mode", "bankroll"),
        ("price_min", 0.44),
        ("price_max", 0.48),
        ("order_layers", 2),
        ("base_size_usd", 100.0),
        ("max_size_usd", 400.0),
        ("layer_ratio", 1.0),
        ("layer_step_ticks", 3),
        ("layer_step_frac", 2.0),
        ("jitter_ticks", 0),
        ("size_mode", "capital"),
        ("reward_bump", True),
        ("soft_cap_delta_pct", 0.01),
        ("hard_cap_delta_pct", 0.02),
    ],
)
def test_quote_setting_changes_the_plan(name: str, value: object) -> None:
    seen = inputs(yes=1_800, fair=0.464)
    changed = rules(reward_min=700, **(BASE | {name: value}))
    assert plan_quotes(seen, changed).targets != plan_quotes(seen, rules(reward_min=700, **BASE)).targets


def test_sizes_unset_follow_the_bankroll() -> None:
    small, large = (plan_quotes(inputs(equity=equity), rules()).targets[0].size for equity in (20_000, 40_000))
    assert large > small


@pytest.mark.parametrize(
    ("name", "value", "live_ticks", "size", "age_s", "ahead"),
    [
        ("requote_mid_ticks", 2, 46, 600, 60.0, 0),
        ("hyst_ticks", 2, 46, 600, 60.0, 0),
        ("requote_aggr_ticks", 2, 49, 600, 60.0, 0),
        ("keep_edge_frac", 0.4, 49, 600, 60.0, 0),
        ("resize_tol", 0.1, 48, 700, 60.0, 0),
        ("min_life_sec", 90.0, 46, 600, 60.0, 0),
        ("requote_queue_levels", 3, 47, 600, 60.0, 2),
        ("order_max_age_sec", 4.0, 48, 600, 60.0, 0),
        ("stale_sec", 2.0, 48, 600, 60.0, 0),
    ],
)
def test_requote_setting_changes_the_verdict(
    name: str, value: Any, live_ticks: int, size: float, age_s: float, ahead: int
) -> None:
    live = LiveOrder("bid", Ticks(live_ticks), "YES", shares(size), age_s, 5.0, ahead)
    target = Target("bid", 0, "YES", "BUY", Ticks(48), Ticks(48), shares(600))
    situation = Situation(0.5, 0.02, 3.0)

    def verdict(settings: Settings) -> object:
        return decide(live, live.remaining, target, situation, requote_rules_of(settings, market()))

    assert verdict(Settings(**{name: value})) != verdict(Settings())
