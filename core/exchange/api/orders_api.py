"""CLOB REST: orders and cancels, and the limits they are under (polymarket-api.md 4.2, 10.2, 10.3)."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import refusals
from core.exchange.api.account_api import AccountApi, open_orders
from core.exchange.api.auth_api import AuthApi
from core.exchange.api.gate import halted, post_only_refusal
from core.exchange.api.host import Host, answer, refused
from core.exchange.auth import Credentials
from core.exchange.intake import BATCH_LIMIT, Refused, parse
from core.exchange.limits import Bucket
from core.exchange.orders import Order, Report
from core.units import micro_text

CANCEL_LIMIT: Final = 1_000
"""Most ids in one DELETE /orders (polymarket-api.md 2.5)."""

T = TypeVar("T")


class OrdersApi:
    """Placing and cancelling; the rest of what needs an API key is served by its two companions."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange
        self._limits = host.intake.limits

    def routes(self) -> list[Route]:
        """The routes of the private API."""
        table = (
            ("/order", "POST", self._post_order),
            ("/orders", "POST", self._post_orders),
            ("/order", "DELETE", self._cancel_order),
            ("/orders", "DELETE", self._cancel_orders),
            ("/cancel-all", "DELETE", self._cancel_all),
            ("/cancel-market-orders", "DELETE", self._cancel_market),
        )
        routes = [Route(path, self._host.private(handler), methods=[method]) for path, method, handler in table]
        return [*routes, *AccountApi(self._host).routes(), *AuthApi(self._host).routes()]

    def _metered(self, who: Credentials, bucket: Bucket, cost: int, act: Callable[[], Response]) -> Response:
        """Do something if the venue's mode and the signer's bucket let it, and tell how the bucket stands."""
        now_ms = self._exchange.now_ms
        wait_s = 0
        response = halted(self._exchange, cancelling=bucket == "cancels")
        if response is None:
            wait_s = self._limits.take(who.address, bucket, cost, now_ms)
            response = refused(refusals.TOO_FAST) if wait_s else act()
        response.headers.update(self._limits.headers(who.address, bucket, now_ms, wait_s))
        return response

    def _take(self, raw: bytes | msgspec.Raw, who: Credentials) -> dict[str, Any]:
        """Place one posted order; the answer to it, or to its leg of a batch."""
        try:
            taken = self._host.intake.read(raw, who)
        except Refused as refusal:
            self._exchange.note_received(who.api_key, refusal.order_id, refusal.text)
            return _placed(Report(error=refusal.text))
        return _placed(self._exchange.place(taken.order), deferred=taken.deferred)

    def _post_order(self, request: Request, who: Credentials, body: bytes) -> Response:
        return self._metered(who, "orders", 1, lambda: self._placed_one(self._take(body, who)))

    def _placed_one(self, placed: dict[str, Any]) -> Response:
        if placed["errorMsg"] == refusals.POST_ONLY_MODE:
            return post_only_refusal(self._exchange)
        return refused(placed["errorMsg"]) if placed["errorMsg"] else answer(placed)

    def _post_orders(self, request: Request, who: Credentials, body: bytes) -> Response:
        legs = _read(body, list[msgspec.Raw]) or []
        if not 0 < len(legs) <= BATCH_LIMIT:
            text = refusals.too_many(len(legs), BATCH_LIMIT) if legs else refusals.PAYLOAD
            return self._metered(who, "orders", 1, lambda: refused(text))
        return self._metered(who, "orders", len(legs), lambda: self._placed_all([self._take(leg, who) for leg in legs]))

    def _placed_all(self, placed: list[dict[str, Any]]) -> Response:
        """A batch is answered leg by leg; one with nothing the venue's mode allows is refused as a whole."""
        if all(leg["errorMsg"] == refusals.POST_ONLY_MODE for leg in placed):
            return post_only_refusal(self._exchange)
        return answer(placed)

    def _cancelled(self, who: Credentials, order_ids: list[str]) -> Response:
        done, failed = self._exchange.cancel(who.api_key, order_ids, self._exchange.now_ms)
        return answer({"canceled": done, "not_canceled": failed})

    def _cancel_order(self, request: Request, who: Credentials, body: bytes) -> Response:
        order_id = (_read(body, dict[str, str]) or {}).get("orderID")
        return self._cancel_ids(who, None if order_id is None else [order_id])

    def _cancel_orders(self, request: Request, who: Credentials, body: bytes) -> Response:
        return self._cancel_ids(who, _read(body, list[str]))

    def _cancel_ids(self, who: Credentials, order_ids: list[str] | None) -> Response:
        if order_ids is None or len(order_ids) > CANCEL_LIMIT:
            text = refusals.PAYLOAD if order_ids is None else refusals.too_many(len(order_ids), CANCEL_LIMIT)
            return self._metered(who, "cancels", 1, lambda: refused(text))
        return self._metered(who, "cancels", max(1, len(order_ids)), lambda: self._cancelled(who, order_ids))

    def _cancel_all(self, request: Request, who: Credentials, body: bytes) -> Response:
        return self._metered(who, "cancels", 1, lambda: self._cancel_matching(who, {}))

    def _cancel_market(self, request: Request, who: Credentials, body: bytes) -> Response:
        wanted = _read(body, dict[str, str]) or {}
        if not (wanted.get("market") or wanted.get("asset_id")):
            return self._metered(who, "cancels", 1, lambda: refused(refusals.PAYLOAD))
        return self._metered(who, "cancels", 1, lambda: self._cancel_matching(who, wanted))

    def _cancel_matching(self, who: Credentials, wanted: Mapping[str, str]) -> Response:
        """Cancel what fits; it costs one token more for each, which nobody knew before, so there may be a debt."""
        found: list[Order] = open_orders(self._exchange, who, wanted)
        response = self._cancelled(who, [order.new.order_id for order in found])
        self._limits.charge(who.address, "cancels", len(found), self._exchange.now_ms)
        return response


def _read(body: bytes, kind: type[T]) -> T | None:
    """A JSON body of the type given; None when it is something else."""
    try:
        return parse(body, kind)
    except Refused:
        return None


def _placed(report: Report, *, deferred: bool = False) -> dict[str, Any]:
    """The answer to one posted order; a refused leg says success with an empty id (polymarket-api.md 4.2).

    A ``deferred`` order that matched is answered as if it had not yet: the client asked not to wait for it.
    """
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
    trade = report.trade
    held = report.order.status == "DELAYED" or (deferred and trade is not None)
    body |= {"orderID": report.order.new.order_id, "status": "delayed" if held else "live"}
    if trade is not None and not held:
        cash, shares = micro_text(trade.cash), micro_text(trade.size)
        buys = trade.taker.new.side == "BUY"
        body |= {
            "status": "matched",
            "makingAmount": cash if buys else shares,
            "takingAmount": shares if buys else cash,
            "tradeIDs": [trade.trade_id],
        }
    return body
