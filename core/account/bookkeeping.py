"""The account's book as one session keeps it: what is entered, what of it is worth a finding, and what it is worth.

Lines leave as ``Book`` actions for the journal; fills have rows anyway. The state is the fold of all lines
(:mod:`core.portfolio`), so a restart goes on where the last session ended.
"""

from collections.abc import Callable, Container
from typing import Final

from core.account.activity import Told
from core.account.findings import Findings
from core.actions import Action, Book, Finding, Marked, Note
from core.events import PayoutSeen, Recovered
from core.orders.fills import Fill
from core.portfolio.account import Account
from core.portfolio.day import DayOpenings
from core.portfolio.decompose import Decomposition
from core.portfolio.entries import (
    Entry,
    EntrySource,
    EquityMark,
    Fee,
    Flow,
    Found,
    Income,
    Merge,
    Redeem,
    Settle,
    fill_key,
)
from core.portfolio.equity import Drawdown
from core.portfolio.ledger import Pico, usd_of
from core.portfolio.portfolio import Portfolio
from core.portfolio.position import Position, booking_of
from core.units import MICRO, Outcome, Shares, Usd, micro_text

OPENING: Final = "opening"
"""Key of the line that says what cash the account had when its book began."""
SNAPSHOT_SEC: Final = 60.0
"""Time between marks of the account in the journal when nothing is traded."""


class Bookkeeping:
    """Cash, holdings and profit of the whole account. Times are unix seconds."""

    def __init__(self, findings: Findings, account: Account) -> None:
        """An empty book; what does not fit in it goes to ``findings``."""
        self.portfolio = Portfolio()
        self.drawdown = Drawdown()
        """Of the profit of all time at display marks."""
        self.trouble = ""
        """What does not add up, in words; "" while everything does. It never goes away by itself."""
        self.unpriced: dict[str, dict[Outcome, Shares]] = {}
        """Shares that are ours as soon as a price is known to enter them at, by market."""
        self.splits: dict[str, Decomposition] = {}
        """Where the trading profit of this session came from, by market."""
        self.day = DayOpenings()
        """How every market stood when the day began."""
        self._why_unpriced: dict[str, str] = {}
        self.begun_unix = 0.0
        """When the book began: what happened before is in its opening."""
        self._findings = findings
        self._account = account
        self._marks: dict[str, Usd] = {}
        """Last fair value of each market, micro-dollars a share of YES."""
        self.wants_snapshot = False
        self._snapshot_unix = 0.0

    # What is entered

    def restore(self, event: Recovered, unix: float) -> list[Action]:
        """Go on where earlier sessions ended."""
        wrong = self.portfolio.restore(event.bookings)
        self.portfolio.next_seq = max(self.portfolio.next_seq, event.next_seq)
        self._marks = dict(event.marks)
        self.begun_unix = next((line.unix for line in event.bookings if line.key == OPENING), 0.0)
        if event.equity is not None:
            opening = event.day_opening
            self._account.restore(event.equity, opening)
            if opening is not None:
                self.day.restore(opening.seq, event.bookings, dict(event.day_marks))
            self.drawdown = Drawdown(event.equity.peak)
            for line in event.bookings:
                if line.seq >= event.equity.seq:  # it was not in that mark's flows yet
                    self._account.flow(_flow_of(line.entry))
        rows = [Finding("journal_line", "warning", "none", "", "", f"a line of the journal: {text}") for text in wrong]
        return [*self._findings.tell(rows, unix), *self.verify(unix, sums_up=True)]

    @property
    def is_begun(self) -> bool:
        """The book knows what cash the account began with."""
        return self.portfolio.has(OPENING)

    def begin(self, cash: Usd, unix: float) -> list[Action]:
        """Enter the cash that was there when the book began, before all fills in it."""
        self.begun_unix = unix
        return self.enter("", OPENING, Flow(cash), "start", unix, "cash at the first start")

    def flow(self, amount: Usd, unix: float, text: str) -> list[Action]:
        """Cash came in or, negative, went out that nothing explains: neither profit nor loss."""
        self._account.flow(amount)
        return self.enter("", f"flow {self.portfolio.next_seq}", Flow(amount), "balance", unix, text)

    def round(self, amount: Usd, unix: float) -> list[Action]:
        """Enter what the account has beyond our book, or lacks, because trades are paid in whole micro-dollars."""
        entry = Income(amount, "other") if amount > 0 else Fee(Usd(-amount))
        text = "trades are paid in whole micro-dollars"
        return self.enter("", f"rounding {self.portfolio.next_seq}", entry, "balance", unix, text)

    def find(self, market: str, outcome: Outcome, micro: int, mark: Usd | None, unix: float, text: str) -> list[Action]:
        """Holdings are more or less than our trades add up to by ``micro`` micro-shares.

        What is more enters at ``mark``, micro-dollars a share of YES, so that profit starts at zero; while there is no
        mark it waits.
        """
        held = self.portfolio.position(market)
        if micro > 0 and mark is None:
            waiting = self.unpriced.setdefault(market, {})
            waiting[outcome] = Shares(waiting.get(outcome, 0) + micro)
            self._why_unpriced[market] = text
            return []
        holding = held.ledger.yes if outcome == "YES" else held.ledger.no
        price = Usd(MICRO // 2)
        if micro < 0 and holding.shares > 0:
            price = Usd(holding.cost // holding.shares)
        elif mark is not None:
            price = mark if outcome == "YES" else Usd(MICRO - mark)
        entry = Found(outcome, Shares(micro), price)
        key = f"found {self.portfolio.next_seq}"
        self._account.flow(_flow_of(entry))  # a deposit in kind
        return self.enter(market, key, entry, "balance", unix, text)

    def price(self, market: str, mark: Usd, unix: float) -> list[Action]:
        """A market's fair value is known (micro-dollars a share of YES): what waited for it is entered."""
        self._marks[market] = mark
        self._revalue(market, unix, mark)
        waiting = self.unpriced.pop(market, None)
        if waiting is None:
            return []
        text = self._why_unpriced.pop(market)
        return [
            action
            for outcome, micro in waiting.items()
            for action in self.find(market, outcome, micro, mark, unix, text)
        ]

    def fill(self, fill: Fill, counts: bool, unix: float) -> tuple[int, list[Action]]:
        """Enter a fill, or take back one whose trade failed.

        Returns:
            The number of its line, and what is to be told.
        """
        seq, wrong = self.portfolio.fill(fill, counts, unix)
        if not counts:
            self.day.take_back(booking_of(fill, seq, unix))
        mark = self.mark_of(fill.market)
        price = fill.usd if fill.outcome == "YES" else Usd(MICRO - fill.usd)
        signed = Shares(fill.size if (fill.side == "bid") == counts else -fill.size)
        self._revalue(fill.market, unix, price if mark is None else mark, (signed, price))
        self.wants_snapshot = True
        self._account.touch()
        told = self._tell(fill.market, fill.trade_id, wrong, unix)
        return seq, [*told, *self._take_costs(fill, counts, unix), *self.verify(unix)]

    def _take_costs(self, fill: Fill, counts: bool, unix: float) -> list[Action]:
        """Enter what a taker's fill moved beyond size times price, or what comes back because its trade failed."""
        sign, back, whose = (1, "", "of a taker") if counts else (-1, " back", "of a trade that failed")
        actions: list[Action] = []
        if fill.fee:
            key, text = f"fee{back} {fill_key(*fill.key)}", f"the fee {whose}"
            actions += self.enter(fill.market, key, Fee(Usd(sign * fill.fee)), "fill", unix, text)
        if fill.rest:
            key, text = f"rest{back} {fill_key(*fill.key)}", f"the price {whose}, beyond whole micro-dollars a share"
            actions += self.enter(fill.market, key, Income(Usd(sign * fill.rest), "other"), "fill", unix, text)
        return actions

    def confirm(self, fill: Fill) -> None:
        """A fill is final."""
        self.portfolio.confirm(fill)

    def name(self, line: Told, unix: float) -> list[Action]:
        """Enter what the index of activity explains; deposits and withdrawals are no profit of the day."""
        if isinstance(line.entry, Flow):
            self._account.flow(line.entry.amount)
        note = Note("info", line.market, f"{line.text}: {micro_text(abs(_cash_of(line.entry)))} dollars")
        return [*self.enter(line.market, line.key, line.entry, "index", line.unix, line.text, now_unix=unix), note]

    def settle(self, event: PayoutSeen, unix: float) -> list[Action]:
        """A question is resolved for good: holdings become claims of what they pay. The first word on it stays."""
        key = f"settle {event.market}"
        booked = self.portfolio.position(event.market).payout
        if booked == event.price:
            return []
        if booked is not None or not 0 <= event.price <= MICRO:
            told = micro_text(event.price)
            if not self._findings.is_news("payout", f"{event.market} {told}"):
                return []
            wrong = "which cannot be" if booked is None else f"before it was {micro_text(booked)}"
            text = f"a payout of {told} dollars a share is told by the {event.source}, {wrong}: not booked"
            ours = "" if booked is None else micro_text(booked)
            row = Finding("payout", "alarm", "quarantine", event.market, event.market, text, ours, told)
            return self._findings.tell([row], unix)
        text = f"resolved: YES pays {micro_text(event.price)} dollars, by the {event.source}"
        note = Note("info", event.market, text)
        return [*self.enter(event.market, key, Settle(event.price), "venue", unix, text), note]

    def enter(
        self,
        market: str,
        key: str,
        entry: Entry,
        source: EntrySource,
        unix: float,
        text: str = "",
        now_unix: float | None = None,
    ) -> list[Action]:
        """Enter a line that no fill made; one whose key is known changes nothing.

        ``unix`` is when it happened, and ``now_unix`` this moment where that is another.
        """
        booked = self.portfolio.book(market, key, unix, entry, source, text)
        if booked is None:
            return []
        booking, wrong = booked
        self.wants_snapshot = True
        self._account.touch()
        told = unix if now_unix is None else now_unix
        return [Book(booking), *self._tell(market, key, wrong, told), *self.verify(told)]

    # What it is worth

    @property
    def cash(self) -> Usd:
        """Micro-dollars now."""
        return usd_of(self.portfolio.cash)

    @property
    def secured(self) -> Usd:
        """Profit of all time that no price can take back, as a mark of the account tells it."""
        portfolio = self.portfolio
        return Usd(usd_of(portfolio.realised) - usd_of(portfolio.fees) + usd_of(portfolio.income))

    def begin_day(self, mark_of: Callable[[str], Usd | None]) -> None:
        """A day begins with this mark of the account; ``mark_of`` tells what a share of YES is worth in a market."""
        self.day.begin(self.portfolio.next_seq, self.portfolio.positions, mark_of)

    def mark_of(self, market: str) -> Usd | None:
        """What a share of YES is worth: its payout, or the last fair value; None when nobody ever knew."""
        position = self.portfolio.positions.get(market)
        payout = None if position is None else position.payout
        return self._marks.get(market) if payout is None else payout

    def value(self, market: str, position: Position) -> Pico:
        """Holdings of a market at :meth:`mark_of`; at cost when there is no mark."""
        mark = self.mark_of(market)
        ledger = position.ledger
        return Pico(ledger.yes.cost + ledger.no.cost) if mark is None else ledger.value(mark)

    def _revalue(self, market: str, unix: float, mark: Usd, fill: tuple[Shares, Usd] | None = None) -> None:
        """Carry a market's split on; what its net changed by without a fill entered at the mark."""
        net = self.portfolio.position(market).inventory.net
        split = self.splits.get(market)
        if split is None:
            split = self.splits[market] = Decomposition()
        traded = fill[0] if fill else 0
        other = Shares(net - split.position - traded)
        fills = [*([(other, mark)] if other else ()), *([fill] if fill else ())]
        split.step(unix, mark, fills)

    def value_elsewhere(self, made: Container[str]) -> int:
        """Holdings in markets that are not made now, micro-dollars: nobody sees their books, so marks stand still."""
        held = self.portfolio.positions.items()
        return usd_of(Pico(sum([self.value(market, position) for market, position in held if market not in made])))

    def claims(self, decided: Container[str], made: Container[str]) -> tuple[str, ...]:
        """Markets in which something is held and that may pay out: those ``decided``, and those not made now."""
        return tuple(
            market
            for market, position in self.portfolio.positions.items()
            if position.payout is None
            and (position.inventory.yes or position.inventory.no)
            and (market in decided or market not in made)
        )

    def marked(self, unix: float, conservative: Usd) -> list[Action]:
        """The account was valued: a row for the journal after trades, and once a minute.

        Args:
            unix: seconds.
            conservative: equity at what others bid, micro-dollars.
        """
        account, portfolio = self._account, self.portfolio
        cash = portfolio.cash
        equity = Pico(cash + portfolio.value(self._marks))
        profit = usd_of(Pico(equity - portfolio.flows))
        self.drawdown.observe(profit)
        if not self.wants_snapshot and 0 <= unix - self._snapshot_unix < SNAPSHOT_SEC:
            return []
        self.wants_snapshot, self._snapshot_unix = False, unix
        realised, fees, income = portfolio.realised, portfolio.fees, portfolio.income
        day = account.day
        mark = EquityMark(
            unix=unix,
            seq=portfolio.next_seq,
            cash=usd_of(cash),
            equity=usd_of(equity),
            conservative=conservative,
            realised=usd_of(realised),
            unrealised=usd_of(Pico(equity - portfolio.flows - realised + fees - income)),
            fees=usd_of(fees),
            income=usd_of(income),
            flows=usd_of(portfolio.flows),
            peak=self.drawdown.peak if self.drawdown.peak is not None else profit,
            day=day.day,
            day_equity=day.opening,
            day_flows=day.flows,
            bankroll=account.bankroll or Usd(0),
            is_latched=day.is_latched,
            guard_peak=account.guard_peak,
        )
        return [Marked(mark), *self.verify(unix, sums_up=True)]

    # Whether it adds up

    def verify(self, unix: float, *, sums_up: bool = False) -> list[Action]:
        """Check what was booked since the last time, or all; what does not add up stops new risk for good."""
        trouble = self.portfolio.check(sums_up=sums_up)
        if not trouble or self.trouble:
            return []
        self.trouble = trouble
        text = f"our own books do not add up, so nothing new is risked: {trouble}"
        return self._findings.tell([Finding("books", "alarm", "halt", "", "books", text)], unix)

    def _tell(self, market: str, subject: str, wrong: str | None, unix: float) -> list[Action]:
        if wrong is None:
            return []
        text = f"{wrong}; it is booked all the same, because money moved"
        return self._findings.tell([Finding("impossible_entry", "alarm", "none", market, subject, text)], unix)


def _flow_of(entry: Entry) -> Usd:
    """What a line brings in, or takes out, that is no profit of the day; micro-dollars."""
    match entry:
        case Flow(amount=amount):
            return amount
        case Found(size=size, price=price):
            return Usd(size * price // MICRO)
    return Usd(0)


def _cash_of(entry: Entry) -> Usd:
    """What a line names of money, micro-dollars."""
    match entry:
        case Income(amount=amount) | Flow(amount=amount) | Fee(amount=amount) | Redeem(amount=amount):
            return amount
        case Merge(size=size):
            return Usd(size)
    return Usd(0)
