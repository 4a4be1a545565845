"""From the orders we have to the orders we want."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.config import Settings
from core.quoting.plan import QuotePlan, SidePlan, plan_quotes
from core.quoting.requote import (
    LiveOrder,
    Situation,
    Verdict,
    decide,
    diff_orders,
    levels_ahead,
    match_orders,
    requote_rules_of,
    situation_of,
)
from core.quoting.routing import Target
from core.units import Outcome, Shares, Side, Ticks
from tests.core.quoting.arrange import drawn_inputs, drawn_rules, inputs, laws, market, rules, shares

RULES = requote_rules_of(Settings(), market())
CALM = Situation(reservation=0.5, half_bid=0.02, half_ask=0.02, data_age_s=0.1)


def live(ticks: int, size: float, side: Side = "bid", outcome: Outcome = "YES", **over: Any) -> LiveOrder:
    return LiveOrder(side, Ticks(ticks), outcome, shares(size), **({"age_s": 60.0, "validated_age_s": 0.5} | over))


def target(ticks: int, size: float, side: Side = "bid", outcome: Outcome = "YES", layer: int = 0) -> Target:
    buys = (side == "bid") == (outcome == "YES")
    token = ticks if outcome == "YES" else 100 - ticks
    return Target(side, layer, outcome, "BUY" if buys else "SELL", Ticks(ticks), Ticks(token), shares(size))


def plan_of(*targets: Target, room: float = 1e6) -> QuotePlan:
    side = SidePlan("ok", room=shares(room))
    return QuotePlan(side, side, targets)


def actions(orders: list[LiveOrder], plan: QuotePlan, situation: Situation = CALM) -> list[tuple[str, str]]:
    return [(v.action, v.reason) for v in diff_orders(orders, plan, situation, RULES).verdicts]


def test_shift_of_all_layers_by_one_tick_keeps_every_queue_place() -> None:
    orders = [live(48, 600), live(47, 900), live(46, 1350)]
    moved = [target(49, 600), target(48, 900), target(47, 1350)]
    assert match_orders(orders, moved, 0.25) == [0, 1, 2]
    assert actions(orders, plan_of(*moved)) == [("keep", "in_tolerance")] * 3


def test_filled_layer_leaves_the_others_where_they_are() -> None:
    orders = [live(47, 900), live(46, 1350)]
    wanted = [target(48, 600), target(47, 900), target(46, 1350)]
    diff = diff_orders(orders, plan_of(*wanted), CALM, RULES)
    assert match_orders(orders, wanted, 0.25) == [1, 2]
    assert diff.unplaced == (wanted[0],)


def test_surplus_order_is_cancelled_and_the_nearest_stays() -> None:
    orders = [live(48, 600), live(44, 600)]
    assert actions(orders, plan_of(target(45, 600))) == [("cancel", "no_target"), ("keep", "in_tolerance")]


def test_sides_are_never_mixed() -> None:
    assert match_orders([live(50, 10, "ask")], [target(50, 10, "bid")], 0.25) == [None]


def test_order_on_the_same_token_is_preferred_at_one_price() -> None:
    legs = [target(53, 250, "ask", "YES"), target(53, 350, "ask", "NO")]
    assert match_orders([live(53, 600, "ask", "NO")], legs, 0.25) == [1]
    assert match_orders([live(53, 250, "ask", "YES"), live(53, 600, "ask", "NO")], legs, 0.25) == [0, 1]


def test_order_on_the_other_token_keeps_its_place_when_there_is_none_on_the_same() -> None:
    orders = [live(53, 600, "ask", "NO")]
    assert actions(orders, plan_of(target(53, 600, "ask", "YES"))) == [("keep", "in_tolerance")]


def test_parts_of_a_top_up_stand_for_one_target_together() -> None:
    parts = [live(48, 200.55), live(48, 399.45, age_s=0.2)]
    assert actions(parts, plan_of(target(48, 600))) == [("keep", "in_tolerance")] * 2


def test_only_the_first_part_is_topped_up() -> None:
    diff = diff_orders([live(48, 200), live(48, 100)], plan_of(target(48, 600)), CALM, RULES)
    assert diff.verdicts == (Verdict("topup", "undersize", shares(300)), Verdict("keep", "in_tolerance"))
    assert diff.matched == (target(48, 300), target(48, 600))
    assert diff.unplaced == ()


def test_top_up_joins_the_order_at_its_own_price() -> None:
    diff = diff_orders([live(53, 200, "ask", "NO")], plan_of(target(52, 600, "ask", "NO")), CALM, RULES)
    assert diff.verdicts == (Verdict("topup", "undersize", shares(400)),)
    assert diff.matched == (target(53, 400, "ask", "NO"),)


def test_order_too_small_is_replaced_when_more_of_it_would_lack_edge_or_funding() -> None:
    assert actions([live(48, 200)], plan_of(target(47, 600))) == [("replace", "undersize")]
    assert actions([live(53, 200, "ask", "NO")], plan_of(target(53, 600, "ask"))) == [("replace", "undersize")]


def test_layer_whose_other_leg_is_missing_comes_together_at_one_price() -> None:
    legs = plan_of(target(52, 100, "ask", "YES"), target(52, 300, "ask", "NO"))
    assert actions([live(53, 300, "ask", "NO")], legs) == [("replace", "undersize")]
    assert actions([live(52, 300, "ask", "NO")], legs) == [("keep", "in_tolerance")]


def test_parts_are_replaced_by_one_order() -> None:
    parts = [live(45, 200), live(45, 400, age_s=0.1)]
    assert actions(parts, plan_of(target(48, 600))) == [("replace", "passive"), ("cancel", "passive")]


def test_second_order_that_does_not_fit_the_target_is_cancelled() -> None:
    assert actions([live(48, 600), live(48, 200)], plan_of(target(48, 600))) == [
        ("keep", "in_tolerance"),
        ("cancel", "no_target"),
    ]


def test_target_of_an_order_being_cancelled_is_not_placed_beside_it() -> None:
    diff = diff_orders([live(48, 600, validated_age_s=13.0)], plan_of(target(48, 600)), CALM, RULES)
    assert [(v.action, v.reason) for v in diff.verdicts] == [("cancel", "unvalidated")]
    assert diff.unplaced == ()


def test_tolerated_oversize_gives_way_when_the_side_has_no_room_for_it() -> None:
    orders = [live(48, 720), live(47, 1000)]
    wanted = (target(48, 600), target(47, 900, layer=1))
    assert actions(orders, plan_of(*wanted, room=1800)) == [("keep", "in_tolerance")] * 2
    assert actions(orders, plan_of(*wanted, room=1620)) == [("keep", "in_tolerance"), ("replace", "oversize")]
    assert actions(orders, plan_of(*wanted, room=1500)) == [("replace", "oversize")] * 2


def test_stale_data_cancels_before_anything_else_is_looked_at() -> None:
    stale = Situation(0.5, 0.02, 0.02, 10.5)
    assert actions([live(48, 600)], plan_of(target(48, 600)), stale) == [("cancel", "stale")]


def test_danger_is_fast_and_improvement_is_slow() -> None:
    near, far = target(48, 600), target(50, 600)
    assert decide(live(49, 600, age_s=0.0), shares(600), near, CALM, RULES).reason == "aggressive"
    assert decide(live(48, 600, age_s=3.4), shares(600), far, CALM, RULES).reason == "in_tolerance"
    assert decide(live(48, 600, age_s=3.5), shares(600), far, CALM, RULES).reason == "passive"


def test_levels_ahead_are_those_of_others_strictly_better_and_large_enough() -> None:
    levels = [(Ticks(50), shares(3)), (Ticks(49), shares(20)), (Ticks(48), shares(20)), (Ticks(47), shares(20))]
    assert levels_ahead(levels, "bid", Ticks(47), shares(5)) == 2
    assert levels_ahead(levels, "bid", Ticks(51), shares(5)) == 0
    assert levels_ahead([(Ticks(52), shares(9)), (Ticks(53), shares(9))], "ask", Ticks(53), shares(5)) == 1


@laws
@given(st.data())
def test_orders_that_are_the_plan_are_all_kept(data: st.DataObject) -> None:
    profile = data.draw(drawn_rules())
    plan = plan_quotes(data.draw(drawn_inputs(profile.grid.k)), profile)
    orders = [LiveOrder(t.side, t.yes_ticks, t.outcome, t.size, 60.0, 0.5) for t in plan.targets]
    checked = requote_rules_of(Settings(), market(profile.grid.tick_text))
    diff = diff_orders(orders, plan, situation_of(plan, 0.1), checked)
    assert {v.action for v in diff.verdicts} <= {"keep"}
    assert diff.unplaced == ()


prices = st.integers(40, 60)
amounts = st.integers(5, 1500)


@laws
@given(
    st.lists(st.tuples(prices, amounts, st.sampled_from(["bid", "ask"]), st.sampled_from(["YES", "NO"])), max_size=8),
    st.lists(st.tuples(prices, amounts, st.sampled_from(["bid", "ask"])), max_size=6, unique_by=lambda t: t[::2]),
)
def test_what_stands_after_the_verdicts_fits_the_room_and_uses_each_target_once(
    have: list[tuple[int, int, Side, Outcome]], want: list[tuple[int, int, Side]]
) -> None:
    want.sort(key=lambda t: -t[0] if t[2] == "bid" else t[0])
    targets = [target(ticks, size, side) for ticks, size, side in want]
    orders = [live(*order) for order in have]
    room = {side: sum(t.size for t in targets if t.side == side) for side in ("bid", "ask")}
    plan = QuotePlan(SidePlan("ok", room=Shares(room["bid"])), SidePlan("ok", room=Shares(room["ask"])), tuple(targets))
    diff = diff_orders(orders, plan, CALM, RULES)
    standing = {"bid": 0, "ask": 0}
    for order, verdict, found in zip(orders, diff.verdicts, diff.matched, strict=True):
        assert found is None or found.side == order.side
        if verdict.action in ("keep", "topup"):
            standing[order.side] += order.remaining + verdict.size
        elif verdict.action == "replace":
            assert found is not None
            standing[order.side] += found.size
    for one in diff.unplaced:
        standing[one.side] += one.size
    assert standing["bid"] <= room["bid"] and standing["ask"] <= room["ask"]
    replaced = [id(t) for v, t in zip(diff.verdicts, diff.matched, strict=True) if v.action == "replace"]
    assert len(replaced) == len(set(replaced))


@laws
@given(
    st.lists(st.tuples(prices, amounts, st.sampled_from(["bid", "ask"]), st.sampled_from(["YES", "NO"])), max_size=8),
    st.data(),
)
def test_carrying_the_verdicts_out_comes_to_rest(
    have: list[tuple[int, int, Side, Outcome]], data: st.DataObject
) -> None:
    profile = rules()
    plan = plan_quotes(
        inputs(yes=data.draw(st.integers(0, 2_000)), no=data.draw(st.integers(0, 2_000)), cash=1e4), profile
    )
    situation = situation_of(plan, 0.1)
    orders = [live(*order) for order in have]
    for _ in range(4):
        diff = diff_orders(orders, plan, situation, RULES)
        standing: list[LiveOrder] = []
        for order, verdict, found in zip(orders, diff.verdicts, diff.matched, strict=True):
            if verdict.action in ("keep", "topup"):
                standing.append(order)
            if verdict.action in ("replace", "topup") and found is not None:
                standing.append(LiveOrder(found.side, found.yes_ticks, found.outcome, found.size, 60.0, 0.5))
        standing += [LiveOrder(t.side, t.yes_ticks, t.outcome, t.size, 60.0, 0.5) for t in diff.unplaced]
        orders = standing
    assert {v.action for v in diff.verdicts} <= {"keep"}
    assert diff.unplaced == ()


@laws
@given(
    st.lists(st.tuples(prices, amounts, st.sampled_from(["bid", "ask"]), st.sampled_from(["YES", "NO"])), max_size=8),
    st.integers(0, 2_000),
    st.integers(0, 2_000),
    st.data(),
)
def test_no_order_is_taken_away_that_would_be_placed_again(
    have: list[tuple[int, int, Side, Outcome]], yes: int, no: int, data: st.DataObject
) -> None:
    """Its place in the queue would be given up for nothing."""
    plan = plan_quotes(inputs(yes=yes, no=no, cash=1e4), rules())
    same = data.draw(st.lists(st.sampled_from(plan.targets), unique_by=id)) if plan.targets else []
    orders = [live(*order) for order in have]
    orders += [LiveOrder(t.side, t.yes_ticks, t.outcome, t.size, 60.0, 0.5) for t in same]
    orders = data.draw(st.permutations(orders))
    diff = diff_orders(orders, plan, situation_of(plan, 0.1), RULES)
    taken: Counter[tuple[Side, Outcome, Ticks, Shares]] = Counter()
    placed = Counter((t.side, t.outcome, t.yes_ticks, t.size) for t in diff.unplaced)
    for order, verdict, found in zip(orders, diff.verdicts, diff.matched, strict=True):
        if verdict.action in ("cancel", "replace"):
            taken[(order.side, order.outcome, order.yes_ticks, order.remaining)] += 1
        if verdict.action == "replace" and found is not None:
            placed[(found.side, found.outcome, found.yes_ticks, found.size)] += 1
    assert not taken & placed
