"""What of a view wants an operator: every kind of alarm has a view that has it, and a calm one has none."""

from pathlib import Path

import msgspec
import pytest

from core.alarms.board import AlarmBoard
from core.alarms.conditions import conditions
from core.alarms.kinds import BY_CODE, KINDS, MARKOUT_FILLS
from core.units import Ticks, Usd
from core.views import CapView, DenialView, FeedView, FillView, HeartbeatView, RecordingView, RegimeView, VenueView
from tests.widgets.view_builders import (
    NOON,
    a_control,
    a_data,
    a_finding,
    a_foreign_order,
    a_frozen,
    a_job,
    a_kill,
    a_listing,
    a_market,
    a_proposal,
    a_proven_kill,
    a_suspect,
    a_venue,
    a_view,
    an_account,
    an_adjustment,
    an_empty_book,
    an_inventory,
    an_order,
    an_unknown_order,
    an_unproven,
    shares,
    some_rewards,
    usd,
)


def a_calm_view(market=None, **changes):
    """Nothing is wrong with it; one market."""
    base = {"markets": (a_market(**(market or {})),), "last_reject_age_s": None, "rejects": 0}
    return a_view(**base | changes)


def codes(view, standing=frozenset()):
    return [one.kind.code for one in conditions(view, standing)]


def only(view):
    (condition,) = conditions(view)
    return condition


def a_fill(markout, **changes):
    base = FillView(
        seq=1, unix=NOON, market="0xfed", title="", side="bid", price=Ticks(413), grid_k=1000, decimals=3,
        size=shares(10), layer=0, on_no=False, taker=False, status="CONFIRMED", fee=Usd(0),
        markouts=(0.0, 0.0, markout, None),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def in_market(**changes):
    return a_calm_view(changes)


def with_budget(orders, cancels=120):
    base = a_venue()
    return msgspec.structs.replace(base, budget=msgspec.structs.replace(base.budget, orders=orders, cancels=cancels))


def a_recording(**changes):
    base = RecordingView("tape.jsonl.zst", NOON, 60.0, 1_000, 10, 1, "demo", running=True, trouble="the disk is full")
    return msgspec.structs.replace(base, **changes)


FEEDS = (FeedView("market", True, 2, 2, 0.5, 0, ""), FeedView("user", True, 1, 1, 0.5, 0, ""))
LOST_USER = FeedView("user", False, 0, 1, 12.0, 1, "going away")
LOST_SOCKET = FeedView("market", True, 1, 2, 0.5, 0, "no pong")
FAILED = a_job(job_id=7, state="failed", age_s=90.0, detail="reverted")
CASES = {
    "killed": a_calm_view(kill=a_proven_kill(), open_orders=3),
    "kill_unproven": a_calm_view(kill=a_kill(report=None)),
    "unknown_order": in_market(orders=(an_unknown_order(unknown_s=31.0),)),
    "heartbeat": a_calm_view(venue=a_venue(heartbeat=HeartbeatView(9.5, ""))),
    "no_watchdog": a_calm_view(kill=a_kill(killed=False, report=None, watchdog_up=False)),
    "books": a_calm_view(account=an_account(trouble="a micro-dollar is missing")),
    "loss_stop": a_calm_view(controls=(a_control(source="loss", reason="1.2 % lost today"),)),
    "drawdown_stop": a_calm_view(controls=(a_control(source="drawdown", reason="5 % below the peak"),)),
    "journal": a_calm_view(journal_stalled_s=2.5),
    "loop_lag": a_calm_view(loop_lag_ms=1_400.0),
    "clock_off": a_calm_view(clock_skew_s=-3.4),
    "market_feed": a_calm_view(feeds=(LOST_SOCKET, FEEDS[1])),
    "user_feed": a_calm_view(feeds=(FEEDS[0], LOST_USER)),
    "venue_mode": a_calm_view(venue=a_venue(mode="POST_ONLY", since_s=12.0, detail="until 14:00")),
    "venue_stop": a_calm_view(controls=(a_control(source="venue", state="CANCEL_ONLY", reason="region refused"),)),
    "recovering": a_calm_view(recovering="recovering: 3 earlier orders are not settled yet"),
    "book": in_market(data=a_frozen(), quoting=False, blocked_by=""),
    "closed": in_market(closed="quarantined: 3 trades failed within an hour"),
    "finding": a_calm_view(findings=(a_finding(),)),
    "protection": a_calm_view(controls=(a_control(source="streak", market="0xfed", side="ask", author="6 fills"),)),
    "cap": a_calm_view(caps=(CapView("market", "", "0xfed", usd(550), usd(600)),)),
    "settlement": in_market(inventory=an_inventory(unsettled_s=601.0)),
    "rewards": in_market(rewards=some_rewards()),
    "rate_budget": a_calm_view(venue=with_budget(orders=11)),
    "sources": a_calm_view(account=an_account(sources=(("cash", "chain", "$1.00; ours $2.00"),))),
    "job_unknown": a_calm_view(account=an_account(jobs=(a_job(state="unknown"),))),
    "job_failed": a_calm_view(account=an_account(jobs=(FAILED,))),
    "clock_skew": a_calm_view(clock_skew_s=1.2),
    "list_waiting": a_calm_view(market_list=a_listing(proposal=a_proposal(), rejected=())),
    "list_trouble": a_calm_view(market_list=a_listing(trouble="HTTP 403", rejected=())),
    "list_rows": a_calm_view(market_list=a_listing()),
    "markout": a_calm_view(fills=tuple(a_fill(-0.01 + 0.001 * (n % 3)) for n in range(MARKOUT_FILLS))),
    "one_sided": in_market(ask_reason="no room (hard cap)"),
    "not_quoted": in_market(quoting=False, blocked_by="no fair value: the spread is too wide"),
    "denials": a_calm_view(denials=(DenialView("collar", 4, "0xfed", "bid 46.3c is 5 ticks beyond", 3.0),)),
    "rejects": a_calm_view(rejects=4, last_reject_age_s=3.0),
    "foreign_orders": a_calm_view(foreign_orders=(a_foreign_order(),)),
    "recording": a_calm_view(recordings=(a_recording(),)),
}


def test_a_calm_view_has_none():
    assert codes(a_calm_view()) == []


def test_there_is_a_case_for_every_kind():
    assert set(CASES) == {kind.code for kind in KINDS} == set(BY_CODE) and len(BY_CODE) == len(KINDS)


@pytest.mark.parametrize("code", CASES)
def test_every_kind_has_a_view_that_has_it(code):
    assert code in codes(CASES[code])


@pytest.mark.parametrize("code", sorted(set(CASES) - {"kill_unproven"}))
def test_one_trouble_is_one_condition(code):
    assert codes(CASES[code]) == [code]


TEXTS = {
    "killed": "by operator: ",
    "kill_unproven": "no report yet",
    "unknown_order": "1 order unknown for 31 s: read 1 of 2, list wanted, trades wanted",
    "heartbeat": "last acknowledged 10 s ago",
    "journal": "waiting 2 s for the disk",
    "loop_lag": "it stood still for 1.4 s",
    "clock_off": "our clock is 3.4 s behind the venue's",
    "market_feed": "1 of 2 sockets up, last heard 0 s ago: no pong",
    "user_feed": "down, last heard 12 s ago: going away",
    "venue_mode": "POST ONLY for 12 s: until 14:00",
    "book": "frozen: REST shows 44c/46c, we have 41.3c/41.6c; asking for a fresh book, try 5",
    "protection": "streak: ask reduce only, 725 s left: 6 fills",
    "cap": "92% used: $550.00 of $600.00",
    "settlement": "60 shares not final, the oldest for 10 min",
    "rewards": "1 of 5 orders in the reward band do not score",
    "rate_budget": "11 of 60 orders left",
    "sources": "cash by chain: $1.00; ours $2.00",
    "job_failed": "#7 merge 400 failed: reverted",
    "list_waiting": "4 changes wait: 2 of 5 markets would leave the list at once",
    "list_rows": "3 rows: row 6, yes_token_id: the spreadsheet made a number of it",
    "markout": "-0.91c a share 30 s after 20 fills, error 0.02c",
    "one_sided": "no ask: no room (hard cap)",
    "denials": "collar, 4 in all: bid 46.3c is 5 ticks beyond",
    "rejects": "4 in all, the last 3 s ago",
    "foreign_orders": "1 open order on this account not ours",
    "recording": "tape.jsonl.zst: the disk is full",
}


@pytest.mark.parametrize("code", TEXTS)
def test_texts_have_their_numbers(code):
    (text,) = (one.text for one in conditions(CASES[code]) if one.kind.code == code)
    assert text.startswith(TEXTS[code])


@pytest.mark.parametrize(
    "view",
    [
        in_market(orders=(an_unknown_order(unknown_s=29.9),)),
        in_market(data=an_empty_book(since_s=29.0), quoting=False),
        in_market(data=a_data(freshness="quiet", age_s=90.0)),
        in_market(inventory=an_inventory(unsettled_s=599.0)),
        in_market(orders=(an_order(scoring=False),), reward_band=(Ticks(420), Ticks(430))),
        in_market(orders=(an_order(scoring=False), an_order(scoring=True)), reward_band=(Ticks(400), Ticks(430))),
        in_market(ask_reason="one-sided", adjustments=(an_adjustment(what="one_side"),)),
        in_market(ask_reason="reduces", regime=RegimeView(reduces="near the end date")),
        in_market(bid_reason="no room", ask_reason="no room"),
        in_market(control="PAUSED", quoting=False, blocked_by="paused"),
        in_market(quoting=False, blocked_by="too near the end date", regime=RegimeView(phase="closed")),
        in_market(quoting=False, blocked_by="calendar: FOMC", regime=RegimeView(calendar_act="no quotes")),
        in_market(quoting=False, blocked_by="event: a jump", regime=RegimeView(name="event")),
        in_market(quoting=False, blocked_by="resolved", inventory=an_inventory(payout=usd(1))),
        a_calm_view(findings=(a_finding(severity="warning"),)),
        a_calm_view(findings=(a_finding(unix=NOON),)),
        a_calm_view(findings=(a_finding(code="unknown_order"), a_finding(code="unsettled"), a_finding(code="books"))),
        a_calm_view(caps=(CapView("token", "YES", "0xfed", usd(600), usd(600)),)),
        a_calm_view(caps=(CapView("market", "", "0xfed", usd(0), usd(0)),)),
        a_calm_view(account=an_account(jobs=(a_job(state="failed", age_s=901.0),))),
        a_calm_view(venue=VenueView(heartbeat=HeartbeatView(None, ""))),
        a_calm_view(clock_skew_s=0.95),
        a_calm_view(fills=tuple(a_fill(-0.01) for _ in range(MARKOUT_FILLS - 1))),
        a_calm_view(fills=tuple(a_fill(None, markouts=()) for _ in range(MARKOUT_FILLS))),
        a_calm_view(fills=tuple(a_fill(0.02 * (-1) ** n) for n in range(MARKOUT_FILLS))),
        a_calm_view(denials=(DenialView("collar", 4, "0xfed", "once", 31.0),)),
        a_calm_view(rejects=4, last_reject_age_s=31.0),
        a_calm_view(recordings=(a_recording(running=False), a_recording(trouble=""))),
        a_calm_view(markets=(), feeds=(LOST_SOCKET, LOST_USER)),
        a_calm_view(controls=(a_control(), a_control(state="PAUSED", market="0xfed"))),
    ],
)
def test_what_is_no_trouble_or_was_asked_for_is_no_alarm(view):
    assert codes(view) == []


def test_a_recording_that_is_over_wants_nobody():
    assert codes(a_calm_view(finished="end of recording", feeds=(LOST_SOCKET, LOST_USER))) == []


def test_a_session_that_stops_only_wants_somebody_for_its_orders_and_books():
    view = in_market(orders=(an_unknown_order(unknown_s=60.0),), data=a_suspect(), quoting=False, blocked_by="stopping")
    view = msgspec.structs.replace(view, stopping=True, feeds=(LOST_SOCKET, LOST_USER), venue=a_venue(mode="DISABLED"))
    assert codes(view) == ["unknown_order"]


def test_heartbeats_that_a_kill_withholds_are_no_trouble_of_their_own():
    view = a_calm_view(kill=a_kill(), venue=a_venue(heartbeat=HeartbeatView(60.0, "withheld: killed")))
    assert "heartbeat" not in codes(view)


def test_an_unproven_and_a_missing_book_are_told():
    assert only(in_market(data=an_unproven(), quoting=False)).text.startswith("unproven: REST shows 1c/99c")
    assert only(in_market(data=an_empty_book(since_s=31.0), quoting=False)).text.startswith("no book for 31 s")


def test_what_is_measured_ends_at_another_value_than_it_begins_at():
    """The deadband: a number that trembles about its threshold is one alarm."""
    for code, key, between in (
        ("clock_skew", "clock_skew", a_calm_view(clock_skew_s=0.9)),
        ("rate_budget", "rate_budget", a_calm_view(venue=with_budget(orders=15))),
        ("cap", "cap:0xfed", a_calm_view(caps=(CapView("market", "", "0xfed", usd(520), usd(600)),))),
    ):
        assert codes(between) == []
        assert codes(between, frozenset({key})) == [code]


def test_findings_of_a_code_and_a_market_are_one_alarm_with_the_newest_words():
    view = a_calm_view(findings=(a_finding(unix=NOON + 3800), a_finding(unix=NOON + 3850, text="the last one")))
    condition = only(view)
    assert (condition.text, condition.stamp) == ("failed trade x2: the last one", NOON + 3850)


def test_orders_that_nobody_scores_are_told_without_anybody_watching_the_market():
    band = (Ticks(400), Ticks(430))
    view = in_market(orders=(an_order(scoring=False), an_order(scoring=False, price=Ticks(412))), reward_band=band)
    assert only(view).text == "2 of 2 orders in the reward band do not score"


def test_caps_of_events_are_one_alarm_and_name_the_fullest():
    caps = (CapView("group", "Cup", "", usd(91), usd(100)), CapView("group", "League", "", usd(120), usd(100)))
    assert only(a_calm_view(caps=caps)).text == "event League 120% used: $120.00 of $100.00; 1 more"


# Causes, as a session makes them


def causes_of(view, seconds=400):
    """Key to cause after so many seconds of one view."""
    board = AlarmBoard()
    for now in range(seconds):
        board.update(conditions(view, board.standing), float(now), view.unix)
    return {alarm.key: alarm.cause for alarm in board.views(float(seconds))}


def test_a_socket_that_is_down_explains_its_books_and_that_nothing_is_quoted():
    view = a_calm_view(
        {"data": a_suspect(), "quoting": False, "blocked_by": "book resyncing"}, feeds=(LOST_SOCKET, FEEDS[1])
    )
    assert causes_of(view) == {
        "market_feed": "",
        "book:0xfed": "market_feed",
        "not_quoted:0xfed": "market_feed",
    }


def test_a_kill_explains_that_nothing_is_quoted():
    view = in_market(quoting=False, blocked_by="killed")
    assert causes_of(msgspec.structs.replace(view, kill=a_kill()))["not_quoted:0xfed"] == "killed"


def test_a_lost_order_explains_the_closed_market_and_that_the_finding():
    view = a_calm_view(
        {"orders": (an_unknown_order(unknown_s=60.0),), "closed": "an order could not be cancelled", "quoting": False,
         "blocked_by": "closed"},
        findings=(a_finding(code="cancel_unsettled"),),
    )  # fmt: skip
    assert causes_of(view, 200 + 150) == {
        "unknown_order:0xfed": "",
        "closed:0xfed": "unknown_order:0xfed",
        "finding:0xfed:cancel_unsettled": "closed:0xfed",
        "not_quoted:0xfed": "closed:0xfed",
    }


def test_a_cap_explains_a_side_that_is_missing():
    view = a_calm_view({"ask_reason": "no room"}, caps=(CapView("market", "", "0xfed", usd(600), usd(600)),))
    assert causes_of(view, 700)["one_sided:0xfed"] == "cap:0xfed"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_kind_says_what_to_do_in_few_words_and_leads_to_a_pane(kind):
    """What needs no operator is no alarm (peers.md 5.7); two lines of 80 cells have to hold it."""
    panes = {"orders", "log", "money", "why", "findings", "account", "risk", "list", "fills", "recordings"}
    assert kind.pane in panes and kind.action and kind.consequence
    assert len(f"do: {kind.action}") <= 74 and len(kind.consequence) <= 76


# The document


def documented() -> dict[str, list[str]]:
    text = (Path(__file__).parents[3] / "docs" / "alarms.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines() if "|" in line]
    return {row[0].strip("`"): row[1:] for row in rows if len(row) == 8 and row[0].startswith("`")}


def test_the_document_lists_every_kind_as_the_program_has_it():
    assert documented() == {
        kind.code: [
            str(kind.priority), kind.condition, f"{kind.on_s:g}", f"{kind.off_s:g}", kind.consequence, kind.action,
            kind.pane,
        ]
        for kind in KINDS
    }  # fmt: skip
