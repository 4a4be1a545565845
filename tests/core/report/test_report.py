"""The report of a database: every figure against a count of its own, whole files refused or read, sessions running."""

import math
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.account_history import BEGIN, Made, Plan, make
from core.errors import StoreError, UsageError
from core.portfolio.entries import Booking, Buy, Fee, Flow, Found, Income, Merge, Sell, Settle, Split
from core.portfolio.markouts import WeightedMean
from core.portfolio.portfolio import Portfolio
from core.report.figures import Report
from core.report.history import History, opened
from core.report.span import DAY_SEC
from core.units import MICRO, Shares, Usd
from tests.builders import laws
from tests.core.report.small import DAY, MARKET, NOON, OTHER, WALLET, Small, report_of

PLAN = Plan(fills=1_200, days=3, markets=5)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("history") / "mm_state.db", PLAN)


@pytest.fixture(scope="module")
def whole(made: Made) -> Report:
    return report_of(made.path, made.begin - NOON, made.end - NOON)


def rows(made: Made, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(made.path)) as db:
        return db.execute(query).fetchall()


def paths(made: Made) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for market, unix, fair in rows(made, "SELECT market, unix, fair_micro_usd FROM fairs"):
        found[market][int(unix - BEGIN) // PLAN.step_s] = fair
    return found


def yes_frame(outcome: str, order_side: str, price: int, size: int) -> tuple[int, int]:
    """Signed size and price of a fill, YES frame, by the table of market-making.md 0.2."""
    if outcome == "YES":
        return (size if order_side == "BUY" else -size), price
    return (-size if order_side == "BUY" else size), MICRO - price


FILLS = (
    "SELECT f.market, f.outcome, f.order_side, f.price_micro_usd, f.size_micro, f.matched_unix, o.side, o.layer"
    " FROM fills f JOIN orders o USING (intent) WHERE settlement != 'failed'"
)


def test_all_checks_of_a_made_history_agree(whole: Report) -> None:
    """Three views, line by line, sums, equity, and what was written down while it happened."""
    assert [check.verdict for check in whole.checks] == ["agrees"] * 5


def test_the_equity_is_what_the_account_was_worth_when_it_happened(made: Made) -> None:
    """At moments within the history, as plain arithmetic wrote it down then: cash, value, and profit of all time."""
    marks = rows(made, "SELECT unix, cash_micro_usd, equity_micro_usd, flows_micro_usd FROM equity")
    for unix, cash, equity, flows in (marks[len(marks) * 4 // 10], marks[len(marks) * 8 // 10], marks[-1]):
        report = report_of(made.path, made.begin - NOON, unix - NOON + 1e-6)
        assert report.equity is not None
        assert abs(report.equity.end_cash_micro_usd - cash) <= 1
        assert abs(report.equity.end_micro_usd - equity) <= 1
        assert abs(report.total.parts.total_micro_usd - (equity - flows)) <= 1


def test_spread_and_drift_are_those_of_a_plain_count(made: Made, whole: Report) -> None:
    """Fill by fill from the rows; rounding costs less than a micro-dollar a market, day and layer."""
    fair_of = paths(made)
    spread = adverse = 0
    for market, outcome, order_side, price, size, unix, _, _ in rows(made, FILLS):
        signed, own = yes_frame(outcome, order_side, price, size)
        fairs, at = fair_of[market], unix - BEGIN
        fair = fairs[int(at // PLAN.step_s)]
        spread += signed * (fair - own)
        until = min(at + 300.0, PLAN.days * DAY_SEC)
        adverse += signed * (payout_or(made, market, until, fairs) - fair)
    allowed = 3 * PLAN.markets * PLAN.days * 6
    parts = whole.total.parts
    assert abs(parts.spread_micro_usd - spread / MICRO) < allowed
    assert abs(parts.adverse_micro_usd - adverse / MICRO) < allowed
    assert parts.unknown_micro_usd == 0 and whole.unpriced_fills == 0


def payout_or(made: Made, market: str, at: float, fairs: dict[int, int]) -> int:
    if market == made.markets[-1] and at >= PLAN.days * DAY_SEC * 0.7:
        return 500_000
    return fairs[min(max(fairs), int(at // PLAN.step_s))]


def test_trades_are_counted_by_side_layer_day_and_market(made: Made, whole: Report) -> None:
    """As SQL counts them; failed ones not."""
    total = rows(made, "SELECT COUNT(*), SUM(size_micro) FROM fills WHERE settlement != 'failed'")[0]
    assert (whole.total.trades.fills, whole.total.trades.shares_micro) == total
    by_layer = {(row.side, row.layer): row.trades.fills for row in whole.by_layer if row.side != "held"}
    counted: dict[tuple[str, int], int] = defaultdict(int)
    days: dict[str, int] = defaultdict(int)
    for *_, unix, side, layer in rows(made, FILLS):
        counted[side, layer] += 1
        days[f"day {int(unix - BEGIN) // DAY_SEC}"] += 1
    assert by_layer == counted
    assert [row.trades.fills for row in whole.by_day] == [days[f"day {n}"] for n in range(PLAN.days)]
    assert {row.side: row.trades.fills for row in whole.by_side} == {
        side: sum(n for (of, _), n in counted.items() if of == side) for side in ("bid", "ask", "held")
    }
    turnover = sum(price * size for _, _, _, price, size, *_ in rows(made, FILLS))
    assert abs(whole.total.trades.turnover_micro_usd - turnover / MICRO) <= 1
    assert whole.failed_fills == rows(made, "SELECT COUNT(*) FROM fills WHERE settlement = 'failed'")[0][0] > 0


def test_days_and_markets_on_their_own_add_up_to_the_span(made: Made, whole: Report) -> None:
    """A report of each day, and one of each market, has the parts that the whole says of it."""
    for day, row in enumerate(whole.by_day):
        alone = report_of(made.path, made.begin - NOON + day * DAY, made.begin - NOON + (day + 1) * DAY)
        ours, theirs = row.parts, alone.total.parts
        for name in ours.__struct_fields__:
            assert abs(getattr(ours, name) - getattr(theirs, name)) <= 2 * PLAN.markets, name
        assert all(check.verdict == "agrees" for check in alone.checks)
    for row in whole.by_market:
        if row.market:
            alone = report_of(made.path, made.begin - NOON, made.end - NOON, market=row.market)
            assert abs(alone.total.parts.total_micro_usd - row.parts.total_micro_usd) <= PLAN.days + 1
            assert alone.equity is None and alone.drawdown is None and alone.market == row.market


def test_income_and_fees_are_told_apart_from_estimates(made: Made, whole: Report) -> None:
    """Paid ones are in the total, estimates beside it."""
    paid = dict(rows(made, "SELECT income, SUM(amount_micro_usd) FROM entries WHERE kind = 'income' GROUP BY 1"))
    assert whole.total.parts.rewards_micro_usd == paid["reward"]
    assert whole.total.parts.rebates_micro_usd == paid["rebate"]
    assert whole.total.parts.fees_micro_usd == PLAN.days * 12_345
    [(estimated,)] = rows(made, "SELECT SUM(reward_micro_usd) FROM estimates")
    assert sum(row.estimated_rewards_micro_usd for row in whole.income) == estimated != paid["reward"]
    assert sum(row.paid_rewards_micro_usd for row in whole.income) == paid["reward"]


def test_flows_are_told_by_kind_and_are_no_profit(whole: Report) -> None:
    """What was there at first, deposits, withdrawals, shares that were found."""
    equity = whole.equity
    assert equity is not None and equity.begin_micro_usd == 0
    assert (equity.opening_micro_usd, equity.deposits_micro_usd, equity.withdrawals_micro_usd) == (
        5_000_000_000, 700_000_000, -300_000_000,
    )  # fmt: skip
    assert 0 < equity.found_micro_usd < 7_000_000
    gained = equity.end_micro_usd - equity.begin_micro_usd - equity.flows_micro_usd
    assert gained == whole.total.parts.total_micro_usd


def test_markouts_are_the_weighted_means_of_the_reference(made: Made, whole: Report) -> None:
    """Mean, error and number of stretches, as :class:`WeightedMean` gives them one by one."""
    [row] = [one for one in whole.markouts if one.side == "bid" and one.layer == 1 and one.horizon_s == 30.0]
    mean, stretches = WeightedMean(), set()
    for spread, drift, size, unix in rows(
        made,
        "SELECT m.spread_micro_usd, m.drift_micro_usd, m.size_micro, f.matched_unix FROM markouts m JOIN fills f"
        " USING (trade_id, order_id) WHERE m.side = 'bid' AND m.layer = 1 AND m.horizon_s = 30.0"
        " AND f.settlement != 'failed'",
    ):
        mean.add(int(unix // 30), size, spread + drift)
        stretches.add(int(unix // 30))
    assert row.fills == mean.n and row.stretches == len(stretches)
    assert row.markout_micro_usd is not None and mean.mean is not None and mean.standard_error is not None
    assert math.isclose(row.markout_micro_usd, mean.mean, rel_tol=1e-9)
    assert math.isclose(row.markout_error_micro_usd or 0.0, mean.standard_error, rel_tol=1e-6)
    everything = [one for one in whole.markouts if not (one.side or one.market) and one.horizon_s == 300.0]
    assert everything[0].fills + everything[0].pending + everything[0].unmeasured == whole.total.trades.fills


def test_orders_are_counted_as_sql_counts_them(made: Made, whole: Report) -> None:
    """Orders, cancels that were asked for, and cancels for each thousand shares."""
    counts = {row.market: row for row in whole.orders}
    for market, orders in rows(made, "SELECT market, COUNT(*) FROM orders GROUP BY market"):
        row = counts[market]
        assert row.orders == orders
        [(cancels,)] = rows(
            made,
            "SELECT COUNT(DISTINCT intent) FROM order_events JOIN orders USING (intent) WHERE order_events.state ="
            f" 'CANCEL_SENT' AND market = '{market}'",
        )
        assert row.cancels == cancels
        assert row.cancels_per_1000_shares == pytest.approx(cancels * 1e9 / row.filled_micro)


def test_a_book_that_was_tampered_with_is_told(made: Made, tmp_path: Path) -> None:
    """A line whose amount is changed no longer fits the value that was written down with it."""
    path = tmp_path / "mm_state.db"
    path.write_bytes(made.path.read_bytes())
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE entries SET amount_micro_usd = amount_micro_usd + 5 WHERE key LIKE 'deposit%'")
        db.commit()
    report = report_of(path)
    assert not report.agrees
    [check] = [one for one in report.checks if one.verdict == "DIFFERS"]
    assert check.name == "the value last recorded" and "flows" in check.text


def test_quotes_in_the_book_are_timed(tmp_path: Path) -> None:
    """Both sides for 300 s, one for 600 s of an hour; of unknown outcome does not count, nor what is not sent yet."""
    small = Small(tmp_path)
    small.session(end=3_600.0)
    small.market()
    small.fair(0.0, 500_000)
    small.order([("SENDING", 0.0), ("LIVE", 100.0), ("CANCEL_SENT", 690.0), ("CANCELLED", 700.0)])
    small.order(
        [("SENDING", 300.0), ("LIVE", 400.0), ("UNKNOWN", 700.0), ("LIVE", 2_000.0), ("MATCHED", 2_300.0)], "ask"
    )
    small.order([("SENDING", 3_000.0), ("REJECTED", 3_001.0)], "ask")
    small.order([("INTENT", 3_000.0), ("DENIED", 3_001.0)], "ask")
    small.order([("SENDING", 3_000.0), ("UNKNOWN", 3_001.0)], "ask")
    report = small.report(0.0, 3_600.0)
    [row] = report.uptime
    assert (row.session_s, row.two_sided, row.one_sided) == pytest.approx((3_600.0, 300 / 3_600, 600 / 3_600))
    [counts] = report.orders
    assert (counts.orders, counts.cancels, counts.rejected, counts.denied, counts.unknown, counts.still_unknown) == (
        5, 1, 1, 1, 2, 1,
    )  # fmt: skip
    assert counts.cancels_per_1000_shares is None


def test_quotes_are_timed_within_sessions_only(tmp_path: Path) -> None:
    """An order that outlived its session counts in both, not in the hour between them."""
    small = Small(tmp_path)
    small.session(1, 0.0, 1_000.0)
    small.session(2, 5_000.0, 6_000.0)
    small.fair(0.0, 500_000)
    small.fair(5_000.0, 500_000, session=2)
    small.order([("SENDING", 0.0), ("LIVE", 500.0), ("CANCELLED", 5_250.0)])
    [row] = small.report(0.0, 6_000.0).uptime
    assert (row.session_s, row.one_sided, row.two_sided) == pytest.approx((2_000.0, 750 / 2_000, 0.0))


def test_an_order_of_the_day_before_stands_in_the_book_still(tmp_path: Path) -> None:
    """It was placed before the span, and nothing has been written of it since."""
    small = Small(tmp_path)
    small.session(end=None)
    small.fair(0.0, 500_000)
    small.order([("SENDING", 0.0), ("LIVE", 10.0)])
    small.order([("SENDING", 0.0), ("LIVE", 10.0), ("CANCELLED", 20.0)], "ask")
    small.order([("SENDING", 1_100.0), ("REJECTED", 1_101.0)])
    small.mark(2_000.0, 0, 0, 0)
    [row] = small.report(1_000.0, 2_000.0).uptime
    assert (row.session_s, row.one_sided) == pytest.approx((1_000.0, 1.0))


def test_exposure_is_what_is_lost_if_the_market_goes_against_us(tmp_path: Path) -> None:
    """Ten YES at 40 cents risk 4 dollars; in one event of two outcomes half of two positions cannot both be lost."""
    small = Small(tmp_path)
    small.session(end=1_000.0)
    for market in (MARKET, OTHER):
        small.market(market, group="event", size=2)
        small.fair(0.0, 500_000, market)
        small.fair(500.0, 400_000, market)
    small.book(100.0, Buy("YES", Shares(10_000_000), Usd(450_000)))
    small.book(200.0, Buy("YES", Shares(10_000_000), Usd(450_000)), OTHER)
    exposure = small.report(0.0, 1_000.0).exposure
    assert exposure.max_gross_micro_usd == 10_000_000 and exposure.end_gross_micro_usd == 8_000_000
    assert exposure.end_worst_micro_usd == -2_000_000  # ten of them pay 10 dollars whatever happens; worth 8
    assert exposure.mean_gross_micro_usd == pytest.approx(500_000 + 3_000_000 + 4_000_000, abs=60_000)


def test_exposure_of_a_short_position_is_the_rest_of_the_dollar(tmp_path: Path) -> None:
    """Ten NO when YES is worth 30 cents risk 7 dollars, and none once the market is resolved."""
    small = Small(tmp_path)
    small.session(end=1_000.0)
    small.fair(0.0, 300_000)
    small.book(0.0, Buy("NO", Shares(10_000_000), Usd(650_000)))
    assert small.report(0.0, 500.0).exposure.end_gross_micro_usd == 7_000_000
    assert small.report(0.0, 500.0).exposure.end_worst_micro_usd == 7_000_000
    small.book(600.0, Settle(Usd(0)))
    exposure = small.report(0.0, 1_000.0).exposure
    assert (exposure.end_gross_micro_usd, exposure.end_worst_micro_usd) == (0, 0)


def test_a_payout_is_the_fair_value_of_what_follows(tmp_path: Path) -> None:
    """A resolution within 300 s of a fill is its drift, and of a fill told behind it its fair value."""
    small = Small(tmp_path)
    small.session()
    small.fair(90.0, 500_000)
    small.book(100.0, Buy("YES", Shares(1_000_000), Usd(480_000)))
    small.book(200.0, Settle(Usd(1_000_000)))
    small.book(250.0, Sell("YES", Shares(500_000), Usd(990_000)))
    parts = small.report(0.0, 3_600.0).total.parts
    assert (parts.spread_micro_usd, parts.adverse_micro_usd, parts.carry_micro_usd) == (20_000 - 5_000, 500_000, 0)


def test_a_fill_without_a_number_yet_stands_last(tmp_path: Path) -> None:
    """As a restart will put it: it sold what was bought before, so nothing was short."""
    small = Small(tmp_path)
    small.session()
    small.book(10.0, Buy("YES", Shares(1_000_000), Usd(400_000)))
    small.line(Booking(0, MARKET, "k", NOON + 20.0, Sell("YES", Shares(1_000_000), Usd(500_000)), "fill"))
    report = small.report()
    assert not any("could not be" in note for note in report.notes)
    assert report.total.parts.total_micro_usd == 100_000


def test_a_recorded_value_knew_a_fill_that_failed_later(tmp_path: Path) -> None:
    """Its cash was gone then, and is back now: no difference. One that had failed before was in no value."""
    small = Small(tmp_path)
    small.session()
    small.book(0.0, Flow(Usd(100_000_000)), "", key="opening")
    small.book(10.0, Buy("YES", Shares(1_000_000), Usd(400_000)))
    small.book(20.0, Buy("YES", Shares(1_000_000), Usd(300_000)))
    small.mark(30.0, 99_600_000, 100_000_000, 100_000_000)
    with closing(sqlite3.connect(small.path)) as db:
        db.execute("UPDATE fills SET settlement = 'failed'")
        db.executemany(
            "INSERT INTO settlements VALUES (?, '0xorder', 'failed', ?, 'channel', '')",
            [("t1", NOON + 60.0), ("t2", NOON + 25.0)],
        )
        db.commit()
    report = small.report()
    assert report.agrees, report.checks
    assert report.failed_fills == 2 and report.equity is not None
    assert report.equity.end_cash_micro_usd == 100_000_000


def test_markouts_say_when_they_are_too_thin(tmp_path: Path) -> None:
    """Few fills, fills in few stretches of time, an error as large as the value; pending ones are told apart."""
    small = Small(tmp_path)
    small.session(end=100_000.0)

    def dealt(count: int, apart: float, drifts: list[int]) -> Report:
        first = small.seq
        for n in range(count):
            small.book((first + n) * apart, Buy("YES", Shares(1_000_000), Usd(400_000)))
            row = (1, f"t{first + n + 1}", "0xorder", 1.0, MARKET, "bid", 0, 1_000_000, 0, drifts[n % len(drifts)])
            small.add("markouts", *row)
        return small.report()

    def first(report: Report) -> Any:
        return report.markouts[0]

    few = first(dealt(20, 0.1, [5_000]))
    assert (few.fills, few.stretches, few.too_thin) == (20, 2, "few fills")
    crowded = first(dealt(20, 0.1, [5_000]))
    assert (crowded.fills, crowded.stretches, crowded.too_thin) == (40, 4, "few fills")
    small.add("fairs", 1, MARKET, NOON + 1.0, 10_000, 400_000, None)
    enough = first(dealt(40, 10.0, [5_000, 4_000]))
    assert enough.too_thin == "" and enough.stretches == 44
    noisy = first(dealt(60, 10.0, [900_000, -900_000]))
    assert noisy.too_thin == "error above value"
    assert [row.pending for row in small.report(0.0, 795.0).markouts[:4]] == [0, 0, 3, 30]


def test_drawdown_leaves_flows_out(tmp_path: Path) -> None:
    """A deposit is no recovery."""
    small = Small(tmp_path)
    small.session()
    small.book(0.0, Flow(Usd(100_000_000)), "", key="opening")
    course = ((1.0, 100, 100), (2.0, 110, 100), (3.0, 104, 100), (4.0, 154, 150), (5.0, 158, 150), (6.0, 170, 150))
    for at, equity, flows in course:
        small.mark(at, 100_000_000, equity * MICRO, flows * MICRO, seq=2)
    drawdown = small.report(0.0, 3_600.0).drawdown
    assert drawdown is not None
    assert (drawdown.largest_micro_usd, drawdown.peak_unix, drawdown.trough_unix) == (6_000_000, NOON + 2, NOON + 3)
    assert drawdown.fraction == pytest.approx(6 / 110)


def test_open_positions_tell_the_age_of_their_mark(tmp_path: Path) -> None:
    """An old fair value is used and its age told; a payout has none; without any it stands at cost and is noted."""
    small = Small(tmp_path)
    small.session()
    small.fair(10.0, 600_000)
    small.book(20.0, Buy("YES", Shares(10_000_000), Usd(500_000)))
    small.book(30.0, Buy("NO", Shares(2_000_000), Usd(300_000)), OTHER)
    report = small.report(0.0, 1_210.0)
    first, second = report.positions
    assert (first.mark_micro_usd, first.mark_age_s, first.value_micro_usd) == (600_000, 1_200.0, 6_000_000)
    assert (second.mark_micro_usd, second.value_micro_usd, second.unrealised_micro_usd) == (None, 600_000, 0)
    assert any("at cost" in note for note in report.notes) and any("older than" in note for note in report.notes)
    small.book(1_300.0, Settle(Usd(0)), OTHER)
    resolved = next(row for row in small.report(0.0, 1_400.0).positions if row.market == OTHER)
    assert resolved.is_resolved and (resolved.value_micro_usd, resolved.mark_age_s) == (2_000_000, None)


def test_fair_values_beside_the_markouts_are_used_while_they_are_fresh(tmp_path: Path) -> None:
    """A fill that no session measured has the path's fair value; after two minutes without a row nobody knew one."""
    small = Small(tmp_path)
    small.session()
    small.fair(100.0, 500_000)
    small.book(150.0, Buy("YES", Shares(1_000_000), Usd(480_000)))
    small.book(300.0, Buy("YES", Shares(1_000_000), Usd(480_000)))
    report = small.report(0.0, 3_600.0)
    assert (report.total.parts.spread_micro_usd, report.total.parts.unknown_micro_usd) == (20_000, 20_000)
    assert (report.unpriced_fills, report.unmeasured_fills) == (1, 1)
    assert any("not attributed" in note for note in report.notes)


def test_one_account_is_looked_at(tmp_path: Path) -> None:
    """The last session's unless another is named; each paper session is one."""
    small = Small(tmp_path)
    small.session(1, 0.0, 100.0, "paper 1", "paper")
    small.session(2, 200.0, 300.0, "paper 2", "paper")
    small.line(Booking(1, MARKET, "k", NOON + 10.0, Buy("YES", Shares(1_000_000), Usd(500_000)), "fill"), 1)
    small.line(Booking(1, MARKET, "k", NOON + 210.0, Sell("YES", Shares(3_000_000), Usd(500_000)), "fill"), 2)
    last, first = small.report(), small.report(account="paper 1")
    assert (last.account, last.total.trades.shares_micro, last.other_accounts) == ("paper 2", 3_000_000, 1)
    assert (first.account, first.total.trades.shares_micro) == ("paper 1", 1_000_000)
    assert small.report(account=" PAPER 1 ").account == "paper 1"
    with pytest.raises(UsageError, match="paper 2, paper 1"):
        small.report(account="nobody")


def test_a_line_of_an_impossible_time_makes_no_span_of_years(tmp_path: Path) -> None:
    """One of 1970 is in what was there at the begin, one of the year 3000 is left out and noted."""
    small = Small(tmp_path)
    small.session()
    small.line(Booking(1, MARKET, "k", 0.0, Buy("YES", Shares(1_000_000), Usd(500_000)), "fill"))
    small.line(Booking(2, MARKET, "k", 3.2e10, Buy("YES", Shares(1_000_000), Usd(500_000)), "fill"))
    report = small.report()
    assert len(report.by_day) <= 3 and report.total.trades.fills == 0
    assert [row.yes_micro for row in report.positions] == [1_000_000]
    assert "in the future by their time, and are in no span yet: 1" in report.notes[0]


def test_a_market_is_found_by_name_and_a_strange_one_is_told(tmp_path: Path) -> None:
    """As the other commands do."""
    small = Small(tmp_path)
    small.session()
    small.market()
    small.book(10.0, Buy("YES", Shares(1_000_000), Usd(500_000)))
    assert small.report(market="rain").market == small.report(market="0xabab").market == MARKET
    with pytest.raises(UsageError, match="no such market in it: 0xabababababab 'Will it rain"):
        small.report(market="snow")


def test_a_session_that_writes_is_not_disturbed(tmp_path: Path) -> None:
    """Its open transaction is not seen, and it can go on writing while the file is read."""
    small = Small(tmp_path)
    small.session(end=None)
    small.book(10.0, Buy("YES", Shares(1_000_000), Usd(500_000)))
    with closing(sqlite3.connect(small.path, timeout=0.0, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE fills SET size_micro = 9000000")
        before = report_of(small.path, now=NOON + 20.0)
        assert before.total.trades.shares_micro == 1_000_000 and before.is_running
        with opened(small.path) as reader:
            history = History(reader)
            writer.execute("COMMIT")
            writer.execute("UPDATE fills SET price_micro_usd = 400000")
            [line] = history.lines()[MARKET]
            assert line.entry == Buy("YES", Shares(1_000_000), Usd(500_000))
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert report_of(small.path).total.trades.shares_micro == 9_000_000


def test_the_file_is_not_changed(made: Made) -> None:
    """Not a byte of it."""
    before = made.path.read_bytes()
    report_of(made.path)
    assert made.path.read_bytes() == before


def test_a_file_in_a_place_that_cannot_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup on a read-only disk: nothing is made beside it."""
    small = Small(tmp_path)
    small.session()
    small.book(10.0, Buy("YES", Shares(1_000_000), Usd(500_000)))
    assert [one.name for one in tmp_path.iterdir()] == ["mm_state.db"]
    monkeypatch.setattr("core.report.history.os.access", lambda *_: False)
    assert small.report().total.trades.fills == 1
    assert [one.name for one in tmp_path.iterdir()] == ["mm_state.db"]


def test_files_that_cannot_be_read_are_refused_with_what_to_do(tmp_path: Path) -> None:
    """Missing, foreign, damaged, older, newer, empty of sessions."""
    with pytest.raises(UsageError, match="no such database; run a session first"):
        report_of(tmp_path / "none.db")
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database at all" * 400)
    with pytest.raises(StoreError, match="cannot be read"):
        report_of(garbage)
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(StoreError, match="cannot be read"):
        report_of(empty)
    small = Small(tmp_path)
    with pytest.raises(UsageError, match="holds no session"):
        small.report()
    for schema, words in (("3", "older than this program's .* start a session"), ("99", "newer .* update")):
        with closing(sqlite3.connect(small.path)) as db:
            db.execute("UPDATE meta SET value = ?", (schema,))
            db.commit()
        with pytest.raises(StoreError, match=words):
            small.report()


def test_a_damaged_page_is_told(made: Made, tmp_path: Path) -> None:
    """Whatever page it is: an error with words, no traceback."""
    whole = made.path.read_bytes()
    path = tmp_path / "mm_state.db"
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(StoreError, match="cannot be read"):
        report_of(path)


outcomes = st.sampled_from(["YES", "NO"])
traded = st.integers(1, 500).map(lambda n: Shares(n * 10_000))
entries = st.one_of(
    st.builds(Buy, outcomes, traded, st.just(Usd(440_000))),
    st.builds(Sell, outcomes, traded, st.just(Usd(470_000))),
    st.builds(Split, st.integers(1, 500).map(lambda n: Shares(n * 7_777)), st.just(Usd(450_000))),
    st.builds(Merge, st.integers(1, 500).map(lambda n: Shares(n * 7_777))),
    st.builds(Found, outcomes, st.integers(-999_999, 999_999).map(Shares), st.just(Usd(333_333))),
    st.builds(Fee, st.integers(0, 99_999).map(Usd)),
    st.builds(Income, st.integers(0, 99_999).map(Usd), st.sampled_from(["reward", "rebate", "other"])),
    st.builds(Settle, st.sampled_from([0, 500_000, MICRO]).map(Usd)),
)  # fmt: skip
drawn = st.lists(
    st.tuples(st.floats(0.0, 3.0 * DAY), st.sampled_from([MARKET, OTHER, ""]), entries), min_size=1, max_size=15
)


@laws(40)
@given(drawn, st.lists(st.tuples(st.integers(0, 3 * DAY), st.integers(1, 999_999)), max_size=6))
def test_the_total_is_that_of_the_fold_for_any_history(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[float, str, Any]], fairs: list[tuple[int, int]]
) -> None:
    """Parts, days, sides and markets add up to it, and it is what the engine's own portfolio makes of the lines."""
    small = Small(tmp_path_factory.mktemp("drawn"))
    small.session(end=3.0 * DAY + 10.0)
    for at, fair in dict(fairs).items():
        small.fair(at, fair)
    lines = []
    for at, market, entry in told:
        if market or isinstance(entry, Fee | Income):
            lines.append(small.book(at, entry, market))
    report = small.report()
    assert report.agrees, report.checks
    portfolio = Portfolio()
    portfolio.restore(lines)
    last = max((at for at, _ in fairs), default=None)
    marks = {} if last is None else {MARKET: dict(fairs)[last]}
    value = sum(
        position.ledger.value(Usd(marks.get(market, 0))) if market in marks or position.payout is not None
        else position.ledger.cost
        for market, position in portfolio.positions.items()
    )  # fmt: skip
    total = portfolio.cash + value - portfolio.flows
    assert report.total.parts.total_micro_usd == (total + MICRO // 2) // MICRO
    assert report.account == WALLET
