"""What stops orders: every state does, says so, outlives a restart, and ends only as it may."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import Book, KeepAdjustments, Kill, Marked, Note, Rearm
from core.clock import ManualClock
from core.events import (
    Armed,
    BalancesRead,
    Event,
    HeartbeatSeen,
    Killed,
    OpenOrdersRead,
    OperatorCommand,
    OrderAnswered,
    Recovered,
    TradesRead,
    Woken,
)
from core.operating import MOST_FOR_S
from core.orders.order import Order, State
from core.quoting.adjust import Adjustment, Adjustments, KeptAdjustments
from core.risk.control import Control, Source
from core.runtime.journaling import Journaling
from core.units import MICRO, OUTCOMES, SIDES, Side
from core.valuing import UNVALUED_SEC
from core.viewing import Stage, console_view, market_view
from core.views import ConsoleView, ControlState, MarketView
from tests.builders import DAY, MARKET, Driver, VenueBook, a_market, cancelled, kinds, laws, notes, placed
from tests.core.account.test_reconciliation import known_order
from tests.core.store.ledger import opened
from tests.core.test_engine import losing

OTHER: Final = "0x" + "cd" * 32
NOT_ACTIVE: Final[tuple[ControlState, ...]] = ("REDUCE_ONLY", "PAUSED", "CANCEL_ONLY", "KILLED")


def two_markets(**over: Any) -> Driver:
    other = VenueBook(a_market(market=OTHER, yes="3" * 77, no="4" * 77))
    return Driver(VenueBook(), other, order_layers=1, **over)


def act(driver: Driver, name: Any, market: str = MARKET, **over: Any) -> list[Any]:
    return driver.send(OperatorCommand(act=name, market=market, who="jo", **over))


def view(driver: Driver, market: str = MARKET) -> MarketView:
    return market_view(driver.engine, driver.engine.desks[market], driver.now, driver.unix)


def console(driver: Driver) -> ConsoleView:
    return console_view(driver.engine, Stage(1, "demo", driver.now, driver.unix, 0.0, "", ()))


def sides(driver: Driver, market: str = MARKET) -> set[Side]:
    """Those on which an order is on its way or rests, after everything was answered."""
    driver.pass_time(2.0)
    driver.answer()
    driver.answer_cancels()
    return {order.side for order in driver.orders(State.LIVE, State.PARTIAL, market=market)}


def warned(actions: list[Any]) -> str:
    """The text of the one warning that an act was refused with."""
    [note] = actions
    assert isinstance(note, Note) and note.severity == "warning" and note.refused
    return note.text


def reconcile(driver: Driver) -> None:
    """The account is read, and shows what our books say."""
    books = driver.engine.books
    held = [
        (desk.instrument.token_of(outcome), desk.inventory.yes if outcome == "YES" else desk.inventory.no)
        for desk in driver.engine.desks.values()
        for outcome in OUTCOMES
    ]
    for _ in range(2):  # what was asked for before the last list proves nothing
        driver.pass_time(1.0)
        driver.send(OpenOrdersRead(driver.now, (), complete=True))
        driver.send(TradesRead(driver.now, 0, (), complete=True))
        driver.send(BalancesRead(driver.now, books.cash, tuple(held), complete=True))


async def restarted(driver: Driver, path: Path, away_s: float = 0.0, *first: Event, silent: str = "") -> Driver:
    """The next session of the file that this one writes, ``away_s`` later, as far as it is up and quotes.

    ``first`` is told before it hears of the file; of a ``silent`` market it never sees a book.
    """
    store = await opened(path, ManualClock(unix=driver.unix, monotonic=driver.now))
    journaling = Journaling(store, driver.engine, ManualClock(unix=driver.unix, monotonic=driver.now))
    for action in driver.actions:
        if isinstance(action, Marked):
            journaling.marked(action.mark)
        elif isinstance(action, Book):
            journaling.booked(action.booking)
        elif isinstance(action, KeepAdjustments):
            journaling.adjusted(action.kept)
    await journaling.flush()
    await store.end("quit", verified=True)
    store = await opened(path)
    told = await store.recover()
    await store.end("quit", verified=True)
    after = two_markets() if len(driver.books) == 2 else Driver(*driver.books)
    after.unix_offset = driver.unix + away_s - after.now
    after.rest_answers = not silent
    after.send(Woken(after.unix))
    for event in first:
        after.send(event)
    after.send(
        Recovered(
            controls=told.controls,
            equity=told.equity,
            next_seq=told.next_seq,
            bookings=told.bookings,
            adjustments=told.adjustments,
            marks=tuple([(name, mark) for name in driver.engine.desks if (mark := driver.engine.books.mark_of(name))]),
        )
    )
    after.feeds()
    for book in after.books:
        if book.instrument.market != silent:
            after.send(book.book())
    reconcile(after)
    after.pass_time(2.0)
    after.answer()
    return after


# Each state stops orders, says why, and outlives a restart


def in_force(driver: Driver, state: ControlState, market: str, side: Any) -> None:
    """Set a state as whoever sets it does."""
    source: Source = "kill" if state == "KILLED" else "venue" if state == "CANCEL_ONLY" else "operator"
    control = Control(state, "because", source, author="jo", market=market, side=side)
    driver.actions += driver.engine.stops.set(control, driver.now)


@pytest.mark.parametrize("survives", [False, True])
@pytest.mark.parametrize("side", ["", *SIDES])
@pytest.mark.parametrize("market", ["", MARKET])
@pytest.mark.parametrize("state", NOT_ACTIVE)
async def test_a_state_stops_what_it_is_about_and_nothing_else(
    state: ControlState, market: str, side: Any, survives: bool, tmp_path: Path
) -> None:
    """All or one market, both sides or one; a market without a position has nothing to reduce."""
    driver = two_markets().quoting()
    in_force(driver, state, market, side)
    assert {order.side for order in driver.orders(State.LIVE)} == ({*SIDES} - {side} if side else set()), "at once"
    if survives:
        driver = await restarted(driver, tmp_path / "mm_state.db")
    left = {*SIDES} - {side} if side else set()
    assert sides(driver) == left
    assert sides(driver, OTHER) == ({*SIDES} if market else left)
    [told] = console(driver).controls
    assert (told.state, told.market, told.side, told.reason, told.author) == (state, market, side, "because", "jo")
    assert console(driver).control == (state if not market and not side else "ACTIVE")
    said = view(driver)
    assert said.control == ("ACTIVE" if side else state)
    reasons = [said.blocked_by, said.bid_reason, said.ask_reason]
    words = state.lower().replace("_", "-")
    if state == "REDUCE_ONLY":
        held_sides = {"bid": said.bid_reason, "ask": said.ask_reason}
        assert all("reduce only" in f"{held_sides[one]}{said.blocked_by}" for one in ([side] if side else SIDES))
    else:
        assert any(f"{words}: because, by jo" in reason for reason in reasons), reasons


@pytest.mark.parametrize("survives", [False, True])
async def test_reduce_only_keeps_what_reduces_and_never_turns_the_position_over(survives: bool, tmp_path: Path) -> None:
    """Long: bids go at once, asks stay, and never more of them than is held."""
    driver = two_markets().quoting(yes=1000)
    kept = [order.order_id for order in driver.orders(State.LIVE) if order.side == "ask"]
    act(driver, "reduce", reason="enough")
    assert [order.order_id for order in driver.orders(State.LIVE)] == kept
    if survives:
        driver = await restarted(driver, tmp_path / "mm_state.db")
    assert sides(driver) == {"ask"}
    assert sum(order.remaining for order in driver.orders()) <= driver.desk.inventory.net
    assert sides(driver, OTHER) == {*SIDES}


def test_reduce_only_leaves_at_once_no_more_than_the_position(tmp_path: Path) -> None:
    """Asks of three layers that sum to more than is held would sell it and go on; what is too much goes now."""
    driver = Driver(VenueBook(), order_layers=3, base_size_usd=20.0).quoting(yes=60)
    asks = [order for order in driver.orders(State.LIVE) if order.side == "ask"]
    assert sum(order.remaining for order in asks) > driver.desk.inventory.net
    act(driver, "reduce")
    left = driver.orders(State.LIVE)
    assert left and {order.side for order in left} == {"ask"}
    assert sum(order.remaining for order in left) <= driver.desk.inventory.net


@pytest.mark.parametrize(
    ("market", "side", "stays"), [("", "", False), (MARKET, "", False), (MARKET, "bid", False), (OTHER, "", True)]
)
def test_orders_that_are_kept_over_a_restart_go_where_a_restored_state_forbids_them(
    market: str, side: Any, stays: bool
) -> None:
    """An adopted bid keeps its queue while the account is read, but not on a side that is paused."""
    driver = two_markets(adopt_orders=True)
    control = Control("PAUSED", "before", market=market, side=side)
    driver.send(Recovered(orders=(known_order(),), next_intent=8, controls=(control,)))
    order = driver.engine.orders.by_intent(7)
    assert (order.state is State.CANCEL_SENT) != stays, order.state


def test_a_side_that_may_only_reduce_goes_on_reducing() -> None:
    """Long: asks reduce, so nothing changes for them; bids add, so none is left."""
    driver = two_markets().quoting(yes=1000)
    act(driver, "reduce", sides="ask")
    assert sides(driver) == {*SIDES}
    act(driver, "reduce", sides="bid")
    assert sides(driver) == {"ask"}


def test_both_sides_paused_one_by_one_are_both_named() -> None:
    """An operator who paused them apart sees both reasons."""
    driver = two_markets().quoting()
    for side in SIDES:
        act(driver, "pause", sides=side, reason=f"no {side}s")
    assert sides(driver) == set()
    assert [one.reason for one in console(driver).controls] == ["no bids", "no asks"]
    act(driver, "resume", sides="ask")
    assert sides(driver) == {"ask"}


ACTS: Final = st.tuples(
    st.sampled_from(["pause", "reduce", "resume", "pause_all", "reduce_all", "resume_all", "fill"]),
    st.sampled_from([MARKET, OTHER]),
    st.sampled_from(["both", *SIDES]),
    st.sampled_from([None, 0.5, 3.0]),
    st.sampled_from([0.0, 0.3, 2.0]),
)


@laws(60)
@given(st.lists(ACTS, max_size=12))
def test_no_order_stands_where_a_state_forbids_it(steps: list[Any]) -> None:
    """Whatever operators do in whatever order: what is left or placed after it is allowed, as a plain list says."""
    driver = two_markets().quoting(yes=100)
    told: dict[tuple[str, str], tuple[int, float]] = {}
    """Strictness and end of each scope, as the acts say."""
    for name, market, side, for_s, wait_s in steps:
        before = len(driver.actions)
        if name == "fill":
            order = next(iter(driver.orders(State.LIVE, State.PARTIAL, market=market)), None)
            if order is not None:
                driver.fill(order)
        else:
            act(driver, name, market, sides=side, for_s=for_s)
            scope = "" if name.endswith("_all") else market
            if name.startswith("resume"):
                for each in ("", *SIDES) if side == "both" else (side,):
                    told.pop((scope, each), None)
            else:
                key = scope, "" if side == "both" else side
                new = 2 if name.startswith("pause") else 1
                old, until = told.get(key, (0, 0.0))
                if until <= driver.now or old <= new:
                    told[key] = new, max(until, driver.now + for_s if for_s else float("inf"))
            _assert_allowed(driver, told, driver.actions[before:])
        before = len(driver.actions)
        driver.pass_time(wait_s)
        _assert_allowed(driver, told, driver.actions[before:])
        driver.answer()
        driver.answer_cancels()


def _assert_allowed(driver: Driver, told: dict[tuple[str, str], tuple[int, float]], actions: list[Any]) -> None:
    for market, side in product((MARKET, OTHER), SIDES):
        scopes = product(("", market), ("", side))
        level = max([each[0] for scope in scopes if (each := told.get(scope)) and each[1] > driver.now], default=0)
        assert driver.engine.controls.of_side(market, side).strictness == level
        net = driver.engine.desks[market].inventory.net
        room = max(0, net if side == "ask" else -net)
        going = [State.CANCEL_SENT, State.CANCELLED]
        standing = [o for o in driver.orders(market=market) if o.side == side and o.state not in going]
        standing = [order for order in standing if not order.cancel_wanted and order.at_risk and order.remaining]
        if level == 1:
            assert sum(order.remaining for order in standing) <= room or not standing
        assert level < 2 or not standing
        assert level < 2 or not [one for one in placed(actions) if (one.market, one.side) == (market, side)]


# Operators


def test_resume_lifts_its_scope_and_no_other() -> None:
    """A market's, a side's, all: each ends by itself and leaves the others where they are."""
    driver = two_markets().quoting()
    act(driver, "pause_all")
    act(driver, "pause")
    act(driver, "reduce", sides="bid")
    act(driver, "pause", OTHER, sides="ask")

    def held() -> set[tuple[str, str]]:
        return {(one.market, one.side) for one in driver.engine.controls.held()}

    assert "2 markets stay held by themselves" in notes(act(driver, "resume_all", market=""))
    assert held() == {(MARKET, ""), (MARKET, "bid"), (OTHER, "ask")}
    assert (
        notes(act(driver, "resume", sides="ask")) == "asks resumed; still paused: by jo; still bids reduce-only: by jo"
    )
    assert held() == {(MARKET, ""), (MARKET, "bid"), (OTHER, "ask")}
    act(driver, "resume", sides="bid")
    assert held() == {(MARKET, ""), (OTHER, "ask")}
    act(driver, "reduce", sides="bid")
    assert notes(act(driver, "resume")) == "resumed"
    assert held() == {(OTHER, "ask")}


def test_resume_ends_what_a_protection_holds_and_not_what_was_lost() -> None:
    """An operator takes over from a protection; a loss wants more than that."""
    driver = two_markets().quoting()
    stops = driver.engine.stops
    stops.set(Control("PAUSED", "markouts", "markout", market=MARKET), driver.now, 300.0)
    stops.set(Control("PAUSED", "a streak", "streak", market=MARKET, side="bid"), driver.now, 60.0)
    stops.set(Control("REDUCE_ONLY", "fell", "drawdown"), driver.now)
    assert notes(act(driver, "resume")) == "resumed; still all markets reduce-only: fell"
    act(driver, "resume_all")
    assert [one.source for one in driver.engine.controls.held()] == ["drawdown"]


@pytest.mark.parametrize("name", ["pause", "reduce", "pause_all", "reduce_all"])
@pytest.mark.parametrize("for_s", [0.0, -1.0, MOST_FOR_S + 1, float("inf"), float("nan")])
def test_a_time_that_is_none_is_refused_and_changes_nothing(name: Any, for_s: float) -> None:
    """A timer of no length would pull orders for nothing, one without end is no timer."""
    driver = two_markets().quoting()
    assert "no duration" in warned(act(driver, name, for_s=for_s))
    assert not driver.engine.controls.has_changes and sides(driver) == {*SIDES}


@pytest.mark.parametrize("side", ["both", "bid"])
@pytest.mark.parametrize("for_s", [None, 60.0, 600.0])
def test_reducing_is_refused_where_a_pause_holds(for_s: float | None, side: Any) -> None:
    """What only stops is done however late, so it must not loosen: only a resume ends a pause."""
    driver = two_markets().quoting()
    act(driver, "pause", reason="wait for me", for_s=300.0, sides=side)
    held = driver.engine.controls.held()
    assert warned(act(driver, "reduce", for_s=for_s, sides=side)).endswith("paused: wait for me, by jo; resume first")
    assert driver.engine.controls.held() == held
    driver.pass_time(301.0)
    assert "reduce-only" in notes(act(driver, "reduce", for_s=for_s, sides=side)), "its time is over"


@pytest.mark.parametrize(
    ("first_s", "then_s", "left_s"), [(None, 60.0, None), (300.0, 60.0, 300.0), (60.0, 300.0, 300.0)]
)
@pytest.mark.parametrize("first", ["pause", "reduce"])
def test_a_shorter_time_shortens_nothing(
    first: Any, first_s: float | None, then_s: float, left_s: float | None
) -> None:
    """A pause for a minute, asked for while something holds for longer, holds that long, and says so."""
    driver = two_markets().quoting()
    act(driver, first, reason="wait for me", for_s=first_s)
    told = notes(act(driver, "pause", for_s=then_s))
    [control] = driver.engine.controls.held()
    assert (control.state, driver.engine.controls.left_s(control, driver.now)) == ("PAUSED", left_s)
    is_kept = left_s != then_s
    assert ("as before" in told) == is_kept
    assert ("wait for me" in control.reason) == (is_kept and first == "pause"), "whoever paused it keeps it paused"


@pytest.mark.parametrize(("side", "ends"), [("ask", True), ("bid", False), ("both", True)])
def test_a_pause_of_the_side_it_sells_on_ends_a_flattening(side: Any, ends: bool) -> None:
    """Else the answer says that asks are paused, and the flattening asks a moment later."""
    driver = two_markets().quoting(yes=100)
    driver.flatten()
    assert driver.desk.flattening is not None
    act(driver, "pause", sides=side)
    assert (driver.desk.flattening is None) == ends


def test_cancelling_more_than_was_known_is_done_and_not_refused() -> None:
    """The answer says what goes beyond our orders; "refused" would mean that nothing has changed."""
    driver = two_markets()
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1.0)
    doubtful(driver)
    actions = act(driver, "cancel_market")
    assert "CancelMarket" in kinds(actions)
    [note] = [action for action in actions if isinstance(action, Note)]
    assert "of unknown outcome" in note.text and not note.refused


@pytest.mark.parametrize("name", ["pause", "reduce", "resume", "flatten", "widen", "cancel_market"])
def test_an_unknown_market_is_refused_and_changes_nothing(name: Any) -> None:
    """A mistyped name must not pause nothing and say that it did."""
    driver = two_markets().quoting()
    assert "no such market" in warned(act(driver, name, "0xnobody"))
    assert not driver.engine.controls.has_changes


def test_a_pause_ends_by_itself_and_the_market_is_quoted_again() -> None:
    """For a minute by the monotonic clock, whatever happens to the wall clock meanwhile; the end is told."""
    driver = two_markets().quoting()
    assert notes(act(driver, "pause", for_s=60.0)) == "paused for 60 s, cancelling 2 orders"
    driver.answer_cancels()
    for seconds, step in ((20.0, DAY / 2), (20.0, -DAY / 4), (19.0, -DAY / 8)):
        driver.unix_offset += step
        assert not [place for place in placed(driver.pass_time(seconds)) if place.market == MARKET]
    assert console(driver).controls[0].left_s == pytest.approx(1.0)
    assert "no longer paused: by jo" in notes(driver.pass_time(1.0))
    assert sides(driver) == {*SIDES}


@pytest.mark.parametrize(("away_s", "is_over"), [(30.0, False), (61.0, True)])
async def test_a_timer_goes_on_over_a_restart(away_s: float, is_over: bool, tmp_path: Path) -> None:
    """A session that is away for half a minute pauses for the other half; the clock was set before it ended."""
    driver = two_markets().quoting()
    act(driver, "pause", for_s=65.0)
    driver.unix_offset -= 7_200.0
    driver.pass_time(2.0)
    after = await restarted(driver, tmp_path / "mm_state.db", away_s)
    assert after.engine.controls.of(MARKET).state == ("ACTIVE" if is_over else "PAUSED")
    assert sides(after) == ({*SIDES} if is_over else set())
    after.pass_time(31.0)
    assert sides(after) == {*SIDES}


async def test_what_was_lifted_stays_lifted_over_a_restart(tmp_path: Path) -> None:
    """The newest row of a scope counts, not the strictest."""
    driver = two_markets().quoting()
    act(driver, "pause")
    act(driver, "pause", OTHER)
    act(driver, "resume")
    after = await restarted(driver, tmp_path / "mm_state.db")
    assert (sides(after), sides(after, OTHER)) == ({*SIDES}, set())
    assert "since an earlier session paused: by jo" in notes(after.actions)


def test_the_venue_s_refusal_holds_everything_until_an_operator_resumes() -> None:
    """A stricter word of the venue takes the place of a milder one, and is told once."""
    driver = two_markets().quoting()
    stops = driver.engine.stops
    first = stops.restrict(Control("REDUCE_ONLY", "only closing", "venue"), driver.now)
    assert "only closing; resume when that is mended" in notes(first)
    assert stops.restrict(Control("REDUCE_ONLY", "only closing", "venue"), driver.now) == []
    stops.restrict(Control("CANCEL_ONLY", "no orders", "venue"), driver.now)
    assert stops.restrict(Control("REDUCE_ONLY", "only closing", "venue"), driver.now) == []
    assert sides(driver) == set()
    act(driver, "resume_all")
    assert sides(driver) == {*SIDES}


async def test_adjustments_go_on_over_a_restart_with_what_is_left_of_them(tmp_path: Path) -> None:
    """Wider quotes and a side that nobody wants are protection too; what was reset or has ended is not made anew."""
    driver = two_markets().quoting()
    act(driver, "widen", amount=4.0, half_life_s=100.0)
    act(driver, "one_side", sides="ask", for_s=300.0)
    act(driver, "shift", OTHER, amount=1.0)
    act(driver, "reset", OTHER)
    act(driver, "size", OTHER, amount=0.5, for_s=50.0)
    after = await restarted(driver, tmp_path / "mm_state.db", 95.0)
    adjusted = after.engine.desks[MARKET].stance.adjustments
    widen, one_side = adjusted.in_force
    assert widen.amount_at(after.now) == pytest.approx(4.0 * 0.5 ** ((after.unix - driver.unix) / 100.0))
    assert one_side.until_s == pytest.approx(after.now + 300.0 - (after.unix - driver.unix))
    assert sides(after) == {"ask"} and after.engine.desks[OTHER].stance.adjustments.in_force == ()
    assert "since an earlier session half-spread +2.0" in notes(after.actions)


def test_what_was_asked_since_the_start_is_newer_than_what_an_earlier_session_left() -> None:
    """An operator may act before the journal is read; a market that is not made any more has no quotes."""
    driver = two_markets()
    old = Adjustments((Adjustment("size", 2.0, "both", driver.unix, None, None, "jo"),))
    act(driver, "widen", amount=1.0)
    kept = tuple(KeptAdjustments(market, 1000, old) for market in (MARKET, OTHER, "0xgone"))
    driver.send(Recovered(adjustments=kept))
    for market, what in ((MARKET, "widen"), (OTHER, "size")):
        assert [one.what for one in driver.engine.desks[market].stance.adjustments.in_force] == [what]


async def test_a_clock_that_was_set_back_makes_no_adjustment_stronger_or_longer(tmp_path: Path) -> None:
    """It begins anew at most."""
    driver = two_markets().quoting()
    act(driver, "widen", amount=4.0, half_life_s=100.0, for_s=60.0)
    after = await restarted(driver, tmp_path / "mm_state.db", -DAY)
    [widen] = after.engine.desks[MARKET].stance.adjustments.in_force
    assert widen.until_s is not None and widen.until_s <= after.now + 60.0 and widen.amount_at(after.now) <= 4.0


# Kill and re-arm


def killed(driver: Driver) -> None:
    """Everything it had is proven gone."""
    act(driver, "kill", reason="smoke")
    driver.answer_cancels()
    driver.pass_time(2.0)


def test_a_kill_is_in_force_before_anybody_else_is_asked() -> None:
    """The same step closes the engine, tells the switch, and cancels all; a second kill tells it again."""
    driver = two_markets().quoting()
    actions = act(driver, "kill", reason="smoke")
    assert actions[0] == Kill(by="jo", reason="smoke")
    assert kinds(actions)[1] == "CancelAll" and len(cancelled(actions)) == 5
    assert "KILLED by jo: smoke; cancelling 4 orders" in notes(actions)
    assert view(driver).blocked_by == "killed: smoke, by jo"
    assert act(driver, "kill")[0] == Kill(by="jo", reason="")
    assert sides(driver) == sides(driver, OTHER) == set()


def test_a_kill_from_elsewhere_is_heeded_once() -> None:
    """The watchdog, a signal, another process: the switch has latched already, so no action asks for it again."""
    driver = two_markets().quoting()
    actions = driver.send(Killed(by="watchdog", reason="the session stood still"))
    assert "Kill" not in kinds(actions) and len(cancelled(actions)) == 5
    assert driver.send(Killed(by="watchdog", reason="the session stood still")) == []
    assert view(driver).blocked_by == "killed: the session stood still, by watchdog"


def test_another_process_with_our_credentials_kills() -> None:
    """Two sessions on one wallet cancel each other's orders and break each other's caps."""
    driver = two_markets().quoting()
    forked = HeartbeatSeen(acknowledged=False, detail="id mismatch", forked=True)
    assert driver.send(forked)[0] == Kill("heartbeat", "another process heartbeats with these credentials: id mismatch")
    assert driver.send(forked) == []


def test_nothing_but_a_re_arm_ends_a_kill() -> None:
    """Resuming, pausing, waiting and a new day leave it; the act asks for the latch, and its end opens the engine."""
    driver = two_markets().quoting()
    killed(driver)
    for name in ("resume_all", "resume", "pause_all", "resume_all", "reduce_all", "cancel_all", "resume_all"):
        act(driver, name)
    driver.unix_offset += DAY
    assert sides(driver) == set() and driver.engine.is_killed
    asked = act(driver, "rearm", reason="the fire is out")
    assert asked[0] == Rearm(by="jo", reason="the fire is out")
    assert sides(driver) == set(), "the latch on the disk stands still"
    driver.send(Armed(by="jo", reason="the fire is out", unix=driver.unix))
    assert sides(driver) == {*SIDES}
    assert warned(act(driver, "rearm", reason="again")) == "rearm: nothing is tripped"


@pytest.mark.parametrize("is_told_first", [False, True])
@pytest.mark.parametrize("is_later", [False, True])
async def test_a_kill_is_restored_unless_the_latch_was_armed_since(
    is_later: bool, is_told_first: bool, tmp_path: Path
) -> None:
    """Somebody may re-arm while no session runs: the latch's word counts, if it is newer than the kill."""
    driver = two_markets().quoting()
    killed(driver)
    armed = Armed(by="jo", reason="why", unix=driver.unix + 30.0 if is_later else driver.unix - 30.0)
    after = await restarted(driver, tmp_path / "mm_state.db", 60.0, *([armed] if is_told_first else []))
    assert sides(after) == ({*SIDES} if is_later and is_told_first else set())
    after.send(armed)
    assert sides(after) == ({*SIDES} if is_later else set())


def doubtful(driver: Driver) -> None:
    order: Order = driver.orders()[0]
    driver.send(OrderAnswered(intent=order.intent, outcome="unknown", detail="no answer"))


def unclosed(driver: Driver) -> None:
    driver.engine.account.is_open = False


def recovering(driver: Driver) -> None:
    driver.engine.reconciliation.start_over(driver.now, "the venue is back")


def untrue(driver: Driver) -> None:
    driver.engine.books.trouble = "cash is short"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (unclosed, "the account has not been read yet"),
        (recovering, "recovering: trades are not read yet"),
        (untrue, "cash is short"),
        (lambda driver: None, "orders are not known to be gone yet"),
    ],
)
def test_a_re_arm_waits_for_a_clean_account(spoil: Callable[[Driver], None], why: str) -> None:
    """Whoever re-arms over something unsettled trades on with it."""
    driver = two_markets().quoting()
    act(driver, "kill")
    if spoil.__name__ != "<lambda>":
        driver.answer_cancels()
        driver.pass_time(2.0)
    spoil(driver)
    assert why in warned(act(driver, "rearm", reason="go on"))
    assert driver.engine.is_killed


def test_a_re_arm_waits_for_orders_of_unknown_outcome() -> None:
    """One of them may rest at the venue."""
    driver = two_markets()
    driver.feeds()
    driver.account()
    driver.send(driver.books[0].book())
    driver.pass_time(1.0)
    doubtful(driver)
    act(driver, "kill")
    assert "of unknown outcome" in warned(act(driver, "rearm", reason="go on"))


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_re_arm_needs_a_reason(reason: str) -> None:
    """The journal tells why quotes came back."""
    driver = two_markets().quoting()
    killed(driver)
    assert warned(act(driver, "rearm", reason=reason)) == "rearm: a reason is needed"


def test_a_re_arm_lifts_nothing_while_the_kill_stays() -> None:
    """Refused means that nothing has changed, also when a drawdown alone could be lifted."""
    driver = Driver(VenueBook()).quoting(yes=6000)
    lost(driver, 15)
    driver.engine.stops.set(Control("REDUCE_ONLY", "fell", "drawdown"), driver.now)
    driver.pass_time(2.0)
    held = driver.engine.controls.held()
    assert "kill stays: today's loss" in warned(act(driver, "rearm", reason="go on"))
    assert driver.engine.controls.held() == held


def test_the_rest_is_lifted_when_the_latch_is() -> None:
    """The switch may refuse to open, and then the drawdown must still be there."""
    driver = two_markets().quoting()
    killed(driver)
    driver.engine.stops.set(Control("REDUCE_ONLY", "fell", "drawdown"), driver.now)
    assert isinstance(act(driver, "rearm", reason="go on")[0], Rearm)
    assert {one.source for one in driver.engine.controls.held()} == {"kill", "drawdown"}
    driver.send(Armed(by="jo", reason="go on", unix=driver.unix))
    assert driver.engine.controls.held() == [] and sides(driver) == {*SIDES}


def test_a_clock_that_was_set_back_does_not_undo_a_re_arm() -> None:
    """What was asked of this session ends this session's kill, whatever the wall clock says of when that was."""
    driver = two_markets().quoting()
    killed(driver)
    driver.unix_offset -= 7_200.0
    driver.pass_time(1.0)
    act(driver, "rearm", reason="go on")
    driver.send(Armed(by="jo", reason="go on", unix=driver.unix))
    assert not driver.engine.is_killed
    act(driver, "kill")
    driver.send(Armed(by="jo", reason="go on", unix=driver.unix - 60.0))
    assert driver.engine.is_killed, "an older word of the latch"


def test_a_drawdown_is_not_re_armed_before_the_account_was_valued() -> None:
    """What is left of the account becomes the new peak, so it has to be known."""
    driver = two_markets()
    driver.feeds()
    driver.account()
    driver.read_account()
    driver.engine.stops.set(Control("REDUCE_ONLY", "fell", "drawdown"), driver.now)
    assert "has not been valued yet" in warned(act(driver, "rearm", reason="go on"))
    driver.pass_time(3.0)
    assert "re-armed (drawdown)" in notes(act(driver, "rearm", reason="go on"))


# The day's loss


def lost(driver: Driver, mid: int = 30) -> None:
    """The position's market falls, for long enough to be believed."""
    losing(driver, mid)
    driver.pass_time(3.0)
    driver.answer_cancels()


@pytest.mark.parametrize("survives", [False, True])
async def test_a_day_s_loss_ends_with_the_day_and_a_re_arm(survives: bool, tmp_path: Path) -> None:
    """Neither a re-arm today nor the new day alone lets risk return (market-making.md 3.6)."""
    driver = Driver(VenueBook(), daily_loss_limit_pct=0.05).quoting(yes=200)
    lost(driver)
    assert [one.source for one in driver.engine.controls.held()] == ["loss"]
    assert view(driver).control == "REDUCE_ONLY"
    assert "daily loss limit" in console(driver).controls[0].reason
    if survives:
        driver = await restarted(driver, tmp_path / "mm_state.db")
        assert driver.engine.account.is_latched
    driver.pass_time(34.0)  # such a jump is an event
    assert sides(driver) == {"ask"}
    assert "not before 00:00 UTC, in 12.0 h" in warned(act(driver, "rearm", reason="please"))
    assert notes(act(driver, "resume_all", market="")).startswith("all markets resumed; still all markets reduce-only")
    driver.unix_offset += DAY / 2
    assert "the daily loss limit may be re-armed" in notes(driver.pass_time(2.0))
    assert not driver.engine.account.is_latched and sides(driver) == {"ask"}
    assert "re-armed (loss) by jo: slept over it" in notes(act(driver, "rearm", reason="slept over it"))
    assert sides(driver) == {*SIDES}


def test_the_latch_and_the_state_are_written_together_and_before_any_order() -> None:
    """One step brings both to the journal, and it places nothing: no order's row comes before them."""
    driver = Driver(VenueBook()).quoting(yes=6000)
    losing(driver, 30)
    actions: list[Any] = []
    while driver.engine.controls.find("", "", "loss") is None:
        driver.engine.controls.take_changes()
        driver.now = max(driver.now, driver.engine.next_wake())
        actions = driver.send(Woken(driver.unix))
    assert driver.engine.controls.has_changes
    [marked] = [action.mark for action in actions if isinstance(action, Marked)]
    assert marked.is_latched and not placed(actions)


async def test_a_market_without_a_book_does_not_switch_the_loss_limit_off(tmp_path: Path) -> None:
    """After a restart one holding's book may never come back; the others' losses count all the same (a minute on)."""
    driver = two_markets().quoting(yes=6000)
    driver.fill(driver.orders(State.LIVE, market=OTHER)[0])
    driver.pass_time(2.0)
    after = await restarted(driver, tmp_path / "mm_state.db", silent=OTHER)
    assert after.engine.desks[OTHER].inventory.net and not after.engine.valuing.is_marked
    losing(after, 30)
    after.pass_time(UNVALUED_SEC - 5.0)
    assert after.engine.controls.held() == []
    actions = after.pass_time(10.0)
    assert [one.source for one in after.engine.controls.held()] == ["loss"]
    assert "valued at its last known price" in notes(actions)
    assert notes(after.pass_time(60.0)).count("last known price") == 0, "said once"


async def test_an_ordinary_restart_without_a_book_trips_nothing(tmp_path: Path) -> None:
    """The holding has its last known price: a floor of nothing would be a loss that nobody made."""
    driver = two_markets().quoting(yes=6000)
    driver.pass_time(2.0)
    before = driver.engine.account.equity
    after = await restarted(driver, tmp_path / "mm_state.db", silent=MARKET)
    after.pass_time(3 * UNVALUED_SEC)
    assert after.engine.valuing.is_marked and after.engine.controls.held() == []
    assert 0 <= after.engine.account.equity - before <= 0.02 * 6000 * MICRO, "fair value instead of others' bid"
    after.rest_answers = True
    after.send(after.books[0].book())
    after.pass_time(30.0)
    assert after.engine.account.equity == before and after.engine.controls.held() == []


def test_shares_that_somebody_sent_do_not_switch_the_loss_limit_off() -> None:
    """Anybody can send a few of a market in which nobody knows a price; until then they are worth nothing."""
    driver = two_markets()
    driver.rest_answers = False
    driver.feeds()
    driver.account(yes=6000)
    driver.send(driver.books[0].book("YES"))
    driver.send(driver.books[0].book("NO"))
    driver.pass_time(5.0)
    equity = driver.engine.account.equity
    assert driver.engine.books.find(OTHER, "YES", 40 * MICRO, None, driver.unix, "sent") == []
    losing(driver, 30)
    driver.pass_time(UNVALUED_SEC - 5.0)
    assert driver.engine.account.equity == equity
    driver.pass_time(10.0)
    assert driver.engine.controls.find("", "", "loss") is not None


async def test_a_latch_of_an_older_program_is_a_state_too(tmp_path: Path) -> None:
    """Files of schema 4 have the day's latch in the last mark and no states."""
    driver = Driver(VenueBook()).quoting(yes=6000)
    lost(driver)
    driver.engine.controls.take_changes()
    after = await restarted(driver, tmp_path / "mm_state.db")
    assert [(one.source, one.state) for one in after.engine.controls.held()] == [("loss", "REDUCE_ONLY")]


def test_a_larger_loss_kills_after_two_marks() -> None:
    """Over loss_kill_pct nobody waits for an operator; one absurd mark is not believed."""
    driver = Driver(VenueBook()).quoting(yes=6000)
    losing(driver, 15)
    while not driver.engine.account.is_beyond_kill:
        driver.pass_time(0.1)
    losing(driver, 46)
    driver.pass_time(5.0)
    assert not driver.engine.is_killed and not driver.engine.account.is_beyond_kill
    losing(driver, 15)
    actions = driver.pass_time(3.0)
    [kill] = [action for action in actions if isinstance(action, Kill)]
    assert kill.by == "loss" and "of the day's opening equity is lost" in kill.reason
    assert {one.source for one in driver.engine.controls.held()} == {"loss", "kill"}
    assert driver.engine.account.is_latched
    driver.answer_cancels()
    driver.pass_time(2.0)
    refused = warned(act(driver, "rearm", reason="go on"))
    assert "kill stays: today's loss" in refused and "loss stays" in refused
    driver.unix_offset += DAY
    driver.pass_time(2.0)
    assert isinstance(act(driver, "rearm", reason="a new day")[0], Rearm)


async def test_a_kill_for_a_loss_outlasts_the_day_whatever_restarts(tmp_path: Path) -> None:
    """The next session has not valued the account yet when somebody re-arms."""
    driver = Driver(VenueBook()).quoting(yes=6000)
    lost(driver, 15)
    after = await restarted(driver, tmp_path / "mm_state.db")
    after.engine.account.is_beyond_kill = False
    assert "kill stays: today's loss" in warned(act(after, "rearm", reason="go on"))
    after.unix_offset += DAY
    after.pass_time(2.0)
    assert isinstance(act(after, "rearm", reason="a new day")[0], Rearm)


@pytest.mark.parametrize(
    ("over", "dies"), [({"loss_kill_pct": 0.0}, False), ({"loss_kill_pct": 50.0}, False), ({}, True)]
)
def test_the_loss_that_kills_is_a_setting(over: dict[str, float], dies: bool) -> None:
    """0 switches it off; the limit that lets only reduce stands in any case."""
    driver = Driver(VenueBook(), **over).quoting(yes=6000)
    lost(driver, 15)
    assert driver.engine.is_killed == dies
    assert driver.engine.controls.find("", "", "loss") is not None


def test_a_kill_can_be_re_armed_on_the_day_of_a_smaller_loss() -> None:
    """The loss goes on letting only reduce, and the answer says so."""
    driver = Driver(VenueBook()).quoting(yes=6000)
    lost(driver)
    act(driver, "kill")
    driver.answer_cancels()
    driver.pass_time(2.0)
    actions = act(driver, "rearm", reason="was a drill")
    assert isinstance(actions[0], Rearm) and "loss stays: today's loss is over the limit" in notes(actions)
    driver.send(Armed(by="jo", reason="was a drill", unix=driver.unix))
    assert driver.engine.controls.of_all().state == "REDUCE_ONLY"
