"""The ``markets`` command: the market list, what became of it, what waits, and a list for those who have none.

A session that runs is asked over its control socket; without one the list is read here, and nothing is changed but by
``approve`` and ``reject``.
"""

import asyncio
import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec

from core.clock import Clock, SystemClock
from core.config import Effective, Mode, Settings
from core.errors import ListError, PreflightError, UsageError
from core.profiles import Profiles
from core.report.files import whole_file
from core.runtime.control_socket import Done, ListAct, Markets, NoAnswer, NoSession, ask
from core.runtime.places import Places
from core.selection.discover import Discovery, discover, list_text
from core.selection.offline import Read, applies, decided, looked, read_list, titles_of, unlooked
from core.selection.showing import change_views, income_view, rule_views
from core.views import ListView, ProposalLineView, ProposalView
from polymm_tui.commanding import tell
from polymm_tui.markets_text import diff_lines, discovery_lines, list_lines, screen_lines
from polymm_tui.sessions import the_session
from polymm_tui.streams import give, say

What = Literal["list", "screen"]
Act = Literal["approve", "reject"]

_UNREADABLE: Final = ListError.exit_code
_UNKNOWN: Final = "whether it was done is not known, see `polymm-tui markets diff`"


def run_list(effective: Effective, what: What, *, as_json: bool) -> int:
    """Show the list: what became of each market, or every rule of the screen with its number and bound.

    Returns:
        The exit code: 3 when the list or the venue could not be read, so that what is shown is older or less.

    Raises:
        UsageError: several sessions run and none was named.
        PreflightError: the session that runs does not answer.
        ListError: there is no list, and none was in force before.
    """
    places = the_session(effective)
    view = _asked(places)
    is_running = view is not None
    if view is None:
        view = asyncio.run(_looked(effective, places, SystemClock()))
    if as_json:
        about: dict[str, Any] = {"running": is_running, **msgspec.to_builtins(view)}
        if what == "list":
            for market in about["markets"]:
                del market["rules"], market["income"]
        give(json.dumps(about))
    else:
        lines = list_lines if what == "list" else screen_lines
        give("\n".join(lines(view, is_running=is_running)))
    return _UNREADABLE if view.trouble else 0


def run_diff(effective: Effective, *, as_json: bool) -> int:
    """Show the changes that wait for approval; else what a reading of the list now would change.

    What waits in a session only the session knows: what a reading here finds to wait has no token there yet.

    Returns:
        The exit code: 3 when the list could not be read.

    Raises:
        UsageError, PreflightError, ListError: as in :func:`run_list`.
    """
    places = the_session(effective)
    view = _asked(places)
    is_running = view is not None
    would: tuple[ProposalLineView, ...] = ()
    would_wait: ProposalView | None = None
    held: tuple[tuple[str, str], ...] = ()
    if view is None or (view.proposal is None and places.mode != "demo"):
        clock = SystemClock()
        read = asyncio.run(_read(effective, places, clock))
        found = unlooked(read, _settings(effective, places), clock.unix())
        would = change_views(applies(read), titles_of(read))
        held = () if read.weighed is None else read.weighed.held
        if view is not None:
            would_wait, found = found.proposal, msgspec.structs.replace(found, next_s=view.next_s, proposal=None)
        view = found
    if as_json:
        told = msgspec.to_builtins(view)
        about = {"running": is_running, **{key: told[key] for key in ("source", "trouble", "proposal", "rejected")}}
        about["would_apply"] = msgspec.to_builtins(would)
        about["would_wait"] = None
        if would_wait is not None:
            about["would_wait"] = {"why": would_wait.why, "lines": msgspec.to_builtins(would_wait.lines)}
        about["held"] = [{"market": market, "why": why} for market, why in held]
        give(json.dumps(about))
    else:
        give("\n".join(diff_lines(view, would, held, would_wait, is_running=is_running)))
    return _UNREADABLE if view.trouble else 0


def run_decision(effective: Effective, act: Act, token: str, *, yes: bool, as_json: bool) -> int:
    """Approve or reject the changes that wait; returns the exit code, 2 when it is refused.

    Args:
        effective: settings that say where the session is.
        act: what to do.
        token: of the changes, as ``diff`` showed it; "" with ``yes``.
        yes: those that wait now, whatever they are.
        as_json: one JSON object on stdout instead of text.

    Raises:
        UsageError: it is refused: nothing waits, other changes wait, or neither token nor ``--yes`` was given.
        PreflightError: the session does not answer.
        InstanceError: a session begins right now.
        ListError: the list in force cannot be read or kept.
    """
    if not token and not yes:
        raise UsageError(f"{act}: give the token that `polymm-tui markets diff` shows, or --yes for what waits now")
    places = the_session(effective)
    view = _asked(places)
    if view is not None:
        token = token or (view.proposal.token if view.proposal is not None else "")
        if not token:
            return tell(act, "", Done(False, "no changes of the market list wait"), as_json=as_json)
        request = ListAct(act=act, confirm=token, asked_s=SystemClock().monotonic())
        try:
            return tell(act, "", ask(places.control, request, Done), as_json=as_json)
        except NoAnswer as error:
            raise PreflightError(f"{error}; {_UNKNOWN}") from error
    clock = SystemClock()
    places.claim()
    try:
        read = asyncio.run(_read(effective, places, clock))
        proposal = read.after.proposal
        if proposal is None:
            done = Done(False, "no changes of the market list wait")
        elif token and token != proposal.token:
            done = Done(False, f"the changes that wait are others now ({proposal.token}); look at them again")
        else:
            count = decided(act, read, proposal.token, places.market_list, clock.unix())
            of = f"{count} {'change' if count == 1 else 'changes'} of the market list"
            done = Done(True, f"{'approved' if act == 'approve' else 'rejected'}: {of}; no session runs")
    finally:
        places.release()
    return tell(act, "", done, as_json=as_json)


def run_discover(effective: Effective, *, scan: int, most: int, out: Path | None, force: bool, as_json: bool) -> int:
    """Rank the venue's open markets, and write those that pass as a market list; returns the exit code.

    Args:
        effective: settings: the screen's bounds and the planned sizes.
        scan: open markets to look at.
        most: best ones to show and to write.
        out: where the list goes, CSV; None for nowhere.
        force: replace a file that is there.
        as_json: one JSON object on stdout instead of text.

    Raises:
        UsageError: the file is there or cannot be written, or no market passes.
        VenueError: the venue cannot be read.
    """
    if out is not None:
        _check_target(out, force=force)
    elif force:
        raise UsageError("--force goes with --out")
    found = asyncio.run(discover(effective.settings, SystemClock(), scan=scan, most=most))
    passing = [candidate for candidate in found.candidates if not candidate.against]
    if as_json:
        give(json.dumps(_discovery(found)))
    else:
        give("\n".join(discovery_lines(found)))
    if out is None:
        return 0
    if not passing:
        raise UsageError(
            f"{out}: not written: no market passes; change the screen's bounds, or look at more with --scan"
        )
    with whole_file(out, force=force) as stream:
        stream.write(list_text(passing).encode())
    rows = f"{len(passing)} {'market' if len(passing) == 1 else 'markets'}"
    say(f"polymm-tui: {out} is written, {rows}; have it read with market_list, or beside your settings as markets.csv")
    return 0


def _check_target(out: Path, *, force: bool) -> None:
    """Look before the venue is asked: nobody waits a minute to be told that the file is there.

    Raises:
        UsageError: the file is there, or its name is not of a list.
    """
    if out.suffix.lower() != ".csv":
        raise UsageError(f"{out}: a list is written as CSV: name it .csv")
    if out.exists() and not force:
        raise UsageError(f"{out}: is there already; --force replaces it")
    if not out.parent.is_dir():
        raise UsageError(f"{out}: {out.parent} is no directory")


def _asked(places: Places) -> ListView | None:
    """What the session says of its list; None when none runs.

    Raises:
        PreflightError: it does not answer, or is of another version.
    """
    try:
        return ask(places.control, Markets(), ListView)
    except NoSession:
        return None


def _settings(effective: Effective, places: Places) -> Settings:
    """The settings of the session that is meant: it may have been found without its mode being named."""
    return replace(effective.settings, mode=cast("Mode", places.mode))


async def _read(effective: Effective, places: Places, clock: Clock) -> Read:
    names = Profiles(effective).names
    return await read_list(_settings(effective, places), os.environ, names, places.market_list, clock)


async def _looked(effective: Effective, places: Places, clock: Clock) -> ListView:
    return await looked(await _read(effective, places, clock), _settings(effective, places), clock)


def _discovery(found: Discovery) -> dict[str, Any]:
    """What was found, for programs."""
    return {
        "scanned": found.scanned,
        "notes": list(found.notes),
        "markets": [
            {
                "market": candidate.sourced.row.market,
                "title": candidate.title,
                "yes_token": candidate.sourced.row.yes_token,
                "no_token": candidate.sourced.row.no_token,
                "passes": not candidate.against,
                "against": candidate.against,
                "figures": msgspec.to_builtins(candidate.figures),
                "score": None if math.isnan(candidate.screening.score) else candidate.screening.score,
                "income_usd": None if candidate.screening.income is None else candidate.screening.income.usd_per_day,
                "income_frac": None if candidate.screening.income is None else candidate.screening.income.frac,
                "income": None
                if candidate.screening.income is None
                else msgspec.to_builtins(income_view(candidate.screening.income)),
                "rules": msgspec.to_builtins(rule_views(candidate.screening)),
            }
            for candidate in found.candidates
        ],
    }
