"""A console for a session of another process: ``polymm-tui attach``.

Whatever ends this process only detaches. It knows no key and no credentials: what it may need for a kill beyond the
switch is done by ``polymm-tui kill``, in a process of its own.
"""

import os
import resource
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from core.children import child_environment
from core.clock import SystemClock
from core.config import Effective
from core.errors import PreflightError, UsageError
from core.runtime.attached import AttachedLink
from core.runtime.places import Places
from core.venue.credentials import SECRET_NAMES
from polymm_tui import __version__
from polymm_tui.collector import QuietCollector
from polymm_tui.launch import CRASHED, Ending, run_console
from polymm_tui.sessions import the_session
from polymm_tui.streams import is_terminal, say
from widgets.format import clean

if TYPE_CHECKING:
    from polymm_tui.app import ConsoleApp

LEAVE_SEC: Final = 1.0
"""Longest wait for the link's thread after the console is left."""
_MOST_REASON: Final = 200


def run_attach(effective: Effective, *, read_only: bool) -> int:
    """Show the console of the session that is meant until it is left or the session ends; returns the exit code.

    Raises:
        UsageError: there is no terminal, or several sessions run and none was named.
        PreflightError: no session runs, it does not answer, refuses, or was lost for good.
    """
    if not is_terminal():
        raise UsageError("attach draws a console: stdin, stdout and stderr have to be terminals; see `status`")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in SECRET_NAMES:  # the session has them; nothing here may
        os.environ.pop(name, None)
    places = the_session(effective)
    link = AttachedLink(
        places, __version__, SystemClock(), lambda reason: _kill_alone(places, reason), read_only=read_only
    )
    link.connect()

    def hear(app: "ConsoleApp") -> None:
        link.listen(
            lambda text, is_good: app.say(text, title="Session", severity="information" if is_good else "warning")
        )

    with Ending(link) as ending:
        collector = QuietCollector()
        crashed = run_console(link, ending, collector, threading.Event(), hear)
        collector.restore()
    link.stop("detached")
    link.wait(LEAVE_SEC)
    return _tell(link, crashed=crashed)


def _tell(link: AttachedLink, *, crashed: bool) -> int:
    """Say what becomes of the session; returns the exit code.

    Raises:
        PreflightError: it was lost for good.
    """
    if link.is_lost:
        raise PreflightError(f"the session was lost, and whether it goes on is not known: {clean(link.over)}")
    if link.over:
        say(f"polymm-tui: the session has ended: {clean(link.over)}")
        return 0
    if crashed:
        say("polymm-tui: the console crashed; the session goes on")
        return CRASHED
    say("polymm-tui: detached: the session goes on")
    return 0


def _kill_alone(places: Places, reason: str) -> bool:
    """Cancel everything by a command of its own, which outlives this process; whether zero was verified."""
    command = [sys.executable, "-P", "-m", "polymm_tui", "kill", "--mode", places.mode]
    try:
        killing = subprocess.run(
            [*command, "--reason", clean(reason)[:_MOST_REASON].strip() or "killed from an attached console"],
            env={**child_environment(), "POLYMM_STATE_DIR": str(places.directory.parent)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    except OSError:
        return False
    return killing.returncode == 0
