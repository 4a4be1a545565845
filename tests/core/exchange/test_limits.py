"""Token buckets per signer: what a request costs, when it is refused, what the headers say (polymarket-api.md 10.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.exchange.limits import TIERS, Limits

ME = "0xAbC0000000000000000000000000000000000001"
OTHER = "0x00000000000000000000000000000000000000ff"
T0 = 1_790_000_000_000


def test_tiers_are_the_venues() -> None:
    table = [
        (t.name, t.orders.per_second, t.orders.burst, t.cancels.per_second, t.cancels.burst) for t in TIERS.values()
    ]
    assert table == [
        ("Standard", 40, 60, 80, 120),
        ("Copper", 60, 90, 120, 180),
        ("Bronze", 80, 120, 160, 240),
        ("Silver", 200, 300, 400, 600),
        ("Gold", 400, 600, 800, 1200),
        ("Platinum", 450, 675, 900, 1350),
        ("Diamond", 525, 787, 1050, 1575),
        ("Elite", 600, 900, 1200, 1800),
    ]


def test_a_burst_then_the_rate() -> None:
    """Sixty at once, the sixty-first not; then forty a second, one every 25 milliseconds."""
    limits = Limits()
    assert all(limits.take(ME, "orders", 1, T0) == 0 for _ in range(60))
    assert limits.take(ME, "orders", 1, T0) == 1
    assert limits.take(ME, "orders", 1, T0 + 24) == 1
    assert limits.take(ME, "orders", 1, T0 + 25) == 0
    assert limits.take(ME, "orders", 1, T0 + 25) == 1
    assert limits.take(ME, "orders", 40, T0 + 1_025) == 0
    assert limits.take(ME, "orders", 61, T0 + 60_000) == 1, "more than a full bucket is never admitted"
    assert limits.take(ME, "orders", 60, T0 + 60_000) == 0


def test_buckets_and_signers_do_not_touch_each_other() -> None:
    limits = Limits()
    assert limits.take(ME, "orders", 60, T0) == 0
    assert limits.take(ME.lower(), "orders", 1, T0) == 1, "the spelling of the address does not matter"
    assert limits.take(ME, "cancels", 120, T0) == 0
    assert limits.take(OTHER, "orders", 60, T0) == 0


def test_a_batch_is_admitted_whole_or_refused_whole() -> None:
    limits = Limits()
    assert limits.take(ME, "orders", 50, T0) == 0
    assert limits.take(ME, "orders", 15, T0) == 1
    assert limits.headers(ME, "orders", T0, 0)["Poly-RateLimit-Remaining"] == "10", "the refused batch cost nothing"
    assert limits.take(ME, "orders", 10, T0) == 0


def test_what_a_cancel_all_costs_afterwards_may_end_in_debt() -> None:
    limits = Limits()
    assert limits.take(ME, "cancels", 1, T0) == 0
    limits.charge(ME, "cancels", 300, T0)
    told = limits.headers(ME, "cancels", T0, 0)
    assert told["Poly-RateLimit-Remaining"] == "-181"
    assert told["Poly-RateLimit-Reset"] == str(T0 // 1000 + 3), "181 + 1 tokens at 80 a second"
    assert limits.take(ME, "cancels", 1, T0) == 3
    assert limits.take(ME, "cancels", 1, T0 + 2_274) == 1
    assert limits.take(ME, "cancels", 1, T0 + 2_275) == 0


def test_headers_tell_the_state_and_on_a_refusal_how_long_to_wait() -> None:
    limits = Limits()
    limits.take(ME, "orders", 5, T0)
    assert limits.headers(ME, "orders", T0, 0) == {
        "Poly-RateLimit-Remaining": "55",
        "Poly-RateLimit-Reset": str(T0 // 1000),
        "Poly-RateLimit-Tier": "Standard",
        "Poly-RateLimit-Warning": "false",
    }
    limits.drain(ME, "orders", -100)
    wait_s = limits.take(ME, "orders", 15, T0)
    assert wait_s == 3, "115 tokens at 40 a second"
    assert limits.headers(ME, "orders", T0, wait_s) == {
        "Poly-RateLimit-Remaining": "-100",
        "Poly-RateLimit-Reset": str(T0 // 1000 + 3),
        "Poly-RateLimit-Tier": "Standard",
        "Poly-RateLimit-Warning": "true",
        "Retry-After": "3",
    }


def test_a_bucket_can_be_drained_and_a_tier_set_from_outside() -> None:
    limits = Limits()
    limits.drain(ME, "orders", 2)
    assert [limits.take(ME, "orders", 1, T0) for _ in range(3)] == [0, 0, 1]
    limits.tier_of[ME.lower()] = "Elite"
    assert limits.tier(ME).name == "Elite" and limits.tier(OTHER).name == "Standard"
    assert limits.take(ME, "cancels", 1_800, T0) == 0
    limits.tier_of[ME.lower()] = "Standard"
    assert limits.take(ME, "cancels", 121, T0 + 60_000) == 1, "a smaller tier holds no more than its own burst"


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 70)), max_size=60))
def test_no_second_admits_more_than_burst_plus_rate(steps: list[tuple[int, int]]) -> None:
    """Whatever the pattern of requests: over any span the admitted sum stays within burst plus rate times span."""
    limits = Limits()
    now = T0
    admitted: list[tuple[int, int]] = []
    for passed, cost in steps:
        now += passed
        if limits.take(ME, "orders", cost, now) == 0:
            admitted.append((now, cost))
    for first, (begin, _) in enumerate(admitted):
        total = 0
        for at, cost in admitted[first:]:
            total += cost
            assert total * 1_000 <= 60_000 + 40 * (at - begin)


@pytest.mark.parametrize("wait", [1, 7])
def test_the_wait_told_is_long_enough(wait: int) -> None:
    """Whoever sleeps as long as Retry-After says is admitted."""
    limits = Limits()
    limits.drain(ME, "cancels", -80 * wait + 20)
    told = limits.take(ME, "cancels", 20, T0)
    assert told == wait
    assert limits.take(ME, "cancels", 20, T0 + 1_000 * told) == 0
