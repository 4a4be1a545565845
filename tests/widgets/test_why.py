"""All terms of every quote: columns that add up, rules that bind, and what is missing."""

import re
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quoting.plan import SideReason
from core.units import MICRO, Ticks, Usd
from core.views import GroupView, RegimeView
from tests.widgets.harness import WidgetApp, pictures, screen_text, texts
from tests.widgets.view_builders import (
    NANO,
    a_layer,
    a_market,
    a_reasoned_market,
    a_suspect,
    an_adjustment,
    an_order,
    an_unknown_order,
    shares,
    some_layers,
)
from widgets.lift_words import lifted_by
from widgets.why import Why, adjustment_words, why_rows


def lines_of(market, width=78):
    return texts(why_rows(market, width))


def line(market, label, width=78):
    """The rest of the first line with a label."""
    found = [text for text in lines_of(market, width) if text.startswith(f" {label:<16}")]
    return found[0][17:].strip() if found else None


def column(lines, place):
    """Figures of one column from the header to the sums: of prices, of sizes."""
    start = next(number for number, text in enumerate(lines) if text.startswith(" cents, shares"))
    cells = [text[17 + 9 * place : 26 + 9 * place].replace(",", "").replace("−", "-").strip() for text in lines[start:]]
    labels = [text[1:17].strip() for text in lines[start:]]
    price, size = labels.index("= price"), labels.index("= size")
    figures = [
        [float(cell) for cell in part if cell and cell != "–"] for part in (cells[1:price], cells[price + 1 : size])
    ]
    return figures[0], cells[price], figures[1], cells[size]


def test_every_column_adds_up_to_its_price_and_its_size():
    lines = lines_of(a_reasoned_market())
    for place, layer in enumerate(some_layers()):
        prices, price, sizes, size = column(lines, place)
        assert sum(prices) == pytest.approx(float(price)) == pytest.approx(layer.ticks / 10)
        assert sum(sizes) == pytest.approx(layer.size / 1e6)
        assert size == ("–" if layer.size == 0 else f"{layer.size / 1e6:.2f}")


@given(
    st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=12),
    st.sampled_from([(100, 2), (1000, 3), (10_000, 4), (200, 3), (400, 4), (10, 1)]),
)
def test_what_is_shown_adds_up_whatever_was_rounded(parts, grid):
    """Terms with many decimals must not lose a digit between them."""
    k, decimals = grid
    ticks = 7
    terms = tuple((f"term {number}", part) for number, part in enumerate(parts))
    last = ticks * NANO - sum(parts)
    layer = a_layer(ticks=Ticks(ticks), price_terms=(*terms, ("rest", last)), size_terms=(("base", shares(300)),))
    prices, price, _, _ = column(lines_of(a_market(grid_k=k, decimals=decimals, layers=(layer,), orders=())), 0)
    assert sum(prices) == pytest.approx(100 * ticks / k, abs=1e-9)
    assert float(price) == pytest.approx(100 * ticks / k)


@st.composite
def explained(draw):
    """Layers of both sides whose terms add up, as the session's do; an order of one of them."""
    k, decimals = draw(st.sampled_from([(100, 2), (1000, 3), (10_000, 4), (200, 3), (400, 4), (10, 1)]))
    parts = st.lists(st.integers(-(10**11), 10**11), min_size=1, max_size=5)
    layers = []
    for place in range(draw(st.integers(1, 6))):
        ticks, size = draw(st.integers(1, k - 1)), draw(st.integers(0, 10**10))
        prices, sizes = draw(parts), draw(parts)
        layers.append(
            a_layer(
                side="bid" if place % 2 else "ask", layer=place // 2, ticks=Ticks(ticks), size=size,
                price_terms=(*[(f"p{n}", part) for n, part in enumerate(prices)], ("rest", ticks * NANO - sum(prices))),
                size_terms=(*[(f"s{n}", part) for n, part in enumerate(sizes)], ("rest", size - sum(sizes))),
            )
        )  # fmt: skip
    of = draw(st.sampled_from(layers))
    order = an_order(side=of.side, layer=of.layer, price=of.ticks)
    return a_market(grid_k=k, decimals=decimals, layers=tuple(layers), orders=(order,)), order


@given(explained(), st.booleans())
def test_the_terms_shown_add_up_to_price_and_size_in_every_column(case, asked):
    """Whatever the terms, and whether or not an order's column is marked."""
    market, order = case
    lines = texts(why_rows(market, 120, order if asked else None))
    for place, layer in enumerate(market.layers):
        prices, price, sizes, size = column(lines, place)
        assert sum(prices) == pytest.approx(100 * layer.ticks / market.grid_k, abs=1e-9)
        assert float(price) == pytest.approx(100 * layer.ticks / market.grid_k)
        shown = 0.0 if size == "–" else float(size)
        assert sum(sizes) == pytest.approx(shown, abs=1e-6), "to the last digit shown"
        assert shown == pytest.approx(layer.size / MICRO, abs=0.5001), "without cents where the terms are large"


# One order


def told(order, market=None, width=78):
    rows = texts(why_rows(market or a_reasoned_market(), width, order))
    return rows[: rows.index("")]


def test_of_the_order_in_question_all_is_told_first_and_its_column_is_marked():
    market = a_reasoned_market()
    lines = texts(why_rows(market, 78, market.orders[2]))
    assert lines[:6] == [
        " › bid 3 at 41.1c · 675 of 675 · sell NO",
        " state           RESTING for 1m",
        " queue           ~2,100 ahead at most, an estimate, 3,975 shown at its price",
        " last decision   keep: in tolerance",
        " binds           model; base",
        "",
    ]
    header = next(text for text in lines if text.startswith(" cents, shares"))
    assert header.split()[2:] == ["bid", "1", "bid", "2", "›bid", "3", "ask", "1", "ask", "2", "ask", "3"]
    roles = {row.spans[3].role for row in why_rows(market, 78, market.orders[2]) if row.text.startswith(" fair ")}
    assert roles == {"own"}


def test_an_unknown_order_tells_its_evidence():
    lines = told(an_unknown_order(price=Ticks(412), layer=1))
    assert lines[1] == " state           UNKNOWN for 12s, sent 13s ago: it may be at the venue"
    assert lines[2] == " evidence        read 1 of 2, list wanted, trades wanted"
    assert lines[3].startswith(" queue           nobody knows yet")


def test_an_order_off_its_target_and_one_that_is_not_wanted_say_so():
    assert told(an_order(price=Ticks(412)))[4] == " binds           model; room (hard cap); wanted now at 41.3c"
    assert told(an_order(side="ask", layer=2))[4] == " binds           its layer is not wanted now: below min"
    assert told(an_order(layer=7))[4] == " binds           its layer is not planned now"
    assert told(an_order(), a_market())[4] == " binds           on its way …"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "CANCEL_SENT"}, "CANCELLING, 1m old"),
        ({"state": "SENDING", "age_s": 0.2}, "SENDING, 0s old"),
        ({"state": "PARTIAL"}, "PARTIAL for 1m"),
    ],
)
def test_the_state_of_the_order_is_told_with_its_age(changes, words):
    assert told(an_order(**changes))[1] == f" state           {words}"


def test_the_column_of_the_order_keeps_its_place_where_there_is_no_room_for_all():
    layers = tuple(a_layer(side=side, layer=number) for side in ("bid", "ask") for number in range(10))
    order = an_order(layer=9)
    lines = texts(why_rows(a_market(layers=layers, orders=(order,)), 78, order))
    header = next(text for text in lines if text.startswith(" cents, shares"))
    assert "›bid 10" in header and header.split()[2:4] == ["bid", "1"]
    assert len(header) <= 78


# What is missing, and what would lift it


@pytest.mark.parametrize(
    ("rule", "lift"),
    [
        ("hard cap", "with fills on the other side, or a higher hard cap"),
        ("reduce_only", "by resume, or a position that this side reduces"),
        ("fill streak, 6 fills in 30 s", ""),
    ],
)
def test_a_missing_side_says_what_would_lift_its_rule(rule, lift):
    lines = lines_of(a_reasoned_market(bid_reason=rule))
    place = next(number for number, text in enumerate(lines) if text.startswith(" no bid"))
    assert lines[place].split(maxsplit=2)[2] == rule
    assert (lines[place + 1] == f"   lifts         {lift}") == bool(lift)


def test_every_rule_of_the_session_has_its_words():
    """A new reason of a side must not be left without a way out."""
    reasons = [reason for part in get_args(SideReason) for reason in get_args(part) or (part,)]
    assert "hard_cap" in reasons and "ok" in reasons
    assert [reason for reason in reasons if not lifted_by(reason)] == ["ok"] * reasons.count("ok")


@pytest.mark.parametrize(
    ("changes", "lift"),
    [
        ({"control": "KILLED"}, "by re-arming, once no open order is proven"),
        ({"control": "PAUSED", "blocked_by": "paused: by the operator"}, "by resume of this market"),
        ({"blocked_by": "user feed is down"}, "by itself, when the user stream is back"),
        ({"blocked_by": "no fair value: a side of the book is empty"}, "by itself, when both sides"),
        ({"data": a_suspect()}, "by itself, when the book is proven again: asking for a fresh book, try 2"),
        ({"closed": "quarantined: resume the market"}, "by resume of this market"),
        ({"blocked_by": "words that nobody knows"}, None),
    ],
)
def test_a_market_that_is_not_quoted_says_what_would_lift_it(changes, lift):
    found = line(a_market(**{"quoting": False} | changes), "lifts", 120)
    assert found is None if lift is None else found.startswith(lift)


def test_a_market_that_is_quoted_has_nothing_to_lift():
    assert line(a_market(), "lifts") is None


def test_what_holds_for_the_market_comes_first():
    market = a_reasoned_market()
    assert line(market, "profile") == "fine + politics"
    assert line(market, "regime", 120) == "caution: one-sided flow, 42s left, half-spread x1.5, sizes x0.5"
    assert line(market, "schedule") == "fade, end date in 3h, sizes x0.62"
    assert line(market, "calendar") == "half-spread x1.5, changes in 15m: FOMC statement"
    assert line(market, "event") == "$812.50 at risk together, fair values sum to 101.3c"
    odd = msgspec.structs.replace(market, group=GroupView("", None, Usd(0), set_edge=0.012))
    assert (
        line(odd, "event", 120) == "$0.00 at risk together, a whole set costs 1.2c less than it pays: a price is wrong"
    )
    held = msgspec.structs.replace(market, group=GroupView("", None, Usd(8 * MICRO), Usd(-3 * MICRO), Usd(5 * MICRO)))
    assert line(held, "event", 120) == "$8.00 at risk together, what is held makes −3.00 to +5.00 by outcome"
    assert line(market, "operator") == "half-spread +3 ticks, halves every 60s, 4m left (operator)"


def test_a_market_whose_details_have_not_come_says_so():
    assert "on its way" in lines_of(a_market())[-1]


def test_a_calm_market_has_one_line_of_regime_only():
    market = a_market(detailed=True)
    assert line(market, "regime") == "normal"
    assert [line(market, label) for label in ("schedule", "calendar", "operator", "profile")] == [None] * 4
    assert "nothing is planned" in "\n".join(lines_of(market))


def test_why_orders_may_only_reduce_is_told():
    market = a_market(regime=RegimeView(reduces="an hour before the end date"))
    assert line(market, "reduce only") == "an hour before the end date"
    assert line(a_market(), "reduce only") is None


def test_a_row_of_the_calendar_to_come_is_told():
    market = a_market(regime=RegimeView(calendar_s=7_300.0))
    assert line(market, "calendar") == "nothing now, changes in 2h"


def test_an_end_that_has_passed_is_told_as_such():
    regime = RegimeView(phase="overdue", phase_s=-90_000.0, phase_of="end date", phase_warning="it still trades")
    assert line(a_market(regime=regime), "schedule") == "overdue, end date 1d ago, it still trades"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "half-spread +3 ticks, halves every 60s, 4m left"),
        ({"what": "shift", "amount": -2.5, "half_life_s": None, "left_s": None}, "fair −2.5 ticks"),
        (
            {"what": "one_side", "amount": 0.0, "sides": "ask", "half_life_s": None, "left_s": 90.0},
            "ask only, 90s left",
        ),
        ({"what": "size", "amount": 0.0, "half_life_s": None, "left_s": None}, "sizes x0"),
        ({"what": "size", "amount": 2.0, "half_life_s": None, "left_s": 0.4}, "sizes x2, 0s left"),
    ],
)
def test_adjustments_are_told_with_what_is_left_of_them(changes, words):
    assert adjustment_words(an_adjustment(**changes)) == words


def test_a_missing_side_says_the_rule_that_forbade_it():
    market = a_reasoned_market(bid_reason="hard cap")
    assert line(market, "no bid") == "hard cap"
    assert "; no bid: hard cap" in lines_of(market, 120)[0]


def test_rules_that_bind_are_told_once_for_layers_alike():
    market = a_reasoned_market()
    assert line(market, "bid 1") == "binds: model; room (hard cap)"
    assert line(market, "bid 2–3") == "binds: model; base"
    assert line(market, "ask 3") == "not placed: below min"


def test_layers_without_any_terms_have_no_column_but_a_reason():
    layers = tuple(
        a_layer(layer=number, ticks=None, size=shares(0), price_terms=(), size_terms=(), binding="", forbidden="range")
        for number in range(3)
    )
    lines = lines_of(a_market(layers=layers, orders=()))
    assert any(re.fullmatch(r" bid 1–3 +not placed: range", text) for text in lines)
    assert not any("cents, shares" in text for text in lines)


def test_an_order_kept_off_its_target_says_so():
    order = an_order(price=Ticks(412))
    leg = msgspec.structs.replace(order, on_no=True)
    market = a_market(layers=(a_layer(),), orders=(order, leg, an_order()))
    lines = [text for text in lines_of(market) if "stands at" in text]
    assert [" ".join(text.split()) for text in lines] == ["bid 1 stands at 41.2, wanted 41.3: keep: in tolerance"]


def test_outer_layers_give_way_to_the_width_and_are_counted():
    layers = tuple(
        a_layer(side=side, layer=number, binding=f"rule {number}") for side in ("bid", "ask") for number in range(10)
    )
    lines = lines_of(a_market(layers=layers, orders=()), 78)
    header = next(text for text in lines if text.startswith(" cents, shares"))
    assert header.split()[2:] == ["bid", "1", "bid", "2", "bid", "3", "ask", "1", "ask", "2", "ask", "3"]
    assert "14 outer layers have no room here" in "\n".join(lines)
    assert any("rule 9" in text for text in lines), "what bound them is told all the same"
    assert "outer layers" not in "\n".join(lines_of(a_market(layers=layers, orders=()), 200))


def test_sizes_of_whales_lose_cents_and_then_digits_but_no_column():
    for size, told in ((12_345_678, "12345678"), (1_234_567_890, ">999M")):
        layer = a_layer(size=shares(size), size_terms=(("base", shares(size)),))
        lines = lines_of(a_market(layers=(layer,), orders=()))
        assert any(re.search(rf"= size +({told})", text) for text in lines), lines
        assert "#" not in "".join(lines)


def test_without_a_market_it_says_so():
    assert "no market selected" in "\n".join(lines_of(None))


async def test_a_low_terminal_scrolls_and_says_how_much_is_left():
    widget = Why()
    app = WidgetApp(widget, lambda: widget.show(a_reasoned_market()))
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        assert widget._border_subtitle.plain == "1–12 of 30 lines, pgdn"
        widget.scroll_lines(100)
        await pilot.pause()
        assert "stands at" in screen_text(app)
        assert widget._border_subtitle.plain == "19–30 of 30 lines, pgdn"


@pictures
@pytest.mark.parametrize("size", [(80, 24), (118, 34)], ids=["80", "118"])
def test_picture(snap_compare, size):
    widget = Why()
    assert snap_compare(WidgetApp(widget, lambda: widget.show(a_reasoned_market())), terminal_size=size)


@pictures
def test_picture_of_an_order_in_mono(snap_compare):
    widget = Why()
    market = a_reasoned_market()
    app = WidgetApp(widget, lambda: widget.show(market, market.orders[1]), theme="polymm-mono")
    assert snap_compare(app, terminal_size=(80, 38))


def test_colours_warn_of_what_is_not_usual():
    rows = why_rows(a_reasoned_market(), 78)
    roles = {row.text.split()[0]: row.spans[-1].role for row in rows if row.text.strip()}
    assert (roles["regime"], roles["schedule"], roles["operator"]) == ("warn", "warn", "own")
    calm = why_rows(msgspec.structs.replace(a_reasoned_market(), regime=RegimeView(phase="open")), 78)
    roles = {row.text.split()[0]: row.spans[-1].role for row in calm if row.text.strip()}
    assert (roles["regime"], roles["schedule"]) == ("", "")
