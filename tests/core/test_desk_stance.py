"""What regime, schedule, calendar, toxic flow and the operator do to a market's orders, through the whole engine."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, Final

import pytest
from msgspec import json, structs

from core.actions import Action, Cancel, CancelAll, Note, Place
from core.config import Effective, Settings, Tables
from core.desk import WAITS
from core.engine import Engine
from core.events import FillSeen, InstrumentAdded, MarketMessage, OperatorCommand, Woken
from core.orders.order import Order, State
from core.profiles import Profiles
from core.quoting.explain import NANO, LayerExplanation
from core.units import MICRO, Side
from tests.builders import DAY, MARKET, NO, NOON, YES, Driver, VenueBook, a_market, cancelled, notes, placed, shares
from tests.core.test_engine_properties import STEPS, WEIGHTS, CheckedEngine, World
from tests.hostile import _walk, state_digest

EAGER: Final[dict[str, Any]] = {"hyst_ticks": 0, "min_life_sec": 0.0, "requote_queue_levels": 1, "alpha_fair": 0.9} | {
    "keep_edge_frac": 1.0,
    "resize_tol": 0.0,
}
"""Orders follow their targets at once, so that what stands is what is wanted."""


# Builders


def fine(held: float = 0, *, facts: dict[str, Any] | None = None, **over: Any) -> tuple[Driver, VenueBook]:
    """A market on a tenth of a cent that quotes, with room between the touches; ``facts`` are of the instrument."""
    book = VenueBook(a_market("0.001", **(facts or {})), mid=460)
    return Driver(book, **(EAGER | over)).quoting(**({"yes": held} if held else {})), book


def with_profiles(
    book: VenueBook, calendar: tuple[dict[str, Any], ...] = (), held: float = 0, **over: Any
) -> tuple[Driver, VenueBook]:
    """The same with profiles and a calendar behind the engine, as a session has them."""
    driver, settings = Driver(), Settings(**(EAGER | over))
    origins = {item.name: "flag" if item.name in EAGER | over else "default" for item in fields(Settings)}
    profiles = Profiles(Effective(settings, origins, Tables("settings.toml", {}, {}, calendar)))
    driver.engine, driver.books = Engine(settings, own_in_book=False, profiles=profiles), (book,)
    driver.send(InstrumentAdded(book.instrument))
    return driver.quoting(**({"yes": held} if held else {})), book


def cents(calendar: tuple[dict[str, Any], ...] = (), held: float = 0, **over: Any) -> Driver:
    return with_profiles(VenueBook(), calendar, held, **over)[0]


def go_on(driver: Driver, seconds: float, step: float = 1.0) -> None:
    """Let time go on while the venue answers everything that is asked of it."""
    for _ in range(round(seconds / step)):
        driver.pass_time(step - 0.3)
        driver.answer()
        driver.answer_cancels()
        driver.pass_time(0.3)
        driver.answer()


def move_to(driver: Driver, book: VenueBook, mid: int) -> list[Action]:
    """All of the book moves, and is told as a whole."""
    book.bids, book.asks = {mid - 1 - n: 300 for n in range(12)}, {mid + 1 + n: 300 for n in range(12)}
    book.ms += 5
    return driver.send(book.book())


def wake(driver: Driver) -> list[Action]:
    """Let the engine think without a moment passing; it must have asked for it."""
    assert driver.engine.next_wake() <= driver.now
    return driver.send(Woken(driver.unix))


def sizes(driver: Driver, side: str = "") -> int:
    """Micro-shares that stand on a side, or on both."""
    return sum(order.remaining for order in driver.orders() if side in ("", order.side))


def spread(driver: Driver) -> int:
    """Ticks between our innermost orders."""
    orders = driver.orders()
    asks = [order.yes_price for order in orders if order.side == "ask"]
    return min(asks) - max(order.yes_price for order in orders if order.side == "bid")


def halves(driver: Driver) -> tuple[float, float]:
    pricing = driver.desk.plan.pricing
    return pricing.half_bid, pricing.half_ask


def layers(driver: Driver) -> tuple[LayerExplanation, ...]:
    explained = driver.engine.explain(MARKET, driver.now)
    assert explained is not None
    return explained.layers


def terms(driver: Driver, side: str = "bid", of: str = "price") -> dict[str, int]:
    """Terms of the innermost layer of a side."""
    [one] = [layer for layer in layers(driver) if (layer.side, layer.layer) == (side, 0)]
    return {term.name: term.amount for term in (one.price_terms if of == "price" else one.size_terms)}


def conditions(driver: Driver) -> str:
    """What the explanation says that changes the quotes beside book and inventory."""
    explained = driver.engine.explain(MARKET, driver.now)
    assert explained is not None
    return "; ".join(line for line in explained.conditions if not line.startswith("warming up"))


def standing(driver: Driver) -> Counter[tuple[str, int]]:
    """What stands at each price, micro-shares."""
    found: Counter[tuple[str, int]] = Counter()
    for order in driver.orders():
        found[order.side, order.yes_price] += order.remaining
    return found


def unproven(message: MarketMessage) -> MarketMessage:
    """A change whose touch is true and whose hash fits no book yet."""
    changes = tuple([structs.replace(change, hash="0" * 40) for change in message.price_changes or ()])
    return structs.replace(message, price_changes=changes)


def operator(driver: Driver, act: Any, **payload: Any) -> list[Action]:
    return driver.send(OperatorCommand(act=act, market=MARKET, who="test", **payload))


def nearest(driver: Driver, side: Side) -> Order:
    """Our innermost order of a side."""
    of_side = [order for order in driver.orders(State.LIVE, State.PARTIAL) if order.side == side]
    return max(of_side, key=lambda order: order.yes_price if side == "bid" else -order.yes_price)


# Events


def test_a_jump_pulls_every_order_in_the_same_step() -> None:
    """Orders at prices of another world are the first thing that is taken: no debounce may stand before the cancels."""
    driver, book = fine()
    driver.send(book.set("bid", 459, 250))
    driver.pass_time(0.3)
    at_work = {order.order_id for order in driver.orders(State.LIVE)}
    assert driver.now - driver.desk._last_decision_s < 0.25, "a decision was taken a moment ago"
    move_to(driver, book, 500)
    pulled = cancelled(wake(driver))
    assert at_work and {one.order_id for one in pulled if isinstance(one, Cancel)} == at_work
    assert all("the price jumped" in one.reason for one in pulled)
    assert "the price jumped" in driver.desk.blocked_by


def test_quotes_come_back_after_the_cool_off_wider_and_narrow_again_with_time() -> None:
    """Nobody knows the new price at once: half a minute without quotes, then twice as wide, then less so."""
    driver, book = fine(event_cooloff_sec=30.0, event_spread_mult=2.0, event_decay_sec=60.0, k_vol=0.0, k_fee_ticks=5.0)
    usual = spread(driver)
    move_to(driver, book, 500)
    go_on(driver, 29.0)
    assert not driver.orders() and not placed(driver.actions[-1:])
    go_on(driver, 3.0)
    assert halves(driver)[0] == pytest.approx(2 * 0.005, rel=0.05)
    widths, factors = [spread(driver)], [driver.desk.plan.pricing.factor]
    assert terms(driver)["regime"] < 0 < terms(driver, "ask")["regime"], "it is told why"
    for _ in range(12):
        go_on(driver, 6.0)
        widths.append(spread(driver))
        factors.append(driver.desk.plan.pricing.factor)
    assert factors == sorted(factors, reverse=True) and len(set(factors)) > 5 and factors[-1] == 1.0
    assert widths == sorted(widths, reverse=True) and widths[0] > widths[-1] == usual
    assert "regime" not in terms(driver)


def test_a_second_jump_during_the_cool_off_begins_it_anew() -> None:
    """The clock runs from the last event, not from the first."""
    driver, book = fine()
    move_to(driver, book, 500)
    go_on(driver, 20.0)
    move_to(driver, book, 540)
    go_on(driver, 25.0)
    assert not driver.orders()
    go_on(driver, 8.0)
    assert driver.orders()


def test_a_sweep_of_the_near_depth_pulls_as_a_jump_does() -> None:
    """Who takes nearly all that is displayed knows something, and the price has not even moved yet."""
    driver = Driver(VenueBook()).quoting()
    driver.pass_time(3.0)
    driver.send(driver.books[0].trade("0.49", "1700"))
    assert len(cancelled(wake(driver))) == 6 and "sweep of the asks" in driver.desk.blocked_by
    driver.answer_cancels()
    go_on(driver, 28.0)
    assert not driver.orders()
    go_on(driver, 4.0)
    assert len(driver.orders()) == 6 and driver.desk.posture.spread_factor > 1.5


def test_small_trades_of_a_second_make_one_sweep_and_far_apart_ones_none() -> None:
    """A sweep is told in many messages; the same volume over a minute is trade as usual."""
    for gap, is_sweep in ((0.05, True), (5.0, False)):
        driver = Driver(VenueBook()).quoting()
        driver.pass_time(3.0)
        for number in range(4):
            driver.books[0].ms += round(gap * 1000)
            driver.send(driver.books[0].trade("0.47", f"4{number}0"))
            driver.pass_time(gap)
        assert (driver.desk.posture.regime.name == "event") is is_sweep


@pytest.mark.parametrize(("stamps", "is_sweep"), [((1, 1), False), ((1, 2), True)])
def test_a_trade_that_two_sockets_tell_is_one_trade(stamps: tuple[int, int], is_sweep: bool) -> None:
    """Half of the near depth told twice is half of it; told of two trades it is all of it."""
    driver = Driver(VenueBook()).quoting()
    driver.pass_time(3.0)
    for stamp in stamps:
        driver.books[0].ms = NOON * 1000 + stamp
        driver.send(driver.books[0].trade("0.48", "900"))
    driver.pass_time(0.3)
    assert (driver.desk.posture.regime.name == "event") is is_sweep


def test_a_sweep_of_a_lost_book_says_nothing() -> None:
    """Against depth that is not to be believed no trade is a sweep; quotes come back as soon as the book does."""
    driver = Driver(VenueBook()).quoting()
    driver.pass_time(3.0)
    driver.desk.tracked.lose("test", driver.now)
    driver.send(driver.books[0].trade("0.49", "1700"))
    driver.pass_time(1.5)
    assert driver.desk.stance.regime.at(driver.now).name == "normal"


def test_a_jump_whose_proof_is_pending_pulls_all_the_same() -> None:
    """A book in doubt keeps its orders for half a second; one that jumped must not (the fast ones need less)."""
    driver = Driver(VenueBook()).quoting()
    book = driver.books[0]
    taken = [("bid", tick, 0) for tick in book.bids]
    book.bids, book.asks = {30: 500}, {36: 400} | book.asks
    book.ms += 5
    driver.send(unproven(book.change([*taken, ("bid", 30, 500), ("ask", 36, 400)])))  # type: ignore[list-item]
    assert driver.desk.data_trouble in WAITS
    assert len(cancelled(wake(driver))) == 6


# Caution


def test_one_sided_flow_widens_and_shrinks_and_ends_by_itself() -> None:
    """A market that goes one way runs over quotes of the usual size and width."""
    driver, book = fine()
    size, plain = sizes(driver), halves(driver)[0]
    assert plain > 0
    for mid in range(461, 477):
        move_to(driver, book, mid)
        go_on(driver, 2.0)
    assert driver.desk.posture.regime.name == "caution"
    pricing = driver.desk.plan.pricing
    assert pricing.factor == 1.5 and pricing.half_bid == pytest.approx(1.5 * (pricing.vol_term + pricing.fee_term))
    assert sizes(driver) == pytest.approx(size / 2, rel=0.05)
    assert terms(driver)["regime"] < 0 and terms(driver, of="size")["regime"] < 0
    go_on(driver, 100.0)
    assert driver.desk.posture.regime.name == "normal"
    assert driver.desk.plan.pricing.factor == 1.0 and sizes(driver) == pytest.approx(size, rel=0.05)


def test_as_many_moves_up_as_down_are_no_caution() -> None:
    """A lively market is not a one-sided one."""
    driver, book = fine()
    for step in range(30):
        move_to(driver, book, 460 + step % 2)
        go_on(driver, 2.0)
    assert driver.desk.posture.regime.name == "normal"


# Calendar


def row(action: str, **over: Any) -> dict[str, Any]:
    """A row in force from five minutes to six minutes after the start."""
    return {
        "applies_to": "*",
        "at": NOON + 300,
        "lead_sec": 0.0,
        "tail_sec": 60.0,
        "action": action,
        "text": "vote",
    } | over


def test_a_calendar_row_that_pulls_is_in_force_from_its_lead_to_its_tail() -> None:
    """A known hour: no order may rest through it, and nobody has to remember to come back."""
    driver = cents((row("pull", lead_sec=100.0),))
    go_on(driver, 190.0)
    assert len(driver.orders()) == 6
    go_on(driver, 10.0)
    assert not driver.orders() and driver.desk.blocked_by == "calendar: vote"
    go_on(driver, 150.0)
    assert not driver.orders()
    go_on(driver, 15.0)
    assert len(driver.orders()) == 6


def test_a_calendar_row_that_widens_multiplies_the_half_spread() -> None:
    driver = cents((row("widen", factor=3.0),))
    plain = halves(driver)
    go_on(driver, 310.0)
    assert halves(driver) == pytest.approx([3 * half for half in plain])
    go_on(driver, 60.0)
    assert halves(driver) == plain


def test_a_calendar_row_that_reduces_leaves_only_what_reduces() -> None:
    driver = cents((row("reduce"),), held=500)
    assert {order.side for order in driver.orders()} == {"bid", "ask"}
    go_on(driver, 310.0)
    assert {order.side for order in driver.orders()} == {"ask"} and 0 < sizes(driver) <= shares(500)
    go_on(driver, 60.0)
    assert {order.side for order in driver.orders()} == {"bid", "ask"}


def test_calendar_rows_hold_for_their_market_or_tag_only() -> None:
    here, tagged = row("pull", applies_to=MARKET.upper().replace("0X", "0x")), row("pull", applies_to="Fed")
    elsewhere = row("pull", applies_to="0x" + "cd" * 32)
    for rows, tags, is_pulled in (((here,), (), True), ((tagged,), ("fed",), True), ((elsewhere, tagged), (), False)):
        driver, _ = with_profiles(VenueBook(a_market(tags=tags)), rows)
        go_on(driver, 310.0)
        assert bool(driver.orders()) is not is_pulled


# Towards the end


def sizes_towards(seconds: float, samples: int, every: float, held: float = 0, **facts: Any) -> Iterator[Driver]:
    """A market that has ``seconds`` to go, looked at every so many seconds."""
    driver, _ = fine(held, facts={"end_unix": NOON + seconds} | facts, resolve_var_weight=0.0)
    for _ in range(samples):
        yield driver
        driver.unix_offset += every - 2.0
        go_on(driver, 2.0)


def test_sizes_fade_steadily_before_the_end_date() -> None:
    """A market that is about to end leaves less and less behind."""
    seen = [(sizes(driver), terms(driver, of="size").get("time", 0)) for driver in sizes_towards(90_000.0, 23, 3600.0)]
    told = [size for size, _ in seen]
    assert told == sorted(told, reverse=True) and told[0] > told[-1] and len(set(told)) > 20
    assert seen[0][1] == 0, "a day and an hour before there is no fading yet"
    assert all(time < 0 for _, time in seen[2:])


@pytest.mark.parametrize("held", [10.0, 400.0])
def test_a_small_position_does_not_take_the_fade_off_the_other_side(held: float) -> None:
    """What is held may go in full; beyond that the side that reduces fades as the other does, or it would turn over."""
    [driver] = sizes_towards(7_300.0, 1, 60.0, held=held)
    assert driver.desk.posture.time_factor < 0.01
    assert sizes(driver, "bid") == 0
    assert sizes(driver, "ask") <= shares(held) + sizes_of_a_plain_market() // 50
    assert held < 100 or sizes(driver, "ask") > shares(held) * 0.9


def sizes_of_a_plain_market() -> int:
    """Micro-shares that a market without an end in sight shows on a side."""
    return sizes(fine()[0], "ask")


def test_near_the_end_orders_only_reduce() -> None:
    """What is held may be sold until half an hour before the end; nothing is bought any more."""
    for driver in sizes_towards(7000.0, 9, 600.0, held=2_000):
        assert {order.side for order in driver.orders()} == {"ask"}, driver.desk.blocked_by
        assert 0 < sizes(driver) <= shares(2_000)
    for driver in sizes_towards(7000.0, 3, 600.0):
        assert not driver.orders(), "flat: there is nothing to reduce"


def test_at_the_very_end_nothing_is_quoted() -> None:
    for driver in sizes_towards(1700.0, 3, 600.0, held=2_000):
        assert not driver.orders() and driver.desk.blocked_by == "too near the end date"


def test_a_game_that_begins_counts_as_an_end_and_stays_one() -> None:
    """The end date of a game is weeks off; what matters is the whistle, and after it quotes are for the fast ones."""
    week = NOON + 7 * 86_400.0
    [driver] = sizes_towards(0.0, 1, 60.0, held=500, end_unix=week, game_start_unix=NOON + 7000.0)
    assert {order.side for order in driver.orders()} == {"ask"}
    for driver in sizes_towards(0.0, 4, 1500.0, held=500, end_unix=week, game_start_unix=NOON + 1700.0):
        assert not driver.orders() and driver.desk.blocked_by == "too near the game start"


def test_a_market_that_has_outlived_its_end_date_is_quoted_smaller_and_wider_but_not_at_the_cap() -> None:
    """End dates are often wrong; neither silence for ever nor the widest quote for ever is an answer."""
    plain, _ = fine()
    late, _ = fine(facts={"end_unix": NOON - 90_000.0})
    assert sizes(late) == pytest.approx(sizes(plain) / 2, rel=0.05)
    assert spread(late) > spread(plain)
    assert late.desk.plan.pricing.sigma_h < Settings().sigma_cap / 2 and late.desk.sigma.source != "cap"
    assert "end date passed" in conditions(late)


def test_just_after_the_end_date_the_oracle_decides_and_nobody_quotes() -> None:
    driver, _ = fine(500, facts={"end_unix": NOON - 600.0})
    assert not driver.orders() and driver.desk.blocked_by == "the end date has passed"
    driver.unix_offset += 7_000.0
    go_on(driver, 3.0)
    assert driver.orders()


# Toxic flow


def lose_on_bids(driver: Driver, book: VenueBook, rounds: int = 4) -> list[FillSeen]:
    """The price falls after each of our purchases, slowly enough to be no jump, and is back before the next."""
    fills: list[FillSeen] = []
    for number in range(rounds):
        order = nearest(driver, "bid")
        told = FillSeen(f"loss-{number}", order.order_id, shares(20), "matched", driver.unix)
        driver.send(told)
        fills.append(told)
        move_to(driver, book, 454)
        go_on(driver, 31.0)
        move_to(driver, book, 460)
        go_on(driver, 10.0)
    return fills


def test_adverse_fills_widen_the_side_that_was_hit_and_no_other() -> None:
    """What the flow into our bids takes is asked back by our bids."""
    driver, book = fine(tox_prior_fills=1.0, inv_gamma=0.0, order_layers=1)
    lose_on_bids(driver, book)
    pricing = driver.desk.plan.pricing
    assert pricing.tox_bid > 0.002 and pricing.tox_ask == 0.0
    assert pricing.half_bid == pytest.approx(pricing.half_ask + pricing.tox_bid)
    assert terms(driver)["toxicity"] == pytest.approx(-pricing.tox_bid * 1000 * NANO, abs=1)
    assert "toxicity" not in terms(driver, "ask")
    assert 460 - nearest(driver, "bid").yes_price > nearest(driver, "ask").yes_price - 460


def test_a_failed_trade_takes_its_drift_back() -> None:
    """A trade that never settled cost nothing; it may not widen a quote."""
    driver, book = fine(tox_prior_fills=1.0, inv_gamma=0.0, order_layers=1)
    fills = lose_on_bids(driver, book)
    before = driver.desk.plan.pricing.tox_bid
    measured = len(driver.desk.stance.markouts.drifts("bid", 30.0))
    for number, told in enumerate(fills):
        driver.send(FillSeen(told.trade_id, told.order_id, told.size, "failed", told.unix))
        driver.command("resume")  # a failed trade closes the market for a while
        go_on(driver, 2.0)
        assert len(driver.desk.stance.markouts.drifts("bid", 30.0)) == measured - number - 1
    assert before > 0 and driver.desk.plan.pricing.tox_bid == 0.0


def test_a_fill_told_late_is_marked_from_when_it_was_matched() -> None:
    """The user channel may lag: the price that counts is the one of the match, and the drift of then."""
    driver, book = fine(order_layers=1)
    order, matched = nearest(driver, "bid"), driver.unix
    go_on(driver, 5.0)
    move_to(driver, book, 454)
    go_on(driver, 5.0)
    driver.send(FillSeen("late", order.order_id, shares(20), "matched", matched))
    go_on(driver, 2.0)
    [drift] = driver.desk.stance.markouts.drifts("bid", 5.0)
    assert drift.t == pytest.approx(driver.now - 12.0) and drift.drift == pytest.approx(0.0, abs=1e-4)
    [later] = [each for each in driver.engine.take_drifts() if each[1].horizon == 5.0]
    assert later == (MARKET, drift) and not driver.engine.take_drifts()


# Adjustments


@pytest.mark.parametrize(
    ("act", "payload", "side", "of", "term", "amount"),
    [
        ("widen", {"amount": 3.0}, "bid", "price", "operator width", -3 * NANO),
        ("tighten", {"amount": 1.0}, "ask", "price", "operator width", -NANO),
        ("shift", {"amount": -4.0}, "ask", "price", "operator shift", -4 * NANO),
        ("size", {"amount": 0.5}, "bid", "size", "operator size", None),
    ],
)
def test_an_adjustment_is_a_term_of_the_explanation_and_moves_the_orders(
    act: str, payload: dict[str, Any], side: str, of: str, term: str, amount: int | None
) -> None:
    """What the operator asked for is in the orders soon, and the explanation says that it was the operator."""
    driver, _ = fine(k_fee_ticks=4.0)
    before, plain = standing(driver), terms(driver, side, of)
    assert term not in plain
    operator(driver, act, **payload)
    go_on(driver, 2.0)
    found = terms(driver, side, of)[term]
    assert found == amount if amount is not None else found == pytest.approx(-plain["base"] / 2, abs=2)
    assert standing(driver) != before
    operator(driver, "reset")
    go_on(driver, 2.0)
    assert standing(driver) == before and term not in terms(driver, side, of)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_one_side_only_leaves_the_other_empty_and_says_so(side: Side) -> None:
    driver, _ = fine()
    operator(driver, "one_side", sides=side)
    go_on(driver, 2.0)
    assert {order.side for order in driver.orders()} == {side}
    assert {layer.forbidden for layer in layers(driver) if layer.side != side} == {"one_side"}
    operator(driver, "one_side", sides="both")
    go_on(driver, 2.0)
    assert {order.side for order in driver.orders()} == {"bid", "ask"}


@pytest.mark.parametrize(
    ("act", "payload"),
    [
        ("widen", {"amount": 5.0}),
        ("tighten", {"amount": 2.0}),
        ("shift", {"amount": 5.0}),
        ("one_side", {"sides": "ask"}),
        ("size", {"amount": 0.3}),
    ],
)
def test_a_timer_ends_by_itself_in_a_silent_market(act: str, payload: dict[str, Any]) -> None:
    """Nobody has to remember what was asked for ten minutes: the orders are as before without any message."""
    driver, _ = fine(k_fee_ticks=4.0)
    before = standing(driver)
    operator(driver, act, for_s=60.0, **payload)
    go_on(driver, 58.0)
    changed = standing(driver)
    assert changed != before
    go_on(driver, 4.0)
    assert standing(driver) == before


def test_a_half_life_fades_an_adjustment_step_by_step_in_a_silent_market() -> None:
    """A worry fades: the quotes come nearer again without a message and without a word of the operator."""
    driver, _ = fine()
    plain = halves(driver)[0]
    operator(driver, "widen", amount=8.0, half_life_s=20.0)
    widths = []
    for _ in range(20):
        go_on(driver, 10.0)
        widths.append(halves(driver)[0])
    assert widths == sorted(widths, reverse=True)
    assert widths[1] == pytest.approx(plain + 0.004, abs=2e-4) and widths[3] == pytest.approx(plain + 0.002, abs=2e-4)
    assert widths[-1] == pytest.approx(plain)


def test_a_refused_adjustment_changes_nothing_and_says_why() -> None:
    driver, _ = fine()
    before, stood = wishes(driver), standing(driver)
    for act, payload, why in (
        ("widen", {"amount": float("nan")}, "0 .. 40 ticks"),
        ("shift", {"amount": 51.0}, "-50 .. 50 ticks"),
        ("size", {"amount": -0.1}, "0 .. 5"),
        ("one_side", {"half_life_s": 5.0}, "cannot fade"),
        ("widen", {"for_s": 0.0}, "above 0"),
    ):
        actions = operator(driver, act, **payload)
        assert [type(action) for action in actions] == [Note] and why in notes(actions)
        assert actions[0].severity == "warning"  # type: ignore[union-attr]
    assert wishes(driver) == before
    go_on(driver, 3.0)
    assert standing(driver) == stood


# Settings of one market


def test_set_changes_quotes_and_keeps_what_the_signals_know() -> None:
    """A market whose average began anew with every change of a setting could not be tuned while it runs."""
    driver, book = with_profiles(VenueBook(a_market("0.001"), mid=460))
    for mid in (461, 462, 461):
        move_to(driver, book, mid)
        go_on(driver, 10.0)
    fair, samples = driver.desk.watch.fair.value_at(driver.now), driver.desk.watch.variance.returns_used
    plain = halves(driver)[0]
    actions = operator(driver, "set", changes=(("k_fee_ticks", "9"), ("alpha_fair", "0.5")))
    assert "k_fee_ticks = 9" in notes(actions)
    assert driver.desk.watch.fair.value_at(driver.now) == fair and samples > 0
    assert driver.desk.watch.variance.returns_used == samples
    go_on(driver, 2.0)
    assert halves(driver)[0] == pytest.approx(plain + 0.006)
    operator(driver, "set", changes=(("k_fee_ticks", ""),))
    go_on(driver, 2.0)
    assert halves(driver)[0] == pytest.approx(plain)


def test_set_takes_a_profile_by_name_and_goes_back_to_the_facts() -> None:
    driver = cents()
    assert driver.desk.settings.order_layers == 3
    operator(driver, "set", profile="sports")
    go_on(driver, 2.0)
    assert driver.desk.settings.order_layers == 2 and len(driver.orders()) == 4
    operator(driver, "set", profile="auto")
    go_on(driver, 2.0)
    assert len(driver.orders()) == 6


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"profile": "nonsense"}, "there is no profile"),
        ({"changes": (("k_vol", "-1"),)}, "outside 0 .. 100"),
        ({"changes": (("k_voll", "1"),)}, "did you mean k_vol"),
        ({"changes": (("gross_cap", "0.1"),)}, "whole program"),
        ({"changes": (("soft_cap_delta_pct", "0.2"),)}, "below hard_cap_delta_pct"),
        ({"changes": (("k_vol", "nan"),)}, "number"),
    ],
)
def test_a_refused_change_of_settings_changes_nothing_and_says_why(payload: dict[str, Any], why: str) -> None:
    driver = cents()
    before, stood, settings = wishes(driver), standing(driver), driver.desk.settings
    actions = operator(driver, "set", **payload)
    assert [type(action) for action in actions] == [Note] and why in notes(actions)
    assert actions[0].severity == "warning"  # type: ignore[union-attr]
    assert wishes(driver) == before and driver.desk.settings is settings
    go_on(driver, 3.0)
    assert standing(driver) == stood


@pytest.mark.parametrize("change", [("event_spread_mult", "3"), ("caution_size_mult", "0.4"), ("sweep_frac", "0.7")])
def test_a_change_of_settings_during_a_cool_off_does_not_end_it(change: tuple[str, str]) -> None:
    """The price jumped whatever the operator thinks of factors."""
    driver, book = with_profiles(VenueBook(a_market("0.001"), mid=460))
    move_to(driver, book, 500)
    go_on(driver, 5.0)
    operator(driver, "set", changes=(change,))
    go_on(driver, 20.0)
    assert not driver.orders() and "the price jumped" in driver.desk.blocked_by
    go_on(driver, 8.0)
    assert driver.orders()


def test_another_tick_brings_its_own_profile() -> None:
    """Distances in ticks are made for a grid; a finer one wants the finer profile, and what was set stays."""
    driver, book = with_profiles(VenueBook())
    operator(driver, "set", changes=(("k_vol", "4"),))
    assert driver.desk.settings.k_fee_ticks == Settings().k_fee_ticks
    driver.send(book.retick("0.001"))
    driver.send(book.book("YES"))
    go_on(driver, 3.0)
    assert driver.desk.settings.k_fee_ticks == 3.0 and driver.desk.settings.k_vol == 4.0


# Events of several markets


def test_a_quiet_market_follows_what_its_event_asks() -> None:
    """What the others of an event do is news, also for a market whose own book stands still."""
    names = (("0xa", "1", "2"), ("0xb", "3", "4"))
    items = [a_market("0.01", *name, group="event", group_size=2, end_unix=NOON + 90 * DAY) for name in names]
    driver = Driver(*[VenueBook(item, mid=mid) for item, mid in zip(items, (46, 50), strict=True)], **EAGER).quoting()
    go_on(driver, 10.0)
    quiet, book = driver.desk, driver.books[1]
    assert quiet.plan.pricing.group_shift == pytest.approx(0.01, abs=0.001)
    for mid in (52, 54):
        book.bids, book.asks = {mid - 1: 500, mid - 2: 500}, {mid + 1: 500, mid + 2: 500}
        book.ms += 5
        driver.send(book.book())
        go_on(driver, 60.0)
    assert quiet.plan.pricing.group_shift == pytest.approx(0.0, abs=0.001)


# Preview


def whole(driver: Driver) -> tuple[object, ...]:
    """Everything that a preview must leave alone."""
    desk = driver.desk
    driver.engine.orders.reserved_cash()  # summed only when somebody asks
    stance = [
        (name, _walk(value, {})) for name, value in vars(desk.stance).items() if name not in ("_posture", "_calendar")
    ]
    return state_digest(driver.engine), repr(stance), driver.engine.next_wake(), *wishes(driver)


def wishes(driver: Driver) -> tuple[object, ...]:
    """What an operator can change about quotes."""
    desk = driver.desk
    return repr(desk.settings), repr(desk.rules), desk.live, desk.stance.adjustments


PREVIEWS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("widen", {"amount": 4.0}),
    ("tighten", {"amount": 1.0, "for_s": 30.0}),
    ("shift", {"amount": 6.0}),
    ("one_side", {"sides": "ask"}),
    ("size", {"amount": 0.4}),
    ("reset", {}),
    ("set", {"profile": "sports"}),
    *[
        ("set", {"changes": ((key, value),)})
        for key, value in (
            ("k_fee_ticks", "7"),
            ("order_layers", "2"),
            ("price_max", "0.464"),
            ("base_size_usd", "50"),
            ("vol_horizon_sec", "600"),
            ("sigma_cap", "0.0015"),
            ("k_tox", "0"),
            ("tox_cap_ticks", "1"),
            ("fade_sec", "400000"),
            ("caution_spread_mult", "4"),
            ("caution_size_mult", "0.2"),
        )
    ],
]


@pytest.fixture(scope="module")
def lived() -> Callable[[], Driver]:
    """Makes a market with a position, toxic flow, caution, an adjustment and an end in sight."""

    def make() -> Driver:
        item = a_market("0.001", end_unix=NOON + 200_000.0)
        driver, book = with_profiles(VenueBook(item, mid=460), tox_prior_fills=1.0)
        lose_on_bids(driver, book)
        operator(driver, "widen", amount=2.0)
        for mid in range(461, 475):
            move_to(driver, book, mid)
            go_on(driver, 2.0)
        driver.pass_time(0.6)
        assert not driver.desk.is_due
        posture = driver.desk.posture
        assert posture.regime.name == "caution" and posture.tox_bid and driver.desk.inventory.net
        return driver

    return make


@pytest.mark.parametrize(("act", "payload"), PREVIEWS)
def test_a_preview_changes_nothing_and_tells_what_the_command_then_does(
    lived: Callable[[], Driver], act: str, payload: dict[str, Any]
) -> None:
    """An operator who looks before he leaps must see where he will land, and must not have leapt."""
    driver = lived()
    before, as_it_is = whole(driver), notes(operator(driver, "set", preview=True))
    told = operator(driver, act, preview=True, **payload)
    assert [type(action) for action in told] == [Note] and told[0].severity == "info"  # type: ignore[union-attr]
    assert whole(driver) == before and notes(told) != as_it_is
    said, live = notes(told), {order.order_id for order in driver.orders(State.LIVE, State.PARTIAL)}
    operator(driver, act, **payload)
    actions = wake(driver)
    ids = {one.order_id for one in actions if isinstance(one, Cancel)}
    kept = len(live - ids)
    of_news = sum(line.startswith("new ") for line in said.split("\n"))
    topups = sum(line.startswith("topup ") for line in said.split("\n"))
    said = said.partition("\n")[2]  # the first line says what is asked for
    moved, count = (int(said.split()[0]), int(said.split()[2]))
    assert (moved - topups, count - moved + topups) == (len(ids), kept), said
    assert len(placed(actions)) + len(driver.desk.held_back) == of_news + topups, said


def test_a_preview_of_what_is_refused_says_so_and_changes_nothing() -> None:
    driver = cents()
    before = whole(driver)
    for act, payload in (("shift", {"amount": 99.0}), ("set", {"profile": "nonsense"})):
        [told] = operator(driver, act, preview=True, **payload)
        assert isinstance(told, Note) and told.severity == "warning"
    assert whole(driver) == before


def test_a_preview_in_a_market_that_may_not_quote_says_why() -> None:
    driver = cents()
    driver.command("pause")
    [told] = operator(driver, "widen", preview=True)
    assert isinstance(told, Note) and "paused" in told.text


# Waiting


@pytest.mark.parametrize(("lease", "is_cancelled"), [("1.05", True), ("12", False)])
def test_an_order_whose_lease_runs_out_while_the_market_waits_is_cancelled(lease: str, is_cancelled: bool) -> None:
    """Half a second of patience is for the data; it must not keep an order whose whole lease nobody confirmed."""
    driver = cents()
    driver.pass_time(3.0)
    operator(driver, "set", changes=(("order_max_age_sec", lease),))
    driver.pass_time(3.0)
    driver.pass_time(driver.desk._last_decision_s + 0.9 - driver.now)
    driver.send(unproven(driver.books[0].set("bid", 44, 390)))
    assert driver.desk.data_trouble in WAITS
    actions = driver.pass_time(0.45)
    assert driver.desk.blocked_by in WAITS
    assert [action.reason for action in actions if isinstance(action, Cancel)] == ["unvalidated"] * 6 * is_cancelled


# Explanations


def adds_up(place: Place, order: Order) -> None:
    one = place.explanation
    assert one is not None, place
    assert (one.side, one.layer, one.ticks) == (order.side, place.layer, order.yes_price), place
    assert sum(term.amount for term in one.price_terms) == order.yes_price * NANO, place
    assert sum(term.amount for term in one.size_terms) == place.size == one.size, place


def test_every_order_of_any_history_carries_an_explanation_that_adds_up() -> None:
    """The journal must say of each order why it had this price and this size: parts, legs and top-ups included."""
    count, reasons = 0, Counter[str]()
    for seed in range(44):
        world = World(seed, order_layers=2 + seed % 2, resize_tol=0.1, event_cooloff_sec=0.0)
        world.voided = True  # a failed trade would close the market for a while
        for kind in world.random.choices(STEPS, WEIGHTS, k=120):
            world.step(kind)
        for place in placed(world.driver.actions):
            adds_up(place, world.driver.engine.orders.by_intent(place.intent))
            count += 1
            reasons[place.reason] += 1
    assert count > 500 and reasons["undersize"] > 5


def test_an_order_that_is_wanted_and_not_placed_is_named_with_the_reason() -> None:
    """A missing quote without a reason is the worst answer a maker can get."""
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(2.0)
    driver.answer("refused")
    driver.pass_time(0.4)
    explained = driver.engine.explain(MARKET, driver.now)
    assert explained is not None and not explained.orders
    assert {(one.side, one.layer) for one in explained.held_back} == {(s, n) for s in ("bid", "ask") for n in range(3)}
    assert {one.why for one in explained.held_back} == {"the venue refused an order a moment ago"}
    go_on(driver, 20.0)
    explained = driver.engine.explain(MARKET, driver.now)
    assert explained is not None and not explained.held_back and len(explained.orders) == 6


def test_while_an_order_is_being_cancelled_its_successor_is_held_back_by_name() -> None:
    driver, book = fine(order_layers=1)
    move_to(driver, book, 463)
    driver.pass_time(1.5)
    assert driver.orders(State.CANCEL_SENT)
    [why] = {one.why for one in driver.desk.held_back}
    assert why == "an order of the layer is under way"
    go_on(driver, 3.0)
    assert not driver.desk.held_back


def test_a_market_that_is_pulled_holds_nothing_back() -> None:
    """What the last plan wanted is of no interest once there is no plan."""
    driver = Driver(VenueBook())
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(2.0)
    driver.answer("refused")
    driver.pass_time(0.4)
    driver.command("pause")
    driver.pass_time(1.0)
    explained = driver.engine.explain(MARKET, driver.now)
    assert explained is not None and "paused" in explained.blocked and not explained.layers and not explained.held_back


# Symmetry


class Twins:
    """One venue and two engines: what the first calls YES, the second calls NO. Tokens are the same to both."""

    def __init__(self, seed: int, held: dict[str, float], ends_in: float = 80_000.0, **over: Any) -> None:
        self.random = random.Random(seed)
        item = a_market("0.001", end_unix=NOON + ends_in)
        self.book, self.mid = VenueBook(item, mid=460 if seed % 2 else 130, depth=9), 460 if seed % 2 else 130
        self.drivers = (Driver(), Driver())
        swapped = a_market("0.001", yes=NO, no=YES, end_unix=NOON + ends_in)
        for driver, instrument in zip(self.drivers, (item, swapped), strict=True):
            driver.engine = Engine(Settings(**(EAGER | over)), own_in_book=False)
            driver.books = (self.book,)
            driver.send(InstrumentAdded(instrument))
            driver.quoting(**held)

    def both(self, what: Callable[[Driver], object]) -> None:
        for driver in self.drivers:
            what(driver)

    def step(self) -> None:
        kind = self.random.choice(("move", "move", "level", "level", "fill", "trade", "time", "operator"))
        getattr(self, kind)()
        seconds = self.random.choice((0.3, 1.0, 3.0))
        self.both(lambda driver: driver.pass_time(seconds))
        self.both(lambda driver: driver.answer())
        self.both(lambda driver: driver.answer_cancels())

    def move(self) -> None:
        self.mid += self.random.choice((-14, -2, -1, 1, 1, 1, 2))
        mid = self.mid = min(max(self.mid, 60), 900)
        self.book.bids = {mid - 1 - n: self.random.randint(5, 900) for n in range(9)}
        self.book.asks = {mid + 1 + n: self.random.randint(5, 900) for n in range(9)}
        self.book.ms += 5
        told = self.book.book()
        self.both(lambda driver: driver.send(told))

    def level(self) -> None:
        side: Side = self.random.choice(("bid", "ask"))
        best = max(self.book.bids) if side == "bid" else min(self.book.asks)
        told = self.book.set(side, best, self.random.randint(1, 900))
        self.both(lambda driver: driver.send(told))

    def trade(self) -> None:
        size = self.random.choice(("5", "60", "4000"))
        price = self.random.choice((min(self.book.asks), max(self.book.bids)))
        told = self.book.trade(self.book.instrument.grid.text(price), size)
        self.both(lambda driver: driver.send(told))

    def time(self) -> None:
        self.both(lambda driver: driver.pass_time(20.0))

    def fill(self) -> None:
        found = {key_of(order): order for order in self.drivers[0].orders(State.LIVE, State.PARTIAL)}
        if not found:
            return
        key = self.random.choice(sorted(found))
        size, number = shares(self.random.choice((5.0, 80.0))), self.random.random()
        for driver in self.drivers:
            [order] = [order for order in driver.orders() if key_of(order) == key]
            size = min(size, order.remaining)
            driver.send(FillSeen(f"t{number}", order.order_id, size, "matched", driver.unix))

    def operator(self) -> None:
        first, second = self.drivers
        match self.random.choice(("widen", "shift", "one_side", "size", "reset")):
            case "shift":
                ticks = self.random.choice((-3.0, 2.0))
                operator(first, "shift", amount=ticks, half_life_s=30.0)
                operator(second, "shift", amount=-ticks, half_life_s=30.0)
            case "one_side":
                operator(first, "one_side", sides="bid", for_s=10.0)
                operator(second, "one_side", sides="ask", for_s=10.0)
            case "widen":
                self.both(lambda driver: operator(driver, "widen", amount=1.0, for_s=40.0))
            case "size":
                self.both(lambda driver: operator(driver, "size", amount=0.7, for_s=40.0))
            case _:
                self.both(lambda driver: operator(driver, "reset"))


def key_of(order: Order) -> tuple[str, str, int, int]:
    """An order in words that mean the same to both twins."""
    return order.token, order.order_side, order.price, order.size


def deeds(driver: Driver, since: int) -> Counter[tuple[object, ...]]:
    """What was done since that action, in words that mean the same to both twins."""
    done: Counter[tuple[object, ...]] = Counter()
    for action in driver.actions[since:]:
        match action:
            case Place():
                done["place", action.token, action.order_side, action.price_text, action.size] += 1
            case Cancel():
                order = driver.engine.orders.find(action.order_id)
                assert order is not None
                done["cancel", *key_of(order)] += 1
            case CancelAll():
                done["cancel all",] += 1
            case _:
                pass
    return done


@pytest.mark.parametrize("mode", ["half_spread", "bankroll", "logit"])
@pytest.mark.parametrize("seed", range(6))
def test_the_same_market_is_made_the_same_whichever_token_is_called_yes(seed: int, mode: str) -> None:
    """No rule may prefer a label: jumps, sweeps, caution, toxic flow, fading, adjustments and skew included."""
    held = [{}, {"yes": 900.0}, {"no": 700.0}][seed % 3]
    quick: dict[str, Any] = {"tox_prior_fills": 2.0, "event_cooloff_sec": 8.0, "event_decay_sec": 10.0}
    heedful: dict[str, Any] = {"caution_min_moves": 5, "caution_one_sided": 0.5, "caution_hold_sec": 5.0}
    twins = Twins(seed, held, inv_skew_mode=mode, **quick, **heedful)
    seen: set[str] = set()
    since = (0, 0)
    for _ in range(150):
        twins.step()
        first, second = (deeds(driver, at) for driver, at in zip(twins.drivers, since, strict=True))
        assert first == second, f"{first - second} against {second - first}"
        since = (len(twins.drivers[0].actions), len(twins.drivers[1].actions))
        seen.add(twins.drivers[0].desk.posture.regime.name)
    assert sum(isinstance(action, Place) for action in twins.drivers[0].actions) > 50
    assert seen == {"normal", "event", "caution"}
    assert twins.drivers[0].desk.inventory.net == -twins.drivers[1].desk.inventory.net


@pytest.mark.parametrize(
    ("ends_in", "phases"), [(7_500.0, {"fade", "reduce_only"}), (2_100.0, {"reduce_only", "closed"})]
)
@pytest.mark.parametrize("seed", range(4))
def test_towards_the_end_no_history_leaves_an_order_that_adds(seed: int, ends_in: float, phases: set[str]) -> None:
    """Whatever was resting before, half a second into reduce-only nothing adds, and into the last phase nothing is."""
    twins = Twins(seed, [{}, {"yes": 900.0}, {"no": 700.0}][seed % 3], ends_in, event_cooloff_sec=2.0)
    seen: set[str] = set()
    for _ in range(150):
        twins.step()
        for driver in twins.drivers:
            driver.pass_time(0.6)
            posture, net = driver.desk.posture, driver.desk.inventory.net
            seen.add(posture.schedule.phase)
            resting = [order for order in driver.orders() if not order.cancel_wanted]
            resting = [order for order in resting if order.state is not State.CANCEL_SENT]
            if posture.forbids:
                assert not resting
            elif posture.reduces:
                assert {order.side for order in resting} <= {"ask" if net > 0 else "bid"}
                assert sum(order.remaining for order in resting) <= abs(net)
    assert seen == phases


def test_the_twins_notice_what_only_one_of_them_does() -> None:
    """The test above is worth something: a tick that is asked of one twin alone is found out."""
    twins = Twins(1, {})
    operator(twins.drivers[0], "widen", amount=1.0)
    since = tuple(len(driver.actions) for driver in twins.drivers)
    twins.both(lambda driver: go_on(driver, 3.0))
    first, second = (deeds(driver, at) for driver, at in zip(twins.drivers, since, strict=True))
    assert first != second


TOUCHY: Final[tuple[dict[str, Any], ...]] = (
    {"tox_prior_fills": 1.0, "tox_cap_ticks": 100.0, "event_cooloff_sec": 2.0, "caution_min_moves": 3},
    {"event_cooloff_sec": 0.0, "event_spread_mult": 20.0, "sweep_frac": 0.05, "inv_skew_mode": "logit"},
    {"caution_min_moves": 3, "caution_one_sided": 0.2, "caution_size_mult": 0.1, "requote_triggers": "literal"},
    {"room_reserve_frac": 0.5, "overdue_size_mult": 0.0, "tox_horizon_sec": 1.0, "tox_beta": 1.0, "k_tox": 10.0},
)


@pytest.mark.parametrize("ends_in", [None, -9_000.0, -100.0, 1_850.0, 7_250.0, 90_000.0])
@pytest.mark.parametrize("number", range(len(TOUCHY)))
def test_no_history_breaks_caps_or_repeatability_with_all_parts_at_work(
    monkeypatch: pytest.MonkeyPatch, number: int, ends_in: float | None
) -> None:
    """Caps, grid, minimum and post-only hold at every decision, and the same events give the same actions."""
    item = a_market(end_unix=None if ends_in is None else NOON + ends_in)
    monkeypatch.setattr("tests.builders.Engine", CheckedEngine)
    monkeypatch.setattr(
        "tests.core.test_engine_properties.VenueBook", lambda mid=46, depth=4: VenueBook(item, mid, depth)
    )
    for seed in range(3):
        world = World(10 * number + seed, **TOUCHY[number])
        for kind in world.random.choices(STEPS, WEIGHTS, k=150):
            world.step(kind)
        again, actions = Engine(Settings(**TOUCHY[number]), own_in_book=False), list[Action]()
        for now, event in world.driver.events:
            actions += again.handle(event, now)
        assert json.encode(actions) == json.encode(world.driver.actions)


def test_settings_of_the_new_parts_leave_a_plain_market_alone() -> None:
    """A market without jump, sweep, flow, fills, dates and wishes is quoted as if none of these parts existed."""
    driver, _ = fine()
    posture = driver.desk.posture
    assert (posture.spread_factor, posture.regime_factor, posture.time_factor) == (1.0, 1.0, 1.0)
    assert (posture.tox_bid, posture.tox_ask, posture.forbids, posture.reduces) == (0.0, 0.0, "", "")
    names = {term.name for layer in layers(driver) for term in (*layer.price_terms, *layer.size_terms)}
    assert names <= {"fair", "volatility", "fee", "rounding", "layer", "base", "side cap", "room (hard cap)"}
    assert sizes(driver) > 100 * MICRO


def test_the_explanation_names_what_changes_the_quotes() -> None:
    """A term called "regime" or a side that may only reduce is half an answer: which regime, and near what."""
    [driver] = sizes_towards(7_000.0, 1, 60.0, held=500)
    assert conditions(driver) == "reduce only: near the end date"
    driver = cents((row("widen", lead_sec=300.0),))
    assert conditions(driver) == "calendar: vote; no end date is known"
    operator(driver, "widen", amount=2.0, for_s=60.0)
    driver.pass_time(1.0)
    assert conditions(driver).endswith("operator: half-spread +2 ticks, 59 s left")
    driver, book = fine(facts={"end_unix": NOON + 90 * DAY})
    assert conditions(driver) == ""
    move_to(driver, book, 500)
    wake(driver)
    assert conditions(driver) == "event: the price jumped"


def test_asking_for_an_explanation_changes_nothing() -> None:
    """A session that was asked must do what its recording, which knows of no questions, does again."""
    done = []
    for is_asked in (False, True):
        driver, _ = fine(facts={"end_unix": NOON + 40_000.0})
        operator(driver, "widen", amount=15.0, half_life_s=9.0)
        for _ in range(200):
            driver.pass_time(0.17)
            driver.answer()
            driver.answer_cancels()
            if is_asked:
                assert driver.engine.explain(MARKET, driver.now) is not None
        done.append(json.encode(driver.actions))
    assert done[0] == done[1]


def test_an_operator_who_flattens_does_not_wait_for_an_event_to_end() -> None:
    """Out is out: what would keep quotes from coming back does not keep a position from being worked off."""
    driver, book = fine(held=300)
    move_to(driver, book, 500)
    driver.pass_time(1.0)
    driver.answer_cancels()
    driver.pass_time(2.0)
    assert not driver.orders() and driver.desk.blocked_by.startswith("event")
    driver.flatten()
    driver.pass_time(1.0)
    assert {order.side for order in driver.orders()} == {"ask"}


def test_a_fill_from_before_a_coarser_tick_ends_nothing() -> None:
    """Its price may be told as 0 or 1 on the new grid; statistics must not be what ends a session."""
    book = VenueBook(a_market("0.001"), mid=20)
    book.bids, book.asks = {19 - n: 3_000 for n in range(10)}, {21 + n: 3_000 for n in range(10)}
    over = {"price_min": 0.0, "price_max": 1.0, "layer_step_ticks": 5, "order_layers": 4, "k_vol": 0.0}
    driver = Driver(book, **over).quoting()
    lowest = min((order for order in driver.orders() if order.side == "bid"), key=lambda order: order.yes_price)
    paid, cash = lowest.price * 1_000, driver.engine.books.cash
    driver.send(book.retick("0.01"))
    assert lowest.yes_price == 0
    driver.fill(lowest, 10)
    driver.pass_time(2.0)
    assert driver.desk.inventory.net == shares(10)
    assert driver.engine.books.cash == cash - 10 * paid, "at the price it was placed at, whatever the grid is now"


def test_another_tick_does_not_make_the_price_calm() -> None:
    """Ticks change when prices run to an end: of all moments the wrong one to quote as if nothing moved."""
    driver, book = fine(k_vol=2.0)
    dice = random.Random(1)
    for _ in range(60):
        move_to(driver, book, 460 + dice.choice([-4, -2, 0, 2, 4]))
        driver.pass_time(2.0)
        driver.answer()
        driver.answer_cancels()
    half = driver.desk.watch.sigma(driver.now, driver.unix, 0.46, driver.desk.settings).sigma_h
    driver.send(book.retick("0.0001"))
    driver.send(book.book("YES"))
    driver.pass_time(5.0)
    after = driver.desk.watch.sigma(driver.now, driver.unix, 0.46, driver.desk.settings).sigma_h
    assert half and after == pytest.approx(half, rel=0.3)


def test_a_preview_tells_what_the_new_settings_would_forbid() -> None:
    """Longer events pull at once while one is not over by the new rule; that has to be said before it is done."""
    driver, book = with_profiles(VenueBook(a_market("0.001"), mid=460), event_cooloff_sec=5.0, jump_reset_ticks=10)
    move_to(driver, book, 500)
    for _ in range(12):
        driver.pass_time(1.0)
        driver.answer()
        driver.answer_cancels()
    at_work = len(driver.orders())
    [told] = operator(driver, "set", preview=True, changes=(("event_cooloff_sec", "300"),))
    assert isinstance(told, Note) and at_work
    assert f"nothing would be quoted, {at_work} orders pulled: event: the price jumped" in told.text


def test_what_begins_and_ends_by_the_calendar_is_in_the_events() -> None:
    """After the fact somebody will ask why there were no quotes."""
    rows = [
        {"applies_to": "*", "at": NOON + 60.0, "lead_sec": 30, "tail_sec": 30, "action": "pull", "text": "the vote"}
    ]
    driver, _ = with_profiles(VenueBook(), calendar=tuple(rows))
    said = notes(driver.pass_time(120.0))
    assert "calendar: the vote" in said and "quotes are as usual again" in said
    assert said.index("calendar: the vote") < said.index("quotes are as usual again")


def test_tables_and_rows_that_are_nobodys_are_told_at_the_start() -> None:
    rows = [{"applies_to": "politcs", "at": NOON + 60.0, "lead_sec": 30, "action": "pull"}]
    tables = Tables("settings.toml", {}, {"0xdead": {"k_vol": 3.0}}, tuple(rows))
    effective = Effective(Settings(), {item.name: "default" for item in fields(Settings)}, tables)
    driver, book = Driver(), VenueBook()
    driver.engine, driver.books = Engine(Settings(), own_in_book=False, profiles=Profiles(effective)), (book,)
    driver.send(InstrumentAdded(book.instrument))
    said = notes(driver.quoting().actions)
    assert "calendar row 1 (politcs): concerns none of 1 markets" in said
    assert "settings of 0xdead: concerns none of 1 markets" in said


def test_a_size_too_large_for_the_account_is_told_of_the_market_that_has_it() -> None:
    """Also when it is set while the market runs."""
    driver, _ = with_profiles(VenueBook())
    [warning, _] = operator(driver, "set", changes=(("base_size_usd", "400"),))
    assert isinstance(warning, Note) and (warning.severity, warning.market) == ("warning", MARKET)
    assert "over 40 % of the soft cap" in warning.text


def test_a_size_over_the_bankroll_is_refused_while_the_market_runs_as_it_is_at_a_start() -> None:
    driver, _ = with_profiles(VenueBook())
    before = driver.desk.settings
    [refused] = operator(driver, "set", changes=(("max_size_usd", "50001"),))
    assert isinstance(refused, Note) and refused.severity == "warning"
    assert refused.text == "max_size_usd: 50001 is over the bankroll of 50000 dollars; lower it, or raise that"
    assert driver.desk.settings is before
