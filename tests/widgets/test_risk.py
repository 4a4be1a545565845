"""The pane of risk: what stops orders, why, for how long, and how near the next stop is."""

import msgspec
import pytest
from rich.cells import cell_len

from core.views import CapView, DenialView, KillReportView, ProtectionView
from polymm_tui.themes import THEME_NAMES
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    NOON,
    a_control,
    a_flattening,
    a_guarded_kill,
    a_kill,
    a_killed_view,
    a_market,
    a_proven_kill,
    a_risky_view,
    a_view,
    usd,
)
from widgets.risk import Risk, risk_rows


def said(view, width=118, market=None):
    return texts(risk_rows(view, market or view.markets[0], width))


def roles_of(view, text, width=118):
    """Roles of the pieces that contain a text."""
    return {span.role for line in risk_rows(view, view.markets[0], width) for span in line.spans if text in span.text}


def test_without_anything_to_say_it_says_so_in_every_section():
    assert said(a_view()) == [
        " kill       armed",
        " watchdog   none in this mode: nothing rests at a venue",
        " clock      the venue's was not asked yet",
        " journal    written",
        "",
        " STATES  everything is active",
        "",
        " CAPS  nothing is known of them yet",
        "",
        " PROTECTIONS  nothing is known of them yet",
        "",
        " DENIALS  the gate let every order through",
    ]
    assert "no figures yet" in "\n".join(texts(risk_rows(None, None, 80)))


# What stops everything


def test_a_kill_says_who_when_why_and_that_zero_is_not_proven():
    lines = said(a_killed_view())
    assert lines[:3] == [
        " KILLED     by operator 13:04:14 UTC: console key",
        " orders     ZERO NOT PROVEN: sent 2, confirmed 21, left 3, unknown 1",
        "            by watchdog after 8.0s; reading the open orders",
    ]
    assert roles_of(a_killed_view(), "ZERO NOT PROVEN") == {"alarm"}


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (None, "ZERO NOT PROVEN: no report yet"),
        (KillReportView(sent=1), "ZERO NOT PROVEN: sent 1, confirmed 0, left –, unknown 0"),
        (KillReportView(sent=1, confirmed=9, left=0), "ZERO NOT PROVEN: sent 1, confirmed 9, left 0, unknown 0"),
        (KillReportView(2, 9, 0, 0, True), "ZERO PROVEN: sent 2, confirmed 9, left 0, unknown 0"),
    ],
)
def test_what_was_sent_is_never_called_done(report, words):
    """One empty list is not yet a proof: an order on its way may land after it."""
    assert f" orders     {words}" in said(a_killed_view(kill=a_kill(report=report)))


def test_a_proven_kill_still_says_what_lets_trading_go_on():
    view = a_killed_view(kill=a_proven_kill())
    assert roles_of(view, "ZERO PROVEN") == {"good"}
    assert "            nothing is placed before a re-arm (palette)" in said(view)


@pytest.mark.parametrize(
    ("changes", "words", "role"),
    [
        ({}, "stands guard, sign of life 0s ago", "good"),
        (
            {"watchdog_up": False, "watchdog_age_s": 4.0, "watchdog_detail": "it was killed by signal 9"},
            "DOWN, nothing is quoted; sign of life 4s ago; it was killed by signal 9",
            "warn",
        ),
        ({"watchdog_up": False, "watchdog_age_s": None}, "DOWN, nothing is quoted; no sign of life yet", "warn"),
        ({"guarded": False}, "none in this mode: nothing rests at a venue", "muted"),
    ],
)
def test_the_watchdog_stands_guard_or_is_missed(changes, words, role):
    view = a_view(kill=a_guarded_kill(**changes))
    assert f" watchdog   {words}" in said(view)
    assert roles_of(view, words) == {role}


@pytest.mark.parametrize(
    ("skew_s", "words", "role"),
    [
        (0.034, "0.03s ahead of the venue's", ""),
        (-1.2, "1.20s behind the venue's", "warn"),
        (3.4, "3.40s ahead of the venue's", "warn"),
    ],
)
def test_the_clock_is_told_against_the_venues(skew_s, words, role):
    view = a_view(clock_skew_s=skew_s)
    assert f" clock      {words}" in said(view)
    assert roles_of(view, words) == {role}


def test_a_journal_that_stands_still_is_told():
    assert " journal    waiting 0.6s for the disk" in said(a_view(journal_stalled_s=0.6))
    assert roles_of(a_view(journal_stalled_s=2.5), "waiting 2.5s") == {"warn"}


# States


def test_every_state_tells_scope_time_reason_author_and_what_ends_it():
    lines = said(a_risky_view())
    place = next(number for number, line in enumerate(lines) if "STATE" in line)
    assert [line[:55].rstrip() for line in lines[place : place + 5]] == [
        "   STATE       OF                         SINCE  LEFT",
        "   REDUCE ONLY all markets                   1m   12m",
        "   PAUSED      BTC above $120k on Dec 3…    59m     –",
        "   PAUSED      Fed cuts rates in De… ask    20s   40s",
        "   PAUSED      Rain in NYC on Tuesd… bid    14m     –",
    ]
    assert [line[55:] for line in lines[place : place + 5]] == [
        "WHY",
        "news at noon, by operator; resume all ends it",
        "by operator; resume ends it",
        "fill streak, by 6 fills in 30 s on the ask; resume ends it",
        "repeat throttle, by 10 fills of NO in 60 s; resume ends it",
    ]


@pytest.mark.parametrize(
    ("source", "way"),
    [
        ("kill", "re-arm (palette) ends it, once zero is proven"),
        ("loss", "re-arm (palette) ends it, after 00:00 UTC"),
        ("drawdown", "re-arm (palette) ends it"),
        ("venue", "resume all ends it"),
    ],
)
def test_a_state_that_no_resume_lifts_says_what_does(source, way):
    view = a_view(controls=(a_control(source=source, reason="because", author=""),))
    assert any(line.endswith(f"because; {way}") for line in said(view))


def test_a_state_of_the_market_list_says_in_its_reason_what_ends_it():
    """The session's words name the way out; a resume, which does not lift it, is not offered."""
    control = a_control(source="selection", market="0xrain", reason="it is off the list: put it back", author="list")
    assert any(line.endswith("it is off the list: put it back, by list") for line in said(a_view(controls=(control,))))


def test_a_market_that_is_not_made_any_more_keeps_its_state_by_its_id():
    assert any("0xgone" in line for line in said(a_view(controls=(a_control(market="0xgone"),))))


def test_a_flattening_tells_what_is_left_what_it_cost_and_what_it_may():
    lines = [line[12:] for line in said(a_risky_view()) if line.startswith((" flattening", " " * 12))]
    assert lines == [
        "Fed cuts rates in December?: passive, 620 of 2,040 left, cost $0.84 of at most $18.30, next step in 42s",
        "selling 620 YES at 41.6c, the touch",
    ]
    untimed = a_market(flatten=a_flattening(left_s=None))
    assert "next step" not in "\n".join(said(a_view(markets=(untimed,))))


# Caps


def caps_of(view, width=118):
    lines = said(view, width)
    start = next(number for number, line in enumerate(lines) if line.startswith(" CAPS"))
    return lines[start + 1 : lines.index("", start)]


def test_caps_show_what_is_used_of_what():
    lines = caps_of(a_risky_view())
    assert lines[0].split()[:2] == ["account", "63%"] and lines[0].endswith("$1,904.12 of  $3,000.00")
    assert lines[3].split("█")[0].split()[-1] == "102%" and "░" not in lines[3]
    assert roles_of(a_risky_view(), "102%") == {"warn"} and roles_of(a_risky_view(), "85%") == {""}
    nearly = a_view(caps=(CapView("account", "", "", usd(95), usd(100)),))
    assert roles_of(nearly, "95%") == {"warn"}


def test_caps_that_are_far_away_are_counted_but_the_selected_markets_always_show():
    lines = caps_of(a_risky_view())
    assert [line[:1] for line in lines] == [" ", " ", "›", " ", "›", "›", " ", " "]
    assert lines[-1] == "   and 2 more, none of them used by half"
    whole = texts(risk_rows(a_risky_view(), a_risky_view().markets[3], 118))
    assert any("market  BTC above" in line and "2%" in line for line in whole)


@pytest.mark.parametrize(
    ("used", "cap", "said_of_it"), [(0, 0, "0%"), (5, 0, ">9x"), (-3, 10, "-30%"), (100, 10, ">9x")]
)
def test_a_cap_of_nothing_is_either_unused_or_passed(used, cap, said_of_it):
    view = a_view(caps=(CapView("account", "", "", usd(used), usd(cap)),))
    assert said_of_it in caps_of(view)[0].split()


# Protections and denials


def test_a_protection_tells_threshold_measure_trips_and_until_when_it_holds():
    lines = said(a_risky_view())
    assert "jump on 3.0 sigma and 2 ticks 0.8 sigma, Fed cuts rates 0" in [" ".join(line.split()) for line in lines]
    assert any(line.startswith(" ▲ streak") and line.endswith("1    40s left") for line in lines)
    assert any(line.startswith(" ▲ repeat") and line.endswith("1     resumed") for line in lines)
    assert any(line.startswith("   drawdown   off ") for line in lines)


def test_on_a_narrow_terminal_the_measure_stands_below():
    lines = said(a_risky_view(), 78)
    place = next(number for number, line in enumerate(lines) if " streak " in line)
    assert "6 fills in a row in 30 s on a side" in lines[place]
    assert lines[place + 1].strip() == "now 2, ask of Rain in NYC"


def test_denials_are_counted_by_code_with_the_last_text():
    assert [line[3:] for line in said(a_risky_view())[-2:]] == [
        "market cap          14    3s  worst case $618.40 would be over the cap of $600.00 [Rain in NYC on Tuesday]",
        "collar               1   15m  bid 46.3c is 5 ticks beyond the middle of 41.45c [Fed cuts rates in December?]",
    ]
    view = a_view(denials=(DenialView("cash", 1, "", "9 " * 300, 0.0),))
    assert len(said(view, 78)) == len(said(a_view(), 78)) + 3, "a text of any length takes three lines"


async def test_it_scrolls_and_the_title_says_killed():
    pane = Risk()
    view = a_killed_view()
    async with WidgetApp(pane, lambda: pane.show(view, view.markets[0])).run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        assert pane.border_title == "Risk, KILLED"
        assert str(pane.border_subtitle).startswith("1–10 of ")
        pane.scroll_lines(999)
        assert "41.45c" in "".join(line.text for line in pane.rows)


@pytest.mark.parametrize("width", range(66, 200, 13))
def test_every_line_stays_on_its_line(width):
    long = "日本 " * 80
    view = a_killed_view(
        controls=(a_control(reason=long, author=long, market=long, since_unix=NOON - 9e9),),
        caps=(CapView("group", long, "", usd(10**12), usd(1)), CapView("token", long, "0xfed", usd(0), usd(10**12))),
        protections=(ProtectionView(long, True, long, long, 10**9, True, 10.0**9),),
        denials=(DenialView(long, 10**12, long, long, 10.0**9),),
        kill=a_kill(by=long, reason=long, report=msgspec.structs.replace(a_kill().report, detail=long, by=long)),
        clock_skew_s=-(10.0**9),
        journal_stalled_s=10.0**9,
    )
    for line in risk_rows(view, view.markets[0], width):
        assert cell_len(line.text) <= width, line.text


@pictures
@pytest.mark.parametrize("view", [a_risky_view(), a_killed_view()], ids=["caps", "killed"])
@pytest.mark.parametrize("theme", THEME_NAMES)
def test_picture(snap_compare, view, theme):
    pane = Risk()
    app = WidgetApp(pane, lambda: pane.show(view, view.markets[0]), theme)
    assert snap_compare(app, terminal_size=(118, 44))
