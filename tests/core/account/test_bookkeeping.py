"""The account's book over sessions: how it begins, what no restart may change, what is told and booked all the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.account.bookkeeping import OPENING
from core.actions import Action, Book, Marked, Note, ReadPayouts
from core.events import ActivityRow, FillSeen, KnownFill, KnownOrder, PayoutSeen, Recovered
from core.orders.order import TERMINAL, Order
from core.portfolio.entries import Booking, Buy, EquityMark, Flow, Found, Income, Redeem, Sell, fill_key
from core.units import MICRO, Shares, Usd
from tests.builders import DAY, MARKET, NO, NOON, YES, laws, notes, shares, usd
from tests.core.account.test_reconciliation import OTHER, World, a_book, findings, known_order

FAIR = usd(0.46)
"""Of the still book that these tests are played in."""


class Account(World):
    """A world whose sessions follow each other on one account; what a session told its journal is known to the next."""

    def __init__(self, **over: Any) -> None:
        super().__init__(**({"adopt_orders": True, "adopt_shares": True} | over))
        self.over = over
        self.known: list[Order] = []
        """Orders of all sessions."""
        self.written: list[Booking] = []
        self.marked: EquityMark | None = None

    def send(self, event: Any) -> list[Action]:
        actions = super().send(event)
        for action in actions:
            if isinstance(action, Book):
                self.written.append(action.booking)
            elif isinstance(action, Marked):
                self.marked = action.mark
        return actions

    def journal(self) -> Recovered:
        """What the database would say now."""
        fills = [known for known in self.engine.orders.book.all() if known.word.settlement != "failed"]
        rows = [
            Booking(
                known.seq, known.fill.market, fill_key(*known.fill.key), NOON,
                (Buy if known.fill.order_side == "BUY" else Sell)(
                    known.fill.outcome, known.fill.size, known.fill.usd
                ),
                "fill", is_final=known.word.settlement == "confirmed",
            )
            for known in fills
        ]  # fmt: skip
        orders = [order for order in self.known if self.engine.orders.find(order.order_id) is not None]
        numbers = {order.order_id: order.intent for order in orders}
        return Recovered(
            orders=tuple(map(self._row, orders)),
            fills=tuple([KnownFill(known.word, numbers[known.fill.order_id]) for known in fills]),
            bookings=tuple(sorted([*self.written, *rows], key=lambda line: line.seq)),
            equity=self.marked,
            marks=tuple(self.engine.books._marks.items()),
            next_intent=1 + max([order.intent for order in orders], default=0),
            next_seq=self.engine.books.portfolio.next_seq,
            read_until_unix=self.ours.read_until_unix,
        )

    def _row(self, order: Order) -> KnownOrder:
        told = self.engine.orders.find(order.order_id) or order
        same = ("intent", "order_id", "market", "token", "outcome", "order_side", "usd", "size", "filled", "matched")
        facts = {name: getattr(told, name) for name in (*same, "side", "layer", "reason")}
        return KnownOrder(tick_text="0.01", state=told.state.value, created_unix=self.unix - 60, **facts)

    def restarted(self) -> "Account":
        """The session dies; another one begins on the same account a moment later."""
        after = Account(**self.over)
        after.now, after.unix_offset = self.now, self.unix_offset
        after.cash, after.held, after.listed, after.trades = self.cash, self.held, self.listed, self.trades
        after.activity, after.index, after.mined = self.activity, self.index, self.mined
        after.known, after.written, after.marked = self.known, self.written, self.marked
        after.settled(self.journal())
        after.known = [after.engine.orders.find(order.order_id) or order for order in self.known]
        return after

    def state(self) -> dict[str, Any]:
        """Everything that a restart may not change."""
        books, day = self.engine.books, self.engine.account.day
        portfolio = books.portfolio
        return {
            "cash": portfolio.cash, "flows": portfolio.flows, "realised": portfolio.realised,
            "income": portfolio.income, "fees": portfolio.fees, "opening": day.opening, "day": day.day,
            "day flows": day.flows, "latch": day.is_latched, "bankroll": self.engine.account.bankroll,
            "peak": books.drawdown.peak, "trouble": books.trouble,
            "held": {
                market: (held.inventory, held.settled_yes, held.settled_no, held.provisional, held.ledger.yes.cost,
                         held.ledger.no.cost, held.payout, held.fills, held.bought, held.sold)
                for market, held in portfolio.positions.items()
            },
        }  # fmt: skip


def entries(actions: list[Action], kind: type) -> list[Any]:
    lines = [action.booking for action in actions if isinstance(action, Book)]
    return [line for line in lines if isinstance(line.entry, kind)]


def profit(world: World) -> int:
    """Of all time, micro-dollars, at fair values."""
    portfolio = world.engine.books.portfolio
    return (portfolio.cash + portfolio.value(world.engine.books._marks) - portfolio.flows) // MICRO


def traded(world: Account, side: str, size: float, trade: str, tick: int = 40, word: str = "confirmed") -> Order:
    order = world.order(side, size, tick)
    world.known.append(order)
    world.trade(order, size, trade, word)
    return order


# How a book begins, and goes on


def test_the_first_balance_opens_the_book_and_a_later_session_does_not() -> None:
    world = Account(cash=750).settled()
    [opening] = entries(world.actions, Flow)
    assert (opening.key, opening.source, opening.entry.amount, opening.seq) == (OPENING, "start", usd(750), 1)
    after = world.restarted()
    assert entries(after.actions, Flow) == [] and after.engine.books.cash == usd(750)


def test_the_opening_of_an_account_with_lines_of_before_is_what_they_leave_unexplained() -> None:
    """Files of an older schema have fills and no opening."""
    world = Account(cash=958, yes=10)
    world.settled(Recovered(bookings=a_book(("t o", Buy("YES", shares(10), usd(0.4))))))
    [opening] = entries(world.actions, Flow)
    assert (opening.entry.amount, world.engine.books.cash) == (usd(962), usd(958))


def test_profit_average_peak_and_day_go_on_without_a_jump() -> None:
    world = Account(yes=40).settled()
    traded(world, "bid", 20, "a", tick=30)
    world.run(5)
    traded(world, "ask", 10, "b", tick=60)
    world.run(5)
    before, earned = world.state(), profit(world)
    assert earned > 0 and before["realised"] > 0
    after = world.restarted()
    assert after.state() == before and profit(after) == earned
    marks = [action.mark for action in after.actions if isinstance(action, Marked)]
    assert {mark.equity - mark.flows for mark in marks} == {earned}
    assert {(mark.day_equity, mark.peak) for mark in marks} == {(world.marked.day_equity, world.marked.peak)}


def test_the_day_s_loss_limit_stays_reached_over_a_restart_until_the_day_ends() -> None:
    mark = EquityMark(
        unix=NOON - 60, seq=2, cash=usd(900), equity=usd(900), conservative=usd(900), realised=Usd(0),
        unrealised=Usd(0), fees=Usd(0), income=Usd(0), flows=usd(1_000), peak=usd(25), day=NOON // DAY,
        day_equity=usd(1_000), day_flows=Usd(0), bankroll=usd(880), is_latched=True,
    )  # fmt: skip
    world = Account(cash=900).settled(Recovered(bookings=a_book((OPENING, Flow(usd(900)))), equity=mark))
    world.run(5)
    account = world.engine.account
    assert (account.is_latched, account.bankroll, account.day.opening) == (True, usd(880), usd(1_000))
    assert world.engine.books.drawdown.peak == usd(25)
    world.unix_offset += DAY / 2
    world.run(5)
    assert (account.is_latched, account.bankroll, account.day.opening) == (False, usd(900), usd(900))


def test_what_is_held_in_a_market_that_is_not_made_now_stands_at_its_last_fair_value() -> None:
    lines = a_book((OPENING, Flow(usd(1_000))))
    elsewhere = Booking(2, OTHER, "t o", NOON - 60, Buy("YES", shares(50), usd(0.4)), "fill")
    world = Account(cash=980).settled(Recovered(bookings=(*lines, elsewhere), marks=((OTHER, usd(0.6)),)))
    assert (world.engine.account.equity, profit(world)) == (usd(1_010), usd(10))


def test_shares_that_came_between_two_sessions_are_not_adopted() -> None:
    """A market of which the journal has a line is not seen for the first time."""
    world = Account(cash=996, yes=30)
    world.settled(Recovered(bookings=a_book((OPENING, Flow(usd(1_000))), ("t o", Buy("YES", shares(10), usd(0.4))))))
    assert [found.code for found in findings(world.run(100))] == ["foreign_shares"]
    assert entries(world.actions, Found) == [] and world.desk.inventory.yes == shares(10)


def test_a_line_told_twice_by_the_journal_is_left_out_and_told() -> None:
    line = a_book((OPENING, Flow(usd(1_000))))[0]
    world = Account().settled(Recovered(bookings=(line, line)))
    assert [found.code for found in findings(world.actions)] == ["journal_line"]
    assert world.engine.books.cash == usd(1_000)


def test_the_day_s_limit_is_written_down_in_the_second_in_which_it_is_reached() -> None:
    """A session that dies right after it forgives nothing."""
    world = Account(yes=2_000).settled()
    world.run(70)
    book = world.books[0]
    book.bids, book.asks = {20: 500}, {22: 500}
    book.ms += 5
    world.send(book.book("YES"))
    world.send(book.book("NO"))
    for _ in range(40):
        world.run(1)
        assert world.marked is not None and world.marked.is_latched == world.engine.account.is_latched
    assert world.engine.account.is_latched


COURSE = st.lists(
    st.tuples(
        st.sampled_from(
            ["bid", "ask", "matched", "mined", "confirmed", "failed", "again", "reward", "flow", "restart"]
        ),
        st.integers(1, 20),
        st.integers(0, 9),
        st.sampled_from([0.25, 3.0, 20.0]),
    ),
    max_size=16,
)
STEPS = {"matched": 0, "mined": 1, "confirmed": 2, "failed": 2}


def played(course: list[tuple[str, int, int, float]], restarts: bool) -> Account:
    """What an account has become; with ``restarts``, sessions die on the way."""
    world = Account(yes=200).settled()
    for kind, size, which, pause in course:
        trades = list(world.trades.items())
        if kind in ("bid", "ask"):
            world.known.append(world.order(kind, 20, tick=30 if kind == "bid" else 60))
        elif kind == "matched" and world.known:
            order = world.known[which % len(world.known)]
            if order.order_id in world.listed:
                world.trade(order, min(size, order.remaining / MICRO))
        elif kind == "again" and trades:
            world.send(trades[which % len(trades)][1])
        elif kind == "reward":
            world.cash = Usd(world.cash + usd(size))
            world.activity.append(ActivityRow("reward", f"0x{len(world.activity)}", world.unix, usd=usd(size)))
        elif kind == "flow":
            world.cash = Usd(world.cash + usd(3.25 * size))
        elif kind == "restart":
            world = world.restarted() if restarts else world
            world.run(0 if restarts else 3)
        elif kind in STEPS and trades:
            (trade, order_id), word = trades[which % len(trades)]
            order = next(one for one in world.known if one.order_id == order_id)
            if STEPS[word.settlement] < STEPS[kind] and not (kind == "failed" and word.settlement == "mined"):
                world.trade(order, word.size / MICRO, trade, kind)
        world.run(pause)
    world.run(700)
    return world


@laws(40)
@given(COURSE)
def test_sessions_that_die_at_any_moment_leave_the_book_of_one_that_did_not(
    course: list[tuple[str, int, int, float]],
) -> None:
    """Whatever is filled, fails, is told again or paid meanwhile: cash, holdings, profit and the day are the same."""
    one, many = played(course, restarts=False), played(course, restarts=True)
    assert many.state() == one.state()
    assert many.engine.books.cash == many.cash or many.engine.orders.book.open()


# What waits, and what gets its name


def test_adopted_shares_wait_for_a_price_and_then_make_no_profit() -> None:
    world = Account(yes=40)
    world.rest_answers = False
    world.command("pause_all")
    world.send(Recovered())
    world.feeds()
    world.run(120)
    assert findings(world.actions) == [], "they are expected on the account all the same"
    assert entries(world.actions, Found) == [] and world.engine.books.unpriced == {MARKET: {"YES": shares(40)}}
    assert world.engine.account.bankroll is None, "an account of which a part has no price yet is not valued"
    world.rest_answers = True
    world.send(world.books[0].book("YES"))
    world.send(world.books[0].book("NO"))
    world.run(5)
    [found] = entries(world.actions, Found)
    assert found.entry == Found("YES", shares(40), FAIR)
    assert (profit(world), world.engine.books.unpriced, world.engine.account.day.flows) == (0, {}, Usd(0))
    assert world.engine.account.bankroll is not None


def test_a_reward_is_income_and_no_deposit() -> None:
    world = Account().settled()
    world.activity.append(ActivityRow("reward", "0xdead", world.unix, usd=usd(2.5)))
    world.cash = Usd(world.cash + usd(2.5))
    actions = world.run(200)
    [line] = entries(actions, Income)
    assert (line.entry.amount, line.entry.of, line.source) == (usd(2.5), "reward", "index")
    assert findings(actions) == [] and profit(world) == usd(2.5)
    assert world.engine.account.day.flows == 0, "earned today"
    assert "a liquidity reward was paid" in notes(actions)


def test_a_reward_that_the_index_knows_late_was_a_flow_until_then() -> None:
    world = Account().settled()
    world.cash = Usd(world.cash + usd(2.5))
    world.run(120)
    assert profit(world) == 0 and world.engine.account.day.flows == usd(2.5)
    after = world.restarted()
    after.activity.append(ActivityRow("reward", "0xdead", world.unix - 30, usd=usd(2.5)))
    after.run(200)
    assert profit(after) == usd(2.5) and after.engine.books.cash == after.cash
    assert after.engine.account.day.flows == 0
    assert after.restarted().state() == after.state(), "named once"


def test_a_withdrawal_that_the_chain_shows_too_is_taken_off_soon() -> None:
    world = Account().settled()
    world.cash = Usd(world.cash - usd(100))
    assert [found.code for found in findings(world.run(100))] == ["cash_flow"]
    assert (world.engine.books.cash, profit(world)) == (usd(900), 0)


def test_a_balance_that_lacks_cash_alone_is_not_believed_for_minutes_and_the_cash_not_spent() -> None:
    world = Account().settled()
    world.mined = (world.cash, dict(world.held))
    world.cash = Usd(world.cash - usd(100))
    world.run(200)
    assert (world.engine.books.cash, world.ours.balances.short) == (usd(1_000), usd(100))


def test_cash_that_only_a_stale_balance_shows_is_no_deposit() -> None:
    """After a split the venue's cache may show the old cash for minutes; the chain says that it is gone."""
    world = Account().settled()
    world.mined = (world.cash, dict(world.held))
    world.cash = Usd(world.cash + usd(100))
    world.run(200)
    assert (world.engine.books.cash, world.engine.account.day.flows) == (usd(1_000), 0)


# Resolutions


def held(world: Account, yes: float, no: float) -> None:
    """So much of both tokens, bought at 40 and 50 cents."""
    traded(world, "bid", yes, "y", tick=40)
    order = world.order("ask", no, tick=50, outcome="NO")
    world.known.append(order)
    world.trade(order, no, "n", "confirmed")


@pytest.mark.parametrize(("payout", "claims"), [(0.0, 10.0), (1.0, 30.0), (0.5, 20.0)])
def test_a_resolution_turns_holdings_into_claims_and_says_their_profit(payout: float, claims: float) -> None:
    world = Account().settled()
    held(world, 30, 10)
    cash = world.engine.books.cash
    actions = world.send(PayoutSeen(MARKET, usd(payout), "chain"))
    ledger = world.desk.position.ledger
    assert (ledger.yes.shares, ledger.no.shares) == (shares(30), shares(10)), "theirs until they are redeemed"
    assert (world.engine.books.cash, ledger.unrealised(FAIR)) == (cash, 0)
    assert ledger.realised == usd(claims - 30 * 0.4 - 10 * 0.5) * MICRO
    assert world.send(PayoutSeen(MARKET, usd(payout), "catalogue")) == [], "told again"
    traded(world, "bid", 5, "late", tick=40)
    assert ledger.realised == usd(claims - 30 * 0.4 - 10 * 0.5 + 5 * (payout - 0.4)) * MICRO, "a fill told late"
    assert "resolved: YES pays" in notes(actions) and world.engine.facts(world.desk, world.now).resolved
    world.run(2)
    assert world.restarted().state() == world.state()


def test_the_redeemer_of_the_venue_is_recognised() -> None:
    """Claims become cash without an act of ours (polymarket-api.md 11)."""
    world = Account().settled()
    held(world, 30, 10)
    world.send(PayoutSeen(MARKET, usd(1), "chain"))
    world.run(5)
    earned = profit(world)
    world.activity.append(ActivityRow("redeem", "0xauto", world.unix, MARKET, size=shares(40), usd=usd(30)))
    world.cash, world.held[YES], world.held[NO] = Usd(world.cash + usd(30)), Shares(0), Shares(0)
    actions = world.run(200)
    assert sum(line.entry.amount for line in entries(actions, Redeem)) == usd(30)
    assert (world.desk.inventory.yes, world.desk.inventory.no) == (0, 0)
    assert (profit(world), world.engine.books.cash) == (earned, world.cash)
    assert [one for one in findings(actions) if one.severity == "alarm"] == []


@pytest.mark.parametrize("price", [-1, MICRO + 1])
def test_a_payout_that_cannot_be_closes_its_market_and_is_not_booked(price: int) -> None:
    world = Account().settled()
    held(world, 30, 10)
    [found] = findings(world.send(PayoutSeen(MARKET, Usd(price))))
    assert (found.code, found.effect, found.market) == ("payout", "quarantine", MARKET)
    assert world.desk.position.payout is None
    assert world.send(PayoutSeen(MARKET, Usd(price))) == [], "told once"


def test_a_payout_that_contradicts_the_one_booked_is_told_and_changes_nothing() -> None:
    world = Account().settled()
    held(world, 30, 10)
    world.send(PayoutSeen(MARKET, usd(1), "catalogue"))
    before = world.state()
    [found] = findings(world.send(PayoutSeen(MARKET, usd(0), "chain")))
    assert (found.code, found.ours, found.venue) == ("payout", "1", "0")
    assert world.state() == before and world.send(PayoutSeen(MARKET, usd(0), "chain")) == []


# What cannot be, and is booked


def test_a_fill_in_a_market_that_is_not_made_now_is_booked_and_told() -> None:
    lines = a_book((OPENING, Flow(usd(1_000))))
    elsewhere = known_order(market=OTHER, token="77", state="MATCHED", matched=shares(50))
    world = Account()
    world.command("pause_all")
    world.begin(Recovered(orders=(elsewhere,), bookings=lines, next_intent=8))
    world.run(1)
    told = FillSeen("t", "old-7", shares(50), "confirmed", world.unix - 5, market=OTHER, token="77", source="read")
    actions = world.send(told)
    assert world.engine.books.portfolio.positions[OTHER].inventory.yes == shares(50)
    assert world.engine.books.cash == usd(980)
    assert "in a market that is not made now" in notes([one for one in actions if isinstance(one, Note)])
    world.cash = usd(980)
    asked = [one for one in world.run(70) if isinstance(one, ReadPayouts)]
    assert asked and asked[0].markets == (OTHER,), "it may pay out"


def test_a_sale_beyond_what_is_held_is_booked_short_and_told() -> None:
    world = Account().settled()
    order = world.order("ask", 20, 60)
    world.known.append(order)
    found = findings(world.trade(order, 20, "t", "confirmed"))
    assert [(one.code, one.severity, one.subject) for one in found] == [("impossible_entry", "alarm", "t")]
    assert (world.desk.inventory.yes, world.engine.books.cash) == (-shares(20), usd(1_012))
    assert world.engine.books.trouble == "", "it adds up"
    traded(world, "bid", 20, "late", tick=40)
    assert world.desk.inventory.yes == 0 and world.engine.books.portfolio.realised == usd(4) * MICRO


def test_books_that_do_not_add_up_stop_new_risk_and_are_told_once() -> None:
    world = Account(yes=10).settled()
    ledger = world.desk.position.books.average
    ledger.cash += 1
    traded(world, "bid", 20, "a")
    traded(world, "bid", 20, "b")
    [found] = findings(world.actions, "books")
    assert (found.severity, found.effect) == ("alarm", "halt")
    assert world.engine.books.trouble and world.engine._only_reduces(world.desk)
    world.run(5)
    assert all(order.state not in TERMINAL for order in world.engine.orders.at_risk(MARKET))


def test_a_market_that_pays_out_is_not_quoted_whatever_the_channel_told() -> None:
    """The channel's word on a resolution may be missed; the payout is known all the same, here or after a restart."""
    world = Account().settled()
    assert not world.engine.facts(world.desk, world.now).resolved
    world.send(PayoutSeen(MARKET, usd(1), "chain"))
    assert world.engine.facts(world.desk, world.now).resolved and not world.desk.resolved
