"""Consoles of other processes on the control socket: the session's side.

A view is encoded once for all of them, and only if one has asked for it; nothing here waits for a console, and no view
is written for one whose last has not left the session. What a console does to its process, its terminal or its
connection changes nothing here but who is told.
"""

import asyncio
import itertools
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from core.clock import Clock
from core.events import STOPPING_ACTS, OperatorCommand
from core.runtime.console_wire import (
    LONGEST_TO_SESSION,
    Answered,
    Attach,
    Attached,
    Do,
    Gaze,
    Over,
    Ready,
    Shown,
    ToConsole,
    ToSession,
    decode_to_session,
    framed,
    next_frame,
)
from core.runtime.control_socket import ANSWER_SEC, LONGEST_SEC, PAUSE_SEC, Refused, Upgrade
from core.runtime.link import CommandResult
from core.views import ConsoleView

log = logging.getLogger(__name__)

MOST_CONSOLES: Final = 8
TAKES_SEC: Final = 30.0
"""A console that takes nothing for so long is dropped; it may attach again."""
PERIOD_SEC: Final = 0.09
"""Between two views for one console; a little less than the session's own period, so that none of those is lost."""
MOST_TEXT: Final = 500
"""Characters of any text of a command."""
MOST_CHANGES: Final = 100
MOST_AMOUNT: Final = 1e12


@dataclass(slots=True, eq=False)
class _Console:
    """One attached console."""

    name: str
    read_only: bool
    writer: asyncio.StreamWriter
    sent_s: float
    """When a view was last sent, or it attached."""
    ready: bool = False
    """It has asked for a view since."""

    @property
    def takes(self) -> bool:
        """It has asked for a view, and has taken what was sent: its word alone is not believed."""
        return self.ready and not self.writer.transport.get_write_buffer_size()


class Consoles:
    """The attached consoles of one session. All methods run on its loop."""

    def __init__(
        self,
        clock: Clock,
        version: str,
        command: Callable[[OperatorCommand], CommandResult],
        look: Callable[[str, str, tuple[str, ...]], None],
        look_away: Callable[[str], None],
        mask: Callable[[bytes], bytes],
    ) -> None:
        """Nobody is attached yet.

        Args:
            clock: of the session.
            version: of the program.
            command: carries an operator's command out.
            look: a console (by name) looks at a market and at the whole books of others.
            look_away: a console is gone.
            mask: takes secrets out of encoded text, and changes no length.
        """
        self.attached = 0
        """How many ever were."""
        self.dropped = 0
        """Of them: took nothing for too long."""
        self.garbled = 0
        """Of them: said what cannot be read."""
        self._clock = clock
        self._version = version
        self._command = command
        self._look = look
        self._look_away = look_away
        self._mask = mask
        self._began_s = clock.monotonic()
        self._numbers = itertools.count(1)
        self._consoles: dict[str, _Console] = {}

    @property
    def count(self) -> int:
        """How many are attached."""
        return len(self._consoles)

    def attach(self, request: Attach) -> Upgrade:
        """Take a console in.

        Raises:
            Refused: it is of another version, or there are too many.
        """
        if request.version != self._version:
            raise Refused(
                f"it runs version {self._version} of this program, and you {request.version}; use one for both"
            )
        if self.count >= MOST_CONSOLES:
            raise Refused(f"{MOST_CONSOLES} consoles are attached to it already; detach one")
        name = f"console {next(self._numbers)}"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(_Console(name, request.read_only, writer, self._clock.monotonic()), reader)

        return Upgrade(Attached(name, self._began_s), serve)

    def show(self, view: ConsoleView) -> None:
        """Send a view to whoever has asked for one, and drop who has not for too long."""
        if not self._consoles:
            return
        now, frame = self._clock.monotonic(), b""
        for console in tuple(self._consoles.values()):
            waited_s = now - console.sent_s
            if console.takes and waited_s >= PERIOD_SEC:
                frame = frame or self._framed(Shown(view))
                console.writer.write(frame)
                console.ready, console.sent_s = False, now
            elif not console.takes and waited_s > TAKES_SEC:
                self._drop(console)

    def end(self, text: str) -> None:
        """Tell all of them how the session has ended."""
        for console in self._consoles.values():
            console.writer.write(self._framed(Over(text)))

    async def _serve(self, console: _Console, reader: asyncio.StreamReader) -> None:
        """Follow one console until it is gone."""
        self._consoles[console.name] = console
        self.attached += 1
        log.info("console_attached", extra={"console": console.name, "read_only": console.read_only})
        try:
            while (frame := await next_frame(reader, LONGEST_TO_SESSION)) is not None:
                await self._take(console, decode_to_session(frame))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            self.garbled += 1
            log.warning("console_garbled", extra={"console": console.name, "detail": str(error)[:200]})
            console.writer.transport.abort()
        finally:
            self._consoles.pop(console.name, None)
            self._look_away(console.name)
            log.info("console_gone", extra={"console": console.name})

    async def _take(self, console: _Console, told: ToSession) -> None:
        match told:
            case Ready():
                console.ready = True
            case Gaze():
                self._look(console.name, told.market, told.ladders)
            case Do():
                console.writer.write(self._framed(Answered(told.number, self._done(console, told))))
                async with asyncio.timeout(TAKES_SEC):
                    await console.writer.drain()
        await asyncio.sleep(PAUSE_SEC)

    def _done(self, console: _Console, wanted: Do) -> CommandResult:
        """Do what an operator asks for, or say why not."""
        command = wanted.command
        why = "this console only watches; nothing was done" if console.read_only else self._why_not(wanted)
        if why:
            return CommandResult(done=False, text=f"{command.act}: {why}")
        return self._command(msgspec.structs.replace(command, who=console.name))

    def _why_not(self, wanted: Do) -> str:
        """Why a command is not even handed on, in words; "" when it is."""
        command = wanted.command
        late_s = self._clock.monotonic() - wanted.asked_s
        if command.act not in STOPPING_ACTS and not command.is_preview and not 0 <= late_s <= ANSWER_SEC:
            return f"it was asked for {late_s:.0f} s ago, which is too long; ask again"
        texts = (command.market, command.reason, command.subject, command.confirm, command.profile)
        spans = (command.for_s, command.half_life_s, command.passive_s)
        if max(map(len, (*texts, *itertools.chain.from_iterable(command.changes)))) > MOST_TEXT:
            return f"no text of it may be longer than {MOST_TEXT} characters"
        if len(command.changes) > MOST_CHANGES:
            return f"no more than {MOST_CHANGES} settings can be changed at once"
        if not (math.isfinite(command.amount) and abs(command.amount) <= MOST_AMOUNT):
            return "its amount is no number that can be used"
        if not all(span is None or 0 <= span <= LONGEST_SEC for span in spans):
            return "its time is none that can be used"
        if command.most_cost is not None and not 0 <= command.most_cost <= MOST_AMOUNT:
            return "its cost is none that can be used"
        return ""

    def _framed(self, told: ToConsole) -> bytes:
        return self._mask(framed(told))

    def _drop(self, console: _Console) -> None:
        """Let go of a console that takes nothing; its task ends with its connection."""
        self.dropped += 1
        log.warning("console_dropped", extra={"console": console.name, "detail": f"took nothing for {TAKES_SEC:g} s"})
        del self._consoles[console.name]
        console.writer.transport.abort()
