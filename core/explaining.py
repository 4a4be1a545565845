"""What somebody is told who asks why a market is quoted as it is: of a session, a replay, or nothing but a name."""

import msgspec

from core.engine import Engine
from core.market.naming import Named, meant
from core.quoting.explain import MarketExplanation


class Explained(msgspec.Struct, frozen=True):
    """The answer to the question for one market."""

    explanation: MarketExplanation | None
    """None when no market is meant, or more than one."""
    candidates: tuple[Named, ...]
    """Markets that may have been meant; all there are when none fits."""
    unix: float
    """Of the answer, seconds since 1970."""


def explained(engine: Engine, asked: str, now: float, unix: float) -> Explained:
    """Explain the market that ``asked`` stands for (:func:`core.market.naming.meant`), at ``now`` of the engine."""
    known = tuple(Named(desk.market, desk.instrument.title) for desk in engine.desks.values())
    found = meant(asked, known)
    explanation = engine.explain(found[0].market, now) if len(found) == 1 else None
    return Explained(explanation, found or known, unix)
