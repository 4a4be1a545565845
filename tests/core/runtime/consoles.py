"""Consoles on a real control socket with a session that only takes notes, and a console that speaks by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from core.clock import Clock, ManualClock
from core.events import OperatorCommand
from core.runtime.console_wire import Attach, ToConsole, ToSession, decode_to_console, framed, next_frame
from core.runtime.consoles import Consoles
from core.runtime.control_socket import ControlSocket, Explain
from core.runtime.link import CommandResult
from core.views import ConsoleView
from tests.core.runtime.fakes import until
from tests.widgets.view_builders import a_view

VERSION = "1"


class Notes:
    """A session as far as its consoles see one."""

    def __init__(
        self,
        path: Path,
        mask: Callable[[bytes], bytes] = bytes,
        version: str = VERSION,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or ManualClock(unix=1_000.0, monotonic=100.0)
        self.commands: list[OperatorCommand] = []
        self.gazes: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.encoded = 0
        """Frames so far."""
        self._mask = mask
        self._seq = 0
        self.consoles = Consoles(self.clock, version, self.command, self.look, self.look_away, self.mask)
        answers: dict[type[Any], Callable[[Any], Any]] = {
            Explain: lambda request: {"text": request.market},
            Attach: self.consoles.attach,
        }
        self.control = ControlSocket(path, answers, str)

    def command(self, command: OperatorCommand) -> CommandResult:
        self.commands.append(command)
        return CommandResult(True, f"did {command.act}")

    def look(self, console: str, market: str, ladders: tuple[str, ...]) -> None:
        self.gazes[console] = (market, ladders)

    def look_away(self, console: str) -> None:
        self.gazes.pop(console, None)

    def mask(self, encoded: bytes) -> bytes:
        self.encoded += 1
        return self._mask(encoded)

    def publish(self, **changes: Any) -> ConsoleView:
        """Show a new view, a tenth of a second later."""
        self._seq += 1
        if isinstance(self.clock, ManualClock):
            self.clock.advance_to(self.clock.monotonic() + 0.1)
        view = msgspec.structs.replace(a_view(), seq=self._seq, unix=self.clock.unix(), **changes)
        self.consoles.show(view)
        return view

    async def keep_publishing(self) -> None:
        """Show views as a session does, until cancelled."""
        while True:
            self.publish()
            await asyncio.sleep(0.1)


@asynccontextmanager
async def noting(path: Path, **options: Any) -> AsyncIterator[Notes]:
    """A session that takes notes, and its socket."""
    notes = Notes(path, **options)
    await notes.control.open()
    publishing = asyncio.create_task(notes.keep_publishing()) if "clock" in options else None
    try:
        yield notes
    finally:
        if publishing is not None:
            publishing.cancel()
        await notes.control.close()


class ByHand:
    """A console whose every frame is a test's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
        self.reader = reader
        self.writer = writer
        self.answer = answer
        """To the question that attached it."""

    @property
    def name(self) -> str:
        return str(self.answer["answer"]["console"])

    def say(self, told: ToSession) -> None:
        self.writer.write(framed(told))

    async def hear(self, patience_s: float = 5.0) -> ToConsole | None:
        """What the session says next; None when it has closed."""
        async with asyncio.timeout(patience_s):
            try:
                frame = await next_frame(self.reader, 2**24)
            except ConnectionResetError:
                return None
        return None if frame is None else decode_to_console(frame)


@asynccontextmanager
async def by_hand(notes: Notes, version: str = VERSION, **options: Any) -> AsyncIterator[ByHand]:
    """A console that has attached, or was refused."""
    reader, writer = await asyncio.open_unix_connection(notes.control.path)
    before = notes.consoles.count
    try:
        writer.write(msgspec.json.encode(Attach(version=version, **options)) + b"\n")
        answer = msgspec.json.decode(await reader.readline())
        if "answer" in answer:
            await until(lambda: notes.consoles.count > before)
        yield ByHand(reader, writer, answer)
    finally:
        writer.close()
