"""The watchdog: a small process that watches a session, and cancels everything when the session stops or is killed.

It holds the API credentials and no key that signs, so all it can do is cancel. It acts on a pull of the switch, on a
session that stands still, and on one that is gone: its standard input ends without a goodbye (reliability.md 4.1,
P05, P08). What it does is told in the page; on standard output it says one line when the venue has answered it, and
one with the reason when it cannot reach the venue.
"""

import math
import os
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from core.clock import Clock, SystemClock
from core.errors import PolymmError
from core.kill import stored
from core.kill.killer import Killer
from core.kill.page import Cause
from core.kill.switch import KillSwitch
from core.kill.watch import STILL_S, Watch

GOODBYE: Final = b"goodbye\n"
"""What a session says that ends in order: nothing is to be cancelled then."""
READY: Final = b"ready\n"
POWERLESS: Final = b"it could cancel nothing: "
"""Begins the line that says why; ends its guard until it is ready again."""
BY: Final = "watchdog"
"""Who pulls, as the latch says."""
LOOK_MS: Final = 10
"""Between two looks at the page."""
HEED_S: Final = 0.25
"""Between two looks at the latch."""
WARM_S: Final = 3.0
"""Between two uses of the connection, which the venue closes when it is idle."""
RETRY_S: Final = 0.5
"""Between two tries to reach the venue while it does not answer."""
UNREACHED_S: Final = 15.0
"""Without an answer for so long it cannot be said that anything would be cancelled."""
LATE_S: Final = (5.0, 15.0)
"""After zero was verified it is looked again: an order may have been on its way for seconds (polymarket-api.md 12,
row 9)."""
SAYS_S: Final = 0.05
"""For whoever pulls to say why."""
GIVE_UP_S: Final = 5.0
"""A venue on this machine at which nobody has listened for so long since its session ended has ended too."""
GONE: Final = "given up: the venue was on this machine and has ended, and every order with it"
_STDIN, _STDOUT = 0, 1
_MOST_LINE: Final = 65_536


class Watchdog:
    """Watches one session until it is gone, and nothing of it is left at the venue."""

    def __init__(
        self,
        switch: KillSwitch,
        killer: Killer,
        clock: Clock,
        listen: Callable[[], bytes | None],
        rest: Callable[[], None] = lambda: time.sleep(LOOK_MS / 1000),
    ) -> None:
        """Nothing is watched yet.

        Args:
            switch: of the session's directory.
            killer: with a connection of its own.
            clock: the one that the session uses.
            listen: what the session has said since the last call, waiting :data:`LOOK_MS` for it; None: it is gone.
            rest: waits as long where nobody is left to listen to.
        """
        self._switch = switch
        self._page = switch.page
        self._killer = killer
        self._clock = clock
        self._listen = listen
        self._rest = rest
        self._heard = b""
        self._ended_s = math.inf
        """When the session's end of the pipe was closed."""
        report = switch.report
        self._handled = self._page.pull if report is not None and report.verified else 0
        """The last pull after which zero was verified: what an earlier watchdog has not ended is gone on with."""
        self._late_s: list[float] = []

    def run(self) -> None:
        """Watch; returns when the session has said goodbye, or is gone and zero was verified."""
        watch, heeded_s = Watch(self._clock.monotonic()), -math.inf
        while not self._is_over():
            now = self._clock.monotonic()
            self._page.beat_watchdog(now)
            if now - heeded_s > HEED_S:
                heeded_s = now
                self._switch.heed_latch()
            still_s = watch.still_s(self._page.session_s, now)
            if still_s > STILL_S and not self._page.is_shut and not self._is_alone:
                self._pull(f"the session stood still for {still_s:.1f} s")
            self._act(now)
            was_there = not self._is_alone
            self._hear()
            if was_there and self._is_alone and not self._said_goodbye:
                self._pull("the session ended without a word")

    @property
    def _said_goodbye(self) -> bool:
        return self._heard.endswith(GOODBYE)

    @property
    def _is_alone(self) -> bool:
        return self._ended_s < math.inf

    def _is_over(self) -> bool:
        is_done = not self._late_s and not (self._page.is_shut and self._page.pull != self._handled)
        return self._said_goodbye or (self._is_alone and is_done)

    def _hear(self) -> None:
        """Wait a moment for what the session says."""
        if self._is_alone:
            self._rest()
        elif told := self._listen():
            self._heard = (self._heard + told)[-len(GOODBYE) :]
        elif told is None:
            self._ended_s = self._clock.monotonic()

    def _pull(self, reason: str) -> None:
        """As the switch does, without waiting for the disk: cancelling comes first."""
        self._page.shut(self._clock.monotonic(), Cause(by=BY, reason=reason, unix=self._clock.unix()))

    def _act(self, now: float) -> None:
        """Kill when it is due; look for late orders when it is time to."""
        if self._is_due(now):
            is_verified = self._kill()
            now = self._clock.monotonic()
            self._late_s = [now + late_s for late_s in LATE_S] if is_verified else []
        elif self._late_s and now >= self._late_s[0]:
            del self._late_s[0]
            if self._page.is_shut and not self._killer.sees_nothing() and self._killer.gone_since_s == math.inf:
                self._pull("orders came late")

    def _is_due(self, now: float) -> bool:
        """The switch was pulled since the last kill; whoever pulls gets a moment to say why."""
        page = self._page
        return page.is_shut and page.pull != self._handled and (page.cause is not None or now > page.pulled_s + SAYS_S)

    def _kill(self) -> bool:
        """Cancel everything, and latch meanwhile; whether zero was verified: a re-arm or no venue ends it too."""
        pull = self._page.pull
        cause = self._page.cause or Cause(by="nobody", reason="", unix=self._clock.unix())
        self._switch.latch_soon()
        report = self._killer.run(pull, cause, self._page, self._goes_on)
        self._handled = pull
        if self._is_venue_gone:
            with suppress(OSError):
                self._page.write_report(msgspec.structs.replace(report, trouble=GONE))
        return report.verified

    @property
    def _is_venue_gone(self) -> bool:
        """As a demo's is, which ends with its session, and every order with it."""
        return self._clock.monotonic() > max(self._ended_s, self._killer.gone_since_s) + GIVE_UP_S

    def _goes_on(self) -> bool:
        """Whether to go on cancelling: always, while the gate is shut and there may be a venue."""
        self._hear()
        return self._page.is_shut and not self._is_venue_gone


def main(arguments: list[str]) -> int:
    """Run the child of a session: ``python -P -m core.kill DIRECTORY``.

    Credentials come in as one line on standard input, which then stays open for as long as the session lives.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # meant for the session, whose end is what ends this process
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    clock = SystemClock()
    try:
        killer = Killer(stored.decode(_first_line()), clock, "watchdog")
        switch = KillSwitch.open(Path(arguments[0]), clock)
    except (PolymmError, ValueError, IndexError) as error:
        sys.stderr.write(f"watchdog: {error}\n")
        return 2
    os.set_blocking(_STDIN, False)
    warm = (killer, clock, _say, threading.Event().wait)
    threading.Thread(target=keep_warm, args=warm, name="warm", daemon=True).start()
    Watchdog(switch, killer, clock, _listen).run()
    return 0


def _first_line() -> bytes:
    """Byte by byte, so that what follows is left where it is."""
    line = bytearray()
    while len(line) < _MOST_LINE and not line.endswith(b"\n"):
        part = os.read(_STDIN, 1)
        if not part:
            break
        line += part
    return bytes(line)


def _listen() -> bytes | None:
    if not select.select([_STDIN], [], [], LOOK_MS / 1000)[0]:
        return b""
    return os.read(_STDIN, _MOST_LINE) or None


def _say(line: bytes) -> None:
    with suppress(OSError):  # nobody listens any more
        os.write(_STDOUT, line)


def keep_warm(killer: Killer, clock: Clock, say: Callable[[bytes], None], wait: Callable[[float], bool | None]) -> None:
    """Keep the connection open, and say whenever it changes whether anything could be cancelled over it.

    Args:
        killer: whose connection it is.
        clock: measures how long nothing has answered.
        say: takes :data:`READY`, or a line that begins with :data:`POWERLESS`.
        wait: so many seconds; True ends it.
    """
    said, answered_s, is_over = b"", -math.inf, False
    while not is_over:
        trouble, now = killer.warm(proves=said != READY), clock.monotonic()
        if not trouble:
            answered_s, line = now, READY
        elif now - answered_s > UNREACHED_S:
            line = POWERLESS + trouble.encode() + b"\n"
        else:
            line = said
        if line != said:
            said = line
            say(line)
        is_over = bool(wait(RETRY_S if trouble else WARM_S))
