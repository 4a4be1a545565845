"""The demo as a user starts it: it makes markets, ends with nothing open, and its books can be checked afterwards."""

import json
from collections import defaultdict
from typing import Any

import pytest

from core.orders.order import TERMINAL
from core.portfolio.books import Books
from core.portfolio.entries import Buy, Sell
from core.portfolio.ledger import usd_of
from core.units import MICRO, Shares, Usd
from tests.end_to_end.conftest import DemoRun
from tests.end_to_end.program import environment, rows, run

MEMBERS = {
    "mode", "duration_s", "messages", "frames", "decisions", "orders_placed", "orders_cancelled", "rejects", "fills",
    "open_orders", "unknown_orders", "positions", "pnl", "exit_reason",
}  # fmt: skip


def test_the_report_has_its_members_and_a_clean_end(demo_run: DemoRun) -> None:
    """Programs read this object; a missing member breaks them."""
    report = demo_run.report
    assert set(report) >= MEMBERS
    assert set(report["pnl"]) == {"realised", "unrealised", "total"}
    assert (report["mode"], report["exit_reason"], demo_run.code) == ("demo", "duration", 0)
    assert report["open_orders"] == report["unknown_orders"] == 0
    assert 6.0 <= report["duration_s"] < 20.0


def test_stdout_is_the_report_alone_and_stderr_ends_with_the_verdict(demo_run: DemoRun) -> None:
    """stdout is for results; the one line for people says whether zero open orders were verified."""
    assert len(demo_run.stdout.splitlines()) == 1
    assert demo_run.stderr.splitlines()[-1] == "polymm-tui: stopped (duration): zero open orders verified"
    assert "Traceback" not in demo_run.stderr and "ERROR" not in demo_run.stderr


def test_it_quotes_requotes_and_is_filled(demo_run: DemoRun) -> None:
    """The demo shows market making, not an idle screen: orders come, are moved while it runs, and are hit."""
    report = demo_run.report
    assert report["messages"] > 50 and report["frames"] > 50 and report["decisions"] > 10
    assert report["fills"] > 0 and report["orders_placed"] > 8
    reasons = {row["reason"] for row in rows(demo_run.database, "SELECT reason FROM orders WHERE state = 'CANCELLED'")}
    assert reasons - {"stopping"}, "orders were moved before the end, too"


def test_the_database_holds_every_order_with_its_end(demo_run: DemoRun) -> None:
    """Nothing is sent that is not on the disk, and after an ordered end no row is left open."""
    orders = rows(demo_run.database, "SELECT * FROM orders")
    sent = [order for order in orders if order["order_id"]]
    assert len(sent) >= demo_run.report["orders_placed"]
    assert len({order["order_id"] for order in sent}) == len(sent)
    assert {order["state"] for order in orders} <= {state.value for state in TERMINAL}
    assert sum(order["state"] == "CANCELLED" for order in orders) == demo_run.report["orders_cancelled"]


def test_the_database_holds_every_fill_of_an_order_it_knows(demo_run: DemoRun) -> None:
    """Fills are the money: their number and their sizes agree with the report and with the orders."""
    fills = rows(demo_run.database, "SELECT * FROM fills")
    assert len(fills) == demo_run.report["fills"]
    filled: dict[int, int] = defaultdict(int)
    for fill in fills:
        filled[fill["intent"]] += fill["size_micro"]
    told = {row["intent"]: row["filled_micro"] for row in rows(demo_run.database, "SELECT * FROM orders")}
    assert {intent: size for intent, size in told.items() if size} == dict(filled)


def test_profit_recomputed_from_fills_and_marks_is_the_profit_reported(demo_run: DemoRun) -> None:
    """The profit on the screen follows from rows that anybody can read, to the micro-dollar."""
    books: dict[str, Books] = defaultdict(Books)
    for fill in rows(demo_run.database, "SELECT * FROM fills ORDER BY seq"):
        assert books[fill["market"]].apply(_entry(fill)) is None
    last = "SELECT market, fair_micro_usd, MAX(unix) FROM fairs WHERE fair_micro_usd IS NOT NULL GROUP BY market"
    marks = {row["market"]: Usd(row["fair_micro_usd"]) for row in rows(demo_run.database, last)}
    ledgers = {market: each.average for market, each in books.items()}
    realised = sum(usd_of(ledger.realised) for ledger in ledgers.values())
    unrealised = sum(usd_of(ledger.unrealised(marks[market])) for market, ledger in ledgers.items())
    pnl = demo_run.report["pnl"]
    assert (realised, unrealised) == (round(pnl["realised"] * MICRO), round(pnl["unrealised"] * MICRO))
    assert pnl["total"] == pytest.approx(pnl["realised"] + pnl["unrealised"], abs=1e-9)


def test_the_report_of_the_database_says_what_the_session_said(demo_run: DemoRun) -> None:
    """One truth: by the running engine and by folding its file the profit is the same, and every self-check agrees."""
    told = run("report", "--database", str(demo_run.database), "--json", env=environment(demo_run.database.parent))
    assert (told.returncode, told.stderr) == (0, "")
    report = json.loads(told.stdout)
    # a session rounds realised and unrealised of each market, so that columns add up; the report rounds once
    rounded = len(demo_run.report["positions"])
    assert abs(report["total"]["parts"]["total_micro_usd"] - demo_run.report["pnl"]["total"] * MICRO) <= rounded
    assert {check["verdict"] for check in report["checks"]} == {"agrees"}


def test_positions_are_the_sum_of_the_fills(demo_run: DemoRun) -> None:
    """What we say we hold is what we bought less what we sold."""
    held: dict[tuple[str, str], int] = defaultdict(int)
    for fill in rows(demo_run.database, "SELECT * FROM fills"):
        sign = 1 if fill["order_side"] == "BUY" else -1
        held[fill["market"], fill["outcome"]] += sign * fill["size_micro"]
    for position in demo_run.report["positions"]:
        for outcome in ("YES", "NO"):
            assert round(position[outcome.lower()] * MICRO) == held[position["market"], outcome]
        assert position["net"] == pytest.approx(position["yes"] - position["no"])


def test_the_session_row_tells_how_it_ended(demo_run: DemoRun) -> None:
    """Afterwards it must be known which version ran with which settings and whether its end was verified."""
    [session] = rows(demo_run.database, "SELECT * FROM sessions")
    assert (session["mode"], session["seed"], session["exit_reason"]) == ("demo", 1, "duration")
    assert session["open_orders_verified"] == 1 and session["ended_unix"] > session["started_unix"]
    assert str(demo_run.database) == demo_run.report["database"]


def test_every_step_of_an_order_is_journaled(demo_run: DemoRun) -> None:
    """The journal tells the story: every order was wished for, then signed, then sent, and nothing is missing of it."""
    steps: dict[int, list[str]] = defaultdict(list)
    for row in rows(demo_run.database, "SELECT intent, state FROM order_events ORDER BY id"):
        steps[row["intent"]].append(row["state"])
    orders = rows(demo_run.database, "SELECT * FROM orders")
    assert {order["intent"]: order["state"] for order in orders} == {key: told[-1] for key, told in steps.items()}
    assert all(told[0] == "INTENT" and told[1] in ("SENDING", "DENIED") for told in steps.values())
    settings = {row["hash"] for row in rows(demo_run.database, "SELECT hash FROM settings")}
    for order in orders:
        assert order["reason"] and order["book"] and order["explanation"] and order["settings_hash"] in settings


def test_the_metrics_move_while_it_runs(demo_run: DemoRun) -> None:
    """A monitor sees the demo live; what counts only goes up, and what is rare is there with its zero."""
    early, late = demo_run.early, demo_run.late
    assert set(early) == set(late)
    for name in (name for name in early if name.endswith("_total")):
        assert late[name] >= early[name], name
    for name in ("mm_ws_connected", "mm_orders_placed_total", "mm_open_orders", "mm_snapshot_reload_total"):
        assert late[name] > 0, name
    for name in ("mm_ws_reconnects_total", "mm_seq_gaps_total", "mm_malformed_total"):
        assert late[name] == 0, name
    assert late["mm_gc_pause_seconds"] >= 0


def test_nobody_else_may_read_the_files(demo_run: DemoRun) -> None:
    """The database tells the strategy and the positions: it is for its owner only."""
    assert demo_run.database.stat().st_mode & 0o077 == 0
    assert demo_run.database.parent.stat().st_mode & 0o077 == 0


def _entry(fill: dict[str, Any]) -> Buy | Sell:
    kind = Buy if fill["order_side"] == "BUY" else Sell
    return kind(fill["outcome"], Shares(fill["size_micro"]), Usd(fill["price_micro_usd"]))
