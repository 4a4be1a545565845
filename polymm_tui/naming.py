"""Which markets may have been meant, for somebody who named none of them, or several."""

from collections.abc import Iterable
from typing import Final

from core.market.naming import Named
from widgets.format import clean, fit

_WIDTH: Final = 80
_MOST: Final = 20


def candidate_lines(asked: str, candidates: Iterable[Named]) -> list[str]:
    """Which markets may have been meant."""
    known = tuple(candidates)
    name, wanted = clean(asked)[:40], asked.strip().casefold()
    if not known:
        return [f"no market is called {name!r}, and none is made"]
    fits = any(wanted in text.casefold() for one in known for text in (one.market, one.title))
    head = f"{name!r} may be several markets:" if fits else f"no market is called {name!r}; there are:"
    named = [f"  {clean(one.market)[:12]}  {clean(one.title)}" for one in known[:_MOST]]
    more = len(known) - len(named)
    return [head, *[fit(line, _WIDTH).rstrip() for line in named], *([f"  and {more:,} more"] if more else [])]
