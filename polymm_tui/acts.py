"""What an act of the operator is, and where its keys work; the acts themselves stand in :mod:`polymm_tui.operator`."""

from dataclasses import dataclass
from typing import Final, Literal

from core.events import OPENING_ACTS, Act

Scope = Literal["app", "main", "leader", "kill", "confirm", "form", "entry"]
"""Where an act's keys work. ``app`` works on every page but not behind a dialog, unless the act has priority."""
Friction = Literal["none", "confirm", "chord", "form", "typed"]
"""What stands between the key and the act: nothing, a question, a second key within two seconds, a form to fill in
(and then a question that tells what would change, where the session can tell it), or a word to type."""

ACTIVE_TOGETHER: Final[tuple[frozenset[Scope], ...]] = (
    frozenset({"app", "main"}),
    frozenset({"leader"}),
    frozenset({"kill"}),
    frozenset({"confirm"}),
    frozenset({"form"}),
    frozenset({"entry"}),
)
"""Sets of scopes whose keys work at the same time; acts with priority join every set."""
TYPED_INTO: Final[frozenset[Scope]] = frozenset({"form", "entry"})
"""Scopes in which characters are text, never keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAct:
    """One thing an operator can do."""

    id: str
    """``group.name``, the table and key of the key map file."""
    scope: Scope
    keys: tuple[str, ...]
    """Default keys: one printable character or a name such as ``pageup``; () is in the palette alone."""
    action: str
    """What Textual calls on the screen, or on the app when it begins with ``app.``."""
    word: str
    sentence: str
    command: Act | None = None
    """What leaves for the session."""
    choices: tuple[Act, ...] = ()
    """What its form may send in place of ``command``; the palette names each."""
    friction: Friction = "none"
    rank: int = 0
    """Place in the order in which the key bar drops words, 1 last; 0 is in the bar of its own panes alone."""
    panes: tuple[str, ...] = ()
    """Panes whose own it is: while one of them has the focus it stands first in the bar."""
    priority: bool = False
    """Works through dialogs too."""
    protected: bool = False
    """Must keep a key."""

    @property
    def trades(self) -> bool:
        """The act changes orders or what may be ordered, or something else in the session."""
        return self.command is not None

    @property
    def opens(self) -> bool:
        """It may put more at risk, which nobody should do on an old picture."""
        return self.command in OPENING_ACTS

    @property
    def is_aimed(self) -> bool:
        """It is about what is selected on the page: a market, an order, an alarm."""
        return self.trades and (self.scope == "main" or self.id in ("alarm.ack", "alarm.shelve", "alarm.unshelve"))

    @property
    def group(self) -> str:
        """First half of the id."""
        return self.id.partition(".")[0]
