import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.units import Ticks
from tests.widgets.harness import texts
from tests.widgets.view_builders import (
    a_cent_market,
    a_data,
    a_frozen,
    a_market,
    a_suspect,
    an_empty_book,
    an_inventory,
    an_order,
    an_unproven,
    levels,
    shares,
)
from widgets.ladder_rows import centre_of, clamp_top, columns_of, ladder_rows, price_lines


def rows(market=None, top=420, width=70, height=20):
    return ladder_rows(market or a_market(), top, width, height)


def price_line(tick, market=None, top=420, **size):
    return rows(market, top=top, **size)[1 + top - tick]


def roles(line):
    return {span.text.strip(): span.role for span in line.spans if span.text.strip()}


def test_no_market_is_said_in_words():
    assert "no market selected" in "\n".join(texts(ladder_rows(None, 0, 70, 20)))


def test_an_empty_book_says_why():
    market = a_market(data=an_empty_book(reason="subscribed, no snapshot yet"), bids=(), asks=())
    shown = texts(rows(market))
    assert "  no book yet" in shown
    assert "  subscribed, no snapshot yet" in shown
    assert len(shown) == 20
    assert "no book" in shown[-2]


def test_prices_fall_by_one_tick_a_line():
    prices = [line.text.split() for line in rows()[1:-2]]
    assert prices[0][0] == "42.0" and prices[1][0] == "41.9"
    assert len(prices) == price_lines(20)


def test_book_sizes_stand_left_and_right_of_their_price():
    bid, ask = price_line(413).text, price_line(416).text
    assert bid.index("710") < bid.index("41.3")
    assert ask.index("41.6") < ask.index("912")


def test_gaps_are_kept_as_empty_lines():
    market = a_cent_market()
    assert price_line(66, market, top=70).text.split() == ["66"]


def test_own_orders_carry_size_layer_and_signs():
    assert "300¹" in price_line(413).text
    assert "675³N" in price_line(411).text
    assert "185²" in price_line(417).text
    assert "675³…" in price_line(418).text


@pytest.mark.parametrize(
    ("state", "sign"),
    [("LIVE", ""), ("PARTIAL", ""), ("INTENT", "…"), ("DELAYED", "…"), ("UNKNOWN", "?"), ("CANCEL_SENT", "×")],
)
def test_an_order_that_is_not_simply_live_shows_how(state, sign):
    market = a_market(orders=(an_order(state=state),))
    assert f"300¹{sign} " in price_line(413, market).text


def test_an_order_that_scores_for_rewards_has_a_star():
    market = a_market(orders=(an_order(scoring=True, on_no=True), an_order(price=Ticks(412), scoring=False)))
    assert "300¹★N" in price_line(413, market).text
    assert "★" not in price_line(412, market).text


def test_orders_at_one_price_are_added():
    market = a_market(orders=(an_order(), an_order(layer=1, remaining=shares(50), on_no=True)))
    assert "350¹²N" in price_line(413, market).text


def test_a_huge_order_is_shortened_not_cut():
    market = a_market(orders=(an_order(remaining=shares(1_234_567), layer=9),))
    assert "1.2M¹⁰" in price_line(413, market).text


def test_queue_is_an_estimate_and_says_so():
    assert "~2.1k" in price_line(411).text
    assert "~" not in price_line(418).text


def test_model_prices_and_average_are_noted_on_the_nearest_line():
    assert price_line(415).text.rstrip().endswith("◂fair 41.52")
    assert price_line(414).text.rstrip().endswith("◂res 41.45")
    assert price_line(410, top=420).text.rstrip().endswith("◂avg 40.96")


def test_notes_on_one_line_are_shortened():
    market = a_market(fair=0.4152, reservation=0.4151, inventory=an_inventory(average=None))
    assert price_line(415, market).text.rstrip().endswith("◂F41.52 R41.51")


def test_the_average_of_a_short_position_is_shown_in_the_yes_frame():
    market = a_cent_market(fair=None, reservation=None)
    assert "avg 63.00" in price_line(63, market, top=70).text


def test_the_last_trade_marks_its_price_with_its_direction():
    assert "41.4 ▴" in price_line(414).text
    assert "41.4 ▾" in price_line(414, a_market(last_buy=False)).text
    assert "41.4 •" in price_line(414, a_market(last_buy=None)).text


def test_the_touch_is_strong_and_the_spread_muted():
    assert roles(price_line(413))["41.3"] == "strong"
    assert roles(price_line(414))["41.4"] == "muted"
    assert roles(price_line(416))["41.6"] == "strong"


def test_tint_grows_with_the_size():
    def tinted(tick):
        return sum(len(span.text) for span in price_line(tick).spans if span.role.endswith("-bar"))

    assert tinted(419) > tinted(418) > tinted(420) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (a_suspect(), ("suspect: book hash differs", "▲ book suspect for 0.8s; asking for a fresh book, try 2")),
        (a_frozen(), ("frozen: REST shows 44c/46c, we have", "■ frozen for 3.0s; asking for a fresh book, try 5")),
        (an_unproven(), ("unproven: REST shows 1c/99c while prices", "? unproven")),
    ],
    ids=["suspect", "frozen", "unproven"],
)
def test_a_book_not_believed_is_drawn_without_colour_and_says_why(data, words):
    lines = rows(a_market(data=data))
    assert not {"bid", "ask", "bid-bar", "ask-bar"} & {span.role for line in lines for span in line.spans}
    assert {"BID?", "ASK?"} < set(lines[0].text.split()), "readable without colour"
    assert [line.text[1:].startswith(word) for line, word in zip(lines[-2:], words, strict=True)] == [True, True]
    assert [line.spans[0].role for line in lines[-2:]] == ["warn", "warn"]


def test_the_reason_is_told_with_the_data_when_something_stricter_takes_the_line_above():
    lines = rows(a_market(data=a_suspect(), control="PAUSED", blocked_by="paused: by the operator"))
    assert lines[-2].text.startswith(" paused: by the operator")
    assert lines[-1].text.startswith(" ▲ book suspect for 0.8s: book hash differs")


@pytest.mark.parametrize("data", [a_data(), a_data(freshness="quiet", age_s=700.0), a_data(check_every=0)])
def test_a_book_that_is_believed_looks_so_however_old_its_last_message(data):
    """Quiet markets halted by their age earn nothing (peers.md T1)."""
    lines = rows(a_market(data=data))
    assert {"BID", "ASK"} < set(lines[0].text.split())
    assert {"bid", "ask", "bid-bar", "ask-bar"} <= {span.role for line in lines for span in line.spans}


def test_the_foot_says_what_the_data_are_worth_and_how_old_they_are():
    assert rows()[-1].text.rstrip() == " ● live, proven 0s ago, all hashes agree                     heard 0s"
    assert rows(a_cent_market(), top=70)[-1].text.strip().split("  ")[0] == "✓ quiet 42s, verified 3s ago"


@pytest.mark.parametrize(("control", "word"), [("PAUSED", "paused"), ("CANCEL_ONLY", "cancel only")])
def test_a_stopped_market_says_so_at_the_foot(control, word):
    assert word in rows(a_market(control=control))[-2].text


def test_beyond_sixty_levels_the_book_is_unseen_not_empty():
    deep = levels(*[(413 - i, 10) for i in range(60)])
    market = a_market(bids=deep)
    assert "·" in price_line(353, market, top=360).text
    assert "·" not in price_line(353, a_market(), top=360).text


def test_every_fifth_line_is_shaded():
    assert [line.ground for line in rows()[1:7]] == ["shade", "", "", "", "", "shade"]


def test_prices_off_the_grid_are_blank():
    market = a_cent_market()
    assert rows(market, top=3)[4].text == ""


@pytest.mark.parametrize("width", [40, 51, 52, 60, 66, 78, 120])
def test_no_line_is_wider_than_the_ladder(width):
    for line in rows(width=width):
        assert cell_len(line.text) <= width


def test_columns_give_way_in_order():
    assert columns_of(78).note and columns_of(78).queue
    assert not columns_of(52).note and columns_of(52).queue
    assert not columns_of(51).queue


@pytest.mark.parametrize(
    ("changes", "centre"),
    [
        ({}, 415),
        ({"asks": ()}, 415),
        ({"asks": (), "fair": None}, 413),
        ({"bids": (), "asks": (), "fair": None}, 414),
        ({"bids": (), "asks": (), "fair": None, "last_price": None}, None),
    ],
)
def test_the_centre_is_the_best_price_known(changes, centre):
    assert centre_of(a_market(**changes)) == centre


@given(st.integers(-500, 1500), st.sampled_from([10, 100, 1000]), st.integers(1, 60))
def test_the_axis_stays_on_the_grid(top, grid_k, lines):
    clamped = clamp_top(top, grid_k, lines)
    assert 1 <= clamped <= grid_k - 1
    assert clamped - lines + 1 >= 1 or lines >= grid_k - 1


@given(
    st.lists(st.tuples(st.integers(1, 99), st.floats(0.01, 1e9)), max_size=30),
    st.integers(1, 99),
    st.integers(30, 120),
    st.integers(3, 50),
)
def test_any_book_can_be_drawn(pairs, top, width, height):
    book = levels(*dict(pairs).items())
    market = a_cent_market(bids=book, asks=book, last_price=Ticks(top))
    lines = ladder_rows(market, top, width, height)
    assert len(lines) == height
