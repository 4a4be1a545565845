"""Cash that no trade of ours explains: named by the index if it can, a flow once that had its say, exact in the end."""

from typing import Any

import pytest

from core.account.balances import BELIEVED_SEC, LASTING_SEC, _unmined_cash
from core.account.cross_check import CENT
from core.events import ActivityKind, ActivityRow, FillSeen
from core.orders.fills import Fill, TrackedFill
from core.units import MICRO, Shares, Ticks, Usd
from tests.builders import MARKET, usd
from tests.core.account.test_reconciliation import World, findings

LOOKS_SEC = 120.0
"""Enough for balances, chain and index to be read until something has lasted."""


def settled() -> World:
    """A session that has read everything, with a thousand dollars."""
    return World(cash=1_000).settled()


def row(world: World, kind: ActivityKind, dollars: float) -> ActivityRow:
    return ActivityRow(kind=kind, transaction=f"0x{kind}", unix=world.unix, usd=usd(dollars), market=MARKET)


def test_a_reward_that_the_index_has_is_never_a_deposit() -> None:
    """The balance shows it first, the index is asked for it, and the line is the reward's."""
    world = settled()
    world.cash = Usd(world.cash + usd(2.5))
    world.activity.append(row(world, "reward", 2.5))
    world.run(LOOKS_SEC)
    books = world.engine.books
    assert (books.cash, books.portfolio.income) == (world.cash, usd(2.5) * MICRO)
    assert "cash_flow" not in [found.code for found in findings(world.actions)]


def test_an_index_that_cannot_be_read_holds_a_deposit_up_for_minutes_only() -> None:
    world = settled()
    world.broken.add("activity")
    world.cash = Usd(world.cash + usd(50))
    world.run(BELIEVED_SEC - LASTING_SEC)
    assert world.engine.books.cash == usd(1_000)
    world.run(LOOKS_SEC)
    assert world.engine.books.cash == usd(1_050)


def test_what_else_has_happened_does_not_hide_a_reward() -> None:
    """Somebody bought for 20 dollars on the account at the moment of a reward: the flow is what the reward is not."""
    world = settled()
    world.cash = Usd(world.cash + usd(3) - usd(20))
    world.activity.append(row(world, "reward", 3))
    world.run(LOOKS_SEC + 60)
    portfolio = world.engine.books.portfolio
    assert world.engine.books.cash == world.cash
    assert (portfolio.income, portfolio.flows) == (usd(3) * MICRO, usd(980) * MICRO)


def test_what_rounding_leaves_is_booked_when_it_lasts_and_is_no_flow() -> None:
    """Trades are paid in whole micro-dollars: cash is the wallet's to the micro-dollar, and profit has the rest."""
    for micro in (3, -3, CENT - 1):
        world = settled()
        world.cash = Usd(world.cash + micro)
        world.run(LOOKS_SEC)
        portfolio = world.engine.books.portfolio
        assert world.engine.books.cash == world.cash and portfolio.flows == usd(1_000) * MICRO
        assert portfolio.income - portfolio.fees == micro * MICRO and portfolio.check() == ""


@pytest.mark.parametrize(("settlement", "told"), [("matched", 1), ("retrying", 1), ("mined", 0), ("confirmed", 0)])
def test_cash_of_a_sale_that_crossed_is_on_its_way_less_its_fee(settlement: Any, told: int) -> None:
    """Until it is mined the venue lacks the price, with what a whole micro-dollar a share cuts off, less the fee."""
    plain: dict[str, Any] = dict.fromkeys(("trade_id", "order_id", "market"), "")
    sold = Fill(
        **plain, intent=1, outcome="YES", order_side="SELL", price=Ticks(44), yes_price=Ticks(44), usd=Usd(443_333),
        side="ask", size=Shares(3_000_000), layer=0, unix=0.0, takes=True, fee=Usd(29_600), rest=Usd(1),
    )  # fmt: skip
    word = FillSeen(trade_id="", order_id="", size=sold.size, settlement=settlement, unix=0.0)
    assert _unmined_cash(TrackedFill(sold, word, 0.0, set())) == told * (1_329_999 + 1 - 29_600)
