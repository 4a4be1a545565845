"""The permission to quote a market, clause by clause."""

import math
from typing import Any

import pytest
from msgspec import structs

from core.risk.control import Control
from core.risk.gate import DENIALS
from core.risk.permission import Facts, clause_of, why_not_quote

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
    ({"watchdog": "the watchdog is gone"}, "the watchdog is gone"),
    ({"resolved": True}, "resolved"),
    ({"user_feed_up": False}, "user feed is down"),
    ({"venue": "the venue restarts"}, "the venue restarts"),
    ({"quarantine": "a trade failed"}, "a trade failed"),
    ({"account_known": False}, "account is not known yet"),
    ({"data_trouble": "book suspect: gap"}, "book suspect: gap"),
    ({"data_age_s": 10.1}, "feed silent for 10 s"),
    ({"data_age_s": math.inf}, "feed silent for inf s"),
    ({"micro": "one_sided"}, "no fair value: a side of the book is empty"),
    ({"micro": "wide"}, "no fair value: the spread is too wide"),
    ({"micro": "crossed"}, "no fair value: the book is crossed"),
    ({"micro": None}, "no fair value yet"),
    ({"stance": "calendar: why"}, "calendar: why"),
    ({"unknown_age_s": 30.1}, "an order's outcome is unknown for 30 s"),
    ({"unsettled_s": 1801.0}, "a trade is not final after 30 minutes"),
    ({"lag": "the loop stood still"}, "the loop stood still"),
    ({"recovering": "reading trades"}, "reading trades"),
    ({"clock": "our clock is 4 s ahead"}, "our clock is 4 s ahead"),
    ({"journal": "the disk is slow"}, "the disk is slow"),
)
CODES = (
    "stopping", "control", "control", "control", "watchdog", "resolved", "user_feed", "venue", "quarantine", "account",
    "data", "stale", "stale", "fair_value", "fair_value", "fair_value", "fair_value", "stance", "unknown_order",
    "unsettled", "lag", "recovering", "clock", "journal",
)  # fmt: skip


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


def test_every_clause_has_a_stable_code() -> None:
    clauses = [clause_of(structs.replace(FINE, **over)) for over, _ in CLAUSES]
    assert tuple(clause.code for clause in clauses if clause) == CODES
    assert set(CODES) <= set(DENIALS)


def test_what_only_holds_new_orders_back_leaves_the_others_alone() -> None:
    effects = {code: clause_of(structs.replace(FINE, **{code: "why"})) for code in ("clock", "journal", "lag")}
    assert {code: clause and clause.effect for code, clause in effects.items()} == {
        "clock": "no_new", "journal": "no_new", "lag": "hold",
    }  # fmt: skip
    pulled = clause_of(structs.replace(FINE, clock="why", journal="why", stance="calendar"))
    assert pulled is not None and pulled.code == "stance", "and hides nothing that pulls"


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"control": Control("PAUSED", "why")}, None),
        ({"control": Control("REDUCE_ONLY", "why"), "micro": "one_sided", "stance": "why"}, None),
        ({"control": Control("CANCEL_ONLY", "why")}, "control"),
        ({"control": Control("KILLED", "why")}, "control"),
        ({"data_trouble": "book suspect"}, "data"),
        ({"stopping": True}, "stopping"),
    ],
)
def test_flattening_works_through_a_pause_and_without_a_fair_value_alone(over: dict[str, Any], code: str) -> None:
    clause = clause_of(structs.replace(FINE, flattening=True, **over))
    assert (clause and clause.code) == code
