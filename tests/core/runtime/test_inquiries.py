"""Reads of the account by lane: every section has its question, and a slow source holds up only its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from core.actions import ReadAccount, ReadPayouts
from core.clock import SystemClock
from core.events import (
    ActivityRead,
    ChainRead,
    Event,
    IndexedTradesRead,
    OpenOrdersRead,
    PayoutSeen,
    PositionsRead,
    TradesRead,
)
from core.runtime.inquiries import PAYOUT_BATCH, Inquiries
from core.units import Usd
from tests.core.runtime.fakes import FakeGateway, until


class Chained(FakeGateway):
    """Has a chain, which may be slow, and knows how questions ended."""

    def __init__(self) -> None:
        super().__init__()
        self.chain_is_up = asyncio.Event()
        self.asked: list[tuple[str, ...]] = []

    async def chain(self, tokens: Sequence[str]) -> ChainRead | None:
        await self.chain_is_up.wait()
        return ChainRead(asked_s=0.0, holdings=(), cash=Usd(len(tokens)), complete=True)

    async def payouts(self, markets: Sequence[str]) -> list[PayoutSeen]:
        self.asked.append(tuple(markets))
        return [PayoutSeen(market=market, price=Usd(0)) for market in markets if market != "open"]


@asynccontextmanager
async def asking(gateway: FakeGateway) -> AsyncIterator[tuple[Inquiries, list[Event]]]:
    heard: list[Event] = []
    inquiries = Inquiries(gateway, SystemClock(), heard.append, lambda: ("11", "22"), lambda: False)
    tasks = [asyncio.create_task(work, name=name) for name, work in inquiries.lanes()]
    try:
        yield inquiries, heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_every_section_is_answered_by_its_own_event() -> None:
    gateway = Chained()
    gateway.chain_is_up.set()
    async with asking(gateway) as (inquiries, heard):
        sections = ("orders", "trades", "positions", "index", "activity", "chain")
        inquiries.take(ReadAccount(sections=sections, reason="test", after_unix=1_000))
        await until(lambda: len(heard) == len(sections))
    kinds = {OpenOrdersRead, TradesRead, PositionsRead, IndexedTradesRead, ActivityRead, ChainRead}
    assert {type(event) for event in heard} == kinds
    [activity] = (event for event in heard if isinstance(event, ActivityRead))
    [mined] = (event for event in heard if isinstance(event, ChainRead))
    assert activity.after_unix == 1_000 and mined.cash == 2, "of the session's tokens"


async def test_where_there_is_no_chain_nothing_is_told_of_one() -> None:
    async with asking(FakeGateway()) as (inquiries, heard):
        inquiries.take(ReadAccount(sections=("chain", "activity"), reason="test"))
        await until(lambda: heard)
    assert [type(event) for event in heard] == [ActivityRead]


async def test_a_slow_node_holds_up_neither_orders_nor_trades() -> None:
    gateway = Chained()
    async with asking(gateway) as (inquiries, heard):
        inquiries.take(ReadAccount(sections=("chain", "index", "orders", "trades"), reason="test"))
        await until(lambda: len(heard) == 2)
        assert {type(event) for event in heard} == {OpenOrdersRead, TradesRead}
        gateway.chain_is_up.set()
        await until(lambda: len(heard) == 4)


async def test_payouts_are_asked_for_in_bounded_rounds_and_each_question_once() -> None:
    gateway = Chained()
    async with asking(gateway) as (inquiries, heard):
        markets = tuple(f"m{number}" for number in range(PAYOUT_BATCH + 3))
        inquiries.take(ReadPayouts(markets=(*markets, "open")))
        inquiries.take(ReadPayouts(markets=markets[:5]))
        await until(lambda: len(heard) >= len(markets))
    assert [event.market for event in heard if isinstance(event, PayoutSeen)] == list(markets)
    assert [len(round_) for round_ in gateway.asked] == [PAYOUT_BATCH, 4]
