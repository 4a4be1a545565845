"""The states of one order: only what the table allows, and never out of an end."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvariantBroken
from core.orders.order import AT_RISK, IN_BOOK, TERMINAL, TRANSITIONS, Order, OrderEvent, State
from core.units import Shares, Ticks, grid_of
from tests.builders import MARKET, YES, laws, shares, usd

EVENTS: tuple[Any, ...] = get_args(OrderEvent)


def an_order(state: State = State.INTENT, size: float = 100, **over: Any) -> Order:
    order = Order(
        intent=1,
        market=MARKET,
        token=YES,
        outcome="YES",
        order_side="BUY",
        grid=grid_of("0.01"),
        price=Ticks(45),
        yes_price=Ticks(45),
        size=shares(size),
        side="bid",
        layer=0,
        reason="test",
        now=0.0,
    )
    order.state = state
    for name, value in over.items():
        setattr(order, name, value)
    return order


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", EVENTS)
def test_order_moves_along_the_table_or_not_at_all(state: State, event: Any) -> None:
    order = an_order(state)
    target = TRANSITIONS.get((state, event))
    try:
        moved = order.advance(event, 5.0)
    except InvariantBroken:
        assert target is None and state not in TERMINAL
        assert order.state is state
        return
    assert order.state is (target or state)
    assert moved == (order.state is not state)
    assert order.since_s == (5.0 if moved else 0.0)


def test_what_the_table_says() -> None:
    """The states and ends of the design, spelled out once: a changed table must be a wish and not an accident."""
    usual = {pair: target for pair, target in TRANSITIONS.items() if pair[1] != "revived"}
    reachable = {state: {target for (at, _), target in usual.items() if at is state} for state in State}
    assert reachable[State.INTENT] == {State.SENDING, State.DENIED}
    never_at_once = {State.INTENT, State.SENDING, State.CANCEL_SENT, State.NOT_PLACED, State.DONE}
    assert reachable[State.SENDING] == set(State) - never_at_once
    assert reachable[State.LIVE] == {State.LIVE, State.PARTIAL, State.CANCEL_SENT, State.MATCHED, State.CANCELLED}
    assert State.NOT_PLACED in reachable[State.UNKNOWN]
    assert reachable[State.CANCEL_SENT] == {State.CANCEL_SENT, State.MATCHED, State.CANCELLED}
    assert reachable[State.MATCHED] == {State.DONE}, "when its trades are final"
    assert all(not reachable[state] for state in TERMINAL - {State.MATCHED})
    revived = {at: target for (at, event), target in TRANSITIONS.items() if event == "revived"}
    assert revived == dict.fromkeys(TERMINAL, State.LIVE), "an end is none while the venue shows the order open"
    assert set(State) - TERMINAL == AT_RISK
    assert IN_BOOK <= AT_RISK
    assert {at for at, event in TRANSITIONS if event == "cancel_sent"} == AT_RISK - {State.INTENT, State.SENDING}


@laws(200)
@given(st.lists(st.sampled_from([event for event in EVENTS if event != "revived"]), max_size=20))
def test_an_end_is_an_end_whatever_is_told_later(events: list[Any]) -> None:
    order, ended = an_order(), None
    for now, event in enumerate(events):
        try:
            order.advance(event, float(now))
        except InvariantBroken:
            assert ended is None
        assert ended is None or order.state is ended or (ended, order.state) == (State.MATCHED, State.DONE)
        ended = order.state if order.state in TERMINAL else None


@pytest.mark.parametrize("state", sorted(AT_RISK, key=str))
def test_living_order_counts_with_all_that_may_still_fill(state: State) -> None:
    order = an_order(state, filled=shares(30))
    assert (order.at_risk, order.remaining) == (True, shares(70))
    order.filled = shares(120)
    assert order.remaining == 0


@pytest.mark.parametrize("state", sorted(TERMINAL, key=str))
def test_ended_order_counts_with_what_is_matched_and_not_told(state: State) -> None:
    order = an_order(state, filled=shares(30))
    assert (order.at_risk, order.remaining) == (False, 0)
    order.matched = shares(80)
    assert (order.at_risk, order.remaining) == (True, shares(50))
    order.filled = Shares(shares(80) - 9_999)
    assert (order.at_risk, order.remaining) == (False, 0), "fills may end less than a hundredth of a share short"


def test_doubt_lasts_through_a_cancel_and_ends_with_evidence() -> None:
    order = an_order(State.SENDING)
    order.advance("unknown", 3.0)
    order.advance("cancel_sent", 4.0)
    assert order.in_doubt_since == 3.0
    order.advance("cancelled", 5.0)
    assert order.in_doubt_since is None


def test_fills_that_an_ended_order_owes_are_in_doubt_since_its_end() -> None:
    order = an_order(State.LIVE)
    order.advance("cancelled", 5.0)
    order.matched = shares(40)
    assert (order.owed, order.in_doubt_since) == (shares(40), 5.0)
    order.filled = shares(40)
    assert order.in_doubt_since is None


def test_what_a_bare_cancel_may_hide_counts_with_the_larger_of_what_is_held_and_owed() -> None:
    order = an_order(State.CANCELLED, held=shares(70), matched=shares(40), filled=shares(30))
    assert order.remaining == shares(70)
    order.held = Shares(0)
    assert order.remaining == shares(10)


def test_open_buy_reserves_its_dollars_and_a_sell_none() -> None:
    order = an_order(State.LIVE, filled=shares(30))
    assert order.reserves == usd(0.45 * 70)
    order.order_side = "SELL"
    assert order.reserves == 0
