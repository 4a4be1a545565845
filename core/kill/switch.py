"""The kill switch: closes the gate, latches, and calls the killer, from any thread and any process.

What is shut first is a word of shared memory, so that it works with the loop blocked, the database locked and the disk
full (reliability.md 4.6, I-7 to I-10). Cancelling is the watchdog's: it sees the page within milliseconds.
"""

import threading
import time
from pathlib import Path
from typing import Final

from core.clock import Clock
from core.errors import PreflightError
from core.kill.latch import Latch, LatchRecord
from core.kill.page import Cause, Page
from core.kill.report import KillReport

LATCH_PATIENCE_S: Final = 0.1
"""Longest that a pull waits for the disk; a thread goes on trying."""
RETRY_S: Final = 1.0
"""Between two tries to write the latch."""
SILENT_S: Final = 10.0
"""After the first pull since it was armed: without zero verified by then, the venue's dead-man switch is let fire
(reliability.md 4.6)."""


class KillSwitch:
    """The switch of one session's directory. Every process has one of its own; they agree by page and latch."""

    def __init__(self, page: Page, latch: Latch, clock: Clock) -> None:
        """Put together by :meth:`open`."""
        self.page = page
        self.latch = latch
        self._clock = clock
        self._writers: list[threading.Thread] = []
        """Threads that write the latch."""

    @classmethod
    def open(cls, directory: Path, clock: Clock) -> "KillSwitch":
        """The switch of a directory; what is missing is made, and what disagrees is killed.

        Raises:
            PreflightError: the page or the latch is not ours alone, or cannot be made.
        """
        latch = Latch(directory, clock.unix())
        try:
            switch = cls(Page(directory), latch, clock)
        except BaseException:
            latch.close()
            raise
        try:
            switch._agree()
        except BaseException:
            switch.close()
            raise
        return switch

    @property
    def is_closed(self) -> bool:
        """No order may leave: one look at memory, for use right before bytes are written."""
        return self.page.is_shut

    @property
    def killed(self) -> LatchRecord | None:
        """Why nothing may be placed; None while armed."""
        record = self.latch.read()
        if record.state == "killed":
            return record
        return self._record() if self.page.is_shut else None

    @property
    def report(self) -> KillReport | None:
        """What the killer says of the last pull; None while none has answered it."""
        report = self.page.report
        return report if report is not None and report.pull == self.page.pull else None

    def pull(self, by: str, reason: str) -> bool:
        """Kill: shut the gate, then latch; whoever pulls again cancels again, and the first reason stays.

        May be called anywhere, also in a signal handler. Raises nothing, and does nothing after :meth:`close`.

        Args:
            by: who or what pulls.
            reason: why, in words.

        Returns:
            The latch is on the disk. If not, it is being tried, and the page keeps the gate shut meanwhile.
        """
        try:
            self.page.shut(self._clock.monotonic(), Cause(by=by, reason=reason, unix=self._clock.unix()))
        except ValueError:  # closed already: the session has ended
            return False
        return self.latch_soon().wait(LATCH_PATIENCE_S)

    def latch_soon(self) -> threading.Event:
        """Let a thread make the latch say what the page says, however long the disk takes; set when it is there."""
        done = threading.Event()

        def write() -> None:
            while self.page.is_shut and not done.is_set():
                if self._latch():
                    done.set()
                else:
                    time.sleep(RETRY_S)

        thread = threading.Thread(target=write, name="latch", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread is to be had: then it is tried here, once
            if self._latch():
                done.set()
        else:
            self._writers = [*(writer for writer in self._writers if writer.is_alive()), thread]
        return done

    def heed_latch(self) -> None:
        """Shut the gate if only the latch says killed: somebody took the page away, and killed with a new one."""
        record = self.latch.read()
        if record.state == "killed" and not self.page.is_shut:
            self.page.shut(self._clock.monotonic(), Cause(by=record.by, reason=record.reason, unix=record.unix))

    def rearm(self, by: str, reason: str, *, pull: int) -> int:
        """Open the gate again: latch armed on the disk first, then the page.

        Args:
            by: who does it.
            reason: why.
            pull: number of the pull (:attr:`Page.pull`) of which the conditions were looked at.

        Returns:
            The new epoch.

        Raises:
            PreflightError: somebody has pulled since, or the disk refuses; the switch stays closed.
        """
        with self.latch.arming():
            if self.page.pull != pull:
                raise PreflightError("the kill switch was pulled again meanwhile")
            epoch = max(self.latch.read().epoch, self.page.epoch) + 1
            armed = LatchRecord(state="armed", epoch=epoch, by=by, reason=reason, unix=self._clock.unix())
            try:
                self.latch.write(armed)
            except OSError as error:
                raise PreflightError(f"the latch cannot be written: {error.strerror}") from error
            if not self.page.open(epoch, pull):
                self._write_kill()
                raise PreflightError("the kill switch was pulled again meanwhile")
            return epoch

    def withholds_heartbeat(self, now: float) -> bool:
        """No heartbeat is to be sent: nothing of ours is open any more, or the venue is to clear us by itself."""
        if not self.page.is_shut:
            return False
        report = self.report
        is_fresh = 0 <= now - self.page.shut_s < SILENT_S
        return not is_fresh or (report is not None and report.verified)

    def close(self) -> None:
        """Let go of page and latch, which stay as they are; not while the disk keeps a thread waiting for it."""
        for writer in self._writers:
            writer.join(LATCH_PATIENCE_S)
            if writer.is_alive():
                return
        self.page.close()
        self.latch.close()

    def _agree(self) -> None:
        """What only one of the two says, the other one missed: the disk was full, or a file was taken away."""
        self.heed_latch()
        if self.page.is_shut and self.page.pull == 0:
            self.page.shut(self._clock.monotonic(), Cause(by="nobody", reason="the page was damaged", unix=0.0))
        with self.latch.killing() as is_alone:  # who arms writes the latch first, and opens the page then
            if is_alone and self.page.is_shut and self.latch.read().state == "armed":
                self._write_kill()

    def _latch(self) -> bool:
        """Write and sync the latch, unless the gate was opened again meanwhile; whether it is on the disk."""
        with self.latch.killing():
            return self.page.is_shut and self._write_kill()

    def _write_kill(self) -> bool:
        try:
            self.latch.kill(self._record())
        except OSError:
            return False
        return True

    def _record(self) -> LatchRecord:
        cause = self.page.cause or Cause(by="nobody", reason="the page does not say why", unix=self._clock.unix())
        return LatchRecord(state="killed", epoch=self.page.epoch, by=cause.by, reason=cause.reason, unix=cause.unix)
