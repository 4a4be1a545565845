"""Textual bindings made from the operator table, and the labels of the keys that are live."""

from typing import Any, Final

from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS, key_to_character
from textual.screen import Screen

from polymm_tui.keymap import key_text
from polymm_tui.operator import ACT_BY_ID, ACTS, OperatorAct, Scope, acts_in
from widgets.key_bar import KeyHint


def bindings_of(scope: Scope) -> list[BindingType]:
    """The bindings of a scope with their default keys; the key map replaces them by id, and none is added."""
    return [_binding(act) for act in acts_in(scope) if act.keys]


def live_keys(screen: Screen[Any]) -> dict[str, tuple[list[str], bool]]:
    """Acts whose keys work on a screen now: id to the keys' labels and whether the act is allowed."""
    found: dict[str, tuple[list[str], bool]] = {}
    for key, active in screen.active_bindings.items():
        identity = active.binding.id
        if identity in ACT_BY_ID:
            found.setdefault(identity, ([], active.enabled))[0].append(_label(key))
    return found


_UNICODE_NAMES: Final = {short: name for name, short in KEY_NAME_REPLACEMENTS.items()}
"""Textual's own short names of characters: it does not take all of them back itself."""
_OWN_RANK: Final = 5
"""Rank of the first of a pane's own acts: behind help, leader, quit and pause, before everything else."""


def hints_of(screen: Screen[Any], pane: str = "", *, only_allowed: bool = False) -> list[KeyHint]:
    """What the bottom line says on a screen, in the order of the table, the own acts of the pane in focus first.

    Args:
        screen: whose keys work.
        pane: the one in focus; "" for none.
        only_allowed: leave out what cannot be done now.
    """
    live = live_keys(screen)
    own = [act for act in ACTS if act.id in live and pane and pane in act.panes]
    rest = [act for act in ACTS if act.id in live and act.rank and act not in own]
    ranks = {act.id: _OWN_RANK + place / len(own) for place, act in enumerate(own)}
    return [
        KeyHint(live[act.id][0][0], act.word, ranks.get(act.id, act.rank), live[act.id][1])
        for act in (*own, *rest)
        if live[act.id][1] or not only_allowed
    ]


def _binding(act: OperatorAct) -> Binding:
    return Binding(
        ",".join(act.keys),
        act.action,
        act.word,
        id=act.id,
        show=bool(act.rank),
        priority=act.priority,
        tooltip=act.sentence,
    )


def _label(key: str) -> str:
    character = key_to_character(_UNICODE_NAMES.get(key, key))
    return key_text(character if character and character.isprintable() and character != " " else key)
