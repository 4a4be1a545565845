"""Readings of the account that are slow, broken or partly unreadable: they hold up nobody and end no session."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from core.account.reconciliation import ANSWER_SEC, REPEAT_SEC, UNTOLD_SEC
from core.actions import ReadAccount
from core.events import (
    BalancesRead,
    Event,
    FillSeen,
    KnownFill,
    OpenOrdersRead,
    OrderSeen,
    Recovered,
    TradesRead,
    UnreadableTrade,
    Woken,
)
from core.orders.order import State
from core.runtime.inquiries import Inquiries
from core.units import Shares
from tests.builders import MARKET, NO, YES, notes, shares, usd
from tests.core.account.test_reconciliation import OTHER, STEP_SEC, World, findings, known_order
from tests.core.runtime.scripted import Script

ROUND_SEC = 2 * ANSWER_SEC
"""A round of balances that takes longer than the deadline of an answer."""


class Heard(World):
    """A world to which the lanes of a session tell what they read."""

    def hear(self, event: Event) -> None:
        self.send(event)


class Reader(Script):
    """A gateway that reads a world's account; its balances take as long as one of a hundred far markets."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.rounds: list[float] = []

    def monotonic(self) -> float:
        return self.world.now

    def unix(self) -> float:
        return self.world.unix

    async def open_orders(self) -> OpenOrdersRead:
        return self.world.read("orders", 0, self.world.now)  # type: ignore[return-value]

    async def trades_since(self, unix: int) -> TradesRead:
        return self.world.read("trades", unix, self.world.now)  # type: ignore[return-value]

    async def balances(self, tokens: Sequence[str]) -> BalancesRead:
        self.rounds.append(self.world.now)
        read = self.world.read("balances", 0, self.world.now)
        while self.world.now < self.rounds[-1] + ROUND_SEC:  # noqa: ASYNC110 - the clock is the test's
            await asyncio.sleep(0)
        return read  # type: ignore[return-value]


async def running(world: Heard, seconds: float) -> Reader:
    """Let time go on with the lanes of a session between engine and account."""
    gateway = Reader(world)
    inquiries = Inquiries(gateway, gateway, world.hear, lambda: [YES, NO], lambda: False)
    lanes = [asyncio.create_task(work) for _, work in inquiries.lanes()]
    taken = 0
    for _ in range(int(seconds / STEP_SEC)):
        world.run(STEP_SEC)
        for action in world.actions[taken:]:
            if isinstance(action, ReadAccount):
                inquiries.take(action)
        taken = len(world.actions)
        for _ in range(10):
            await asyncio.sleep(0)
    for lane in lanes:
        lane.cancel()
    assert not [error for error in await asyncio.gather(*lanes, return_exceptions=True) if isinstance(error, Exception)]
    return gateway


async def test_recovery_ends_although_a_round_of_balances_takes_longer_than_the_deadline() -> None:
    """Asked again meanwhile, the answer under way is no worse; other sections do not wait for it."""
    world = Heard(cash=70)
    world.answers = False
    world.begin(Recovered(read_until_unix=world.unix - 600))
    gateway = await running(world, ROUND_SEC + 3)
    assert world.books_recovering() == "" and world.engine.books.cash == usd(70)
    assert len(gateway.rounds) <= 2
    assert world.ours.readings["orders", True] >= 4 and world.ours.readings["trades", True] >= 3


async def test_rounds_of_balances_follow_each_other_and_never_run_beside_each_other() -> None:
    world = Heard()
    world.answers = False
    world.begin()
    gateway = await running(world, 3 * ROUND_SEC)
    assert all(late - early >= ROUND_SEC for early, late in pairwise(gateway.rounds))
    assert len(gateway.rounds) >= 3


@pytest.mark.parametrize("settles", [False, True])
def test_late_answer_is_compared_with_the_fills_of_its_own_question(settles: bool) -> None:
    """It is as good as one in time, unless a trade has settled since it was asked for."""
    world = World()
    world.answers = False
    known = known_order(state="DONE", filled=shares(10), matched=shares(10), size=shares(10))
    matched = FillSeen("t", known.order_id, shares(10), "matched", world.unix - 30, market=MARKET, token=YES)
    world.begin(Recovered(orders=(known,), fills=(KnownFill(matched, 7),), next_intent=8))
    asked = world.now
    world.run(ANSWER_SEC + 2)
    told = replace(matched, settlement="mined" if settles else "matched", source="read")
    world.send(told)
    world.run(ANSWER_SEC + 2)
    world.send(BalancesRead(asked_s=asked, cash=usd(50), holdings=((YES, Shares(0)), (NO, Shares(0))), complete=True))
    world.now += 0.1
    world.send(TradesRead(asked_s=world.now, after_unix=0, fills=(told,), complete=True))
    assert (not world.engine.account.is_open) == settles


def test_answer_older_than_one_that_was_taken_is_none() -> None:
    world = World()
    world.answers = False
    world.begin()
    asked = world.now
    world.now += 1.0
    for asked_s, cash in ((world.now, 60), (asked, 50)):
        world.send(BalancesRead(asked_s=asked_s, cash=usd(cash), complete=True))
    world.now += 0.1
    world.send(TradesRead(asked_s=world.now, after_unix=0, complete=True))
    assert world.engine.books.cash == usd(60)


# Trades that cannot be read


class Garbled(World):
    """An account whose list of trades has rows that cannot be read."""

    def __init__(self, **over: Any) -> None:
        super().__init__(**over)
        self.unreadable: list[UnreadableTrade] = []

    def read(self, section: Any, after_unix: int, asked_s: float) -> Event:
        read = super().read(section, after_unix, asked_s)
        return replace(read, unreadable=tuple(self.unreadable)) if isinstance(read, TradesRead) else read

    def garble(self, *order_ids: str, trade: str = "bad", **over: Any) -> None:
        unix = self.unix
        self.unreadable.append(
            UnreadableTrade(trade, order_ids, f"trade '{trade}': status 'REORGED'", unix=unix, **over)
        )


def garbled() -> Garbled:
    """A session that has read everything."""
    world = Garbled()
    world.settled()
    return world


def test_unreadable_trade_closes_the_market_of_our_order_and_holds_up_nothing_else() -> None:
    """Neither recovery nor how far trades are known: else one row would stop quoting for ever, restarts included."""
    world = Garbled(cash=70)
    mine = known_order(7, state="DONE", matched=shares(50))
    other = known_order(8, state="DONE", market=OTHER, token="99")
    world.garble("0xstranger", mine.order_id)
    begin = world.unix
    world.begin(Recovered(orders=(mine, other), next_intent=9, read_until_unix=begin - 600))
    actions = world.run(60)
    assert world.ours.read_until_unix > begin
    assert world.books_recovering() == ""
    [found] = findings(actions, "unreadable_trade")
    assert (found.severity, found.effect, found.market, found.subject) == ("alarm", "quarantine", MARKET, "bad")
    assert "REORGED" in found.text and "quarantined" in world.ours.closed(MARKET, world.now)
    assert "could not be read whole" not in notes(actions)
    world.command("resume", MARKET)
    assert findings(world.run(60), "unreadable_trade") == [] and not world.ours.closed(MARKET, world.now), "told once"


def test_unreadable_trade_that_names_none_of_our_orders_is_told_and_closes_nothing() -> None:
    world = garbled()
    world.garble("0xstranger")
    world.garble(names_all=False, trade="")
    found = findings(world.run(60), "unreadable_trade")
    assert [(each.effect, each.market, each.subject) for each in found] == [("none", "", "bad"), ("none", "", "")]
    assert world.ours.closed(MARKET, world.now) == ""


def lost(world: World, size: float = 20) -> Any:
    """An order that the venue does not know, on the word of every reading but perhaps the trades."""
    order = world.order(size=size)
    world.lose(order)
    return order


def told_absent(world: World, seconds: float) -> None:
    """Every read by id says that there is no such order."""
    for _ in range(int(seconds / 3)):
        world.run(3)
        for order in world.engine.orders.doubts:
            world.send(OrderSeen(order_id=order.order_id, status="absent", asked_s=world.now))


def test_list_with_an_unreadable_trade_is_no_evidence_against_the_order_it_names_and_against_any_other() -> None:
    world = garbled()
    named, older = lost(world), lost(world)
    world.garble(named.order_id)
    told_absent(world, 60)
    assert (named.state, older.state) == (State.UNKNOWN, State.NOT_PLACED)
    assert named.remaining == shares(20) and world.ours.closed(MARKET, world.now)
    world.unreadable.clear()
    told_absent(world, 15)
    assert named.state is State.NOT_PLACED, "the venue can be read again"


def test_trade_that_names_nobody_may_be_of_any_order_made_before_it() -> None:
    """Such an order stays at risk, its market is closed once only the trades are wanting, and recovery goes on."""
    world = garbled()
    before = lost(world)
    world.run(1)
    world.garble("0xstranger", names_all=False)
    world.run(30)
    assert not world.ours.closed(MARKET, world.now)
    after = lost(world)
    world.ours.start_over(world.now, "test")
    told_absent(world, 60)
    assert (before.state, after.state) == (State.UNKNOWN, State.NOT_PLACED)
    assert "quarantined" in world.ours.closed(MARKET, world.now) and world.books_recovering() == ""


def test_match_whose_trade_cannot_be_read_is_not_taken_for_nothing() -> None:
    """The venue says that the order is matched: an unreadable row is no proof that it is not."""
    world = garbled()
    order = world.order()
    world.garble(order.order_id)
    world.listed.clear()
    world.send(OrderSeen(order_id=order.order_id, status="matched"))
    assert findings(world.run(300), "untold_fill") == []
    assert (order.owed, order.remaining) == (shares(100), shares(100))


def test_fill_that_is_listed_but_no_longer_readable_is_not_missing() -> None:
    """It counts as it was last told, and its market is closed."""
    world = garbled()
    order = world.order()
    world.trade(order, 10, "bad")
    world.trades.clear()
    world.garble(order.order_id)
    actions = world.run(2 * UNTOLD_SEC)
    assert {each.code for each in findings(actions)} == {"unreadable_trade"}
    assert "could not be read whole" not in notes(actions) and world.desk.inventory.yes == shares(10)


# How often what is incomplete is read again


def test_incomplete_lists_are_read_again_after_their_pause_however_much_they_are_wanted() -> None:
    """An order in doubt wants them at once: forty-six to fifty readings a minute came of it."""
    world = World().settled()
    world.broken = {"orders", "trades"}
    world.lose(world.order())
    told_absent(world, 20)
    begin = world.now
    told_absent(world, 60)
    assert world.engine.orders.doubts.wants_lists()
    for section in ("orders", "trades"):
        times = [at for at in world.asked_at(section) if at > begin]
        assert 15 <= len(times) <= 60 / REPEAT_SEC
        assert min(late - early for early, late in pairwise(times)) >= REPEAT_SEC


def test_pause_ends_with_a_complete_reading() -> None:
    world = World().settled()
    world.broken = {"orders"}
    world.ours.wish(("orders",), "test")
    world.run(1)
    world.broken = set()
    world.run(REPEAT_SEC + 2)
    world.ours.wish(("orders",), "test")
    begin = world.now
    world.send(Woken(world.unix))
    assert world.asked_at("orders")[-1] == begin
