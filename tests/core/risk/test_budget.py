"""The signer's buckets as we model them: never too rosy, and never in the way of a cancel."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.exchange import limits
from core.risk.budget import CANCEL_BATCH, ORDER_SHARE, RESERVE_SHARE, STANDARD, TIERS, Meter, Rate, SignerBudget


def told(
    budget: SignerBudget,
    bucket: str,
    remaining: int,
    now: float,
    *,
    tier: str = STANDARD,
    refused: bool = False,
    wait_s: float = 0.0,
) -> None:
    budget.told(bucket, remaining=remaining, tier=tier, warned=refused, refused=refused, wait_s=wait_s, now=now)  # type: ignore[arg-type]


def send(budget: SignerBudget, orders: int, now: float) -> None:
    """A placement that is answered without headers."""
    budget.place(orders, now)
    budget.answered("orders")


def test_the_tiers_are_those_the_exchange_enforces() -> None:
    """Two readings of the same table (polymarket-api.md 10.2)."""
    theirs = {
        name: ((tier.orders.per_second, tier.orders.burst), (tier.cancels.per_second, tier.cancels.burst))
        for name, tier in limits.TIERS.items()
    }
    ours = {
        name: ((tier.orders.per_s, tier.orders.burst), (tier.cancels.per_s, tier.cancels.burst))
        for name, tier in TIERS.items()
    }
    assert ours == theirs
    assert all(tier.cancels.burst >= CANCEL_BATCH for tier in TIERS.values()), "a batch above the burst never passes"


def test_a_meter_refills_evenly_up_to_its_burst() -> None:
    """A second at 40 a second is 40 tokens, however often somebody looks."""
    meter = Meter(Rate(40.0, 60.0))
    meter.take(60, 0.0)
    for step in range(1, 101):
        meter.level(step / 100)
    assert meter.level(1.0) == pytest.approx(40.0)
    assert meter.wait_s(50, 1.0) == pytest.approx(0.25) and meter.wait_s(61, 1.0) == math.inf
    assert meter.level(100.0) == 60.0


def test_placements_keep_to_a_quarter_of_the_tier() -> None:
    """reliability.md 2.0, ORDER_BUDGET: Standard refills 40 a second, of which ten are ours, fifteen at once."""
    budget, sent, now = SignerBudget(), 0, 0.0
    while now < 10.0:
        room = budget.room(0, now)
        send(budget, room, now)
        told(budget, "orders", 60, now)
        sent, now = sent + room, now + 0.1
    assert sent == pytest.approx(15 + 10 * 10, abs=1)
    assert ORDER_SHARE * TIERS[STANDARD].orders.per_s == 10.0


def test_orders_leave_the_tokens_that_would_cancel_them_all() -> None:
    """I-17: what is open and what goes out now must be cancellable with what the cancel bucket holds."""
    budget = SignerBudget()
    assert budget.room(95, 0.0) == 5, "100 orders may be open, of 120 that one burst could cancel"
    assert budget.room(100, 0.0) == 0 and budget.room(500, 0.0) == 0
    assert budget.short(100, 0.0) == "", "no waiting ends it"
    assert budget.why_not_place(100, 0.0) == "" and "100 orders are open" in budget.why_not_place(101, 0.0)
    budget.cancel(100, 0.0)
    assert budget.room(79, 0.0) == 0 and "reserve of 101" in budget.short(100, 0.0)


def test_a_third_of_the_cancel_burst_is_left_even_with_nothing_open() -> None:
    """reliability.md 2.0, CANCEL_RESERVE."""
    budget = SignerBudget()
    floor = math.ceil(RESERVE_SHARE * TIERS[STANDARD].cancels.burst)
    told(budget, "cancels", floor - 1, 0.0)
    assert budget.room(0, 0.0) == 0 and budget.why_not_place(1, 0.0) != ""
    told(budget, "cancels", floor, 0.0)
    assert budget.room(0, 0.0) == 15


def test_a_debt_of_cancels_stops_orders_until_it_is_paid() -> None:
    """reliability.md X20: after a cancel of everything the bucket owes 80; at 80 a second it is at 36 after 1.45 s."""
    budget = SignerBudget()
    told(budget, "cancels", -80, 0.0)
    assert budget.room(0, 0.0) == 0 and "-80" in budget.short(0, 0.0)
    assert budget.room(0, 1.44) == 0 and budget.room(0, 1.46) > 0
    assert budget.short(0, 1.46) == ""


def test_a_refused_order_stops_orders_as_long_as_the_venue_says_and_no_cancel() -> None:
    """reliability.md X19: cancels have a bucket of their own."""
    budget = SignerBudget()
    told(budget, "orders", 0, 10.0, refused=True, wait_s=2.0)
    assert budget.room(0, 11.9) == 0 and budget.short(0, 11.0) and budget.why_not_place(1, 11.9)
    assert budget.room(0, 12.0) > 0 and budget.why_not_place(1, 12.0) == ""
    assert budget.cancels_at_s <= 10.0 and (budget.refusals, budget.warnings) == (1, 1)


def test_an_absurd_wait_is_not_believed() -> None:
    """What the venue says is foreign data; cancels must go on within a minute."""
    budget = SignerBudget()
    told(budget, "cancels", -5, 10.0, refused=True, wait_s=1e12)
    assert budget.cancels_at_s == 70.0
    told(budget, "cancels", -5, 10.0, refused=True, wait_s=-3.0)
    assert budget.cancels_at_s == 11.0, "a time that has passed must not make a loop of refusals"


def test_the_venues_number_counts_unless_other_requests_are_under_way() -> None:
    """An answer to the first of two requests does not know the second."""
    budget = SignerBudget()
    budget.cancel(100, 0.0)
    told(budget, "cancels", 110, 0.0)
    assert budget.level("cancels", 0.0) == 110, "alone, the venue is right: it took ten"
    budget.cancel(50, 0.0)
    told(budget, "cancels", 110, 0.0)
    assert budget.level("cancels", 0.0) == 60, "beside another one the lower number is the safe one"
    budget.answered("cancels")
    told(budget, "cancels", 90, 0.0)
    assert budget.level("cancels", 0.0) == 90


def test_the_tier_is_learned_and_an_unknown_one_changes_nothing() -> None:
    """A new tier fills from what is there: it is no gift of a full bucket."""
    budget = SignerBudget()
    told(budget, "orders", 10, 0.0, tier="Gold")
    assert budget.tier == "Gold" and budget.level("orders", 0.0) == 10
    assert budget.level("orders", 1.0) == 410 and budget.level("cancels", 0.0) == 120
    told(budget, "orders", 5, 1.0, tier="Unobtainium")
    assert budget.tier == "Gold"


def test_a_batch_of_cancels_is_never_larger_than_what_is_admitted_whole() -> None:
    """A batch is admitted whole or refused whole: a hundred ids against thirty tokens would cancel nothing."""
    budget = SignerBudget()
    assert budget.cancel_chunk(0.0) == CANCEL_BATCH
    told(budget, "cancels", 30, 0.0)
    assert budget.cancel_chunk(0.0) == 30
    told(budget, "cancels", -500, 0.0)
    assert budget.cancel_chunk(0.0) == 1, "one may always try"


STEPS = st.one_of(
    st.tuples(st.just("pass"), st.floats(0.0, 5.0)),
    st.tuples(st.just("place"), st.integers(0, 15)),
    st.tuples(st.just("cancel"), st.integers(1, 130)),
    st.tuples(
        st.just("told"),
        st.tuples(
            st.sampled_from(["orders", "cancels"]),
            st.integers(-500, 5_000),
            st.sampled_from([*TIERS, "", "?"]),
            st.booleans(),
            st.floats(-10.0, 100.0),
        ),
    ),
)


@given(steps=st.lists(STEPS, max_size=60), open_orders=st.integers(0, 200))
def test_whatever_happens_estimates_stay_below_the_burst_the_reserve_holds_and_cancels_may_go(
    steps: list[tuple[str, object]], open_orders: int
) -> None:
    """I-17 and I-35 for any sequence of requests, answers and pauses."""
    budget, now = SignerBudget(), 0.0
    for kind, value in steps:
        if kind == "pass":
            now += value  # type: ignore[operator]
        elif kind == "place":
            count = min(value, budget.room(open_orders, now))  # type: ignore[call-overload]
            if count:
                assert budget.level("cancels", now) >= budget.reserve(open_orders + count) - 1e-9
                assert budget.level("orders", now) >= count
                assert budget.why_not_place(open_orders + count, now) == ""
            send(budget, count, now)
        elif kind == "cancel":
            budget.cancel(value, now)  # type: ignore[arg-type]
            budget.answered("cancels")
        else:
            bucket, remaining, tier, refused, wait_s = value  # type: ignore[misc]
            told(budget, bucket, remaining, now, tier=tier, refused=refused, wait_s=wait_s)
        tier_now = TIERS[budget.tier]
        assert budget.level("orders", now) <= tier_now.orders.burst
        assert budget.level("cancels", now) <= tier_now.cancels.burst
        assert 1 <= budget.cancel_chunk(now) <= CANCEL_BATCH
        assert budget.cancels_at_s <= now + 60.0, "a refusal puts cancels off, nothing forbids them"
