"""Our readers against what the exchange can say of an account: channel, lists, balances and the Data API."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.events import FillSeen, OrderSeen
from core.orders.cross_check import cross_check
from core.units import MICRO, Shares
from core.venue.credentials import ApiCredentials, Secret
from core.venue.data_api import DataApi
from core.venue.gateway import ModeSign, Sign
from core.venue.private_rest import PrivateRest
from core.venue.user_channel import decode_user_frame
from tests.loopback.faulty import Stage, Wire, stage_running


class Reader:
    """Everything that reads the account of a stage's trader."""

    def __init__(self, stage: Stage) -> None:
        keys = stage.trader.keys
        api = ApiCredentials(Secret(keys.api_key), Secret(keys.secret), Secret(keys.passphrase))
        self.stage = stage
        self.signs: list[Sign] = []
        self.clock = stage.venue._clock
        self.rest = PrivateRest(
            stage.venue.urls["clob_url"], stage.trader.eoa, api, self.clock,
            wallet=stage.trader.eoa, signature_type=0, on_sign=self.signs.append,
        )  # fmt: skip
        self.data = DataApi(stage.venue.urls["data_url"], stage.trader.eoa, self.clock)

    def heard(self, messages: list[Any]) -> list[OrderSeen | FillSeen]:
        """What our decoder makes of messages; it must complain of none."""
        key, wallet = self.stage.trader.keys.api_key, self.stage.trader.eoa
        return [event for one in messages for event in decode_user_frame(json.dumps(one), key, wallet)]

    async def fills(self, wire: Wire) -> list[FillSeen]:
        return [event for event in self.heard(await wire.pending()) if isinstance(event, FillSeen)]


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    async with stage_running() as stage:
        made = Reader(stage)
        yield made
        await made.rest.close()
        await made.data.close()


def core(fill: FillSeen) -> tuple[Any, ...]:
    """What channel and list must agree on; transaction and settlement come later."""
    return (fill.trade_id, fill.order_id, fill.size, fill.unix, fill.owned, fill.token, fill.order_side, fill.price)


@pytest.mark.parametrize("taker", ["YES SELL", "NO BUY"])
async def test_a_sweep_over_our_orders_is_the_same_on_the_channel_and_on_the_list(reader: Reader, taker: str) -> None:
    """Two bids for YES, taken on the same token or from the other one: our side, our token, each order's size."""
    stage = reader.stage
    bid, _ = stage.exchange.faces[stage.market].top("YES")
    ids = [await stage.place(int(bid or 0) + step, shares=10) for step in (2, 1)]
    async with stage.user_wire() as user:
        await stage.venue.take(*taker.split(), 15.5)
        stage.pass_time(60)
        fills = await reader.fills(user)
    assert {fill.order_id: fill.size for fill in fills} == {ids[0]: 10 * MICRO, ids[1]: round(5.5 * MICRO)}
    assert {(fill.token, fill.order_side, fill.owned) for fill in fills} == {(stage.yes, "BUY", True)}
    assert [fill.settlement for fill in fills] == ["matched", "matched", "mined", "mined", "confirmed", "confirmed"]
    read = await reader.rest.trades_since(0)
    assert read.complete and {core(fill) for fill in read.fills} == {core(fill) for fill in fills}
    assert {fill.transaction for fill in read.fills} == {fills[-1].transaction} != {""}


async def test_an_order_that_takes_is_one_fill_of_its_own(reader: Reader) -> None:
    """Beside strangers of whose entries none is ours."""
    stage = reader.stage
    async with stage.user_wire() as user:
        body = stage.trader.body(stage.trader.order(stage.yes, 99 * 20 * 10_000, 20 * MICRO))
        answer = (await stage.trader.send("POST", "/order", body)).json()
        assert answer["status"] == "matched", answer
        [fill] = await reader.fills(user)
    assert (fill.order_id, fill.size, fill.order_side, fill.owned) == (answer["orderID"], 20 * MICRO, "BUY", True)
    assert [core(each) for each in (await reader.rest.trades_since(0)).fills] == [core(fill)]


@pytest.mark.parametrize(
    ("fault", "settlements"),
    [
        ('how = "fail"', ["matched", "retrying", "failed"]),
        ('how = "retry"\nretries = 2', ["matched", "retrying", "retrying", "mined", "confirmed"]),
        ('how = "hang"', ["matched"]),
    ],
)
async def test_every_way_to_settle_is_read(reader: Reader, fault: str, settlements: list[str]) -> None:
    stage = reader.stage
    stage.arm(f'do = "settle"\n{fault}')
    async with stage.user_wire() as user:
        await stage.fill()
        stage.pass_time(60)
        fills = await reader.fills(user)
    assert [fill.settlement for fill in fills] == settlements
    [read] = (await reader.rest.trades_since(0)).fills
    assert (read.settlement, read.size, read.source) == (settlements[-1], 10 * MICRO, "read")


async def test_told_twice_late_and_turned_round_it_is_still_the_same_fill(reader: Reader) -> None:
    stage = reader.stage
    stage.arm(
        'do = "duplicate_fill"\non = "user:trade:CONFIRMED"', 'do = "reorder"\nkinds = ["trade", "order"]\nfor = 60'
    )
    async with stage.user_wire() as user:
        await stage.fill()
        for _ in range(4):
            stage.pass_time(20)
        fills = await reader.fills(user)
    assert len(fills) >= 4 and len({core(fill) for fill in fills}) == 1


async def test_an_order_of_somebody_else_with_our_key_is_told_like_ours(reader: Reader) -> None:
    """Whether it is foreign only whoever knows our orders can say."""
    stage = reader.stage
    mine = await stage.place()
    async with stage.user_wire() as user:
        stage.arm('do = "foreign_order"\nmarket = 0\noutcome = "no"\nprice = 0.02\nsize = 12.5')
        [seen] = reader.heard(await user.pending())
    read = await reader.rest.open_orders()
    assert read.complete and [order.order_id for order in read.orders] == [mine, seen.order_id]
    foreign = read.orders[1]
    assert (foreign.token, foreign.order_side, foreign.price) == (stage.no, "BUY", "0.02")
    assert (foreign.size, foreign.matched) == (round(12.5 * MICRO), 0)


async def test_a_list_with_a_hole_says_so_wherever_that_can_be_seen(reader: Reader) -> None:
    """A last page that came short looks like the end of the list: hence two lists, not one (reliability.md X30)."""
    for number in range(101):
        await reader.stage.place(1 + number % 9)
        reader.stage.pass_time(1)
    assert len((await reader.rest.open_orders()).orders) == 101
    for fault, rows in (
        ("page = 1", 1),
        ("page = 1\nkeep = 30", 31),
        ("page = 2", 100),
        ('page = 2\nlost = "answer"', 100),
    ):
        reader.stage.arm(f'do = "omit_page"\n{fault}')
        read = await reader.rest.open_orders()
        assert (len(read.orders), read.complete) == (rows, False), fault
        assert read.problem.startswith("/data/orders, page"), fault
        assert (await reader.rest.open_orders()).complete, "once only"


async def test_a_restart_is_an_incomplete_read_and_a_sign_of_its_mode(reader: Reader) -> None:
    stage = reader.stage
    order_id = await stage.place()
    stage.arm('do = "restart"\nseconds = 90.0')
    assert not (await reader.rest.open_orders()).complete and await reader.rest.read_order(order_id) is None
    assert not (await reader.rest.balances([stage.yes])).complete
    assert [sign.mode for sign in reader.signs if isinstance(sign, ModeSign)] == ["RESTARTING"] * 3
    stage.pass_time(90)
    assert (await reader.rest.open_orders()).complete


async def test_one_order_is_there_gone_or_unheard_of(reader: Reader) -> None:
    resting, filled = await reader.stage.place(), await reader.stage.fill()
    cancelled = await reader.stage.place(2)
    await reader.stage.trader.send("DELETE", "/order", {"orderID": cancelled})
    asked = [await reader.rest.read_order(each) for each in (resting, filled, cancelled, "0x" + "ab" * 32)]
    assert [seen and seen.status for seen in asked] == ["live", "matched", "cancelled", "absent"]
    assert asked[1] is not None and asked[1].matched == 10 * MICRO


async def test_balances_and_positions_are_the_ledgers(reader: Reader) -> None:
    stage = reader.stage
    await stage.fill(12)
    stage.pass_time(60)
    account = stage.exchange.ledger.account(stage.trader.eoa)
    held = account.tokens[stage.market, "YES"]
    read = await reader.rest.balances([stage.yes, stage.no])
    assert (read.cash, read.holdings, read.complete) == (account.cash, ((stage.yes, held), (stage.no, 0)), True)
    positions = await reader.data.positions([stage.yes, stage.no])
    assert (positions.holdings, positions.complete) == (((stage.yes, held),), True)
    assert held == 12 * MICRO


async def test_the_index_of_trades_agrees_with_our_fills_and_shows_one_that_we_lost(reader: Reader) -> None:
    """Two sources of fills, summed by transaction, token and side; one of them can be wrong, both alike hardly."""
    stage = reader.stage
    async with stage.user_wire() as user:
        for size in (10, 12, 7):
            await stage.fill(size)
            stage.pass_time(20)
        bid, _ = stage.exchange.faces[stage.market].top("YES")
        for step in (2, 1):
            await stage.place(int(bid or 0) + step, shares=10)
        await stage.venue.take("NO", "BUY", 15)
        stage.pass_time(60)
        fills = [fill for fill in await reader.fills(user) if fill.settlement == "confirmed"]
    read = await reader.data.trades_since(0)
    now = reader.clock.unix()
    assert len(fills) == 5 and read.complete
    assert cross_check(fills, read.trades, 1.0, now) == []
    assert cross_check(fills, read.trades, 1.0, now - 59) == [], "the last ones are too young"
    [difference] = cross_check(fills[:2] + fills[3:], read.trades, 1.0, now)
    assert (difference.ours, difference.theirs, difference.token) == (0, Shares(7 * MICRO), stage.yes)
