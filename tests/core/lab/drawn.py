"""Faults drawn by lot: a seed and a kind make a script, the market it is aimed at, and what may be expected of it."""

import random
from collections.abc import Callable
from typing import Final

import msgspec

from core.exchange.crowd.profiles import Name

BEGIN_S: Final = (15.0, 25.0)
"""Faults set in between these, when the engine has been quoting for a while."""


class Drawn(msgspec.Struct):
    """One run with faults."""

    seed: int
    kind: str
    script: str
    ends_s: float
    """From here on nothing is wrong any more, or what is wrong can be healed."""
    profile: Name
    speed: float
    tokens_a_socket: int
    copies: int
    first_only: bool
    """Nothing but the first market is aimed at."""
    rest_is_right: bool
    """REST answers, and with the truth."""

    def __str__(self) -> str:
        return (
            f"seed {self.seed}, {self.kind}, {self.profile} x {self.speed:g}, {self.tokens_a_socket} tokens a socket,"
            f" {self.copies} copies\n{self.script}"
        )


class _Dice:
    """Draws for one run, and the script as it grows."""

    def __init__(self, seed: int, kind: str) -> None:
        self.random = random.Random(f"{seed}/{kind}")
        self.at_s = round(self.random.uniform(*BEGIN_S), 3)
        self.lines: list[str] = []
        self.ends_s = self.at_s
        self.first_only = True
        self.rest_is_right = True

    def span(self, low: float, high: float) -> float:
        return round(self.random.uniform(low, high), 3)

    def fault(self, verb: str, *keys: str, for_s: float | None = None, within_s: float = 0.0) -> None:
        """Add a fault; it sets in at the run's moment or up to ``within_s`` later."""
        at_s = round(self.at_s + self.random.uniform(0, within_s), 3)
        self.lines += ["[[fault]]", f'do = "{verb}"', f"at = {at_s}", *keys]
        if for_s is not None:
            self.lines.append(f"for = {for_s}")
        self.ends_s = max(self.ends_s, at_s + (for_s or 0.0))

    def aim(self) -> list[str]:
        """The first market, one of its tokens, or everything."""
        drawn = self.random.choice(["market", "market", "yes", "no", "all"])
        if drawn == "all":
            self.first_only = False
            return []
        return ["market = 0"] if drawn == "market" else ["market = 0", f'tokens = "{drawn}"']

    def kinds(self) -> list[str]:
        drawn = self.random.choice(["", '"price_change"', '"price_change"', '"book"', '"price_change", "book"'])
        return [f"kinds = [{drawn}]"] if drawn else []

    def or_count(self, low: float, high: float) -> tuple[list[str], float | None]:
        """A few messages, or all of some time."""
        if self.random.random() < 0.4:
            return [f"count = {self.random.randint(1, 4)}"], None
        return [], self.span(low, high)


def _drop(dice: _Dice) -> None:
    count, for_s = dice.or_count(0.3, 6.0)
    dice.fault("drop", *dice.aim(), *dice.kinds(), *count, for_s=for_s)


def _duplicate(dice: _Dice) -> None:
    dice.fault("duplicate", *dice.aim(), f"copies = {dice.random.randint(1, 3)}", for_s=dice.span(5, 20))


def _reorder(dice: _Dice) -> None:
    dice.fault("reorder", *dice.aim(), f"block = {dice.random.randint(2, 5)}", for_s=dice.span(5, 20))


def _delay(dice: _Dice) -> None:
    dice.fault("delay", *dice.aim(), *dice.kinds(), f"ms = {dice.random.randint(20, 3_000)}", for_s=dice.span(3, 20))


def _freeze(dice: _Dice) -> None:
    dice.fault("freeze", *dice.aim(), for_s=dice.span(0.5, 30))


def _freeze_until_resubscribed(dice: _Dice) -> None:
    dice.fault("freeze", *dice.aim(), 'heals = "resubscribe"')


def _freeze_until_reconnected(dice: _Dice) -> None:
    dice.fault("freeze", *dice.aim(), 'heals = "reconnect"')


def _socket(dice: _Dice, verb: str, for_s: float | None = None) -> None:
    narrow = dice.random.random() < 0.5
    dice.first_only = False
    dice.fault(verb, 'channel = "market"', *(["market = 0"] if narrow else []), for_s=for_s)


def _half_open(dice: _Dice) -> None:
    _socket(dice, "half_open", dice.random.choice([None, None, dice.span(1, 20)]))


def _reset(dice: _Dice) -> None:
    _socket(dice, "reset", dice.random.choice([None, None, dice.span(1, 5)]))


def _disconnect(dice: _Dice) -> None:
    _socket(dice, "disconnect", dice.random.choice([None, dice.span(1, 20)]))


def _burst(dice: _Dice) -> None:
    dice.fault("burst", *dice.aim(), for_s=dice.span(0.5, 12))


def _stale_rest(dice: _Dice) -> None:
    dice.rest_is_right = False
    paths = dice.random.choice(["all", "books"])
    dice.fault("stale_rest", f'paths = "{paths}"', "market = 0", for_s=dice.span(10, 40))


def _ghost_book(dice: _Dice) -> None:
    dice.rest_is_right = False
    dice.fault("ghost_book", "market = 0", for_s=dice.span(10, 40))


def _no_rest(dice: _Dice) -> None:
    """REST is down, mute, slow, or talks nonsense."""
    dice.rest_is_right = False
    path = dice.random.choice(["/books", "/prices", "/*s"])
    verb, *keys = dice.random.choice(
        [
            ("http", "status = 503"),
            ("http", "status = 429"),
            ("http", "status = 200", 'body = "html"'),
            ("http", "status = 200", 'text = "[]"'),
            ("blackhole", 'then = "hang"'),
            ("blackhole", 'then = "cut"', 'moment = "before"'),
            ("slow", f"ms = {dice.random.randint(200, 3_000)}"),
        ]
    )
    dice.fault(verb, f'request = "POST {path}"', *keys, for_s=dice.span(10, 40))


def _bad_hash(dice: _Dice) -> None:
    count, for_s = dice.or_count(1, 30)
    dice.fault("bad_hash", *dice.aim(), *count, for_s=for_s)


def _tick_change(dice: _Dice) -> None:
    tick = dice.random.choice(["0.001", "0.005", "0.0025"])
    dice.fault("tick_change", "market = 0", f'tick = "{tick}"', within_s=3)


def _lost_tick_change(dice: _Dice) -> None:
    """Nobody tells of the new grid, or only half of it."""
    kinds = dice.random.choice(['"tick_size_change"', '"tick_size_change", "book"', '"book"'])
    dice.fault("drop", "market = 0", f"kinds = [{kinds}]", for_s=8)
    _tick_change(dice)


def _lost_dump(dice: _Dice) -> None:
    """Sockets come back without a first book."""
    dice.first_only = False
    _reset(dice)
    dice.fault("drop", 'kinds = ["dump"]', for_s=dice.span(3, 15))


def _again_and_again(dice: _Dice) -> None:
    dice.first_only = False
    dice.lines += ["[[fault]]", 'do = "reset"', 'channel = "market"', f"every = {dice.span(3, 9)}", "times = 5"]
    dice.ends_s = 45.0


def _both(*parts: Callable[[_Dice], None]) -> Callable[[_Dice], None]:
    def draw(dice: _Dice) -> None:
        for part in parts:
            part(dice)
            dice.at_s = round(dice.at_s + dice.random.uniform(0, 3), 3)

    return draw


_SINGLE: Final = (
    *(_drop, _duplicate, _reorder, _delay, _freeze, _freeze_until_resubscribed, _freeze_until_reconnected),
    *(_half_open, _reset, _disconnect, _burst, _stale_rest, _ghost_book, _no_rest, _bad_hash, _tick_change),
)


def _three(dice: _Dice) -> None:
    _both(*dice.random.sample(_SINGLE, 3))(dice)


KINDS: Final[dict[str, Callable[[_Dice], None]]] = {
    "drop": _drop,
    "duplicate": _duplicate,
    "reorder": _reorder,
    "delay": _delay,
    "freeze": _freeze,
    "freeze until resubscribed": _freeze_until_resubscribed,
    "freeze until reconnected": _freeze_until_reconnected,
    "half-open": _half_open,
    "reset": _reset,
    "disconnect": _disconnect,
    "burst": _burst,
    "stale REST": _stale_rest,
    "ghost book": _ghost_book,
    "no REST": _no_rest,
    "bad hash": _bad_hash,
    "tick change": _tick_change,
    "lost tick change": _lost_tick_change,
    "lost dump": _lost_dump,
    "resets": _again_and_again,
    "drop, stale REST": _both(_stale_rest, _drop),
    "drop, ghost book": _both(_ghost_book, _drop),
    "drop, no REST": _both(_no_rest, _drop),
    "freeze, ghost book": _both(_ghost_book, _freeze),
    "freeze, stale REST": _both(_freeze, _stale_rest),
    "freeze, no REST": _both(_no_rest, _freeze_until_resubscribed),
    "reset, stale REST": _both(_stale_rest, _reset),
    "reorder, duplicate": _both(_reorder, _duplicate),
    "delay, drop": _both(_delay, _drop),
    "burst, drop": _both(_burst, _drop),
    "bad hash, drop": _both(_bad_hash, _drop),
    "half-open, ghost book": _both(_ghost_book, _half_open),
    "tick change, freeze": _both(_freeze, _tick_change),
    "tick change, stale REST": _both(_stale_rest, _lost_tick_change),
    "three at once": _three,
}


def drawn(seed: int, kind: str) -> Drawn:
    """The run of a seed."""
    dice = _Dice(seed, kind)
    KINDS[kind](dice)
    profile, speed = dice.random.choice([("normal", 4.0), ("normal", 1.0), ("lively", 2.0), ("normal", 15.0)])
    return Drawn(
        seed=seed,
        kind=kind,
        script="\n".join([*dice.lines, ""]),
        ends_s=dice.ends_s,
        profile=profile,
        speed=speed,
        tokens_a_socket=dice.random.choice([200, 2]),
        copies=dice.random.choice([1, 1, 1, 2]),
        first_only=dice.first_only,
        rest_is_right=dice.rest_is_right,
    )
