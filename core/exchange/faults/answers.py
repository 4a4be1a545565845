"""Faults of single answers: batches that do not fit, lists with holes, cancels too late, keys no longer taken."""

import base64
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from core.exchange import refusals
from core.exchange.faults import verbs
from core.exchange.faults.effects import Effect
from core.exchange.faults.requests import Asked, Plan, Reply, json_reply

_CANCELS: Final = ("/order", "/orders")
_PLACES: Final = (("POST", "/order"), ("POST", "/orders"))
_FETCHES: Final = (("GET", "/auth/derive-api-key"), ("POST", "/auth/api-key"))
_END_CURSOR: Final = "LTE="


class BatchEffect(Effect):
    """The answer to POST /orders does not fit what was sent."""

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Edit the answer."""
        if self.over(now_ms) or (asked.method, asked.path) != ("POST", "/orders"):
            return
        self.spend()
        self.note("POST /orders")
        plan.edits.append(self._edit)

    def _edit(self, body: bytes) -> bytes:
        legs = msgspec.json.decode(body)
        if not isinstance(legs, list):
            return body
        if isinstance(self.verb, verbs.BatchShort):
            del legs[self.verb.leg : self.verb.leg + 1]
        else:
            legs = [*legs[1:], *legs[:1]]
        return msgspec.json.encode(legs)


class PageEffect(Effect):
    """One of the lists of /data is incomplete."""

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Edit the page it is about, or refuse it."""
        verb = self.verb
        assert isinstance(verb, verbs.OmitPage)
        if not self.over(now_ms) and (asked.method, asked.path) == ("GET", f"/data/{verb.list}"):
            plan.edits.append(partial(self._edit, asked.query.get("next_cursor", "")))

    def _edit(self, cursor: str, body: bytes) -> bytes | Reply:
        verb = self.verb
        assert isinstance(verb, verbs.OmitPage)
        page: dict[str, Any] = msgspec.json.decode(body)
        if _offset(cursor) // page["limit"] != verb.page - 1:
            return body
        self.spend()
        self.note(f"page {verb.page} of /data/{verb.list}")
        if verb.lost == "answer":
            return json_reply(500, "Internal server error")
        page["data"] = page["data"][: verb.keep]
        page["count"] = len(page["data"])
        if verb.lost == "rest":
            page["next_cursor"] = _END_CURSOR
        return msgspec.json.encode(page)


def _offset(cursor: str) -> int:
    """Where the page of a cursor begins; a cursor is the base64 of an offset (polymarket-api.md 4.2)."""
    return int(base64.b64decode(cursor)) if cursor not in ("", _END_CURSOR) else 0


class RaceEffect(Effect):
    """A cancel that comes too late."""

    lose: Callable[[str, str], None]
    """Fills or cancels an order of an API key, given key and order id."""

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Have something happen to the orders before the cancel is served."""
        if self.over(now_ms) or asked.method != "DELETE" or asked.path not in _CANCELS:
            return
        order_ids = _named_orders(asked.body)
        if not order_ids:
            return
        self.spend()
        self.note(f"cancel of {len(order_ids)}")
        key = asked.headers.get("poly_api_key", "")
        plan.first.extend(partial(self.lose, key, order_id) for order_id in order_ids)


def _named_orders(body: bytes) -> list[str]:
    try:
        named = msgspec.json.decode(body, type=dict[str, str] | list[str])
    except msgspec.DecodeError:
        return []
    return named if isinstance(named, list) else [text for name, text in named.items() if name == "orderID"]


class ExpiredEffect(Effect):
    """Credentials that are no longer taken."""

    healed: set[str] = msgspec.field(default_factory=set)
    """API keys fetched again."""

    def refuses(self, key: str, now_ms: int) -> bool:
        """Whether a key is refused."""
        return key != "" and not self.over(now_ms) and self.scope.key in (None, key) and key not in self.healed

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Refuse, or notice that the key is fetched again."""
        verb = self.verb
        assert isinstance(verb, verbs.ExpireCredentials)
        if (asked.method, asked.path) in _FETCHES:
            if verb.heals == "derive" and not self.over(now_ms):
                plan.edits.append(self._heal)
            return
        if verb.paths == "orders" and (asked.method, asked.path) not in _PLACES:
            return
        if self.refuses(asked.headers.get("poly_api_key", ""), now_ms):
            self.note(f"{asked.method} {asked.path}")
            plan.reply = json_reply(401, refusals.L2)

    def _heal(self, body: bytes) -> bytes:
        """Take the key of a good answer again."""
        key = msgspec.json.decode(body)["apiKey"]
        self.healed.add(key)
        self.note("key fetched again")
        return body
