"""The engine's orders, cancels and order reads in a simulation: they take their time, and faults befall them.

Orders go to the matching engine unsigned.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Final

import msgspec

from core.actions import AccountSection, Place, ReadAccount
from core.events import (
    ActivityRead,
    BalancesRead,
    CancelAnswered,
    ChainRead,
    Event,
    IndexedTrade,
    IndexedTradesRead,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    PayoutSeen,
    PositionsRead,
    ScoringSeen,
    TradesRead,
)
from core.exchange.api.data_rows import new_activity, old_spelling
from core.exchange.faults.requests import Plan
from core.exchange.frames import order_fields, trade_fields
from core.exchange.lifecycle import price_of
from core.exchange.orders import NewOrder, Report, Trade
from core.lab.simulated_world import ACCOUNT, ANSWER_MS, ENTRY_MS, OWNER, World
from core.units import Shares, UnitError, Usd
from core.venue.account_rows import open_orders_read, trades_read
from core.venue.answers import refusal_of
from core.venue.data_api import activity_row
from core.venue.user_channel import order_seen

_encode: Final = msgspec.json.Encoder().encode


class Requests:
    """What the engine asks of the venue outside the channels."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._exchange = world.exchange

    def order_id(self, place: Place) -> str:
        """The id an order will have."""
        return "0x" + sha256(f"{self._exchange.seed}/{place.intent}".encode()).hexdigest()

    def place(self, batch: Sequence[Place]) -> None:
        """POST /orders."""

        def unknown(why: str) -> list[Event]:
            return [OrderAnswered(intent=place.intent, outcome="unknown", detail=why) for place in batch]

        def act() -> list[Event]:
            refusal = self._exchange.mode.refusal(post_only=not any(place.crosses for place in batch))
            return unknown(refusal) if refusal else [self._placed(place) for place in batch]

        self._send("POST", "/orders", act, unknown("no answer to use"))

    def cancel(self, order_ids: list[str]) -> None:
        """DELETE /orders."""
        unknown: list[Event] = [CancelAnswered(order_id=each, outcome="unknown") for each in order_ids]

        def act() -> list[Event]:
            return self._cancelled(order_ids) if self._exchange.mode.cancels else unknown

        self._send("DELETE", "/orders", act, unknown, order_ids)

    def cancel_all(self) -> None:
        """DELETE /cancel-all."""

        def act() -> list[Event]:
            if not self._exchange.mode.cancels:
                return []
            return self._cancelled([order.new.order_id for order in self._exchange.open_orders(OWNER)])

        self._send("DELETE", "/cancel-all", act, [])

    def cancel_market(self, market: str) -> None:
        """DELETE /cancel-market-orders."""

        def act() -> list[Event]:
            if not self._exchange.mode.cancels:
                return []
            ours = self._exchange.open_orders(OWNER)
            return self._cancelled([order.new.order_id for order in ours if order.new.market == market])

        self._send("DELETE", "/cancel-market-orders", act, [], {"market": market})

    def read_order(self, order_id: str) -> None:
        """GET /data/order."""
        asked_s = self._world.now_s

        def act() -> list[Event]:
            if self._exchange.mode.state == "restarting":
                return []
            order = self._exchange.engine.orders.get(order_id)
            if order is None:
                return [OrderSeen(order_id=order_id, status="absent", asked_s=asked_s)]
            seen = order_seen(order_id, order.status, None)
            return [msgspec.structs.replace(seen, matched=Shares(order.matched), asked_s=asked_s)]

        self._send("GET", f"/data/order/{order_id}", act, [])

    def read_scoring(self, order_ids: Sequence[str]) -> None:
        """POST /orders-scoring."""

        def act() -> list[Event]:
            if self._exchange.mode.state == "restarting":
                return []
            return [ScoringSeen(scoring=tuple((each, self._exchange.is_scoring(each)) for each in order_ids))]

        self._send("POST", "/orders-scoring", act, [], list(order_ids))

    def read_account(self, action: ReadAccount) -> None:
        """GET /data/orders, /data/trades, balances and the public index, and the chain, as far as wished."""
        asked_s = self._world.now_s
        reads: dict[AccountSection, tuple[str, Callable[[], Event], Event]] = {
            "orders": ("/data/orders", lambda: self._listed(asked_s), OpenOrdersRead(asked_s=asked_s)),
            "trades": (
                "/data/trades",
                lambda: self._traded(asked_s, action.after_unix),
                TradesRead(asked_s=asked_s, after_unix=action.after_unix),
            ),
            "balances": ("/balance-allowance", lambda: self._balances(asked_s), BalancesRead(asked_s=asked_s)),
            "index": (
                "/trades",
                lambda: self._indexed(asked_s, action.after_unix),
                IndexedTradesRead(asked_s=asked_s, after_unix=action.after_unix),
            ),
            "positions": ("/positions", lambda: self._positions(asked_s), PositionsRead(asked_s=asked_s)),
            "activity": (
                "/activity",
                lambda: self._activity(asked_s, action.after_unix),
                ActivityRead(asked_s=asked_s, after_unix=action.after_unix),
            ),
            "chain": ("/rpc", lambda: self._mined(asked_s), ChainRead(asked_s=asked_s)),
        }
        for section in action.sections:
            path, read, lost = reads[section]
            self._send("GET", path, partial(self._unless_restarting, read, lost), [lost])

    def read_payouts(self, tokens: Sequence[str]) -> None:
        """What questions pay that are resolved; each is named by the token that stands for YES."""
        exchange = self._exchange

        def act() -> list[Event]:
            places = [exchange.by_token[token] for token in tokens]
            return [
                PayoutSeen(market=market, price=price_of(exchange.results[market], outcome), source="chain")
                for market, outcome in places
                if market in exchange.results
            ]

        self._send("POST", "/rpc", act, [])

    def _unless_restarting(self, read: Callable[[], Event], lost: Event) -> list[Event]:
        return [lost if self._exchange.mode.state == "restarting" else read()]

    def _listed(self, asked_s: float) -> OpenOrdersRead:
        rows = [order_fields(order, ACCOUNT) for order in self._exchange.open_orders(OWNER)]
        return open_orders_read(rows, asked_s)

    def _traded(self, asked_s: float, after_unix: int) -> TradesRead:
        recent = itertools.takewhile(
            lambda trade: trade.matched_ms >= after_unix * 1000, reversed(self._exchange.trades.values())
        )
        ours = [self._shown(trade) for trade in recent if any(owner == OWNER for owner, _ in trade.parties)]
        return trades_read(ours, OWNER, ACCOUNT, asked_s, after_unix)

    def _balances(self, asked_s: float) -> BalancesRead:
        cash = Usd(self._exchange.ledger.account(ACCOUNT).cash)
        return BalancesRead(asked_s=asked_s, cash=cash, holdings=self._holdings(), complete=True)

    def _mined(self, asked_s: float) -> ChainRead:
        cash = Usd(self._exchange.ledger.account(ACCOUNT).cash)
        return ChainRead(asked_s=asked_s, cash=cash, holdings=self._holdings(), complete=True)

    def _activity(self, asked_s: float, after_unix: int) -> ActivityRead:
        recent = itertools.takewhile(
            lambda entry: entry.at_ms >= after_unix * 1000, self._exchange.history.entries(ACCOUNT)
        )
        listings = self._exchange.listings
        rows = (old_spelling(new_activity(entry, listings.get(entry.market))) for entry in recent)
        found = tuple(activity_row(row, ACCOUNT) for row in rows)
        return ActivityRead(asked_s=asked_s, after_unix=after_unix, rows=found, complete=True)

    def _positions(self, asked_s: float) -> PositionsRead:
        return PositionsRead(asked_s=asked_s, holdings=self._holdings(), complete=True)

    def _indexed(self, asked_s: float, after_unix: int) -> IndexedTradesRead:
        """What is final, part by part, as the Data API's rows are made."""
        told = self._traded(asked_s, after_unix)
        trades = tuple(
            IndexedTrade(fill.transaction, fill.token, fill.order_side, fill.size, fill.price, fill.unix)
            for fill in told.fills
            if fill.settlement == "confirmed" and fill.order_side
        )
        return IndexedTradesRead(asked_s=asked_s, after_unix=after_unix, trades=trades, complete=True)

    def _holdings(self) -> tuple[tuple[str, Shares], ...]:
        tokens = self._exchange.ledger.account(ACCOUNT).tokens
        return tuple((token, Shares(tokens.get(key, 0))) for token, key in self._exchange.by_token.items())

    def _send(
        self, method: str, path: str, act: Callable[[], list[Event]], lost: list[Event], body: Any = None
    ) -> None:
        """Have the exchange do what a request asks once it arrives there; ``lost`` is known without an answer."""

        def told(events: list[Event] | None, plan: Plan) -> None:
            for event in lost if events is None or plan.lost else events:
                self._world.later(ANSWER_MS + plan.wait_after_ms, partial(self._world.tell, event))

        self._world.later(ENTRY_MS, lambda: self._serve(method, path, _encode(body), act, told))

    def _serve(
        self,
        method: str,
        path: str,
        body: bytes,
        act: Callable[[], list[Event]],
        done: Callable[[list[Event] | None, Plan], None],
    ) -> None:
        plan = self._world.plan(method, path, body)

        def serve() -> None:
            if plan.lost == "before" or plan.reply is not None:
                done(None, plan)
                return
            for happening in plan.first:
                happening()
            done(act(), plan)

        self._world.after(plan.wait_before_ms, serve)

    def _placed(self, place: Place) -> OrderAnswered:
        market, outcome = self._exchange.by_token[place.token]
        try:
            price = self._exchange.engine.instrument(market).grid.ticks(place.price_text)
        except UnitError:
            report = Report(error="Price breaks minimum tick size rule")
        else:
            report = self._exchange.place(
                NewOrder(
                    order_id=self.order_id(place),
                    account=ACCOUNT,
                    owner=OWNER,
                    market=market,
                    outcome=outcome,
                    side=place.order_side,
                    price=price,
                    size=place.size,
                    order_type="FAK" if place.crosses else "GTC",
                    post_only=not place.crosses,
                )
            )
        if report.order is None:
            refusal = refusal_of(report.error) if place.crosses else ""
            return OrderAnswered(intent=place.intent, outcome="refused", detail=report.error, refusal=refusal)
        if place.crosses and report.trade is not None:
            return OrderAnswered(intent=place.intent, outcome="matched", matched=report.trade.size)
        return OrderAnswered(intent=place.intent, outcome="delayed" if place.crosses else "live")

    def _cancelled(self, order_ids: Iterable[str]) -> list[Event]:
        done, failed = self._exchange.cancel(OWNER, order_ids, self._world.now_ms)
        return [
            *(CancelAnswered(order_id=each, outcome="cancelled") for each in done),
            *(CancelAnswered(order_id=each, outcome="gone", detail=why) for each, why in failed.items()),
        ]

    def _shown(self, trade: Trade) -> dict[str, Any]:
        accounts = self._exchange.ledger.accounts
        shown = {address: account.shown for address, account in accounts.items()}
        return trade_fields(trade, OWNER, ACCOUNT, shown)
