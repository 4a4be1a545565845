"""The whole exchange without a socket: step it, submit to it, drain the frames it would have sent.

Everything that happens later (tape entries, settlement, expiry, heartbeat sweeps, participants) waits in one queue by
due time, so the outcome does not depend on how often ``step`` is called.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Literal

import msgspec
from msgspec import structs

from core.exchange import frames, refusals
from core.exchange.auth import KeyRing
from core.exchange.chain.approvals import Approvals
from core.exchange.clockwork import Clockwork, Happening
from core.exchange.deadman import SWEEP_MS, Deadman
from core.exchange.frames import Frame
from core.exchange.history import History
from core.exchange.ledger import Ledger
from core.exchange.lifecycle import (
    CLOSED_STATUS,
    FINER_TICK,
    MODE_REFUSALS,
    PHASE_REFUSALS,
    POST_ONLY_MS,
    Phase,
    Result,
    VenueMode,
    VenueState,
    needs_finer_tick,
)
from core.exchange.listing import Listing, is_complete, listings
from core.exchange.matching import RECORD_LIMIT, MatchingEngine
from core.exchange.notices import AUTO_REDEEMED, RESOLVED, REWARDED, Notices
from core.exchange.orders import NewOrder, Order, Report, Trade
from core.exchange.publisher import Publisher
from core.exchange.rewards import Paid, Rewards, day_of, next_midnight
from core.exchange.settlement import USUAL_DELAYS, Delays, Settlement
from core.units import MICRO, OUTCOMES, OrderSide, Outcome, Shares, Ticks, Usd, micro_text

GTD_LEAD_S: Final = 60
"""The venue removes a GTD order this long before its stated expiration (polymarket-api.md 2.5)."""
_FORCER: Final = "0x" + "f0" * 20
_MINUTE_MS: Final = 60_000
_DOWN_MS: Final = 1_000
"""How often what is due looks whether the venue is up again."""

AUTO_CASH: Final = Usd(50_000 * MICRO)
"""What an unknown outside account finds on arrival."""


class Received(msgspec.Struct, frozen=True):
    """One order as it came in from outside, accepted or not."""

    at_ms: int
    order_id: str
    """Empty when the request was too broken to have one."""
    owner: str
    error: str
    order: NewOrder | None


Retold = tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]
"""A market, and the fields that replace those of its description."""


class Exchange:
    """Markets, money, matching, settlement and public frames under one clock that only the caller moves.

    Example::

        exchange = Exchange(seed=1, markets=4, now_ms=0)
        population = Population(exchange)
        exchange.step(1_000)
        report = exchange.submit(new_order, 1_000)
        frames = exchange.drain()
    """

    def __init__(
        self,
        *,
        seed: int,
        markets: int | Sequence[int],
        now_ms: int,
        auto_cash: Usd = AUTO_CASH,
        delays: Delays = USUAL_DELAYS,
    ) -> None:
        """``markets`` says how many, or which by number (:func:`core.exchange.listing.listings`)."""
        self.seed = seed
        self.auto_cash = auto_cash
        self.ledger = Ledger()
        self.engine = MatchingEngine(self.ledger, seed)
        self.clockwork = Clockwork(seed, now_ms)
        self.settlement = Settlement(self.ledger, self.clockwork, delays, self._settled)
        self.rewards = Rewards(self.ledger)
        self.history = History(self.ledger.results)
        self.notices = Notices()
        self.keys = KeyRing(seed)
        self.deadman = Deadman(seed)
        self.approvals = Approvals()
        self.mode = VenueMode()
        self.closed_only: set[str] = set()
        """Lower-case EOAs that may only reduce and cancel."""
        self.listings: dict[str, Listing] = {}
        self._publisher = Publisher(self.ledger, self.notices)
        self.faces = self._publisher.faces
        """How each market looks from outside."""
        self.by_token: dict[str, tuple[str, Outcome]] = {}
        """Token id to its market and outcome."""
        self.received: deque[Received] = deque(maxlen=RECORD_LIMIT)
        self.trades: dict[str, Trade] = {}
        """Trades in which an outside owner took part, by id, oldest first."""
        self.traded: dict[str, int] = {}
        """Micro-shares traded per market since the start."""
        self.retold: list[Retold] = []
        """What faults have the catalogue say of markets instead, while one request is served."""
        self.closed_ms: dict[str, int] = {}
        """When trading ended for good, by market."""
        self._delays = delays
        self._phases: dict[str, Phase] = {}
        self._forced = 0
        self._accounts: dict[str, set[str]] = {}
        for listing in listings(seed, markets, now_ms // 1000):
            self._list(listing)
        self.schedule(now_ms + SWEEP_MS, self._sweep)
        self.schedule(now_ms, self._begin_minute)
        self.schedule(next_midnight(now_ms), self._end_day)

    # Time

    @property
    def now_ms(self) -> int:
        """The exchange's time, unix milliseconds."""
        return self.clockwork.now_ms

    def step(self, now_ms: int) -> None:
        """Let everything due up to ``now_ms`` happen, in order of its due time."""
        self.clockwork.step(now_ms)

    @property
    def next_due_ms(self) -> int:
        """When the next thing is due; there always is one."""
        return self.clockwork.next_due_ms

    def schedule(self, due_ms: int, action: Happening) -> None:
        """Have ``action(now_ms)`` called by the ``step`` that reaches its time."""
        self.clockwork.schedule(due_ms, action)

    def drain(self) -> list[Frame]:
        """The frames that became due since the last call, in order."""
        return self._publisher.drain()

    # Orders

    def admit(self, address: str) -> None:
        """Open the account of an unknown address with the automatic funding."""
        if address.lower() not in self.ledger.accounts:
            self.ledger.deposit(address, self.auto_cash)

    def submit(self, new: NewOrder, now_ms: int) -> Report:
        """Take an order at ``now_ms``, after everything that was due before it."""
        self.step(now_ms)
        return self.place(new)

    def place(self, new: NewOrder) -> Report:
        """Take an order at the present moment; for what runs inside ``step``."""
        refusal = self.mode.refusal(post_only=new.post_only)
        if refusal and new.owner:
            self.note_received(new.owner, new.order_id, refusal, new)
        if refusal:
            return Report(error=refusal)
        if new.owner:
            self.admit(new.account)
            self._accounts.setdefault(new.owner, set()).add(new.account)
        report = self.engine.submit(new, self.now_ms)
        if new.owner:
            self.note_received(new.owner, new.order_id, report.error, new)
        if report.order is not None:
            self._publish(report)
            if report.order.status == "DELAYED":
                self.schedule(
                    self.now_ms + self.listings[new.market].plot.delay_ms, partial(self._let_go, new.order_id)
                )
            if new.order_type == "GTD":
                self.schedule((new.expiration - GTD_LEAD_S) * 1000, partial(self._expire, new.order_id))
        return report

    def note_received(self, owner: str, order_id: str, error: str, order: NewOrder | None = None) -> None:
        """Write an incoming order into the record of everything ever received."""
        self.received.append(Received(at_ms=self.now_ms, order_id=order_id, owner=owner, error=error, order=order))

    def cancel(self, owner: str, order_ids: Iterable[str], now_ms: int) -> tuple[list[str], dict[str, str]]:
        """Cancel orders of one API key; returns the cancelled ids and the others with their reasons (4.2)."""
        self.step(now_ms)
        done: list[str] = []
        failed: dict[str, str] = {}
        for order_id in dict.fromkeys(order_ids):
            order = self.engine.orders.get(order_id)
            mine = order is not None and order.new.owner == owner
            error = self.withdraw(order_id) if mine else refusals.NOT_CANCELED
            if error:
                failed[order_id] = error
            else:
                done.append(order_id)
        return done, failed

    def withdraw(self, order_id: str, status: str = "CANCELED") -> str:
        """Cancel an order at the present moment, whoever owns it; returns the reason if that is impossible."""
        if not self.mode.cancels:
            return MODE_REFUSALS[self.mode.state]
        report = self.engine.cancel(order_id, status)
        if not report.error:
            self._publish(report)
        return report.error

    def open_orders(self, owner: str) -> list[Order]:
        """Resting orders of an API key, oldest first."""
        accounts = sorted(self._accounts.get(owner, ()))
        found = [o for account in accounts for o in self.engine.open_orders(account) if o.new.owner == owner]
        return sorted(found, key=lambda order: order.created_ms)

    def trades_of(self, owner: str) -> list[Trade]:
        """Trades with a part of an API key, newest first."""
        return [t for t in reversed(self.trades.values()) if any(owner == o for o, _ in t.parties)]

    def is_scoring(self, order_id: str) -> bool:
        """Whether a resting order would earn liquidity rewards now (polymarket-api.md 4.3)."""
        order = self.engine.orders.get(order_id)
        if order is None or order.status != "LIVE" or self.phase(order.new.market) != "open":
            return False
        market = order.new.market
        return self.rewards.is_scoring(self.listings[market], self.engine.books[market], order, self.now_ms)

    def force_trade(self, market: str, outcome: Outcome, side: OrderSide, size: Shares, now_ms: int) -> Report:
        """Have a stranger with deep pockets take ``size`` at any price (test and demo aid)."""
        self.step(now_ms)
        if self.is_over(market):
            return Report(error=refusals.NO_BOOK)
        if (market, outcome) not in self.ledger.account(_FORCER).tokens:
            self.ledger.deposit(_FORCER, Usd(1_000_000 * MICRO))
            self.ledger.split(_FORCER, market, Shares(500_000 * MICRO))
        grid = self.engine.instrument(market).grid
        self._forced += 1
        new = NewOrder(
            order_id="0x" + hashlib.sha256(f"force/{self.seed}/{self._forced}".encode()).hexdigest(),
            account=_FORCER,
            owner="",
            market=market,
            outcome=outcome,
            side=side,
            price=Ticks(grid.k - 1 if side == "BUY" else 1),
            size=size,
            order_type="FAK",
        )
        return self.place(new)

    # Money and tokens

    def deposit(self, address: str, cash: Usd) -> None:
        """Bring money in from outside, for the record of the account too."""
        self.ledger.deposit(address, cash)
        self.history.moved(address, "DEPOSIT", "", Shares(0), cash, self.now_ms)

    def split(self, address: str, market: str, sets: Shares) -> None:
        """Turn an account's cash into pairs at once (polymarket-api.md 11).

        Raises:
            ValueError: the ledger's reason why not.
        """
        self.ledger.split(address, market, sets)
        self.history.moved(address, "SPLIT", market, sets, Usd(-sets), self.now_ms)

    def merge(self, address: str, market: str, sets: Shares) -> None:
        """Turn an account's pairs into cash at once (polymarket-api.md 11).

        Raises:
            ValueError: the ledger's reason why not.
        """
        self.ledger.merge(address, market, sets)
        self.history.moved(address, "MERGE", market, sets, Usd(sets), self.now_ms)

    def redeem(self, address: str, market: str, outcome: Outcome | None = None, tokens: Shares | None = None) -> Usd:
        """Pay an account for its tokens of a resolved market; returns the sum (polymarket-api.md 11).

        Raises:
            ValueError: the ledger's reason why not.
        """
        paid = self.ledger.redeem(address, market, outcome, tokens)
        self.history.moved(address, "REDEEM", market, tokens or Shares(0), paid, self.now_ms, outcome)
        return paid

    def auto_redeem(self, market: str) -> int:
        """Have the AutoRedeemer cash in a resolved market for every account from outside; returns for how many (11)."""
        if market not in self.results:
            return 0
        redeemed = 0
        for owner, accounts in self._accounts.items():
            for account in accounts:
                if not any(self.ledger.account(account).tokens.get((market, outcome)) for outcome in OUTCOMES):
                    continue
                paid = self.redeem(account, market)
                told = {"condition_id": market, "account": self.ledger.account(account).shown}
                self.notices.tell(owner, AUTO_REDEEMED, self.now_ms, told | {"amount": micro_text(paid)})
                redeemed += 1
        return redeemed

    def convert(self, address: str, given: Sequence[str], others: Sequence[str], sets: Shares) -> None:
        """Turn an account's NO of some outcomes of an event into YES of the others and cash at once (11).

        Args:
            address: of the account.
            given: markets whose NO is given, and with ``others`` all of the event (:meth:`sides`).
            others: the event's other markets.
            sets: micro-shares of each.

        Raises:
            ValueError: the ledger's reason why not.
        """
        self.ledger.convert(address, given, others, sets)
        self.history.converted(address, given, others, sets, Usd((len(given) - 1) * sets), self.now_ms)

    def sides(self, group: str, index_set: int) -> tuple[list[str], list[str]]:
        """The markets of an event whose NO a conversion takes, and the others; bit i stands for outcome i.

        Raises:
            ValueError: there is no such event, its outcomes are not all listed, or it has not that many.
        """
        family = self.outcomes(group)
        if not is_complete([listing.plot for listing in family]):
            raise ValueError("no such event, or not all of its outcomes are listed")
        if index_set >> len(family):
            raise ValueError("the event has not that many outcomes")
        markets = [listing.instrument.market for listing in family]
        given = [market for number, market in enumerate(markets) if index_set >> number & 1]
        return given, [market for market in markets if market not in given]

    def outcomes(self, group: str) -> list[Listing]:
        """The listed outcomes of a neg-risk event, in the order of their numbers; none where there is no such event."""
        family = [each for each in self.listings.values() if group and each.neg_risk_market_id == group]
        return sorted(family, key=lambda listing: listing.question_id)

    # Markets

    def phase(self, market: str) -> Phase:
        """What a market is in the middle of."""
        return self._phases[market]

    def is_over(self, market: str) -> bool:
        """Whether trading in a market has ended for good: it has no book any more."""
        return self.phase(market) in ("closed", "resolved")

    @property
    def results(self) -> dict[str, Result]:
        """How the resolved markets ended."""
        return self.ledger.results

    def open_market(self, listing: Listing) -> None:
        """List one more market and announce it."""
        self._list(listing)
        self._publisher.say(frames.new_market(listing, self.now_ms))

    def pause_market(self, market: str, paused: bool) -> None:
        """Let an open market take no orders, or take them again."""
        if self.phase(market) in ("open", "paused"):
            self._set_phase(market, "paused" if paused else "open")

    def close_market(self, market: str) -> None:
        """End trading in a market: its orders are cancelled, its book is gone."""
        if self.is_over(market):
            return
        for order in list(self.engine.books[market].orders()):
            self._publish(self.engine.cancel(order.new.order_id, CLOSED_STATUS))
        self._set_phase(market, "closed")
        self.closed_ms[market] = self.now_ms

    def resolve(self, market: str, result: Result, *, announce: bool = True) -> None:
        """Close a market for good and fix what its tokens pay; once only."""
        if market in self.results:
            return
        self.close_market(market)
        self._set_phase(market, "resolved")
        self.ledger.results[market] = result
        if announce:
            self._publisher.say(frames.market_resolved(self.listings[market], result, self.now_ms))
        for owner, accounts in self._accounts.items():
            if any(self.ledger.account(a).tokens.get((market, o)) for a in accounts for o in OUTCOMES):
                self.notices.tell(owner, RESOLVED, self.now_ms, {"market": market})

    def change_tick(self, market: str, tick_text: str) -> None:
        """Put a market that still trades on another grid: a new epoch of its books (polymarket-api.md 2.3).

        Orders that are not on the new grid are cancelled first.

        Raises:
            UnitError: there is no such grid.
        """
        present = self.engine.instrument(market)
        instrument = structs.replace(present, tick_text=tick_text)
        if instrument.grid is present.grid or self.is_over(market):
            return
        for report in self.engine.change_grid(instrument):
            self._publish(report)
        self.listings[market] = structs.replace(self.listings[market], instrument=instrument)
        self._publisher.regrid(instrument, self.now_ms)

    def delay_takers(self, market: str, delay_ms: int) -> None:
        """Hold marketable orders of a market for so long from now on; 0 ends it (polymarket-api.md 2.5)."""
        listing = self.listings[market]
        self.listings[market] = structs.replace(listing, plot=structs.replace(listing.plot, delay_ms=delay_ms))
        self.engine.delay_takers(market, delay_ms > 0)

    # Modes

    def set_mode(self, state: VenueState, for_ms: int | None = None) -> None:
        """Change what the venue does; after ``for_ms`` it goes back to normal."""
        self._enter(state, for_ms, "normal", None)

    def restart(self, for_ms: int, *, keep_orders: bool = True) -> None:
        """Be down for ``for_ms``, then take post-only orders only for two minutes (polymarket-api.md 10.3).

        Orders that are not kept vanish without a word to their owners.
        """
        if not keep_orders:
            for book in self.engine.books.values():
                for order in list(book.orders()):
                    report = self.engine.cancel(order.new.order_id)
                    report.updates.clear()
                    self._publish(report)
        self._enter("restarting", for_ms, "post_only", POST_ONLY_MS)

    def _enter(self, state: VenueState, for_ms: int | None, then: VenueState, then_ms: int | None) -> None:
        mode = self.mode = VenueMode(state, None if for_ms is None else self.now_ms + for_ms)

        def end(now_ms: int) -> None:
            if self.mode is mode:
                self._enter(then, then_ms, "normal", None)

        if mode.until_ms is not None:
            self.schedule(mode.until_ms, end)

    # Inside

    def _list(self, listing: Listing) -> None:
        instrument, plot = listing.instrument, listing.plot
        market = instrument.market
        self.listings[market] = listing
        self.engine.add_market(instrument, plot.fee_bps, delays_takers=plot.delay_ms > 0)
        self._publisher.open(listing, self.now_ms)
        self.by_token[instrument.yes_token] = (market, "YES")
        self.by_token[instrument.no_token] = (market, "NO")
        self.traded[market] = 0
        self._set_phase(market, "open")

    def _set_phase(self, market: str, phase: Phase) -> None:
        self._phases[market] = phase
        if phase == "open":
            self.engine.halted.pop(market, None)
        else:
            self.engine.halted[market] = PHASE_REFUSALS[phase]

    def _publish(self, report: Report) -> None:
        assert report.order is not None
        self._publisher.report(report, self.now_ms)
        if report.trade is not None:
            self._keep(report.trade)
        market = report.order.new.market
        if report.changes and needs_finer_tick(self.faces[market]):
            self.schedule(self.now_ms, partial(self._refine, market))

    def _refine(self, market: str, now_ms: int) -> None:
        if needs_finer_tick(self.faces[market]):
            self.change_tick(market, FINER_TICK)

    def _keep(self, trade: Trade) -> None:
        self.traded[trade.market] += trade.size
        if any(owner for owner, _ in trade.parties):
            self.trades[trade.trade_id] = trade
            if len(self.trades) > RECORD_LIMIT:
                del self.trades[next(iter(self.trades))]
        self.history.traded(trade)
        self._publisher.tell(trade, self.now_ms)
        self.schedule(self.now_ms + self.clockwork.draw(self._delays.tape), partial(self._publisher.print, trade))
        self.settlement.begin(trade)

    def _settled(self, trade: Trade) -> None:
        if trade.status == "MINED":
            self.rewards.settled(self.listings[trade.market], trade)
            self.history.settled(trade)
        self._publisher.tell(trade, self.now_ms)

    def _let_go(self, order_id: str, now_ms: int) -> None:
        """End a taker delay; what the venue does in its time waits while the venue is down."""
        if not self.mode.cancels:
            self.schedule(now_ms + _DOWN_MS, partial(self._let_go, order_id))
            return
        report = self.engine.let_go(order_id, now_ms)
        if report.order is not None:
            self._publish(report)

    def _expire(self, order_id: str, now_ms: int) -> None:
        if not self.mode.cancels:
            self.schedule(now_ms + _DOWN_MS, partial(self._expire, order_id))
            return
        self.withdraw(order_id, "CANCELED_EXPIRED_ORDER")

    def _sweep(self, now_ms: int) -> None:
        for owner in self.deadman.silent(now_ms):
            for order in self.open_orders(owner):
                self.withdraw(order.new.order_id)
        self.schedule(now_ms + SWEEP_MS, self._sweep)

    def _begin_minute(self, now_ms: int) -> None:
        """Once a minute, at a random moment of it, rewards are sampled."""
        self.schedule(now_ms + self.clockwork.draw((0, _MINUTE_MS - 1)), self._sample)
        self.schedule(now_ms + _MINUTE_MS, self._begin_minute)

    def _sample(self, now_ms: int) -> None:
        for market, listing in self.listings.items():
            if self.phase(market) == "open":
                self.rewards.sample(listing, self.engine.books[market], now_ms)

    def _end_day(self, now_ms: int) -> None:
        day = day_of(now_ms - 1)
        for paid in self.rewards.pay_rewards(self.listings.values(), day):
            self._paid(paid, "REWARD")
        for paid in self.rewards.pay_rebates(self.listings.values(), day):
            self._paid(paid, "MAKER_REBATE")
        self.schedule(next_midnight(now_ms), self._end_day)

    def _paid(self, paid: Paid, kind: Literal["REWARD", "MAKER_REBATE"]) -> None:
        self.history.moved(paid.account, kind, paid.market, Shares(0), paid.amount, self.now_ms)
        for owner, accounts in self._accounts.items():
            if kind == "REWARD" and paid.account in accounts:
                shown = self.ledger.account(paid.account).shown
                told = {"market": paid.market, "account": shown, "amount": micro_text(paid.amount)}
                self.notices.tell(owner, REWARDED, self.now_ms, told)
