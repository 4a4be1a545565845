"""The record behind the Data API and the price charts (polymarket-api.md 4.1, 8): deals, moves, costs, prices.

Pure, money in integers. What it keeps is bounded: everything of accounts from outside up to ``RECORD_LIMIT`` entries
each, of the participants the last few hundred, of prices one a minute for a month. Costs are averages, fees left out,
as the Data API states them; tokens of which nothing was heard (a participant's endowment) count as split ones.
"""

import hashlib
import itertools
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Literal

import msgspec

from core.exchange.lifecycle import Result, payout_of
from core.exchange.matching import RECORD_LIMIT
from core.exchange.orders import Order, Trade
from core.units import MICRO, OUTCOMES, OrderSide, Outcome, Shares, Usd

Kind = Literal["TRADE", "SPLIT", "MERGE", "REDEEM", "CONVERSION", "REWARD", "MAKER_REBATE", "DEPOSIT", "WITHDRAWAL"]
"""Kinds of activity (polymarket-api.md 8)."""

PARTICIPANT_LIMIT: Final = 500
"""Entries kept of an account that lives in the process."""
FEED_LIMIT: Final = 10_000
"""Deals kept for whoever asks for everybody's."""
PRICES_KEPT: Final = 31 * 24 * 60
_HALF: Final = MICRO // 2
"""What either token of a pair costs when cash is split."""


class Entry(msgspec.Struct, frozen=True):
    """One party's part in a settled trade, or one move of its own."""

    number: int
    """Grows by one with every entry; what cursors count in."""
    kind: Kind
    account: str
    """Lower case."""
    market: str
    """"" for what concerns the account as a whole."""
    at_ms: int
    """When it settled, unix milliseconds."""
    shares: Shares
    cash: Usd
    """Micro-dollars given or received, fees left out; never negative."""
    transaction_hash: str
    outcome: Outcome | None = None
    """None for what concerns both tokens or none."""
    side: OrderSide | None = None
    price: Usd = Usd(0)
    """Micro-dollars a share, of a trade."""
    taker: bool = False


class Basis(msgspec.Struct):
    """What one account's holding of one token cost it, and what it made of it; micro-dollars and micro-shares."""

    held: int = 0
    cost: int = 0
    """Paid for what is held."""
    bought: int = 0
    """Shares ever taken in."""
    paid: int = 0
    """Paid for everything ever taken in."""
    fees: int = 0
    """Taker fees paid on the way in; in no other figure."""
    realized: int = 0
    """Profit of what was given away again."""
    first_ms: int = 0
    last_ms: int = 0

    def take(self, shares: int, cash: int, at_ms: int, fee: int = 0) -> None:
        """Tokens come in."""
        self.held += shares
        self.cost += cash
        self.bought += shares
        self.paid += cash
        self.fees += fee
        self.first_ms = self.first_ms or at_ms
        self.last_ms = at_ms

    def give(self, shares: int, cash: int, at_ms: int) -> None:
        """Tokens go out for ``cash``; the average cost of the rest stays what it was."""
        unheard = shares - self.held
        if unheard > 0:
            self.take(unheard, unheard * _HALF // MICRO, at_ms)
        cost = self.cost * shares // self.held if self.held else 0
        self.held -= shares
        self.cost -= cost
        self.realized += cash - cost
        self.last_ms = at_ms


Bases = dict[tuple[str, Outcome], Basis]
"""By market and outcome."""


class History:
    """What happened to accounts and prices, for those who ask later.

    Example::

        history = History(ledger.results)
        history.traded(trade)   # at the match
        history.settled(trade)  # when it is MINED
        history.moved("0x…", "SPLIT", market, shares, cash, now_ms)
    """

    def __init__(self, results: Mapping[str, Result]) -> None:
        """``results`` are the resolved markets; read when tokens are redeemed."""
        self._results = results
        self._bases: dict[str, Bases] = {}
        self._entries: dict[str, deque[Entry]] = {}
        self._feed: deque[Entry] = deque(maxlen=FEED_LIMIT)
        self._outside: set[str] = set()
        self._numbers = itertools.count(1)
        self._minutes: dict[str, list[int]] = {}
        self._prices: dict[str, list[Usd]] = {}
        self._transaction = ""
        """Hash of the transaction that is being carried out."""

    def traded(self, trade: Trade) -> None:
        """Note the price of a trade at its match."""
        grid = trade.instrument.grid
        ticks = trade.last_price if trade.taker.new.outcome == "YES" else grid.complement(trade.last_price)
        minutes = self._minutes.setdefault(trade.market, [])
        prices = self._prices.setdefault(trade.market, [])
        minute = trade.matched_ms // 60_000
        if minutes and minutes[-1] >= minute:
            prices[-1] = grid.dollars_of(ticks)
            return
        minutes.append(minute)
        prices.append(grid.dollars_of(ticks))
        if len(minutes) > PRICES_KEPT:
            del minutes[: PRICES_KEPT // 10]
            del prices[: PRICES_KEPT // 10]

    def settled(self, trade: Trade) -> None:
        """Note a trade that reached the chain, for each of its parties."""
        self._deal(trade, trade.taker, trade.size, trade.cash, trade.fee, taker=True)
        for fill in trade.fills:
            self._deal(trade, fill.order, fill.size, fill.cash, Usd(0), taker=False)

    def moved(
        self,
        account: str,
        kind: Kind,
        market: str,
        shares: Shares,
        cash: Usd,
        now_ms: int,
        outcome: Outcome | None = None,
    ) -> None:
        """Note what an account did or got without trading.

        The sign of ``cash`` does not matter. A redemption is of ``shares`` of ``outcome``; 0 for all of it, and without
        an outcome of both tokens.
        """
        account, cash = account.lower(), Usd(abs(cash))
        if kind == "REDEEM":
            shares = self._redeem(account, market, (outcome,) if outcome else OUTCOMES, shares, now_ms)
        elif kind in ("SPLIT", "MERGE"):
            for index, each in enumerate(OUTCOMES):
                basis, half = self._basis(account, market, each), (cash + 1 - index) // 2
                (basis.take if kind == "SPLIT" else basis.give)(shares, half, now_ms)
        number = next(self._numbers)
        seal = hashlib.sha256(f"move/{number}/{kind}/{account}/{market}/{now_ms}".encode()).hexdigest()
        entry = Entry(
            number=number,
            kind=kind,
            account=account,
            market=market,
            at_ms=now_ms,
            shares=shares,
            cash=cash,
            transaction_hash=self._transaction or "0x" + seal,
            outcome=outcome,
        )
        self._keep(entry)

    def converted(
        self, account: str, given: Sequence[str], others: Sequence[str], sets: Shares, cash: Usd, now_ms: int
    ) -> None:
        """Note a conversion, under the first market whose NO was given; its tokens change hands at half a dollar."""
        account = account.lower()
        half = sets * _HALF // MICRO
        for market in given:
            self._basis(account, market, "NO").give(sets, half, now_ms)
        for market in others:
            self._basis(account, market, "YES").take(sets, half, now_ms)
        self.moved(account, "CONVERSION", given[0], sets, cash, now_ms)

    @contextmanager
    def within(self, transaction_hash: str) -> Iterator[None]:
        """What is noted inside was done by this transaction."""
        self._transaction = transaction_hash
        try:
            yield
        finally:
            self._transaction = ""

    def bases(self, account: str) -> Bases:
        """What every token an account ever had cost it."""
        return self._bases.get(account.lower(), {})

    def entries(self, account: str) -> Iterator[Entry]:
        """Everything kept of one account, newest first."""
        return reversed(self._entries.get(account.lower(), ()))

    def feed(self) -> Iterator[Entry]:
        """The last deals of everybody, newest first."""
        return reversed(self._feed)

    def price_at(self, market: str, unix_s: float) -> Usd | None:
        """The YES price of the last trade up to the end of the minute of a moment; None before the first."""
        known = bisect_right(self._minutes.get(market, ()), unix_s // 60)
        return self._prices[market][known - 1] if known else None

    def _deal(self, trade: Trade, order: Order, size: Shares, cash: Usd, fee: Usd, *, taker: bool) -> None:
        new = order.new
        if new.owner:
            self._outside.add(new.account)
        at_ms = trade.updated_ms
        basis = self._basis(new.account, trade.market, new.outcome)
        if new.side == "BUY":
            basis.take(size, cash, at_ms, fee)
        else:
            basis.give(size, cash, at_ms)
        entry = Entry(
            number=next(self._numbers),
            kind="TRADE",
            account=new.account,
            market=trade.market,
            at_ms=at_ms,
            shares=size,
            cash=cash,
            transaction_hash=trade.transaction_hash,
            outcome=new.outcome,
            side=new.side,
            price=Usd((cash * MICRO + size // 2) // size),
            taker=taker,
        )
        self._keep(entry)
        self._feed.append(entry)

    def _redeem(self, account: str, market: str, outcomes: Iterable[Outcome], shares: Shares, now_ms: int) -> Shares:
        """Give tokens of a resolved market away for what they pay; returns how many."""
        total = 0
        for outcome in outcomes:
            basis = self._basis(account, market, outcome)
            given = Shares(shares or basis.held)
            basis.give(given, payout_of(self._results[market], outcome, given), now_ms)
            total += given
        return Shares(total)

    def _keep(self, entry: Entry) -> None:
        kept = self._entries.setdefault(entry.account, deque())
        kept.append(entry)
        if len(kept) > (RECORD_LIMIT if entry.account in self._outside else PARTICIPANT_LIMIT):
            kept.popleft()

    def _basis(self, account: str, market: str, outcome: Outcome) -> Basis:
        return self._bases.setdefault(account, {}).setdefault((market, outcome), Basis())
