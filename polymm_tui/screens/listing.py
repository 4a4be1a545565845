"""Questions about changes of the market list that wait: pure text."""

from typing import Final, NamedTuple

from textual.geometry import Size

from core.events import Act
from core.views import ConsoleView, ListView, ProposalView
from polymm_tui.screens.dialogs import text_room
from widgets.format import clean, fit, wrap_words
from widgets.market_list import change_words, proposal_head

LIST_ANSWERS: Final[tuple[Act, ...]] = ("list_approve", "list_reject")
"""Acts that answer a proposal."""
_WHY_LINES: Final = 3
_CHANGE_LINES: Final = 2
"""Lines of one change; its text in full stands in the pane."""


class ListQuestion(NamedTuple):
    """What a dialog asks."""

    title: str
    sentences: list[str]
    """Lines that fit the terminal; may contain foreign text, cleaned."""
    yes: str


def nothing_waits(listing: ListView | None) -> str:
    """Why there is nothing to answer."""
    return "There is no market list here." if listing is None else "No change of the market list waits for approval."


def proposed(view: ConsoleView) -> str:
    """What the question is about: when that changes, what was shown no longer holds."""
    listing = view.market_list
    return listing.proposal.token if listing and listing.proposal else ""


def list_question(act: Act, proposal: ProposalView, unix: float, terminal: Size) -> ListQuestion:
    """The question before a proposal is approved or rejected: why it waits, its first changes, how many more.

    Args:
        act: one of :data:`LIST_ANSWERS`.
        proposal: what is answered.
        unix: session time.
        terminal: its size.
    """
    width, room = text_room(terminal)
    if act == "list_approve":
        word, fate = "approve", "Approved, they are carried out: markets that leave are only reduced until flat."
    else:
        word, fate = "reject", "Rejected, the list stays as it is, and they are not raised again until it differs."
    why = f"{proposal_head(proposal, unix)}. {clean(proposal.why)}"
    head = _first_lines(why, width, max(1, min(_WHY_LINES, room // 3)))
    tail = wrap_words(fate, width) if room > 2 * _WHY_LINES else []
    lines: list[str] = []
    left = room - len(head) - len(tail) - 1
    shown = 0
    for change in proposal.lines:
        told = _first_lines(change_words(change), width, _CHANGE_LINES)
        if len(told) > left:
            break
        lines += told
        left -= len(told)
        shown += 1
    if more := len(proposal.lines) - shown:
        lines.append(f"and {more:,} more, in the pane of the market list")
    return ListQuestion(f"{word.capitalize()} changes of the market list", [*head, *lines, *tail], word)


def _first_lines(text: str, width: int, most: int) -> list[str]:
    """A clean text in lines; one that goes on beyond them says so."""
    lines = wrap_words(text, width)
    return lines if len(lines) <= most else [*lines[: most - 1], fit(f"{lines[most - 1]} …", width).rstrip()]
