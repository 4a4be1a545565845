"""Ground truth for tests and the demo under ``/_exchange/``: no part of the venue, no credentials asked."""

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange.api.host import Host, answer, refused
from core.exchange.ledger import Account, TokenKey
from core.exchange.listing import extra_listing
from core.exchange.orders import Order, Trade
from core.units import OrderSide, Outcome, Shares, UnitError, Usd, micro_text, parse_micro


class _Fund(msgspec.Struct):
    address: str
    cash: float | str


class _Take(msgspec.Struct):
    market: str
    outcome: Outcome
    side: OrderSide
    size: float | str


class _Open(msgspec.Struct):
    days: Annotated[float, msgspec.Meta(gt=0, le=3_650)] = 30.0


class _Pause(msgspec.Struct):
    paused: bool = True


class AdminApi:
    """Reads everything, and the few interventions tests need."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange

    def routes(self) -> list[Route]:
        """The routes of this part."""
        public = self._host.public
        return [
            Route("/_exchange/ledger", public(self._ledger), methods=["GET"]),
            Route("/_exchange/fund", public(self._fund), methods=["POST"]),
            Route("/_exchange/trade", public(self._trade), methods=["POST"]),
            Route("/_exchange/open_market", public(self._open), methods=["POST"]),
            Route("/_exchange/pause_participants", public(self._pause), methods=["POST"]),
        ]

    def _ledger(self, request: Request, body: bytes) -> Response:
        """Every market's truth, every account, every order ever received from outside, every trade with an outsider.

        ``?accounts=outside`` leaves the participants' accounts and open orders out. The books are checked first: a
        broken invariant answers 500.
        """
        exchange = self._exchange
        exchange.ledger.check()
        accounts = list(exchange.ledger.accounts.values())
        if request.query_params.get("accounts") == "outside":
            accounts = [account for account in accounts if account.address not in self._host.population.accounts]
        return answer(
            {
                "now_ms": exchange.now_ms,
                "markets": {market: self._market(market) for market in exchange.listings},
                "rewards": micro_text(exchange.ledger.rewards),
                "deposited": micro_text(exchange.ledger.deposited),
                "fees": micro_text(exchange.ledger.fees),
                "collateral": {market: micro_text(held) for market, held in exchange.ledger.collateral.items()},
                "accounts": [self._account(account) for account in accounts],
                "received": list(exchange.received),
                "orders": [self._order(order) for order in exchange.engine.orders.values() if order.new.owner],
                "trades": [_trade(trade) for trade in exchange.trades.values()],
            }
        )

    def _fund(self, request: Request, body: bytes) -> Response:
        """Deposit cash: ``{"address", "cash"}`` in dollars.

        An account nobody funded gets the automatic amount when its key is created (L1) or its first order arrives.
        """
        try:
            asked = msgspec.json.decode(body, type=_Fund)
            cash = parse_micro(str(asked.cash))
        except (msgspec.DecodeError, UnitError) as error:
            return refused(str(error))
        self._exchange.deposit(asked.address, Usd(cash))
        return answer({"address": asked.address, "cash": micro_text(self._exchange.ledger.account(asked.address).cash)})

    def _trade(self, request: Request, body: bytes) -> Response:
        """Make a stranger take ``size`` shares of ``outcome`` at whatever price the book gives."""
        try:
            asked = msgspec.json.decode(body, type=_Take)
            size = parse_micro(str(asked.size))
        except (msgspec.DecodeError, UnitError) as error:
            return refused(str(error))
        if asked.market not in self._exchange.listings:
            return refused("market not found")
        report = self._exchange.force_trade(asked.market, asked.outcome, asked.side, Shares(size), self._host.now_ms())
        if report.trade is None:
            return refused(report.error)
        return answer(_trade(report.trade))

    def _open(self, request: Request, body: bytes) -> Response:
        """List one more market, which ends after ``days``, with participants of its own; tells its condition id."""
        try:
            asked = msgspec.json.decode(body or b"{}", type=_Open)
        except msgspec.DecodeError as error:
            return refused(str(error))
        exchange = self._exchange
        listing = extra_listing(exchange.seed, len(exchange.listings), exchange.now_ms // 1000, days=asked.days)
        exchange.open_market(listing)
        self._host.population.settle(listing.instrument.market)
        return answer({"market": listing.instrument.market})

    def _pause(self, request: Request, body: bytes) -> Response:
        """Stop the participants, or let them go on with ``{"paused": false}``."""
        try:
            asked = msgspec.json.decode(body or b"{}", type=_Pause)
        except msgspec.DecodeError as error:
            return refused(str(error))
        self._host.population.pause(asked.paused)
        return answer({"paused": asked.paused})

    def _market(self, market: str) -> dict[str, Any]:
        """What no client can know: the true probability and what the question will come to."""
        population = self._host.population
        return {
            "phase": self._exchange.phase(market),
            "result": self._exchange.results.get(market),
            "probability": population.beliefs[market].truth,
            "outcome": population.outcome(market),
        }

    def _account(self, account: Account) -> dict[str, Any]:
        return {
            "address": account.shown,
            "cash": micro_text(account.cash),
            "active_cash": micro_text(account.active_cash),
            "matched_cash": micro_text(account.matched_cash),
            "tokens": self._tokens(account.tokens),
            "active_tokens": self._tokens(account.active_tokens),
            "matched_tokens": self._tokens(account.matched_tokens),
            "open_orders": [order.new.order_id for order in self._exchange.engine.open_orders(account.address)],
        }

    def _tokens(self, held: dict[TokenKey, int]) -> dict[str, str]:
        instrument = self._exchange.engine.instrument
        return {instrument(market).token_of(outcome): micro_text(n) for (market, outcome), n in held.items() if n}

    def _order(self, order: Order) -> dict[str, Any]:
        new = order.new
        return {
            "id": new.order_id,
            "account": new.account,
            "owner": new.owner,
            "market": new.market,
            "outcome": new.outcome,
            "side": new.side,
            "price": order.instrument.grid.text(new.price),
            "size": micro_text(new.size),
            "matched": micro_text(order.matched),
            "status": order.status,
            "received_ms": order.created_ms,
            "trades": order.trades,
        }


def _trade(trade: Trade) -> dict[str, Any]:
    taker = trade.taker.new
    return {
        "id": trade.trade_id,
        "market": trade.market,
        "status": trade.status,
        "matched_ms": trade.matched_ms,
        "self_trade": trade.self_trade,
        "taker": {
            "order_id": taker.order_id,
            "account": taker.account,
            "outcome": taker.outcome,
            "side": taker.side,
            "size": micro_text(trade.size),
            "cash": micro_text(trade.cash),
            "fee": micro_text(trade.fee),
        },
        "makers": [
            {
                "order_id": fill.order.new.order_id,
                "account": fill.order.new.account,
                "outcome": fill.order.new.outcome,
                "side": fill.order.new.side,
                "size": micro_text(fill.size),
                "cash": micro_text(fill.cash),
            }
            for fill in trade.fills
        ],
    }
