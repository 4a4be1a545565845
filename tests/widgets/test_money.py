"""Inventory, profit, quote and the one-line form of all three."""

import msgspec
import pytest
from rich.cells import cell_len

from core.views import GroupView
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    a_cent_market,
    a_market,
    a_pnl,
    a_view,
    an_inventory,
    flat_inventory,
    shares,
    usd,
)
from widgets.inventory import AccountLine, Inventory, account_row, inventory_rows
from widgets.pnl import Pnl, pnl_rows
from widgets.quote import Quote, quote_rows


def stated(rows):
    """Label to the rest of its line."""
    lines = [line.text.strip() for line in rows]
    return {line.split("  ")[0]: " ".join(line.split()[1:]) for line in lines if line}


def test_inventory_says_what_is_held_and_at_risk():
    lines = texts(inventory_rows(a_market(), 40, 20))
    assert [*lines[:9], *lines[10:]] == [
        " net        +1,240 YES at 40.96c",
        " YES / NO   1,640 / 400",
        " average    40.96c / 58.10c",
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


def test_profit_of_the_market_stands_beside_all():
    pnl = a_pnl(fees=usd(0.3), income=usd(2.4), total=usd(20.52))
    lines = texts(pnl_rows(a_view(pnl=pnl), a_market(), 38, 10))
    assert [line.split() for line in lines] == [
        ["this", "market", "all"],
        ["realised", "+2.20", "+12.10"],
        ["unrealised", "+0.90", "+6.32"],
        ["fees", "0.00", "−0.30"],
        ["income", "0.00", "+2.40"],
        ["total", "+3.10", "+20.52"],
        ["fills", "12", "42"],
        ["bought", "3,120", "3,120"],
        ["sold", "1,880", "1,880"],
        ["equity", "$50,018.42"],
    ]


def test_where_it_is_low_the_turnover_goes_and_the_sum_stays():
    labels = [line.split()[0] for line in texts(pnl_rows(a_view(), a_market(), 38, 8))]
    assert labels == ["this", "realised", "unrealised", "fees", "income", "total", "fills", "equity"]


def test_profit_without_a_market_shows_dashes():
    assert texts(pnl_rows(a_view(), None, 38, 9))[1].split() == ["realised", "–", "+12.10"]
    assert "no figures yet" in "\n".join(texts(pnl_rows(None, None, 38, 9)))


def test_a_large_equity_loses_its_cents_not_its_digits():
    assert texts(pnl_rows(a_view(equity=usd(1_234_567.89)), None, 38, 10))[9].split() == ["equity", "$1,234,568"]


def test_a_turnover_too_long_is_shortened():
    pnl = a_pnl(bought=shares(123_456_789.25))
    assert "123M" in texts(pnl_rows(a_view(pnl=pnl), None, 30, 10))[7]


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
    spans = pnl_rows(a_view(pnl=pnl), None, 38, 10)[5].spans
    assert spans[-1].text.strip() == "−5.00"
    assert spans[-1].role == "ask"


@pictures
@pytest.mark.parametrize(
    ("name", "widget", "show"),
    [
        ("inventory", Inventory(), lambda widget: widget.show(a_market())),
        ("pnl", Pnl(), lambda widget: widget.show(a_view(), a_market())),
        ("quote", Quote(), lambda widget: widget.show(a_market(widen_ticks=1))),
    ],
    ids=["inventory", "pnl", "quote"],
)
def test_picture(snap_compare, name, widget, show):
    assert snap_compare(WidgetApp(widget, lambda: show(widget)), terminal_size=(42, 10))


@pictures
def test_picture_of_one_line(snap_compare):
    line = AccountLine()
    assert snap_compare(WidgetApp(line, lambda: line.show(a_view(), a_market())), terminal_size=(80, 1))
