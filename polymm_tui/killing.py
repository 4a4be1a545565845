"""The kill from any shell, and the only way back.

``kill`` needs neither the session's loop nor its socket nor its database: it closes the page that the session looks at
before every order, latches, and cancels with the stored credentials when no watchdog does (reliability.md 4.6).
"""

import json
import threading
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from core.clock import SystemClock
from core.config import Effective
from core.errors import PolymmError, UsageError
from core.kill.report import KillReport
from core.kill.shell import kill_from_shell, open_to_kill, with_latch
from core.kill.switch import KillSwitch
from core.runtime.control_socket import WHO, Act, is_there
from core.runtime.places import Places
from polymm_tui.commanding import send, tell
from polymm_tui.sessions import holders_elsewhere, sessions_to_kill, the_session
from polymm_tui.streams import give, say
from widgets.format import clean

NOT_VERIFIED: Final = 11


class _Kill(threading.Thread):
    """The kill of one session; all of them go on at once, and an interrupt waits for none."""

    def __init__(self, places: Places, reason: str) -> None:
        super().__init__(name=f"kill {places.mode}", daemon=True)
        self.mode = places.mode
        self.report: KillReport | None = None
        self.problem = "it was not waited for"
        """Why there is no report; "" when there is one."""
        self._directory = places.directory
        self._reason = reason
        self._said = ""

    @property
    def is_verified(self) -> bool:
        """Zero open orders were verified, and the session is stopped for good."""
        return self.report is not None and self.report.verified and not self.report.trouble

    def run(self) -> None:
        """Kill, and follow it to its end."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.mode == "paper":
                self.report = self._pull()
            else:
                self.report = kill_from_shell(self._directory, WHO, self._reason, SystemClock(), self._hear)
            self.problem = ""
            self._say(self.report.words)
        except (PolymmError, OSError) as error:
            self.problem = str(error)
            self._say(f"NOT verified: {error}")

    def _pull(self) -> KillReport:
        """Gate and latch are all of it where no order rests at a venue.

        Raises:
            PreflightError: page or latch cannot be had.
        """
        clock = SystemClock()
        switch = open_to_kill(self._directory, clock)
        try:
            is_latched = switch.pull(WHO, self._reason)
            report = KillReport(
                pull=switch.page.pull, by=WHO, reason=self._reason, killer="shell", began_unix=clock.unix(), left=0,
                verified=True,
            )  # fmt: skip
            return with_latch(report, switch, is_latched=is_latched)
        finally:
            switch.close()

    def _hear(self, report: KillReport) -> None:
        """What keeps it from ending is told at once, once."""
        if report.trouble and report.trouble != self._said:
            self._said = report.trouble
            self._say(report.words)

    def _say(self, words: str) -> None:
        say(f"polymm-tui: {self.mode}: {clean(words)}")


def run_kill(effective: Effective, reason: str, *, as_json: bool) -> int:
    """Kill every session that is meant; returns the exit code.

    It is 0 when zero open orders were verified for all of them and all are stopped for good, else 11. What goes wrong
    with one keeps no other from being killed.
    """
    kills = [_Kill(places, reason) for places in sessions_to_kill(effective)]
    for kill in kills:
        kill.start()
    try:
        for kill in kills:
            kill.join()
    except KeyboardInterrupt:
        say("polymm-tui: interrupted: NOT verified that no order is open; `polymm-tui kill` again goes on with it")
    for holder in holders_elsewhere(effective):
        say(
            f"polymm-tui: not killed: {clean(holder)} has another state_dir: set POLYMM_STATE_DIR to it, and kill again"
        )
    is_verified = all(kill.is_verified for kill in kills)
    if as_json:
        sessions = [
            {"mode": kill.mode, "verified": kill.is_verified, "problem": kill.problem,
             "report": msgspec.to_builtins(kill.report)}
            for kill in kills
        ]  # fmt: skip
        give(json.dumps({"verified": is_verified, "sessions": sessions}))
    return 0 if is_verified else NOT_VERIFIED


def state_dir_in(path: Path | None) -> str | None:
    """Where a file of settings says that sessions are, whatever else is wrong with it; None where it does not."""
    try:
        text = "" if path is None else path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        with suppress(tomllib.TOMLDecodeError):
            if isinstance(found := tomllib.loads(line).get("state_dir"), str):
                return found
    return None


def run_rearm(effective: Effective, reason: str, *, as_json: bool) -> int:
    """Let orders be placed again after a kill or a loss; returns the exit code.

    A session that runs decides itself whether everything is reconciled. Without one the latch is taken back, and the
    next start reconciles before it quotes.

    Raises:
        UsageError: the session refuses, nothing is latched, or several sessions run and none was named.
        PreflightError: the session does not answer, or the latch cannot be written.
        InstanceError: a session is just starting or ending.
    """
    places = the_session(effective)
    if is_there(places.control):
        request = Act(act="rearm", asked_s=SystemClock().monotonic(), reason=reason)
        return tell("rearm", "", send(places, request), as_json=as_json)
    if not places.directory.is_dir():
        raise UsageError(f"rearm: nothing is killed: there is no {places.directory}")
    places.claim()
    try:
        text = _rearm(places, reason)
    finally:
        places.release()
    give(json.dumps({"done": True, "text": text}) if as_json else f"{places.mode}: {text}")
    return 0


def _rearm(places: Places, reason: str) -> str:
    """Take the latch of a session that does not run back; the caller holds its directory.

    Raises:
        UsageError: nothing is latched.
        PreflightError: it was pulled again meanwhile, or the disk refuses.
    """
    switch = KillSwitch.open(places.directory, SystemClock())
    try:
        killed, report = switch.killed, switch.report
        if killed is None:
            raise UsageError(f"rearm: nothing is killed in {places.directory}")
        switch.rearm(WHO, reason, pull=switch.page.pull)
    finally:
        switch.close()
    is_settled = places.mode == "paper" or (report is not None and report.verified)
    doubt = "" if is_settled else "; zero open orders were never verified after the kill"
    return f"re-armed; it was killed by {clean(killed.by)}{doubt}. The next start reconciles before it quotes"
