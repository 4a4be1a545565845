import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.units import Ticks
from core.views import GroupView
from tests.widgets.harness import texts
from tests.widgets.view_builders import (
    a_cent_market,
    a_data,
    a_frozen,
    a_market,
    a_pnl,
    a_suspect,
    an_empty_book,
    an_inventory,
    an_order,
    an_unproven,
    flat_inventory,
    levels,
    shares,
    usd,
)
from widgets.ladder_axis import centre_of, clamp_top, columns_of, price_lines
from widgets.ladder_marks import break_even, filled_levels
from widgets.ladder_rows import Look, _axis, ladder_rows


def rows(market=None, top=420, width=70, height=20, look=None):
    return ladder_rows(market or a_market(), top, width, height, look)


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
    prices = [line.text.split() for line in rows()[1:-3]]
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


def signs(tick, market=None, **size):
    """What stands between a line's bid and its price."""
    columns = columns_of(size.get("width", 70))
    left = columns.mine + columns.queue + columns.size
    return price_line(tick, market, **size).text[left : left + columns.marks].strip()


def foot(market=None, **size):
    return texts(rows(market, **size))[-3].strip()


def test_model_position_and_rewards_are_marked_on_the_nearest_line():
    market = a_market(reward_band=(Ticks(408), Ticks(419)))
    marked = {tick: signs(tick, market) for tick in range(408, 421)}
    assert {tick: sign for tick, sign in marked.items() if sign} == {
        408: "[", 410: "A", 413: "B", 414: "R", 415: "F", 419: "]"
    }  # fmt: skip


def test_the_foot_tells_what_the_marks_mean_and_their_exact_prices():
    market = a_market(reward_band=(Ticks(408), Ticks(419)))
    assert foot(market, width=78) == "F fair 41.52  R res 41.45  A avg 40.96  B even 41.27  [ ] reward 40.8–41.9"
    assert foot(market, width=60) == "F 41.52  R 41.45  A 40.96  B 41.27  [ ] 40.8–41.9"


def test_marks_on_one_line_stand_side_by_side_and_a_plus_stands_for_the_rest():
    held = an_inventory(average=0.4149, mark=usd(0.4152))
    market = a_market(fair=0.4152, reservation=0.4151, inventory=held, pnl=a_pnl(total=usd(0.1)))
    assert signs(415, market) == "FR+"


def test_the_average_of_a_short_position_is_shown_in_the_yes_frame():
    market = a_cent_market(fair=None, reservation=None)
    assert "A" in signs(63, market, top=70)
    assert "A avg 63.00" in foot(market, top=70)


@pytest.mark.parametrize(
    ("net", "mark", "total", "price"),
    [
        (100, 0.40, 10.0, 0.30),  # long YES with a gain: it may fall
        (100, 0.40, -10.0, 0.50),
        (-100, 0.40, 10.0, 0.50),  # long NO with a gain: YES may rise
        (-100, 0.40, -10.0, 0.30),
        (0, 0.40, 10.0, None),
        (100, None, 10.0, None),
        (100, 0.40, 50.0, None),  # not even at nothing
        (-1, 0.40, 50.0, None),
    ],
)
def test_the_break_even_is_where_the_whole_profit_is_nothing(net, mark, total, price):
    found = break_even(shares(net), None if mark is None else usd(mark), usd(total))
    assert found == (None if price is None else pytest.approx(price))


@given(st.integers(-(10**9), 10**9).filter(bool), st.integers(1, 999_999), st.integers(-(10**12), 10**12))
def test_at_the_break_even_nothing_is_won_whatever_is_held(net, mark, total):
    price = break_even(net, mark, total)
    if price is not None:
        assert total + net * (price - mark / 1e6) == pytest.approx(0.0, abs=1.0)


def test_a_resolved_market_has_no_break_even():
    market = a_market(inventory=an_inventory(payout=usd(1), mark=usd(1)))
    assert "even" not in foot(market)


def test_the_price_at_which_an_event_adds_up_is_marked():
    market = a_market(group=GroupView("", 1.004, usd(0)))
    assert signs(411, market) == "="
    assert "= parity 41.12" in foot(market, width=78)


def test_nothing_to_mark_is_said_in_words():
    market = a_market(fair=None, reservation=None, inventory=flat_inventory())
    assert foot(market) == "no fair value, no position: nothing to mark"


# Queue, volume, last trade


def test_a_wide_ladder_tells_the_level_the_queue_is_a_part_of():
    assert "~800/2.4k" in price_line(412, width=80).text
    assert "~800 " in price_line(412, width=70).text


def test_the_volume_at_a_price_stands_at_the_end_of_its_line():
    market = a_market(volumes=((Ticks(413), shares(1640)), (Ticks(414), shares(123_456))))
    assert price_line(413, market).text.rstrip().endswith(" 1,640")
    assert price_line(414, market).text.rstrip().endswith(" 123k")
    assert price_line(412, market).text.rstrip().endswith("41.2")


def test_the_last_trade_tells_its_size_where_there_is_room():
    assert "41.4 ▴55 " in price_line(414, width=70).text
    assert "41.4 ▴ " in price_line(414, width=60).text
    assert "last ▴ bought 41.4 55" in rows()[-2].text


# Depth, cursor, fills


def test_several_ticks_a_line_add_sizes_up_and_name_the_lowest_price():
    shown = texts(rows(look=Look(5), top=85))
    assert "FROM×5" in shown[0]
    line = shown[1 + 85 - 82]
    assert line.split()[:2] == ["1.4k¹⁺N", "~2.1k"] and " 41.0 " in line
    assert "8,065" in line, "710 + 2,400 + 3,975 + 980 of 41.0 to 41.4"
    assert "13,697" in shown[1 + 85 - 83]


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 10**9)), max_size=30), st.sampled_from([1, 5, 10]))
def test_no_share_is_lost_by_the_depth(pairs, step):
    """Every level shows in exactly one line."""
    book = levels(*dict(pairs).items())
    market = a_cent_market(bids=book, asks=(), orders=())
    axis = _axis(market, [], Look(step), columns_of(70), 99 // step, 100)
    assert sum(axis.bids.values()) == sum(level.size for level in book)
    assert all(line * step <= 99 for line in axis.bids)


def test_the_cursor_has_a_sign_and_a_ground():
    line = rows(look=Look(1, 413))[1 + 420 - 413]
    assert "› 41.3" in line.text and line.ground == "cursor"
    assert sum("›" in each for each in texts(rows(look=Look(1, 413)))) == 1


def test_a_fill_shows_by_a_sign_on_its_line():
    market = a_market(orders=(an_order(),))
    shown = rows(market, look=Look(filled=frozenset({("bid", 413), ("ask", 416)})))
    bid, ask = shown[1 + 420 - 413], shown[1 + 420 - 416]
    assert bid.text.startswith("◆   300¹") and bid.spans[0].role == "badge"
    assert ask.text.count("◆") == 1, "the order is gone, its price is told"


def test_fills_are_told_by_price_priority():
    old = a_market()
    new = a_market(pnl=a_pnl(bought=old.pnl.bought + shares(350), sold=old.pnl.sold + shares(1)))
    assert filled_levels(old, new) == [("bid", 413), ("bid", 412), ("ask", 416)]
    assert filled_levels(old, old) == []


# Narrow


def test_under_sixty_cells_a_list_tells_touch_own_best_and_position():
    shown = texts(rows(width=57, height=12))
    assert shown[:8] == [
        " ask         41.6  912",
        " bid         41.3  710",
        " touch     3 ticks wide",
        " our ask     41.6  300¹ ~40 ahead, 2 more",
        " our bid     41.3  300¹ ~10 ahead, 2 more",
        " fair      41.52",
        " position  +1,240 YES at 40.96c",
        " last      ▴ bought 41.4 55",
    ]
    assert len(shown) == 12 and shown[-1].startswith(" ● heard")


def test_a_list_of_a_market_without_anything_says_so():
    market = a_market(bids=(), orders=(), last_price=None, inventory=flat_inventory())
    shown = texts(rows(market, width=40, height=12))
    assert shown[2:5] == [" touch     one side is empty", " our ask   none", " our bid   none"]
    assert shown[6] == " position  flat"


def test_the_last_trade_marks_its_price_with_its_direction():
    assert "41.4 ▴" in price_line(414).text
    assert "41.4 ▾" in price_line(414, a_market(last_buy=False)).text
    assert "41.4 •" in price_line(414, a_market(last_buy=None)).text


def test_the_touch_is_strong_and_the_spread_muted():
    plain = a_market(fair=None, reservation=None, inventory=flat_inventory(), last_price=None)
    assert roles(price_line(413, plain))["41.3"] == "strong"
    assert roles(price_line(414, plain))["41.4"] == "muted"
    assert roles(price_line(416, plain))["41.6"] == "strong"


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
    assert rows()[-1].text.rstrip() == " ● heard, proven 0s ago, all hashes agree                    heard 0s"
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
    """At 80 cells with their border everything, at 60 no volume and one queue."""
    assert columns_of(78).has_level and columns_of(78).volume and columns_of(78).queue_ask
    middle = columns_of(67)
    assert middle.volume and middle.queue_ask and middle.last > 1 and not middle.has_level
    narrow = columns_of(58)
    assert narrow.queue and not narrow.volume and not narrow.queue_ask


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (58, ["MINE", "QUEUE", "BID", "PRICE", "ASK", "MINE"]),
        (62, ["MINE", "QUEUE", "BID", "PRICE", "ASK", "QUEUE", "MINE", "VOL"]),
        (78, ["MINE", "QUEUE", "BID", "PRICE", "LAST", "ASK", "QUEUE", "MINE", "VOL"]),
    ],
)
def test_the_header_names_the_columns_in_their_order(width, names):
    assert rows(width=width)[0].text.split() == names


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
