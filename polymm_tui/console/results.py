"""What became of the orders that this console's acts wanted gone: told once, when it is known. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from core.events import Act
from core.views import ResultView

CANCELLING: Final[frozenset[Act]] = frozenset(
    {"pause", "reduce", "cancel_market", "cancel_order", "pause_all", "reduce_all", "cancel_all"}
)
"""Acts after which the session tells what became of orders."""
LOST_S: Final = 10.0
"""Without a word from the session for so long, the outcome of an act is called unknown."""
_FORGOTTEN_S: Final = 60.0
"""An act of which the session tells no outcome had none to tell."""


class Outcome(NamedTuple):
    """What is told of an act."""

    title: str
    text: str
    is_bad: bool
    """Orders were refused, or nobody knows."""


@dataclass(slots=True)
class _Awaited:
    act: Act
    market: str
    title: str
    after: int
    """Sequence number of the newest result when the act was sent."""
    sent_s: float


class Outcomes:
    """Acts of this console whose outcome has not been told yet."""

    def __init__(self) -> None:
        self._awaited: list[_Awaited] = []
        self._told: frozenset[int] = frozenset()
        """Sequence numbers of results that have been told, as far as they are still in the view."""

    def await_(self, act: Act, market: str, title: str, results: Sequence[ResultView], now: float) -> None:
        """An act was sent.

        Args:
            act: one of :data:`CANCELLING`; others are not waited for.
            market: condition id or "".
            title: names it for the operator.
            results: of the newest view.
            now: monotonic seconds.
        """
        if act in CANCELLING:
            newest = max((result.seq for result in results), default=0)
            self._awaited.append(_Awaited(act, market, title, newest, now))

    def refused(self, act: Act, market: str) -> None:
        """The newest act like this was not carried out."""
        for awaited in reversed(self._awaited):
            if (awaited.act, awaited.market) == (act, market):
                self._awaited.remove(awaited)
                return

    def told(self, results: Sequence[ResultView], now: float, silent_s: float) -> list[Outcome]:
        """What is known now and has not been told.

        Args:
            results: of the newest view.
            now: monotonic seconds.
            silent_s: seconds for which the session has not been heard of.
        """
        told: list[Outcome] = []
        taken = {each.seq for each in results if each.seq in self._told}
        done = set(taken)
        for awaited in list(self._awaited):
            found = next((each for each in results if _answers(each, awaited) and each.seq not in taken), None)
            if found is not None:
                taken.add(found.seq)
            if found is not None and found.done:
                done.add(found.seq)
                told.append(Outcome(awaited.title, outcome_words(found), bool(found.refused or found.unknown)))
            elif silent_s >= LOST_S:
                told.append(Outcome(awaited.title, "unknown: the session is not heard of; orders may stand", True))
            elif found is not None or now - awaited.sent_s < _FORGOTTEN_S:
                continue
            self._awaited.remove(awaited)
        self._told = frozenset(done)
        return told


def _answers(result: ResultView, awaited: _Awaited) -> bool:
    return (result.act, result.market) == (awaited.act, awaited.market) and result.seq > awaited.after


def outcome_words(result: ResultView) -> str:
    """``6 cancelled, 0 filled, 0 refused, 0 unknown, 0.4 s``."""
    numbers: Mapping[str, int] = {
        "cancelled": result.cancelled,
        "filled": result.filled,
        "refused": result.refused,
        "unknown": result.unknown,
    }
    return ", ".join(f"{number:,} {word}" for word, number in numbers.items()) + f", {result.took_s:.1f} s"
