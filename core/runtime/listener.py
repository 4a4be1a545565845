"""What the parts of a session that hear the venue need of it."""

from collections.abc import Coroutine
from typing import Any, Literal, Protocol

from core.actions import Action
from core.clock import Clock
from core.config import Settings
from core.engine import Engine
from core.events import Event


class Listener(Protocol):
    """A session, as its feeds see it."""

    settings: Settings
    engine: Engine
    clock: Clock

    def emit(self, event: Event, now: float | None = None) -> list[Action]:
        """Hand an event that happened at ``now`` (monotonic seconds; this moment if None) to the engine.

        Raises:
            MalformedMessage: a market message cannot be used.
        """
        ...

    def emit_quietly(self, event: Event) -> None:
        """Journal an event that is no market data, and hand it to the engine."""
        ...

    def note(self, severity: Literal["info", "fill", "warning", "alarm"], text: str, market: str = "") -> None:
        """Tell the operator."""
        ...

    def own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run a task whose failure ends the session."""
        ...
