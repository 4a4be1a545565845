"""Facts of a market that is made: what of them is taken, what is kept, and how a change is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from core.market.changed import changes, contradictions, same_but_grid, with_facts
from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.units import Shares
from tests.builders import NO, NOON, YES, a_market, laws, shares

IDENTITY = frozenset({"market", "yes_token", "no_token", "neg_risk", "group", "group_index"})
OF_THE_BOOK = frozenset({"tick_text", "min_size", "min_size_text"})
TIMES = st.none() | st.floats(-1e12, 1e12)
FEES = st.none() | st.builds(FeeSchedule, st.integers(0, 10**6), st.floats(0.1, 5.0), st.integers(0, 10**6))
INSTRUMENTS = st.builds(
    Instrument,
    market=st.sampled_from(("0xab", "0xcd")),
    yes_token=st.sampled_from(("1", "2")),
    no_token=st.sampled_from(("3", "4")),
    title=st.text(max_size=8),
    tick_text=st.sampled_from(("0.01", "0.001")),
    min_size=st.integers(1, 10**8).map(Shares),
    neg_risk=st.booleans(),
    end_unix=TIMES,
    reward_min_size=st.none() | st.integers(1, 10**9).map(Shares),
    start_unix=TIMES,
    game_start_unix=TIMES,
    tags=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    event_id=st.text(max_size=3),
    group=st.sampled_from(("", "g", "h")),
    group_size=st.integers(0, 5),
    group_index=st.none() | st.integers(0, 5),
    reward_max_spread_cents=st.none() | st.floats(0.1, 100),
    reward_daily_usd=st.none() | st.floats(0, 1e6),
    fees=FEES,
)


def test_every_field_is_identity_of_the_book_or_a_fact() -> None:
    """A field that is added later has to be one of them, or nobody would hear of its change."""
    other = Instrument(
        "0x1", "5", "6", "Other?", "0.001", shares(9), True, "9", NOON, shares(20), NOON, NOON, ("x",), "e", "h", 3, 2,
        4.5, 10.0, FeeSchedule(1),
    )  # fmt: skip
    known = a_market(group="g", group_index=1)
    fresh = with_facts(known, other)
    taken = {item.name for item in fields(Instrument) if getattr(fresh, item.name) != getattr(known, item.name)}
    assert {item.name for item in fields(Instrument)} == IDENTITY | OF_THE_BOOK | taken
    assert len(contradictions(known, other)) == len(IDENTITY) and len(changes(known, fresh)) == len(taken)


@laws(300)
@given(known=INSTRUMENTS, told=INSTRUMENTS)
def test_facts_alone_are_taken_and_each_change_is_told(known: Instrument, told: Instrument) -> None:
    fresh = with_facts(known, told)
    assert all(getattr(fresh, name) == getattr(known, name) for name in IDENTITY | OF_THE_BOOK)
    assert with_facts(fresh, told) == fresh and with_facts(known, known) == known
    assert bool(changes(known, fresh)) == (fresh != known)
    assert all(" -> " in each and each.isprintable() and len(each) < 200 for each in changes(known, fresh))
    assert contradictions(known, fresh) == [] and same_but_grid(known, known)
    if fresh != known:
        assert not same_but_grid(known, told)


def test_what_is_not_told_any_more_stays_and_a_programme_that_ended_does_not() -> None:
    """A catalogue that loses a field must not take the start of a game away; a programme ends by being told no more."""
    known = a_market(
        end_unix=NOON, start_unix=NOON, game_start_unix=NOON, fees=FeeSchedule(1), tags=("a",), event_id="e",
        reward_min_size=shares(20), reward_max_spread_cents=4.5, reward_daily_usd=10.0,
    )  # fmt: skip
    fresh = with_facts(known, a_market(title=""))
    assert fresh == replace(known, reward_min_size=None, reward_max_spread_cents=None)
    assert changes(known, fresh) == ["reward minimum size 20 -> none", "reward spread 4.5 cents -> none"]


def test_a_pool_of_nothing_and_an_event_of_unknown_size_are_words() -> None:
    fresh = with_facts(a_market(reward_daily_usd=10.0, group_size=3), a_market(reward_daily_usd=0.0))
    assert (fresh.reward_daily_usd, fresh.group_size) == (0.0, 0)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"game_start_unix": NOON}, {"game_start_unix": NOON - 3600},
         "start of the game Fri, 04 Oct 2024 12:00:00 GMT -> Fri, 04 Oct 2024 11:00:00 GMT"),
        ({}, {"end_unix": 1e15}, "end none -> 1e+15"),
        ({"fees": FeeSchedule(40_000, rebate=250_000)}, {"fees": FeeSchedule(0)},
         "taker fee rate 0.04, 0.25 of it to makers -> 0, 0 of it to makers"),
        ({"fees": None}, {"fees": FeeSchedule(30_000, 2.0)},
         "taker fee rate none -> 0.03 with exponent 2, 0 of it to makers"),
        ({"reward_daily_usd": 50.0}, {"reward_daily_usd": 5.5}, "reward pool $50 a day -> $5.5 a day"),
        ({"tags": ("nba",)}, {"tags": ("nba", "sports\x1b[2J")}, "tags nba -> nba, sports[2J"),
        ({"group_size": 2}, {"group_size": 0}, "markets that make its event complete 2 -> not known"),
        ({"title": "Will\u202e it?"}, {"title": "x" * 99}, f"title Will it? -> {'x' * 40}"),
    ],
)  # fmt: skip
def test_a_change_is_told_in_words_for_people(before: dict[str, object], after: dict[str, object], words: str) -> None:
    assert changes(a_market(**before), a_market(**after)) == [words]


def test_what_is_not_told_contradicts_nothing() -> None:
    known = a_market(group="g", group_index=1)
    assert contradictions(known, a_market()) == []
    assert contradictions(known, a_market(yes=NO, no=YES, group="g")) == [
        f"yes_token {YES[:40]} -> {NO[:40]}",
        f"no_token {NO[:40]} -> {YES[:40]}",
    ]
    assert contradictions(known, a_market(group="g", group_index=1, neg_risk=True)) == ["neg_risk False -> True"]
