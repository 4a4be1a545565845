"""CLOB REST, private part: orders, cancels, read-back, balances, keys, heartbeat (polymarket-api.md 3, 4.2, 4.3)."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import frames, refusals
from core.exchange.api.host import Host, answer, refused
from core.exchange.auth import AuthError, Credentials
from core.exchange.intake import BATCH_LIMIT, Refused
from core.exchange.orders import Order, Report, Trade
from core.exchange.wallets import wallets_of
from core.units import micro_text

CANCEL_LIMIT: Final = 1_000
"""Most ids in one DELETE /orders (polymarket-api.md 2.5)."""
PAGE: Final = 100
END_CURSOR: Final = "LTE="
_SPENDERS: Final = (
    "0xE111180000d2663C0091e4f400237545B87B996B",
    "0xe2222d279d744050d28e00520010520000310F59",
    "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
)
_UNLIMITED: Final = str(2**256 - 1)


class OrdersApi:
    """Everything that needs an API key, and the making of keys."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange

    def routes(self) -> list[Route]:
        """The routes of this part."""
        private = self._host.private
        table = (
            ("/order", "POST", self._post_order),
            ("/orders", "POST", self._post_orders),
            ("/order", "DELETE", self._cancel_order),
            ("/orders", "DELETE", self._cancel_orders),
            ("/cancel-all", "DELETE", self._cancel_all),
            ("/cancel-market-orders", "DELETE", self._cancel_market),
            ("/data/orders", "GET", self._orders),
            ("/data/order/{order_id}", "GET", self._order),
            ("/data/trades", "GET", self._trades),
            ("/balance-allowance", "GET", self._balance),
            ("/balance-allowance/update", "GET", self._balance),
            ("/auth/api-keys", "GET", self._api_keys),
            ("/auth/api-key", "DELETE", self._delete_key),
            ("/auth/ban-status/closed-only", "GET", self._closed_only),
            ("/v1/heartbeats", "POST", self._heartbeat),
        )
        routes = [Route(path, private(handler), methods=[method]) for path, method, handler in table]
        routes.append(Route("/auth/api-key", self._host.public(self._create_key), methods=["POST"]))
        routes.append(Route("/auth/derive-api-key", self._host.public(self._derive_key), methods=["GET"]))
        return routes

    def _take(self, raw: bytes | msgspec.Raw, who: Credentials) -> Report:
        try:
            new = self._host.intake.read(raw, who)
        except Refused as refusal:
            self._exchange.note_received(who.api_key, refusal.order_id, refusal.text)
            return Report(error=refusal.text)
        return self._exchange.place(new)

    def _post_order(self, request: Request, who: Credentials, body: bytes) -> Response:
        report = self._take(body, who)
        return refused(report.error) if report.error else answer(_placed(report))

    def _post_orders(self, request: Request, who: Credentials, body: bytes) -> Response:
        try:
            legs = msgspec.json.decode(body, type=list[msgspec.Raw])
        except msgspec.DecodeError:
            return refused(refusals.PAYLOAD)
        if len(legs) > BATCH_LIMIT:
            return refused(refusals.too_many(len(legs), BATCH_LIMIT))
        if not legs:
            return refused(refusals.PAYLOAD)
        return answer([_placed(self._take(leg, who)) for leg in legs])

    def _cancelled(self, who: Credentials, order_ids: list[str]) -> Response:
        done, failed = self._exchange.cancel(who.api_key, order_ids, self._host.now_ms())
        return answer({"canceled": done, "not_canceled": failed})

    def _cancel_order(self, request: Request, who: Credentials, body: bytes) -> Response:
        try:
            order_id = msgspec.json.decode(body, type=dict[str, str])["orderID"]
        except (msgspec.DecodeError, KeyError):
            return refused(refusals.PAYLOAD)
        return self._cancelled(who, [order_id])

    def _cancel_orders(self, request: Request, who: Credentials, body: bytes) -> Response:
        try:
            order_ids = msgspec.json.decode(body, type=list[str])
        except msgspec.DecodeError:
            return refused(refusals.PAYLOAD)
        if len(order_ids) > CANCEL_LIMIT:
            return refused(refusals.too_many(len(order_ids), CANCEL_LIMIT))
        return self._cancelled(who, order_ids)

    def _cancel_all(self, request: Request, who: Credentials, body: bytes) -> Response:
        return self._cancelled(who, [order.new.order_id for order in self._exchange.open_orders(who.api_key)])

    def _cancel_market(self, request: Request, who: Credentials, body: bytes) -> Response:
        try:
            wanted = msgspec.json.decode(body, type=dict[str, str])
        except msgspec.DecodeError:
            return refused(refusals.PAYLOAD)
        if not (wanted.get("market") or wanted.get("asset_id")):
            return refused(refusals.PAYLOAD)
        return self._cancelled(who, [order.new.order_id for order in self._filtered(who, wanted)])

    def _filtered(self, who: Credentials, wanted: Any) -> list[Order]:
        market, asset = wanted.get("market"), wanted.get("asset_id")
        token_of = self._exchange.engine.instrument
        return [
            order
            for order in self._exchange.open_orders(who.api_key)
            if (not market or order.new.market == market)
            and (not asset or token_of(order.new.market).token_of(order.new.outcome) == asset)
        ]

    def _order_body(self, order: Order) -> dict[str, Any]:
        instrument = self._exchange.engine.instrument(order.new.market)
        shown = self._exchange.ledger.accounts[order.new.account].shown
        return frames.order_fields(instrument, order, shown) | {
            "status": order.status,
            "size_matched": micro_text(order.matched),
            "associate_trades": order.trades,
            "created_at": order.created_ms // 1000,
        }

    def _orders(self, request: Request, who: Credentials, body: bytes) -> Response:
        params = request.query_params
        found = self._filtered(who, params)
        if "id" in params:
            found = [order for order in found if order.new.order_id == params["id"]]
        return _page([self._order_body(order) for order in found], params.get("next_cursor", ""))

    def _order(self, request: Request, who: Credentials, body: bytes) -> Response:
        order = self._exchange.engine.orders.get(request.path_params["order_id"])
        if order is None or order.new.owner != who.api_key:
            return refused(refusals.ORDER_NOT_FOUND)
        return answer(self._order_body(order))

    def _trade_body(self, trade: Trade, who: Credentials) -> dict[str, Any]:
        accounts = self._exchange.ledger.accounts
        involved = [trade.taker, *(fill.order for fill in trade.fills)]
        shown = {order.new.account: accounts[order.new.account].shown for order in involved}
        mine = next(order.new.account for order in involved if order.new.owner == who.api_key)
        instrument = self._exchange.engine.instrument(trade.market)
        fields = frames.trade_fields(instrument, trade, who.api_key, mine, shown)
        return fields | {"match_time_nano": str(trade.matched_ms * 1_000_000), "err_msg": ""}

    def _trades(self, request: Request, who: Credentials, body: bytes) -> Response:
        params = request.query_params
        try:
            after, before = int(params.get("after", "0")), int(params.get("before", str(self._exchange.now_ms)))
        except ValueError:
            return refused(refusals.PAYLOAD)
        maker = params.get("maker_address", "").lower()
        found = []
        for trade in self._exchange.trades_of(who.api_key):
            fields = self._trade_body(trade, who)
            same = all(fields[key] == params[key] for key in ("id", "market", "asset_id") if key in params)
            same = same and (not maker or maker == fields["maker_address"].lower())
            if same and after < trade.matched_ms // 1000 <= before:
                found.append(fields)
        return _page(found, params.get("next_cursor", ""))

    def _balance(self, request: Request, who: Credentials, body: bytes) -> Response:
        """Settled money of the key's wallets of one kind; a wallet nobody has seen yet is funded by asking."""
        params = request.query_params
        kind = params.get("signature_type", "0")
        wallets = wallets_of(who.address, int(kind)) if kind in ("0", "1", "2", "3") else ()
        if not wallets:
            return refused("invalid signature_type")
        ledger = self._exchange.ledger
        if not any(wallet.lower() in ledger.accounts for wallet in wallets):
            self._exchange.admit(wallets[0])
        held = [ledger.accounts[wallet.lower()] for wallet in wallets if wallet.lower() in ledger.accounts]
        if params.get("asset_type") == "COLLATERAL":
            balance = sum(account.cash for account in held)
        else:
            place = self._exchange.by_token.get(params.get("token_id", ""))
            if place is None:
                return refused(refusals.TOKEN)
            balance = sum(account.tokens.get(place, 0) for account in held)
        return answer({"balance": str(balance), "allowances": dict.fromkeys(_SPENDERS, _UNLIMITED)})

    def _api_keys(self, request: Request, who: Credentials, body: bytes) -> Response:
        return answer({"apiKeys": [held.api_key for held in self._exchange.keys.of_address(who.address)]})

    def _delete_key(self, request: Request, who: Credentials, body: bytes) -> Response:
        self._exchange.keys.drop(who.api_key)
        return answer("OK")

    def _closed_only(self, request: Request, who: Credentials, body: bytes) -> Response:
        return answer({"closed_only": False})

    def _heartbeat(self, request: Request, who: Credentials, body: bytes) -> Response:
        try:
            sent = msgspec.json.decode(body, type=dict[str, str | None]).get("heartbeat_id") or ""
        except msgspec.DecodeError:
            return refused(refusals.PAYLOAD)
        accepted, expected = self._exchange.deadman.beat(who.api_key, sent, self._exchange.now_ms)
        if accepted:
            return answer({"heartbeat_id": expected})
        return answer({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected}, 400)

    def _create_key(self, request: Request, body: bytes) -> Response:
        try:
            address, nonce = self._exchange.keys.check_l1(request.headers, self._host.now_s())
        except AuthError as error:
            return refused(str(error))
        made = self._exchange.keys.create(address, nonce)
        self._exchange.admit(address)
        return refused("Could not create api key") if made is None else answer(made.wire())

    def _derive_key(self, request: Request, body: bytes) -> Response:
        try:
            address, nonce = self._exchange.keys.check_l1(request.headers, self._host.now_s())
        except AuthError as error:
            return refused(str(error))
        held = self._exchange.keys.derive(address, nonce)
        return refused("Could not derive api key!") if held is None else answer(held.wire())


def _placed(report: Report) -> dict[str, Any]:
    """The answer to one posted order; a refused leg says success with an empty id (polymarket-api.md 4.2)."""
    body: dict[str, Any] = {
        "success": True,
        "errorMsg": report.error,
        "orderID": "",
        "status": "",
        "makingAmount": "",
        "takingAmount": "",
        "tradeIDs": [],
        "transactionsHashes": [],
    }
    if report.order is None:
        return body
    body |= {"orderID": report.order.new.order_id, "status": "live"}
    trade = report.trade
    if trade is not None:
        cash, shares = micro_text(trade.cash), micro_text(trade.size)
        buys = trade.taker.new.side == "BUY"
        body |= {
            "status": "matched",
            "makingAmount": cash if buys else shares,
            "takingAmount": shares if buys else cash,
            "tradeIDs": [trade.trade_id],
        }
    return body


def _page(items: Sequence[dict[str, Any]], cursor: str) -> Response:
    """One page in the cursor envelope; a cursor is the base64 of an offset (polymarket-api.md 4.2)."""
    try:
        start = int(base64.b64decode(cursor)) if cursor and cursor != END_CURSOR else 0
    except (binascii.Error, ValueError):
        return refused("Invalid cursor")
    page = items[start : start + PAGE] if cursor != END_CURSOR else []
    end = start + PAGE
    following = base64.b64encode(str(end).encode()).decode() if end < len(items) and page else END_CURSOR
    return answer({"limit": PAGE, "count": len(page), "next_cursor": following, "data": list(page)})
