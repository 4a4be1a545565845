"""Our books against the venue's: what to read and when, what to believe of it, and what does not fit.

Reads come as events and may be incomplete; an incomplete one proves nothing and changes nothing but what it shows.
Authority, from the highest: trades, reads of an order, the list of open orders, balances, the positions index
(reliability.md 4.4). What does not fit becomes a finding; what is not ours is shown apart and never touched.
"""

import math
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from core.account.activity import Activity, Stake
from core.account.balances import Balances, tokens_of
from core.account.bookkeeping import Bookkeeping
from core.account.cross_check import Sources
from core.account.findings import Findings
from core.account.foreign import Foreign
from core.actions import AccountSection, Action, Finding, Note, ReadAccount, ReadPayouts
from core.desk import Desk
from core.events import (
    ActivityRead,
    BalancesRead,
    ChainRead,
    FillSeen,
    IndexedTradesRead,
    OpenOrdersRead,
    PositionsRead,
    Recovered,
    TradesRead,
)
from core.jobs.jobs import Jobs
from core.orders.cross_check import cross_check
from core.orders.doubts import is_stuck
from core.orders.fills import Key, TrackedFill
from core.orders.manager import OrderManager
from core.orders.order import IN_BOOK, TERMINAL, Order, State
from core.portfolio.account import Account
from core.risk.permission import UNKNOWN_LIMIT_SEC
from core.units import Shares, micro_text

CADENCE_SEC: Final[dict[AccountSection, float]] = {
    "orders": 10.0,
    "trades": 15.0,
    "balances": 30.0,
    "positions": 60.0,
    "index": 300.0,
    "activity": 120.0,
    "chain": 60.0,
}
"""Time between reads of each section (reliability.md 4.4); the index of trades is cached that long by the venue."""
ACTIVITY_SEC: Final = 172_800.0
"""How far back the index of activity is asked: it has been hours behind."""
INDEX_LAG_SEC: Final = 600.0
"""What settled later than this ago may not be in the index yet."""
ANSWER_SEC: Final = 20.0
"""A read that is not answered by then is asked for again."""
HURRY_SEC: Final = 0.25
"""Least time between two reads of one section."""
REPEAT_SEC: Final = 2.0
"""After an incomplete reading the next one waits so long."""
OVERLAP_SEC: Final = 120.0
"""Trades are read again from so long before the last reading."""
LISTED_SEC: Final = 10.0
"""A list of trades may not have a fill yet that was told within so long before it was asked for."""
UNTOLD_SEC: Final = 60.0
"""A fill that only one source tells after this is worth a finding."""
UNSETTLED_ALARM_SEC: Final = 600.0
"""A trade that is not final by then is worth an alarm (reliability.md 2.2, X08)."""


AccountReading = (
    OpenOrdersRead | TradesRead | BalancesRead | PositionsRead | IndexedTradesRead | ActivityRead | ChainRead
)


class Reconciliation:
    """What is known of the account besides what the user channel tells."""

    def __init__(
        self,
        desks: dict[str, Desk],
        orders: OrderManager,
        account: Account,
        books: Bookkeeping,
        findings: Findings,
        jobs: Jobs,
        *,
        adopts_orders: bool,
        adopts_shares: bool,
    ) -> None:
        """Nothing has been read.

        Args:
            desks: of the session.
            orders: of the session.
            account: of the session; opened here unless somebody tells what it holds.
            books: of the session.
            findings: of the session.
            jobs: of the session.
            adopts_orders: orders of an earlier session stay in the book if they still rest; else they are cancelled.
            adopts_shares: what is held in a market at its first sight is the maker's; else it is shown apart.
        """
        self._desks = desks
        self._orders = orders
        self._account = account
        self._books = books
        self._findings = findings
        self._jobs = jobs
        self.sources = Sources()
        self._activity = Activity(books.portfolio.has, jobs.is_ours, self._stake)
        self.foreign = Foreign()
        self.readings: dict[tuple[AccountSection, bool], int] = {}
        """Readings so far, by section and whether they were complete."""
        self.read_until_unix = 0.0
        """The account's trades are known completely up to here, seconds; 0 before the first complete reading."""
        self.is_recovering = False
        """What an earlier session left, or what the venue did while it was out, is not settled yet."""
        self._keeps_orders = adopts_orders
        self._wished: dict[AccountSection, str] = {}
        """Why each is to be read."""
        self._paused_s: dict[AccountSection, float] = {}
        """Until when a section is not read again because its last reading was not complete."""
        self._asked_s: dict[AccountSection, float] = {}
        self._answered_s: dict[AccountSection, float] = {}
        self._began_s = -math.inf
        """What was asked for before says nothing about what is being recovered from."""
        self.balances = Balances(
            desks,
            orders,
            account,
            books,
            self.foreign,
            self.sources,
            self._activity,
            adopts_shares,
            self._is_busy,
        )
        self._index_differs: dict[str, int] = {}
        """Transactions of which the public index last told another sum, and by how much."""
        self._missed: dict[Key, float] = {}
        """Fills that lists of trades lack, and since when."""
        self._completed: set[AccountSection] = set()
        """Sections that were read completely since the start."""
        self._problems: set[AccountSection] = set()
        """Sections of which the last reading could not be read whole."""
        self._blind: set[str] = set()
        """Ids of orders of which a trade cannot be read: their markets are closed, and recovery skips them."""

    def add(self, desk: Desk, now: float) -> None:
        """A market is made from now on: what the account has there is read before anything is placed.

        Where it was told at once (:class:`core.events.AccountSeen`) and nobody reads it, there is nothing to wait for.
        """
        if self._account.is_open and not self.balances.is_read:
            return
        self.balances.unseen[desk.market] = now
        if self._account.is_open:
            self.wish(("orders", "trades", "balances"), "a market is made from now on")

    def remove(self, desk: Desk) -> None:
        """A market is made no longer."""
        self.balances.remove(desk)

    # What to read

    def wish(self, sections: Iterable[AccountSection], reason: str) -> None:
        """Read these sections as soon as may be: after an answer under way, and not at once after an incomplete one."""
        for section in sections:
            self._wished.setdefault(section, reason)

    @property
    def due_s(self) -> float:
        """When the next wished reading is due; infinity when none is wished."""
        return max(0.0, min((self._at_s(section) for section in self._wished), default=math.inf))

    def _at_s(self, section: AccountSection) -> float:
        """When a section is to be read next."""
        asked = self._asked_s.get(section, -math.inf)
        if self._answered_s.get(section, -math.inf) < asked:
            return asked + ANSWER_SEC
        if section in self._wished:
            return max(asked + HURRY_SEC, self._paused_s.get(section, -math.inf))
        return asked + CADENCE_SEC[section]

    def ask(self, now: float, unix: float) -> list[Action]:
        """The reads that are due."""
        if self._orders.doubts.wants_lists():
            lists: tuple[AccountSection, ...] = ("orders", "trades")
            old = [section for section in lists if now - self._asked_s.get(section, -math.inf) >= REPEAT_SEC]
            self.wish(old, "an order is in doubt")
        due = [section for section in CADENCE_SEC if self._at_s(section) <= now]
        if not due:
            return []
        reason = next((self._wished[section] for section in due if section in self._wished), "cadence")
        for section in due:
            self._asked_s[section] = now
            self._wished.pop(section, None)
        if "balances" in due:
            self.balances.asked(now)
        since = self.trades_from(now, unix)
        begins = {"index": min(since, int(unix - 2 * CADENCE_SEC["index"] - INDEX_LAG_SEC))}
        begins["activity"] = int(max(self._books.begun_unix, unix - ACTIVITY_SEC))
        actions: list[Action] = []
        for begin in dict.fromkeys(begins.get(section, since) for section in due):
            sections = tuple(section for section in due if begins.get(section, since) == begin)
            actions.append(ReadAccount(sections=sections, reason=reason, after_unix=begin))
        return actions

    def trades_from(self, now: float, unix: float) -> int:
        """From when on trades are of interest, unix seconds: last reading, orders in doubt, trades not final."""
        begins = [self.read_until_unix or unix]
        begins += [known.fill.unix for known in self._orders.book.open() if known.fill.unix > 0]
        begins += [unix - (now - order.created_s) for order in self._orders.unproven()]
        return max(0, int(min(begins) - OVERLAP_SEC))

    # What the journal says

    def recover(self, event: Recovered, now: float, unix: float) -> list[Action]:
        """Begin where the journal ends: nothing is quoted until :attr:`is_recovering` ends.

        What was asked for before did not know from when on, so everything is asked for again.
        """
        self.is_recovering = True
        self._asked_s.clear()
        self.read_until_unix = event.read_until_unix
        self._findings.quarantine.restore(event.closures, event.failures, now, unix)
        grids = {market: desk.instrument.grid for market, desk in self._desks.items()}
        self._orders.recover(event, now, unix, grids)
        actions = self._books.restore(event, unix)
        for booking in event.bookings:
            self._activity.booked(booking)
        known_markets = self.balances.known_markets
        known_markets.update(booking.market for booking in event.bookings)
        known_markets.update(order.market for order in event.orders)
        self.wish(CADENCE_SEC, "start")
        left = sum(1 for _ in self._orders.all_at_risk())
        if not left:
            return actions
        what = "adopting" if self._keeps_orders else "cancelling"
        return [*actions, Note("warning", "", f"{what} {left} orders that an earlier session may have left")]

    def leftovers(self) -> list[Order]:
        """Orders of an earlier session that are to be cancelled now; in a market that is not made any more, always."""
        is_for_all = self.is_recovering and not self._keeps_orders
        return [
            order
            for order in self._orders.all_at_risk()
            if (is_for_all or order.market not in self._desks)
            and (order.state in IN_BOOK or order.state is State.DELAYED)
        ]

    def start_over(self, now: float, reason: str) -> None:
        """The venue was out, or may have cancelled everything: of no order it is known any more that it rests."""
        self._keeps_orders = self._keeps_orders or not self.is_recovering  # leftovers stay leftovers
        self.is_recovering = True
        self.read_gap(now)
        self._orders.venue_was_out(now)
        self.wish(("orders", "trades", "balances"), reason)

    def read_gap(self, now: float) -> None:
        """Something may have happened unheard: nothing new is placed before orders and trades are read anew."""
        if not self.is_recovering:
            self.is_recovering = self._keeps_orders = True
        self._began_s = now
        self._completed -= {"orders", "trades"}

    @property
    def has_gap(self) -> bool:
        """Orders and trades were not both read since something may have happened unheard."""
        return self.is_recovering and not self._completed >= {"orders", "trades"}

    def recovering(self) -> str:
        """Why nothing is quoted yet, in words; "" when everything is settled, and from then on."""
        if not self.is_recovering:
            return ""
        if "trades" not in self._completed:
            return "recovering: trades are not read yet"
        if "orders" not in self._completed:
            return "recovering: open orders are not listed yet"
        unproven = self._orders.unproven() if self._keeps_orders else list(self._orders.all_at_risk())
        unproven = [order for order in unproven if order.order_id not in self._blind]
        if unproven:
            return f"recovering: {len(unproven)} earlier orders are not settled yet"
        return "recovering: balances are not proven yet" if not self._account.is_open else ""

    def unseen(self, market: str) -> str:
        """Why nothing is quoted yet in a market that was added, in words; "" once its shares were compared."""
        waits = self._account.is_open and market in self.balances.unseen
        return "recovering: its shares on the account are not read yet" if waits else ""

    def look(self) -> None:
        """Something may have been learned: end the recovery when nothing is left of it."""
        if self.is_recovering and not self.recovering():
            self.is_recovering = False

    # What was read

    def take_orders(self, event: OpenOrdersRead, now: float, unix: float) -> list[Action]:
        """Take a list of the account's open orders."""
        revived = [self.revived(order) for order in self._orders.listed(event, now)]
        strange = [row for row in event.orders if self._orders.find(row.order_id) is None]
        found = self._findings.tell([*revived, *self.foreign.list_orders(strange, event.complete)], unix)
        return [*found, *self._took("orders", event, now)]

    def revived(self, order: Order) -> Finding:
        """What to tell of an order that the venue has although it was thought to be over."""
        text = "the venue has an order that was thought to be over: it counts again, and is cancelled"
        place = (order.market, order.order_id)
        return Finding("undead_order", "alarm", "none", *place, text, order.detail, "open")

    def take_trades(self, event: TradesRead, now: float, unix: float) -> list[Action]:
        """Take a list of the account's trades; its fills have been booked."""
        unread, hidden = self._take_unreadable(event, now, unix)
        found, lacks = self._look_for_known(event) if event.complete else ([], False)
        found += unread
        if lacks:
            event = msgspec.structs.replace(event, complete=False, problem="it lacks trades that are known")
        actions = self._took("trades", event, now)
        if not event.complete:
            return [*actions, *self._findings.tell(found, unix)]
        if not self.read_until_unix or event.after_unix <= self.read_until_unix:
            self.read_until_unix = max(self.read_until_unix, unix - (now - event.asked_s))
        else:
            self._completed.discard("trades")
            self.wish(("trades",), "the last reading began too late")
        self.sources.take_trades(event)
        covers_s = now - (unix - event.after_unix)
        found += [
            Finding(
                code="untold_fill",
                severity="alarm",
                effect="none",
                market=order.market,
                subject=order.order_id,
                text="the venue said the order was matched, and its trades do not show it; the trades are believed",
                ours=micro_text(order.filled),
                venue=micro_text(order.size),
            )
            for order in self._orders.traded(event.asked_s, covers_s, now, hidden)
        ]
        done, differing, reads_again = self.balances.compare(event, now, unix)
        if reads_again:
            self.wish(("balances",), "trades settled while balances were read")
        if self.balances.wants_activity:
            self.wish(("activity",), "a balance shows what no trade explains")
        return [*actions, *self._findings.tell([*found, *differing], unix), *done]

    def _take_unreadable(self, event: TradesRead, now: float, unix: float) -> tuple[list[Finding], set[str]]:
        """Trades on a list that cannot be read: nobody knows what they did to the orders that they may be of.

        The markets of these orders are closed, each trade is told once. A row that does not name all its orders may be
        of any that was made before it; of these the ones wait for nothing else that only their trades could settle.

        Returns:
            What was found, and the ids of the orders at risk of which the list proves nothing.
        """
        found, hidden = list[Finding](), set[str]()
        self._blind = set()
        for row in event.unreadable:
            named = [order for order_id in row.order_ids if (order := self._orders.find(order_id)) is not None]
            made_s = now - (unix - row.unix) + LISTED_SEC if row.unix else math.inf
            others = [] if row.names_all else [o for o in self._orders.all_at_risk() if o.created_s < made_s]
            blind = [*named, *(order for order in others if _lacks_trades_only(order))]
            hidden.update(order.order_id for order in (*named, *others))
            self._blind.update(order.order_id for order in blind)
            text = f"a trade cannot be read, so nobody knows what it did: {row.problem}"
            for market in dict.fromkeys(order.market for order in blind) or ("",):
                if self._findings.is_news("unreadable_trade", f"{row.trade_id or row.problem} {market}"):
                    effect: Literal["none", "quarantine"] = "quarantine" if market else "none"
                    found.append(Finding("unreadable_trade", "alarm", effect, market, row.trade_id, text))
        return found, hidden

    def take_balances(self, event: BalancesRead, now: float) -> list[Action]:
        """Take balances; they are compared once trades have been read after them."""
        self.sources.take_balances(event)
        if self.balances.take(event, now):
            self.wish(("trades",), "balances were read")
        return self._took("balances", event, now)

    def take_positions(self, event: PositionsRead, now: float, unix: float) -> list[Action]:
        """Take the positions index: it lags, so what it says lastingly is told, and believed never by itself."""
        self.sources.take_positions(event)
        return [*self._took("positions", event, now), *self._compare_sources(now, unix)]

    def take_chain(self, event: ChainRead, now: float, unix: float) -> list[Action]:
        """Take balances of the chain itself."""
        self.sources.take_chain(event)
        return [*self._took("chain", event, now), *self._compare_sources(now, unix)]

    def take_activity(self, event: ActivityRead, now: float, unix: float) -> list[Action]:
        """Take what the public index knows beside trades: it names what balances show, and is believed never alone."""
        actions = self._took("activity", event, now)
        for line in self._activity.take(event):
            actions += self._books.name(line, unix)
        begun = self._books.begun_unix
        waiting = tuple(sorted(self._activity.waiting(begun)))
        if waiting:
            actions.append(ReadPayouts(waiting))
        return [*actions, *self._findings.tell(self._activity.unseen(begun, unix), unix)]

    def _compare_sources(self, now: float, unix: float) -> list[Action]:
        if not self._account.is_open:
            return []
        return self._findings.tell(self.sources.compare(self.balances.own(now), now), unix)

    def _is_busy(self, market: str) -> bool:
        """Whether an inventory operation is under way in a market; "" asks whether any moves cash."""
        return self._jobs.touches(market) if market else self._jobs.touches_cash

    def _stake(self, market: str) -> Stake:
        """What is held in a market, ours and not ours."""
        position, desk = self._books.portfolio.position(market), self._desks.get(market)
        held, apart = position.inventory, self.foreign.shares
        tokens = ("", "") if desk is None else (desk.instrument.yes_token, desk.instrument.no_token)
        beside = (apart.get(tokens[0], Shares(0)), apart.get(tokens[1], Shares(0)))
        return Stake(held.yes, held.no, *beside, position.payout)

    def take_index(self, event: IndexedTradesRead, now: float, unix: float) -> list[Action]:
        """Compare our fills with the public index of trades, as far as it has caught up; asked twice, it is told."""
        actions = self._took("index", event, now)
        if not event.complete:
            return actions
        fills = [known for known in self._orders.book.all() if known.fill.market in self._desks]
        ours = [_placed_word(known, self._desks) for known in fills]
        made = {token for desk in self._desks.values() for _, token in tokens_of(desk)}
        differences = cross_check(
            [*ours, *(fill for fill in self.foreign.fills.values() if fill.token in made)],
            [trade for trade in event.trades if trade.token in made],
            event.after_unix + UNTOLD_SEC,
            unix - INDEX_LAG_SEC,
        )
        before, self._index_differs = self._index_differs, {}
        found = []
        for one in differences:
            name, amount = f"{one.transaction} {one.token}", one.theirs - one.ours
            self._index_differs[name] = amount
            if before.get(name) == amount and self._findings.is_news("index_fill", name):
                text = "the public index of trades says otherwise of a transaction; asking the venue's own lists"
                said = (micro_text(one.ours), micro_text(one.theirs))
                found.append(Finding("index_fill", "warning", "none", "", one.transaction, text, *said))
        if found:
            self.wish(("trades", "balances"), "the index of trades says otherwise")
        return [*actions, *self._findings.tell(found, unix)]

    def _took(self, section: AccountSection, event: AccountReading, now: float) -> list[Action]:
        """An incomplete reading proves nothing and is repeated; the first of several is worth a line."""
        self._answered_s[section] = now
        key = (section, event.complete)
        self.readings[key] = self.readings.get(key, 0) + 1
        if event.complete:
            if event.asked_s >= self._began_s:
                self._completed.add(section)
        else:
            self.wish((section,), "the last reading was not complete")
            self._paused_s[section] = now + REPEAT_SEC
        if event.complete and not event.problem:
            self._problems.discard(section)
            return []
        is_first = section not in self._problems
        self._problems.add(section)
        return (
            [Note("warning", "", f"{section} of the account could not be read whole: {event.problem}")]
            if is_first
            else []
        )

    # What does not fit

    def check(self, now: float, unix: float) -> list[Action]:
        """Look for what has stayed open too long; once in a while."""
        found = []
        for known in self._orders.book.open():
            age = _age_s(known, now, unix)
            if age >= UNSETTLED_ALARM_SEC and self._findings.is_news("unsettled", known.fill.trade_id):
                text = f"a trade is not final after {age / 60:.0f} minutes; the shares are counted and not sold"
                fill = known.fill
                found.append(
                    Finding("unsettled", "alarm", "none", fill.market, fill.trade_id, text, "", known.word.settlement)
                )
        for order in self._orders.all_at_risk():
            is_unknown = order.unknown_s is not None and now - order.unknown_s >= UNKNOWN_LIMIT_SEC
            if is_unknown and self._findings.is_news("unknown_order", order.order_id):
                evidence = "" if order.evidence is None else order.evidence.words()
                text = f"nobody knows whether the venue has the order: {evidence}"
                found.append(
                    Finding("unknown_order", "alarm", "none", order.market, order.order_id, text, "", order.detail)
                )
            if is_stuck(order, now) and self._findings.is_news("cancel_unsettled", order.order_id):
                text = f"{order.cancels} cancels came to nothing; the order is only read from here on"
                place = (order.market, order.order_id)
                found.append(Finding("cancel_unsettled", "alarm", "hold", *place, text, "", order.detail))
        return self._findings.tell(found, unix)

    def closed(self, market: str, now: float, *, is_released: bool = False) -> str:
        """Why nothing is to be done in a market, in words; "" when nothing is in the way.

        With ``is_released`` as it would be after an operator resumed it.
        """
        if any(is_stuck(order, now) for order in self._orders.at_risk(market)):
            return "an order could not be cancelled, and nobody knows what became of it"
        return self.balances.closed(market) or ("" if is_released else self._findings.quarantine.why(market, now))

    def unsettled_s(self, market: str, now: float, unix: float) -> float:
        """Age of the oldest trade of a market that is not final, at a moment of both clocks; 0 without one."""
        return max((_age_s(known, now, unix) for known in self._orders.book.open_in(market)), default=0.0)

    def _look_for_known(self, event: TradesRead) -> tuple[list[Finding], bool]:
        """Look for our fills in a list of trades that calls itself complete.

        Returns:
            What only the user channel or an earlier list has told for long, and whether the list lacks anything else:
            then it is not complete, whatever it says.
        """
        found, lacks = [], False
        listed = {(fill.trade_id, fill.order_id) for fill in event.fills}
        unreadable = {row.trade_id for row in event.unreadable}
        for known in self._orders.book.all():
            fill = known.fill
            is_old = known.is_recovered or event.asked_s - known.since_s >= LISTED_SEC
            if fill.key in listed or fill.trade_id in unreadable or not is_old or fill.unix <= event.after_unix + 1:
                self._missed.pop(fill.key, None)
            elif event.asked_s - self._missed.setdefault(fill.key, event.asked_s) < UNTOLD_SEC:
                lacks = True
            elif self._findings.is_news("unlisted_fill", fill.trade_id):
                text = "a trade was told that the list of trades does not have; it is counted"
                found.append(Finding("unlisted_fill", "alarm", "none", fill.market, fill.trade_id, text))
        return found, lacks


def _age_s(known: TrackedFill, now: float, unix: float) -> float:
    """How long ago a trade was matched; at least since it was told, also where the venue's clock runs ahead."""
    return max(now - known.since_s, unix - known.fill.unix if known.fill.unix > 0 else 0.0)


def _lacks_trades_only(order: Order) -> bool:
    """Trades are the last word on an order: all else proves it gone, or it ended with more matched than they show."""
    evidence = order.evidence
    is_gone = evidence is not None and evidence.wants_lists and evidence.is_unlisted
    return is_gone or (order.state in TERMINAL and order.owed > 0)


def _placed_word(known: TrackedFill, desks: dict[str, Desk]) -> FillSeen:
    """The latest word on a fill, with what we know of it better than the word does."""
    fill = known.fill
    token = desks[fill.market].instrument.token_of(fill.outcome)
    return msgspec.structs.replace(known.word, token=token, order_side=fill.order_side, unix=fill.unix)
