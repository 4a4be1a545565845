"""Flattening a position at an exchange on loopback: every step over the wire, and the money to the micro-dollar."""

from collections.abc import Callable
from typing import Any

import pytest

from core.events import OperatorCommand
from core.exchange.orders import Order, Trade
from core.flatten.preview import HOLDS_SEC
from core.portfolio.ledger import usd_of
from core.runtime.link import CommandResult
from core.units import MICRO, Usd
from polymm_tui.reporting import Choice, read_report
from tests.builders import usd
from tests.loopback.dealings import ADDRESS, CASH, Dealings, deal


class Scene:
    """One session that holds a position."""

    def __init__(self, dealings: Dealings) -> None:
        self.d = dealings
        self.market = dealings.market

    @property
    def desk(self) -> Any:
        return self.d.session.engine.desks[self.market]

    @property
    def net(self) -> float:
        return self.desk.inventory.net / MICRO

    async def hold(self, shares: float) -> "Scene":
        """Get a position: somebody sells to our bid, or buys from our ask when negative; its trades are final."""
        await self.d.until_resting(2 * len(self.d.exchange.listings))
        side = "BUY" if shares > 0 else "SELL"
        ours = [one for one in self.d.resting() if one.new.market == self.market]
        [order] = [one for one in ours if yes_side(one) == ("bid" if side == "BUY" else "ask")]
        self.d.take(order, abs(shares))
        await self.settle()
        assert abs(self.net) >= abs(shares)
        return self

    async def settle(self) -> None:
        trades = self.d.exchange.trades
        await self.d.until(lambda: all(one.status in ("CONFIRMED", "FAILED") for one in trades.values()), "settling")
        await self.d.until(lambda: not self.desk.position.provisional, "the session never heard of it")

    def send(self, act: Any, **over: Any) -> CommandResult:
        return self.d.session.command(OperatorCommand(act=act, who="test", **({"market": self.market} | over)))

    def begin(self, **over: Any) -> CommandResult:
        """Preview and confirm."""
        made = self.send("flatten", preview=True, **over)
        assert made.done and made.confirm, made.text
        begun = self.send("flatten", confirm=made.confirm)
        assert begun.done, begun.text
        return made

    async def end(self) -> None:
        await self.d.until(lambda: self.desk.flattening is None, f"it never ended: {self.text}")

    @property
    def text(self) -> str:
        return "over" if self.desk.flattening is None else str(self.desk.flattening.text)

    def crossing(self) -> list[Order]:
        return [order for order in self.d.orders() if order.new.order_type == "FAK"]

    def taken(self) -> list[Trade]:
        """Trades in which we were the taker."""
        ours = {order.new.order_id for order in self.crossing()}
        return [trade for trade in self.d.exchange.trades.values() if trade.taker.new.order_id in ours]

    async def agrees(self) -> None:
        """Cash, shares and fees of our book are the exchange's, to the micro-dollar."""
        await self.settle()
        account, books = self.d.exchange.ledger.account(ADDRESS), self.d.session.engine.books
        ours: Callable[[], Usd] = lambda: usd_of(books.portfolio.cash)  # noqa: E731
        await self.d.until(lambda: ours() == account.cash, f"cash {ours()}, the exchange's {account.cash}")
        assert self.d.settled(), self.d.differences()
        fees = sum(trade.fee for trade in self.taken() if trade.status != "FAILED")
        assert usd_of(books.portfolio.fees) == fees
        assert not books.portfolio.check() and not books.trouble
        assert usd_of(books.portfolio.flows) == CASH


def yes_side(order: Order) -> str:
    return order.yes_side


def fills_of(scene: Scene) -> list[str]:
    """Sides of the orders of ours that were filled."""
    return [order.new.order_type for order in scene.d.orders() if order.matched]


@pytest.mark.parametrize("shares", [20, -20])
def test_position_is_crossed_at_once_and_every_micro_dollar_is_booked(shares: float) -> None:
    """No wait at the touch: FAK orders take the book; price, fee and cash are the exchange's."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(shares)
        made = scene.begin(passive_s=0.0, most_cost=usd(5))
        await scene.end()
        assert scene.net == 0 and scene.crossing() and scene.taken()
        assert not any(order.new.post_only for order in scene.crossing())
        await scene.agrees()
        assert sum(trade.fee for trade in scene.taken()) > 0
        assert "fee $0" in made.text
        control = d.session.engine.controls.of(scene.market)
        assert (control.state, control.source) == ("PAUSED", "flatten")
        await d.pass_time(3.0)
        assert d.resting() == []

    deal(play)


def test_pairs_are_merged_then_it_rests_then_it_crosses() -> None:
    """The whole ladder: 30 pairs go back to the chain, a part fills at the touch, the rest crosses at the deadline."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)
        scene.send("split", amount=30)
        await d.until(lambda: d.session.engine.inventory.pairs(scene.market) == 30 * MICRO, "never split")
        made = scene.begin(passive_s=15.0, most_cost=usd(5))
        assert "merge 30 YES with as many NO" in made.text
        await d.until(lambda: scene.desk.flattening.step == "passive" and d.resting(), "it never rested")
        assert d.session.engine.inventory.pairs(scene.market) == 0
        [order] = d.resting()
        assert order.new.post_only and order.new.side == "SELL"
        d.take(order, 7)
        await d.until(lambda: scene.net < 14, "never heard of the fill")
        assert not scene.crossing()
        await scene.end()
        assert scene.net == 0 and scene.desk.inventory.yes == 0 and len(scene.taken()) >= 1
        assert sum(trade.size for trade in scene.taken()) == 13 * MICRO
        await scene.agrees()

    deal(play)


def test_cap_ends_it_with_the_remainder_stated() -> None:
    """Nothing may be lost: nothing crosses; after a minute without a fill it ends, and says what is left and why."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)
        scene.begin(passive_s=0.0, most_cost=Usd(0))
        await scene.end()
        assert scene.net == 20 and not scene.crossing()
        control = d.session.engine.controls.of(scene.market)
        assert "20 YES left" in control.reason and "at its cap" in control.reason
        await scene.agrees()

    deal(play)


def test_stop_ends_it_between_two_steps() -> None:
    """The order at the touch is cancelled at the exchange, what is left stays, and the market is paused."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)
        scene.begin(passive_s=600.0, most_cost=usd(5))
        await d.until(lambda: d.resting() and scene.text.startswith("20 rest"), "it never rested")
        assert scene.send("flatten_stop").done
        await scene.end()
        assert d.resting() == [] and scene.net == 20
        assert "stopped by test" in d.session.engine.controls.of(scene.market).reason
        assert not scene.send("flatten_stop").done
        await scene.agrees()

    deal(play)


def test_stale_used_or_unknown_words_confirm_nothing() -> None:
    """A preview holds for half a minute, once, and for the position it told; what is refused changes nothing."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)

        def refused(confirm: str, why: str) -> None:
            said = scene.send("flatten", confirm=confirm)
            assert not said.done and why in said.text and scene.desk.flattening is None

        refused("", "it needs the word of a preview")
        refused("deadbeef", "no such preview")
        old = scene.send("flatten", preview=True).confirm
        await d.pass_time(HOLDS_SEC + 1.0)
        refused(old, "the most")
        moved = scene.send("flatten", preview=True).confirm
        bids = [order for order in d.resting() if yes_side(order) == "bid"]
        d.take(bids[0], 5)
        await d.until(lambda: scene.net > 20, "never heard of the fill")
        refused(moved, "the position has moved: 20 YES then")
        refused(moved, "used already")
        assert not scene.send("flatten", market="0xfeed").done
        assert not scene.send("flatten", preview=True, passive_s=-1.0).done
        assert not scene.send("flatten", preview=True, most_cost=Usd(-1)).done

    deal(play)


def test_nothing_crosses_on_a_book_that_is_not_proven() -> None:
    """The market channel falls silent about this market: no preview, and one under way waits until it ends."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)
        scene.begin(passive_s=10.0, most_cost=usd(5))
        await d.until(lambda: d.resting() and scene.text.startswith("20 rest"), "it never rested")
        d.arm(f'do = "freeze"\nmarket = "{scene.market}"\nfor = 500')
        d.arm('do = "http"\nstatus = 500\nrequest = "* /book*"\nfor = 500')
        await d.until(lambda: scene.desk.data_trouble, "the book was never lost")
        await scene.end()
        assert not scene.crossing() and scene.net == 20
        said = scene.send("flatten", preview=True)
        assert not said.done and "not proven" in said.text

    deal(play)


@pytest.mark.parametrize(
    "fault",
    [
        'do = "blackhole"\nmoment = "after"\nthen = "cut"',
        'do = "blackhole"\nmoment = "before"\nthen = "cut"',
        'do = "http"\nstatus = 500',
    ],
)
def test_lost_answer_to_an_order_that_crosses_is_looked_up_and_never_sent_twice(fault: str) -> None:
    """Whether it matched is read; only then it goes on, and the position never turns."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)
        scene.begin(passive_s=3.0, most_cost=usd(5))
        await d.until(lambda: scene.text.startswith("20 rest"), "it never rested")
        d.arm(f'{fault}\nrequest = "POST /orders"')
        await scene.end()
        assert sum(trade.size for trade in scene.taken()) <= 20 * MICRO and scene.net >= 0
        assert d.doubled() == []
        await scene.agrees()

    deal(play)


def test_order_held_for_a_takers_delay_is_waited_for() -> None:
    """Markets with a taker delay answer ``delayed``: what it took is told later, and nothing more is sent meanwhile."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)
        d.exchange.delay_takers(scene.market, 3_000)
        scene.begin(passive_s=0.0, most_cost=usd(5))
        await d.until(scene.crossing, "it never crossed")
        await d.pass_time(1.0)
        assert len(scene.crossing()) == 1
        await scene.end()
        assert scene.net == 0
        await scene.agrees()

    deal(play)


def test_trade_that_fails_comes_back_with_its_fee() -> None:
    """The shares are ours again, price and fee are taken back, and the cap holds for what follows."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)
        d.exchange.settlement.spoil("fail", 1, None, 0)
        scene.begin(passive_s=0.0, most_cost=usd(5))
        await d.until(lambda: any(trade.status == "FAILED" for trade in scene.taken()), "it never failed")
        await scene.agrees()
        await d.until(lambda: scene.desk.flattening is None, "it never ended")
        assert scene.net in (0, 20)
        await scene.agrees()

    deal(play)


def test_flattening_all_does_every_market() -> None:
    """One preview, one word, and each market by a machine of its own."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)
        made = scene.send("flatten_all", market="", preview=True, passive_s=0.0, most_cost=usd(5))
        assert made.done and "20 YES" in made.text
        assert scene.send("flatten_all", market="", confirm=made.confirm).done
        await scene.end()
        assert scene.net == 0
        assert not scene.send("flatten_all", market="", preview=True).done

    deal(play, markets=2)


def test_restart_ends_it_and_every_micro_dollar_is_still_there() -> None:
    """A session ends while it rests, and another after it has crossed: the book goes on, the market is paused."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(20)
        scene.begin(passive_s=600.0, most_cost=usd(5))
        await d.until(lambda: scene.text.startswith("20 rest"), "it never rested")
        await d.end()
        second = Scene(await follow(d))
        control = second.d.session.engine.controls.of(second.market)
        assert (control.state, control.source) == ("PAUSED", "flatten") and "ended with its session" in control.reason
        assert second.desk.flattening is None and second.d.resting() == []
        second.begin(passive_s=0.0, most_cost=usd(5))
        await second.end()
        assert second.net == 0 and second.taken()
        await second.agrees()
        paid = second.d.session.engine.books.portfolio.fees
        await second.d.end()
        third = Scene(await follow(second.d))
        assert third.d.session.engine.books.portfolio.fees == paid > 0
        assert third.d.session.engine.controls.of(third.market).state == "PAUSED"
        third.d.signed = second.d.signed
        await third.agrees()
        await third.d.end()
        report = read_report(third.d.session.places.database, Choice(), d.clock.unix(), lambda *_: None)
        assert report.agrees, report.checks
        assert report.total.parts.fees_micro_usd == usd_of(paid)
        assert report.equity is not None
        assert report.equity.end_cash_micro_usd == d.exchange.ledger.account(ADDRESS).cash

    deal(play)


async def follow(before: Dealings) -> Dealings:
    """The next session of the same account and database, once it has read the account."""
    following = Dealings(before.root, before.clock, before.running)
    following.signed = before.signed
    await following.begin()
    engine = following.session.engine
    await following.until(
        lambda: engine.books.is_begun and not engine.reconciliation.recovering() and engine.account.bankroll, "start"
    )
    return following


def test_pairs_alone_are_merged_and_nothing_is_sold() -> None:
    """No position, only pairs: they go back to the chain, free of cost, and the market is flat."""

    async def play(d: Dealings) -> None:
        scene = Scene(d)
        await d.until_resting(2)
        scene.send("split", amount=30)
        await d.until(lambda: d.session.engine.inventory.pairs(scene.market) == 30 * MICRO, "never split")
        scene.begin()
        await scene.end()
        assert scene.desk.inventory.yes == 0 == scene.desk.inventory.no and not scene.crossing()
        assert "nothing left" in d.session.engine.controls.of(scene.market).reason
        await scene.agrees()

    deal(play)


def test_crowd_that_trades_all_the_time_changes_nothing_of_the_promise() -> None:
    """A lively market: the touch moves, others take the same levels; the cost stays within the cap, and it ends."""

    async def play(d: Dealings) -> None:
        scene = await Scene(d).hold(60)
        made = scene.begin(passive_s=5.0, most_cost=usd(3))
        fair, held = scene.desk.flattening.terms.fair, scene.desk.inventory.net
        before = d.exchange.ledger.account(ADDRESS).cash
        await scene.end()
        await scene.settle()
        await scene.agrees()
        sold = held - scene.desk.inventory.net
        got = d.exchange.ledger.account(ADDRESS).cash - before
        assert fair * sold // MICRO - got <= usd(3), made.text
        assert scene.net == 0 or "left" in d.session.engine.controls.of(scene.market).reason

    deal(play, lively=True)
