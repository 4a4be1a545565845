"""The bottom line: what the keys do now, most important first where there is not room for all."""

from collections.abc import Sequence
from typing import NamedTuple

from widgets.line_widget import LineWidget, Row, Span, row


class KeyHint(NamedTuple):
    """One key of the bar."""

    key: str
    """As the operator knows it: ``"F"``, ``"!"``."""
    word: str
    rank: float
    """1 is left out last."""
    enabled: bool = True


def key_bar_row(hints: Sequence[KeyHint], width: int) -> Row:
    """As many hints as fit by rank, shown in the order given; what cannot be done now is muted."""
    room = width - 1
    kept: set[int] = set()
    for place, hint in sorted(enumerate(hints), key=lambda item: item[1].rank):
        cells = len(hint.key) + len(hint.word) + 3
        if cells > room:
            break
        kept.add(place)
        room -= cells
    spans: list[Span] = [Span(" ")]
    for place, hint in enumerate(hints):
        if place in kept:
            spans += [
                Span(hint.key, "key" if hint.enabled else "muted"),
                Span(f" {hint.word}  ", "" if hint.enabled else "muted"),
            ]
    return row(*spans, ground="bar")


class KeyBar(LineWidget):
    """Draws :func:`key_bar_row`."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hints: Sequence[KeyHint] = ()

    def show(self, hints: Sequence[KeyHint]) -> None:
        """Draw the keys that work now."""
        self._hints = hints
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`key_bar_row`."""
        return [key_bar_row(self._hints, width)]
