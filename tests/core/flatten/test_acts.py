"""Flattening through the engine: previews that hold for a while, steps on real books, and what is booked."""

from typing import Any

import pytest

from core.actions import Note, Place
from core.events import AccountSeen, FeedChanged, OperatorCommand, Recovered, Woken
from core.flatten.machine import PATIENCE_SEC
from core.flatten.preview import HOLDS_SEC, cost_words
from core.market.fees import FeeSchedule
from core.risk.control import Control
from core.risk.gate import Candidate
from core.units import MICRO, Ticks, Usd
from core.viewing import _flatten
from tests.builders import MARKET, NOON, Driver, VenueBook, a_market, notes, placed, shares, usd
from tests.core.flatten.floor import FEES, Floor


def state(floor: Floor) -> tuple[str, str]:
    control = floor.driver.engine.controls.of(MARKET)
    return control.state, control.reason


def test_preview_tells_everything_an_operator_wants_to_know() -> None:
    """Shares of both tokens, merge part, passive and crossing part with its fee, cost expected and at worst, proof."""
    floor = Floor(yes=1000, no=200)
    before = len(floor.driver.actions)
    text = floor.preview(most_cost=usd(60), passive_s=20.0).text
    assert "1000 YES, 200 NO; book proven" in text
    assert "200 pairs stay: transactions cannot be sent yet" in text or "200 pairs stay: nothing goes" in text
    assert "sell 800 YES: wait at 46c for 20 s" in text
    assert "then take 200 at 45c, 400 at 44c, 200 at 43c; fee $7.88" in text
    assert "at worst cost $60.00 (cap $60.00), against fair 46.00c; realised" in text
    assert not placed(floor.driver.actions[before:]) and floor.desk.flattening is None


def test_expected_cost_is_what_a_still_book_costs() -> None:
    """Worked by hand: 200 at 45, 400 at 44, 400 at 43 against a fair value of 46 cents, and the fee of each."""
    floor = Floor(yes=1000)
    floor.begin(most_cost=usd(60), passive_s=0.0)
    floor.go(20)
    assert floor.held() == (0, 0)
    sold = 200 * 0.45 + 400 * 0.44 + 400 * 0.43
    fee = 0.04 * (200 * 0.45 * 0.55 + 400 * 0.44 * 0.56 + 400 * 0.43 * 0.57)
    assert floor.cash == pytest.approx((sold - fee) * MICRO, abs=20)
    assert floor.fees == pytest.approx(fee * MICRO, abs=20)


def test_our_book_has_every_micro_dollar_of_what_was_taken() -> None:
    """Cash, fees and shares after a sweep over several levels; the three views of the book agree."""
    floor = Floor(yes=777.77, fees=FeeSchedule(rate=72_000))
    cash = floor.driver.engine.books.cash
    floor.begin(most_cost=usd(80), passive_s=0.0)
    floor.go(20)
    books = floor.driver.engine.books
    assert books.cash - cash == floor.cash
    assert books.portfolio.fees == floor.fees * MICRO
    assert not books.portfolio.check() and not books.trouble


@pytest.mark.parametrize("held", [{"yes": 500.0}, {"no": 500.0}])
def test_it_rests_then_crosses_and_ends_flat_and_paused(held: dict[str, float]) -> None:
    """Either token is sold for what it is, never bought back; until the deadline it only rests."""
    floor = Floor(**held)
    floor.begin(most_cost=usd(60), passive_s=10.0)
    floor.go(5)
    [order] = floor.driver.orders()
    assert (order.order_side, order.crosses, order.remaining) == ("SELL", False, shares(500))
    assert order.outcome == ("YES" if "yes" in held else "NO")
    floor.fill_resting(120)
    floor.go(4)
    assert sum(floor.held()) == 380 and not any(place.crosses for place in placed(floor.driver.actions))
    floor.go(10)
    assert floor.held() == (0, 0) and floor.desk.flattening is None
    assert state(floor) == ("PAUSED", "flattened; nothing left")
    assert not floor.driver.orders()


def test_cap_is_counted_from_the_fair_value_of_the_preview() -> None:
    """The market falls while it rests: what the fall costs is in the cap, so nothing crosses below it."""
    floor = Floor(yes=500)
    floor.begin(most_cost=usd(10), passive_s=10.0)
    floor.go(3)
    for tick in sorted(floor.book.bids):
        floor.driver.send(floor.book.set("bid", tick - 2, 500))
        floor.driver.send(floor.book.set("bid", tick, 0))
    told = notes(floor.go(10 + PATIENCE_SEC + 10))
    assert floor.desk.flattening is None and "at its cap" in told
    lost = usd(0.46 * 500) - floor.cash - floor.desk.inventory.yes * 460_000 // MICRO
    assert usd(9) <= lost <= usd(10) and 0 < floor.held()[0] < 500


def test_nothing_crosses_below_a_gap() -> None:
    """The bids end after 45, the next is 30: what rests there is not taken, whatever the cap, and that is said."""
    floor = Floor(yes=500)
    for tick in (44, 43, 42):
        floor.driver.send(floor.book.set("bid", tick, 0))
    floor.driver.send(floor.book.set("bid", 30, 5000))
    floor.go(2)
    floor.begin(most_cost=usd(200), passive_s=0.0)
    told = notes(floor.go(PATIENCE_SEC + 20))
    assert floor.held() == (300, 0)
    assert "15 ticks below the last: a gap" in told and "300 YES left" in state(floor)[1]


def test_gap_setting_decides_what_a_gap_is() -> None:
    """With a wider gap allowed the same book is crossed."""
    floor = Floor(yes=500, flatten_gap_ticks=20)
    for tick in (44, 43, 42):
        floor.driver.send(floor.book.set("bid", tick, 0))
    floor.driver.send(floor.book.set("bid", 30, 5000))
    floor.go(2)
    floor.begin(most_cost=usd(200), passive_s=0.0)
    floor.go(10)
    assert floor.held() == (0, 0)


def test_confirmation_is_used_up_stale_after_half_a_minute_and_bound_to_position_and_touch() -> None:
    """What is refused says why and changes nothing."""
    floor = Floor(yes=500)

    def confirm(word: str, why: str) -> None:
        said = notes(floor.act("flatten", confirm=word))
        assert why in said and floor.desk.flattening is None, said
        assert state(floor)[0] == "ACTIVE"

    confirm("", "needs the word of a preview")
    confirm("0badcafe", "no such preview")
    old = floor.preview().confirm
    floor.go(HOLDS_SEC + 1)
    confirm(old, "31 s old")
    confirm(old, "used already")
    moved = floor.preview().confirm
    floor.driver.send(floor.book.set("bid", 45, 0))
    floor.driver.send(floor.book.set("bid", 44, 0))
    floor.go(1)
    confirm(moved, "best bid has moved")
    other = floor.preview().confirm
    ask = next(order for order in floor.driver.orders() if order.side == "ask")
    floor.driver.fill(ask, 50)
    confirm(other, "the position has moved: 500 YES then, 450 now")
    one = floor.preview().confirm
    assert "preview" in notes(floor.act("flatten_all", market="", confirm=one)), "a market's word is not all markets'"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"most_cost": usd(1)}, "another cost"),
        ({"passive_s": 3.0}, "another wait"),
        ({"passive_s": 0.0}, "another wait"),
    ],
)
def test_confirmation_of_other_numbers_than_the_previews_is_refused(given: dict[str, Any], why: str) -> None:
    """``--confirm`` with a smaller cost does not do what a larger one was previewed for; the same may be said again."""
    floor = Floor(yes=500)
    word = floor.preview(most_cost=usd(60)).confirm
    assert why in notes(floor.act("flatten", confirm=word, **given))
    assert floor.desk.flattening is None and state(floor)[0] == "ACTIVE"
    word = floor.preview(most_cost=usd(60), passive_s=7.0).confirm
    floor.act("flatten", confirm=word, most_cost=usd(60), passive_s=7.0)
    assert floor.desk.flattening is not None


def test_cost_never_exceeds_the_previews_worst_though_more_comes_to_be_sold() -> None:
    """The cap is above what the shares are worth, so that is the worst; a late fill of a quote does not raise it."""
    floor = Floor(yes=20)
    made = floor.preview(most_cost=usd(100))
    assert "at worst cost $9.20" in made.text
    floor.act("flatten", confirm=made.confirm)
    assert floor.desk.flattening is not None and floor.desk.flattening.cap == usd(9.2)


def test_flattening_closes_a_leg_of_a_hedged_event_over_its_cap() -> None:
    """NO of two outcomes hedge each other: closing one lifts what the event may lose above its cap, and is done."""
    books = [
        VenueBook(a_market(market=name, yes=f"{name}1", no=f"{name}2", neg_risk=True, group="g", fees=FEES), mid=46)
        for name in ("0xa", "0xb")
    ]
    driver = Driver(*books, group_cap=0.0005, market_cap=0.5, gross_cap=1.0)
    driver.feeds()
    driver.send(AccountSeen(cash=usd(50_000), holdings=(("0xa2", shares(400)), ("0xb2", shares(400)))))
    for book in books:
        driver.send(book.book("YES"))
        driver.send(book.book("NO"))
    driver.pass_time(2.0)
    keeper, desk = driver.engine.gatekeeper, driver.engine.desks["0xa"]
    worst = keeper.exposures.worst("0xa")
    assert worst.group > 0
    assert not keeper.denials, "plans know that they may not close it either"
    ask = desk.touch_of_others[1]
    assert ask is not None
    grid = desk.instrument.grid
    for order in list(driver.orders()):
        driver.engine.orders.cancel(order, "test", driver.now)
    driver.answer_cancels()
    sale = Candidate("NO", "SELL", grid.complement(ask), shares(400), "bid", grid, crosses=True, flattens=True)
    assert keeper.judge(desk, sale, driver.now) is None
    quote = sale._replace(crosses=False, flattens=False, price=grid.complement(Ticks(ask - 1)))
    denial = keeper.judge(desk, quote, driver.now)
    assert denial is not None and denial.code == "group_cap"


def test_touch_that_moved_by_a_tick_is_confirmed() -> None:
    """A tick of the touch is what a preview bears."""
    floor = Floor(yes=500)
    word = floor.preview().confirm
    floor.driver.send(floor.book.set("bid", 45, 0))
    floor.go(1)
    assert "flattening" in notes(floor.act("flatten", confirm=word))


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({"passive_s": -1.0}, "no time to wait"),
        ({"passive_s": float("nan")}, "no time to wait"),
        ({"passive_s": 1e9}, "no time to wait"),
        ({"most_cost": Usd(-1)}, "is no bound"),
        ({"market": "0xfeed"}, "no such market"),
        ({"market": ""}, "which market?"),
    ],
)
def test_bad_commands_are_refused(over: dict[str, Any], why: str) -> None:
    """Unknown markets and numbers that are none: a warning, and nothing changes."""
    floor = Floor(yes=500)
    told = floor.act("flatten", preview=True, **({"market": MARKET} | over))
    assert why in notes(told) and getattr(told[-1], "confirm", "") == ""
    assert floor.desk.flattening is None


def test_unproven_book_is_not_previewed_and_not_crossed() -> None:
    """A book that is lost while it waits: no order, until its patience ends with what is left."""
    floor = Floor(yes=500)
    floor.begin(passive_s=5.0, most_cost=usd(60))
    floor.go(2)
    floor.driver.send(FeedChanged(feed="market", connected=False))
    floor.go(2)
    assert floor.desk.data_trouble and not floor.driver.orders()
    told = floor.go(PATIENCE_SEC + 20)
    assert not any(place.crosses for place in placed(told)) and floor.held() == (500, 0)
    assert floor.desk.flattening is None
    assert not floor.preview().confirm and "the book is not proven" in floor.preview().text


def test_stop_and_pause_end_it_at_once() -> None:
    """Abort between steps: nothing rests any more, and the market stays paused."""
    for act in ("flatten_stop", "pause", "pause_all"):
        floor = Floor(yes=500)
        floor.begin(passive_s=60.0)
        floor.go(3)
        assert len(floor.driver.orders()) == 1
        floor.act(act, market="" if act == "pause_all" else MARKET)
        floor.go(3)
        assert floor.desk.flattening is None and not floor.driver.orders()
        assert state(floor)[0] == "PAUSED" and floor.held() == (500, 0)


def test_view_tells_step_progress_and_cost() -> None:
    """What the console and ``status`` show of it, from the first look on; nothing once it is over."""
    floor = Floor(yes=500)
    view = _flatten(floor.desk.flattening, floor.driver.now)
    assert view is None
    floor.begin(most_cost=usd(60), passive_s=20.0)
    floor.go(3)
    floor.fill_resting(120)
    floor.go(1)
    view = _flatten(floor.desk.flattening, floor.driver.now)
    assert view is not None and view.left_s is not None and 10 < view.left_s < 20
    assert (view.step, view.start, view.left, view.cap) == ("passive", shares(500), shares(380), usd(60))
    assert view.text == "380 rest at 46c" and view.author == "test" and view.spent == 0
    assert floor.desk.blocked_by == view.text
    floor.go(60)
    assert _flatten(floor.desk.flattening, floor.driver.now) is None


def test_kill_ends_it() -> None:
    """After a kill nothing is placed, and the flattening is over, not waiting."""
    floor = Floor(yes=500)
    floor.begin(passive_s=60.0)
    floor.go(3)
    floor.act("kill")
    assert not placed(floor.go(5))
    assert floor.desk.flattening is None and state(floor)[0] == "KILLED"


def test_position_that_has_turned_is_not_called_flat() -> None:
    """A quote that fills late may buy more of the other token than was to be sold: that is said, with what is open."""
    floor = Floor(yes=100)
    ask = next(order for order in floor.driver.orders() if order.side == "ask" and order.order_side == "BUY")
    floor.begin(passive_s=5.0)
    floor.tell(ask, ask.size)
    told = notes(floor.go(10))
    assert floor.desk.flattening is None and floor.desk.inventory.net < 0
    assert "the position has turned" in told and "flattened;" not in told
    assert state(floor)[0] == "PAUSED" and "has turned" in state(floor)[1]


@pytest.mark.parametrize("source", ["loss", "drawdown", "streak", "operator"])
def test_it_works_while_other_states_hold(source: Any) -> None:
    """A loss limit, a protection or a pause of before do not keep a position from being closed."""
    floor = Floor(yes=500)
    engine, now = floor.driver.engine, floor.driver.now
    wanted = "PAUSED" if source in ("operator", "streak") else "REDUCE_ONLY"
    engine.stops.set(Control(wanted, "because", source), now)
    floor.go(1)
    floor.begin(most_cost=usd(60), passive_s=0.0)
    floor.go(10)
    assert floor.held() == (0, 0)


def test_restart_ends_it_with_a_pause_and_a_word() -> None:
    """What was confirmed belongs to a fair value of then: a new session does not go on with it."""
    driver = Driver(VenueBook())
    held = Control("REDUCE_ONLY", "flattening", "flatten", author="test", market=MARKET, since_unix=NOON - 60.0)
    driver.send(Woken(driver.unix))
    told = notes(driver.send(Recovered(controls=(held,))))
    control = driver.engine.controls.of(MARKET)
    assert control.state == "PAUSED" and "ended with its session" in control.reason
    assert "preview it anew" in told and driver.desk.flattening is None


def test_order_that_found_nothing_is_no_refusal() -> None:
    """A FAK that missed neither holds the market back nor counts as a reject, and is tried again."""
    floor = Floor(yes=300)
    floor.begin(most_cost=usd(60), passive_s=0.0)
    bids = dict(floor.book.bids)
    floor.driver.pass_time(0.5)
    floor.driver.answer_cancels()
    floor.driver.pass_time(0.5)
    floor.book.bids = {}
    floor.answer()
    floor.book.bids = bids
    orders = floor.driver.engine.orders
    assert orders.counts.rejects == 0 and not floor.desk.is_held(floor.driver.now)
    floor.go(5)
    assert floor.held() == (0, 0)


def test_flattening_all_is_one_word_for_every_market_and_its_cap_is_divided_by_worth() -> None:
    """Markets without a position are left out; a cap of a dollar is a dollar in all."""
    floor = Floor(yes=500)
    made = floor.preview("flatten_all", market="", most_cost=usd(1))
    assert "at worst cost $1.00" in made.text and "in all" in made.text
    floor.act("flatten_all", market="", confirm=made.confirm)
    assert floor.desk.flattening is not None and floor.desk.flattening.cap == usd(1)
    assert "it is being flattened" in floor.preview().text


def test_cap_of_all_is_divided_among_markets_by_what_each_is_worth() -> None:
    """400 and 100 shares at the same price: four fifths and one fifth of it, and no more in sum."""
    books = [
        VenueBook(a_market(market=name, yes=f"{name}1", no=f"{name}2", fees=FEES), mid=46) for name in ("0xa", "0xb")
    ]
    driver = Driver(*books)
    driver.feeds()
    driver.send(AccountSeen(cash=usd(50_000), holdings=(("0xa1", shares(400)), ("0xb1", shares(100)))))
    for book in books:
        driver.send(book.book("YES"))
        driver.send(book.book("NO"))
    driver.pass_time(2.0)
    ask = OperatorCommand(act="flatten_all", who="test", preview=True, most_cost=usd(10))
    [made] = [note for note in driver.send(ask) if isinstance(note, Note)]
    driver.send(OperatorCommand(act="flatten_all", who="test", confirm=made.confirm))
    caps = [driver.engine.desks[name].flattening.cap for name in ("0xa", "0xb")]
    assert caps == [usd(8), usd(2)]


def test_order_that_crosses_is_left_to_end_by_itself() -> None:
    """Signing and writing it down may take longer than a look at the market: it is sent all the same."""
    floor = Floor(yes=100)
    floor.begin(most_cost=usd(40), passive_s=0.0)
    crossing = []
    while not crossing:
        floor.driver.pass_time(0.25)
        floor.driver.answer_cancels()
        crossing = [order for order in floor.driver.orders() if order.crosses]
    for size in range(50, 62):
        floor.driver.send(floor.book.set("bid", 30, size))
        floor.driver.pass_time(0.25)
    assert floor.driver.engine.orders.is_wanted(crossing[0].intent)
    floor.go(5)
    assert floor.held() == (0, 0)


@pytest.mark.parametrize("act", ["resume", "pause", "pause_all"])
def test_act_that_ends_it_lets_no_crossing_order_out(act: Any) -> None:
    """What was placed and has not left is not wanted any more; nobody would answer for its fill."""
    floor = Floor(yes=100)
    floor.begin(most_cost=usd(40), passive_s=0.0)
    crossing = []
    while not crossing:
        floor.driver.pass_time(0.25)
        floor.driver.answer_cancels()
        crossing = [order for order in floor.driver.orders() if order.crosses]
    floor.act(act, market="" if act == "pause_all" else MARKET)
    assert not floor.driver.engine.orders.is_wanted(crossing[0].intent)


def test_settings_decide_cap_and_wait() -> None:
    """Without numbers of its own a flattening costs at most the setting's part, and waits as long as it says."""
    floor = Floor(yes=500, flatten_cost_frac=0.1, flatten_passive_sec=7.0)
    floor.begin()
    machine = floor.desk.flattening
    assert machine.cap == usd(0.46 * 500 * 0.1)
    floor.go(3)
    assert machine.until_s is not None and 3.0 <= machine.until_s - floor.driver.now <= 7.0


def test_fee_that_nobody_told_is_no_ground_for_crossing() -> None:
    """It rests, and ends with what is left: a worst cost that cannot be told is not promised."""
    floor = Floor(yes=500, fees=None)
    assert "500 YES may stay: what taking costs in this market is not told" in floor.preview().text
    floor.begin(passive_s=2.0)
    floor.go(PATIENCE_SEC + 20)
    assert floor.held() == (500, 0) and floor.desk.flattening is None


def test_late_fill_of_a_quote_is_sold_too_and_the_cap_stays() -> None:
    """A quote that fills while it is cancelled adds to what is to be sold, not to what it may cost."""
    floor = Floor(yes=300)
    bid = next(order for order in floor.driver.orders() if order.side == "bid")
    floor.begin(most_cost=usd(60), passive_s=5.0)
    floor.driver.fill(bid, 40)
    floor.driver.fill(bid, 40, "confirmed", f"trade-{bid.intent}-0")
    floor.go(20)
    assert floor.held() == (0, 0) and floor.desk.flattening is None


def test_only_orders_of_a_flattening_are_marked() -> None:
    """Quotes neither cross nor flatten; both marks reach the venue's order type and the gate."""
    floor = Floor(yes=300)
    quotes = placed(floor.driver.actions)
    assert quotes and not any(place.flattens or place.crosses for place in quotes)
    floor.begin(most_cost=usd(60), passive_s=3.0)
    since = len(floor.driver.actions)
    floor.go(10)
    mine: list[Place] = placed(floor.driver.actions[since:])
    assert (mine[0].flattens, mine[0].crosses) == (True, False) and mine[-1].crosses


def test_pairs_that_cannot_be_merged_stay_and_only_the_position_is_sold() -> None:
    """1000 YES and 200 NO: 800 YES are sold, the 200 pairs are worth a dollar each whatever happens."""
    floor = Floor(yes=1000, no=200)
    floor.begin(most_cost=usd(60), passive_s=0.0)
    floor.go(10)
    assert floor.held() == (200, 200)
    assert "flattened; 200 YES and 200 NO left" in state(floor)[1]


def test_what_we_took_is_no_evidence_of_those_who_take_from_us() -> None:
    """Neither markouts nor protections nor the estimate of rebates heed it; what rested and filled they do."""
    floor = Floor(yes=500, fees=FeeSchedule(rate=40_000, rebate=250_000))
    seen = floor.desk.stance.markouts
    floor.begin(most_cost=usd(60), passive_s=3.0)
    floor.go(2)
    floor.fill_resting(100)
    assert len(seen._fills) == 1
    rebates = dict(floor.driver.engine.earnings.rebates)
    assert rebates
    floor.go(10)
    assert floor.held() == (0, 0)
    assert len(seen._fills) <= 1 and floor.driver.engine.earnings.rebates == rebates


def test_what_a_flattening_costs_is_told_in_the_frame_of_the_screen() -> None:
    """Cents, and those of YES beside those of NO; a gain is called one."""
    text = Floor(no=500).preview(most_cost=usd(10)).text
    assert "against fair 54.00c NO (46.00c YES)" in text
    assert cost_words(Usd(2_520_000), Usd(6_970_000)) == "cost $2.52, at worst cost $6.97"
    assert cost_words(Usd(-3_090_000), Usd(2_230_000)) == "earns $3.09, at worst cost $2.23"
