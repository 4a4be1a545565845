"""CLOB REST: what an API key may read of its own, and its heartbeat (polymarket-api.md 4.2, 4.3)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import frames, refusals, signing
from core.exchange.api.cursors import cursor_page
from core.exchange.api.host import Host, answer, refused
from core.exchange.api.notice_body import notice_body
from core.exchange.api.params import BadParam
from core.exchange.auth import Credentials
from core.exchange.chain import contracts
from core.exchange.exchange import Exchange
from core.exchange.intake import Refused, parse
from core.exchange.orders import Order, Trade
from core.exchange.signing import EXCHANGE, EXCHANGE_V3, NEG_RISK_EXCHANGE, SigningError, spelled
from core.units import micro_text
from core.venue.wallets import wallets_of

PAGE: Final = 100
_CTF_SPENDERS: Final = (EXCHANGE, NEG_RISK_EXCHANGE, contracts.ADAPTER, contracts.NEG_RISK_ADAPTER)
_V2_SPENDERS: Final = (EXCHANGE_V3, contracts.ROUTER)
_SPENDERS: Final = {
    "COLLATERAL": (contracts.PUSD, _CTF_SPENDERS + _V2_SPENDERS),
    "CONDITIONAL": (contracts.CTF, _CTF_SPENDERS),
    "CONDITIONAL-V2": (contracts.POSITION_MANAGER, _V2_SPENDERS),
}
"""Each kind of asset's contract, and those that move it when a trade settles (polymarket-api.md 3.6)."""

T = TypeVar("T")


class AccountApi:
    """Orders, trades, balances, scoring, notifications, tier and heartbeat of an API key."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange

    def routes(self) -> list[Route]:
        """The routes of this part."""
        table = (
            ("/data/orders", "GET", self._orders),
            ("/data/order/{order_id}", "GET", self._order),
            ("/data/trades", "GET", self._trades),
            ("/balance-allowance", "GET", self._balance),
            ("/balance-allowance/update", "GET", self._balance),
            ("/order-scoring", "GET", self._scoring),
            ("/orders-scoring", "POST", self._scorings),
            ("/notifications", "GET", self._notifications),
            ("/notifications", "DELETE", self._drop_notifications),
            ("/v1/user/rate-limit-tier", "GET", self._tier),
            ("/v1/heartbeats", "POST", self._heartbeat),
        )
        return [Route(path, self._host.private(handler), methods=[method]) for path, method, handler in table]

    def _order_body(self, order: Order) -> dict[str, Any]:
        shown = self._exchange.ledger.accounts[order.new.account].shown
        return frames.order_fields(order, shown) | {
            "status": order.status,
            "size_matched": micro_text(order.matched),
            "associate_trades": order.trades,
            "created_at": order.created_ms // 1000,
        }

    def _orders(self, request: Request, who: Credentials, body: bytes) -> Response:
        params = request.query_params
        found = open_orders(self._exchange, who, params)
        if params.get("id"):
            found = [order for order in found if order.new.order_id == params["id"]]
        return _page(found, self._order_body, params.get("next_cursor", ""))

    def _order(self, request: Request, who: Credentials, body: bytes) -> Response:
        order = self._mine(request.path_params["order_id"], who)
        return refused(refusals.ORDER_NOT_FOUND) if order is None else answer(self._order_body(order))

    def _mine(self, order_id: str, who: Credentials) -> Order | None:
        order = self._exchange.engine.orders.get(order_id)
        return None if order is None or order.new.owner != who.api_key else order

    def _trades(self, request: Request, who: Credentials, body: bytes) -> Response:
        """Trades newest first; ``after`` and ``before`` are unix seconds, the former not included."""
        params = request.query_params
        try:
            after = signing.decimal(params.get("after") or "0")
            before = signing.decimal(params.get("before") or str(self._exchange.now_ms // 1000))
        except SigningError:
            return refused(refusals.PAYLOAD)
        maker = params.get("maker_address", "").lower()

        def fits(trade: Trade) -> bool:
            taker = trade.taker.new
            same = {"id": trade.trade_id, "market": trade.market, "asset_id": trade.instrument.token_of(taker.outcome)}
            return (
                all(same[key] == params[key] for key in same if params.get(key))
                and (not maker or maker == _party(trade, who))
                and after < trade.matched_ms // 1000 <= before
            )

        def shown(trade: Trade) -> dict[str, Any]:
            accounts = self._exchange.ledger.accounts
            involved = (trade.taker, *(fill.order for fill in trade.fills))
            spelled = {order.new.account: accounts[order.new.account].shown for order in involved}
            fields = frames.trade_fields(trade, who.api_key, _party(trade, who), spelled)
            return fields | {
                "status": "MATCHED_NOT_BROADCASTED" if trade.status == "MATCHED" else trade.status,
                "match_time_nano": str(trade.matched_ms * 1_000_000),
                "err_msg": "",
            }

        found = [trade for trade in self._exchange.trades_of(who.api_key) if fits(trade)]
        return _page(found, shown, params.get("next_cursor", ""))

    def _balance(self, request: Request, who: Credentials, body: bytes) -> Response:
        """Settled money of the key's wallets of one kind; a wallet nobody has seen yet is funded by asking."""
        params = request.query_params
        kind, asset = params.get("signature_type", "0"), params.get("asset_type", "")
        wallets = wallets_of(who.address, int(kind)) if kind in ("0", "1", "2", "3") else ()
        if not wallets:
            return refused(refusals.SIGNATURE_TYPE)
        if asset not in _SPENDERS:
            return refused(refusals.ASSET_TYPE)
        place = self._exchange.by_token.get(params.get("token_id", ""))
        if asset != "COLLATERAL" and (place is None or asset != _asset_type(params["token_id"])):
            return refused(refusals.TOKEN)
        ledger = self._exchange.ledger
        if not any(wallet.lower() in ledger.accounts for wallet in wallets):
            self._exchange.admit(wallets[0])
        held = [ledger.accounts[wallet.lower()] for wallet in wallets if wallet.lower() in ledger.accounts]
        if asset == "COLLATERAL" or place is None:
            balance = sum(account.cash for account in held)
        else:
            balance = sum(account.tokens.get(place, 0) for account in held)
        token, spenders = _SPENDERS[asset]
        wallet, given = held[0].address, self._exchange.approvals
        allowances = {spelled(spender): str(given.amount(wallet, token, spender)) for spender in spenders}
        return answer({"balance": str(balance), "allowances": allowances})

    def _scores(self, order_id: str, who: Credentials) -> bool:
        return self._mine(order_id, who) is not None and self._exchange.is_scoring(order_id)

    def _scoring(self, request: Request, who: Credentials, body: bytes) -> Response:
        return answer({"scoring": self._scores(request.query_params.get("order_id", ""), who)})

    def _scorings(self, request: Request, who: Credentials, body: bytes) -> Response:
        try:
            order_ids = parse(body, list[str])
        except Refused as refusal:
            return refused(refusal.text)
        return answer({order_id: self._scores(order_id, who) for order_id in order_ids})

    def _notifications(self, request: Request, who: Credentials, body: bytes) -> Response:
        held = self._exchange.notices.of(who.api_key, self._exchange.now_ms)
        bodies = (notice_body(self._exchange, notice, who.api_key) for notice in held)
        return answer([body for body in bodies if body is not None])

    def _drop_notifications(self, request: Request, who: Credentials, body: bytes) -> Response:
        ids = request.query_params.get("ids", "").split(",")
        numbers = {int(number) for number in ids if number.isascii() and number.isdigit() and len(number) < 20}
        self._exchange.notices.drop(who.api_key, numbers)
        return answer("OK")

    def _tier(self, request: Request, who: Credentials, body: bytes) -> Response:
        return answer({"tier": self._host.intake.limits.tier(who.address).name})

    def _heartbeat(self, request: Request, who: Credentials, body: bytes) -> Response:
        try:
            sent = parse(body, dict[str, str | None]).get("heartbeat_id") or ""
        except Refused as refusal:
            return refused(refusal.text)
        accepted, expected = self._exchange.deadman.beat(who.api_key, sent, self._exchange.now_ms)
        if accepted:
            return answer({"heartbeat_id": expected})
        return answer({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected}, 400)


def open_orders(exchange: Exchange, who: Credentials, wanted: Mapping[str, str]) -> list[Order]:
    """Open orders of a key, oldest first, restricted to a ``market`` and an ``asset_id`` if those are given."""
    market, asset = wanted.get("market"), wanted.get("asset_id")
    return [
        order
        for order in exchange.open_orders(who.api_key)
        if (not market or order.new.market == market)
        and (not asset or order.instrument.token_of(order.new.outcome) == asset)
    ]


def _party(trade: Trade, who: Credentials) -> str:
    """The account with which a key took part in a trade, the taker's first."""
    involved = (trade.taker, *(fill.order for fill in trade.fills))
    return next(order.new.account for order in involved if order.new.owner == who.api_key)


def _asset_type(token: str) -> str:
    return "CONDITIONAL-V2" if signing.is_v2_position(token) else "CONDITIONAL"


def _page(items: Sequence[T], shown: Callable[[T], dict[str, Any]], cursor: str) -> Response:
    try:
        return answer(cursor_page(items, cursor, PAGE, shown))
    except BadParam as error:
        return refused(str(error))
