"""The gate in the engine: what it is asked with, that denials are told and shown, and that plans keep within it."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from core.actions import Action, Denied, Place, SignedPlace
from core.events import OperatorCommand, OrderAnswered, OrderSeen, PayoutSeen
from core.orders.order import State
from core.risk.control import Control
from core.risk.gate import Candidate, Cleared, Denial
from core.risk_views import cap_views, denial_views
from core.units import MICRO, Outcome, Shares, Side, Ticks, Usd
from tests.builders import MARKET, Driver, VenueBook, placed, shares, usd


def denied(actions: list[Action]) -> list[tuple[str, str]]:
    return [(action.side, action.code) for action in actions if isinstance(action, Denied)]


def sent(driver: Driver, place: Place) -> Cleared | Denial:
    """What the gate says of an order right before the socket."""
    return driver.engine.gatekeeper.clear(SignedPlace(place, f"id-{place.intent}", None), driver.now)


def fresh(**over: Any) -> tuple[Driver, list[Place]]:
    """An engine that has just decided, with the orders of that decision signed and not sent."""
    driver = Driver(VenueBook(), **over)
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book("YES"))
    driver.send(driver.books[0].book("NO"))
    driver.pass_time(1.5)
    return driver, placed(driver.actions)


def test_what_a_decision_places_may_be_sent() -> None:
    driver, places = fresh()
    assert len(places) == 6
    assert {type(sent(driver, place)) for place in places} == {Cleared}
    assert not driver.engine.gatekeeper.denials


@pytest.mark.parametrize(
    ("source", "state", "code"),
    [("operator", "PAUSED", "control"), ("loss", "REDUCE_ONLY", "loss"), ("repeat", "PAUSED", "repeat"),
     ("drawdown", "REDUCE_ONLY", "drawdown"), ("selection", "REDUCE_ONLY", "selection"), ("kill", "KILLED", "control")],
)  # fmt: skip
@pytest.mark.parametrize("side", ["", "bid"])
def test_state_that_is_set_between_decision_and_socket_stops_the_order(
    source: Any, state: Any, code: str, side: Any
) -> None:
    driver, places = fresh()
    control = Control(state, "why", source, market=MARKET, side=side)
    driver.engine.controls.set(control, driver.now, driver.unix)
    for place in places:
        word = sent(driver, place)
        if place.side == "bid" or not side:
            assert isinstance(word, Denial) and "why" in word.text
            assert word.code == code, word
        else:
            assert isinstance(word, Cleared)


def test_touch_that_has_come_nearer_stops_the_order() -> None:
    """Others bid where our ask was to stand: sent, it would be refused, or take."""
    driver, places = fresh()
    driver.send(driver.books[0].set("ask", 47, 0))
    ask = next(place for place in places if place.side == "ask" and place.layer == 0)
    tick = driver.engine.orders.by_intent(ask.intent).yes_price
    for level in range(47, tick + 1):
        driver.send(driver.books[0].set("ask", level, 0))
    driver.send(driver.books[0].set("ask", tick + 3, 50))
    driver.send(driver.books[0].set("bid", tick, 50))
    word = sent(driver, ask)
    assert isinstance(word, Denial) and word.code in ("post_only", "collar", "fair_value", "data"), word


def test_change_of_tick_between_decision_and_socket_stops_what_does_not_fit_it() -> None:
    driver, places = fresh()
    driver.send(driver.books[0].retick("0.1"))
    words = [sent(driver, place) for place in places]
    assert all(isinstance(word, Denial) for word in words)


def test_payout_that_is_told_between_decision_and_socket_stops_the_order() -> None:
    """What waits for its commit is denied like any other, and nothing breaks."""
    driver, places = fresh()
    driver.engine.handle(PayoutSeen(market=MARKET, price=usd(1.0)), driver.now)
    for place in places:
        word = sent(driver, place)
        assert isinstance(word, Denial) and word.code == "resolved", word
    assert driver.engine.gatekeeper.cost_room(driver.desk, driver.now)


def test_reduce_only_relies_on_no_fill_that_may_still_fail() -> None:
    """A bid has filled and its trade is not final: neither what rests nor what is planned sells it before it is."""
    driver = Driver(VenueBook()).quoting(yes=200)
    bid = next(order for order in driver.orders() if order.side == "bid")
    driver.fill(bid, 100)
    driver.engine.stops.set(Control("REDUCE_ONLY", "why", "loss"), driver.now)
    driver.answer_cancels()
    for _ in range(8):
        driver.pass_time(1.0)
        driver.answer_cancels()
        assert sum(order.remaining for order in driver.orders() if order.side == "ask") <= shares(200)
    assert any(order.side == "ask" for order in driver.orders())
    assert "loss" not in {code for _, code in denied(driver.actions)}
    assert driver.desk.position.closable("ask") == shares(200) and driver.desk.inventory.net == shares(300)


def test_denial_at_the_socket_is_told_and_counted_and_the_order_is_over() -> None:
    driver, places = fresh()
    told = driver.send(
        OrderAnswered(intent=places[0].intent, outcome="denied", detail="71 dollars, at most 60", denial="market_cap")
    )
    assert Denied(places[0].intent, MARKET, places[0].side, "market_cap", "71 dollars, at most 60") in told
    assert driver.engine.orders.by_intent(places[0].intent).state is State.DENIED
    pulled = driver.send(OrderAnswered(intent=places[1].intent, outcome="denied", detail="pulled before it was sent"))
    assert denied(pulled) == [], "what nobody wants any more the gate did not stop"
    [view] = denial_views(driver.engine, driver.now + 2.0)
    assert (view.code, view.count, view.market, view.text, view.age_s) == (
        "market_cap", 1, MARKET, "71 dollars, at most 60", 2.0,
    )  # fmt: skip


def test_denial_at_a_decision_is_told_once_while_it_lasts() -> None:
    """A strategy that heeds no limit of an order's value: said once a side, shown all the while."""
    driver = Driver(VenueBook(), max_order_usd=200.0)
    driver.feeds()
    driver.account()
    made = driver.desk._rules
    driver.desk._rules = made._replace(quotes=replace(made.quotes, order_usd=None))
    driver.send(driver.books[0].book("YES"))
    driver.send(driver.books[0].book("NO"))
    driver.pass_time(1.5)
    assert not [place for place in placed(driver.actions) if place.layer == 0]
    assert sorted(set(denied(driver.actions))) == [("ask", "order_value"), ("bid", "order_value")]
    assert len(denied(driver.actions)) == 2
    book, seen = driver.books[0], len(driver.actions)
    for size in range(60, 70):
        driver.send(book.set("bid", max(book.bids), size))
        driver.pass_time(1.0)
    assert denied(driver.actions[seen:]) == []
    assert driver.engine.gatekeeper.denials["order_value"].count == 2
    assert any("at most 200" in held.why for held in driver.desk.held_back)


def test_limit_of_an_orders_value_makes_orders_smaller_and_silences_nothing() -> None:
    """A layer would be worth 300 dollars and 200 are allowed: all layers are quoted, and the plan says what bound."""
    driver, places = fresh(max_order_usd=200.0)
    assert len(places) == 6 and denied(driver.actions) == []
    orders = [driver.engine.orders.by_intent(place.intent) for place in places]
    values = [order.grid.notional(order.price, order.size) for order in orders]
    assert max(values) <= usd(200) and max(values) > usd(199)
    assert any("order value" in place.explanation.binding for place in places if place.explanation is not None)


def test_only_what_the_venue_never_took_may_be_repeated_within_a_second() -> None:
    driver, places = fresh()
    driver.send(OrderAnswered(intent=places[0].intent, outcome="refused", detail="no"))
    driver.send(OrderAnswered(intent=places[1].intent, outcome="live"))
    judge, grid = driver.engine.gatekeeper.judge, driver.desk.instrument.grid
    told = []
    for place in places[:2]:
        order = driver.engine.orders.by_intent(place.intent)
        again = Candidate(order.outcome, order.order_side, order.price, order.size, order.side, grid)
        driver.engine.orders._per_market[MARKET].clear()
        denial = judge(driver.desk, again, order.created_s + 0.5)
        told.append(denial and denial.code)
    assert told == [None, "duplicate"]


@pytest.mark.parametrize(
    "over", [{"market_cap": 0.004}, {"gross_cap": 0.004}, {"market_cap": 0.0101}, {"group_cap": 0.0002}]
)
def test_plans_keep_within_the_caps_at_cost_so_that_nothing_is_denied(over: dict[str, float]) -> None:
    driver, places = fresh(**over)
    assert denied(driver.actions) == []
    worst = driver.engine.gatekeeper.exposures.worst(MARKET)
    most = min(over.get("market_cap", 1.0), over.get("gross_cap", 1.0)) * 50_000
    assert 0 < worst.market <= most * MICRO * MICRO
    assert places


def test_plan_whose_fair_value_is_far_from_the_middle_stays_in_the_collar() -> None:
    driver, _ = fresh(collar_ticks=0)
    bid, ask = driver.desk.touch_of_others
    for order in driver.orders():
        assert 2 * order.yes_price <= bid + ask if order.side == "bid" else 2 * order.yes_price >= bid + ask
    assert denied(driver.actions) == []


def test_sale_is_cut_to_what_kept_orders_leave() -> None:
    """An order kept within the size's tolerance holds shares that the plan gives to the next layer: it sells less."""
    driver = Driver(VenueBook()).quoting(yes=900)
    first, second = [order for order in driver.orders() if order.order_side == "SELL"][:2]
    driver.send(OperatorCommand(act="size", market=MARKET, amount=0.9, who="test"))
    driver.send(OrderSeen(order_id=second.order_id, status="cancelled", matched=Shares(0)))
    for _ in range(10):
        driver.pass_time(1.0)
        driver.answer()
        driver.answer_cancels()
    sold = [order.remaining for order in driver.orders() if order.order_side == "SELL"]
    assert first.state is State.LIVE and sum(sold) == shares(900)
    assert "sellable" not in str(driver.desk.held_back) and denied(driver.actions) == []


def test_cash_that_an_order_holds_itself_is_there_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """All cash is in orders: each may still be sent, and a dollar less is too little."""
    driver, places = fresh()
    monkeypatch.setattr(type(driver.engine), "free_cash", Usd(0))
    assert {type(sent(driver, place)) for place in places} == {Cleared}
    monkeypatch.setattr(type(driver.engine), "free_cash", usd(-1))
    words = [sent(driver, place) for place in places]
    assert {word.code for word in words if isinstance(word, Denial)} == {"cash"} and len(words) == 6


def test_position_over_the_caps_is_worked_off() -> None:
    """Held from before, at four times every cap: the reducing side is quoted, the other is not, nothing is denied."""
    driver = Driver(VenueBook(), market_cap=0.01, group_cap=0.01, gross_cap=0.01)
    driver.quoting(yes=5_000)
    assert {order.side for order in driver.orders()} == {"ask"}
    assert denied(driver.actions) == []
    assert driver.engine.gatekeeper.exposures.worst(MARKET).market > 0.01 * 50_000 * MICRO * MICRO


def test_caps_are_shown_with_what_is_used_of_them() -> None:
    driver = Driver(VenueBook())
    assert cap_views(driver.engine, driver.now) == (), "shares of what is not known yet"
    driver.quoting()
    caps = cap_views(driver.engine, driver.now)
    assert [(cap.scope, cap.name if cap.scope == "token" else "") for cap in caps] == [
        ("account", ""), ("market", ""), ("token", "YES"), ("token", "NO"),
    ]  # fmt: skip
    bids = sum(order.usd * order.remaining for order in driver.orders() if order.side == "bid")
    asks = sum(order.usd * order.remaining for order in driver.orders() if order.side == "ask")
    assert [cap.cap for cap in caps] == [usd(15_000), usd(3_000), usd(1_500), usd(1_500)]
    assert caps[0].used == caps[1].used == Usd((max(bids, asks) + MICRO // 2) // MICRO)
    shares_up = sum(order.remaining for order in driver.orders() if order.side == "bid")
    fair = round(driver.desk.watch.fair.value_at(driver.now) * MICRO)
    assert caps[2].used == shares_up * fair // MICRO
    assert json.dumps([cap.used for cap in caps])


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_judging_changes_nothing_but_the_memory_of_what_was_placed(side: Side) -> None:
    driver = Driver(VenueBook()).quoting()
    keeper = driver.engine.gatekeeper
    before = keeper.exposures.worst(MARKET)
    outcome: Outcome = "YES" if side == "bid" else "NO"
    wanted = Candidate(outcome, "BUY", Ticks(30), shares(9), side, driver.desk.instrument.grid)
    assert keeper.judge(driver.desk, wanted, driver.now) is None
    assert keeper.exposures.worst(MARKET) == before and not keeper.denials
