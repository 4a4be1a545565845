"""Leaving: what becomes of the session is asked, except where nothing can become of it."""

from functools import partial

from core.events import OperatorCommand
from core.views import ConsoleView
from polymm_tui.console.desk import Desk
from polymm_tui.console.words import counted
from polymm_tui.screens.question import Question
from widgets.format import whole_usd


class Leaving:
    """The way out of one console."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def ask(self) -> None:
        """Ask what becomes of the session; a console that only watches leaves at once."""
        desk = self._desk
        match desk.link.access:
            case "watching":
                desk.app.exit("detached")
            case "attached":
                desk.ask(_attached_question(desk.view), self._stop, lambda: desk.app.exit("detached"))
            case "own":
                desk.ask(_own_question(desk.view), lambda: desk.app.exit("quit"))

    def _stop(self) -> None:
        """End another process's session; this console closes when it has ended."""
        desk = self._desk
        command = OperatorCommand(act="stop", view_seq=desk.seq)
        title = "stop the session"
        desk.send(command, partial(desk.tell, title), title)


def _own_question(view: ConsoleView | None) -> Question:
    return Question(
        title="Quit",
        sentences=_sentences(view),
        yes="stop and quit",
        no=_going_on(view),
        is_about_quitting=True,
    )


def _attached_question(view: ConsoleView | None) -> Question:
    return Question(
        title="Leave",
        sentences=["Detached, the session goes on trading without this console.", "Stopped: " + _sentences(view)[0]],
        leave="detach",
        yes="stop the session",
        no="stay here",
        is_about_quitting=True,
    )


def _going_on(view: ConsoleView | None) -> str:
    return "go on watching" if view and view.kill.killed else "go on trading"


def _sentences(view: ConsoleView | None) -> list[str]:
    """What a stop does, how much of it there is, and what stays."""
    orders = f"{counted(view.open_orders, 'open order')} ({whole_usd(view.open_notional)})" if view else "all orders"
    told = f" ({whole_usd(view.gross_exposure)} exposed)" if view and view.gross_exposure else ""
    sentences = [f"The session stops and cancels {orders}. Positions stay as they are{told}."]
    if view and view.foreign_orders:
        sentences.append(f"Orders on the account that are not ours stay too: {len(view.foreign_orders)}.")
    return sentences
