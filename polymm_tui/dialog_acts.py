"""What can be done in menus, questions, forms and entries: part of the operator table."""

from typing import Final

from core.events import Act
from polymm_tui.acts import Friction, OperatorAct, Scope


def _all(
    name: Act, key: str, word: str, sentence: str, rank: int, protected: bool = False, friction: Friction = "none"
) -> OperatorAct:
    """An act on everything, behind the leader key."""
    identity = f"all.{name.removesuffix('_all')}"
    return OperatorAct(
        id=identity,
        scope="leader",
        keys=(key,),
        action=f"trade('{identity}')",
        word=word,
        sentence=sentence,
        command=name,
        rank=rank,
        protected=protected,
        friction=friction,
    )


def _in(
    scope: Scope,
    name: str,
    keys: tuple[str, ...],
    action: str,
    word: str,
    sentence: str,
    rank: int = 0,
    protected: bool = False,
) -> OperatorAct:
    """An act inside a dialog; its group is the scope, and ``all`` for the leader's."""
    return OperatorAct(
        id=f"{'all' if scope == 'leader' else scope}.{name}",
        scope=scope,
        keys=keys,
        action=action,
        word=word,
        sentence=sentence,
        rank=rank,
        protected=protected,
    )


_LEADER: Final = (
    _all("pause_all", "p", "pause all", "Stop quoting everywhere and cancel all orders.", 1, protected=True),
    _all(
        "reduce_all",
        "d",
        "reduce all",
        "Only orders that reduce a position, everywhere; cancels the others.",
        2,
        protected=True,
    ),
    _all(
        "resume_all",
        "r",
        "resume all…",
        "Quote again after pause all, reduce all or cancel only, but not markets paused one by one; asks first.",
        3,
        friction="confirm",
    ),
    _all(
        "cancel_all",
        "x",
        "cancel all",
        "Cancel every order on the account, also what is not ours; quoting goes on afterwards.",
        4,
        protected=True,
    ),
    _all(
        "flatten_all",
        "F",
        "flatten all…",
        "Close every position; shows route and cost, and wants a typed word.",
        6,
        friction="typed",
    ),
    _all("flatten_stop", "f", "stop flattening", "Stop closing positions everywhere; what is left stays.", 7),
    OperatorAct(
        id="all.kill",
        scope="leader",
        keys=("k",),
        action="app.kill",
        word="KILL…",
        sentence="First half of KILL; a second key within two seconds does it.",
        command="kill",
        friction="chord",
        rank=5,
        protected=True,
    ),
    _in("leader", "back", ("escape",), "back", "back", "Leave without doing anything.", 10),
)
_KILL: Final = (
    OperatorAct(
        id="kill.again",
        scope="kill",
        keys=("k",),
        action="again",
        word="KILL NOW",
        sentence="Second half of KILL: cancel everything, and place nothing until somebody re-arms.",
        command="kill",
        friction="chord",
        rank=1,
        protected=True,
    ),
    _in("kill", "back", ("escape",), "back", "back", "Leave without killing.", 2),
)
_CONFIRM: Final = (
    _in("confirm", "yes", ("y",), "answer(True)", "yes", "Do what the question says.", 1, protected=True),
    _in("confirm", "no", ("n", "escape"), "answer(False)", "no", "Leave everything as it is.", 2),
    _in("confirm", "quit", ("q",), "answer_quit", "leave", "Leave with the key that asked to quit."),
    _in("confirm", "choose", ("tab", "left", "right"), "choose", "other", "Mark the other answer.", 3),
    _in("confirm", "enter", ("enter",), "enter", "take marked", "Give the marked answer; at first the safe one.", 4),
)
_FORM: Final = (
    _in(
        "form",
        "preview",
        ("enter",),
        "preview",
        "show what it does",
        "Check the fields and show what would change; asks before it is done.",
        1,
    ),
    _in("form", "next", ("tab", "down"), "go(1)", "next field", "Go to the next field.", 3),
    _in("form", "previous", ("shift+tab", "up"), "go(-1)", "field before", "Go to the field before."),
    _in(
        "form",
        "choose",
        ("right", "left"),
        "choose",
        "other choice",
        "Take the next choice of a field that has choices.",
        4,
    ),
    _in("form", "erase", ("backspace", "delete"), "erase", "erase", "Take the last character of the field away."),
    _in("form", "back", ("escape",), "back", "back", "Leave without doing anything.", 2, protected=True),
)
_ENTRY: Final = (
    _in("entry", "keep", ("enter",), "keep", "keep", "Keep the filter and go back to the table.", 1, protected=True),
    _in("entry", "back", ("escape",), "back", "show all", "End the filter: all markets.", 2, protected=True),
    _in("entry", "erase", ("backspace", "delete"), "erase", "erase", "Take the last character away.", 3),
)

DIALOG_ACTS: Final = (*_LEADER, *_KILL, *_CONFIRM, *_FORM, *_ENTRY)
"""In the order of the table."""
