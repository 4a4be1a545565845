import msgspec
import pytest
from rich.cells import cell_len

from core.views import FeedView, HeartbeatView
from polymm_tui.themes import THEME_NAMES
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    a_control,
    a_data,
    a_finding,
    a_guarded_kill,
    a_job,
    a_kill,
    a_killed_view,
    a_listed_view,
    a_market,
    a_proven_kill,
    a_risky_view,
    a_troubled_account,
    a_venue,
    a_view,
    an_account,
    an_empty_book,
    some_findings,
    some_jobs,
    usd,
)
from widgets.status_strip import StatusStrip, status_rows


def lines(view, width=120, **health):
    return texts(status_rows(view, width, **health))


def test_before_the_first_view_it_says_starting():
    assert lines(None) == [" starting …", " waiting for the session"]


def test_it_names_mode_control_feeds_and_orders():
    top, bottom = lines(a_view())
    for statement in ("DEMO", "ACTIVE", "quoting 2/5", "feed 2/2 0s", "user 0s", "▲ books 3/5", "orders 8"):
        assert statement in top
    assert "rejects 2, last 3m ago" in top
    for statement in ("pnl +18.42", "at risk $541.72", "equity $50,018.42", "13:04:22 UTC"):
        assert statement in bottom


@pytest.mark.parametrize("width", range(40, 200, 7))
def test_it_never_breaks_a_statement_nor_leaves_the_line(width):
    for line in status_rows(a_view(), width):
        assert len(line.text) <= width
    assert "DEMO" in lines(a_view(), width)[0]
    assert lines(a_view(), width)[1].endswith("UTC")


def test_the_money_line_keeps_the_total_when_all_else_is_gone():
    assert lines(a_view(), 30)[1].split() == ["pnl", "+18.42", "13:04:22", "UTC"]


def test_a_lost_feed_is_said_in_words():
    view = a_view(feeds=(FeedView("market", False, 0, 2, 3.0, 2, "reset"), FeedView("user", True, 1, 1, None, 0, "")))
    assert "feed DOWN  reset" in lines(view)[0]
    assert "user –" in lines(view)[0]


def test_reconnects_are_counted_where_there_is_room():
    assert "user 0s  (1 reconnect)" in lines(a_view(), 160)[0]
    assert "reconnect" not in lines(a_view(), 80)[0]


def test_unknown_orders_and_slow_loop_are_marked():
    rows = status_rows(a_view(unknown_orders=3, loop_lag_ms=80.0), 160)
    assert {"3": "warn", "80ms": "warn"}.items() <= {span.text: span.role for row in rows for span in row.spans}.items()


def test_no_engine_inverts_the_strip_and_keeps_the_clock():
    top, bottom = status_rows(a_view(), 120, silent_s=5.2)
    assert top.ground == bottom.ground == "alarm"
    assert top.text.startswith(" NO ENGINE for 5s")
    assert "13:04:22 UTC" in bottom.text


def test_before_there_are_markets_it_is_starting_and_may_take_its_time():
    """Importing the order client holds the engine up for seconds; ACTIVE or an alarm would both be wrong."""
    top, _ = status_rows(a_view(markets=()), 120, silent_s=6.0)
    assert "STARTING" in top.text
    assert top.ground == "bar"
    assert status_rows(a_view(markets=()), 120, silent_s=16.0)[0].ground == "alarm"


def test_a_pause_of_two_seconds_is_no_alarm():
    assert status_rows(a_view(), 120, silent_s=1.9)[0].ground == "bar"


def test_killed_inverts_the_strip():
    top, _ = status_rows(a_view(control="KILLED"), 120)
    assert top.ground == "alarm"
    assert "KILLED" in top.text
    assert all(span.role == "" for span in top.spans)


def test_stopping_takes_the_place_of_the_control_state():
    assert "STOPPING: cancelling all orders" in lines(a_view(stopping=True))[0]


def test_only_live_wears_a_badge():
    roles = {mode: status_rows(a_view(mode=mode), 120)[0].spans[0].role for mode in ("demo", "paper", "live")}
    assert roles == {"demo": "strong", "paper": "strong", "live": "badge"}


def test_a_late_console_says_so():
    assert "UI behind 1.5s" in lines(a_view(), console="UI behind 1.5s")[1]


def test_losses_have_a_minus_and_the_colour_of_ask():
    pnl = msgspec.structs.replace(a_view().pnl, total=usd(-3))
    spans = status_rows(a_view(pnl=pnl), 120)[1].spans
    assert ("−3.00", "ask") in spans


@pictures
def test_picture_at_80(snap_compare):
    strip = StatusStrip()
    assert snap_compare(WidgetApp(strip, lambda: strip.show(a_view(mode="live"))), terminal_size=(80, 2))


@pictures
def test_picture_without_engine(snap_compare):
    strip = StatusStrip()
    assert snap_compare(WidgetApp(strip, lambda: strip.show(a_view(), silent_s=12)), terminal_size=(120, 2))


def test_a_recording_at_its_end_is_not_a_dead_engine():
    strip = lines(a_view(finished="end of recording", stopping=True))
    assert "ENDED: end of recording" in strip[0]
    assert "NO ENGINE" not in lines(a_view(finished="end of recording"), silent_s=9.0)[0]


def feeds(sockets_up, sockets):
    return (FeedView("market", True, sockets_up, sockets, 0.8, 0, ""), FeedView("user", True, 1, 1, 0.4, 0, ""))


def test_sockets_are_counted_where_there_is_more_than_one():
    assert "feed 2/2 0s" in lines(a_view())[0]
    assert "feed 0s" in lines(a_view(feeds=feeds(1, 1)))[0]
    assert "feed 0s" in lines(a_view(feeds=feeds(0, 0)))[0], "a recording has none"


def test_a_missing_socket_is_marked():
    spans = status_rows(a_view(feeds=feeds(1, 2)), 120)[0].spans
    assert ("1/2 ", "warn") in spans


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_book_that_is_not_believed_is_told_on_any_width(width):
    spans = status_rows(a_view(), width)[0].spans
    assert ("▲ books 3/5", "warn") in spans
    assert "unknown 0" in lines(a_view(), width)[0], "and hides nothing that matters more"


def test_books_that_are_all_believed_are_counted_where_there_is_room():
    view = a_view(markets=a_view().markets[:2])
    assert "books 2/2" in lines(view, 160)[0] and "▲" not in lines(view, 160)[0]


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hash_every": 3, "messages_per_s": 2_913.4}, "hashes 1 in 3"),
        ({"markets": (a_market(), a_market(data=a_data(check_every=0)))}, "hashes △ 1 touch only"),
        (
            {"hash_every": 2, "markets": (a_market(data=a_data(check_every=0)),)},
            "hashes 1 in 2, △ 1 touch only",
        ),
    ],
    ids=["sampled", "touch only", "both"],
)
def test_hashes_that_are_not_all_checked_are_told_on_any_width(changes, said, width):
    """The operator must know how strong the proof is (issue: "the console says so")."""
    row = status_rows(a_view(**changes), width)[1]
    assert said in row.text
    assert "warn" in {span.role for span in row.spans if span.text in said}


def test_a_book_that_never_came_is_not_said_to_be_checked_by_its_touch():
    view = a_view(markets=(a_market(data=an_empty_book(check_every=0)),))
    assert "hashes all" in lines(view, 200)[1]


def test_the_rate_of_messages_is_shown_where_there_is_room():
    assert "messages 2,913/s" in lines(a_view(messages_per_s=2_913.4), 200)[1]


# The venue and the account


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    ("beat", "said", "role"),
    [
        (HeartbeatView(None, ""), "beat –", "muted"),
        (HeartbeatView(6.9, ""), "beat 6s", ""),
        (HeartbeatView(7.0, ""), "beat 7s", "warn"),
        (HeartbeatView(8.9, ""), "beat 8s", "warn"),
        (HeartbeatView(9.0, ""), "beat 9s", "alarm"),
        (HeartbeatView(2.0, "status 500"), "beat 2s  status 500", "warn"),
    ],
)
def test_the_age_of_the_heartbeat_is_always_told(beat, said, role, width):
    """At 9 s nothing new is placed, at 10 s the venue may cancel everything: an operator sees it coming from 7 s on."""
    line = status_rows(a_view(venue=a_venue(heartbeat=beat)), width)[1]
    assert said in line.text
    assert (said.split("  ")[0].split()[1], role) in line.spans


def test_where_there_is_no_heartbeat_none_is_told():
    assert "beat" not in lines(a_view(venue=a_venue(heartbeat=None)), 200)[1]


@pytest.mark.parametrize(
    ("width", "said"),
    [(80, "withheld: user channel stil…"), (120, "withheld: user channel still for 16 s")],
)
def test_a_withheld_heartbeat_says_why_as_far_as_there_is_room(width, said):
    beat = HeartbeatView(9.4, "withheld: user channel still for 16 s")
    view = a_view(venue=a_venue(heartbeat=beat), pnl=msgspec.structs.replace(a_view().pnl, total=usd(-1_234.56)))
    assert said in lines(view, width)[1]


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    ("mode", "said", "role"),
    [
        ("RESTARTING", "RESTARTING 12s", "warn"),
        ("POST_ONLY", "POST ONLY 12s", "warn"),
        ("CANCEL_ONLY", "CANCEL ONLY 12s", "warn"),
        ("DISABLED", "DISABLED 12s", "alarm"),
    ],
)
def test_a_venue_that_restricts_us_is_told_on_any_width_and_costs_no_order(mode, said, role, width):
    top = status_rows(a_view(venue=a_venue(mode=mode, since_s=12.0), unknown_orders=3), width)[0]
    assert (said, role) in top.spans
    assert "orders 8 $1,141" in top.text and "unknown 3" in top.text


def test_a_venue_that_trades_is_not_worth_a_word():
    assert "venue" not in lines(a_view(), 200)[0]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_alarms_are_counted_on_any_width(width):
    """Findings are the one list nobody may overlook: an alarm stands in the strip until the session ends."""
    view = a_view(findings=(*some_findings(), a_finding(unix=a_view().unix - 61)))
    line = status_rows(view, width)[1]
    assert (" 2 alarms ", "alarm") in line.spans
    assert "last 1m ago" in line.text


def test_findings_that_are_no_alarms_stay_in_their_pane():
    assert "alarm" not in lines(a_view(findings=some_findings()[::2]), 200)[1]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_books_that_do_not_add_up_are_told_on_any_width(width):
    """Nothing else in the strip can be believed then."""
    line = status_rows(a_view(account=an_account(trouble="cash is 1 too much")), width)[1]
    assert (" BOOKS DO NOT ADD UP ", "alarm") in line.spans
    assert "BOOKS" not in lines(a_view(), width)[1]


@pytest.mark.parametrize("width", [70, 80, 120, 200])
def test_operations_that_came_to_nothing_or_are_unknown_are_told(width):
    line = status_rows(a_view(account=an_account(jobs=some_jobs())), width)[1]
    assert ("▲ convert 80 unknown 1m", "warn") in line.spans
    assert ("and 1 more" in line.text) == (width >= 80)
    line = status_rows(a_view(account=an_account(jobs=(a_job(state="refused", age_s=5.0),))), width)[1]
    assert ("▲ merge 400 refused 5s", "warn") in line.spans
    assert "merge" not in lines(a_view(), width)[1], "a confirmed one is no news"


def test_a_start_that_waits_and_a_short_budget_are_told():
    view = a_view(recovering="recovering: 3 earlier orders", venue=a_venue(short="the cancel budget of 3"))
    top, bottom = lines(view, 80)
    assert "RECOVERING" in top and "rate budget short" in bottom


@pytest.mark.parametrize("width", range(70, 200, 7))
def test_everything_at_once_keeps_what_matters_most(width):
    view = a_troubled_account(mode="live", control="CANCEL_ONLY")
    top, bottom = lines(view, width)
    assert "LIVE" in top and "CANCEL ONLY" in top and "RESTARTING 12s" in top
    assert "1 alarm" in bottom and "beat 8s" in bottom


# What is allowed, the kill switch, and what watches


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_control_state_has_its_time_left_and_the_count_of_exceptions(width):
    top = status_rows(a_risky_view(), width)[0]
    spans = [span for span in top.spans if span.role == "warn"]
    assert [span.text for span in spans[:3]] == ["REDUCE ONLY", "12m left", "3 exceptions"]
    assert ("40s left" in top.text) == (width >= 120), "the exception that ends first"


def test_a_state_without_end_has_no_timer_and_one_exception_is_one():
    view = a_view(control="PAUSED", controls=(a_control(state="PAUSED", left_s=None), a_control(market="0xfed")))
    assert "PAUSED  1 exception  12m left" in lines(view)[0]
    assert "exception" not in lines(a_view())[0]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_kill_inverts_the_strip_and_tells_all_four_counts_on_any_width(width):
    rows = status_rows(a_killed_view(), width)
    assert {row.ground for row in rows} == {"alarm"}
    assert "KILLED  ZERO NOT PROVEN  sent 2, confirmed 21, left 3, unknown 1" in rows[0].text
    proven = status_rows(a_killed_view(kill=a_proven_kill()), width)
    assert "KILLED  ZERO PROVEN  sent 2, confirmed 25, left 0, unknown 0" in proven[0].text
    assert {row.ground for row in proven} == {"alarm"}, "still killed"


def test_who_killed_is_told_where_there_is_room():
    assert "by operator: console key" in lines(a_killed_view(), 160)[0]


def test_a_kill_of_which_the_session_does_not_know_yet_is_a_kill():
    """The switch answers for itself; the session's own word comes only when its loop runs."""
    top, bottom = status_rows(a_view(kill=a_kill()), 80)
    assert top.ground == bottom.ground == "alarm" and "KILLED" in top.text and "ACTIVE" not in top.text


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_kill_under_a_dead_engine_keeps_both_words(width):
    top, bottom = lines(a_killed_view(), width, silent_s=9.0)
    assert "KILLED  ZERO NOT PROVEN  sent 2, confirmed 21, left 3, unknown 1" in top
    assert bottom.startswith(" NO ENGINE for 9s") and "13:04:22 UTC" in bottom


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    ("changes", "words", "role"),
    [
        ({"kill": a_guarded_kill(watchdog_up=False)}, " NO WATCHDOG ", "alarm"),
        ({"journal_stalled_s": 1.0}, " journal waits 1s ", "warn"),
        ({"journal_stalled_s": 2.0}, " journal waits 2s ", "alarm"),
        ({"clock_skew_s": -1.4}, "clock −1.4s", "warn"),
        ({"clock_skew_s": 3.5}, "clock +3.5s", "alarm"),
    ],
)
def test_what_no_longer_watches_is_told_on_any_width(changes, words, role, width):
    assert (words, role) in status_rows(a_view(**changes), width)[1].spans


def test_all_well_is_not_worth_a_word():
    bottom = lines(a_view(kill=a_guarded_kill(), clock_skew_s=0.4), 200)[1]
    assert "WATCHDOG" not in bottom and "clock" not in bottom and "journal" not in bottom


# The market list


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "▲ list: 4 changes wait"),
        ({"proposal": None, "trouble": "Google says 403"}, "▲ list: not renewed"),
        ({"trouble": "Google says 403"}, "▲ list: not renewed"),
    ],
)
def test_a_list_that_wants_eyes_is_told_in_words_and_is_no_alarm(changes, words, width):
    """A pending change is for when there is time: the strip keeps its red for what is not (P3 and P2)."""
    rows = status_rows(a_listed_view(**changes), width)
    assert len(rows) == 2 and {row.ground for row in rows} == {"bar"}
    assert (words, "warn") in rows[1].spans
    assert not {span.role for row in rows for span in row.spans} & {"alarm"}


@pytest.mark.parametrize("width", [70, 80, 120, 200])
def test_of_two_things_about_the_list_the_worse_is_told_and_both_where_there_is_room(width):
    line = lines(a_listed_view(trouble="Google says 403"), width)[1]
    assert "▲ list: not renewed" in line
    assert ("not renewed  and 4 changes wait" in line) == (width >= 80)


def test_a_list_in_force_is_not_worth_a_word():
    assert "list" not in "".join(lines(a_listed_view(proposal=None), 200))
    assert "list" not in "".join(lines(a_view(), 200))


@pytest.mark.parametrize("width", range(70, 200, 7))
def test_the_list_gives_way_to_what_matters_more_and_what_matters_less_gives_way_to_it(width):
    view = a_troubled_account(mode="live", market_list=a_listed_view(trouble="403").market_list)
    _, bottom = status_rows(view, width)
    assert "1 alarm" in bottom.text and "beat 8s" in bottom.text and cell_len(bottom.text) <= width
    calm = status_rows(a_listed_view(), width)[1].text
    assert "list: 4 changes wait" in calm
    if "at risk" not in calm:
        assert "equity" not in calm and "messages" not in calm


def test_denied_orders_are_counted_where_there_is_room():
    assert "denied 15" in lines(a_risky_view(), 200)[0]


@pictures
@pytest.mark.parametrize("theme", THEME_NAMES)
@pytest.mark.parametrize("width", [80, 120, 200])
def test_picture_of_a_kill(snap_compare, width, theme):
    strip = StatusStrip()
    app = WidgetApp(strip, lambda: strip.show(a_killed_view()), theme)
    assert snap_compare(app, terminal_size=(width, 2))


@pictures
def test_picture_in_trouble(snap_compare):
    strip = StatusStrip()
    app = WidgetApp(strip, lambda: strip.show(a_troubled_account(mode="live")))
    assert snap_compare(app, terminal_size=(80, 2))


@pictures
@pytest.mark.parametrize("theme", THEME_NAMES)
@pytest.mark.parametrize("width", [80, 120, 200])
def test_picture_of_a_list_that_waits(snap_compare, width, theme):
    strip = StatusStrip()
    app = WidgetApp(strip, lambda: strip.show(a_listed_view(trouble="Google says 403")), theme)
    assert snap_compare(app, terminal_size=(width, 2))
