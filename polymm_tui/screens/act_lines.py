"""Acts as lines for people: keys, word, sentence. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from polymm_tui.operator import ACT_BY_ID
from widgets.format import wrap_words
from widgets.line_widget import Row, row

_KEYS: Final = 12
_WORD: Final = 17
"""Cells of the columns before the sentence; the longest word has 15."""


def act_lines(live: Mapping[str, tuple[list[str], bool]], identities: Sequence[str], width: int) -> list[Row]:
    """Each act with its keys, its word and its sentence, which goes on below itself where it is long.

    Args:
        live: act id to the labels of its keys, and whether it is allowed now.
        identities: of the acts, in order.
        width: cells.
    """
    made: list[Row] = []
    for identity in identities:
        (keys, is_allowed), act = live[identity], ACT_BY_ID[identity]
        first, *more = wrap_words(act.sentence, max(20, width - _KEYS - _WORD - 2))
        made.append(
            row(
                (f" {' '.join(keys):<{_KEYS}}", "key" if is_allowed else "muted"),
                f"{act.word:<{_WORD}}",
                (first, "muted"),
            )
        )
        made += [row(" " * (_KEYS + _WORD + 1), (line, "muted")) for line in more]
    return made
