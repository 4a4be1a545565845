"""The plan as a whole: what holds for every market, inventory and setting."""

import math
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from core.quoting.caps import inventory_caps
from core.quoting.plan import QuoteInputs, QuotePlan, Sides, plan_quotes
from core.units import MICRO, SIZE_QUANTUM, Shares, Ticks, Usd, floor_size
from tests.core.quoting.arrange import drawn_inputs, drawn_rules, holdings, inputs, laws, rules, shares, usd


def to_no_frame(seen: QuoteInputs, k: int) -> QuoteInputs:
    """The same market with its two tokens exchanged."""
    return structs.replace(
        seen,
        fair=1.0 - seen.fair,
        yes=seen.no,
        no=seen.yes,
        free_yes=seen.free_no,
        free_no=seen.free_yes,
        best_bid=None if seen.best_ask is None else Ticks(k - seen.best_ask),
        best_ask=None if seen.best_bid is None else Ticks(k - seen.best_bid),
        pending_bid=seen.pending_ask,
        pending_ask=seen.pending_bid,
        group_shift=-seen.group_shift,
        shift_ticks=-seen.shift_ticks,
        tox_bid=seen.tox_ask,
        tox_ask=seen.tox_bid,
        sides=_OTHER[seen.sides],
        most_bid=None if seen.least_ask is None else Ticks(k - seen.least_ask),
        least_ask=None if seen.most_bid is None else Ticks(k - seen.most_bid),
    )


_OTHER: Final[dict[Sides, Sides]] = {"both": "both", "bid": "ask", "ask": "bid"}


def side_sums(plan: QuotePlan) -> dict[str, int]:
    return {side: sum(t.size for t in plan.targets if t.side == side) for side in ("bid", "ask")}


def exposure_after(seen: QuoteInputs, bought: int) -> float:
    net = seen.yes - seen.no + bought
    return (net * seen.fair if net >= 0 else -net * (1.0 - seen.fair)) / MICRO


@laws
@given(st.data())
def test_exchanging_the_tokens_mirrors_prices_sizes_and_reasons(data: st.DataObject) -> None:
    profile = data.draw(drawn_rules(jitter_ticks=0))
    k = profile.grid.k
    seen = data.draw(drawn_inputs(k, ample_cash=True))
    # At a rounding boundary binary noise may fall to either side.
    plan, mirrored = plan_quotes(seen, profile), plan_quotes(to_no_frame(seen, k), profile)
    if plan.pricing is not None:
        for raw in (plan.pricing.reservation, plan.pricing.half_bid, plan.pricing.half_ask):
            assume(abs(raw * k * 2 - round(raw * k * 2)) < 1e-10 or abs(raw * k * 2 - round(raw * k * 2)) > 1e-7)
    assert (plan.bid.reason, plan.ask.reason) == (mirrored.ask.reason, mirrored.bid.reason)
    for ours, theirs in ((plan.bid, mirrored.ask), (plan.ask, mirrored.bid)):
        assert [(x.layer, k - x.ticks, x.size) for x in ours.layers] == [
            (x.layer, x.ticks, x.size) for x in theirs.layers
        ]
    assert {(t.side, k - t.yes_ticks, t.outcome, t.order_side, t.size) for t in plan.targets} == {
        (
            "ask" if t.side == "bid" else "bid",
            t.yes_ticks,
            "NO" if t.outcome == "YES" else "YES",
            t.order_side,
            t.size,
        )
        for t in mirrored.targets
    }


@laws
@given(st.data())
def test_every_target_is_valid_at_the_venue_and_paid_for(data: st.DataObject) -> None:
    profile = data.draw(drawn_rules())
    grid = profile.grid
    seen = data.draw(drawn_inputs(grid.k))
    plan = plan_quotes(seen, profile)
    for target in plan.targets:
        assert profile.low <= target.yes_ticks <= profile.high
        assert target.token_ticks == (target.yes_ticks if target.outcome == "YES" else grid.k - target.yes_ticks)
        assert target.size >= profile.min_size and target.size % SIZE_QUANTUM == 0
        assert (target.side == "bid") == ((target.outcome == "YES") == (target.order_side == "BUY"))
        if target.side == "bid":
            assert seen.best_ask is None or target.yes_ticks < seen.best_ask
        else:
            assert seen.best_bid is None or target.yes_ticks > seen.best_bid
    sells = {o: sum(t.size for t in plan.targets if (t.outcome, t.order_side) == (o, "SELL")) for o in ("YES", "NO")}
    assert sells["YES"] <= seen.free_yes and sells["NO"] <= seen.free_no
    spent = sum(t.token_ticks * grid.tick_usd * t.size for t in plan.targets if t.order_side == "BUY")
    assert spent <= max(0, seen.free_cash) * MICRO


@laws
@given(st.data())
def test_layers_move_outwards_and_keep_the_least_edge(data: st.DataObject) -> None:
    profile = data.draw(drawn_rules())
    plan = plan_quotes(data.draw(drawn_inputs(profile.grid.k)), profile)
    bids, asks = [one.ticks for one in plan.bid.layers], [one.ticks for one in plan.ask.layers]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    if bids and asks:
        assert asks[0] - bids[0] >= 2 * profile.min_edge_ticks - 1e-6


@laws
@given(st.data())
def test_cap_holds_whichever_orders_fill(data: st.DataObject) -> None:
    profile = data.draw(drawn_rules())
    seen = data.draw(drawn_inputs(profile.grid.k))
    plan = plan_quotes(seen, profile)
    chosen = [t for t in plan.targets if data.draw(st.booleans())]
    pending = {"bid": seen.pending_bid, "ask": seen.pending_ask}
    sums = side_sums(plan)
    cap = profile.hard * seen.equity / MICRO
    start = exposure_after(seen, 0)
    limit = max(cap, start) + 1e-6
    assert exposure_after(seen, sum(t.size if t.side == "bid" else -t.size for t in chosen)) <= limit
    for side, sign in (("bid", 1), ("ask", -1)):
        if sums[side]:
            assert exposure_after(seen, sign * (sums[side] + pending[side])) <= limit
            if seen.gross_room is not None and seen.gross_room > 0:
                allowed = start + seen.gross_room / MICRO + 1e-6
                assert exposure_after(seen, sign * (sums[side] + pending[side])) <= allowed


@laws
@given(st.data())
def test_reducing_never_adds_and_never_turns_the_position_over(data: st.DataObject) -> None:
    profile = data.draw(drawn_rules())
    seen = data.draw(drawn_inputs(profile.grid.k))
    net = seen.yes - seen.no
    caps = inventory_caps(Shares(net), seen.fair, seen.equity, profile.soft, profile.hard)
    full = seen.gross_room is not None and seen.gross_room <= 0
    assume(seen.reduce_only or caps.state == "hard" or full)
    sums = side_sums(plan_quotes(seen, profile))
    adding, reducing = ("bid", "ask") if net >= 0 else ("ask", "bid")
    assert sums[adding] == 0
    assert sums[reducing] <= abs(net)


@laws
@given(st.data())
def test_longer_inventory_never_raises_a_quote(data: st.DataObject) -> None:
    profile = data.draw(drawn_rules())
    seen = data.draw(drawn_inputs(profile.grid.k))
    longer = structs.replace(seen, yes=Shares(seen.yes + data.draw(st.integers(0, 10**10))))
    before, after = plan_quotes(seen, profile), plan_quotes(longer, profile)
    for low, high in ((after.bid.ticks, before.bid.ticks), (after.ask.ticks, before.ask.ticks)):
        assert low is None or high is None or low <= high


@laws
@given(st.data())
def test_more_volatility_never_narrows_the_quotes(data: st.DataObject) -> None:
    profile = data.draw(drawn_rules(inv_skew_mode="half_spread"))
    seen = data.draw(drawn_inputs(profile.grid.k))
    wilder = structs.replace(seen, sigma_h=seen.sigma_h + data.draw(st.floats(0, 0.2)))
    before, after = plan_quotes(seen, profile), plan_quotes(wilder, profile)
    if before.bid.ticks and before.ask.ticks and after.bid.ticks and after.ask.ticks:
        assert after.ask.ticks - after.bid.ticks >= before.ask.ticks - before.bid.ticks


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("fair", math.nan, "bad_fair"),
        ("fair", math.inf, "bad_fair"),
        ("fair", 0.0, "bad_fair"),
        ("fair", 1.0, "bad_fair"),
        ("sigma_h", math.nan, "bad_sigma"),
        ("sigma_h", -0.01, "bad_sigma"),
        ("sigma_h", math.inf, "bad_sigma"),
        ("equity", 0, "bad_equity"),
        ("yes", -1, "bad_inventory"),
        ("free_no", -1, "bad_inventory"),
        ("sigma_h", 1.01, "bad_sigma"),
        ("widen_ticks", math.nan, "bad_adjustment"),
        ("widen_ticks", -101, "bad_adjustment"),
        ("best_bid", 47, "crossed"),
    ],
)
def test_input_out_of_range_means_no_quote_and_a_reason(field: str, value: Any, reason: str) -> None:
    plan = plan_quotes(inputs(**{field: value}), rules())
    assert (reason, reason, ()) == (plan.bid.reason, plan.ask.reason, plan.targets)


@laws
@given(st.floats(), st.floats(), st.integers(), st.integers(), st.integers(), holdings, holdings)
def test_no_number_whatever_makes_the_plan_fail(
    fair: float, sigma_h: float, widen: int, equity: int, gross: int, yes: Shares, no: Shares
) -> None:
    seen = inputs(fair=fair, sigma_h=sigma_h, widen_ticks=widen, gross_room=Usd(gross))
    seen = structs.replace(seen, yes=yes, no=no, equity=Usd(equity))
    plan_quotes(seen, rules())


@pytest.mark.parametrize("fair", [5e-324, 1e-12, 1.0 - 2**-53])
def test_fair_value_beside_a_bound_is_planned_like_any_other(fair: float) -> None:
    plan = plan_quotes(inputs(fair=fair, best_bid=None, best_ask=None), rules())
    assert {plan.bid.reason, plan.ask.reason} == {"edge", "ok"}


def quotes(plan: QuotePlan) -> tuple[Ticks | None, Ticks | None]:
    return plan.bid.ticks, plan.ask.ticks


def test_operator_widens_by_ticks_and_cannot_tighten_below_the_least_edge() -> None:
    calm = inputs(sigma_h=0.0, best_bid=None, best_ask=None)
    assert quotes(plan_quotes(calm, rules())) == (45, 47)
    assert quotes(plan_quotes(structs.replace(calm, widen_ticks=2), rules())) == (43, 49)
    assert quotes(plan_quotes(structs.replace(calm, widen_ticks=-9), rules())) == (45, 47)


def test_terms_of_the_explanation_add_up() -> None:
    pricing = plan_quotes(inputs(yes=900, widen_ticks=1), rules()).pricing
    assert pricing is not None
    assert pricing.half_bid == pytest.approx(pricing.vol_term + pricing.fee_term + pricing.widen_term)
    assert pricing.reservation == pytest.approx(pricing.fair + pricing.inventory_shift)


def test_sizes_come_from_the_bankroll_when_unset() -> None:
    plan = plan_quotes(inputs(equity=10_000, fair=0.5, best_bid=None, best_ask=None), rules())
    assert [shares(120), shares(180), shares(270)] == [layer.size for layer in plan.bid.layers]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (inputs(yes=9_000), "hard_cap"),
        (inputs(yes=100, reduce_only=True), "reduce_only"),
        (inputs(yes=100, gross_room=usd(0)), "gross_cap"),
        (inputs(yes=100, gross_room=usd(1)), "gross_cap"),
        (inputs(pending_bid=shares(4_000)), "pending"),
        (inputs(equity=50), "inventory"),
        (inputs(equity=100), "below_min"),
        (inputs(cash=1), "no_funds"),
        (inputs(fair=0.015, best_bid=None, best_ask=None), "edge"),
        (inputs(best_bid=None, best_ask=Ticks(1)), "range"),
        (inputs(), "ok"),
    ],
)
def test_side_without_a_quote_names_the_first_rule_that_forbade_it(seen: QuoteInputs, reason: str) -> None:
    assert reason == plan_quotes(seen, rules()).bid.reason


def test_only_the_adding_side_shrinks_between_the_caps() -> None:
    seen = inputs(yes=2_500)
    plan, flat = plan_quotes(seen, rules(order_layers=1)), plan_quotes(inputs(), rules(order_layers=1))
    assert plan.caps is not None and 0.0 < plan.caps.adding_multiplier < 0.8
    full, shrunk = flat.bid.layers[0].size, plan.bid.layers[0].size
    assert shrunk == floor_size(full * plan.caps.adding_multiplier)
    assert plan.ask.layers[0].size == full


def test_cash_is_spent_from_the_inside_bid_before_ask() -> None:
    plan = plan_quotes(inputs(cash=550, fair=0.5, best_bid=None, best_ask=None), rules())
    spent = [(t.side, t.layer, t.size) for t in plan.targets]
    bought = shares(600)
    assert plan.bid.ticks == 48 and plan.ask.ticks == 52
    assert spent == [("bid", 0, bought), ("ask", 0, floor_size((550 - 288) / 0.48 * MICRO))]


def test_orders_being_cancelled_take_room_from_their_side_only() -> None:
    plain, busy = plan_quotes(inputs(), rules()), plan_quotes(inputs(pending_ask=shares(500)), rules())
    assert plain.bid == busy.bid
    assert plain.ask.room - busy.ask.room == shares(500)
