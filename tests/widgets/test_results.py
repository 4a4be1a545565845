"""Markouts, rewards and cancels of a market."""

import pytest

from core.views import MarkoutView
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import a_market, a_reasoned_market, shares, some_rewards
from widgets.results import Results, result_rows


def lines_of(market, everywhere=210.4, width=78):
    return texts(result_rows(market, everywhere, width))


def a_markout(**changes):
    base = {"side": "all", "layer": None, "horizon_s": 1.0, "fills": 9, "shares": shares(90), "mean": 0.0012,
            "error": 0.0004}  # fmt: skip
    return MarkoutView(**base | changes)


def test_a_line_each_for_all_each_side_and_each_layer():
    lines = lines_of(a_reasoned_market())
    assert lines[0].split() == ["after", "1s", "after", "5s", "after", "30s", "after", "5m"]
    assert lines[1].split()[:7] == ["all", "+0.11", "±0.04", "42", "+0.05", "±0.04", "39"]
    assert [line.split("+")[0].strip() for line in lines[1:5]] == ["all", "bid", "ask", "bid 1"]
    assert "9 too young for the longest horizon" in lines[5]


@pytest.mark.parametrize(
    ("mean", "error", "role"),
    [(0.0012, 0.0004, "good"), (-0.0012, 0.0004, "warn"), (0.0007, 0.0004, ""), (0.01, None, "")],
)
def test_only_what_is_more_than_noise_is_coloured(mean, error, role):
    market = a_market(detailed=True, markouts=(a_markout(mean=mean, error=error),))
    assert result_rows(market, None, 78)[1].spans[-1].role == role


def test_one_fill_has_no_error_and_none_has_no_mean():
    market = a_market(
        detailed=True,
        markouts=(a_markout(fills=1, error=None), a_markout(horizon_s=5.0, fills=0, mean=None, error=None)),
    )
    assert lines_of(market)[1].split() == ["all", "+0.12", "±?", "1", "–", "0"]


def test_before_the_first_fill_it_says_so():
    assert lines_of(a_market(detailed=True), None)[0] == " no fills yet: nothing to measure"
    assert lines_of(a_market(detailed=True), None)[-1].split()[1:] == ["no", "fills", "yet"]
    waiting = a_market(detailed=True, markouts=(a_markout(fills=0, mean=None, error=None, pending=3),))
    assert "3 too young for the longest horizon" in "\n".join(lines_of(waiting))


def test_rewards_tell_score_share_dollars_and_what_the_venue_says():
    text = " ".join(" ".join(lines_of(a_reasoned_market())).split())
    assert "score 123.4, share at least 3.1% of $50.00 a day: $1.55 a day; of 6 orders" in text
    assert "that should score the venue says yes to 4 and no to 1" in text
    assert "rebates about $0.31 this session" in text


def test_what_each_order_adds_and_what_flow_costs_is_told():
    rewards = some_rewards(worth=(("bid", 0, 1.25, -0.5), ("ask", 1, 0.5, 0.0)))
    text = " ".join(" ".join(lines_of(a_market(detailed=True, rewards=rewards, adverse_share=0.25))).split())
    assert "a day each adds (rewards, trading): bid 1 +1.25 −0.50, ask 2 +0.50 +0.00" in text
    assert "adverse 25% of our volume was followed by a tick or more against us" in text


def test_only_orders_that_the_venue_denies_are_a_warning():
    """It may not have been asked yet."""
    for denied, role in ((1, "warn"), (0, "")):
        rows = result_rows(a_market(detailed=True, rewards=some_rewards(scoring=0, denied=denied)), None, 118)
        assert next(row for row in rows if row.text.startswith(" rewards")).spans[-1].role == role


def test_what_is_not_known_of_a_programme_is_left_out():
    assert "no programme in this market" in "\n".join(lines_of(a_market(detailed=True)))
    unknown = some_rewards(pool_usd=None, usd_per_day=None, note="pool not told")
    text = " ".join(" ".join(lines_of(a_market(detailed=True, rewards=unknown))).split())
    assert "share at least 3.1%; of 6 orders" in text and text.count("$") == 1 and "pool not told" in text


def test_cancels_stand_beside_those_of_all_markets():
    assert lines_of(a_reasoned_market())[-1].split()[1:] == [
        "181",
        "per",
        "1,000",
        "filled",
        "shares;",
        "all",
        "markets",
        "210",
    ]
    assert lines_of(a_market(detailed=True))[-1].split()[1] == "–"


def test_narrow_terminals_drop_the_longest_horizons():
    lines = lines_of(a_reasoned_market(), width=50)
    assert lines[0].split() == ["after", "1s", "after", "5s"]


@pictures
def test_picture(snap_compare):
    widget = Results()
    show = lambda: widget.show(a_reasoned_market(), 210.4)  # noqa: E731
    assert snap_compare(WidgetApp(widget, show), terminal_size=(80, 16))
