"""Which session a command from the shell is for.

A mode that was named counts: by flag, environment or file; for a kill by flag alone. Else it is the session that runs;
with several the command has to say which, because an act on the demo that was meant for live would be believed. Where
none runs it is the one that did last.
"""

import os
from typing import Final

from core.clock import SystemClock
from core.config import Effective
from core.errors import StoreError, UsageError
from core.kill.latch import NAME, OLD_NAME, Latch, LatchRecord
from core.kill.stored import NAME as CREDENTIALS_NAME
from core.runtime.control_socket import is_there
from core.runtime.places import MODES, Places, places_of, state_home, wallet_holders
from core.store.left import read_left

_BY_DEFAULT: Final = "default"


def the_session(effective: Effective) -> Places:
    """The places of the one session that is meant; whether it runs is not said.

    Raises:
        UsageError: several run and none was named.
    """
    everywhere = _all_places(effective, is_named=effective.origins["mode"] != _BY_DEFAULT)
    running = [places for places in everywhere if is_there(places.control)]
    if len(running) > 1:
        modes = " and ".join(places.mode for places in running)
        raise UsageError(f"sessions of {modes} run in {running[0].directory.parent}: say which with --mode")
    return running[0] if running else max(everywhere, key=_last_sign)


def _last_sign(places: Places) -> float:
    """When anything was last written there, unix seconds; 0 where there is nothing. Of equals the first counts."""
    try:
        return max((entry.stat().st_mtime for entry in os.scandir(places.directory)), default=0.0)
    except OSError:
        return 0.0


def sessions_to_kill(effective: Effective) -> list[Places]:
    """The places of all sessions that may have orders at a venue: a stop asks for less than anything else does.

    All that run, and a live one that ended without having seen that nothing of it is open; else the one that ran last.
    Only a mode that was typed spares the others: settings may name one that what runs was not started with.
    """
    everywhere = _all_places(effective, is_named=effective.origins["mode"].startswith("flag"))
    found = [places for places in everywhere if is_there(places.control) or _may_have_left_orders(places)]
    return found or [max(everywhere, key=_last_sign)]


def holders_elsewhere(effective: Effective) -> list[str]:
    """Sessions of this user that trade in directories of another ``state_dir``, as their leases name them."""
    here = [f"in {places.directory}," for places in _all_places(effective, is_named=False)]
    holders = wallet_holders(state_home(os.environ))
    return sorted(holder for holder in holders if not any(words in holder for words in here))


def _may_have_left_orders(places: Places) -> bool:
    """At a venue that outlives the session; what cannot be read counts as yes."""
    if places.mode != "live" or not (places.directory / CREDENTIALS_NAME).exists():
        return False
    try:
        left = read_left(places.database, SystemClock().unix())
    except StoreError:
        return True
    return left is None or not left.verified


def latch_of(places: Places) -> LatchRecord | None:
    """What the kill latch of a session's directory says; None where there is none.

    Raises:
        PreflightError: the file is not ours alone.
    """
    if not any((places.directory / name).exists() for name in (NAME, OLD_NAME)):
        return None
    latch = Latch(places.directory, SystemClock().unix())
    try:
        return latch.read()
    finally:
        latch.close()


def _all_places(effective: Effective, *, is_named: bool) -> list[Places]:
    """Of the mode that was named, else of every mode."""
    here = places_of(effective.settings, os.environ)
    if is_named:
        return [here]
    return [Places(here.directory.parent, mode) for mode in MODES]
