"""The session's side of the kill switch: it shows its watchdog that it lives, and sees to it that there is one.

The watchdog is a child process that pulls the switch and cancels everything when the session hangs or dies
(:mod:`core.kill.watchdog`). When it is gone itself nothing may be quoted: the engine hears of it at once, and another
is started (reliability.md 4.1, P05, P06, P08). What happens to the switch, whoever pulls, the engine hears from here.
"""

import asyncio
import contextlib
import logging
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from threading import Thread
from typing import Final

from core.children import child_environment
from core.clock import Clock
from core.events import Armed, Killed, WatchdogSeen
from core.kill import stored
from core.kill.files import MOST_TEXT, short
from core.kill.latch import LatchRecord
from core.kill.report import KillReport
from core.kill.stored import KillCredentials
from core.kill.switch import KillSwitch
from core.kill.watchdog import GOODBYE, POWERLESS, READY
from core.views import KillReportView, KillView

log = logging.getLogger(__name__)

LOOK_SEC: Final = 0.05
"""Between beats, and between looks at the switch."""
LATE_SEC: Final = 0.5
"""A look that comes later than this after the one before says nothing of the watchdog: it was us who stood still."""
SILENT_SEC: Final = 1.0
"""A watchdog without a beat for so long is as good as dead: with the time to notice that stays under two seconds."""
SILENT_KILLING_SEC: Final = 5.0
"""The same amid a kill, after the time that it has asked for its request."""
READY_SEC: Final = 10.0
"""Longest wait for the first word of a watchdog that was started."""
LEAVE_SEC: Final = 2.0
"""Longest wait for a watchdog to go after a goodbye."""
PAUSES_SEC: Final = (0.2, 1.0, 2.0, 5.0, 10.0)
"""Before another one is started; the last is kept."""
STEADY_SEC: Final = 60.0
"""One that stood guard for so long begins the pauses anew."""


def watchdog_command(directory: Path) -> Sequence[str]:
    """What starts the watchdog of a session's directory."""
    return (sys.executable, "-P", "-m", "core.kill", str(directory))


class Guard:
    """The switch of one session, and its watchdog if it has one. All methods run on the session's loop."""

    def __init__(
        self,
        switch: KillSwitch,
        clock: Clock,
        emit: Callable[[Killed | Armed | WatchdogSeen], None],
        command: Sequence[str],
        *,
        nothing_rests: bool = False,
    ) -> None:
        """Nothing runs yet.

        Args:
            switch: open.
            clock: of beats; the watchdog's is the same.
            emit: takes what happens, for the engine.
            command: starts a watchdog.
            nothing_rests: there is no venue at which anything would be left (paper), so a kill is over at once.
        """
        self._switch = switch
        self._clock = clock
        self._emit = emit
        self._command = tuple(command)
        self._nothing_rests = nothing_rests
        self._told = (False, 0)
        """Of the switch: closed, and the number of its last pull."""
        self._looked_s = clock.monotonic()
        self._judged_from_s = clock.monotonic()
        """No beat was due before: the watchdog has just begun, or we stood still."""
        self._process: Popen[bytes] | None = None
        self._ended = asyncio.Event()
        """No watchdog runs."""
        self._is_leaving = False
        self.is_up: bool | None = None
        """It stands guard; None where there is none."""
        self.detail = ""
        """Why it does not, in words."""

    @property
    def told_pull(self) -> int:
        """Number of the last pull that the engine knows of."""
        return self._told[1]

    def tell(self) -> None:
        """Tell the engine how the switch stands: at a start, and whenever that has changed."""
        self._told = (self._switch.is_closed, self._switch.page.pull)
        killed = self._switch.killed
        if killed is not None:
            self._emit(Killed(by=killed.by, reason=killed.reason))
            if self._nothing_rests:
                self._report(killed)
        elif (armed := self._switch.latch.read()).by:  # nobody armed a latch that is new
            self._emit(Armed(by=armed.by, reason=armed.reason, unix=armed.unix))

    def _report(self, killed: LatchRecord) -> None:
        """Tell whoever pulled that there is nothing to cancel."""
        page = self._switch.page
        page.answer(page.pull, 0.0)
        with contextlib.suppress(OSError):  # a full disk; the view says the same
            page.write_report(
                KillReport(
                    pull=page.pull,
                    by=killed.by,
                    reason=killed.reason,
                    killer="session",
                    began_unix=killed.unix,
                    left=0,
                    verified=True,
                )
            )

    def heed(self) -> None:
        """Tell the engine if anything has happened to the switch."""
        if self._told != (self._switch.is_closed, self._switch.page.pull):
            self.tell()

    async def run(self) -> None:
        """Beat and look, until cancelled."""
        while True:
            now = self._clock.monotonic()
            if now - self._looked_s > LATE_SEC:
                self._judged_from_s = max(self._judged_from_s, now)
            self._looked_s = now
            self._switch.page.beat_session(now)
            self.heed()
            self._judge(now)
            await asyncio.sleep(LOOK_SEC)

    def _judge(self, now: float) -> None:
        """End a watchdog that shows no life; while it kills that is the time it has asked for its request."""
        page = self._switch.page
        if self.is_up is None or self._process is None:
            return
        if page.is_shut and page.is_busy(now):
            self._judged_from_s = max(self._judged_from_s, now)
        silent_s = now - max(page.watchdog_s, self._judged_from_s)
        if silent_s > (SILENT_KILLING_SEC if page.is_shut else SILENT_SEC):
            self._is_gone(f"it has shown no life for {silent_s:.1f} s")
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    # The watchdog

    def is_coming(self) -> None:
        """There is to be a watchdog: until it stands guard nothing may be quoted."""
        self._is_gone("it has not started yet")

    async def keep(self, credentials: KillCredentials) -> None:
        """Have a watchdog, and another one whenever it is gone, until :meth:`leave`.

        When this is cancelled, or the process dies, the watchdog hears no goodbye, and pulls the switch.

        Args:
            credentials: what it cancels with.
        """
        failures = 0
        while not self._is_leaving:
            began_s = self._clock.monotonic()
            why = await self._have_one(credentials)
            self._is_gone(why)
            failures = 1 if self._clock.monotonic() - began_s > STEADY_SEC else failures + 1
            await asyncio.sleep(PAUSES_SEC[min(failures, len(PAUSES_SEC)) - 1])

    async def leave(self, *, in_peace: bool) -> None:
        """Have no watchdog any more.

        Args:
            in_peace: nothing of ours is open. If not, the watchdog is left to itself: it pulls the switch and cancels
                until the venue shows nothing. Where none runs at the moment, the switch is pulled here, so that the
                next start knows.
        """
        self._is_leaving = True
        process = self._process
        if process is None or process.stdin is None:
            if not in_peace and self.is_up is not None:
                self._switch.pull("session", "it ended with orders that may be open, and without a watchdog")
            return
        with contextlib.suppress(OSError):
            if in_peace:
                process.stdin.write(GOODBYE)
            process.stdin.close()
        if in_peace:
            try:
                async with asyncio.timeout(LEAVE_SEC):
                    await self._ended.wait()
            except TimeoutError:
                process.kill()

    async def _have_one(self, credentials: KillCredentials) -> str:
        """Start one and wait for its end; returns what became of it, in words."""
        self._judged_from_s = math.inf  # it shows life from its first word on
        self._switch.page.beat_session(self._clock.monotonic())
        try:
            # none of asyncio's processes: those are killed together with the loop
            process = await asyncio.to_thread(
                Popen, self._command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, bufsize=0, start_new_session=True,
                env=child_environment(),
            )  # fmt: skip
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        self._process = process
        self._ended.clear()
        told = asyncio.StreamReader()
        reading, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(told), process.stdout
        )
        try:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.write(stored.encode(credentials))
            last = await self._heard(told)
        except asyncio.CancelledError:
            # left to itself, it may outlive the session: whoever waits for it keeps it from being a zombie meanwhile
            Thread(target=process.wait, name="watchdog left", daemon=True).start()
            raise
        finally:
            reading.close()
        self._is_gone(last or "it has ended")
        process.kill()  # what has closed its output guards no more
        with contextlib.suppress(OSError):
            process.stdin.close()
        code = await asyncio.to_thread(process.wait)
        self._process = None
        self._ended.set()
        return f"it has ended with {code}" + (f": {last}" if last else "")

    async def _heard(self, told: asyncio.StreamReader) -> str:
        """Take what a watchdog says until it ends; returns its last word if that says how it failed."""
        last = ""
        try:
            async with asyncio.timeout(READY_SEC):
                line = await told.readline()
        except TimeoutError:
            return "it has not said a word"
        while line:
            self._judged_from_s = self._clock.monotonic()
            if line == READY:
                last = self.detail = ""
                self.is_up = True
                self._emit(WatchdogSeen(up=True))
            else:
                last = short(line.decode(errors="replace").strip(), MOST_TEXT)
                if line.startswith(POWERLESS):
                    self._is_gone(last, is_news=True)
            line = await told.readline()
        return last

    def _is_gone(self, why: str, *, is_news: bool = False) -> None:
        """It guards no more; told once, and again when the reason is news."""
        was_up, self.is_up, self.detail = self.is_up, False, why
        if (was_up is not False or is_news) and not self._is_leaving:
            log.warning("watchdog_gone", extra={"detail": why})
            self._emit(WatchdogSeen(up=False, detail=why))


def kill_view(switch: KillSwitch, guard: Guard | None, now: float) -> KillView:
    """What the switch says now; safe from any thread, and true with a session that hangs."""
    killed, report = switch.killed, switch.report
    watchdog_s = switch.page.watchdog_s
    guarded = guard is not None and guard.is_up is not None
    return KillView(
        killed=killed is not None,
        by="" if killed is None else killed.by,
        reason="" if killed is None else killed.reason,
        unix=None if killed is None else killed.unix,
        report=None if killed is None or report is None else _report_view(report),
        guarded=guarded,
        watchdog_up=guarded and bool(guard and guard.is_up),
        watchdog_age_s=now - watchdog_s if watchdog_s > 0 else None,
        watchdog_detail=guard.detail if guard is not None else "",
    )


def _report_view(report: KillReport) -> KillReportView:
    return KillReportView(
        sent=report.sent,
        confirmed=report.confirmed,
        left=report.left,
        unknown=report.unknown,
        zero=report.verified,
        detail=report.trouble,
        by=report.killer,
        took_s=report.elapsed_s,
    )
