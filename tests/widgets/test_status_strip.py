import msgspec
import pytest
from rich.cells import cell_len

from core.views import CapView, FeedView, HeartbeatView, KillView
from polymm_tui.themes import THEME_NAMES
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    HOSTILE,
    HOSTILE_IDS,
    a_budget,
    a_control,
    a_data,
    a_day_view,
    a_guarded_kill,
    a_job,
    a_kill,
    a_killed_view,
    a_listed_view,
    a_market,
    a_proven_kill,
    a_risky_view,
    a_split,
    a_troubled_account,
    a_venue,
    a_view,
    an_account,
    an_alarm,
    an_empty_book,
    some_findings,
    some_jobs,
    usd,
    with_title,
)
from widgets.status_strip import StatusStrip, status_rows


def lines(view, width=120, **health):
    return texts(status_rows(view, width, **health))


def test_before_the_first_view_it_says_starting():
    assert lines(None) == [" starting …", " waiting for the session"]


def test_it_names_mode_control_feeds_orders_money_and_what_keeps_watch():
    top, bottom = lines(a_day_view(alarms=(an_alarm(code="book"),)), 200)
    for statement in ("DEMO", "ACTIVE", "feed 2/2 0s", "oldest 3s", "user 0s", "▲ books 3/5", "orders 8 $1,141",
                      "unknown 0", "in flight 1", "quoting 2/5", "rejects 2, last 3m ago"):  # fmt: skip
        assert statement in top
    for statement in ("day +18.42", "real +12.10", "unreal +6.32", "rewards ~1.80", "worst −$1,904",
                      "cap ▲ 102% market Rain in NYC on Tuesday", "beat 2s", "lag 3ms", "rate 20%", "equity $50,018.42",
                      "1 P2", "13:04:22 UTC"):  # fmt: skip
        assert statement in bottom


@pytest.mark.parametrize(
    ("width", "top", "bottom"),
    [
        (40, " DEMO  │ ACTIVE  orders 8 $1,141", " day +18.42 │ ▲ 102% Rain i…   13:04:22"),
        (
            80,
            " DEMO  │ ACTIVE  feed 2/2  oldest 3s  user 0s  orders 8 $1,141  unknown 0",
            " day +18.42 │ worst −$1,904  ▲ 102% Rain i…  beat 2s  rate 20%     13:04:22 UTC",
        ),
        (
            120,
            " DEMO  │ ACTIVE  feed 2/2  oldest 3s  user 0s  orders 8 $1,141  unknown 0  in flight 1  rate 20%  lag 3ms",
            " day +18.42 │ real +12.10  unreal +6.32  rew ~1.80  worst −$1,904  cap ▲ 102% Rain in …  beat 2s"
            "           13:04:22 UTC",
        ),
    ],
)
def test_what_a_calm_strip_keeps_at_each_width(width, top, bottom):
    """The order of dropping, as a whole: it changes only on purpose."""
    view = a_day_view(markets=a_day_view().markets[:2], rejects=0)
    assert lines(view, width) == [top, bottom]


@pytest.mark.parametrize("width", range(40, 200, 7))
def test_it_never_breaks_a_statement_nor_leaves_the_line(width):
    for line in status_rows(a_view(), width):
        assert len(line.text) <= width
    assert "DEMO" in lines(a_view(), width)[0]
    assert lines(a_view(), width)[1].endswith("UTC" if width >= 60 else "13:04:22")


def test_the_money_line_keeps_the_total_when_all_else_is_gone():
    assert lines(a_day_view(), 22)[1].split() == ["day", "+18.42", "13:04:22"]


def test_a_day_whose_beginning_is_not_known_is_no_zero():
    line = lines(a_view(), 120)[1]
    assert "day – │ all time +18.42" in line and "real" not in line
    assert "all time" not in lines(a_day_view(), 200)[1]


@pytest.mark.parametrize(
    ("split", "said"), [(None, False), (a_split(rewards=usd(0)), True), (a_split(rewards=usd(1.8)), True)]
)
def test_rewards_stand_apart_and_are_an_estimate(split, said):
    line = lines(a_day_view(split=split), 200)[1]
    assert ("rewards ~" in line) is said and "day +18.42" in line


def test_a_lost_feed_is_said_in_words():
    view = a_view(feeds=(FeedView("market", False, 0, 2, 3.0, 2, "reset"), FeedView("user", True, 1, 1, None, 0, "")))
    assert "▲ feed DOWN  reset" in lines(view)[0]
    assert "▲ feed DOWN" in lines(view, 80)[0]
    assert "user –" in lines(view)[0]


def test_reconnects_are_counted_where_there_is_room():
    assert "user 0s  (1 reconnect)" in lines(a_view(), 200)[0]
    assert "reconnect" not in lines(a_view(), 80)[0]


def test_unknown_orders_and_slow_loop_are_marked():
    rows = status_rows(a_view(unknown_orders=3, loop_lag_ms=80.0), 160)
    assert {"▲ unknown 3": "warn", "80ms": "warn"}.items() <= {
        span.text: span.role for row in rows for span in row.spans
    }.items()


def test_no_engine_inverts_the_strip_and_keeps_the_clock():
    top, bottom = status_rows(a_view(), 120, silent_s=5.2)
    assert top.ground == bottom.ground == "alarm"
    assert top.text.startswith(" NO ENGINE for 5s")
    assert "was ACTIVE" in top.text and "orders were 8 $1,141" in top.text, "what was is not what is"
    for now in ("feed", "user", "quoting", "beat", "lag", "rate", "in flight"):
        assert now not in f"{top.text} {bottom.text}".replace("KILLED", "")
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


def test_only_live_wears_a_badge_and_brackets():
    """Real money is told without colour too."""
    spans = {mode: status_rows(a_view(mode=mode), 120)[0].spans[0] for mode in ("demo", "paper", "replay", "live")}
    assert {mode: span.role for mode, span in spans.items()} == {
        "demo": "strong", "paper": "strong", "replay": "strong", "live": "badge"
    }  # fmt: skip
    assert {mode for mode, span in spans.items() if "[" in span.text} == {"live"}
    for view in (a_view(), a_risky_view(), a_killed_view(), a_troubled_account(), a_listed_view()):
        assert "LIVE" not in "".join(lines(view, 200)), "the word is used for nothing else"


def test_a_late_console_says_so():
    assert "UI behind 1.5s" in lines(a_view(), console="UI behind 1.5s")[1]


def test_losses_have_a_minus_and_the_colour_of_ask():
    account = an_account(day_profit=usd(-3), day_realised=usd(-3), day_unrealised=usd(0))
    spans = status_rows(a_view(account=account), 120)[1].spans
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
    assert "feed 2/2 0s" in lines(a_view(), 200)[0] and "feed 2/2  oldest" in lines(a_view())[0]
    stale = (FeedView("market", True, 2, 2, 7.0, 0, ""),)
    assert "feed 2/2 7s" in lines(a_view(feeds=stale), 80)[0], "an old word is told on any width"
    assert "feed 0s" in lines(a_view(feeds=feeds(1, 1)))[0]
    assert "feed 0s" in lines(a_view(feeds=feeds(0, 0)))[0], "a recording has none"


def test_a_missing_socket_is_marked():
    spans = status_rows(a_view(feeds=feeds(1, 2)), 120)[0].spans
    assert ("1/2", "warn") in spans


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
        (HeartbeatView(9.0, ""), "▲ beat 9s", "warn"),
        (HeartbeatView(2.0, "status 500"), "beat 2s  status 500", "warn"),
    ],
)
def test_the_age_of_the_heartbeat_is_always_told(beat, said, role, width):
    """At 9 s nothing new is placed, at 10 s the venue may cancel everything: an operator sees it coming from 7 s on."""
    line = status_rows(a_view(venue=a_venue(heartbeat=beat)), width)[1]
    assert said in line.text
    assert (said.split("  ")[0].split()[-1], role) in line.spans


def test_where_there_is_no_heartbeat_none_is_told():
    assert "beat" not in lines(a_view(venue=a_venue(heartbeat=None)), 200)[1]


@pytest.mark.parametrize(
    ("width", "said"),
    [(80, "withheld: user channel st…"), (120, "withheld: user channel still for 16 s")],
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
        ("DISABLED", "DISABLED 12s", "warn"),
    ],
)
def test_a_venue_that_restricts_us_is_told_on_any_width_and_costs_no_order(mode, said, role, width):
    top = status_rows(a_view(venue=a_venue(mode=mode, since_s=12.0), unknown_orders=3), width)[0]
    assert (said, role) in top.spans
    assert "orders 8 $1,141" in top.text and "unknown 3" in top.text


def test_a_venue_that_trades_is_not_worth_a_word():
    assert "venue" not in lines(a_view(), 200)[0]


def alarms(*numbers, **changes):
    """So many alarms of each priority, 1 to 3."""
    return tuple(
        an_alarm(priority=priority, key=f"{priority}{place}", **changes)
        for priority, count in enumerate(numbers, 1)
        for place in range(count)
    )


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_alarms_that_nobody_acknowledged_are_counted_by_priority_on_any_width(width):
    line = status_rows(a_troubled_account(alarms=alarms(2, 1, 3)), width)[1]
    assert [span for span in line.spans if " P" in f" {span.text}" and span.text.strip()[-2:-1] == "P"] == [
        (" !2 P1 ", "alarm"), ("1 P2", "warn"), ("3 P3", "muted"),
    ][: 3 if width > 40 else 2]  # fmt: skip
    assert "13:04:22" in line.text and cell_len(line.text) <= width
    assert line.ground == "bar"


@pytest.mark.parametrize(
    "changes",
    [{"acknowledged": True}, {"shelved_s": 600.0}, {"cause": "market_feed"}],
    ids=lambda each: next(iter(each)),
)
def test_what_is_acknowledged_shelved_or_a_consequence_calls_nobody(changes):
    line = status_rows(a_view(alarms=alarms(1, 2, 0, **changes)), 200)[1]
    assert "P1" not in line.text and "P2" not in line.text
    assert "alarms 3 seen" in line.text and "alarm" not in {span.role for span in line.spans}


def test_without_alarms_that_is_said_where_there_is_room():
    assert "alarms none" in lines(a_view(), 200)[1]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_first_alarm_is_told_in_words_once(width):
    """An alarm whose condition the strip tells anyway is counted and not repeated."""
    own = an_alarm(priority=1, code="no_watchdog", text="the watchdog is down")
    view = a_view(kill=a_guarded_kill(watchdog_up=False), alarms=(own, an_alarm(text="a trade failed on chain")))
    line = lines(view, width)[1]
    assert line.count("WATCHDOG") == 1 and "the watchdog is down" not in line
    assert "▲ finding: a trade failed" in line


def test_of_several_alarms_the_most_urgent_is_told():
    both = (an_alarm(text="second"), an_alarm(priority=1, code="loss_stop", text="first"))
    assert "▲ loss stop: first" in lines(a_view(alarms=both))[1]
    assert "second" not in lines(a_view(alarms=both))[1]
    assert "third" not in lines(a_view(alarms=(an_alarm(priority=3, text="third"),)), 200)[1], "P3 is for the list"


def test_nothing_but_an_unacknowledged_first_priority_and_a_kill_is_red():
    worst = {
        "kill": a_guarded_kill(watchdog_up=False), "journal_stalled_s": 4.0, "clock_skew_s": 5.0, "loop_lag_ms": 900.0,
        "account": an_account(trouble="cash is 1 too much", jobs=some_jobs()), "alarms": alarms(0, 3, 3),
        "findings": some_findings(), "venue": a_venue(mode="DISABLED", heartbeat=HeartbeatView(12.0, "HTTP 500")),
        "caps": (CapView("account", "", "", usd(9), usd(1)),), "unknown_orders": 4,
        "feeds": (FeedView("market", False, 0, 2, 3.0, 2, "reset"), FeedView("user", False, 0, 1, 9.0, 1, "")),
    }  # fmt: skip
    for width in (80, 120, 200):
        drawn = status_rows(a_view(**worst), width)
        assert {line.ground for line in drawn} == {"bar"}
        assert "alarm" not in {span.role for line in drawn for span in line.spans}
    assert status_rows(a_killed_view(), 80)[0].ground == "alarm"


@pytest.mark.parametrize("width", [80, 120, 200])
def test_everything_that_wants_an_operator_is_told_at_eighty_columns(width):
    view = a_view(
        mode="live", control="PAUSED", unknown_orders=2, alarms=alarms(1, 2, 0, code="unknown_order"),
        kill=a_guarded_kill(watchdog_up=False), venue=a_venue(heartbeat=HeartbeatView(9.0, "")),
        feeds=(FeedView("market", True, 1, 2, 0.3, 0, ""), FeedView("user", False, 0, 1, 9.0, 1, "")),
    )  # fmt: skip
    top, bottom = lines(view, width)
    for said in ("[LIVE]", "PAUSED", "▲ unknown 2", "▲ user DOWN", "orders 8"):
        assert said in top
    for said in ("▲ NO WATCHDOG", "▲ beat 9s", "!1 P1", "2 P2", "13:04:22 UTC"):
        assert said in bottom


@pytest.mark.parametrize("width", [80, 120, 200])
def test_books_that_do_not_add_up_are_told_on_any_width(width):
    """Nothing else in the strip can be believed then."""
    line = status_rows(a_view(account=an_account(trouble="cash is 1 too much")), width)[1]
    assert ("▲ BOOKS DO NOT ADD UP", "warn") in line.spans
    assert "BOOKS" not in lines(a_view(), width)[1]


# Exposure, rate, and who else is there


def a_cap(scope, used, cap, **names):
    return CapView(scope, names.get("name", ""), names.get("market", ""), usd(used), usd(cap))


@pytest.mark.parametrize(
    ("caps", "said", "role"),
    [
        ((a_cap("account", 100, 1_000),), "10% account", ""),
        ((a_cap("account", 100, 1_000), a_cap("group", 45, 50, name="Fed [x]")), "90% Fed [x]", "warn"),
        ((a_cap("account", 100, 1_000), a_cap("market", 50, 50, market="0xfed")), "100% Fed cuts…", "warn"),
        ((a_cap("account", 100, 1_000), a_cap("token", 0, 0), a_cap("token", 1, 0)), "▲ 999% token", "warn"),
    ],
)
def test_exposure_is_told_against_the_tightest_cap(caps, said, role):
    spans = status_rows(a_view(caps=caps), 120)[1].spans
    assert (said, role) in spans and ("−$100", "") in spans


def test_without_caps_what_is_at_risk_now_is_told():
    assert "worst −$542" in lines(a_view(caps=()), 80)[1]


def test_where_there_is_room_the_cap_has_a_name():
    caps = (a_cap("group", 45, 50, name="Fed [/x] decisions of the year 2026"),)
    assert "cap 90% group Fed [/x] decisions of t…" in lines(a_view(caps=caps), 200)[1]


@pytest.mark.parametrize(
    ("budget", "short", "said"),
    [
        (a_budget(), "", "rate 20%"),
        (a_budget(orders=6), "", "▲ rate 90%"),
        (a_budget(cancels=-12), "", "▲ rate 110%"),
        (a_budget(), "the cancel budget of 3", "▲ rate short"),
        (None, "", None),
    ],
)
def test_the_rate_is_told_by_its_scarcer_bucket(budget, short, said):
    for width in (80, 120, 200):
        drawn = "".join(lines(a_view(markets=a_view().markets[:2], venue=a_venue(budget=budget, short=short)), width))
        assert said in drawn if said else "rate" not in drawn


def test_attached_consoles_and_the_wallet_are_told_where_there_is_room():
    top = lines(a_view(consoles=2, wallet="0x1234567890abcdef1234567890abcdef12345678"), 200)[0]
    assert "wallet 0x1234…5678" in top and "2 consoles attached" in top
    assert "console" not in "".join(lines(a_view(), 200)) and "wallet" not in lines(a_view(), 200)[0]


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    ("access", "consoles", "said"),
    [
        ("attached", 1, "ATTACHED"),
        ("attached", 3, "ATTACHED 1 of 3"),
        ("watching only", 2, "WATCHING 1 of 2"),
        ("", 1, "1 console attached"),
    ],
)
def test_a_console_says_how_it_holds_the_session_and_how_many_look_on(access, consoles, said, width):
    """`q` means something else in each: two terminals must not look the same."""
    assert said in lines(a_view(consoles=consoles), width, access=access)[0]


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
def test_a_figure_that_grows_by_a_digit_drives_nothing_from_the_strip(width):
    """Parts that come and go from second to second cannot be read."""

    def kept(realised, fair, lag_ms, orders, age_s):
        account = an_account(day_realised=usd(realised), day_fair=usd(fair))
        view = a_day_view(
            markets=a_day_view().markets[:2], account=account, loop_lag_ms=lag_ms, open_orders=orders, rejects=0,
            venue=a_venue(heartbeat=HeartbeatView(age_s, "")),
        )  # fmt: skip
        words = "".join(lines(view, width)).split()
        return [word for word in words if word.isalpha()]

    assert kept(0, 0, 0.4, 8, 1.0) == kept(104.55, 904.55, 41.0, 26, 6.0)


@pytest.mark.parametrize("width", [120, 160, 200])
@pytest.mark.parametrize("called", [(), (0, 1), (1,)])
def test_from_120_columns_on_the_parts_of_the_day_and_the_rate_are_always_there(width, called):
    caps = (a_cap("token", 96, 100, name="NO", market="0xrain"),)
    waiting = alarms(*called, *[0] * (3 - len(called)), code="book")
    view = a_day_view(markets=a_day_view().markets[:2], caps=caps, alarms=waiting)
    drawn = "".join(lines(view, width))
    for said in ("day +18.42", "real +12.10  unreal +6.32", "rew", "worst", "rate 20%", "lag 3ms", "beat 2s"):
        assert said in drawn or (said == "rew" and called == (1,)), said


@pytest.mark.parametrize(
    ("width", "said"), [(80, "96% NO Rai…"), (120, "cap 96% NO Rain …"), (200, "cap 96% token NO Rain in NYC")]
)
def test_the_tightest_cap_says_which_it_is(width, said):
    caps = (a_cap("account", 1, 100), a_cap("token", 96, 100, name="NO", market="0xrain"))
    assert said in lines(a_day_view(caps=caps), width)[1]


def test_the_day_at_bids_says_so_where_the_fair_one_is_not_known():
    """Two marks never stand under one label."""
    account = an_account(day_profit=usd(16.4), day_realised=usd(12.1), day_unrealised=usd(4.3), day_fair=None)
    assert "day at bids +16.40 │ real +12.10  unreal +4.30" in lines(a_day_view(account=account), 120)[1]
    assert "at bids" not in lines(a_day_view(), 120)[1]


def test_the_equity_is_that_of_the_account_page():
    view = a_day_view(equity=usd(1))
    assert "equity $50,018.42" in lines(view, 200)[1]


def test_the_oldest_proof_of_all_books_is_told():
    assert "oldest 3s" in lines(a_view())[0]
    never = a_view(markets=(a_market(data=an_empty_book(proven_s=None)),))
    assert "oldest –" in lines(never)[0]


@pytest.mark.parametrize("width", [70, 80, 120, 200])
def test_operations_that_came_to_nothing_or_are_unknown_are_told(width):
    line = status_rows(a_view(account=an_account(jobs=some_jobs())), width)[1]
    assert ("▲ convert 80 unknown 1m", "warn") in line.spans
    assert "and 1 more" in line.text
    line = status_rows(a_view(account=an_account(jobs=(a_job(state="refused", age_s=5.0),))), width)[1]
    assert ("▲ merge 400 refused 5s", "warn") in line.spans
    assert "merge" not in lines(a_view(), width)[1], "a confirmed one is no news"


def test_a_start_that_waits_and_a_short_budget_are_told():
    view = a_view(recovering="recovering: 3 earlier orders", venue=a_venue(short="the cancel budget of 3"))
    top, bottom = lines(view, 80)
    assert "RECOVERING" in top and "▲ rate short" in bottom


@pytest.mark.parametrize("width", range(70, 200, 7))
def test_everything_at_once_keeps_what_matters_most(width):
    view = a_troubled_account(mode="live", control="CANCEL_ONLY", alarms=alarms(1, 2))
    top, bottom = lines(view, width)
    assert "LIVE" in top and "CANCEL ONLY" in top and "RESTARTING 12s" in top and "▲ unknown 1" in top
    assert "!1 P1  2 P2" in bottom and "▲ beat 8s" in bottom


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
    assert "orders" not in top and "unknown 0" not in top, "what the switch proved is not denied by an old figure"
    assert "beat" not in bottom and "lag" not in bottom


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    ("changes", "words", "role"),
    [
        ({"kill": a_guarded_kill(watchdog_up=False)}, "▲ NO WATCHDOG", "warn"),
        ({"journal_stalled_s": 1.0}, "▲ journal waits 1s", "warn"),
        ({"journal_stalled_s": 2.0}, "▲ journal waits 2s", "warn"),
        ({"clock_skew_s": -1.4}, "▲ clock −1.4s", "warn"),
        ({"clock_skew_s": 3.5}, "▲ clock +3.5s", "warn"),
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
    assert ("not renewed  and 4 changes wait" in line) == (width >= 70)


def test_a_list_in_force_is_not_worth_a_word():
    assert "list" not in "".join(lines(a_listed_view(proposal=None), 200))
    assert "list" not in "".join(lines(a_view(), 200))


@pytest.mark.parametrize("width", range(70, 200, 7))
def test_the_list_gives_way_to_what_matters_more_and_what_matters_less_gives_way_to_it(width):
    view = a_troubled_account(mode="live", market_list=a_listed_view(trouble="403").market_list, alarms=alarms(1))
    _, bottom = status_rows(view, width)
    assert "!1 P1" in bottom.text and "beat 8s" in bottom.text and cell_len(bottom.text) <= width
    calm = status_rows(a_listed_view(), width)[1].text
    assert "list: 4 changes wait" in calm
    if "worst" not in calm:
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


@pictures
@pytest.mark.parametrize("theme", ["polymm-dark", "polymm-mono"])
@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_picture_of_alarms(snap_compare, width, theme):
    strip = StatusStrip()
    view = a_day_view(mode="live", alarms=alarms(1, 2, 1), consoles=1)
    assert snap_compare(WidgetApp(strip, lambda: strip.show(view), theme), terminal_size=(width, 2))


@pictures
def test_picture_of_a_calm_day(snap_compare):
    strip = StatusStrip()
    view = a_day_view(markets=a_day_view().markets[:2], caps=a_day_view().caps[:1])
    assert snap_compare(WidgetApp(strip, lambda: strip.show(view)), terminal_size=(120, 2))


@pytest.mark.parametrize("title", HOSTILE, ids=HOSTILE_IDS)
@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_texts_of_strangers_stay_on_the_strip(title, width):
    caps = (CapView("market", title, "0xfed", usd(9), usd(9)),)
    view = msgspec.structs.replace(with_title(title), caps=caps, alarms=alarms(1, 1, 1, text=title), wallet=title)
    calm = msgspec.structs.replace(view, kill=KillView(), control="ACTIVE")
    for drawn in (view, calm):
        for line in status_rows(drawn, width, console=title):
            assert line.text.isprintable() and cell_len(line.text) <= width
