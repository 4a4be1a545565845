"""The literal triggers give up what the usual ones keep; otherwise they are the same decision."""

from typing import Any

import pytest

from core.config import Settings
from core.quoting.baseline import decide_literal
from core.quoting.requote import LiveOrder, Situation, decide, requote_rules_of
from core.quoting.routing import Target
from core.units import Shares, Side, Ticks
from tests.core.quoting.arrange import market, shares

RULES = requote_rules_of(Settings(), market())
CALM = Situation(reservation=0.5, half_bid=0.02, half_ask=0.02, data_age_s=0.1)


def live(ticks: int, size: float = 600, side: Side = "bid", **over: Any) -> LiveOrder:
    return LiveOrder(side, Ticks(ticks), "YES", shares(size), **({"age_s": 1.0, "validated_age_s": 0.5} | over))


def wanted(ticks: int, size: float = 600, side: Side = "bid") -> Target:
    return Target(side, 0, "YES", "BUY" if side == "bid" else "SELL", Ticks(ticks), Ticks(ticks), shares(size))


def verdict(order: LiveOrder, target: Target | None, situation: Situation = CALM, **rules: Any) -> tuple[str, str]:
    found = decide_literal(order, order.remaining, target, situation, requote_rules_of(Settings(**rules), market()))
    return found.action, found.reason


@pytest.mark.parametrize(
    ("order", "target", "expected"),
    [
        (live(48), wanted(48), ("keep", "in_tolerance")),
        (live(48, age_s=12.0), wanted(48), ("keep", "in_tolerance")),
        (live(48, age_s=12.01), wanted(48), ("replace", "aged")),
        (live(47), wanted(48), ("replace", "passive")),
        (live(49), wanted(48), ("replace", "aggressive")),
        (live(53, side="ask"), wanted(52, side="ask"), ("replace", "passive")),
        (live(51, side="ask"), wanted(52, side="ask"), ("replace", "aggressive")),
        (live(48, 751), wanted(48, 600), ("replace", "oversize")),
        (live(48, 449), wanted(48, 600), ("replace", "undersize")),
        (live(48, levels_ahead=9), wanted(48), ("keep", "in_tolerance")),
        (live(48), None, ("cancel", "no_target")),
    ],
)
def test_each_trigger(order: LiveOrder, target: Target | None, expected: tuple[str, str]) -> None:
    """Any tick and any twelve seconds cost the place, whatever edge is left and however young the order."""
    assert verdict(order, target) == expected


def test_stale_data_come_first() -> None:
    """No baseline may quote on a feed that is silent."""
    silent = Situation(reservation=0.5, half_bid=0.02, half_ask=0.02, data_age_s=10.1)
    assert verdict(live(48, age_s=99), wanted(48), silent) == ("cancel", "stale")


def test_levels_in_front_count_only_where_a_tick_is_not_enough() -> None:
    """REQUOTE_QUEUE_LEVELS improves an order that has somewhere better to go."""
    far = {"requote_mid_ticks": 3}
    assert verdict(live(46, levels_ahead=1), wanted(48), **far) == ("keep", "in_tolerance")
    assert verdict(live(46, levels_ahead=2), wanted(48), **far) == ("replace", "behind")
    assert verdict(live(45), wanted(48), **far) == ("replace", "passive")


def test_what_the_usual_triggers_keep_is_given_up() -> None:
    """The difference that `lab compare --b literal` measures: a shift by a tick, and age."""
    for order in (live(47, age_s=60.0), live(48, age_s=60.0)):
        size = Shares(order.remaining)
        assert decide(order, size, wanted(48), CALM, RULES).action == "keep"
        assert decide_literal(order, size, wanted(48), CALM, RULES).action == "replace"
