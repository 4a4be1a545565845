"""``disagree``: of one market, one of its two sources says something else than the other.

Gamma tells of markets through one describer, which is told what to say instead while one request is served, so that
filters see it too; the CLOB's answers are edited wherever the market stands in them (polymarket-api.md 4.1, 7). Trading
goes on as it really is.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec

from core.exchange import refusals
from core.exchange.exchange import Exchange, Retold
from core.exchange.faults import verbs
from core.exchange.faults.effects import Effect
from core.exchange.faults.requests import Asked, Plan, json_reply

_DAY_S: Final = 86_400
_GAMMA_PATH: Final = "/gamma/"
_OTHER_GROUP: Final = "0x" + "5a" * 31 + "00"
_BY_TOKEN: Final = {"/tick-size": ("minimum_tick_size", "tick"), "/neg-risk": ("neg_risk", "neg_risk")}
_LISTS: Final = re.compile(r"/clob-markets/.*|/(sampling-)?(simplified-)?markets(/.*)?")
_MIN_SIZE_FACTOR: Final = 3
_SOME_FEE: Final = 0.05

Fields = dict[str, Any]


class DisagreeEffect(Effect):
    """One source is wrong about one market."""

    exchange: Exchange

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Change what a source says of the market."""
        if self.over(now_ms) or asked.method != "GET":
            return
        if self._verb.source == "clob":
            self._plan_clob(asked, plan)
        elif asked.path.startswith(_GAMMA_PATH):
            self.note(f"GET {asked.path}")
            plan.around.append(self._retold(now_ms / 1000))

    @property
    def _verb(self) -> verbs.Disagree:
        assert isinstance(self.verb, verbs.Disagree)
        return self.verb

    @property
    def _market(self) -> str:
        assert self.scope.market is not None
        return self.scope.market

    @contextlib.contextmanager
    def _retold(self, now_s: float) -> Iterator[None]:
        """Have Gamma tell something else of the market, or nothing."""
        exchange, market = self.exchange, self._market
        if self._verb.what == "missing":
            listings = exchange.listings
            exchange.listings = {name: each for name, each in listings.items() if name != market}
            try:
                yield
            finally:
                exchange.listings = listings
            return
        edit = _GAMMA[self._verb.what]
        instead: Retold = (market, lambda fields: edit(fields, now_s))
        exchange.retold.append(instead)
        try:
            yield
        finally:
            exchange.retold.remove(instead)

    def _plan_clob(self, asked: Asked, plan: Plan) -> None:
        """Edit the CLOB's answer about the market, or have it know nothing of it."""
        what, market = self._verb.what, self._market
        if what == "hydrating":
            of_token = self._names_token(asked)
            if of_token or asked.path in (f"/clob-markets/{market}", f"/markets/{market}"):
                self.note(f"GET {asked.path}")
                plan.reply = json_reply(404, refusals.NO_BOOK if of_token else refusals.MARKET_NOT_FOUND)
        elif _LISTS.fullmatch(asked.path):
            plan.edits.append(partial(self._edit, asked.path))
        elif _BY_TOKEN.get(asked.path, ("", ""))[1] == what and self._names_token(asked):
            plan.edits.append(partial(self._edit_single, asked.path))

    def _names_token(self, asked: Asked) -> bool:
        """Whether a request names one of the market's tokens."""
        instrument = self.exchange.listings[self._market].instrument
        named = asked.query.get("token_id") or asked.path.removeprefix("/markets-by-token/")
        return named in (instrument.yes_token, instrument.no_token)

    def _edit(self, path: str, body: bytes) -> bytes:
        """A market's parameters, or a list of them, with something else in it."""
        told = msgspec.json.decode(body)
        changed = _with(told, self._market, _CLOB[self._verb.what])
        if changed == told:
            return body
        self.note(f"GET {path}")
        return msgspec.json.encode(changed)

    def _edit_single(self, path: str, body: bytes) -> bytes:
        """One parameter by token."""
        name, _ = _BY_TOKEN[path]
        value = msgspec.json.decode(body, type=Fields)[name]
        self.note(f"GET {path}")
        return msgspec.json.encode({name: not value if isinstance(value, bool) else _other_tick(value)})


def _with(told: Any, market: str, edit: Callable[[Fields], Fields]) -> Any:
    """An answer in which the objects about a market are edited, alone or in a page's ``data``."""
    if isinstance(told, list):
        return [_with(each, market, edit) for each in told]
    if not isinstance(told, dict):
        return told
    if market in (told.get("condition_id"), told.get("c")):
        return told | edit(told)
    return told | {"data": _with(told["data"], market, edit)} if "data" in told else told


def _other_tick(tick: float) -> float:
    return 0.01 if tick == 0.001 else 0.001


def _other_delay(delay: bool | int) -> bool | int:
    """Seconds in lists, yes or no in the parameters."""
    return not delay if isinstance(delay, bool) else 0 if delay else 3


def _turned(text: str) -> str:
    """A JSON list inside a string, the other way round."""
    items = msgspec.json.decode(text, type=list[str])
    return msgspec.json.encode(items[::-1]).decode()


def _day(unix_s: float) -> str:
    return _moment(unix_s)[:10]


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _gamma_turned(fields: Fields, *names: str) -> Fields:
    """Lists of the two outcomes the other way round, and of v2 the positions with the tokens."""
    turned: Fields = {name: _turned(fields[name]) for name in names}
    return turned | ({"positionIds": fields["positionIds"][::-1]} if "positionIds" in fields else {})


def _gamma_empty(fields: Fields) -> Fields:
    """Empty ids; of v2 none."""
    return {"clobTokenIds": '["", ""]'} | ({"positionIds": []} if "positionIds" in fields else {})


def _gamma_version(fields: Fields) -> Fields:
    """The other protocol; a v2 market names its tokens as positions too."""
    if fields["version"] == "v2":
        return {"version": "v1"}
    return {"version": "v2", "positionIds": msgspec.json.decode(fields["clobTokenIds"])}


def _gamma_fee(fields: Fields) -> Fields:
    schedule = fields.get("feeSchedule") or {"exponent": 1, "rate": 0.0, "takerOnly": True, "rebateRate": 0.0}
    return {"feesEnabled": True, "feeSchedule": schedule | {"rate": schedule["rate"] + _SOME_FEE}}


_GAMMA: Final[dict[str, Callable[[Fields, float], Fields]]] = {
    "neg_risk": lambda fields, _: {"negRisk": not fields["negRisk"]},
    "group": lambda _, __: {"negRiskMarketID": _OTHER_GROUP},
    "tokens": lambda fields, _: _gamma_turned(fields, "clobTokenIds"),
    "order": lambda fields, _: _gamma_turned(fields, "clobTokenIds", "outcomes", "outcomePrices"),
    "tick": lambda fields, _: {"orderPriceMinTickSize": _other_tick(fields["orderPriceMinTickSize"])},
    "min_size": lambda fields, _: {"orderMinSize": fields["orderMinSize"] * _MIN_SIZE_FACTOR},
    "fee": lambda fields, _: _gamma_fee(fields),
    "reward": lambda fields, _: {"rewardsMinSize": fields["rewardsMinSize"] + 100, "rewardsMaxSpread": 0.5},
    "delay": lambda fields, _: {"secondsDelay": _other_delay(fields["secondsDelay"])},
    "version": lambda fields, _: _gamma_version(fields),
    "accepting": lambda fields, _: {"acceptingOrders": not fields["acceptingOrders"]},
    "closed": lambda _, __: {"closed": True, "acceptingOrders": False},
    "hydrating": lambda fields, _: _gamma_empty(fields),
    "ended": lambda _, now_s: {"endDate": _moment(now_s - _DAY_S), "endDateIso": _day(now_s - _DAY_S)},
    "resolution": lambda _, __: {"umaResolutionStatus": "proposed", "umaResolutionStatuses": '["proposed"]'},
}
"""What Gamma says instead, of its object and the time in unix seconds."""


def _clob_tokens(fields: Fields) -> Fields:
    """Each token under the other outcome's name; ``t`` of the parameters, ``tokens`` of the old lists."""
    name, outcome = ("t", "o") if "t" in fields else ("tokens", "outcome")
    first, second = fields[name]
    return {name: [first | {outcome: second[outcome]}, second | {outcome: first[outcome]}]}


def _clob_order(fields: Fields) -> Fields:
    """The two tokens the other way round."""
    name = "t" if "t" in fields else "tokens"
    return {name: fields[name][::-1]}


def _either(fields: Fields, short: str, long: str, change: Callable[[Any], Any], missing: Any = None) -> Fields:
    """A change of the field a CLOB object has: the short parameters' name or the old lists'."""
    brief = "t" in fields
    name = short if brief else long
    return {name: change(fields.get(name, missing))} if name in fields or (brief and missing is not None) else {}


def _clob_fee(fields: Fields) -> Fields:
    if "t" not in fields:
        return {}
    told = fields.get("fd") or {"r": 0.0, "e": 1, "to": True}
    return {"fd": told | {"r": told["r"] + _SOME_FEE}}


def _clob_reward(fields: Fields) -> Fields:
    if "t" in fields:
        return {"r": fields["r"] | {"mi": fields["r"]["mi"] + 100, "ma": 0.5}}
    if "rewards" not in fields:
        return {}
    return {"rewards": fields["rewards"] | {"min_size": fields["rewards"]["min_size"] + 100, "max_spread": 0.5}}


_CLOB: Final[dict[str, Callable[[Fields], Fields]]] = {
    "neg_risk": lambda fields: _either(fields, "nr", "neg_risk", lambda value: not value, missing=False),
    "group": lambda fields: {"neg_risk_market_id": _OTHER_GROUP} if "neg_risk_market_id" in fields else {},
    "tokens": _clob_tokens,
    "order": _clob_order,
    "tick": lambda fields: _either(fields, "mts", "minimum_tick_size", _other_tick),
    "min_size": lambda fields: _either(fields, "mos", "minimum_order_size", lambda size: size * _MIN_SIZE_FACTOR),
    "fee": _clob_fee,
    "reward": _clob_reward,
    "delay": lambda fields: _either(fields, "itode", "seconds_delay", _other_delay),
    "version": lambda fields: {"v": "v1" if fields["v"] == "v2" else "v2"} if "t" in fields else {},
    "accepting": lambda fields: _either(fields, "ao", "accepting_orders", lambda value: not value),
}
"""What the CLOB says instead, of its short parameters or the objects of its old lists."""
