"""One rule of a script: a verb and what sets it off; and how a rule is made of the keys somebody wrote."""

import difflib
import re
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from core.exchange.faults import verbs
from core.exchange.faults.verbs import VERBS, Count, Natural, Seconds, Verb

Moment = Annotated[float, Meta(ge=0, le=1e9, description="seconds, 0 or more")]
Chance = Annotated[float, Meta(gt=0, le=1, description="a probability above 0, up to 1")]
On = Annotated[
    str,
    Meta(
        pattern=(
            r"^(frame(:(dump|book|price_change|last_trade_price|best_bid_ask|tick_size_change|new_market"
            r"|market_resolved))?|user(:(order|trade)(:[A-Z_]+)?)?|request:(\*|[A-Z]+) [/*]\S*|trade"
            r"|(connect|subscribe):(market|user))$"
        ),
        description=(
            '"frame", "frame:KIND", "user", "user:order", "user:trade", "user:trade:CONFIRMED", '
            '"request:POST /order", "trade", "connect:market", "connect:user", "subscribe:market" or "subscribe:user"'
        ),
    ),
]
Times = Annotated[Count | Literal["always"], Meta(description='a whole number of at least 1, or "always"')]


class RuleProblem(Exception):
    """What is wrong with a rule, and under which key; whoever knows file and line adds them."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key
        """As written, with dots; empty when it concerns the rule as a whole."""
        self.text = text


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The predicates a TOML script can name; all that are given must hold."""

    open_orders_at_least: Natural | None = None
    """Open orders of all clients together."""
    open_orders_at_most: Natural | None = None
    trades_at_least: Natural | None = None
    """Trades in which a client took part, since the start."""
    requests_at_least: Natural | None = None
    """Requests since the first fault was armed."""
    market_sockets_at_least: Natural | None = None
    user_sockets_at_least: Natural | None = None


class Facts(msgspec.Struct, frozen=True):
    """What predicates may look at."""

    elapsed_s: float
    """Seconds of exchange time since its start."""
    open_orders: int
    trades: int
    requests: int
    market_sockets: int
    user_sockets: int


Condition = When | Callable[[Facts], bool]


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """What sets a verb off: a time, an event or a predicate (as a condition of the other two when given with them)."""

    at: Moment | None = None
    """Seconds of exchange time since its start; since it was armed for a fault given at run time."""
    every: Seconds | None = None
    """Again and again, first at ``at`` or after one interval."""
    on: On | None = None
    """An event."""
    nth: Count = 1
    """Every n-th of those events."""
    times: Times | None = None
    """How often at most; unset: once, with ``every`` or ``chance`` always."""
    chance: Chance | None = None
    """Probability of each occasion, drawn from the exchange's seed, the rule's number and the occasion's number."""
    when: Condition | None = None

    @property
    def limit(self) -> int | None:
        """How often it may go off; None for always."""
        if self.times is None:
            return None if self.every is not None or self.chance is not None else 1
        return None if self.times == "always" else self.times


class Rule(msgspec.Struct, frozen=True):
    """One armed fault."""

    source: str
    """The file it was written in."""
    line: int
    trigger: Trigger
    verb: Verb
    lines: Mapping[str, int] = {}
    """Where each of its keys was written; the rule's own line for those that are not in it."""

    def place(self, key: str = "") -> str:
        """File and line of the rule or of one of its keys."""
        return f"{self.source}:{self.lines.get(key, self.line)}"


_REASON_MOST: Final = 123
_PRINTABLE: Final = re.compile(r"[!-~]+")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TRIGGER_KEYS: Final = {item.name: item for item in msgspec.structs.fields(Trigger)}
_WHEN_KEYS: Final = {item.name: item for item in msgspec.structs.fields(When)}


def read_rule(keys: Mapping[str, Any], source: str, line: int, lines: Mapping[str, int]) -> Rule:
    """Make a rule of the keys somebody wrote in a file, at lines.

    Raises:
        RuleProblem: a key is unknown or missing, a value is of the wrong kind, or the combination makes no sense.
    """
    name = keys.get("do")
    if name is None:
        raise RuleProblem("", f"do is missing: name one of {', '.join(VERBS)}")
    if not isinstance(name, str) or name not in VERBS:
        raise RuleProblem("do", f"{name!r} is no verb{_near(str(name), VERBS)}")
    kind = VERBS[name]
    own = {item.encode_name: item for item in msgspec.structs.fields(kind)}
    trigger_values: dict[str, Any] = {}
    verb_values: dict[str, Any] = {}
    for key, value in keys.items():
        if key == "do":
            continue
        if key in own:
            verb_values[own[key].name] = _typed(key, value, own[key].type)
        elif key == "when":
            trigger_values[key] = value if callable(value) else _condition(value)
        elif key in _TRIGGER_KEYS:
            trigger_values[key] = _typed(key, value, _TRIGGER_KEYS[key].type)
        else:
            raise RuleProblem(key, f"{name} has no such key{_near(key, [*own, *_TRIGGER_KEYS])}")
    for key, item in own.items():
        if item.required and item.name not in verb_values:
            raise RuleProblem("", f"{name} wants {key}: {_allowed(item.type)}")
    trigger = Trigger(**trigger_values)
    verb = _completed(kind(**verb_values), trigger)
    _check_trigger(trigger)
    _check_verb(verb)
    return Rule(source=source, line=line, trigger=trigger, verb=verb, lines=lines)


def _near(word: str, known: Any) -> str:
    words = list(known)
    found = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {found[0]}?" if found else f"; it is one of {', '.join(words)}"


def _condition(value: Any) -> When:
    if not isinstance(value, dict) or not value:
        raise RuleProblem("when", f"wants a table with {', '.join(_WHEN_KEYS)}, got {value!r}")
    for key, number in value.items():
        if key not in _WHEN_KEYS:
            raise RuleProblem(f"when.{key}", f"no such predicate{_near(key, _WHEN_KEYS)}")
        _typed(f"when.{key}", number, _WHEN_KEYS[key].type)
    return When(**value)


def _typed(key: str, value: Any, kind: Any) -> Any:
    """A value as the type of its field."""
    try:
        if isinstance(value, (bool, int, float, str, list, tuple, dict)):
            return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        pass
    raise RuleProblem(key, f"wants {_allowed(kind)}, got {value!r}")


def _allowed(kind: Any) -> str:
    """What a field takes, for people."""
    origin = get_origin(kind)
    if origin is Annotated:
        meta = get_args(kind)[1]
        return str(meta.description)
    if origin in (Union, types.UnionType):
        return " or ".join(_allowed(part) for part in get_args(kind) if part is not type(None))
    if origin is Literal:
        return "one of " + ", ".join(str(part) for part in get_args(kind))
    if origin is tuple:
        return f"a list, each {_allowed(get_args(kind)[0])}"
    return {bool: "true or false", str: "text", dict: "a table of texts"}.get(origin or kind, "something else")


def _completed(verb: Verb, trigger: Trigger) -> Verb:
    """Fill in what follows from the trigger: the channel, the kind of message, the requests meant."""
    on = trigger.on or ""
    if isinstance(verb, verbs.StreamVerb):
        kinds = verb.kinds
        event = re.fullmatch(r"(?:frame|user):(\w+)(?::\w+)?", on)
        if not kinds and event is not None and verb.for_s is None:
            kinds = (event[1],)  # type: ignore[assignment]
        users = on.startswith("user") or bool(verbs.USER_KINDS.intersection(kinds))
        channel = verb.channel or ("user" if users else "market")
        return msgspec.structs.replace(verb, kinds=kinds, channel=channel)
    if isinstance(verb, verbs.RequestVerb) and verb.request is None and on.startswith("request:"):
        return msgspec.structs.replace(verb, request=on.removeprefix("request:"))
    return verb


def _check_trigger(trigger: Trigger) -> None:
    if trigger.on is not None and (trigger.at is not None or trigger.every is not None):
        raise RuleProblem("on", "an event and a time cannot set off the same fault: give on, or at and every")
    if trigger.nth != 1 and trigger.on is None:
        raise RuleProblem("nth", "counts events: give on too")
    if trigger.chance is not None and trigger.on is None and trigger.every is None:
        raise RuleProblem("chance", "wants occasions: give on or every too")
    once = trigger.on is None and trigger.every is None and (trigger.at is not None or trigger.when is None)
    if trigger.times is not None and once:
        raise RuleProblem("times", "a moment comes once: give every, on or when, or leave times out")


def _check_verb(verb: Verb) -> None:
    """What one field alone cannot say."""
    _check_tokens(verb)
    if isinstance(verb, verbs.StreamVerb):
        _check_stream(verb)
    if isinstance(verb, verbs.SocketVerb | verbs.Say | verbs.Freeze):
        _check_socket(verb)
    if isinstance(verb, verbs.Http):
        _check_http(verb)
    if isinstance(verb, verbs.Redirect) and not _PRINTABLE.fullmatch(verb.to):
        raise RuleProblem("to", "an address has printable ASCII characters only, no spaces")
    if isinstance(verb, verbs.Disconnect):
        if verb.code in (1004, 1005, 1006, 1015):
            raise RuleProblem("code", f"{verb.code} is never sent; use reset for an end without a code")
        if len(verb.reason.encode()) > _REASON_MOST:
            raise RuleProblem("reason", f"at most {_REASON_MOST} bytes fit into a closing frame")
    if isinstance(verb, verbs.TickChange) and str(verb.tick) not in verbs.TICKS:
        raise RuleProblem("tick", f"wants one of {', '.join(verbs.TICKS)}, got {verb.tick!r}")
    if isinstance(verb, verbs.ClockOffset) and verb.seconds == 0:
        raise RuleProblem("seconds", "an offset of 0 changes nothing")
    if isinstance(verb, verbs.Version) and verb.to == verbs.VENUE_VERSION:
        raise RuleProblem("to", f"{verb.to} is what the venue says anyway")
    if isinstance(verb, verbs.Allowance) and verb.spender not in (None, *verbs.SPENDERS[verb.asset]):
        raise RuleProblem("spender", f"takes no {verb.asset}; it is one of {', '.join(verbs.SPENDERS[verb.asset])}")
    if isinstance(verb, verbs.Disagree) and verb.source == "clob" and verb.what in verbs.GAMMA_ONLY:
        raise RuleProblem("what", f'the CLOB has no word of {verb.what}; leave out source = "clob"')


def _check_http(verb: verbs.Http) -> None:
    if verb.status in (204, 304) and (verb.body != "empty" or verb.text):
        raise RuleProblem("body", f'{verb.status} has no body; give body = "empty"')
    for name, value in verb.headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in ("content-length", "transfer-encoding"):
            raise RuleProblem(f"headers.{name}", "no header that can be set here")
        if not value.isascii() or not value.isprintable():
            raise RuleProblem(f"headers.{name}", "a header has printable ASCII characters only")


def _check_tokens(verb: Verb) -> None:
    tokens = getattr(verb, "tokens", None)
    if tokens is None:
        return
    named = [tokens] if isinstance(tokens, str) else tokens
    if not named:
        raise RuleProblem("tokens", "names none; leave it out for all")
    for token in named:
        if token in ("yes", "no", "both"):
            if getattr(verb, "market", None) is None:
                raise RuleProblem("tokens", f"{token!r} wants market too, or give token ids")
        elif not token.isdecimal():
            raise RuleProblem("tokens", f'{token!r} is neither "yes", "no", "both" nor a token id')


def _check_stream(verb: verbs.StreamVerb) -> None:
    if isinstance(verb, verbs.Burst) and verb.for_s is None:
        raise RuleProblem("", "burst wants for: the seconds of silence")
    if isinstance(verb, verbs.Burst) and verb.count is not None:
        raise RuleProblem("count", "burst holds everything back for its time; leave count out")
    wrong = [kind for kind in verb.kinds if (kind in verbs.USER_KINDS) != (verb.channel == "user")]
    if wrong:
        raise RuleProblem("kinds", f"{', '.join(wrong)} does not come on the {verb.channel} channel")
    if isinstance(verb, verbs.BadHash) and not verbs.HASHED_KINDS.issuperset(verb.kinds):
        raise RuleProblem("kinds", f"only {', '.join(sorted(verbs.HASHED_KINDS))} state a hash")
    if isinstance(verb, verbs.Reorder) and "dump" in verb.kinds:
        raise RuleProblem("kinds", "the first array of books is one message; there is nothing to reorder in it")
    if verb.channel == "user" and (verb.tokens is not None or isinstance(verb, verbs.BadHash)):
        raise RuleProblem("channel", "the user channel has no tokens and no hashes; narrow by market or key")
    if verb.channel == "market" and verb.key is not None:
        raise RuleProblem("key", "the market channel belongs to no key")


def _check_socket(verb: verbs.SocketVerb | verbs.Say | verbs.Freeze) -> None:
    narrowed = verb.tokens is not None or (verb.market is not None and not isinstance(verb, verbs.Freeze))
    if verb.channel == "user" and narrowed:
        raise RuleProblem("channel", "a socket of the user channel has no tokens; narrow by key")
    if verb.channel == "market" and verb.key is not None:
        raise RuleProblem("key", "the market channel belongs to no key")
    if isinstance(verb, verbs.Freeze) and verb.channel == "user" and verb.heals == "resubscribe":
        raise RuleProblem("heals", "nothing is subscribed by token on the user channel: time or reconnect")
