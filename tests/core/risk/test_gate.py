"""The permission to quote a market, clause by clause, and what one decision may still place."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from core.risk.control import Control
from core.risk.gate import Facts, Headroom, why_not_quote
from tests.builders import laws

FINE = Facts(
    stopping=False,
    control=Control(),
    account_known=True,
    user_feed_up=True,
    resolved=False,
    data_trouble="",
    micro="ok",
    data_age_s=0.0,
    stale_s=10.0,
    unknown_age_s=0.0,
)
CLAUSES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"stopping": True}, "stopping"),
    ({"control": Control("KILLED", "by somebody")}, "killed: by somebody"),
    ({"control": Control("PAUSED", "why")}, "paused: why"),
    ({"control": Control("CANCEL_ONLY", "why")}, "cancel-only: why"),
    ({"resolved": True}, "resolved"),
    ({"user_feed_up": False}, "user feed is down"),
    ({"account_known": False}, "account is not known yet"),
    ({"data_trouble": "book suspect: gap"}, "book suspect: gap"),
    ({"data_age_s": 10.1}, "feed silent for 10 s"),
    ({"data_age_s": math.inf}, "feed silent for inf s"),
    ({"micro": "one_sided"}, "no fair value: a side of the book is empty"),
    ({"micro": "wide"}, "no fair value: the spread is too wide"),
    ({"micro": "crossed"}, "no fair value: the book is crossed"),
    ({"micro": None}, "no fair value yet"),
    ({"unknown_age_s": 30.1}, "an order's outcome is unknown for 30 s"),
)


@pytest.mark.parametrize(("over", "words"), CLAUSES)
def test_each_clause_forbids_by_itself_and_says_so(over: dict[str, Any], words: str) -> None:
    assert why_not_quote(FINE) == ""
    assert why_not_quote(structs.replace(FINE, **over)) == words


@pytest.mark.parametrize(
    "over", [{"control": Control("REDUCE_ONLY", "x")}, {"data_age_s": 10.0}, {"unknown_age_s": 30.0}]
)
def test_limits_themselves_are_still_allowed(over: dict[str, Any]) -> None:
    assert why_not_quote(structs.replace(FINE, **over)) == ""


def test_operator_is_told_his_own_act_before_anything_else() -> None:
    worst: dict[str, Any] = {}
    for over, _ in reversed(CLAUSES):
        worst |= over
    assert why_not_quote(structs.replace(FINE, **worst)) == "stopping"
    assert why_not_quote(structs.replace(FINE, **(worst | {"stopping": False}))).startswith("killed")


wishes = st.lists(
    st.tuples(
        st.sampled_from(["bid", "ask"]), st.sampled_from(["YES", "NO", ""]), st.integers(1, 100), st.integers(0, 100)
    ),
    max_size=30,
)


@laws(200)
@given(wishes, st.lists(st.integers(-20, 200), min_size=5, max_size=5))
def test_what_is_let_through_never_exceeds_room_cash_or_holdings(
    drawn: list[tuple[Any, Any, int, int]], given_: list[int]
) -> None:
    room_bid, room_ask, cash, yes, no = given_
    headroom = Headroom(room_bid=room_bid, room_ask=room_ask, cash=cash, yes=yes, no=no)
    taken = {"bid": 0, "ask": 0, "YES": 0, "NO": 0, "": 0, "cash": 0}
    for side, sells, size, cost in drawn:
        cost = 0 if sells else cost
        if not headroom.refuse(side=side, sells=sells, size=size, cost=cost):
            taken[side] += size
            taken[sells] += size
            taken["cash"] += cost
    for name, most in (("bid", room_bid), ("ask", room_ask), ("YES", yes), ("NO", no)):
        assert taken[name] <= max(0, most)
    assert taken["cash"] <= max(0, cash)


def test_refusal_takes_nothing_and_names_its_reason() -> None:
    headroom = Headroom(room_bid=10, room_ask=10, cash=5, yes=3, no=0)
    assert headroom.refuse(side="bid", sells="", size=11, cost=0) == "cap"
    assert headroom.refuse(side="bid", sells="", size=10, cost=6) == "cash"
    assert headroom.refuse(side="ask", sells="YES", size=4, cost=0) == "inventory"
    assert headroom.refuse(side="bid", sells="", size=10, cost=5) == ""
    assert headroom.refuse(side="ask", sells="YES", size=3, cost=0) == ""
