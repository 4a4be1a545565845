"""Cash that no trade of ours explains: named by the index if it can, a flow once that had its say, exact in the end."""

from core.balances import BELIEVED_SEC, LASTING_SEC
from core.cross_check import CENT
from core.events import ActivityKind, ActivityRow
from core.portfolio.entries import Entry
from core.units import Usd
from tests.builders import MARKET, usd
from tests.core.test_reconciliation import World, findings

LOOKS_SEC = 120.0
"""Enough for balances, chain and index to be read until something has lasted."""


def settled() -> World:
    """A session that has read everything, with a thousand dollars."""
    return World(cash=1_000).settled()


def row(world: World, kind: ActivityKind, dollars: float) -> ActivityRow:
    return ActivityRow(kind=kind, transaction=f"0x{kind}", unix=world.unix, usd=usd(dollars), market=MARKET)


def entries(world: World) -> list[Entry]:
    """Lines without a market, after the opening, and income of the market."""
    portfolio = world.engine.books.portfolio
    lines = [*portfolio.position("")._tail.values(), *portfolio.position(MARKET)._tail.values()]
    return [line.entry for line in lines]


def test_a_reward_that_the_index_has_is_never_a_deposit() -> None:
    """The balance shows it first, the index is asked for it, and the line is the reward's."""
    world = settled()
    world.cash = Usd(world.cash + usd(2.5))
    world.activity.append(row(world, "reward", 2.5))
    world.run(LOOKS_SEC)
    books = world.engine.books
    assert (books.cash, books.portfolio.income) == (world.cash, usd(2.5) * 1_000_000)
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
    assert (portfolio.income, portfolio.flows) == (usd(3) * 1_000_000, usd(980) * 1_000_000)


def test_what_rounding_leaves_is_booked_when_it_lasts_and_is_no_flow() -> None:
    """Trades are paid in whole micro-dollars: cash is the wallet's to the micro-dollar, and profit has the rest."""
    for micro in (3, -3, CENT - 1):
        world = settled()
        world.cash = Usd(world.cash + micro)
        world.run(LOOKS_SEC)
        portfolio = world.engine.books.portfolio
        assert world.engine.books.cash == world.cash and portfolio.flows == usd(1_000) * 1_000_000
        assert portfolio.income - portfolio.fees == micro * 1_000_000 and portfolio.check() == ""
