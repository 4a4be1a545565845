"""The pane of findings: what the venue lets us do, what is not ours, what does not fit."""

import msgspec
import pytest
from rich.cells import cell_len

from core.views import HeartbeatView
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    NOON,
    a_budget,
    a_control,
    a_finding,
    a_foreign_order,
    a_market,
    a_troubled_account,
    a_venue,
    a_view,
    an_inventory,
    shares,
)
from widgets.findings import Findings, finding_rows


def said(view, width=76):
    return texts(finding_rows(view, width))


def about(view, label, width=76):
    """The line of a label, and its role."""
    line = next(each for each in finding_rows(view, width) if each.text[1:12].rstrip() == label)
    return line.text[12:], line.spans[-1].role


def test_without_trouble_it_says_so_in_five_lines():
    assert said(a_view()) == [
        " venue      NORMAL",
        " heartbeat  acknowledged 2s ago",
        " rates      Standard tier: orders 48/60, cancels 112/120 left",
        " not ours   nothing that is known of",
        "",
        " no findings so far",
    ]
    assert "no figures yet" in "\n".join(said(None))


def test_what_holds_all_markets_says_why_and_what_ends_it():
    """After a refusal of the account the venue is normal again, and nothing else says why nothing is quoted."""
    refused = a_control(state="CANCEL_ONLY", source="venue", reason="the venue refuses: status 401", author="")
    lines = said(a_view(control="CANCEL_ONLY", controls=(refused,)), 100)
    assert lines[0] == " control    cancel only: the venue refuses: status 401; resume all ends it"
    lost = a_control(source="loss", reason="1.2 % lost today", author="")
    lines = said(a_view(control="REDUCE_ONLY", controls=(lost, a_control(state="PAUSED", market="0xfed"))), 100)
    assert lines[0] == " control    reduce only: 1.2 % lost today; re-arm (palette) ends it, after 00:00 UTC"


@pytest.mark.parametrize(
    ("changes", "label", "text", "role"),
    [
        ({"mode": "RESTARTING", "since_s": 12.0, "detail": "HTTP 425"}, "venue", "RESTARTING 12s: HTTP 425", "warn"),
        ({"mode": "POST_ONLY", "since_s": 70.0}, "venue", "POST ONLY 1m", "warn"),
        ({"mode": "DISABLED", "since_s": 3.0, "detail": "halted"}, "venue", "DISABLED 3s: halted", "warn"),
        ({"detail": "one order tries its end"}, "venue", "NORMAL: one order tries its end", ""),
        ({"heartbeat": HeartbeatView(None, "")}, "heartbeat", "none acknowledged yet", "muted"),
        ({"heartbeat": HeartbeatView(7.0, "")}, "heartbeat", "acknowledged 7s ago", "warn"),
        (
            {"heartbeat": HeartbeatView(11.0, "withheld: journal still for 4 s")},
            "heartbeat",
            "acknowledged 11s ago; withheld: journal still for 4 s",
            "warn",
        ),
        ({"heartbeat": None}, "heartbeat", "none in this mode", "muted"),
        (
            {"budget": a_budget(cancels=20, warnings=3, refusals=1)},
            "rates",
            "Standard tier: orders 48/60, cancels 20/120 left, 3 warnings, 1 refusal",
            "warn",
        ),
        (
            {"budget": a_budget(orders=-3, warnings=1)},
            "rates",
            "Standard tier: orders −3/60, cancels 112/120 left, 1 warning",
            "warn",
        ),
        ({"short": "the cancel budget of 30 is below the reserve"}, "", "the cancel budget of 30 is below the reserve",
         "warn"),
    ],
)  # fmt: skip
def test_what_the_venue_allows_is_told_in_words(changes, label, text, role):
    assert about(a_view(venue=a_venue(**changes)), label, 90) == (text, role)


def test_a_start_that_waits_says_what_for():
    waiting = "recovering: 3 earlier orders are not settled yet"
    assert about(a_view(recovering=waiting), "start") == (waiting, "warn")


def test_a_closed_market_says_why_even_where_something_stricter_blocks_it():
    lines = said(a_troubled_account())
    place = next(number for number, line in enumerate(lines) if line.startswith(" closed"))
    assert lines[place : place + 2] == [
        " closed     Rain in NYC on Tuesday: quarantined: 3 trades failed within an",
        "            hour; resume the market to quote it again",
    ]


def test_what_is_not_ours_stands_apart_with_all_that_is_known_of_it():
    lines = said(a_troubled_account())
    place = next(number for number, line in enumerate(lines) if line.startswith(" not ours"))
    assert lines[place : place + 4] == [
        " not ours   1 open order, 1 trade, shares in 1 market: left alone, but",
        "            cancel all and KILL cancel orders",
        "            BUY 10 YES at 0.01, Rain in NYC on Tuesday, 0xf0e1d2c3b4a59687",
        "            holds 500 YES, Fed cuts rates in December?",
    ]


def test_an_order_of_others_in_a_market_that_is_not_made_names_it():
    order = a_foreign_order(market="0xabcdef0123456789abcdef", outcome="", side="", matched=shares(4))
    view = a_view(foreign_orders=(order, order))
    assert "2 open orders: left alone, but cancel all and KILL cancel orders" in about(view, "not ours", 90)[0]
    assert "side not told 6 at 0.01, a market that is not made, 0xab" in "\n".join(said(view, 90))


def test_many_orders_of_others_leave_room_for_the_findings():
    """A second maker on the account has dozens of orders; what is wrong must stay in sight."""
    lines = said(a_view(foreign_orders=(a_foreign_order(),) * 10, findings=(a_finding(),)), 90)
    assert sum("BUY 10 YES" in line for line in lines) == 8
    assert "            and 2 orders more" in lines


def test_shares_of_others_in_both_tokens_are_told_together():
    market = a_market(inventory=an_inventory(foreign_yes=shares(3), foreign_no=shares(4.5)))
    assert "holds 3 YES, 4.5 NO" in "\n".join(said(a_view(markets=(market,))))


def test_findings_stand_newest_first_with_age_code_market_numbers_and_subject():
    lines = said(a_troubled_account(), 100)
    assert lines[-7:] == [
        " 12s ▲ foreign order  Rain in NYC on Tuesday",
        "       an open order on this account is not ours: BUY 10 shares at 0.01 [0xf0e1d2c3b4a59687]",
        "  3m ! failed trade, the market rests  Fed cuts rates in December?",
        "       a trade failed: bid 41.3c 55 sh is taken back [trade-0x77ab12cd34]",
        "  1h   positions index  Fed cuts rates in December?",
        "       the positions index says otherwise; it lags and is not believed: ours 1640, the venue's 1585",
        "       [777777777777777777]",
    ]


def test_findings_that_are_alike_share_their_lines():
    """One outage leaves a finding an order: thirty times the same text would hide the one that differs."""
    alike = [a_finding(code="cancel_unsettled", subject=f"0x{number}", unix=NOON + number) for number in range(5)]
    lines = said(a_view(findings=(*alike[:3], a_finding(code="untold_fill", venue="55"), *alike[3:])), 100)
    assert [line.split(" ! ")[1].split("  ")[0] for line in lines if " ! " in line] == [
        "cancel unsettled, x5, the market rests",
        "untold fill, the market rests",
    ]
    assert "[0x4, 0x3, 0x2, and 2 more]" in "\n".join(lines)
    assert "is taken back: the venue says 55 [" in "\n".join(lines)


def test_a_page_that_the_venue_answers_with_is_cut():
    """Words of the venue are kept with an order; an edge network sends HTML of any length."""
    lines = said(a_view(findings=(a_finding(venue="<html>" + "x" * 5_000),)))
    assert len(lines) < 10 and "…" in "".join(lines[-2:]) and lines[-1].endswith("[trade-0x77ab12cd34]")


async def test_it_scrolls_and_counts():
    pane = Findings()
    view = a_view(findings=tuple(a_finding(subject=f"0x{n}", text=f"text {n}") for n in range(20)))
    async with WidgetApp(pane, lambda: pane.show(view)).run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        assert pane.border_title == "Findings 20, 20 alarms"
        assert pane.border_subtitle == "1–10 of 45 lines, pgdn"
        pane.scroll_lines(99)
        assert "text 0 [0x0]" in pane.rows[-1].text


@pytest.mark.parametrize("width", range(66, 200, 13))
def test_every_line_stays_on_its_line(width):
    view = a_troubled_account()
    long = msgspec.structs.replace(view.findings[0], text="日本 " * 80, ours="9" * 90)
    for line in finding_rows(msgspec.structs.replace(view, findings=(long, *view.findings)), width):
        assert cell_len(line.text) <= width


@pictures
@pytest.mark.parametrize("view", [a_view(), a_troubled_account()], ids=["calm", "trouble"])
def test_picture(snap_compare, view):
    pane = Findings()
    assert snap_compare(WidgetApp(pane, lambda: pane.show(view)), terminal_size=(100, 22))
