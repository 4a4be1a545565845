"""The matching engine: price-time priority on one YES-frame book per market, and the venue's refusals.

Pure: no clock, no I/O, no dice. BUY NO at ``x`` rests as a YES ask at ``K - x`` (polymarket-api.md 2.2), so three kinds
of match exist: complementary (tokens change hands), mint (BUY YES meets BUY NO) and merge (SELL YES meets SELL NO).
Fills happen at the maker's price; makers pay no fee, takers pay theirs in collateral (polymarket-api.md 9.1). Where a
market has a taker delay, an order that would match at once is held and matches what is there when it is let go.

Self-trade: the venue documents no prevention (polymarket-api.md 2.5), so an order does meet its own account's resting
orders. Such trades carry ``self_trade`` in the ledger: a client that wants none must see to it, and a test can tell.
"""

import hashlib
import uuid
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import structs

from core.exchange import refusals
from core.exchange.book import RestingBook
from core.exchange.ledger import Ledger
from core.exchange.orders import (
    LevelChange,
    MakerFill,
    Movement,
    NewOrder,
    Order,
    OrderUpdate,
    Report,
    Trade,
    UpdateKind,
)
from core.market.fees import BPS, FeeSchedule, taker_fee
from core.market.instrument import Instrument
from core.units import MICRO, Grid, Shares, Ticks, Usd

MARKETABLE_MINIMUM = Usd(MICRO)
"""Least notional of a marketable BUY and of any FOK or FAK order (polymarket-api.md 2.4)."""
EXPIRY_NOTICE_S = 180
"""A GTD order must expire at least this far ahead (polymarket-api.md 2.5)."""

RECORD_LIMIT = 100_000
"""How many finished orders, trades and receipts of outside owners are remembered."""


class Fill(NamedTuple):
    """A planned match with one resting order."""

    maker: Order
    size: int
    cash: int
    """Micro-dollars to or from the maker."""


class MatchingEngine:
    """Books, orders and trades of all markets; money through the ledger."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger = ledger
        self.books: dict[str, RestingBook] = {}
        self.orders: dict[str, Order] = {}
        """Open orders, and the last ``RECORD_LIMIT`` finished ones of outside owners (a hash is accepted once)."""
        self.open: dict[str, dict[str, Order]] = {}
        """Open orders by account."""
        self.held: dict[str, Order] = {}
        """Orders in their market's taker delay, by id."""
        self.halted: dict[str, str] = {}
        """Markets that take no orders, each with the reason it gives."""
        self._instruments: dict[str, Instrument] = {}
        self._fees: dict[str, FeeSchedule] = {}
        self._delays: set[str] = set()
        self._seed = seed
        self._trade_count = 0
        self._finished: deque[str] = deque()

    def add_market(self, instrument: Instrument, fee_bps: int = 0, *, delays_takers: bool = False) -> None:
        """Open a market; ``fee_bps`` is the taker fee rate in hundredths of a per cent (500 = rate 0.05)."""
        self.books[instrument.market] = RestingBook()
        self._instruments[instrument.market] = instrument
        self._fees[instrument.market] = FeeSchedule(rate=fee_bps * BPS)
        if delays_takers:
            self._delays.add(instrument.market)

    def delay_takers(self, market: str, delayed: bool) -> None:
        """Hold the marketable orders of a market from now on, or match them at once again."""
        (self._delays.add if delayed else self._delays.discard)(market)

    def instrument(self, market: str) -> Instrument:
        """The facts of a market."""
        return self._instruments[market]

    def submit(self, new: NewOrder, now_ms: int) -> Report:
        """Accept or refuse an order; match it or hold it for the taker delay, rest what is left."""
        refusal = self._refuse_shape(new, now_ms)
        if refusal:
            return Report(error=refusal)
        instrument = self._instruments[new.market]
        order = Order(
            new=new,
            instrument=instrument,
            yes_side=new.yes_side,
            yes_price=new.price if new.outcome == "YES" else instrument.grid.complement(new.price),
            created_ms=now_ms,
        )
        crossing = self.books[new.market].crosses(order.yes_side, order.yes_price)
        if new.post_only and crossing:
            return Report(error=refusals.POST_ONLY_CROSSES)
        fills = list(self._plan(order)) if crossing else []
        refusal = self._refuse_match(order, fills) or self._refuse_money(order, fills)
        if refusal:
            return Report(error=refusal)
        self.orders[new.order_id] = order
        if crossing and new.market in self._delays:
            return self._hold(order)
        report = Report(order=order, updates=[_update("PLACEMENT", order)])
        self._work(order, fills, now_ms, report)
        return report

    def let_go(self, order_id: str, now_ms: int) -> Report:
        """End an order's taker delay: it matches what is there now, rests, or ends unmatched."""
        order = self.held.pop(order_id, None)
        if order is None:
            return Report(error=refusals.NOT_CANCELED)
        self._release(order, order.reserved)
        order.status = "LIVE"
        crossing = self.books[order.new.market].crosses(order.yes_side, order.yes_price)
        fills = list(self._plan(order)) if crossing else []
        report = Report(order=order)
        if order.new.market in self.halted:
            self._drop(order, "CANCELED_MARKET_RESOLVED", report)
        elif self._refuse_match(order, fills):
            self._drop(order, "CANCELED", report)
        elif self._refuse_money(order, fills):
            self._drop(order, "CANCELED_NOT_ENOUGH_BALANCE", report)
        else:
            self._work(order, fills, now_ms, report)
            if not fills:
                report.updates.append(structs.replace(_update("UPDATE", order), status="UNMATCHED"))
        return report

    def cancel(self, order_id: str, status: str = "CANCELED") -> Report:
        """Take an open order out of its book; an error when there is nothing to cancel."""
        order = self.orders.get(order_id)
        if order_id in self.held:
            return Report(error=refusals.HELD)
        if order is None or order.status != "LIVE":
            return Report(error=refusals.NOT_CANCELED)
        total = self.books[order.new.market].reduce(order, order.remaining)
        self._release(order, order.reserved)
        report = Report(order=order, changes=[_change(order, total)])
        self._drop(order, status, report)
        return report

    def change_grid(self, instrument: Instrument) -> list[Report]:
        """Put a market on the tick of ``instrument``; orders whose price is not on it are cancelled first, and told."""
        market, grid = instrument.market, instrument.grid
        resting = list(self.books[market].orders())
        held = [order for order in self.held.values() if order.new.market == market]
        lost = {order.new.order_id for order in (*resting, *held) if not _fits(order, grid)}
        reports = []
        for order in held:
            if order.new.order_id in lost:
                del self.held[order.new.order_id]
                self._release(order, order.reserved)
                reports.append(Report(order=order))
                self._drop(order, "CANCELED", reports[-1])
        reports.extend(self.cancel(order.new.order_id) for order in resting if order.new.order_id in lost)
        self._instruments[market] = instrument
        book = self.books[market] = RestingBook()
        for order in (*resting, *held):
            if order.new.order_id not in lost:
                order.yes_price = order.instrument.grid.onto(grid, order.yes_price)
                order.new = structs.replace(order.new, price=order.instrument.grid.onto(grid, order.new.price))
                order.instrument = instrument
        for order in resting:
            if order.new.order_id not in lost:
                book.add(order)
        return reports

    def open_orders(self, account: str) -> list[Order]:
        """Open orders of an account, oldest first."""
        return list(self.open.get(account, {}).values())

    def _refuse_shape(self, new: NewOrder, now_ms: int) -> str:
        instrument = self._instruments.get(new.market)
        if instrument is None:
            return refusals.MARKET_NOT_FOUND
        if new.order_id in self.orders:
            return refusals.duplicated(new.order_id)
        if new.market in self.halted:
            return self.halted[new.market]
        grid = instrument.grid
        if not 0 < new.price < grid.k:
            return refusals.off_grid(new.order_id, str(new.price / grid.k), grid.tick_text)
        resting = new.order_type in ("GTC", "GTD")
        if new.post_only and not resting:
            return refusals.POST_ONLY_TYPE
        if resting and new.size < instrument.min_size:
            return refusals.too_small(new.order_id, new.size, instrument.min_size_text)
        if new.size <= 0:
            return refusals.PAYLOAD
        dated = new.expiration != 0
        if dated != (new.order_type == "GTD") or (dated and new.expiration * 1000 < now_ms + EXPIRY_NOTICE_S * 1000):
            return refusals.EXPIRATION
        return ""

    def _refuse_match(self, order: Order, fills: list[Fill]) -> str:
        new, grid = order.new, order.instrument.grid
        taking = new.order_type in ("FOK", "FAK")
        if new.order_type == "FAK" and not fills:
            return refusals.FAK_MISSED
        if fills and (taking or new.side == "BUY"):
            notional = sum(self._taker_cash(order, fill) for fill in fills)
            if new.side == "BUY":
                notional = new.budget if new.budget is not None else grid.notional(new.price, new.size)
            if notional < MARKETABLE_MINIMUM:
                return refusals.marketable_minimum(new.side, notional)
        if new.order_type == "FOK" and not self._filled_whole(order, fills):
            return refusals.FOK_MISSED
        return ""

    def _refuse_money(self, order: Order, fills: list[Fill]) -> str:
        new, grid = order.new, order.instrument.grid
        account = self.ledger.accounts.get(new.account)
        if account is None:
            return refusals.no_balance(0, 0, 0, new.size)
        matched = sum(fill.size for fill in fills)
        if new.side == "SELL":
            key = (new.market, new.outcome)
            held = (account.tokens.get(key, 0), account.active_tokens.get(key, 0), account.matched_tokens.get(key, 0))
            need: int = new.size
        else:
            held = (account.cash, account.active_cash, account.matched_cash)
            fee = sum(self._fee(order, fill) for fill in fills)
            need = sum(self._taker_cash(order, fill) for fill in fills) + fee
            if new.budget is None:
                need += grid.notional(new.price, Shares(max(0, new.size - matched)))
            else:
                need = max(need, new.budget + fee)
        if need > held[0] - held[1] - held[2]:
            return refusals.no_balance(*held, need)
        return ""

    def _plan(self, order: Order) -> Iterable[Fill]:
        """The makers an order meets, and how much of each, without touching anything."""
        new, grid = order.new, order.instrument.grid
        wanted: int = new.size
        budget = new.budget
        for maker in self.books[new.market].counterparties(order.yes_side, order.yes_price):
            size: int = maker.remaining
            if budget is None:
                size = min(size, wanted)
            else:
                own = maker.yes_price if new.outcome == "YES" else grid.complement(maker.yes_price)
                size = min(size, budget * MICRO // (own * grid.tick_usd))
            if size <= 0:
                return
            left = Shares(maker.remaining - size)
            price = maker.new.price
            fill = Fill(maker, size, grid.notional(price, maker.remaining) - grid.notional(price, left))
            wanted -= size
            if budget is not None:
                budget = Usd(budget - self._taker_cash(order, fill))
            yield fill

    def _filled_whole(self, order: Order, fills: list[Fill]) -> bool:
        new, grid = order.new, order.instrument.grid
        if new.budget is None:
            return sum(fill.size for fill in fills) == new.size
        left = new.budget - sum(self._taker_cash(order, fill) for fill in fills)
        return bool(fills) and left < max(1, new.price * grid.tick_usd // MICRO + 1)

    @staticmethod
    def _taker_cash(order: Order, fill: Fill) -> int:
        """Micro-dollars the taker pays or gets: the maker's sum, or what is left of one dollar a share."""
        return fill.cash if order.new.side != fill.maker.new.side else fill.size - fill.cash

    def _fee(self, taker: Order, fill: Fill) -> Usd:
        price = taker.instrument.grid.dollars_of(fill.maker.yes_price)
        return taker_fee(price, Shares(fill.size), self._fees[taker.new.market])

    def _hold(self, order: Order) -> Report:
        """Keep an order for its market's taker delay; it can be neither matched nor cancelled (2.5)."""
        order.status = "DELAYED"
        self.held[order.new.order_id] = order
        self._reserve(order)
        return Report(order=order, updates=[_update("PLACEMENT", order)])

    def _work(self, order: Order, fills: list[Fill], now_ms: int, report: Report) -> None:
        """Match an order with what was planned for it, then rest or finish what is left."""
        if fills:
            self._execute(order, fills, now_ms, report)
        self._rest_or_finish(order, report)

    def _execute(self, taker: Order, fills: list[Fill], now_ms: int, report: Report) -> None:
        new, grid = taker.new, taker.instrument.grid
        book = self.books[new.market]
        trade_id, transaction = self._next_trade()
        size = cash = fee = 0
        makers: list[MakerFill] = []
        movements: list[Movement] = []
        levels: dict[Ticks, LevelChange] = {}
        for fill in fills:
            maker = fill.maker
            total = book.reduce(maker, fill.size)
            levels[maker.yes_price] = LevelChange(
                side=maker.yes_side, price=maker.yes_price, size=total, outcome=new.outcome
            )
            maker.matched = Shares(maker.matched + fill.size)
            maker.trades.append(trade_id)
            self._release(maker, fill.cash if maker.new.side == "BUY" else fill.size)
            if maker.remaining == 0:
                self._finish(maker, "MATCHED")
            makers.append(MakerFill(order=maker, price=maker.new.price, size=Shares(fill.size), cash=Usd(fill.cash)))
            movements.append(_movement(maker, fill.size, fill.cash, 0))
            size += fill.size
            cash += self._taker_cash(taker, fill)
            fee += self._fee(taker, fill)
            report.updates.append(_update("UPDATE", maker))
        movements.append(_movement(taker, size, cash, fee))
        taker.matched = Shares(size)
        taker.trades.append(trade_id)
        last = fills[-1].maker.yes_price
        report.changes.extend(levels.values())
        report.trade = Trade(
            trade_id=trade_id,
            market=new.market,
            instrument=taker.instrument,
            taker=taker,
            size=Shares(size),
            cash=Usd(cash),
            fee=Usd(fee),
            last_price=last if new.outcome == "YES" else grid.complement(last),
            fills=makers,
            movements=movements,
            matched_ms=now_ms,
            updated_ms=now_ms,
            transaction_hash=transaction,
            self_trade=any(fill.maker.new.account == new.account for fill in fills),
        )
        self.ledger.commit(new.market, movements)

    def _rest_or_finish(self, order: Order, report: Report) -> None:
        new = order.new
        if order.remaining > 0 and new.order_type in ("GTC", "GTD"):
            total = self.books[new.market].add(order)
            self._reserve(order)
            self.open.setdefault(new.account, {})[new.order_id] = order
            report.changes.append(_change(order, total))
        elif new.order_type == "FAK" and new.budget is None and order.remaining > 0:
            self._drop(order, "CANCELED", report)
            return
        else:
            self._finish(order, "MATCHED")
        if order.matched:
            report.updates.append(_update("UPDATE", order))

    def _reserve(self, order: Order) -> None:
        """Hold back what the rest of an order may cost; a delayed one's fee is looked at when it matches."""
        new, grid = order.new, order.instrument.grid
        if new.side == "SELL":
            order.reserved = order.remaining
        else:
            order.reserved = grid.notional(new.price, order.remaining) if new.budget is None else new.budget
        self.ledger.reserve(new, order.reserved)

    def _release(self, order: Order, amount: int) -> None:
        order.reserved -= amount
        self.ledger.reserve(order.new, -amount)

    def _drop(self, order: Order, status: str, report: Report) -> None:
        """End an order that found no (further) match, and say so."""
        self._finish(order, status)
        report.updates.append(_update("CANCELLATION", order))

    def _finish(self, order: Order, status: str) -> None:
        order.status = status
        new = order.new
        self.open.get(new.account, {}).pop(new.order_id, None)
        if not new.owner:
            self.orders.pop(new.order_id, None)
            return
        self._finished.append(new.order_id)
        if len(self._finished) > RECORD_LIMIT:
            del self.orders[self._finished.popleft()]

    def _next_trade(self) -> tuple[str, str]:
        self._trade_count += 1
        digest = hashlib.sha256(f"trade/{self._seed}/{self._trade_count}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4)), "0x" + hashlib.sha256(digest).hexdigest()


def _fits(order: Order, grid: Grid) -> bool:
    """Whether an order's price is one of another grid."""
    dollars = order.instrument.grid.dollars_of(order.yes_price)
    return dollars % grid.tick_usd == 0 and 0 < dollars < MICRO


def _change(order: Order, total: Shares) -> LevelChange:
    return LevelChange(side=order.yes_side, price=order.yes_price, size=total, outcome=order.new.outcome)


def _movement(order: Order, size: int, cash: int, fee: int) -> Movement:
    buys = order.new.side == "BUY"
    return Movement(
        account=order.new.account,
        outcome=order.new.outcome,
        cash=-cash if buys else cash,
        tokens=size if buys else -size,
        fee=fee,
    )


def _update(kind: UpdateKind, order: Order) -> OrderUpdate:
    return OrderUpdate(
        kind=kind,
        order=order,
        status=order.status,
        matched=order.matched,
        trades=tuple(order.trades),
    )
