"""Our books against the account as it is read: cadence, what is believed, what is told, and how a session begins."""

from collections.abc import Container
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.account.balances import BELIEVED_SEC, CENT
from core.account.bookkeeping import OPENING
from core.account.reconciliation import ANSWER_SEC, CADENCE_SEC, REPEAT_SEC, UNSETTLED_ALARM_SEC, UNTOLD_SEC
from core.actions import AccountSection, Action, Book, Cancel, CancelMarket, Finding, ReadAccount
from core.events import (
    ActivityRead,
    ActivityRow,
    BalancesRead,
    CancelAnswered,
    ChainRead,
    Event,
    FeedAlive,
    FeedChanged,
    FillSeen,
    HeartbeatSeen,
    IndexedTrade,
    IndexedTradesRead,
    KnownFill,
    KnownOrder,
    ListedOrder,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    OrderSigned,
    PositionsRead,
    Recovered,
    TradesRead,
    VenueSeen,
    Woken,
)
from core.orders import manager
from core.orders.order import TERMINAL, Order, State
from core.portfolio.entries import Booking, Buy, Entry, Flow, Found, Income
from core.risk.control import Control
from core.risk.permission import UNKNOWN_LIMIT_SEC, UNSETTLED_LIMIT_SEC, why_not_quote
from core.units import MICRO, SIZE_QUANTUM, Shares, Usd, micro_text
from tests.builders import MARKET, NO, NOON, YES, Driver, VenueBook, cancelled, laws, notes, placed, shares, usd

SECTIONS: tuple[AccountSection, ...] = get_args(AccountSection)
STEP_SEC = 0.25
OTHER = "0x" + "cd" * 32
"""A market of an earlier session that is not made any more."""


class World(Driver):
    """An engine, and an account that is read: cash and shares as the chain has them, open orders, trades."""

    def __init__(self, *, cash: float = 1_000.0, yes: float = 0.0, no: float = 0.0, **over: Any) -> None:
        super().__init__(VenueBook(), **over)
        self.cash = usd(cash)
        self.held = {YES: shares(yes), NO: shares(no)}
        self.listed: dict[str, ListedOrder] = {}
        self.trades: dict[tuple[str, str], FillSeen] = {}
        self.index: dict[str, Shares] | None = None
        """Shares by the positions index; None: as held."""
        self.mined: tuple[Usd, dict[str, Shares]] | None = None
        """Cash and shares by the chain; None: as the venue's balances show."""
        self.indexed: list[IndexedTrade] = []
        self.activity: list[ActivityRow] = []
        self.answers = True
        self.broken: set[AccountSection] = set()
        """Sections that are not read whole."""
        self.asked: list[tuple[float, ReadAccount]] = []
        self._due: list[tuple[float, Event]] = []

    # The account

    def read(self, section: AccountSection, after_unix: int, asked_s: float) -> Event:
        """A section as it is now."""
        is_broken = section in self.broken
        told: dict[str, Any] = {"asked_s": asked_s, "complete": not is_broken, "problem": "a test" if is_broken else ""}
        match section:
            case "orders":
                return OpenOrdersRead(orders=tuple(self.listed.values()), **told)
            case "trades":
                trades = tuple([fill for fill in self.trades.values() if fill.unix >= after_unix])
                return TradesRead(after_unix=after_unix, fills=trades, **told)
            case "balances":
                return BalancesRead(cash=self.cash, holdings=tuple(self.held.items()), **told)
            case "positions":
                return PositionsRead(holdings=tuple((self.held if self.index is None else self.index).items()), **told)
            case "activity":
                return ActivityRead(after_unix=after_unix, rows=tuple(self.activity), **told)
            case "chain":
                shown = (self.cash, self.held) if self.mined is None else self.mined
                return ChainRead(cash=shown[0], holdings=tuple(shown[1].items()), **told)
            case _:
                return IndexedTradesRead(after_unix=after_unix, trades=tuple(self.indexed), **told)

    def rest(self, order: Order) -> None:
        """An order of ours is in the venue's list."""
        side = order.order_side
        self.listed[order.order_id] = ListedOrder(order.order_id, order.market, order.token, side, "", order.size)

    def trade(self, order: Order, size: float, trade: str = "", word: Any = "matched") -> list[Action]:
        """A trade of ours goes on: the venue knows, and the user channel tells it."""
        trade = trade or f"trade-{len(self.trades)}"
        before = self.trades.get((trade, order.order_id))
        told = FillSeen(
            trade_id=trade, order_id=order.order_id, size=shares(size), settlement=word, market=order.market,
            unix=self.unix if before is None else before.unix, token=order.token, order_side=order.order_side,
        )  # fmt: skip
        self.trades[trade, order.order_id] = replace(told, source="read")
        was_mined = before is not None and before.settlement in ("mined", "confirmed")
        if word in ("mined", "confirmed") and not was_mined:
            sign = 1 if order.order_side == "BUY" else -1
            self.held[order.token] = Shares(self.held[order.token] + sign * told.size)
            self.cash = Usd(self.cash - sign * order.usd * told.size // MICRO)
        if not before:
            row = self.listed.pop(order.order_id, None)
            if row is not None and order.filled + told.size < order.size:
                self.listed[order.order_id] = replace(row, matched=Shares(order.filled + told.size))
        return self.send(told)

    # Time

    def send(self, event: Event) -> list[Action]:
        actions = super().send(event)
        for action in actions:
            if isinstance(action, ReadAccount):
                self.asked.append((self.now, action))
                if self.answers:
                    self._due += [(self.now, self.read(s, action.after_unix, self.now)) for s in action.sections]
        return actions

    def run(self, seconds: float) -> list[Action]:
        """Let time go on in steps; what was asked at one is answered at the next."""
        begin = len(self.actions)
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += STEP_SEC
            due, self._due = self._due, []
            for _, event in due:
                self.send(event)
            while self._reads:
                asked_s, read = self._reads.pop(0)
                self.answer_read(asked_s, read.tokens)
            for feed in ("market", "user"):
                self.send(FeedAlive(feed))
            if self.engine.next_wake() <= self.now:
                self.send(Woken(self.unix))
        return self.actions[begin:]

    def begin(self, recovered: Recovered | None = None) -> list[Action]:
        """What a session does first: the time, the journal, the feeds and books."""
        begin = len(self.actions)
        self.send(Woken(self.unix))
        self.send(recovered or Recovered())
        self.feeds()
        self.send(self.books[0].book("YES"))
        self.send(self.books[0].book("NO"))
        return self.actions[begin:]

    def settled(self, recovered: Recovered | None = None) -> "World":
        """A session that has read everything; the desk is held back, and leaves the orders of the test alone."""
        self.command("pause_all")
        self.desk.pull = lambda reason, now, insists=False: []
        self.begin(recovered)
        self.run(3.0)
        assert self.books_recovering() == ""
        return self

    def order(self, side: Any = "bid", size: float = 100, tick: int = 40, outcome: Any = "YES") -> Order:
        """One order of ours that rests."""
        buys = (side == "bid") == (outcome == "YES")
        wish = self.engine.orders.place(
            self.books[0].instrument, outcome=outcome, order_side="BUY" if buys else "SELL", price=tick,  # type: ignore[arg-type]
            size=shares(size), side=side, layer=0, reason="test", now=self.now,
        )  # fmt: skip
        order = self.engine.orders.by_intent(wish.intent)
        self.engine.orders.signed(OrderSigned(intent=wish.intent, order_id=f"id-{wish.intent}"), self.now)
        self.send(OrderAnswered(intent=wish.intent, outcome="live"))
        self.rest(order)
        return order

    def lose(self, order: Order) -> None:
        """Nobody knows whether the venue has an order; its list does not."""
        order.state, order.unknown_s = State.UNKNOWN, self.now
        self.engine.orders.doubts.begin(order, self.now)
        self.listed.pop(order.order_id)

    # What is known

    @property
    def ours(self) -> Any:
        return self.engine.reconciliation

    def books_recovering(self) -> str:
        return str(self.ours.recovering())

    def blocked(self) -> str:
        """What forbids quoting, but for the operator."""
        return why_not_quote(replace(self.engine.facts(self.desk, self.now), control=Control()))

    def asked_at(self, section: AccountSection) -> list[float]:
        return [at for at, action in self.asked if section in action.sections]


def findings(actions: list[Action], code: str = "") -> list[Finding]:
    return [action for action in actions if isinstance(action, Finding) and code in ("", action.code)]


def known_order(intent: int = 7, state: str = "LIVE", **over: Any) -> KnownOrder:
    row: dict[str, Any] = {
        "intent": intent, "order_id": f"old-{intent}", "market": MARKET, "token": YES, "outcome": "YES",
        "order_side": "BUY", "tick_text": "0.01", "usd": usd(0.4), "size": shares(50), "filled": Shares(0),
        "matched": Shares(0), "side": "bid", "layer": 0, "state": state, "reason": "test",
    }  # fmt: skip
    return KnownOrder(**({"created_unix": World().unix - 600} | row | over))


def a_book(*lines: tuple[str, Entry], is_open: Container[str] = ()) -> tuple[Booking, ...]:
    """Lines of earlier sessions, (key, entry): what concerns cash is the account's, all else the market's."""
    return tuple(
        Booking(
            number, "" if isinstance(entry, Flow | Income) else MARKET, key, NOON - 600.0 + number, entry,
            "start" if key == OPENING else "fill", is_final=key not in is_open,
        )
        for number, (key, entry) in enumerate(lines, start=1)
    )  # fmt: skip


def row_of(known: KnownOrder) -> ListedOrder:
    return ListedOrder(known.order_id, known.market, known.token, known.order_side, "0.40", known.size, known.matched)


# When what is read


def test_every_section_is_read_at_its_pace() -> None:
    world = World().settled()
    begin = world.now
    world.run(700)
    for section in SECTIONS:
        times = [at for at in world.asked_at(section) if at > begin]
        pauses = [late - early for early, late in pairwise(times)]
        assert max(pauses) <= CADENCE_SEC[section] + 1.5, section
        assert section == "trades" or min(pauses) >= CADENCE_SEC[section], section


def test_unanswered_question_is_asked_again_after_the_deadline_and_not_before() -> None:
    world = World()
    world.answers = False
    world.begin()
    world.run(1)
    begin = world.now
    world.run(ANSWER_SEC * 2.5)
    times = [at for at in world.asked_at("orders") if at > begin]
    assert len(times) == 2
    assert times[0] - begin >= ANSWER_SEC - 1 and times[1] - times[0] >= ANSWER_SEC


@pytest.mark.parametrize("section", SECTIONS)
def test_incomplete_reading_is_repeated_soon_and_told_once(section: AccountSection) -> None:
    world = World().settled()
    world.broken = {section}
    actions = world.run(CADENCE_SEC[section] + 20)
    assert notes(actions).count(f"{section} of the account could not be read whole: a test") == 1
    last = world.asked_at(section)[-5:]
    assert all(late - early <= REPEAT_SEC + 1.5 for early, late in pairwise(last))
    assert section == "trades" or all(late - early >= REPEAT_SEC for early, late in pairwise(last))
    world.broken = set()
    world.run(5)
    assert section not in world.ours._problems


def test_user_channel_that_is_back_and_orders_in_doubt_have_the_lists_read_at_once() -> None:
    world = World().settled()
    world.run(4)
    for _ in range(2):
        before = len(world.asked)
        world.send(FeedChanged(feed="user", connected=True))
        world.run(1.5)
        assert {s for _, action in world.asked[before:] for s in action.sections} >= {"orders", "trades"}


def test_trades_are_read_from_the_last_complete_reading_on_and_from_open_ones() -> None:
    world = World().settled()
    order = world.order()
    world.trade(order, 10)
    matched = world.unix
    world.run(600)
    after = [action.after_unix for _, action in world.asked if "trades" in action.sections][-1]
    assert matched - 180 < after < matched, "a trade that is not final is told until it is"
    world.trade(order, 10, "trade-0", "confirmed")
    world.run(60)
    after = [action.after_unix for _, action in world.asked if action.sections == ("trades",)][-1]
    assert world.unix - 180 < after


def test_the_public_index_is_asked_for_what_it_has_had_time_to_list() -> None:
    """Together with other sections too, with which it always falls due."""
    world = World().settled()
    world.run(700)
    spans = [at + world.unix_offset - action.after_unix for at, action in world.asked if "index" in action.sections]
    assert len(spans) >= 3 and min(spans) >= 1_200


# Cash


def test_cash_is_what_was_read_once_trades_read_after_it_have_shown_no_step() -> None:
    world = World(cash=123.0).settled()
    assert world.engine.books.cash == usd(123)


def test_trade_that_settles_while_balances_are_read_has_them_read_again() -> None:
    """Nobody knows on which side of the step the balance was taken."""
    world = World()
    world.answers = False
    known = known_order(state="PARTIAL", filled=shares(10), matched=shares(10), size=shares(10))
    fill = FillSeen("t", known.order_id, shares(10), "matched", world.unix - 30, market=MARKET, token=YES)
    world.begin(Recovered(orders=(known,), fills=(KnownFill(fill, 7),), next_intent=8))
    asked = world.now
    world.now += 0.1
    world.send(BalancesRead(asked_s=asked, cash=usd(50), holdings=((YES, Shares(0)),), complete=True))
    world.now += 0.1
    mined = replace(fill, settlement="mined", source="read")
    world.send(TradesRead(asked_s=world.now, after_unix=0, fills=(mined,), complete=True))
    assert not world.engine.account.is_open
    world.answers = True
    world.trades["t", known.order_id] = mined
    world.cash, world.held[YES] = usd(46), shares(10)
    world.run(3)
    assert world.engine.books.cash == usd(46)
    assert findings(world.actions) == []


def test_trades_asked_for_before_the_balances_came_prove_nothing() -> None:
    world = World()
    world.answers = False
    world.begin()
    asked = world.now
    world.now += 1.0
    world.send(BalancesRead(asked_s=asked, cash=usd(50), complete=True))
    world.send(TradesRead(asked_s=asked, after_unix=0, complete=True))
    assert not world.engine.account.is_open


@pytest.mark.parametrize("flow", [500.0, -600.0, 0.01, -0.01])
def test_cash_that_no_trade_explains_is_a_flow_and_neither_profit_nor_loss(flow: float) -> None:
    world = World(cash=1_000).settled()
    world.run(30)
    world.cash = Usd(world.cash + usd(flow))
    actions = world.run(35)
    assert findings(actions) == [], "one reading may be of another moment"
    actions = world.run(300)
    [found] = findings(actions)
    assert (found.code, found.severity, found.ours, found.venue) == (
        "cash_flow",
        "warning",
        "1000",
        micro_text(world.cash),
    )
    assert world.engine.books.cash == world.cash
    assert not world.engine.account.is_latched, "a withdrawal is no loss"


def test_cash_that_differs_by_less_than_a_cent_is_nothing() -> None:
    world = World().settled()
    world.cash = Usd(world.cash + CENT - 1)
    assert findings(world.run(120)) == []


@pytest.mark.parametrize(("side", "outcome"), [("bid", "YES"), ("ask", "YES"), ("ask", "NO")])
@pytest.mark.parametrize("path", [("mined", "confirmed"), ("mined", "retrying", "failed"), ("failed",), ("confirmed",)])
def test_trade_on_its_way_is_no_difference_at_any_step(side: Any, outcome: Any, path: tuple[str, ...]) -> None:
    """Cash and shares move when the trade is mined; ours count earlier or later."""
    world = World(yes=50, adopt_shares=True).settled()
    order = world.order(side, 20, outcome=outcome)
    world.trade(order, 20, "t")
    world.run(65)
    for word in path:
        if word in ("retrying", "failed") and "mined" in path:  # the chain takes back what it had
            sign = 1 if order.order_side == "BUY" else -1
            if world.trades["t", order.order_id].settlement == "mined":
                world.held[order.token] = Shares(world.held[order.token] - sign * shares(20))
                world.cash = Usd(world.cash + sign * order.usd * shares(20) // MICRO)
        world.trade(order, 20, "t", word)
        world.run(65)
    assert [found.code for found in findings(world.actions)] == (["failed_trade"] if path[-1] == "failed" else [])
    held = world.desk.inventory
    assert (held.yes, held.no) == (world.held[YES], world.held[NO])
    assert world.engine.books.cash == world.cash


# Shares


def test_shares_at_the_first_sight_of_a_market_are_shown_apart() -> None:
    world = World(yes=40).settled()
    [found] = findings(world.actions)
    assert (found.code, found.severity, found.subject, found.venue) == ("foreign_shares", "info", YES, "40")
    assert (world.ours.foreign.shares, world.desk.inventory.yes) == ({YES: shares(40)}, 0)
    assert world.desk.position.settled_yes == 0, "not for sale"
    assert findings(world.run(200)) == [], "told once"


def test_shares_at_the_first_sight_of_a_market_are_ours_when_the_operator_says_so() -> None:
    world = World(yes=40, adopt_shares=True).settled()
    [found] = corrections(world.actions)
    assert (found.outcome, found.size) == ("YES", shares(40))
    assert (world.ours.foreign.shares, world.desk.inventory.yes) == ({}, shares(40))
    assert world.desk.position.settled_yes == shares(40)
    assert findings(world.run(200)) == []


def test_shares_that_come_later_are_never_ours() -> None:
    world = World(adopt_shares=True).settled()
    world.held[NO] = shares(7)
    [found] = findings(world.run(200))
    assert (found.code, found.severity) == ("foreign_shares", "warning")
    assert (world.ours.foreign.shares, world.desk.inventory.no) == ({NO: shares(7)}, 0)
    world.held[NO] = Shares(0)
    [found] = findings(world.run(200), "foreign_shares")
    assert (world.ours.foreign.shares.get(NO, 0), found.venue) == (0, "0")


def corrections(actions: list[Action]) -> list[Found]:
    """Shares that were entered, or taken off, without a trade."""
    lines = [action.booking.entry for action in actions if isinstance(action, Book)]
    return [entry for entry in lines if isinstance(entry, Found)]


def missing(actions: list[Action]) -> list[Finding]:
    return findings(actions, "missing_shares")


def test_shares_of_ours_that_are_gone_by_two_witnesses_are_taken_off_without_a_loss() -> None:
    """Balance and positions index are two caches that do not know each other; both together are believed in time."""
    world = World(yes=40, adopt_shares=True).settled()
    world.mined = (world.cash, {})
    world.held[YES] = shares(15)
    assert findings(world.run(35)) == []
    [found] = missing(world.run(65))
    assert (found.severity, found.subject, found.ours, found.venue) == ("alarm", YES, "40", "15")
    assert (world.desk.inventory.yes, "fewer shares" in world.blocked()) == (shares(40), True)
    actions = world.run(BELIEVED_SEC)
    assert [(one.outcome, one.size) for one in corrections(actions)] == [("YES", -shares(25))]
    assert (missing(actions), world.blocked()) == ([], "")
    held = world.desk.position
    assert (held.inventory.yes, held.settled_yes, held.ledger.cash) == (shares(15), shares(15), 0)


def test_shares_that_the_chain_does_not_show_either_are_taken_off_soon() -> None:
    """The chain is a witness of its own, if it was asked since the balance began to differ."""
    world = World(yes=40, adopt_shares=True).settled()
    world.held[YES] = shares(15)
    actions = world.run(95)
    assert [(one.outcome, one.size) for one in corrections(actions)] == [("YES", -shares(25))]
    assert [found.code for found in findings(actions)] == ["missing_shares"]
    assert (world.desk.inventory.yes, world.blocked()) == (shares(15), "")
    assert world.engine.books.portfolio.realised == 0, "shares that went away made no profit"


@pytest.mark.parametrize("knows", [True, False])
def test_balance_that_shows_nothing_for_long_takes_nothing_away_by_itself(knows: bool) -> None:
    """A cache of the venue has shown zero for minutes; flat is never inferred from one empty answer."""
    world = World(yes=40, adopt_shares=True).settled()
    world.run(60)
    world.index = {YES: shares(40)} if knows else {YES: shares(33)}
    world.mined = (world.cash, {YES: shares(40)} if knows else {})
    world.held[YES] = Shares(0)
    assert len(missing(world.run(600))) == 1
    assert (world.desk.inventory.yes, "fewer shares" in world.blocked()) == (shares(40), True)
    world.held[YES] = shares(40)
    assert not corrections(world.run(60))
    assert (world.desk.inventory.yes, world.ours.foreign.shares, "fewer" in world.blocked()) == (shares(40), {}, False)


def somebody_sells(world: World, size: float, trade: str = "foreign", word: Any = "confirmed") -> None:
    told = FillSeen(
        trade_id=trade, order_id="0xstranger", size=shares(size), settlement=word, unix=world.unix, market=MARKET,
        token=YES, order_side="SELL", price="0.40", source="read",
    )  # fmt: skip
    world.trades[trade, "0xstranger"] = told
    if word == "confirmed":
        world.held[YES] = Shares(world.held[YES] - told.size)


def test_shares_that_somebody_else_sold_are_taken_off_soon() -> None:
    world = World(yes=40, adopt_shares=True).settled()
    somebody_sells(world, 25)
    actions = world.run(100)
    assert [one.size for one in corrections(actions)] == [-shares(25)]
    assert (world.desk.inventory.yes, world.blocked()) == (shares(15), "")


@pytest.mark.parametrize("first", ["ours", "theirs", "failed"])
def test_a_sale_explains_what_is_missing_once(first: str) -> None:
    """Afterwards a stale balance is a stale balance again."""
    world = World(yes=40, adopt_shares=True).settled()
    if first == "theirs":
        world.held[YES] = shares(65)
        world.run(100)
        assert world.ours.foreign.shares == {YES: shares(25)}
    somebody_sells(world, 25, word="failed" if first == "failed" else "confirmed")
    world.run(100)
    before = world.desk.inventory.yes
    assert before == (shares(15) if first == "ours" else shares(40))
    world.index = dict(world.held)
    world.mined = (world.cash, dict(world.held))
    world.held[YES] = Shares(world.held[YES] - shares(10))
    actions = world.run(BELIEVED_SEC + 100)
    assert not corrections(actions) and len(missing(actions)) == 1
    assert world.desk.inventory.yes == before


def test_what_somebody_else_held_goes_before_ours() -> None:
    world = World(yes=40).settled()
    order = world.order(size=20)
    world.trade(order, 20, "t", "confirmed")
    world.held[YES] = shares(25)
    found = findings(world.run(200))
    assert [(one.code, one.ours, one.venue) for one in found] == [("foreign_shares", "20", "25")]
    assert (world.ours.foreign.shares[YES], world.desk.inventory.yes) == (shares(5), shares(20))
    world.held[YES] = shares(12)
    found = findings(world.run(BELIEVED_SEC + 150))
    assert [one.code for one in found if one.code != "positions_index"] == ["missing_shares"]
    assert (world.ours.foreign.shares.get(YES, 0), world.desk.inventory.yes) == (0, shares(12))


def test_shares_that_are_missing_while_nothing_of_ours_is_final_are_told_once_and_nothing_is_corrected() -> None:
    world = World().settled()
    order = world.order(size=20)
    world.trade(order, 20, "t", "mined")
    world.held[YES] = Shares(0)
    actions = world.run(300)
    assert [found.code for found in findings(actions, "missing_shares")] == ["missing_shares"]
    assert not corrections(actions)
    assert world.desk.inventory.yes == shares(20)


def test_positions_index_is_told_once_and_overrules_nothing() -> None:
    """It lags and forgets (reliability.md X31)."""
    world = World(yes=40, adopt_shares=True).settled()
    world.index = {YES: shares(3)}
    assert findings(world.run(55)) == []
    [found] = findings(world.run(600))
    assert (found.code, found.severity, found.ours, found.venue) == ("positions_index", "info", "40", "3")
    assert world.desk.inventory.yes == shares(40)
    world.index = {YES: shares(39)}
    assert len(findings(world.run(600))) == 1, "another difference is news"


# What is not ours


def a_stranger(order_id: str = "0xstranger", market: str = MARKET) -> ListedOrder:
    return ListedOrder(order_id, market, YES, "BUY", "0.41", shares(30))


def test_order_of_somebody_else_is_told_once_and_never_touched() -> None:
    world = World()
    world.listed["0xstranger"] = a_stranger()
    world.settled()
    world.run(60)
    [found] = findings(world.actions)
    assert (found.code, found.subject, "30 shares" in found.text) == ("foreign_order", "0xstranger", True)
    assert set(world.ours.foreign.orders) == {"0xstranger"}
    world.command("cancel_market")
    assert not cancelled(world.actions), "cancels are of our own orders"
    world.broken = {"orders"}
    world.listed.clear()
    world.run(15)
    assert set(world.ours.foreign.orders) == {"0xstranger"}, "an incomplete list takes nothing away"
    world.broken = set()
    world.run(15)
    assert world.ours.foreign.orders == {}


def test_trade_of_somebody_else_on_this_account_is_told_once_and_moves_no_position() -> None:
    world = World().settled()
    told = FillSeen(
        trade_id="t", order_id="0xstranger", size=shares(30), settlement="matched", unix=world.unix, market=MARKET,
        token=YES, order_side="BUY", price="0.40",
    )  # fmt: skip
    before = len(world.asked)
    actions = world.send(told) + world.send(replace(told, settlement="confirmed"))
    [found] = findings(actions)
    assert (found.code, found.subject) == ("foreign_fill", "t")
    assert world.send(replace(told, trade_id="t2", owned=False)) == [], "a stranger's trade is nobody's business"
    world.run(2)
    assert any("balances" in action.sections for _, action in world.asked[before:])
    assert (world.desk.inventory.yes, world.desk.position.fills) == (0, 0)


def test_trade_of_an_order_that_is_history_is_not_taken_for_somebody_else_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trades are read from far back when an old order is in doubt, and by then others are forgotten."""
    monkeypatch.setattr(manager, "KEPT_TERMINAL", 0)
    world = World().settled()
    order = world.order(size=20)
    world.trade(order, 20, "t")
    world.trade(order, 20, "t", "confirmed")
    world.run(200)
    assert world.engine.orders.find(order.order_id) is None, "the premise"
    for word in ("confirmed", "matched"):
        world.send(replace(world.trades["t", order.order_id], settlement=word))
    assert findings(world.actions) == [] and world.ours.foreign.fills == {}
    assert world.desk.inventory.yes == shares(20)


# Recovery


def test_shares_of_a_fill_that_is_listed_late_are_not_taken_for_somebody_else_s() -> None:
    """A market with an order of ours was seen before, though no fill of it was."""
    world = World(cash=980, yes=50)
    world.command("pause_all")
    world.begin(Recovered(orders=(known_order(state="PARTIAL"),), next_intent=8))
    world.run(10)
    late = FillSeen("t", "old-7", shares(50), "confirmed", world.unix - 20, source="read", market=MARKET, token=YES)
    world.trades["t", "old-7"] = late
    world.run(90)
    assert (world.desk.inventory.yes, world.ours.foreign.shares) == (shares(50), {})
    assert findings(world.actions, "foreign_shares") == []


def test_nothing_is_placed_before_trades_orders_leftovers_and_balances_are_known() -> None:
    world = World()
    world.answers = False
    leftover = known_order()
    actions = world.begin(Recovered(orders=(leftover,), next_intent=8))
    assert "cancelling 1 orders that an earlier session may have left" in notes(actions)
    assert [c.order_id for c in cancelled(actions) if isinstance(c, Cancel)] == ["old-7"]
    words = [world.blocked()]
    asked = world.now
    for section in ("trades", "orders"):
        world.now += 0.1
        world.send(world.read(section, 0, asked))
        words.append(world.blocked())
    world.send(CancelAnswered(order_id="old-7", outcome="cancelled"))
    world.run(2)
    world.send(world.read("balances", 0, world.now))
    words.append(world.blocked())
    assert words == [
        "recovering: trades are not read yet",
        "recovering: open orders are not listed yet",
        "recovering: 1 earlier orders are not settled yet",
        "recovering: balances are not proven yet",
    ]
    assert placed(world.actions) == []
    world.answers = True
    actions = world.run(25)
    assert world.books_recovering() == "" and {place.side for place in placed(actions)} == {"bid", "ask"}
    assert min(place.intent for place in placed(actions)) == 8


def test_trades_asked_for_before_the_journal_was_known_do_not_end_the_recovery() -> None:
    """The first wake comes before the journal: what it asks for begins two minutes ago, and not where we left off."""
    world = World()
    left_off = world.unix - 7_200
    sold = known_order(state="CANCELLED")
    late = FillSeen("t", "old-7", shares(50), "confirmed", left_off + 60, source="read", market=MARKET, token=YES)
    world.trades["t", "old-7"], world.held[YES] = late, shares(50)
    world.cash = usd(980)
    journal = Recovered(orders=(sold,), next_intent=8, read_until_unix=left_off)
    world.begin(journal)
    first = world.asked[0][1]
    assert first.after_unix > left_off, "the premise"
    world.send(TradesRead(asked_s=world.now, after_unix=first.after_unix, complete=True))
    assert world.books_recovering() == "recovering: trades are not read yet"
    world.run(3)
    assert (world.books_recovering(), world.desk.inventory.yes) == ("", shares(50))
    assert world.ours.read_until_unix > world.unix - 60
    assert findings(world.actions) == []


def test_journal_and_account_that_agree_are_taken_without_a_word() -> None:
    """The book goes on with all its lines; a fill that is not final may still fail."""
    world = World(cash=958, yes=30)
    half = known_order(state="PARTIAL", filled=shares(20), matched=shares(20))
    open_fill = FillSeen("t", "old-7", shares(20), "mined", world.unix - 30, market=MARKET, token=YES)
    world.trades["t", "old-7"] = replace(open_fill, source="read")
    world.listed["old-7"] = row_of(half)
    journal = Recovered(
        orders=(half,), fills=(KnownFill(open_fill, 7),), next_intent=8, read_until_unix=world.unix - 20,
        bookings=a_book(
            (OPENING, Flow(usd(970))), ("t0 old-6", Buy("YES", shares(10), usd(0.4))),
            ("t old-7", Buy("YES", shares(20), usd(0.4))), is_open={"t old-7"},
        ),
    )  # fmt: skip
    world.command("pause_all")
    world.begin(journal)
    world.run(2)
    position = world.desk.position
    assert (position.inventory.yes, position.settled_yes, position.provisional) == (shares(30), shares(10), shares(20))
    assert world.engine.books.cash == usd(958)
    order = world.engine.orders.by_intent(7)
    world.send(replace(open_fill, settlement="failed"))
    world.held[YES], world.cash = shares(10), usd(966)
    world.send(CancelAnswered(order_id="old-7", outcome="cancelled"))
    del world.listed["old-7"]
    world.run(130)
    assert (position.inventory.yes, world.engine.books.cash, order.state) == (shares(10), usd(966), State.CANCELLED)
    assert [found.code for found in findings(world.actions)] == ["failed_trade"]


def test_resting_orders_are_adopted_where_the_operator_says_so_and_what_is_gone_is_proven_gone() -> None:
    world = World(adopt_orders=True)
    rests, gone = known_order(7), known_order(8, side="ask", outcome="NO", token=NO, usd=usd(0.5))
    world.listed["old-7"] = row_of(rests)
    actions = world.begin(Recovered(orders=(rests, gone), next_intent=9)) + world.run(3)
    assert not cancelled(actions) and placed(actions) == []
    orders = world.engine.orders
    assert [order.order_id for order in orders.unproven()] == ["old-8"]
    for pause in (4.0, 2.5):
        world.run(pause)
        world.send(OrderSeen(order_id="old-8", status="absent", asked_s=world.now - 0.1))
    assert world.blocked().startswith("recovering: 1 earlier orders")
    assert not [cancel for cancel in cancelled(world.actions) if isinstance(cancel, Cancel)], "nothing lost its place"
    assert orders.by_intent(7).state is State.LIVE
    actions = world.run(3)
    assert orders.by_intent(8).state is State.CANCELLED
    assert world.books_recovering() == "" and placed(actions)


@pytest.mark.parametrize("is_over", [True, False])
def test_nothing_is_placed_while_adopted_orders_owe_fills_that_a_list_of_trades_lacks(is_over: bool) -> None:
    """A list may call itself complete and lack rows still (reliability.md X30)."""
    world = World(adopt_orders=True)
    half = known_order(7)
    told = FillSeen("t", "old-7", shares(30), "confirmed", world.unix - 5, source="read", market=MARKET, token=YES)
    world.held[YES], world.cash = shares(30), usd(988)
    if not is_over:
        world.listed["old-7"] = replace(row_of(half), matched=shares(30))
    world.begin(Recovered(orders=(half,), next_intent=8))
    if is_over:
        world.send(OrderSeen(order_id="old-7", status="cancelled", matched=shares(30)))
    world.run(6)
    assert world.blocked() == "recovering: 1 earlier orders are not settled yet"
    assert placed(world.actions) == []
    world.trades["t", "old-7"] = told
    world.run(35)
    assert (world.books_recovering(), world.desk.inventory.yes) == ("", shares(30))


@pytest.mark.parametrize("adopts", [True, False])
def test_leftover_in_a_market_that_is_not_made_any_more_is_cancelled(adopts: bool) -> None:
    world = World(adopt_orders=adopts)
    stray = known_order(market=OTHER, token="9" * 77)
    world.listed["old-7"] = row_of(stray)
    actions = world.begin(Recovered(orders=(stray,), next_intent=8)) + world.run(1)
    assert [c.order_id for c in cancelled(actions) if isinstance(c, Cancel)][:1] == ["old-7"]
    world.listed.clear()
    world.send(CancelAnswered(order_id="old-7", outcome="cancelled"))
    world.send(OrderSeen(order_id="old-7", status="cancelled", matched=Shares(0)))
    world.run(12)
    assert world.books_recovering() == ""


def test_fill_in_a_market_that_is_not_made_any_more_moves_nothing_here() -> None:
    world = World()
    stray = known_order(market=OTHER, token="9" * 77)
    world.begin(Recovered(orders=(stray,), next_intent=8))
    told = FillSeen("t", "old-7", shares(50), "matched", world.unix, market=OTHER)
    for word in ("matched", "mined", "failed"):
        world.send(replace(told, settlement=word))
    assert world.engine.orders.by_intent(7).filled == shares(50)
    assert world.desk.inventory.yes == 0


def outage(world: World, seconds: float = 30.0) -> None:
    world.send(VenueSeen("RESTARTING", "425"))
    world.broken = {"orders", "trades", "balances"}
    world.run(seconds)
    world.broken = set()
    world.send(VenueSeen("POST_ONLY"))


@pytest.mark.parametrize("keeps", [True, False])
def test_after_an_outage_every_order_is_shown_or_proven_gone_before_anything_new(keeps: bool) -> None:
    world = World().settled()
    order = world.order()
    outage(world)
    if not keeps:
        world.listed.clear()
    assert world.blocked().startswith("recovering")
    begin = len(world.actions)
    world.run(2)
    if keeps:
        assert (order.state, world.books_recovering()) == (State.LIVE, "")
        return
    assert world.blocked().startswith("recovering: 1 earlier orders")
    for _ in range(3):
        world.run(3)
        world.send(OrderSeen(order_id=order.order_id, status="absent", asked_s=world.now - 0.1))
    assert not placed(world.actions[begin:])
    world.run(3)
    assert (order.state, world.books_recovering()) == (State.CANCELLED, "")


def test_heartbeats_that_failed_for_long_begin_anew_when_they_are_heard_again() -> None:
    world = World().settled()
    order = world.order()
    world.send(HeartbeatSeen(acknowledged=True))
    world.run(20)
    world.send(HeartbeatSeen(acknowledged=True))
    assert world.books_recovering() == "recovering: trades are not read yet"
    assert world.engine.orders.unproven() == [order]


def test_outage_during_the_recovery_makes_no_keepsakes_of_leftovers() -> None:
    world = World()
    leftover = known_order(state="UNKNOWN")
    world.broken = {"orders", "trades", "balances"}
    world.begin(Recovered(orders=(leftover,), next_intent=8))
    outage(world)
    world.listed["old-7"] = row_of(leftover)
    actions = world.run(3)
    assert "left by an earlier session" in [c.reason for c in cancelled(actions) if isinstance(c, Cancel)]
    assert world.blocked().startswith("recovering: 1 earlier orders")


# What stays open, what fails


def test_trade_that_does_not_settle_is_told_after_ten_minutes_and_closes_its_market_after_thirty() -> None:
    """Reliability.md 2.2, X08: time is no confirmation."""
    world = World().settled()
    world.trade(world.order(), 10, "t")
    assert findings(world.run(UNSETTLED_ALARM_SEC - 5), "unsettled") == []
    [found] = findings(world.run(60), "unsettled")
    assert (found.severity, found.subject, found.venue) == ("alarm", "t", "matched")
    world.run(UNSETTLED_LIMIT_SEC - UNSETTLED_ALARM_SEC - 60)
    assert "is not final" not in world.blocked()
    assert findings(world.run(10), "unsettled") == []
    assert world.blocked() == "a trade is not final after 30 minutes"
    assert (world.desk.inventory.yes, world.desk.position.settled_yes) == (shares(10), 0)


def test_failed_trade_rests_its_market_and_the_third_within_an_hour_closes_it() -> None:
    world = World().settled()
    order = world.order()
    for number in range(3):
        world.trade(order, 10, f"t{number}")
        [found] = findings(world.trade(order, 10, f"t{number}", "failed"))
        assert (found.code, found.effect) == ("failed_trade", "quarantine" if number == 2 else "hold")
        assert world.blocked().startswith("quarantined: ")
        world.run(61)
        assert world.blocked().startswith("quarantined: 3 trades failed") == (number == 2)
    world.run(7_200)
    assert world.blocked().startswith("quarantined: 3 trades failed")
    world.command("resume")
    assert not world.blocked().startswith("quarantined")
    assert world.desk.inventory.yes == 0


def test_settlement_that_contradicts_itself_closes_its_market_and_changes_no_position() -> None:
    world = World().settled()
    order = world.order()
    world.trade(order, 10, "t", "confirmed")
    [found] = findings(world.send(replace(world.trades["t", order.order_id], settlement="failed")))
    assert (found.code, found.effect, found.severity) == ("settlement_conflict", "quarantine", "alarm")
    assert world.engine.findings.quarantine.why(MARKET, world.now + 1e9)
    assert world.desk.inventory.yes == shares(10)


def test_list_of_trades_that_calls_itself_complete_and_lacks_a_known_fill_is_not() -> None:
    """It is repeated, and what it leaves open stays open; a fill of a moment ago may not be listed yet."""
    world = World(cash=1_000)
    known = known_order(state="DONE", filled=shares(50), matched=shares(50))
    fill = FillSeen("t", "old-7", shares(50), "mined", world.unix - 30, market=MARKET, token=YES)
    failed = replace(fill, settlement="failed", source="read")
    world.command("pause_all")
    lines = a_book((OPENING, Flow(usd(1_020))), ("t old-7", Buy("YES", shares(50), usd(0.4))), is_open={"t old-7"})
    journal = Recovered(
        orders=(known,), fills=(KnownFill(fill, 7),), bookings=lines, next_intent=8, read_until_unix=world.unix - 20
    )
    world.begin(journal)
    actions = world.run(20)
    assert world.books_recovering() == "recovering: trades are not read yet"
    assert "trades of the account could not be read whole: it lacks trades that are known" in notes(actions)
    assert world.ours.read_until_unix < world.unix - 20
    world.trades["t", "old-7"] = failed
    assert [found.code for found in findings(world.run(6))] == ["failed_trade"]
    assert (world.books_recovering(), world.desk.inventory.yes) == ("", 0)
    world.trade(world.order(size=20), 20, "young")
    young = world.trades.pop(("young", "id-8"))
    world.send(FeedChanged(feed="user", connected=True))
    assert "could not be read" not in notes(world.run(2))
    world.trades["young", "id-8"] = young


def test_trade_that_only_the_user_channel_tells_is_worth_a_finding_and_counts() -> None:
    world = World().settled()
    world.trade(world.order(), 10, "t")
    world.trades.clear()
    assert findings(world.run(UNTOLD_SEC - 1)) == []
    [found] = findings(world.run(300), "unlisted_fill")
    assert (found.subject, world.desk.inventory.yes) == ("t", shares(10))


def test_match_that_the_trades_do_not_show_is_told_once_and_frees_the_order_of_long_ago() -> None:
    """Trades are read from its making on, however old it is; else nobody could ever say that it has none."""
    world = World().settled()
    order = world.order()
    world.run(600)
    world.listed.clear()
    world.send(OrderSeen(order_id=order.order_id, status="matched"))
    assert (order.state, order.remaining) == (State.MATCHED, shares(100))
    [found] = findings(world.run(150))
    assert (found.code, found.subject, found.ours, found.venue) == ("untold_fill", order.order_id, "0", "100")
    assert world.engine.orders.at_risk(MARKET) == []
    assert world.blocked() == ""


def test_order_of_unknown_outcome_is_told_with_its_evidence_and_only_an_operator_sweeps_its_market() -> None:
    """What is not ours is left alone; cancelling everything in a market is an act, and its words say what goes."""
    world = World().settled()
    order = world.order()
    world.lose(order)
    order.unknown_s = world.now
    actions = world.run(UNKNOWN_LIMIT_SEC + 60)
    [found] = findings(actions, "unknown_order")
    assert found.subject == order.order_id and "read 0 of 2" in found.text
    assert not [action for action in actions if isinstance(action, CancelMarket)]
    *_, swept, note = world.command("cancel_market")
    assert isinstance(swept, CancelMarket) and "everything this account has in the market goes" in note.text


@pytest.mark.parametrize("is_read", [True, False])
def test_order_thought_to_be_over_that_the_venue_shows_is_told_and_cancelled(is_read: bool) -> None:
    world = World().settled()
    order = world.order()
    world.send(OrderSeen(order_id=order.order_id, status="cancelled", matched=Shares(0)))
    assert order.state is State.CANCELLED
    world.run(6)
    begin = len(world.actions)
    if is_read:
        world.send(OrderSeen(order_id=order.order_id, status="live", matched=Shares(0), asked_s=world.now))
    world.run(11)
    [found] = findings(world.actions[begin:])
    assert (found.code, found.severity, found.subject) == ("undead_order", "alarm", order.order_id)
    cancels = [cancel.order_id for cancel in cancelled(world.actions[begin:]) if isinstance(cancel, Cancel)]
    assert cancels[:1] == [order.order_id] and order.state is State.CANCEL_SENT


def test_cancel_that_was_wished_while_nobody_knew_of_the_order_is_sent_when_the_list_shows_it() -> None:
    world = World().settled()
    order = world.order()
    world.lose(order)
    order.cancel_wanted = "one_sided"
    world.rest(order)
    world.run(11)
    reasons = [cancel.reason for cancel in cancelled(world.actions) if isinstance(cancel, Cancel)]
    assert "one_sided" in reasons and order.state is State.CANCEL_SENT


# Laws


TELLING = {"positions_index", "chain_balance", "venue_balance", "unseen_activity"}
"""Findings that only tell what one source says: a row that is there is true, whatever else is wanting."""
INCOMPLETE = st.lists(
    st.tuples(
        st.sampled_from(SECTIONS),
        st.lists(st.integers(0, 5), max_size=3),
        st.sampled_from([0.0, 1.0, 6.0, 40.0]),
        st.integers(0, 10**9),
    ),
    max_size=20,
)


@laws(60)
@given(INCOMPLETE)
def test_incomplete_readings_end_no_order_and_move_no_position(
    steps: list[tuple[AccountSection, list[int], float, int]],
) -> None:
    """Whatever they show or lack (I-36): only complete ones are evidence."""
    world = World(yes=30, adopt_shares=True).settled()
    orders = [world.order(tick=30 + number, size=20) for number in range(5)]
    world.engine.orders.cancel(orders[1], "test", world.now)
    world.lose(orders[2])
    world.engine.orders.venue_was_out(world.now) if len(steps) % 2 else None
    world.answers = False
    cash, apart = world.engine.books.cash, dict(world.ours.foreign.shares)
    for section, shown, pause, number in steps:
        world.run(pause)
        asked = world.now - pause / 2
        rows = tuple(ListedOrder(orders[i].order_id, MARKET) for i in shown if i < len(orders))
        told: dict[AccountSection, Event] = {
            "orders": OpenOrdersRead(asked, rows),
            "trades": TradesRead(asked, 0),
            "balances": BalancesRead(asked, Usd(number), ((YES, Shares(number)),)),
            "positions": PositionsRead(asked, ((NO, Shares(number)),)),
            "index": IndexedTradesRead(asked, 0, (IndexedTrade("0x1", YES, "BUY", Shares(number), "0.4", world.unix),)),
            "activity": ActivityRead(asked, 0, (ActivityRow("reward", "0x2", world.unix, usd=Usd(number)),)),
            "chain": ChainRead(asked, Usd(number), ((NO, Shares(number)),)),
        }
        actions = world.send(told[section])
        assert {one.code for one in findings(actions)} <= TELLING and not corrections(actions)
        assert all(order.state not in TERMINAL and order.remaining == shares(20) for order in orders)
        held = world.desk.inventory
        assert (held.yes, held.no, world.engine.books.cash) == (shares(30), 0, cash)
        assert world.ours.foreign.shares == apart


COURSE = st.lists(
    st.tuples(
        st.sampled_from(["bid", "ask", "matched", "mined", "confirmed", "failed", "again"]),
        st.integers(1, 20),
        st.integers(0, 9),
        st.sampled_from([0.25, 3.0, 20.0]),
    ),
    max_size=20,
)


@laws(40)
@given(COURSE, st.booleans())
def test_complete_readings_that_agree_with_our_books_find_nothing(
    course: list[tuple[str, int, int, float]], is_deaf: bool
) -> None:
    """However trades come and settle; with the user channel deaf everything is learned by reading."""
    world = World(yes=200, adopt_shares=True).settled()
    orders: list[Order] = []
    steps = {"matched": 0, "mined": 1, "confirmed": 2, "failed": 2}
    for kind, size, which, pause in course:
        trades = list(world.trades.items())
        if kind in ("bid", "ask"):
            orders.append(world.order(kind, 20, tick=30 if kind == "bid" else 60))
        elif kind == "matched" and orders:
            order = orders[which % len(orders)]
            if order.order_id in world.listed:
                world.trade(order, min(size, order.remaining / MICRO))
        elif kind == "again" and trades:
            world.send(replace(trades[which % len(trades)][1], source="channel"))
        elif kind in steps and trades:
            (trade, order_id), word = trades[which % len(trades)]
            order = next(one for one in orders if one.order_id == order_id)
            is_possible = steps[word.settlement] < steps[kind] and not (kind == "failed" and word.settlement == "mined")
            if is_possible:
                world.trade(order, word.size / MICRO, trade, kind)
        world.run(pause)
    world.run(200)
    assert {found.code for found in findings(world.actions)} <= {"failed_trade"}
    for (trade, order_id), word in list(world.trades.items()):
        if word.settlement in ("matched", "mined"):
            order = next(one for one in orders if one.order_id == order_id)
            world.trade(order, word.size / MICRO, trade, "confirmed")
    world.run(90)
    assert {found.code for found in findings(world.actions)} <= {"failed_trade"}
    held = world.desk.inventory
    assert (held.yes, held.no, world.engine.books.cash) == (world.held[YES], world.held[NO], world.cash)


micro = st.integers(-30 * MICRO, 30 * MICRO) | st.integers(-2 * SIZE_QUANTUM, 2 * SIZE_QUANTUM)


@laws(60)
@given(cash=micro, yes=micro, no=micro)
def test_every_difference_is_found_exactly_once(cash: int, yes: int, no: int) -> None:
    world = World(yes=40, no=35, adopt_shares=True).settled()
    world.run(35)
    begin = len(world.actions)
    world.cash = Usd(world.cash + cash)
    world.held[YES], world.held[NO] = Shares(world.held[YES] + yes), Shares(world.held[NO] + no)
    world.index = dict(world.held)
    world.run(400)
    found = [one for one in findings(world.actions[begin:]) if one.code != "positions_index"]
    expected = {"cash": abs(cash) >= CENT, YES: abs(yes) >= SIZE_QUANTUM, NO: abs(no) >= SIZE_QUANTUM}
    assert sorted(one.subject for one in found) == sorted(what for what, is_found in expected.items() if is_found)
    codes = {one.subject: one.code for one in found}
    for token, difference in ((YES, yes), (NO, no)):
        assert codes.get(token, "") in ("", "missing_shares" if difference < 0 else "foreign_shares")
    assert abs(world.engine.books.cash - world.cash) < CENT
