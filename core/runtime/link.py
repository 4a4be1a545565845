"""The console's only way to the session: read the latest view, send commands.

Both directions are safe from another thread. In process the view is one attribute that the session swaps; commands
travel to the session's loop and their results come back as futures.
"""

from concurrent.futures import Future
from typing import Literal, Protocol

import msgspec

from core.events import OperatorCommand
from core.views import ConsoleView, KillView


class CommandResult(msgspec.Struct, frozen=True, gc=False):
    """What became of a command: one sentence for the operator, or the lines of a preview."""

    done: bool
    text: str
    confirm: str = ""
    """Of the preview of a flattening: what to confirm it with; "" when it cannot be confirmed."""


Access = Literal["own", "attached", "watching"]
"""``own``: the session ends with its console; ``attached``: another process's session, which goes on without;
``watching``: the same, and nothing may be done to it."""


class ConsoleLink(Protocol):
    """What a console may do with a session."""

    @property
    def access(self) -> Access:
        """Whose session it is."""
        ...

    @property
    def view(self) -> ConsoleView | None:
        """The newest view; None before the first. Never blocks."""
        ...

    @property
    def ended(self) -> bool:
        """The session has ended or is ending by itself; the console should close."""
        ...

    def watch(self, market: str, ladders: tuple[str, ...] = ()) -> None:
        """Say what the operator looks at.

        Args:
            market: the views carry its details and its whole book.
            ladders: of these they carry the whole book too.
        """
        ...

    def send(self, command: OperatorCommand) -> Future[CommandResult]:
        """Hand a command to the session. The future never raises: a dead session gives ``done=False``."""
        ...

    def kill(self, reason: str) -> None:
        """Pull the kill switch on the caller's thread: waits for no session, works when it hangs, never raises."""
        ...

    @property
    def kill_view(self) -> KillView | None:
        """What the kill switch itself says now, also when the session hangs; None where there is none yet."""
        ...
