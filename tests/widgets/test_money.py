"""Inventory, profit, quote and the one-line form of all three."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.views import CapView, GroupView
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    a_cent_market,
    a_job,
    a_market,
    a_pnl,
    a_split,
    a_view,
    an_account,
    an_earning_account,
    an_inventory,
    flat_inventory,
    shares,
    some_caps,
    usd,
)
from widgets.account import account_rows
from widgets.inventory import AccountLine, Inventory, account_row, inventory_rows
from widgets.pnl import Pnl, pnl_rows
from widgets.quote import Quote, quote_rows
from widgets.status_strip import status_rows


def stated(rows):
    """Label to the rest of its line."""
    lines = [line.text.strip() for line in rows]
    return {line.split("  ")[0]: " ".join(line.split()[1:]) for line in lines if line}


def test_inventory_says_what_is_held_and_at_risk():
    lines = texts(inventory_rows(a_market(), 40, 20))
    assert [*lines[:9], *lines[10:]] == [
        " net        +1,240 YES at 40.96c",
        " YES / NO   1,640 / 400",
        " average    40.96c / 58.10c  even 41.27c",
        " settled    1,580 / 400",
        " sellable   880 / 400",
        " pairs      400  worth $1 each",
        " value      $914.85  at 41.52c",
        " at bids    $912.12",
        " at risk    $512.12 of $1,500",
        " pending    60 not confirmed",
    ]
    assert lines[9].endswith("34%")


@pytest.mark.parametrize(
    ("height", "labels"),
    [
        (8, ["net", "YES / NO", "average", "pairs", "value", "at risk", "cap", "pending"]),
        (6, ["net", "YES / NO", "pairs", "at risk", "cap", "pending"]),
        (4, ["net", "YES / NO", "at risk", "pending"]),
    ],
)
def test_where_it_is_low_the_position_and_its_risk_stay(height, labels):
    assert [line[1:12].strip() for line in texts(inventory_rows(a_market(), 40, height))] == labels


# Caps and operations


def labels_of(rows):
    return [line[1:12].strip() for line in texts(rows)]


def test_the_caps_that_hold_for_the_market_are_bars_the_tightest_first():
    market = a_market(group=GroupView("", None, usd(812.5)))
    lines = texts(inventory_rows(market, 50, 30, a_view(caps=some_caps(), account=an_account())))
    caps = [line for line in lines if line.startswith(" cap ")][1:]
    assert [line[1:12].strip() for line in caps] == ["cap market", "cap event", "cap all", "cap YES", "cap NO"]
    assert caps[0] == " cap market █████████████████░░░  85% of $600"
    assert caps[2].endswith("63% of $3,000")


def test_a_cap_that_is_nearly_used_warns_and_one_overused_ends_its_bar():
    market = a_cent_market()
    rows = inventory_rows(market, 50, 30, a_view(caps=some_caps()))
    bar = next(row for row in rows if "cap market" in row.text)
    assert bar.spans[1].role == "warn" and "░" not in bar.text and "102% of $600" in bar.text


def test_in_eight_lines_the_tightest_cap_and_an_operation_under_way_have_room():
    account = an_account(jobs=(a_job(), a_job(job_id=13, state="mined", age_s=64.0)))
    rows = inventory_rows(a_market(), 44, 8, a_view(caps=some_caps(), account=account))
    assert labels_of(rows) == ["net", "YES / NO", "pairs", "at risk", "cap", "cap market", "pending", "merge"]
    assert texts(rows)[-1] == " merge      400 mined 1m  +400.00 to come"


@pytest.mark.parametrize(("state", "shown"), [("confirmed", 0), ("failed", 0), ("unknown", 1), ("planned", 1)])
def test_operations_that_ended_are_not_told_here(state, shown):
    view = a_view(account=an_account(jobs=(a_job(state=state), a_job(market="0xother", state="mined"))))
    assert labels_of(inventory_rows(a_market(), 44, 30, view)).count("merge") == shown


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=2), st.integers(34, 80))
def test_any_cap_stays_on_its_line(amounts, width):
    caps = (CapView("market", "", "0xfed", *amounts), CapView("account", "", "", *reversed(amounts)))
    for row in inventory_rows(a_market(), width, 30, a_view(caps=caps)):
        assert cell_len(row.text) <= width


def test_a_resolution_says_what_it_pays_and_what_it_leaves_to_claim():
    held = an_inventory(payout=usd(1), mark=usd(1), value=usd(150))
    lines = texts(inventory_rows(a_market(inventory=held), 40, 8))
    assert lines[1:3] == [" resolved   YES pays $1.00", " claim      $150.00  to redeem"]


def test_shares_without_a_price_wait_and_say_so():
    held = an_inventory(waiting=shares(12))
    assert " waiting    12 for a price to enter at" in texts(inventory_rows(a_market(inventory=held), 40, 9))


def test_more_sold_than_held_is_told():
    held = an_inventory(yes=shares(-5))
    line = inventory_rows(a_market(inventory=held), 44, 8)[1]
    assert line.text.rstrip() == " YES / NO   −5 / 400 sold more than held" and line.spans[1].role == "warn"


def test_the_group_tells_its_worst_and_best_outcome():
    market = a_market(group=GroupView("", None, usd(812), usd(-512.12), usd(727.88)))
    assert " event      worst −512.12, best +727.88" in texts(inventory_rows(market, 40, 20))


def test_a_flat_position_has_no_average():
    lines = texts(inventory_rows(a_market(inventory=flat_inventory()), 40, 8))
    assert lines[0] == " net        0 flat"
    assert lines[7] == " pending    0  all fills confirmed"


def test_a_trade_that_does_not_settle_shows_its_age():
    """Most trades are final within a minute; one that is not is the first sign of one that will fail."""
    held = an_inventory(unsettled_s=59.0)
    assert texts(inventory_rows(a_market(inventory=held), 40, 8))[7] == " pending    60 not confirmed"
    held = an_inventory(unsettled_s=190.0)
    assert texts(inventory_rows(a_market(inventory=held), 40, 8))[7] == " pending    60 oldest 3m, not confirmed"


def test_shares_that_are_not_ours_stand_apart():
    held = an_inventory(foreign_yes=shares(500), foreign_no=shares(2.5))
    lines = texts(inventory_rows(a_market(inventory=held), 40, 8))
    assert lines[1] == " YES / NO   1,640 / 400" and lines[7] == " not ours   500 YES, 2.5 NO apart"
    assert not any("not ours" in line for line in texts(inventory_rows(a_market(), 40, 8)))


def test_a_short_position_names_the_no_token():
    assert texts(inventory_rows(a_cent_market(), 40, 8))[0] == " net        −80 NO at 37.00c"


@pytest.mark.parametrize(("exposure", "role"), [(100, "own"), (750, "warn"), (2000, "warn")])
def test_the_bar_warns_from_the_soft_cap_on(exposure, role):
    market = a_market(inventory=an_inventory(exposure=usd(exposure)))
    bar = inventory_rows(market, 40, 8)[6]
    assert next(span.role for span in bar.spans if "█" in span.text) == role


def test_the_bar_never_grows_beyond_its_end():
    market = a_market(inventory=an_inventory(exposure=usd(9e9)))
    assert len(inventory_rows(market, 40, 8)[6].text) == 40
    assert "no cap known" in inventory_rows(a_market(inventory=an_inventory(hard_cap=usd(0))), 40, 8)[6].text


def whole_pnl(**changes):
    """Texts of every line of the table; the market's details are known."""
    base = {"day": usd(1.9), "detailed": True, "split": a_split()}
    view = a_view(
        pnl=a_pnl(fees=usd(0.3), income=usd(2.4), total=usd(20.52)), split=a_split(spread=usd(12.3)),
        account=an_account(
            day_profit=usd(6.21), day_realised=usd(7), day_unrealised=usd(-0.79), day_fair=usd(9.5)
        ),
    )  # fmt: skip
    return texts(pnl_rows(view, a_market(**base | changes), 38, 24))


def test_profit_of_the_market_stands_beside_all():
    assert [line.split() for line in whole_pnl()] == [
        ["this", "market", "all"],
        ["realised", "+2.20", "+12.10"],
        ["unrealised", "+0.90", "+6.32"],
        ["fees", "0.00", "−0.30"],
        ["income", "0.00", "+2.40"],
        ["total", "+3.10", "+20.52"],
        ["today", "+1.90", "+9.50"],
        ["realised", "–", "+7.00"],
        ["unrealised", "–", "+2.50"],
        ["at", "bids", "–", "+6.21"],
        ["spread", "+9.20", "+12.30"],
        ["drift", "5m", "−4.40", "−4.40"],
        ["carry", "+1.30", "+1.30"],
        ["rebates", "~$0.31", "~$0.31"],
        ["rewards", "~$1.80", "~$1.80"],
        ["fills", "12", "42"],
        ["bought", "3,120", "3,120"],
        ["sold", "1,880", "1,880"],
        ["drawdown", "–", "−3.10"],
        ["equity", "$50,020.52"],
    ]


def test_the_day_of_the_strip_the_pane_and_the_page_is_one_figure():
    """One label, one mark: fair values; and all markets of the table add up to it."""
    markets = tuple(a_market(market=f"0x{n}", day=usd(day)) for n, day in enumerate((4.1, -1.2, 2.3)))
    account = an_account(day_profit=usd(2.6), day_realised=usd(1), day_unrealised=usd(1.6), day_fair=usd(5.2))
    view = a_view(markets=markets, account=account)
    assert sum(market.day for market in markets) == account.day_fair
    strip, pane, page = status_rows(view, 120), pnl_rows(view, markets[0], 38, 24), account_rows(view, markets[0], 120)
    assert "day +5.20 │ real +1.00  unreal +4.20" in strip[1].text
    told = {tuple(line.split()[:-2]): line.split()[-1] for line in texts(pane)}
    assert told["today",] == "+5.20" and told["at", "bids"] == "+2.60"
    told = "\n".join(texts(page))
    assert re.search(r" today +\+5\.20", told) and re.search(r" today, bids +\+2\.60", told)
    assert re.search(r"  unrealised +\+4\.20", told)


def test_the_day_at_bids_stands_under_no_other_label():
    account = an_account(day_profit=usd(2.6), day_realised=usd(1), day_unrealised=usd(1.6))
    told = [line.split() for line in texts(pnl_rows(a_view(account=account), None, 38, 24))]
    assert ["today", "–", "–"] in told and ["unrealised", "–", "–"] in told and ["at", "bids", "–", "+2.60"] in told


@pytest.mark.parametrize("width", range(24, 60))
def test_the_break_even_is_never_cut(width):
    """Half a price is a wrong price: it goes to a line of its own."""
    told = texts(inventory_rows(a_market(), width, 20))
    assert any(line.rstrip().endswith("even 41.27c") or line.split() == ["break-even", "41.27c"] for line in told)


def test_the_figures_of_a_column_end_at_one_place():
    assert len({len(line) for line in whole_pnl()}) == 1


def test_what_is_not_known_of_the_day_and_the_session_is_a_dash():
    lines = whole_pnl(day=None, split=None)
    assert [lines[place].split()[-2] for place in (6, 10, 14)] == ["–", "–", "–"]


@pytest.mark.parametrize(
    ("height", "labels"),
    [
        (10, ["realised", "unrealised", "fees", "total", "today", "spread", "drift 5m", "rewards", "equity"]),
        (8, ["realised", "unrealised", "fees", "total", "today", "spread", "equity"]),
        (6, ["realised", "unrealised", "total", "today", "equity"]),
    ],
)
def test_where_it_is_low_the_sum_the_day_and_the_equity_stay(height, labels):
    shown = texts(pnl_rows(a_view(), a_market(), 38, height))
    assert [line[:12].strip() for line in shown[1:]] == labels and len(shown) == height


def test_profit_without_a_market_shows_dashes():
    assert texts(pnl_rows(a_view(), None, 38, 9))[1].split() == ["realised", "–", "+12.10"]
    assert "no figures yet" in "\n".join(texts(pnl_rows(None, None, 38, 9)))


def test_a_large_equity_loses_its_cents_not_its_digits():
    assert texts(pnl_rows(a_view(account=an_account(flows=usd(1_234_549.47))), None, 38, 10))[-1].split() == [
        "equity",
        "$1,234,568",
    ]


def test_a_turnover_too_long_is_shortened():
    pnl = a_pnl(bought=shares(123_456_789.25))
    assert "123M" in next(line for line in texts(pnl_rows(a_view(pnl=pnl), None, 30, 20)) if "bought" in line)


def test_the_quote_is_explained_by_its_terms():
    lines = stated(quote_rows(a_market(widen_ticks=2), 38, 9))
    assert lines["fair"] == "41.52"
    assert lines["inventory"] == "−0.07 shift"
    assert lines["reservation"] == "41.45"
    assert lines["half-spread"] == "±0.13 1.3 ticks"
    assert lines["by operator"] == "operator +2 ticks a side"
    assert lines["touch"] == "0.3 3 ticks wide"


def test_missing_terms_say_what_is_missing():
    market = a_market(fair=None, reservation=None, half_spread=None, sigma_h=None, asks=())
    lines = stated(quote_rows(market, 38, 9))
    assert lines["fair"] == "– no fair value"
    assert lines["volatility"] == "– warming up"
    assert lines["touch"] == "– one side is empty"


def test_a_blocked_market_says_why_first():
    market = a_market(quoting=False, blocked_by="the fair value is outside 1 to 99 cents", orders=())
    lines = texts(quote_rows(market, 38, 10))
    assert lines[0] == " ▲ the fair value is outside 1 to 99"
    assert lines[1] == " cents"
    assert len(lines) == 9


@pytest.mark.parametrize("make", [inventory_rows, quote_rows])
def test_without_a_market_they_say_so(make):
    assert "no market selected" in "\n".join(texts(make(None, 38, 9)))


def test_one_line_holds_position_risk_and_profit():
    line = account_row(a_view(), a_market(), 80).text
    assert line.startswith(" Fed cuts")
    assert "net +1,240 YES  avg 40.96c  risk $512/$1,500  pnl +3.10" in line
    assert "fair" in account_row(a_view(), a_market(), 120).text


@pytest.mark.parametrize("width", range(40, 130, 9))
def test_one_line_stays_on_its_line(width):
    market = a_market(title="日本 " * 50, inventory=an_inventory(net=shares(-1e9), exposure=usd(1e9)))
    assert cell_len(account_row(a_view(), market, width).text) <= width


def test_one_line_without_a_market():
    assert account_row(None, None, 80).text == " no market that is made is selected"


def test_losses_are_signed_and_coloured():
    pnl = msgspec.structs.replace(a_pnl(), total=usd(-5))
    spans = next(row.spans for row in pnl_rows(a_view(pnl=pnl), None, 38, 20) if "total" in row.text)
    assert spans[-1].text.strip() == "−5.00"
    assert spans[-1].role == "ask"


def a_full_view():
    """Caps, an operation under way, a day and a session's causes."""
    view = an_earning_account(caps=some_caps())
    first = msgspec.structs.replace(view.markets[0], day=usd(1.9))
    return msgspec.structs.replace(view, markets=(first, *view.markets[1:]))


@pictures
@pytest.mark.parametrize("theme", ["polymm-dark", "polymm-mono"])
@pytest.mark.parametrize("kind", [Inventory, Pnl, Quote])
def test_picture(snap_compare, kind, theme):
    widget, view = kind(), a_full_view()
    market = view.markets[0]
    shown = {Inventory: (market, view), Pnl: (view, market), Quote: (market,)}[kind]
    assert snap_compare(WidgetApp(widget, lambda: widget.show(*shown), theme=theme), terminal_size=(48, 20))


@pictures
def test_picture_of_one_line(snap_compare):
    line = AccountLine()
    assert snap_compare(WidgetApp(line, lambda: line.show(a_view(), a_market())), terminal_size=(80, 1))
