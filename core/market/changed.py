"""What of a market that is made may change while it is, and what may not: facts are taken over, its identity never.

The tick and the least size come with its book, whose hash proves them; the catalogue is minutes late there.
"""

from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Final

from msgspec.structs import replace

from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.text import cleaned
from core.units import MICRO, Shares, micro_text

_IDENTITY: Final = ("market", "yes_token", "no_token", "neg_risk", "group", "group_index")
"""What orders are built with and settled by."""
_SHOWN: Final = 40
"""Characters of a foreign text that are shown."""
_LAST_UNIX: Final = 253_402_300_800.0
"""Seconds since 1970 to the year 10000, which no calendar of ours has."""


def contradictions(known: Instrument, told: Instrument) -> list[str]:
    """What makes it another market than the one that is made, in words; what is not told contradicts nothing."""
    found = []
    for name in _IDENTITY:
        before, after = getattr(known, name), getattr(told, name)
        if before != after and before not in ("", None) and after not in ("", None):
            found.append(f"{name} {_text(before)} -> {_text(after)}")
    return found


def with_facts(known: Instrument, told: Instrument) -> Instrument:
    """The market with the facts that are told now.

    What is not told any more stays as it was: a source that lost its memory moves no game. Only where nothing is how
    the venue spells that there is none, as in a reward programme's bounds, it is taken for that.
    """
    fresh = {name: getattr(told, name) for name, _, _ in _FACTS}
    lost = [name for name, value in fresh.items() if value in (None, "", ()) and name not in _ABSENT]
    return replace(known, **{name: value for name, value in fresh.items() if name not in lost})


def changes(known: Instrument, fresh: Instrument) -> list[str]:
    """What differs in facts, in words: ``what before -> after``."""
    return [
        f"{words} {text(getattr(known, name))} -> {text(getattr(fresh, name))}"
        for name, words, text in _FACTS
        if getattr(known, name) != getattr(fresh, name)
    ]


def same_but_grid(known: Instrument, told: Instrument) -> bool:
    """Nothing differs but what comes with the book."""
    return known == replace(told, tick_text=known.tick_text, min_size=known.min_size, min_size_text=known.min_size_text)


def _text(value: Any) -> str:
    return "none" if value in (None, "", ()) else cleaned(str(value), _SHOWN)


def _moment(unix: float | None) -> str:
    if unix is None:
        return "none"
    if not 0 <= unix < _LAST_UNIX:
        return f"{unix:g}"
    return formatdate(unix, usegmt=True)


def _shares(size: Shares | None) -> str:
    return "none" if size is None else micro_text(size)


def _cents(cents: float | None) -> str:
    return "none" if cents is None else f"{cents:g} cents"


def _pool(dollars: float | None) -> str:
    return "none" if dollars is None else f"${dollars:g} a day"


def _fees(fees: FeeSchedule | None) -> str:
    if fees is None:
        return "none"
    exponent = f" with exponent {fees.exponent:g}" if fees.exponent != 1 else ""
    return f"{fees.rate / MICRO:g}{exponent}, {fees.rebate / MICRO:g} of it to makers"


def _size(markets: int) -> str:
    return str(markets) if markets else "not known"


def _tags(tags: tuple[str, ...]) -> str:
    return _text(", ".join(tags))


_FACTS: Final[tuple[tuple[str, str, Callable[[Any], str]], ...]] = (
    ("game_start_unix", "start of the game", _moment),
    ("end_unix", "end", _moment),
    ("start_unix", "start", _moment),
    ("fees", "taker fee rate", _fees),
    ("reward_min_size", "reward minimum size", _shares),
    ("reward_max_spread_cents", "reward spread", _cents),
    ("reward_daily_usd", "reward pool", _pool),
    ("tags", "tags", _tags),
    ("group_size", "markets that make its event complete", _size),
    ("event_id", "event", _text),
    ("title", "title", _text),
)
"""(name, words, how it is shown); what decides when it is quoted comes first."""
_ABSENT: Final = frozenset({"reward_min_size", "reward_max_spread_cents"})
"""Of these nothing is a word too: there is no programme."""
