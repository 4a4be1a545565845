"""What a restart may not change: whose fills are whose, what is closed, what an order costs."""

from pathlib import Path
from typing import Any

import pytest

from core.actions import Action, Finding, ReadOrder
from core.clock import ManualClock
from core.events import Event, FillSeen, KnownFill, OrderSeen, Recovered
from core.orders.order import Order, State
from core.portfolio.entries import Buy
from core.risk.permission import UNSETTLED_LIMIT_SEC
from core.risk.quarantine import COOL_OFF_SEC, FAILURES_SEC
from core.runtime.journaling import Journaling
from core.store.changes import Changes
from tests.builders import MARKET, NO, YES, Driver, VenueBook, a_market, placed, shares, usd
from tests.core.account.test_reconciliation import World, findings, known_order
from tests.core.store.ledger import a_fill, an_order, changes, opened


def adopting(tick: str, **over: Any) -> tuple[Driver, Order]:
    """A session that makes a market of this tick now, and the order that an earlier one left in it."""
    driver = Driver(VenueBook(a_market(tick)), adopt_orders=True)
    driver.send(Recovered(orders=(known_order(**over),), next_intent=8))
    return driver, driver.engine.orders.by_intent(7)


@pytest.mark.parametrize(
    ("then", "now", "dollars", "price", "complement"),
    [
        ("0.01", "0.01", 0.4, 40, 60),
        ("0.01", "0.001", 0.4, 400, 600),
        ("0.001", "0.01", 0.4, 40, 60),
        ("0.001", "0.01", 0.404, 40, 60),
        ("0.001", "0.01", 0.406, 41, 59),
    ],
)
def test_order_of_an_older_tick_stands_where_its_dollars_are(
    then: str, now: str, dollars: float, price: int, complement: int
) -> None:
    """Plan, ladder and our part of a level count in the market's present ticks; what is paid does not change."""
    driver, order = adopting(now, tick_text=then, usd=usd(dollars))
    assert (order.grid, order.price, order.yes_price) == (driver.desk.instrument.grid, price, price)
    assert (order.usd, order.reserves) == (usd(dollars), usd(dollars * 50))
    assert driver.engine.orders.resting_at(MARKET, "bid") == {price: shares(50)}
    _, order = adopting(now, tick_text=then, usd=usd(dollars), token=NO, outcome="NO", side="ask")
    assert (order.price, order.yes_price, order.usd) == (price, complement, usd(dollars))


def test_fill_of_an_adopted_order_is_told_in_the_ticks_of_now() -> None:
    """The position is booked in dollars, and shown where the market is now."""
    driver = Driver(VenueBook(a_market("0.001")), adopt_orders=True)
    fill = FillSeen("t", "old-7", shares(5), "mined", driver.unix - 30, market=MARKET, token=YES)
    partly = known_order(state="PARTIAL", filled=shares(5), matched=shares(5))
    driver.send(Recovered(orders=(partly,), fills=(KnownFill(fill, 7),), next_intent=8))
    [known] = driver.engine.orders.book.open()
    assert (known.fill.price, known.fill.usd) == (400, usd(0.4))


def test_what_was_closed_stays_closed_until_an_operator_opens_it() -> None:
    """A crash looks into nothing: a contradiction of before is one still."""
    world = World()
    world.command("pause_all")
    world.begin(Recovered(closures=((MARKET, "a contradiction"),)))
    world.run(10)
    assert world.blocked() == "quarantined: a contradiction"
    world.command("resume")
    assert world.blocked() == ""


def test_trades_that_failed_before_a_restart_count_after_it() -> None:
    """The third within an hour closes the market, whoever was told of the first two; a minute's rest is a minute."""
    world = World()
    world.command("pause_all")
    world.begin(Recovered(failures=((MARKET, world.unix - FAILURES_SEC + 100), (MARKET, world.unix - 10))))
    world.run(COOL_OFF_SEC - 15)
    assert world.blocked() == "quarantined: a trade failed"
    world.run(10)
    assert world.blocked() == ""
    order = world.order()
    world.trade(order, 10, "t")
    [found] = findings(world.trade(order, 10, "t", "failed"))
    assert found.effect == "quarantine"


def test_age_of_a_trade_that_is_not_final_does_not_begin_anew() -> None:
    """Half an hour is half an hour of the trade's own time; else a session that restarts often never closes."""
    world = World()
    world.command("pause_all")
    fill = FillSeen("t", "old-7", shares(50), "mined", world.unix - UNSETTLED_LIMIT_SEC, market=MARKET, token=YES)
    over = known_order(state="MATCHED", filled=shares(50), matched=shares(50))
    world.begin(Recovered(orders=(over,), fills=(KnownFill(fill, 7),), next_intent=8))
    assert world.ours.unsettled_s(MARKET, world.now, world.unix) == UNSETTLED_LIMIT_SEC
    [found] = findings(world.run(5), "unsettled")
    assert found.subject == "t"


class EmptyWorld(World):
    """A venue that has just begun: it knows no order that anybody asks for."""

    def send(self, event: Event) -> list[Action]:
        actions = super().send(event)
        for action in actions:
            if isinstance(action, ReadOrder):
                self._due.append((self.now, OrderSeen(action.order_id, "absent", asked_s=self.now)))
        return actions


async def recovered_of(path: Path, unix: float, wallet: str, *written: Changes) -> Recovered:
    """What a session of a wallet is told of these writes, which the one before made a moment ago."""
    clock = ManualClock(unix=unix, monotonic=100.0)
    before = await opened(path, clock, "paper", wallet)
    for one in written:
        await before.write(one)
    await before.end("quit", verified=True)
    store = await opened(path, clock, "paper", wallet)
    told = await Journaling(store, World().engine, clock).recover()
    await store.end("quit", verified=True)
    return told


async def test_a_paper_session_after_one_with_fills_quotes_within_seconds(tmp_path: Path) -> None:
    """Its venue begins empty and will never list them: that says nothing about trades, and is worth no line."""
    world = EmptyWorld()
    done, half, owing = an_order(1, State.DONE), an_order(2, State.PARTIAL), an_order(3, State.MATCHED)
    done.filled = done.matched = done.size
    half.filled = half.matched = shares(5)
    owing.matched = owing.size
    fills = [
        a_fill(done, "t1", 600, "confirmed", world.unix - 60, seq=1),
        a_fill(half, "t2", 5, unix=world.unix - 30, seq=2),
    ]
    written = changes([done, half, owing], fills, trades_read_until=world.unix - 20)
    told = await recovered_of(tmp_path / "mm_state.db", world.unix, "", written)
    assert told == Recovered(next_intent=4)
    world.begin(told)
    actions = world.run(10)
    assert world.books_recovering() == "" and placed(actions) != []
    assert [action for action in actions if isinstance(action, Finding)] == []
    assert world.desk.inventory.yes == 0


async def test_an_account_that_goes_on_keeps_its_fills_and_debts(tmp_path: Path) -> None:
    """Only paper, which has no wallet, forgets."""
    owing = an_order(1, State.MATCHED)
    owing.filled, owing.matched = shares(5), owing.size
    written = changes([owing], [a_fill(owing, "t1", 5, "confirmed", seq=1)])
    told = await recovered_of(tmp_path / "mm_state.db", World().unix, "0xfeed", written)
    assert [known.matched for known in told.orders] == [owing.size] and len(told.fills) == 1
    assert [(line.market, line.entry) for line in told.bookings] == [(MARKET, Buy("YES", shares(5), owing.usd))]
