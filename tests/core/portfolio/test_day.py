"""What markets earned since midnight: exact parts, the same live, after a restart, and when a trade fails later."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

from hypothesis import given
from hypothesis import strategies as st

from core.actions import Book, Marked
from core.clock import ManualClock
from core.events import Recovered
from core.portfolio.day import DayOpenings
from core.portfolio.entries import Booking, Buy, Entry, Fee, Found, Income, Merge, Sell, Settle, Split
from core.portfolio.ledger import usd_of
from core.portfolio.position import Position
from core.runtime.journaling import Journaling
from core.store.database import Store
from core.units import MICRO, Shares, Usd
from core.viewing import Stage, console_view
from core.views import ConsoleView
from tests.builders import DAY, MARKET, Driver, VenueBook, laws, shares, usd
from tests.core.account.test_reconciliation import World
from tests.core.store.ledger import a_mark, opened

A, B = "a", "b"
MARKS = {A: usd(0.4), B: usd(0.7)}


def line(seq: int, entry: Entry, market: str = A, is_final: bool = True) -> Booking:
    return Booking(seq, market, f"line {seq}", 0.0, entry, "fill", is_final=is_final)


def book_of(lines: list[Booking]) -> dict[str, Position]:
    positions: dict[str, Position] = {}
    for one in lines:
        positions.setdefault(one.market, Position()).book(one)
    return positions


def profit(day: DayOpenings, positions: Mapping[str, Position], marks: Mapping[str, Usd], market: str) -> Usd | None:
    return day.profit(market, positions.get(market, Position()).ledger, marks.get(market))


def test_a_day_counts_what_came_after_its_beginning() -> None:
    """Bought at 30c before, worth 40c at midnight and 45c now: ten cents are yesterday's, five are today's."""
    lines = [line(1, Buy("YES", shares(100), usd(0.3)))]
    positions, day = book_of(lines), DayOpenings()
    day.begin(2, positions, MARKS.get)
    assert profit(day, positions, {A: usd(0.45)}, A) == usd(5)
    positions[A].book(line(2, Sell("YES", shares(50), usd(0.5))))
    positions[A].book(line(3, Fee(usd(0.25))))
    assert profit(day, positions, {A: usd(0.45)}, A) == usd(50 * 0.10 + 50 * 0.05 - 0.25)


def test_a_market_that_is_new_today_has_earned_today_all_it_ever_did() -> None:
    day = DayOpenings()
    day.begin(1, {}, MARKS.get)
    positions = book_of([line(1, Buy("NO", shares(10), usd(0.5)), B)])
    assert profit(day, positions, MARKS, B) == usd(10 * (0.3 - 0.5))


def test_nobody_knows_what_was_held_at_midnight_without_a_price() -> None:
    """None, and not a number that counts yesterday's profit as today's."""
    positions, day = book_of([line(1, Buy("YES", shares(1), usd(0.3)))]), DayOpenings()
    day.begin(2, positions, {}.get)
    assert profit(day, positions, MARKS, A) is None
    positions[A].book(line(2, Sell("YES", shares(1), usd(0.5))))
    assert profit(day, positions, MARKS, A) is None


def test_before_a_day_has_begun_nothing_is_known() -> None:
    assert DayOpenings().profit(A, Position().ledger, usd(0.5)) is None


def test_what_is_held_now_without_a_price_is_not_known() -> None:
    day = DayOpenings()
    day.begin(1, {}, {}.get)
    positions = book_of([line(1, Buy("YES", shares(1), usd(0.3)))])
    assert profit(day, positions, {}, A) is None
    positions[A].book(line(2, Sell("YES", shares(1), usd(0.5))))
    assert profit(day, positions, {}, A) == usd(0.2)


def test_a_settlement_of_today_is_profit_of_today_and_one_of_yesterday_is_not() -> None:
    positions, day = book_of([line(1, Buy("YES", shares(10), usd(0.3)))]), DayOpenings()
    day.begin(2, positions, MARKS.get)
    positions[A].book(line(2, Settle(usd(1))))
    assert profit(day, positions, {}, A) == usd(6)
    tomorrow = DayOpenings()
    tomorrow.begin(3, positions, {}.get)
    assert profit(tomorrow, positions, {}, A) == 0


def test_a_trade_of_yesterday_that_fails_today_is_no_loss_of_today() -> None:
    """It never was: the beginning of the day is told without it, as a restart tells it."""
    lost = line(1, Buy("YES", shares(100), usd(0.3)), is_final=False)
    positions, day = book_of([lost]), DayOpenings()
    day.begin(2, positions, MARKS.get)
    positions[A].take_back(lost.key)
    day.take_back(lost)
    assert profit(day, positions, MARKS, A) == 0


ENTRIES = st.one_of(
    st.builds(Buy, st.sampled_from(["YES", "NO"]), st.integers(1, 10**9).map(Shares), st.integers(1, MICRO).map(Usd)),
    st.builds(Sell, st.sampled_from(["YES", "NO"]), st.integers(1, 10**9).map(Shares), st.integers(1, MICRO).map(Usd)),
    st.builds(Split, st.integers(1, 10**9).map(Shares), st.integers(0, MICRO).map(Usd)),
    st.builds(Merge, st.integers(1, 10**9).map(Shares)),
    st.builds(Fee, st.integers(0, 10**9).map(Usd)),
    st.builds(Income, st.integers(0, 10**9).map(Usd)),
    st.builds(Found, st.sampled_from(["YES", "NO"]), st.integers(-(10**9), 10**9).map(Shares), st.just(Usd(400_000))),
)


@given(
    st.lists(st.tuples(st.sampled_from([A, B]), ENTRIES), max_size=30),
    st.integers(0, 30),
    st.integers(0, MICRO).map(Usd),
    st.integers(0, MICRO).map(Usd),
)
@laws(300)
def test_yesterday_and_today_add_up_to_all_that_was_ever_earned(
    told: list[tuple[str, Entry]], midnight: int, then: Usd, now: Usd
) -> None:
    """For every market and every moment at which a day may begin; a restart folds the same numbers of the lines."""
    lines = [line(seq, entry, market) for seq, (market, entry) in enumerate(told, start=1)]
    before, whole = book_of(lines[:midnight]), book_of(lines)
    live, restored = DayOpenings(), DayOpenings()
    live.begin(midnight + 1, before, lambda market: then)
    restored.restore(midnight + 1, lines, {A: then, B: then})
    for market in (A, B):
        held = whole.get(market, Position())
        until = before.get(market, Position()).ledger.total(then)
        today = live.profit(market, held.ledger, now)
        assert today == restored.profit(market, held.ledger, now)
        assert today is not None
        assert abs(usd_of(until) + today - usd_of(held.ledger.total(now))) <= 1


# In a session


def view_of(driver: Driver) -> ConsoleView:
    return console_view(driver.engine, Stage(1, "paper", driver.now, driver.unix, 0.0, "", ()))


def assert_adds_up(view: ConsoleView) -> None:
    account = view.account
    assert account.day_realised is not None and account.day_unrealised is not None
    assert account.day_realised + account.day_unrealised == account.day_profit
    days = [market.day for market in view.markets if market.day is not None]
    assert len(days) == len(view.markets) and account.day_fair == sum(days), "the rows of the table add up to all"


def test_the_account_s_day_adds_up_exactly_at_every_moment() -> None:
    """Realised and unrealised are whole micro-dollars, and their sum is the day's profit, whatever happens."""
    book = VenueBook()
    driver = Driver(book).quoting(yes=300)
    for n, tick in enumerate([44, 45, 47, 45, 44, 46]):
        orders = driver.orders()
        if orders:
            driver.fill(orders[n % len(orders)], 7.77, trade=f"t{n}", settlement=["matched", "confirmed"][n % 2])
        driver.send(book.set("bid", tick, 100))
        assert_adds_up(view_of(driver))
        driver.pass_time(2)
        driver.answer_cancels()
        driver.answer()
        assert_adds_up(view_of(driver))
    assert view_of(driver).account.day_realised != 0


def test_before_the_account_is_valued_the_day_is_not_known() -> None:
    """A restart knows the day's opening before it knows what the account is worth: that is no loss of everything."""
    assert view_of(Driver(VenueBook())).account.day_realised is None
    assert view_of(Driver(VenueBook())).account.day_fair is None
    assert view_of(Driver(VenueBook())).markets[0].day is None


def test_a_restart_shows_no_loss_of_everything_before_the_account_is_valued() -> None:
    """The journal tells the day's opening first: until the first mark there is nothing to hold against it."""
    world = World()
    opening = {"day": int(world.unix // DAY), "day_equity": usd(900), "day_flows": usd(0), "bankroll": usd(900)}
    world.begin(Recovered(equity=a_mark(world.unix - 60, **opening)))
    account = view_of(world).account
    assert (account.day_profit, account.day_realised, account.day_unrealised) == (0, None, None)


def test_a_market_s_day_begins_anew_at_midnight() -> None:
    book = VenueBook()
    driver = Driver(book)
    driver.unix_offset += DAY // 2 - 60  # a minute to midnight, less what getting ready takes
    driver.quoting(yes=300)
    ask = next(order for order in driver.orders() if order.side == "ask")
    driver.fill(ask, 10, "confirmed")
    driver.pass_time(5)
    before = view_of(driver).markets[0]
    assert before.day is not None and abs(before.day - before.pnl.total) <= 2
    assert before.pnl.total != 0
    driver.pass_time(120)
    [market] = view_of(driver).markets
    assert market.pnl.realised == before.pnl.realised != 0
    assert market.day is not None and abs(market.day) < abs(before.day)
    assert_adds_up(view_of(driver))
    assert view_of(driver).account.day_realised == 0


class Kept:
    """A session whose journal is on the disk."""

    def __init__(self, path: Path, world: World) -> None:
        self.path, self.world = path, world
        self.clock = ManualClock(unix=world.unix, monotonic=world.now)
        self.noted = 0
        """Actions that the journal has taken."""
        self.store: Store
        self.journal: Journaling
        self.told: Recovered

    async def run(self, seconds: float) -> None:
        """Let time go on, and write down what happens as a session does."""
        for _ in range(round(seconds * 2)):
            self.world.run(0.5)
            for action in self.world.actions[self.noted :]:
                if isinstance(action, Book):
                    self.journal.booked(action.booking)
                elif isinstance(action, Marked):
                    self.journal.marked(action.mark)
            self.noted = len(self.world.actions)
            self.clock.advance_to(self.world.now)
            await self.journal.flush()

    async def __aenter__(self) -> Self:
        self.store = await opened(self.path, self.clock, "live")
        self.journal = Journaling(self.store, self.world.engine, self.clock)
        self.told = await self.journal.recover()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.end("quit", verified=True)


def next_of(world: World) -> World:
    """The venue goes on; nobody knows of the session that was."""
    after = World()
    after.cash, after.held, after.trades = world.cash, world.held, world.trades
    after.now, after.unix_offset = world.now, world.unix_offset
    return after


async def test_a_restart_in_the_middle_of_the_day_changes_no_figure_of_it(tmp_path: Path) -> None:
    """What was held at midnight, traded since and marked now tells the same day to the session that comes next."""
    world = World(yes=300)
    world.unix_offset += DAY // 2 - 30
    async with Kept(tmp_path / "mm_state.db", world) as first:
        world.settled(first.told)
        world.trade(world.order("ask", 50, 48), 50, "yesterday", "confirmed")
        await first.run(60)
        world.trade(world.order("ask", 40, 49), 40, "today", "confirmed")
        world.trade(world.order("bid", 10, 44), 10, "also today", "confirmed")
        await first.run(10)
        before = view_of(world)
    assert_adds_up(before)
    assert before.account.day_realised and before.markets[0].day
    after = next_of(world)
    async with Kept(tmp_path / "mm_state.db", after) as second:
        assert second.told.day_opening is not None and dict(second.told.day_marks).keys() == {MARKET}
        after.settled(second.told)
        now = view_of(after)
    assert_adds_up(now)
    assert now.account.day_realised == before.account.day_realised
    assert now.account.day_profit == before.account.day_profit
    assert now.markets[0].day == before.markets[0].day


async def test_a_day_whose_first_mark_is_missing_is_not_known_after_a_restart(tmp_path: Path) -> None:
    """Never a number that is measured against another moment than the day's profit is."""
    world = World(yes=300)
    async with Kept(tmp_path / "mm_state.db", world) as first:
        world.settled(first.told)
        world.trade(world.order("ask", 50, 48), 50, "t", "confirmed")
        await first.run(70)
    with closing(sqlite3.connect(tmp_path / "mm_state.db")) as db:
        db.execute("DELETE FROM equity WHERE id = (SELECT MIN(id) FROM equity)")
        db.commit()
    after = next_of(world)
    async with Kept(tmp_path / "mm_state.db", after) as second:
        assert second.told.equity is not None and second.told.day_opening is None
        after.settled(second.told)
        now = view_of(after)
    assert (now.account.day_realised, now.account.day_unrealised, now.markets[0].day) == (None, None, None)
    assert now.account.day_profit != 0
