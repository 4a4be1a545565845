"""Our readers against what the exchange can say of an account: channel, lists, balances and the Data API."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.account.activity import Activity, Stake
from core.events import FillSeen, OrderSeen
from core.orders.cross_check import cross_check
from core.portfolio.books import Books
from core.portfolio.entries import Buy, Flow, Income, Merge, Redeem, Sell, Settle, Split
from core.portfolio.ledger import pico_of
from core.units import MICRO, Shares, Usd
from core.venue.chain_reads import ChainReads
from core.venue.credentials import ApiCredentials, Secret
from core.venue.data_api import DataApi
from core.venue.gateway import ModeSign, Sign
from core.venue.private_rest import PrivateRest
from core.venue.rpc import Rpc
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


async def test_all_cash_that_moves_without_a_trade_is_named_by_the_index(reader: Reader) -> None:
    """Deposit, reward, rebate, pairs and redemptions of somebody else: what the chain shows is explained, each once."""
    stage, exchange, wallet, market = reader.stage, reader.stage.exchange, reader.stage.trader.eoa, reader.stage.market
    rpc = Rpc(stage.venue.urls["rpc_url"])
    chain, held = ChainReads(rpc, wallet, reader.clock), {"stake": Stake(Shares(0), Shares(0))}
    activity = Activity(lambda key: False, lambda name: False, lambda name: held["stake"])
    cash = (await chain.balances(())).cash
    assert cash is not None

    def reward(amount: int) -> None:
        exchange.ledger.reward(wallet, Usd(amount))
        exchange.history.moved(wallet, "REWARD", market, Shares(0), Usd(amount), exchange.now_ms)

    def rebate(amount: int) -> None:
        exchange.ledger.reward(wallet, Usd(amount))
        exchange.history.moved(wallet, "MAKER_REBATE", market, Shares(0), Usd(amount), exchange.now_ms)

    def settle(pairs: int) -> None:
        exchange.resolve(market, "YES")
        held["stake"] = Stake(Shares(pairs), Shares(0), apart_no=Shares(pairs), payout=Usd(MICRO))
        exchange.redeem(wallet, market)

    for act, entries in (
        (lambda: exchange.deposit(wallet, Usd(25_000_001)), [Flow(Usd(25_000_001))]),
        (lambda: reward(2_345_678), [Income(Usd(2_345_678), "reward")]),
        (lambda: rebate(1_000_001), [Income(Usd(1_000_001), "rebate")]),
        (lambda: exchange.split(wallet, market, Shares(30 * MICRO)), [Flow(Usd(-30 * MICRO))]),
        (lambda: held.update(stake=Stake(Shares(30 * MICRO), Shares(30 * MICRO))), []),
        (lambda: exchange.merge(wallet, market, Shares(10 * MICRO)), [Merge(Shares(10 * MICRO))]),
        (lambda: settle(20 * MICRO), [Redeem("YES", Shares(20 * MICRO), Usd(20 * MICRO))]),
    ):
        act()
        stage.pass_time(1)
        read = await chain.balances(())
        activity.take(await reader.data.activity(0))
        assert read.cash is not None
        told = activity.explain(Usd(read.cash - cash), 0.0)
        assert [line.entry for line in told] == entries
        cash = read.cash
    assert activity.unseen(0.0, reader.clock.unix() + 10_000) == []
    await rpc.close()


async def test_a_ledger_of_the_indexed_history_is_the_positions_and_the_wallet(reader: Reader) -> None:
    """Trades and activity as the Data API lists them, folded from nothing: shares, averages, profit and cash agree."""
    stage, exchange, wallet = reader.stage, reader.stage.exchange, reader.stage.trader.eoa
    rpc = Rpc(stage.venue.urls["rpc_url"])
    chain = ChainReads(rpc, wallet, reader.clock)
    begun = (await chain.balances(())).cash
    for shares in (10, 7, 12):
        await stage.fill(shares)
        stage.pass_time(20)
    _, ask = exchange.faces[stage.market].top("YES")
    offer = stage.trader.order(stage.yes, 6 * MICRO, (int(ask or 0) - 1) * 6 * 10_000, "SELL")
    assert (await stage.trader.send("POST", "/order", stage.trader.body(offer))).json()["status"] == "live"
    await stage.venue.take("YES", "BUY", 6)
    stage.pass_time(20)
    exchange.split(wallet, stage.market, Shares(30 * MICRO))
    exchange.merge(wallet, stage.market, Shares(4 * MICRO))
    stage.pass_time(20)

    async def booked() -> tuple[Books, int]:
        """Everything in the order of time, newest listed first; splits as the index takes them, at half a dollar."""
        books = Books()
        trades, activity = await reader.data.trades_since(0), await reader.data.activity(0)
        assert trades.complete and activity.complete
        lines: list[tuple[float, Any]] = []
        for trade in trades.trades:
            assert trade.token == stage.yes
            kind = Buy if trade.order_side == "BUY" else Sell
            lines.append((trade.unix, kind("YES", trade.size, Usd(round(float(trade.price) * MICRO)))))
        made = {"split": lambda row: Split(row.size, Usd(MICRO // 2)), "merge": lambda row: Merge(row.size)}
        lines += [(row.unix, made[row.kind](row)) for row in activity.rows if row.kind in made]
        lines.reverse()
        for _, entry in sorted(lines, key=lambda line: line[0]):
            assert books.apply(entry) is None
        assert books.check() == ""
        return books, sum(row.usd for row in activity.rows if row.kind == "redeem")

    books, _ = await booked()
    ledger = books.average
    rows = (await stage.venue.http.get(stage.venue.urls["data_url"] + "/positions", params={"user": wallet})).json()
    told = {row["asset"]: row for row in rows}
    held = {stage.yes: ledger.yes, stage.no: ledger.no}
    assert dict((await reader.data.positions(())).holdings) == {token: each.shares for token, each in held.items()}
    for token, each in held.items():
        assert each.average == pytest.approx(told[token]["avgPrice"], abs=1e-4)
    assert sum(row["realizedPnl"] for row in rows) == pytest.approx(ledger.realised / MICRO**2, abs=2e-4)
    cash = (await chain.balances(())).cash
    assert cash is not None and begun is not None and ledger.cash == pico_of(Usd(cash - begun))
    exchange.resolve(stage.market, "HALF")
    exchange.redeem(wallet, stage.market)
    stage.pass_time(20)
    books, paid = await booked()
    books.apply(Settle(Usd(MICRO // 2)))
    cash = (await chain.balances(())).cash
    assert cash is not None and books.average.value(Usd(0)) == pico_of(Usd(paid))
    assert books.average.cash + pico_of(Usd(paid)) == pico_of(Usd(cash - begun)) == books.total(Usd(0))
    await rpc.close()
