"""The venue's mode: what its signs and time make of it, and when what is tried."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.risk.venue_mode import (
    JITTER,
    LONGEST_TRIAL_SEC,
    PLACING,
    POST_ONLY_SEC,
    RETRY_SEC,
    TRIAL_SEC,
    VenueModes,
)
from core.views import VenueMode


def modes_in(mode: VenueMode, now: float = 100.0) -> VenueModes:
    modes = VenueModes(seed=1)
    modes.told(mode, now)
    return modes


def test_a_restart_holds_until_something_is_answered_then_post_only_then_normal() -> None:
    """reliability.md X01: 425, then two minutes in which only post-only orders are taken."""
    modes = modes_in("RESTARTING")
    modes.advance(190.0)
    assert modes.mode == "RESTARTING" and modes.since_s == 100.0 and not modes.may_place, "time alone ends no restart"
    modes.told("CANCEL_ONLY", 191.0, at_least=True)
    assert modes.mode == "POST_ONLY" and modes.may_place
    modes.told("POST_ONLY", 200.0, at_least=True)
    modes.advance(191.0 + POST_ONLY_SEC - 0.1)
    assert modes.mode == "POST_ONLY", "a post-only order that is taken says nothing of other orders"
    modes.advance(191.0 + POST_ONLY_SEC)
    assert modes.mode == "NORMAL" and not modes.is_trial


def test_the_venue_tells_how_long_post_only_lasts() -> None:
    """Its Retry-After counts more than the usual two minutes."""
    modes = VenueModes(seed=1)
    modes.told("POST_ONLY", 100.0, retry_after_s=7.0)
    modes.advance(106.9)
    assert modes.mode == "POST_ONLY"
    modes.advance(107.0)
    assert modes.mode == "NORMAL"


@pytest.mark.parametrize("seed", range(5))
def test_a_restart_is_tried_at_1_2_4_8_seconds(seed: int) -> None:
    """Hammering a venue that restarts helps nobody; jitter keeps its clients apart."""
    modes, now, pauses = VenueModes(seed), 100.0, []
    for _ in range(6):
        modes.told("RESTARTING", now)
        modes.told("RESTARTING", now)
        assert modes.probe_at_s == modes.cancel_at_s
        pauses.append(modes.probe_at_s - now)
        now = modes.probe_at_s
    for pause, step in zip(pauses, (*RETRY_SEC, 8.0, 8.0), strict=True):
        assert step <= pause <= step * (1 + JITTER), "two lanes that try together are one try"
    modes.told("CANCEL_ONLY", now, at_least=True)
    assert modes.probe_at_s == math.inf and modes.cancel_at_s == -math.inf
    modes.told("RESTARTING", now)
    assert modes.probe_at_s - now <= RETRY_SEC[0] * (1 + JITTER), "the next restart begins with short pauses"


def test_two_seeds_have_two_rhythms() -> None:
    """Otherwise there would be no jitter."""
    assert len({modes.probe_at_s for modes in map(VenueModes, range(5)) if modes.told("RESTARTING", 0.0) is None}) == 5


def test_a_restart_waits_as_long_as_the_venue_asks() -> None:
    """But not for ever: what it asks is foreign data."""
    modes = VenueModes(seed=1)
    modes.told("RESTARTING", 100.0, retry_after_s=20.0)
    assert modes.probe_at_s == 120.0
    modes = VenueModes(seed=1)
    modes.told("RESTARTING", 100.0, retry_after_s=1e9)
    assert modes.probe_at_s <= 160.0


@pytest.mark.parametrize("mode", ["CANCEL_ONLY", "DISABLED"])
def test_the_end_of_cancel_only_and_of_a_halt_is_tried_ever_more_slowly(mode: VenueMode) -> None:
    """No read tells it, so one order has to; a refused one doubles the pause."""
    modes, now, pauses = modes_in(mode), 100.0, []
    for _ in range(6):
        assert not modes.may_place
        began = now
        while not modes.is_trial:
            now += 1.0
            modes.told(mode, now)
            modes.advance(now)
        pauses.append(now - began)
        assert modes.mode == "NORMAL" and "one order tries" in modes.detail
        modes.told(mode, now)
    assert pauses == [TRIAL_SEC, 2 * TRIAL_SEC, 4 * TRIAL_SEC, 8 * TRIAL_SEC, LONGEST_TRIAL_SEC, LONGEST_TRIAL_SEC]


def test_an_order_that_is_taken_ends_a_trial() -> None:
    """From then on whole batches go, and the next halt is tried after the first pause again."""
    modes = modes_in("CANCEL_ONLY")
    modes.advance(130.0)
    modes.told("CANCEL_ONLY", 130.0)
    modes.advance(190.0)
    assert modes.is_trial
    modes.told("CANCEL_ONLY", 191.0, at_least=True)
    assert modes.is_trial, "a cancel proves nothing about orders"
    modes.told("POST_ONLY", 192.0, at_least=True)
    assert modes.mode == "NORMAL" and not modes.is_trial and modes.detail == ""
    modes.told("CANCEL_ONLY", 200.0)
    modes.advance(200.0 + TRIAL_SEC)
    assert modes.is_trial


def test_cancels_go_on_in_cancel_only() -> None:
    """It is what the mode is for; a cancel that is carried out does not end it."""
    modes = modes_in("CANCEL_ONLY")
    assert modes.cancel_at_s == -math.inf and modes.probe_at_s == math.inf
    modes.told("CANCEL_ONLY", 101.0, at_least=True)
    assert modes.mode == "CANCEL_ONLY"


def test_a_halt_ends_with_a_cancel_that_is_carried_out() -> None:
    """Disabled takes no cancels either (polymarket-api.md 10.3), so orders are tried at once."""
    modes = modes_in("DISABLED")
    assert modes.cancel_at_s > 100.0
    modes.told("CANCEL_ONLY", 103.0, at_least=True)
    assert modes.mode == "NORMAL" and modes.is_trial and modes.cancel_at_s == -math.inf


def test_retry_after_says_when_a_trial_begins() -> None:
    """The venue knows best, within reason."""
    modes = VenueModes(seed=1)
    modes.told("CANCEL_ONLY", 100.0, retry_after_s=5.0)
    modes.advance(105.0)
    assert modes.is_trial


SIGNS = st.tuples(
    st.sampled_from(["NORMAL", "POST_ONLY", "CANCEL_ONLY", "DISABLED", "RESTARTING", "advance"]),
    st.booleans(),
    st.one_of(st.none(), st.floats(0, 1e6)),
    st.floats(0, 600),
)


@given(signs=st.lists(SIGNS, max_size=40), seed=st.integers(0, 9))
def test_no_sequence_of_signs_ends_in_a_mode_without_a_way_out(
    signs: list[tuple[str, bool, float | None, float]], seed: int
) -> None:
    """Whatever the venue says, in time orders are tried again, or a probe and cancels are due (I-27, I-35)."""
    modes, now = VenueModes(seed), 0.0
    for mode, at_least, retry_after_s, passed in signs:
        now += passed
        if mode == "advance":
            modes.advance(now)
        else:
            modes.told(mode, now, at_least=at_least, retry_after_s=retry_after_s)  # type: ignore[arg-type]
        assert modes.may_place == (modes.mode in PLACING)
        assert modes.cancel_at_s <= now + 60.0, "cancels are only ever put off for a minute"
        assert not modes.is_trial or modes.mode == "NORMAL"
    if modes.mode == "RESTARTING":
        assert modes.probe_at_s < math.inf
    else:
        modes.advance(now + LONGEST_TRIAL_SEC)
        assert modes.may_place
