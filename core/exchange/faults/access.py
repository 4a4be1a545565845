"""Who is let in, and how: ``geoblock`` and ``version``."""

from typing import Final

import msgspec

from core.exchange import refusals
from core.exchange.faults import verbs
from core.exchange.faults.effects import Effect
from core.exchange.faults.requests import Asked, Plan, html_reply, json_reply

_GEOBLOCK: Final = "/api/geoblock"
_PLACES: Final = (("POST", "/order"), ("POST", "/orders"))
_FORBIDDEN: Final = 403


class GeoblockEffect(Effect):
    """No orders from here: the site says so, and what is posted meets the edge network (polymarket-api.md 1)."""

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Tell of the block, or let a placement feel it."""
        verb = self.verb
        assert isinstance(verb, verbs.Geoblock)
        if self.over(now_ms):
            return
        if asked.path == _GEOBLOCK:
            self.note(f"GET {_GEOBLOCK}")
            plan.edits.append(self._edit)
        elif (asked.method, asked.path) in _PLACES:
            self.note(f"{asked.method} {asked.path}")
            plan.reply = html_reply(_FORBIDDEN)

    def _edit(self, body: bytes) -> bytes:
        verb = self.verb
        assert isinstance(verb, verbs.Geoblock)
        told = msgspec.json.decode(body, type=dict[str, object])
        return msgspec.json.encode(told | {"blocked": True, "country": verb.country, "region": verb.region})


class VersionEffect(Effect):
    """The venue takes orders of another version than those that are signed."""

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Tell the version, or refuse a placement for it."""
        verb = self.verb
        assert isinstance(verb, verbs.Version)
        if self.over(now_ms):
            return
        if asked.path == "/version":
            self.note("GET /version")
            plan.edits.append(lambda _: msgspec.json.encode({"version": verb.to}))
        elif (asked.method, asked.path) in _PLACES:
            self.note(f"{asked.method} {asked.path}")
            plan.reply = json_reply(400, refusals.VERSION_MISMATCH)
