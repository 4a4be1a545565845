"""The console's only way to the session: read the latest view, send commands.

Both directions are safe from another thread. In process the view is one attribute that the session swaps; commands
travel to the session's loop and their results come back as futures.
"""

from concurrent.futures import Future
from typing import Protocol

import msgspec

from core.events import OperatorCommand
from core.views import ConsoleView


class CommandResult(msgspec.Struct, frozen=True, gc=False):
    """What became of a command: one sentence for the operator."""

    done: bool
    text: str


class ConsoleLink(Protocol):
    """What a console may do with a session."""

    @property
    def view(self) -> ConsoleView | None:
        """The newest view; None before the first. Never blocks."""
        ...

    @property
    def ended(self) -> bool:
        """The session has ended or is ending by itself; the console should close."""
        ...

    def watch(self, market: str) -> None:
        """Say which market the operator looks at: the views carry the details of that one."""
        ...

    def send(self, command: OperatorCommand) -> Future[CommandResult]:
        """Hand a command to the session. The future never raises: a dead session gives ``done=False``."""
        ...
