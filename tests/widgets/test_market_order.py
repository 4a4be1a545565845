"""No row of the market table jumps away under the cursor, and every order puts first what it says."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.units import Shares, Usd
from tests.widgets.view_builders import (
    HOSTILE,
    a_cent_market,
    a_data,
    a_frozen,
    a_market,
    a_suspect,
    a_view,
    an_empty_book,
    an_inventory,
    an_order,
    an_unproven,
    levels,
    shares,
    usd,
)
from widgets.data_words import data_words
from widgets.market_order import RESORT_S, SORTS, Ordering, fits_filter, spread_ticks, stable_order
from widgets.state_words import market_state, state_rank

BY_NAME = {sort.name.split(",")[0]: sort for sort in SORTS}
NOON = 1_000.0


def named(identity, **changes):
    return a_market(**({"market": identity, "title": f"Market {identity}"} | changes))


def order_of(name, *markets, scores=None):
    return stable_order(markets, (), BY_NAME[name], scores or {}, resort=True)


def test_every_order_puts_first_what_it_says():
    wide, narrow, empty = named("a", bids=levels((400, 1))), named("b"), named("c", asks=())
    assert order_of("list", narrow, wide) == ("b", "a")
    assert order_of("name", named("2", title="Will the zoo open?"), named("1", title="a Yes")) == ("1", "2")
    assert order_of("spread", narrow, empty, wide) == ("a", "b", "c"), "without a spread it stands last"
    long, short = (named(name, inventory=an_inventory(net=shares(net))) for name, net in (("l", 7), ("s", -9)))
    assert order_of("position", long, short) == ("s", "l")
    loss, gain, unknown = named("l", day=usd(-3)), named("g", day=usd(2)), named("u")
    assert order_of("day", gain, unknown, loss) == ("l", "g", "u")
    old, young, never = (named(name, data=a_data(age_s=age)) for name, age in (("o", 9.0), ("y", 1.0), ("n", None)))
    assert order_of("age", young, old, never) == ("n", "o", "y")
    assert order_of("score", long, short, never, scores={"s": 7.0, "n": 9.0}) == ("n", "s", "l")


def test_spreads_of_different_grids_are_compared_in_cents():
    tenths, cent = named("t", bids=levels((413, 1)), asks=levels((420, 1))), a_cent_market(market="c")
    assert spread_ticks(tenths) == 7 and spread_ticks(cent) == 1
    assert order_of("spread", tenths, cent) == ("c", "t")


def test_what_is_broken_stands_above_what_an_operator_stopped_and_both_above_what_quotes():
    markets = (
        named("killed", control="KILLED"),
        named("frozen", data=a_frozen()),
        named("suspect", data=a_suspect()),
        named("unproven", data=an_unproven()),
        named("paused", control="PAUSED"),
        named("no book", data=an_empty_book()),
        named("waiting", quoting=False),
        named("reducing", control="REDUCE_ONLY"),
        named("quoting"),
    )
    expected = tuple(market.market for market in markets)
    assert order_of("state", *reversed(markets)) == expected


@pytest.mark.parametrize("control", ["ACTIVE", "REDUCE_ONLY", "PAUSED", "CANCEL_ONLY", "KILLED"])
@pytest.mark.parametrize("data", [a_data(), a_suspect(), a_frozen(), an_unproven(), an_empty_book()])
@pytest.mark.parametrize("quoting", [True, False])
@pytest.mark.parametrize("orders", [(), (an_order(),)])
def test_every_state_there_is_has_a_rank(control, data, quoting, orders):
    for flattening in (True, False):
        market = a_market(control=control, data=data, quoting=quoting, orders=orders, flattening=flattening)
        assert state_rank(market) >= 0 and market_state(market).sign and data_words(data).sign


# Stability

NUMBERS = st.lists(st.tuples(st.integers(0, 9), st.integers(-50, 50)), min_size=1, max_size=9, unique_by=lambda m: m[0])


def moving(pairs):
    return tuple(
        msgspec.structs.replace(named(str(name)), day=Usd(worth), inventory=an_inventory(net=Shares(worth)))
        for name, worth in pairs
    )


@given(st.sampled_from(SORTS), st.lists(NUMBERS, min_size=1, max_size=8))
def test_between_two_sorts_no_two_markets_change_places(sort, views):
    """Markets come, go and change their numbers: those that stay keep their order, and every one is there once."""
    before = stable_order(moving(views[0]), (), sort, {}, resort=True)
    for view in views[1:]:
        markets = moving(view)
        after = stable_order(markets, before, sort, {}, resort=False)
        assert sorted(after) == sorted(market.market for market in markets)
        if sort.moves:
            stayed = [identity for identity in before if identity in after]
            assert [identity for identity in after if identity in before] == stayed
        before = after


@given(st.lists(st.tuples(NUMBERS, st.floats(0, 3), st.sampled_from("0123456789")), min_size=2, max_size=9))
def test_it_is_sorted_anew_at_most_every_two_seconds_and_not_under_a_cursor_that_just_moved(views):
    ordering = Ordering()
    ordering.step(list(SORTS).index(BY_NAME["day"]))
    unix, settled, cursor = NOON, NOON, ""
    for number, (pairs, wait_s, selected) in enumerate(views):
        unix += wait_s
        before = ordering.order
        ordering.update(moving(pairs), {}, selected, unix)
        may = number == 0 or (unix - settled >= RESORT_S and selected == cursor)
        stayed = [identity for identity in before if identity in ordering.order]
        if not may:
            assert [identity for identity in ordering.order if identity in before] == stayed
        if may or selected != cursor:
            settled = unix
        cursor = selected


def gains(*pairs):
    return tuple(named(name, day=usd(worth)) for name, worth in pairs)


def test_a_sort_that_is_asked_for_is_made_at_once():
    ordering = Ordering()
    ordering.update(gains(("a", 2), ("b", 1)), {}, "a", NOON)
    assert ordering.order == ("a", "b")
    ordering.step(list(SORTS).index(BY_NAME["day"]))
    ordering.update(gains(("a", 2), ("b", 1)), {}, "a", NOON + 0.1)
    assert ordering.order == ("b", "a")
    ordering.update(gains(("a", 0), ("b", 1)), {}, "a", NOON + 1.9)
    assert ordering.order == ("b", "a")
    ordering.update(gains(("a", 0), ("b", 1)), {}, "a", NOON + 2.2)
    assert ordering.order == ("a", "b")


def test_the_keys_go_through_all_orders_and_round():
    ordering = Ordering()
    seen = []
    for _ in SORTS:
        seen.append(ordering.sort.name)
        ordering.step(1)
    assert len(set(seen)) == len(SORTS) and ordering.sort is SORTS[0]
    ordering.step(-1)
    assert ordering.sort is SORTS[-1]


def test_a_session_whose_time_goes_back_is_sorted_again():
    """Another session, or a recording from its beginning."""
    ordering = Ordering()
    ordering.step(list(SORTS).index(BY_NAME["day"]))
    ordering.update(gains(("a", 2), ("b", 1)), {}, "a", NOON)
    ordering.update(gains(("a", 0), ("b", 1)), {}, "a", 5.0)
    assert ordering.order == ("a", "b")


def test_a_market_that_is_new_is_put_into_its_place_of_an_order_that_does_not_move():
    ordering = Ordering()
    ordering.update(gains(("a", 0), ("c", 0)), {}, "a", NOON)
    ordering.update(gains(("a", 0), ("b", 0), ("c", 0)), {}, "a", NOON + 0.1)
    assert ordering.order == ("a", "b", "c")


# The filter


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("fed", True),
        ("FED dec", True),
        ("rates fed", True),
        ("fde", False),
        ("  cuts ", True),
        ("fed x", False),
    ],
)
def test_every_word_of_the_filter_must_stand_in_the_title(text, fits):
    assert fits_filter(a_market(), text) is fits


def test_letters_of_any_size_and_kind_are_folded():
    assert fits_filter(a_market(title="Gewinnt die STRASSE?"), "straße")
    assert fits_filter(a_market(title="Wins\x1b the\u202e cup"), "wins cup")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_strangers_breaks_the_filter(text):
    assert fits_filter(a_market(title=text), text)
    assert all(isinstance(fits_filter(market, text), bool) for market in a_view().markets)
