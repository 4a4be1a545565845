"""Markets that come, are drained, come back and leave while the engine runs: nothing is lost, nothing raises."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from core.account.inventory_acts import IDLE_SEC
from core.actions import Action, Cancel, Finding, Note, Place, ReadAccount, ReadPayouts, Retire, SendJob, SignedPlace
from core.config import Effective, Settings, Tables
from core.decision import GroupBounds
from core.desk import WAITS
from core.events import (
    BalancesRead,
    BooksRead,
    CancelAnswered,
    FeedChanged,
    FillSeen,
    InstrumentAdded,
    InstrumentChanged,
    MarketListed,
    OpenOrdersRead,
    OperatorCommand,
    OrderAnswered,
    OrderSeen,
    PayoutSeen,
    Recovered,
    RouteSeen,
    ScoringSeen,
    TradesRead,
    Woken,
)
from core.listings import QUIET_SEC
from core.market.fees import FeeSchedule
from core.market.proof import Evidence
from core.orders.order import Order, State
from core.portfolio.entries import Booking, Buy, Flow
from core.profiles import Profiles
from core.quoting.adjust import Adjustments
from core.risk.control import Control
from core.risk.gate import Denial
from core.risk_views import cap_views
from core.units import MICRO, OUTCOMES, SIZE_QUANTUM, Shares, Ticks, Usd
from core.valuing import UNVALUED_SEC
from core.viewing import Stage, console_view
from tests.builders import MARKET, NOON, Driver, VenueBook, a_market, cancelled, notes, shares, usd
from tests.core.account.test_reconciliation import known_order
from tests.core.test_stops import restarted, two_markets

OTHER: Final = "0x" + "cd" * 32
YES2, NO2 = "3" * 77, "4" * 77
OFF: Final = "off the list"


def other(**over: Any) -> VenueBook:
    return VenueBook(a_market(market=OTHER, yes=YES2, no=NO2, **over))


def made(*books: VenueBook, **over: Any) -> Driver:
    """Quoting, with one layer a side, on an account that is read."""
    driver = Driver(*(books or (VenueBook(),)), order_layers=1, **over).quoting()
    reads(driver)
    return driver


def listed(driver: Driver, market: str = MARKET, drain: str = "", **over: Any) -> list[Action]:
    return driver.send(MarketListed(market=market, drain=drain, **over))


def reads(driver: Driver, *fills: FillSeen, **held: float) -> list[Action]:
    """Balances that our books expect, or ``held`` of the tokens by name, and the lists after them."""
    books, told = driver.engine.books, {}
    for desk in driver.engine.desks.values():
        for outcome in OUTCOMES:
            inventory = desk.inventory
            told[desk.instrument.token_of(outcome)] = inventory.yes if outcome == "YES" else inventory.no
    told |= {{"yes2": YES2, "no2": NO2}[name]: shares(size) for name, size in held.items()}
    actions = driver.send(BalancesRead(driver.now, books.cash, tuple(told.items()), complete=True))
    driver.now += 0.5
    return [*actions, *driver.read_account(*fills)]


def added(driver: Driver, book: VenueBook, **over: Any) -> list[Action]:
    """A market comes while the engine runs, and the channel carries it."""
    driver.books = (*driver.books, book)
    actions = driver.send(InstrumentAdded(book.instrument, **over))
    tokens = (book.instrument.yes_token, book.instrument.no_token)
    actions += driver.send(FeedChanged(feed="market", connected=True, tokens=tokens))
    return [*actions, *driver.send(book.book("YES")), *driver.send(book.book("NO"))]


def rests(driver: Driver, market: str) -> set[str]:
    """The sides on which something rests once everything was answered."""
    driver.pass_time(2.0)
    driver.answer()
    driver.answer_cancels()
    return {order.side for order in driver.orders(State.LIVE, State.PARTIAL, market=market)}


def blocked(driver: Driver, market: str) -> str:
    return str(driver.engine.desks[market].blocked_by)


def state_of(driver: Driver, market: str = MARKET) -> Control:
    return driver.engine.controls.of(market)


def goes(driver: Driver, market: str = MARKET, seconds: float = QUIET_SEC + 10) -> list[Action]:
    """Time goes by in which cancels are answered and the account is read."""
    actions: list[Action] = []
    for _ in range(int(seconds)):
        actions += driver.pass_time(1.0)
        driver.answer_cancels()
        if any(isinstance(action, ReadAccount) for action in actions):
            actions += driver.read_account()
    return actions


def retired(actions: list[Action]) -> list[Retire]:
    return [action for action in actions if isinstance(action, Retire)]


def bought(driver: Driver, side: str = "bid", settlement: str = "confirmed") -> tuple[Order, FillSeen]:
    """The resting order of a side fills whole."""
    [order] = [order for order in driver.orders(State.LIVE) if order.side == side]
    size = order.remaining
    driver.fill(order, trade="t1")
    fill = FillSeen(trade_id="t1", order_id=order.order_id, size=size, settlement="matched", unix=driver.unix)
    if settlement != "matched":
        driver.fill(order, size / MICRO, settlement, "t1")
    return order, fill


# Coming


def test_a_market_that_comes_late_is_quoted_once_its_shares_were_read() -> None:
    """First sight: what is held there of earlier times is known before the first order, caps hold at once."""
    driver = made()
    actions = added(driver, other())
    assert OTHER in driver.engine.desks
    wished = [a for a in [*actions, *driver.pass_time(1.0)] if isinstance(a, ReadAccount)]
    assert {section for read in wished for section in read.sections} >= {"balances", "trades", "orders"}
    assert rests(driver, OTHER) == set()
    assert blocked(driver, OTHER) == "recovering: its shares on the account are not read yet"
    assert rests(driver, MARKET) == {"bid", "ask"}, "the others go on"
    reads(driver, yes2=0, no2=0)
    assert rests(driver, OTHER) == {"bid", "ask"}


def test_where_nobody_reads_an_account_there_is_nothing_to_wait_for() -> None:
    """A recording that names a market late: all that the paper account has was told at once."""
    driver = Driver(VenueBook(), order_layers=1).quoting()
    added(driver, other())
    assert rests(driver, OTHER) == {"bid", "ask"}


def test_balances_that_were_asked_for_before_a_market_came_do_not_speak_of_it() -> None:
    driver = made()
    early = BalancesRead(driver.now, driver.engine.books.cash, ((YES2, Shares(0)), (NO2, Shares(0))), complete=True)
    driver.now += 0.1
    added(driver, other())
    driver.send(early)
    driver.now += 0.1
    driver.read_account()
    assert rests(driver, OTHER) == set()


def test_balances_without_its_tokens_do_not_speak_of_it() -> None:
    driver = made()
    added(driver, other())
    driver.send(BalancesRead(driver.now, driver.engine.books.cash, ((YES2, Shares(0)),), complete=True))
    driver.now += 0.1
    driver.read_account()
    assert rests(driver, OTHER) == set()


@pytest.mark.parametrize("adopts", [True, False])
def test_shares_that_are_there_when_a_market_comes_are_adopted_or_shown_apart(adopts: bool) -> None:
    driver = made(adopt_shares=adopts)
    added(driver, other())
    reads(driver, yes2=40, no2=0)
    driver.pass_time(2.0)
    position = driver.engine.books.portfolio.position(OTHER)
    assert position.inventory.yes == (shares(40) if adopts else 0)
    assert driver.engine.reconciliation.foreign.shares.get(YES2, 0) == (0 if adopts else shares(40))
    assert driver.engine.books.trouble == ""


def test_no_order_of_a_market_leaves_before_its_first_sight() -> None:
    """Also one that somebody had decided on: the gate asks the same question."""
    driver = made()
    added(driver, other())
    desk = driver.engine.desks[OTHER]
    place = driver.engine.orders.place(
        desk.instrument, outcome="YES", order_side="BUY", price=Ticks(40), size=shares(5), side="bid", layer=0,
        reason="", now=driver.now,
    )  # fmt: skip
    word = driver.engine.gatekeeper.clear(SignedPlace(place, "id", None), driver.now)
    assert isinstance(word, Denial) and word.code == "recovering"


def test_holdings_of_earlier_sessions_count_at_once_when_their_market_comes() -> None:
    """The journal knows them from the start; caps, group and worst case count them from the first moment."""
    first = VenueBook(a_market(group="g", group_size=2, neg_risk=True))
    late = other(group="g", group_size=2, neg_risk=True)
    driver = Driver(first, order_layers=1)
    lines = (
        Booking(1, "", "opening", NOON - 60.0, Flow(usd(10_000)), "start"),
        Booking(2, OTHER, "fill a b", NOON - 50.0, Buy("YES", shares(100), usd(0.5)), "fill"),
    )
    driver.send(Recovered(bookings=lines, next_seq=3, held=(late.instrument,)))
    exposures = driver.engine.gatekeeper.exposures
    assert exposures.loss(OTHER).worst == 50 * MICRO * MICRO
    driver.send(InstrumentAdded(late.instrument))
    assert driver.engine.desks[OTHER].inventory.yes == shares(100)
    assert exposures.group_worst("g") == usd(50) and exposures.account_worst == usd(50)


def test_the_event_of_a_market_that_comes_is_complete_only_with_all_of_it() -> None:
    """An event that grew from two markets to three: the two alone promise no dollar any more."""
    books = [
        VenueBook(a_market(market=f"0x{n}", yes=f"{n}1", no=f"{n}2", group="g", group_size=size, neg_risk=True), 30)
        for n, size in enumerate((2, 2, 3))
    ]
    driver = made(*books[:2])
    exposures, desk = driver.engine.gatekeeper.exposures, driver.engine.desks["0x0"]
    assert driver.engine.groups.risk(desk) is not None
    group = exposures._groups["g"]
    assert group.size == 2
    added(driver, books[2])
    assert group.size == 3
    reads(driver)
    driver.pass_time(2.0)
    view = driver.engine.groups.view(desk)
    assert view is not None and set(view.most_bid) == {"0x0", "0x1", "0x2"}


def test_a_market_whose_token_belongs_to_another_is_not_made() -> None:
    driver = made()
    actions = driver.send(InstrumentAdded(a_market(market=OTHER, yes=driver.books[0].instrument.no_token, no=NO2)))
    assert OTHER not in driver.engine.desks and "a token of it belongs to a market that is made" in notes(actions)
    assert driver.engine.data.find(driver.books[0].instrument.no_token) is driver.desk.tracked


def test_a_market_that_is_made_is_not_made_anew() -> None:
    driver = made()
    desk = driver.desk
    assert driver.send(InstrumentAdded(driver.books[0].instrument, max_usd=usd(1))) == []
    assert driver.desk is desk


def test_orders_of_earlier_sessions_are_told_in_the_ticks_of_the_market_that_comes() -> None:
    """They rested on another grid when nobody made their market; their dollars stay what they are."""
    driver = Driver(VenueBook(), order_layers=1)
    left = known_order(market=OTHER, token=YES2, usd=usd(0.4), tick_text="0.01")
    driver.send(Recovered(orders=(left,), next_intent=8))
    [order] = driver.orders(market=OTHER)
    assert order.price == 40 and order.state is State.CANCEL_SENT
    driver.send(InstrumentAdded(other(tick_text="0.001").instrument))
    assert (order.price, order.yes_price, order.grid.tick_text) == (400, 400, "0.001")


def test_adjustments_and_pauses_of_a_market_wait_for_it() -> None:
    """What an operator asked of a market that is not made holds when it is made again."""
    driver = made()
    added(driver, other())
    reads(driver)
    driver.pass_time(2.0)
    driver.send(OperatorCommand(act="one_side", market=OTHER, who="jo", sides="ask"))
    driver.send(OperatorCommand(act="pause", market=OTHER, who="jo", sides="bid"))
    listed(driver, OTHER, OFF, retires=True)
    driver.answer()
    assert retired(goes(driver)) and OTHER not in driver.engine.desks
    assert driver.engine.controls.find(OTHER, "bid", "operator") is not None
    driver.books = driver.books[:1]
    actions = added(driver, other())
    assert driver.engine.desks[OTHER].stance.adjustments != Adjustments()
    assert "since it was made before" in notes(actions)
    assert driver.engine.controls.find(OTHER, "bid", "operator") is not None


# Draining


def test_a_drained_market_only_reduces_and_says_how_that_ends() -> None:
    driver = made(VenueBook(), other())
    bought(driver)
    driver.pass_time(3.0)
    driver.answer()
    actions = listed(driver, MARKET, "it fails the screen: liquidity 400 is under 500")
    control = state_of(driver)
    assert (control.state, control.source, control.author) == ("REDUCE_ONLY", "selection", "the market list")
    assert "a resume does not lift this: the list and its screen have to want it again" in control.words
    assert "it fails the screen: liquidity 400 is under 500" in notes(actions)
    assert {action.reason for action in cancelled(actions)} == {control.words}, "what adds goes in the same step"
    assert rests(driver, MARKET) == {"ask"}
    assert rests(driver, OTHER) == {"bid", "ask"}
    assert listed(driver, MARKET, "it fails the screen: liquidity 400 is under 500") == [], "said once"


def test_a_resume_does_not_lift_it_and_says_so() -> None:
    driver = made()
    listed(driver, MARKET, OFF, retires=True)
    for act, market in (("resume", MARKET), ("resume_all", "")):
        actions = driver.send(OperatorCommand(act=act, market=market, who="jo"))  # type: ignore[arg-type]
        assert state_of(driver).source == "selection"
        if market:
            told = "still reduce-only: off the list; a resume does not lift this: the list and its screen have to want"
            assert told in notes(actions)


def test_a_stricter_state_of_an_operator_stays_and_outlives_the_drain() -> None:
    driver = made()
    driver.send(OperatorCommand(act="pause", market=MARKET, who="jo"))
    listed(driver, MARKET, OFF)
    assert state_of(driver).state == "PAUSED"
    assert "as usual again" in notes(listed(driver, MARKET, ""))
    assert state_of(driver).state == "PAUSED" and rests(driver, MARKET) == set()
    driver.send(OperatorCommand(act="resume", market=MARKET, who="jo"))
    assert rests(driver, MARKET) == {"bid", "ask"}


def test_a_market_that_is_wanted_again_is_quoted_as_before() -> None:
    driver = made()
    listed(driver, MARKET, OFF, retires=True)
    assert rests(driver, MARKET) == set()
    assert "the market list wants it as usual again" in notes(listed(driver))
    assert rests(driver, MARKET) == {"bid", "ask"}
    assert retired(goes(driver)) == [] and MARKET in driver.engine.desks
    assert listed(driver) == []


def test_another_reason_takes_the_place_of_the_first() -> None:
    driver = made()
    listed(driver, MARKET, "the screen")
    listed(driver, MARKET, OFF, retires=True)
    assert state_of(driver).reason.startswith(OFF)


def test_off_the_list_without_a_reason_drains_all_the_same() -> None:
    driver = made()
    listed(driver, MARKET, retires=True)
    assert state_of(driver).reason.startswith("off the list")


def test_what_the_list_says_of_a_market_that_is_not_made_is_nothing() -> None:
    driver = made()
    assert listed(driver, OTHER, OFF, retires=True, profile="x", max_usd=usd(1)) == []
    assert driver.engine.controls.held() == [] and retired(goes(driver)) == []


def test_a_restart_drains_on_until_the_list_speaks() -> None:
    """A restored state holds, one that the list repeats is no news, and one of a market not made is forgotten."""
    told = Control("REDUCE_ONLY", "why; a resume does not lift this: the list and its screen have to want it again",
                   "selection", author="the market list", market=MARKET, since_unix=NOON - 60)  # fmt: skip
    elsewhere = Control("REDUCE_ONLY", "why", "selection", market=OTHER, since_unix=NOON - 60)
    driver = Driver(VenueBook(), order_layers=1)
    driver.send(Woken(driver.unix))
    driver.send(Recovered(controls=(told, elsewhere)))
    assert [control.market for control in driver.engine.controls.held()] == [MARKET]
    lifted = [control for control in driver.engine.controls.take_changes() if control.market == OTHER]
    assert [control.state for control in lifted] == ["ACTIVE"], "the journal forgets it too"
    assert listed(driver, MARKET, "why") == [] and state_of(driver).since_unix == NOON - 60
    listed(driver, MARKET)
    assert driver.engine.controls.held() == []


# Leaving


def test_a_market_off_the_list_leaves_once_nothing_of_ours_is_left() -> None:
    driver = made(VenueBook(), other())
    listed(driver, MARKET, OFF, retires=True)
    actions = goes(driver)
    instrument = driver.books[0].instrument
    assert retired(actions) == [Retire(market=MARKET, tokens=(instrument.yes_token, instrument.no_token))]
    engine = driver.engine
    assert set(engine.desks) == {OTHER} and engine.data.find(instrument.yes_token) is None
    assert engine.controls.held() == [] and engine.listings.remaining(MARKET, driver.now) == ""
    assert "nothing of ours is left: made no longer" in notes(actions)
    assert rests(driver, OTHER) == {"bid", "ask"}
    assert MARKET in engine.inventory.elsewhere


def test_a_market_that_only_fails_the_screen_stays() -> None:
    driver = made()
    listed(driver, MARKET, "the screen")
    assert retired(goes(driver)) == [] and MARKET in driver.engine.desks


def remaining(driver: Driver) -> str:
    return driver.engine.listings.remaining(MARKET, driver.now)


def _orders(driver: Driver) -> str:
    return "2 orders may fill"


def _doubt(driver: Driver) -> str:
    for order in driver.orders(State.LIVE):
        driver.send(CancelAnswered(order_id=order.order_id, outcome="unknown"))
    driver.send(CancelAnswered(order_id=driver.orders()[0].order_id, outcome="gone"))
    return "orders may fill"


def _holds(driver: Driver) -> str:
    bought(driver)
    return "YES held"


def _open_trade(driver: Driver) -> str:
    bought(driver, settlement="matched")
    return "1 trade not final"


def _flattening(driver: Driver) -> str:
    bought(driver)
    driver.pass_time(1.0)
    driver.flatten(most_cost=usd(100))
    assert driver.desk.flattening is not None
    return "it is being flattened"


def _unpriced(driver: Driver) -> str:
    driver.engine.books.find(MARKET, "YES", 5 * MICRO, None, driver.unix, "test")
    return "shares wait for a price to be booked at"


def _operation(driver: Driver) -> str:
    driver.engine.inventory.jobs.touches = lambda market: market == MARKET  # type: ignore[method-assign]
    return "an inventory operation is under way"


@pytest.mark.parametrize("leave", [_orders, _doubt, _holds, _open_trade, _flattening, _unpriced, _operation])
def test_it_does_not_leave_while_something_of_ours_is_there_and_says_what(leave: Callable[[Driver], str]) -> None:
    driver = made()
    what = leave(driver)
    listed(driver, MARKET, OFF, retires=True)
    assert what in remaining(driver)
    for _ in range(int(QUIET_SEC) + 20):
        actions = driver.pass_time(1.0)
        if any(isinstance(action, ReadAccount) for action in actions):
            driver.send(TradesRead(driver.now, int(driver.unix_offset), (), complete=False))
        assert not retired(actions)
    assert MARKET in driver.engine.desks


def holding(yes: float = 0.0, no: float = 0.0, *, venue: Any = "demo", **over: Any) -> Driver:
    """A drained market in which so much is held and whose fees are known; operations may leave but in paper."""
    driver = Driver(VenueBook(a_market(fees=FeeSchedule(0))), order_layers=1, **over)
    driver.feeds()
    driver.send(RouteSeen(venue=venue, route="relayer"))
    for outcome in OUTCOMES:
        driver.send(driver.books[0].book(outcome))
    driver.account(yes=yes, no=no)
    listed(driver, MARKET, OFF, retires=True)
    driver.pass_time(2.0)
    driver.engine.orders._per_market.clear()
    return driver


@pytest.mark.parametrize(
    ("yes", "no", "words"),
    [
        (40.0, 0.0, "40 YES held"),
        (3.0, 0.0, "3 YES held, fewer than the 5 that an order has at least: flatten it"),
        (0.0, 2.0, "2 NO held, fewer than the 5 that an order has at least: flatten it"),
        (20.0, 20.0, "20 YES and 20 NO held: pairs to be merged"),
        (22.0, 20.0, "22 YES and 20 NO held: pairs to be merged"),
        (3.0, 2.0, "3 YES and 2 NO held: pairs: merge them"),
    ],
)
def test_what_is_held_says_how_it_leaves(yes: float, no: float, words: str) -> None:
    assert remaining(holding(yes, no)) == words


def test_the_remedies_that_are_named_work() -> None:
    """Flattening crosses with what no order may rest for; pairs merge when asked, or by themselves when enough."""
    driver = holding(3.0)
    driver.flatten(most_cost=usd(3))
    driver.pass_time(120.0)
    assert any(isinstance(action, Place) and action.crosses for action in driver.actions)
    driver = holding(3.0, 2.0)
    actions = driver.send(OperatorCommand(act="merge", market=MARKET, who="jo", amount=0.0))
    assert [action.job.size for action in actions if isinstance(action, SendJob)] == [shares(2)]
    driver = holding(20.0, 20.0)
    begun = [action for action in driver.pass_time(IDLE_SEC + 10.0) if isinstance(action, SendJob)]
    assert [job.job.size for job in begun] == [shares(20)], "a market that only waits for it is idle"


def test_what_waits_for_a_bid_or_a_route_says_so() -> None:
    driver = holding(3.0)
    for tick in list(driver.books[0].bids):
        driver.send(driver.books[0].set("bid", tick, 0))
    assert remaining(driver).startswith(
        "3 YES held, fewer than the 5 that an order has at least: flatten it (nobody bids now)"
    )
    driver.send(FeedChanged(feed="market", connected=False))
    assert "flatten it (market feed is down now)" in remaining(driver)
    driver = holding(2.0)
    driver.send(FeedChanged(feed="market", connected=False))
    assert remaining(driver).startswith("nothing; it is let go in"), "by its fair value it is worth 92 cents"
    driver = holding(20.0, 20.0)
    driver.send(RouteSeen(venue="live", route=None, obstacle="a deposit wallet needs a relayer key"))
    assert remaining(driver).endswith("pairs to be merged; a deposit wallet needs a relayer key")


@pytest.mark.parametrize(
    ("yes", "no", "kept"),
    [
        (0.01, 0.008184, "0.01 YES and 0.008184 NO"),
        (0.5, 0.0, "0.5 YES"),
        (2.2, 0.0, "2.2 YES"),
        (0.0, 1.8, "1.8 NO"),
        (1.9, 0.9, "1.9 YES and 0.9 NO"),
        (0.009999, 0.0, "0.009999 YES"),
    ],
)
def test_what_nothing_can_move_keeps_no_market_and_stays_in_the_books(yes: float, no: float, kept: str) -> None:
    """Below a least order, worth less than a dollar to those who bid, and no pair of a least merge."""
    driver = holding(yes, no)
    actions = goes(driver)
    assert retired(actions) and MARKET not in driver.engine.desks
    assert f"nothing of ours can be moved: made no longer; the books keep {kept}" in notes(actions)
    inventory = driver.engine.books.portfolio.position(MARKET).inventory
    assert (inventory.yes, inventory.no) == (shares(yes), shares(no))
    assert driver.engine.books.value_elsewhere(driver.engine.desks) > 0 and MARKET in driver.engine.inventory.elsewhere


def test_what_becomes_worth_a_dollar_within_the_minute_keeps_its_market() -> None:
    driver = holding(2.2)
    assert remaining(driver).startswith("nothing; it is let go in")
    driver.send(driver.books[0].set("bid", 46, 500))
    assert "flatten it" in remaining(driver)
    assert not retired(goes(driver))


def test_what_nobody_tells_the_fees_of_is_not_crossed_with() -> None:
    driver = Driver(VenueBook(), order_layers=1)
    driver.feeds()
    driver.send(driver.books[0].book())
    driver.account(yes=4.9)
    listed(driver, MARKET, OFF, retires=True)
    assert retired(goes(driver)), "a flattening would refuse it for good"


def test_pairs_of_a_paper_account_keep_no_market() -> None:
    """Nothing of it goes to the chain: what is sure of its dollar waits for its payout in the books."""
    driver = holding(20.0, 20.0, venue="paper")
    assert retired(goes(driver))


def test_less_than_a_share_waits_for_no_payout() -> None:
    driver = holding(0.9)
    driver.desk.resolved = True
    assert remaining(driver).startswith("nothing; it is let go in")


@pytest.mark.parametrize(
    ("payout", "over", "words"),
    [
        (1.0, {}, "40 YES held: to be redeemed"),
        (1.0, {"auto_redeem": False}, "40 YES held: redeem it"),
        (0.02, {}, "nothing; it is let go in 60 s"),
        (0.0, {}, "nothing; it is let go in 60 s"),
    ],
)
def test_what_is_resolved_waits_for_a_redemption_that_pays(payout: float, over: dict[str, Any], words: str) -> None:
    driver = holding(40.0, **over)
    driver.desk.resolved = True
    assert remaining(driver) == "40 YES held: to be redeemed; what it pays is not told yet"
    driver.send(PayoutSeen(market=MARKET, price=usd(payout), source="chain"))
    driver.engine.orders._per_market.clear()
    assert remaining(driver) == words


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"act": "pause", "market": MARKET}, "paused: by jo; resume it"),
        ({"act": "pause", "market": MARKET, "for_s": 60.0}, "paused: by jo; resume it, or wait 60 s"),
        ({"act": "pause", "market": MARKET, "sides": "ask"}, "paused: by jo; resume asks"),
        ({"act": "pause", "market": MARKET, "sides": "bid"}, ""),
        ({"act": "pause_all"}, "paused: by jo; resume all markets"),
        ({"act": "kill", "reason": "test"}, "killed: test, by jo; re-arm"),
        ({"act": "reduce", "market": MARKET}, ""),
    ],
)
def test_what_forbids_to_reduce_is_named_with_its_way_out(asked: dict[str, Any], words: str) -> None:
    driver = holding(40.0)
    driver.send(OperatorCommand(who="jo", **asked))
    driver.engine.orders._per_market.clear()
    assert remaining(driver) == "; ".join(filter(None, ("40 YES held", words)))
    if words and asked["act"] != "kill":
        act = "resume_all" if asked["act"] == "pause_all" else "resume"
        driver.send(OperatorCommand(who="jo", act=act, market=asked.get("market", "")))  # type: ignore[arg-type]
        assert remaining(driver) == "40 YES held"


def test_a_flattening_that_ended_with_a_rest_says_how_it_is_worked_off() -> None:
    driver = holding(40.0)
    driver.flatten(most_cost=usd(20))
    driver.pass_time(1.0)
    driver.answer()
    driver.send(OperatorCommand(act="flatten_stop", market=MARKET, who="jo"))
    driver.pass_time(1.0)
    driver.answer_cancels()
    driver.pass_time(1.0)
    assert remaining(driver) == (
        "40 YES held; paused: flattening ended: stopped by jo; 40 YES left, by test; resume it"
    )


def test_a_flattening_is_hindered_by_less_than_quotes_are() -> None:
    """It works through a pause and a schedule; a kill stops it too."""
    driver = holding(3.0)
    driver.send(OperatorCommand(act="pause", market=MARKET, who="jo"))
    assert remaining(driver).endswith("flatten it")
    driver.send(OperatorCommand(act="kill", who="jo", reason="test"))
    assert remaining(driver).endswith("flatten it; killed: test, by jo; re-arm")
    driver = holding(40.0)
    driver.send(InstrumentChanged(replace(driver.books[0].instrument, end_unix=driver.unix + 600.0)))
    driver.pass_time(2.0)
    assert remaining(driver).startswith("40 YES held; ") and remaining(driver).endswith("; flatten it")
    driver.flatten(most_cost=usd(20))
    assert remaining(driver) == "it is being flattened; 40 YES held"


def test_a_change_that_is_proven_in_a_moment_is_no_obstacle_and_hides_no_value() -> None:
    """It comes with every move of the book: what remains does not flicker, nor does the minute begin anew."""
    for held, words in ((40.0, "40 YES held"), (2.2, "nothing; it is let go in")):
        driver = holding(held)
        first, second = driver.books[0].set("bid", 45, 190), driver.books[0].set("bid", 44, 390, after_ms=0)
        hashes = {change.asset_id: change.hash for change in second.price_changes}
        entries = tuple([replace(change, hash=hashes[change.asset_id]) for change in first.price_changes])
        driver.send(replace(first, price_changes=entries))
        assert driver.desk.data_trouble in WAITS
        assert remaining(driver).startswith(words) and "flatten" not in remaining(driver)
        assert "proven" not in remaining(driver)


def test_a_quarantine_of_a_drained_market_is_named_with_its_way_out() -> None:
    driver = holding(40.0)
    found = Finding("test", "alarm", "quarantine", MARKET, MARKET, "something is wrong")
    driver.engine.findings.tell([found], driver.unix)
    assert "resume it when that is settled" in remaining(driver)
    driver.send(OperatorCommand(act="resume", market=MARKET, who="jo"))
    assert remaining(driver) == "40 YES held"


def test_it_waits_for_trades_that_were_read_since() -> None:
    """A cancel's answer may be faster than the fill before it; the list of trades is the last to know."""
    driver = made()
    driver.engine.reconciliation.read_until_unix = driver.unix
    listed(driver, MARKET, OFF, retires=True)
    for _ in range(int(QUIET_SEC) + 20):
        actions = driver.pass_time(1.0)
        driver.answer_cancels()
        assert not retired(actions)
    assert remaining(driver) == "nothing; the account's trades were not read since"
    reads(driver)
    assert retired(driver.pass_time(2.0))


def test_it_does_not_leave_before_an_earlier_session_is_settled() -> None:
    """Orders and trades of that session are not known yet: what looks empty may not be."""
    driver = Driver(VenueBook(), order_layers=1)
    driver.feeds()
    driver.send(Woken(driver.unix))
    driver.send(Recovered())
    listed(driver, MARKET, OFF, retires=True)
    assert not retired(driver.pass_time(QUIET_SEC + 20))
    assert remaining(driver) == "recovering: trades are not read yet"
    reads(driver)
    assert retired(goes(driver))


def test_it_does_not_leave_while_the_session_ends() -> None:
    driver = made()
    listed(driver, MARKET, OFF, retires=True)
    driver.engine.stopping = True
    assert not retired(goes(driver))


def gone() -> tuple[Driver, Order]:
    """A market that has left, with an order of it that had been cancelled."""
    driver = made(VenueBook(), other())
    order = driver.orders(State.LIVE)[0]
    listed(driver, MARKET, OFF, retires=True)
    assert retired(goes(driver))
    driver.actions.clear()
    return driver, order


LATE: Final[dict[str, Callable[[Driver, Order], Any]]] = {
    "book": lambda driver, order: driver.books[0].book(),
    "change": lambda driver, order: driver.books[0].set("bid", 45, 10),
    "trade": lambda driver, order: driver.books[0].trade("0.46"),
    "tick": lambda driver, order: driver.books[0].retick("0.001"),
    "read": lambda driver, order: BooksRead(
        tokens=(driver.books[0].instrument.yes_token,), asked_s=driver.now, books=(driver.books[0].rest(),), touches=()
    ),
    "coverage": lambda driver, order: FeedChanged(
        feed="market", connected=False, tokens=(driver.books[0].instrument.yes_token,)
    ),
    "cancel answered": lambda driver, order: CancelAnswered(order_id=order.order_id, outcome="cancelled"),
    "cancel gone": lambda driver, order: CancelAnswered(order_id=order.order_id, outcome="gone"),
    "placement answered": lambda driver, order: OrderAnswered(intent=order.intent, outcome="live"),
    "placement refused": lambda driver, order: OrderAnswered(intent=order.intent, outcome="refused", refusal="market"),
    "placement unknown": lambda driver, order: OrderAnswered(intent=order.intent, outcome="unknown"),
    "order live": lambda driver, order: OrderSeen(order_id=order.order_id, status="live", asked_s=driver.now),
    "order cancelled": lambda driver, order: OrderSeen(order_id=order.order_id, status="cancelled"),
    "order matched": lambda driver, order: OrderSeen(order_id=order.order_id, status="matched", matched=order.size),
    "scoring": lambda driver, order: ScoringSeen(scoring=((order.order_id, True),)),
    "fill": lambda driver, order: FillSeen(
        trade_id="late", order_id=order.order_id, size=order.size, settlement="matched", unix=driver.unix
    ),
    "trades": lambda driver, order: TradesRead(driver.now, int(driver.unix_offset), (), complete=True),
    "orders": lambda driver, order: OpenOrdersRead(asked_s=driver.now, orders=(), complete=True),
    "balances": lambda driver, order: BalancesRead(
        driver.now, driver.engine.books.cash, ((driver.books[0].instrument.yes_token, shares(3)),), complete=True
    ),
    "listed": lambda driver, order: MarketListed(market=MARKET, drain="why", retires=True),
}


@pytest.mark.parametrize("name", list(LATE))
def test_what_is_told_late_of_a_market_that_left_is_handled(name: str) -> None:
    driver, order = gone()
    driver.now += 1.0
    driver.send(LATE[name](driver, order))
    driver.pass_time(3.0)
    driver.read_account()
    driver.pass_time(3.0)
    assert driver.engine.books.trouble == ""
    assert MARKET not in driver.engine.desks
    console_view(driver.engine, Stage(1, "demo", driver.now, driver.unix, 0.0, "", ()))


def test_an_order_that_turns_out_to_rest_after_all_is_cancelled_and_counts() -> None:
    driver, order = gone()
    driver.now += 30.0
    actions = driver.send(OrderSeen(order_id=order.order_id, status="live", asked_s=driver.now))
    assert [action.order_id for action in actions if isinstance(action, Cancel)] == [order.order_id]
    assert any(isinstance(action, Finding) and action.code == "undead_order" for action in actions)
    assert driver.engine.gatekeeper.exposures.loss(MARKET).worst > 0
    view = console_view(driver.engine, Stage(1, "demo", driver.now, driver.unix, 0.0, "", ()))
    assert view.open_orders == 3


def test_a_late_fill_of_a_market_that_left_is_booked_and_so_is_its_failing() -> None:
    """Money that moved is in the books whoever makes the market; a trade that fails is taken back to the cent."""
    driver, order = gone()
    cash = driver.engine.books.cash
    fill = FillSeen(trade_id="late", order_id=order.order_id, size=order.size, settlement="matched", unix=driver.unix)
    assert "in a market that is not made now" in notes(driver.send(fill))
    sign = 1 if order.order_side == "BUY" else -1
    assert driver.engine.books.cash == cash - sign * order.usd * order.size // MICRO
    assert driver.engine.gatekeeper.exposures.loss(MARKET).worst > 0
    failed = driver.send(FillSeen("late", order.order_id, order.size, "failed", driver.unix))
    assert "a trade failed" in notes(failed)
    assert driver.engine.books.cash == cash and driver.engine.books.trouble == ""
    assert driver.engine.gatekeeper.exposures.loss(MARKET).worst == 0


def test_the_finding_of_a_market_that_left_closes_it_for_when_it_comes_back() -> None:
    driver, order = gone()
    driver.send(FillSeen("late", order.order_id, order.size, "confirmed", driver.unix))
    driver.send(FillSeen("late", order.order_id, order.size, "failed", driver.unix))
    driver.books = driver.books[1:]
    added(driver, VenueBook())
    reads(driver)
    driver.pass_time(2.0)
    assert "quarantined" in driver.engine.facts(driver.engine.desks[MARKET], driver.now).quarantine


COMMANDS: Final = ("pause", "reduce", "widen", "cancel_market", "flatten", "flatten_stop", "set", "merge", "resume")


@pytest.mark.parametrize("act", COMMANDS)
def test_commands_for_a_market_that_left_are_refused_in_words(act: Any) -> None:
    driver, _ = gone()
    for preview in (True, False):
        actions = driver.send(OperatorCommand(act=act, market=MARKET, who="jo", amount=1.0, preview=preview))
        [note] = [action for action in actions if isinstance(action, Note)]
        assert note.refused, act


def test_a_pause_of_a_market_that_left_can_be_lifted() -> None:
    driver = made(VenueBook(), other())
    driver.send(OperatorCommand(act="pause", market=MARKET, who="jo"))
    listed(driver, MARKET, OFF, retires=True)
    assert retired(goes(driver))
    assert state_of(driver).state == "PAUSED"
    assert "resumed" in notes(driver.send(OperatorCommand(act="resume", market=MARKET, who="jo")))
    assert state_of(driver).state == "ACTIVE"


def test_a_preview_of_all_markets_is_stale_when_one_of_them_left() -> None:
    driver = made(VenueBook(), other())
    bought(driver)
    driver.pass_time(1.0)
    seen = driver.send(OperatorCommand(act="flatten_all", who="jo", preview=True))
    [word] = [action.confirm for action in seen if isinstance(action, Note) and action.confirm]
    driver.engine.books.find(MARKET, "YES", -driver.desk.inventory.yes, usd(0.5), driver.unix, "test")
    listed(driver, MARKET, OFF, retires=True)
    desk = driver.desk
    for order in driver.orders():
        driver.engine.orders._per_market[MARKET].pop(order.intent)
    driver.engine.listings._let_go(desk, driver.now)
    refused = driver.send(OperatorCommand(act="flatten_all", who="jo", confirm=word))
    assert "a market of it is not made any more" in notes(refused)


def test_a_market_that_left_comes_back_and_is_quoted() -> None:
    """Its books go on where they were; what the account has there is read again before the first order."""
    driver, _ = gone()
    before = driver.engine.books.portfolio.position(MARKET)
    book = driver.books[0]
    driver.books = driver.books[1:]
    book.ms += 1000
    added(driver, book)
    assert driver.engine.desks[MARKET].position is before
    assert rests(driver, MARKET) == set()
    reads(driver)
    assert rests(driver, MARKET) == {"bid", "ask"}
    listed(driver, MARKET, OFF, retires=True)
    assert retired(goes(driver))


def test_what_held_a_market_back_before_it_left_is_told_anew_when_it_comes_back() -> None:
    """Its schedule stood when it left, and stands when it is back: that is two; and no room keeps what has left."""
    ends = VenueBook(a_market(end_unix=NOON + 7_000.0))
    driver = made(ends, other())
    trips = driver.engine.protections.trips
    assert trips["schedule"] == 1 and MARKET in driver.engine.earnings._samples
    listed(driver, MARKET, OFF, retires=True)
    assert retired(goes(driver)) and MARKET not in driver.engine.earnings._samples
    driver.books = driver.books[1:]
    ends.ms += 1000
    added(driver, ends)
    reads(driver)
    driver.pass_time(2.0)
    assert trips["schedule"] == 2


def test_one_that_is_left_of_an_event_is_free_of_what_the_other_asked() -> None:
    books = [
        VenueBook(a_market(market=f"0x{n}", yes=f"{n}1", no=f"{n}2", group="g", group_size=2, neg_risk=True), mid)
        for n, mid in enumerate((46, 70))
    ]
    driver = made(*books)
    assert driver.desk.group != GroupBounds()
    listed(driver, "0x1", OFF, retires=True)
    assert retired(goes(driver, "0x1"))
    assert driver.desk.group == GroupBounds() and driver.engine.groups.view(driver.desk) is None
    assert driver.engine.groups.exposure_of_others(driver.desk, driver.now) == 0
    listed(driver, "0x0", OFF, retires=True)
    assert retired(goes(driver, "0x0")) and not driver.engine.desks
    assert driver.engine.next_wake() > 0
    driver.pass_time(5.0)


def test_what_fills_late_in_a_market_that_left_counts_in_its_event() -> None:
    """Also in what is shown, by the event's name, when nobody makes any market of it."""
    books = [
        VenueBook(a_market(market=f"0x{n}", yes=f"{n}1", no=f"{n}2", group="g", neg_risk=True), 46) for n in range(2)
    ]
    driver = made(*books)
    order = next(order for order in driver.orders(State.LIVE) if order.side == "bid")
    listed(driver, "0x0", OFF, retires=True)
    assert retired(goes(driver, "0x0"))
    listed(driver, "0x1", OFF, retires=True)
    added(driver, other())
    assert retired(goes(driver, "0x1"))
    exposures = driver.engine.gatekeeper.exposures
    assert [cap for cap in cap_views(driver.engine, driver.now) if cap.scope == "group"] == []
    driver.send(FillSeen("late", order.order_id, order.size, "confirmed", driver.unix))
    cost = order.usd * order.size // MICRO
    assert exposures.group_worst("g") == exposures.account_worst == cost > 0
    [shown] = [cap for cap in cap_views(driver.engine, driver.now) if cap.scope == "group"]
    assert (shown.name, shown.used) == ("Will it?", cost)


# Money and profile


def with_profiles(driver: Driver, table: dict[str, Any] | None = None, **profiles: Any) -> Driver:
    """Profiles of the operator's file, and a table for the market that comes."""
    origins = dict.fromkeys(Settings.__dataclass_fields__, "default")
    tables = Tables("FILE", profiles, {OTHER: table or {}})
    driver.engine.profiles = Profiles(Effective(driver.engine.settings, origins, tables))
    return driver


def test_money_of_the_list_is_the_market_s_cap_at_cost_from_the_first_order() -> None:
    driver = made()
    added(driver, other(), max_usd=usd(20))
    reads(driver)
    assert rests(driver, OTHER) == {"bid", "ask"}
    exposures, desk = driver.engine.gatekeeper.exposures, driver.engine.desks[OTHER]
    assert 0 < exposures.loss(OTHER).worst <= 20 * MICRO * MICRO
    view = console_view(driver.engine, Stage(1, "demo", driver.now, driver.unix, 0.0, "", ()))
    assert {cap.cap for cap in view.caps if cap.market == OTHER} == {usd(20)}
    [shown] = [market for market in view.markets if market.market == OTHER]
    assert shown.inventory.hard_cap == usd(20) and shown.inventory.soft_cap < usd(20)
    assert desk.rules.bounds.market == usd(20)


def test_money_that_is_lowered_pulls_what_adds_in_the_same_step() -> None:
    driver = made()
    assert len(driver.orders(State.LIVE)) == 2
    actions = listed(driver, MARKET, max_usd=usd(5))
    assert len(cancelled(actions)) == 2 and "could be lost, 5 are allowed" in notes(actions)
    driver.answer_cancels()
    rests(driver, MARKET)
    assert driver.engine.gatekeeper.exposures.loss(MARKET).worst <= 5 * MICRO * MICRO
    assert "by the market list: as the settings say" in notes(listed(driver, MARKET))
    assert rests(driver, MARKET) == {"bid", "ask"}


def test_what_the_list_narrows_is_decided_without_delay() -> None:
    driver = made()
    driver.pass_time(5.0)
    assert driver.engine.next_wake() > driver.now
    listed(driver, MARKET, max_usd=usd(5_000))
    assert driver.engine.next_wake() == driver.now


def test_money_that_is_lowered_keeps_what_reduces() -> None:
    driver = made()
    bought(driver)
    driver.pass_time(3.0)
    driver.answer()
    asks = {order.order_id for order in driver.orders() if order.side == "ask"}
    actions = listed(driver, MARKET, max_usd=usd(5))
    assert asks and not asks & {action.order_id for action in cancelled(actions)}  # type: ignore[union-attr]
    assert rests(driver, MARKET) == {"ask"}


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"max_usd": Usd(0)}, "the list lets it lose nothing"),
        ({"max_usd": Usd(-1)}, "the list lets it lose nothing"),
        ({"profile": "nope"}, "its profile cannot be used: the market list: there is no profile 'nope'"),
        ({"profile": "bad"}, "its profile cannot be used"),
    ],
)
def test_a_wish_that_cannot_be_carried_out_drains_the_market(wish: dict[str, Any], words: str) -> None:
    """What the list asks may be less than usual: it is not quoted as if nothing had been asked."""
    driver = with_profiles(made(), {"price_max": 0.4}, bad={"price_min": 0.5})
    actions = added(driver, other(), **wish)
    assert words in state_of(driver, OTHER).reason and words in notes(actions)
    reads(driver)
    assert rests(driver, OTHER) == set()
    assert listed(driver, OTHER, **wish) == [], "what the list repeats is no news"
    assert words in state_of(driver, OTHER).reason
    assert "as usual again" in notes(listed(driver, OTHER))


def test_a_profile_of_the_list_is_what_the_market_is_quoted_with() -> None:
    driver = with_profiles(made(), calm={"k_vol": 7.0, "market_cap": 0.5})
    added(driver, other(), profile="calm")
    desk = driver.engine.desks[OTHER]
    assert desk.settings.k_vol == 7.0 and desk.settings.market_cap == Settings().market_cap
    assert "profile sports" in notes(listed(driver, OTHER, profile="sports"))
    assert desk.settings.k_vol == 3.0
    driver.send(OperatorCommand(act="set", market=OTHER, who="jo", changes=(("k_vol", "4"),)))
    assert desk.settings.k_vol == 4.0 and desk.chosen is not None and "sports" in desk.chosen.profile
    listed(driver, OTHER)
    assert desk.settings.k_vol == 4.0, "the operator's word stays"


def test_a_preview_of_other_settings_heeds_the_list_s_money() -> None:
    """Ten times the size changes no order of a market that may lose four dollars."""
    driver = with_profiles(made())
    asked = OperatorCommand(act="set", market=MARKET, who="jo", changes=(("base_size_usd", "600"),), preview=True)
    assert "0 of 2 orders would be re-quoted, 0 new" not in notes(driver.send(asked))
    listed(driver, MARKET, max_usd=usd(4))
    driver.answer_cancels()
    rests(driver, MARKET)
    assert "0 of 2 orders would be re-quoted, 0 new" in notes(driver.send(asked))


# Markets that are closed


def test_a_drained_market_whose_book_never_comes_does_not_hold_the_others_up() -> None:
    """It is closed for good, and what is held there waits for its payout: the account is valued without its book."""
    driver = Driver(VenueBook(), other(), order_layers=1)
    driver.rest_answers = False
    lines = (
        Booking(1, "", "opening", NOON - 60.0, Flow(usd(10_000)), "start"),
        Booking(2, OTHER, "fill a b", NOON - 50.0, Buy("YES", shares(100), usd(0.5)), "fill"),
    )
    driver.send(Woken(driver.unix))
    driver.send(Recovered(bookings=lines, next_seq=3, marks=((OTHER, usd(0.4)),)))
    driver.feeds()
    driver.send(driver.books[0].book())
    listed(driver, OTHER, "the venue takes no orders here")
    driver.pass_time(1.0)
    reads(driver)
    driver.pass_time(UNVALUED_SEC + 2)
    assert driver.engine.account.bankroll == usd(9_950 + 40), "at its last known price"
    steps = {type(action).__name__ for action in driver.actions if getattr(action, "tokens", ("",))[0] == YES2}
    assert "ReadBooks" in steps and "Reconnect" not in steps, "no socket of others is given up for it"


def test_what_a_drained_market_pays_is_asked_for() -> None:
    """That it was resolved may have been told to an earlier session."""
    driver = made(VenueBook(), other(), adopt_shares=True)
    driver.send(RouteSeen(venue="demo", route="relayer"))
    bought(driver)
    asked = [a for a in driver.pass_time(130.0) if isinstance(a, ReadPayouts)]
    assert asked == []
    listed(driver, MARKET, "closed")
    asked = [a for a in driver.pass_time(130.0) if isinstance(a, ReadPayouts)]
    assert asked and {market for one in asked for market in one.markets} == {MARKET}
    driver.send(PayoutSeen(market=MARKET, price=usd(1), source="chain"))
    driver.engine.orders._per_market.clear()
    listed(driver, MARKET, "closed", retires=True)
    assert remaining(driver).endswith("YES held: to be redeemed")


def test_a_profile_that_does_not_fit_another_tick_is_no_surprise_when_the_tick_changes() -> None:
    """The grid gets finer while the market is made: what would fail then is refused when the list asks for it."""
    driver = with_profiles(made(), {"price_min": 0.5}, low={"builds_on": "politics"}, fine_only={"price_max": 0.4})
    added(driver, other(), profile="fine_only")
    assert "its profile cannot be used" in state_of(driver, OTHER).reason
    assert "as usual again" in notes(listed(driver, OTHER, profile="low"))
    driver.send(driver.books[1].retick("0.001"))
    assert driver.engine.desks[OTHER].chosen is not None
    assert driver.engine.desks[OTHER].chosen.profile == "fine + low"


def test_a_profile_that_fits_the_fine_grid_alone_is_refused_at_once() -> None:
    """A tenth of a cent may become a cent at any moment: what nothing is left of there is no profile of this market."""
    driver = with_profiles(made(), ends={"price_min": 0.991, "price_max": 0.995})
    added(driver, other(tick_text="0.001"), profile="ends")
    assert "profile ends and the settings share no price" in state_of(driver, OTHER).reason
    driver.send(driver.books[1].retick("0.01"))
    assert driver.engine.desks[OTHER].chosen is not None


def test_counters_of_markets_that_left_stay_counted() -> None:
    """A counter that falls would pass for a restart."""
    driver = made(VenueBook(), other())
    tracked = driver.desk.tracked
    tracked.duplicates, tracked.stale = 3, 4
    before = Evidence()
    for desk in driver.engine.desks.values():
        before.add(desk.tracked.evidence)
    listed(driver, MARKET, OFF, retires=True)
    assert retired(goes(driver))
    tally, after = driver.engine.tally, Evidence()
    after.add(tally.evidence)
    for desk in driver.engine.desks.values():
        after.add(desk.tracked.evidence)
    assert (tally.duplicates, tally.stale) == (3, 4)
    assert after.hash_checked >= before.hash_checked and after.hash_agreed >= before.hash_agreed > 0


def test_a_market_added_while_everything_is_killed_or_stopping_places_nothing() -> None:
    driver = made()
    driver.send(OperatorCommand(act="kill", who="jo", reason="test"))
    added(driver, other())
    reads(driver)
    assert rests(driver, OTHER) == set() and state_of(driver, OTHER).state == "KILLED"
    listed(driver, OTHER, OFF, retires=True)
    assert retired(goes(driver)), "what is empty may leave all the same"


def test_a_reduce_only_of_everything_holds_for_a_market_that_comes() -> None:
    driver = made()
    driver.send(OperatorCommand(act="reduce_all", who="jo"))
    added(driver, other())
    reads(driver)
    assert rests(driver, OTHER) == set()


@pytest.mark.parametrize("held", [40.58, 100.0, 8.4])
def test_a_drained_market_is_worked_off_to_nothing_and_leaves(held: float) -> None:
    """Every ask fills whole, whatever the position is split into: nothing is left that no order can sell."""
    driver = Driver(VenueBook(), other(), order_layers=3, base_size_usd=8.0, max_size_usd=20.0)
    driver.feeds()
    driver.account(yes=held)
    listed(driver, MARKET, OFF, retires=True)
    for book in driver.books:
        driver.send(book.book())
    for number in range(12):
        driver.pass_time(2.0)
        driver.answer()
        driver.answer_cancels()
        for order in driver.orders(State.LIVE):
            size = order.remaining
            driver.fill(order, trade=f"t{number}{order.intent}")
            driver.fill(order, size / MICRO, "confirmed", f"t{number}{order.intent}")
        driver.send(OperatorCommand(act="resume", market=MARKET, who="jo"))  # many fills pause a side
    assert driver.desk.inventory.yes < SIZE_QUANTUM
    assert retired(goes(driver))


async def test_a_drain_is_in_the_journal_until_the_list_lifts_it(tmp_path: Path) -> None:
    """Written and read by the real store: the next session drains before anything is quoted; what left is forgotten."""
    driver = two_markets().quoting()
    listed(driver, OTHER, "the screen")
    listed(driver, MARKET, OFF, retires=True)
    after = await restarted(driver, tmp_path / "mm_state.db")
    assert {one.market: one.source for one in after.engine.controls.held()} == {
        MARKET: "selection",
        OTHER: "selection",
    }
    assert listed(after, OTHER, "the screen") == [], "the same words are no news"
    listed(after, MARKET)
    assert [one.market for one in after.engine.controls.held()] == [OTHER]
    assert retired(goes(driver))
    told = await restarted(driver, tmp_path / "mm_state.db")
    assert [one.market for one in told.engine.controls.held()] == [OTHER], "what left is not drained when it comes back"
