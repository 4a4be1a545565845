"""Commands to a running session from any shell, over its control socket: acts, their previews, and how things stand.

``kill`` and ``rearm`` are in :mod:`polymm_tui.killing`. All text is made harmless, whoever wrote it.
"""

import json
import sys
from typing import Any, Final, Literal, NamedTuple

import msgspec

from core.clock import SystemClock
from core.config import Effective
from core.errors import PreflightError, StoreError, UsageError
from core.runtime.control_socket import Act, Done, NoAnswer, NoSession, ShellAct, Status, ask
from core.runtime.places import Places
from core.standing import Standing
from core.store.left import read_left
from polymm_tui.naming import candidate_lines
from polymm_tui.sessions import latch_of, the_session
from polymm_tui.status_text import left_lines, standing_lines
from polymm_tui.streams import give, say
from widgets.format import clean

REFUSED: Final = 2
_ALL_WORD: Final = "ALL"


class Wanted(NamedTuple):
    """What an act is about, as it was asked for."""

    market: str
    """As ``explain`` takes it; "" for all markets."""
    side: Literal["", "bid", "ask"] = ""
    """Of the YES book; "" for both."""
    for_s: float | None = None
    reason: str = ""
    ticks: float = 0.0


class Confirmation(NamedTuple):
    """How a flattening is confirmed: asked for, given by ``--yes`` or ``--confirm``, or not at all (``--preview``)."""

    yes: bool = False
    token: str = ""
    only_preview: bool = False


def run_act(effective: Effective, act: ShellAct, wanted: Wanted, *, as_json: bool) -> int:
    """Let the session do something; returns the exit code, 2 when it refuses.

    Raises:
        PreflightError: no session runs, or it does not answer.
        UsageError: several sessions run and none was named.
    """
    return tell(act, wanted.market, send(the_session(effective), _request(act, wanted)), as_json=as_json)


def run_flatten(
    effective: Effective,
    wanted: Wanted,
    confirmation: Confirmation,
    *,
    most_cost: int | None,
    passive_s: float | None,
    as_json: bool,
) -> int:
    """Show what closing the position would cost, have it confirmed, and begin; returns the exit code.

    Args:
        effective: settings that say where the session is.
        wanted: the market, or all.
        confirmation: how it is confirmed.
        most_cost: most it may cost, micro-dollars; None by the settings.
        passive_s: how long it waits at the touch; None by the settings.
        as_json: one JSON object on stdout instead of text.

    Raises:
        PreflightError: no session runs, or it does not answer.
        UsageError: several sessions run and none was named; or nobody can be asked to confirm.
    """
    places = the_session(effective)
    terms: dict[str, Any] = {"most_cost": most_cost, "passive_s": passive_s}
    token = confirmation.token
    if not token:
        shown = send(places, _request("flatten", wanted, preview=True, **terms))
        if confirmation.only_preview or not shown.done or not shown.confirm:
            return tell("flatten", wanted.market, shown, as_json=as_json)
        if not confirmation.yes:
            if as_json or not sys.stdin.isatty():
                say("\n".join(safe_lines(shown.text)))
                raise UsageError("flatten: nothing was done; confirm with --yes, or with --confirm after --preview")
            give("\n".join(safe_lines(shown.text)))
            if not _agreed(wanted.market):
                raise UsageError("flatten: not confirmed; nothing was done")
        token = shown.confirm
    return tell(
        "flatten", wanted.market, send(places, _request("flatten", wanted, confirm=token, **terms)), as_json=as_json
    )


def run_status(effective: Effective, *, as_json: bool) -> int:
    """Say how things stand: what the session says, else what it left behind.

    Returns:
        The exit code, 5 when what was left cannot be read.

    Raises:
        UsageError: several sessions run and none was named.
        PreflightError: the session is of another version of this program, or the latch is not ours alone.
    """
    places = the_session(effective)
    silent = ""
    try:
        standing = ask(places.control, Status(), Standing)
    except NoSession:
        pass
    except NoAnswer as error:
        silent = str(error)
    else:
        if as_json:
            give(json.dumps({"running": True, **msgspec.to_builtins(standing)}))
        else:
            give("\n".join(standing_lines(standing)))
        return 0
    now = SystemClock().unix()
    latch = latch_of(places)
    armed_unix = latch.unix if latch is not None and latch.state == "armed" else 0.0
    left, unreadable = None, ""
    try:
        left = read_left(places.database, now, armed_unix)
    except StoreError as error:
        unreadable = str(error)
    if as_json:
        about = {"running": bool(silent), "mode": places.mode, "directory": str(places.directory)}
        found = {"latch": msgspec.to_builtins(latch), "left": msgspec.to_builtins(left)}
        give(json.dumps({**about, "problem": silent or unreadable, **found}))
    else:
        give("\n".join(left_lines(places, silent, latch, left or unreadable)))
    return StoreError.exit_code if unreadable else 0


def tell(act: str, asked: str, done: Done, *, as_json: bool) -> int:
    """Say what became of an act; returns the exit code.

    Raises:
        UsageError: the session refused it.
    """
    if as_json:
        # json escapes what is not ASCII: nothing that a stranger wrote may reach a terminal as a control character.
        give(json.dumps(msgspec.to_builtins(done)))
        return 0 if done.done else REFUSED
    if done.candidates:
        raise UsageError("\n".join(candidate_lines(asked, done.candidates)))
    title = clean(done.title)
    lines = safe_lines(done.text)
    if not done.done:
        about = f"{act} {title}" if title else act
        raise UsageError("\n".join([f"{about}: refused: {lines[0] if lines else 'no reason was given'}", *lines[1:]]))
    give("\n".join([f"{title}: {lines[0]}" if title and lines else title or "".join(lines[:1]), *lines[1:]]))
    if done.confirm:
        give(f"to confirm: --confirm {clean(done.confirm)}")
    return 0


def safe_lines(text: str) -> list[str]:
    """The lines of a text that may be foreign, each made harmless."""
    return [clean(line) for line in text.split("\n") if line.strip()]


def send(places: Places, request: Act) -> Done:
    """Hand an act to the session.

    Raises:
        PreflightError: no session runs, or it does not answer: then nobody knows whether it was done.
    """
    try:
        return ask(places.control, request, Done)
    except NoAnswer as error:
        known = "whether it was done is not known, see `polymm-tui status`; `polymm-tui kill` works without its answer"
        raise PreflightError(f"{error}; {known}") from error


def _request(act: ShellAct, wanted: Wanted, **more: Any) -> Act:
    return Act(
        act=act,
        asked_s=SystemClock().monotonic(),
        market=wanted.market,
        every=not wanted.market,
        side=wanted.side,
        for_s=wanted.for_s,
        reason=wanted.reason,
        ticks=wanted.ticks,
        **more,
    )


def _agreed(asked: str) -> bool:
    """Ask at the terminal; for all markets the word has to be typed."""
    wanted = "y" if asked else _ALL_WORD
    question = "Flatten it? [y/N] " if asked else f"Type {_ALL_WORD} to flatten all markets: "
    print(question, end="", flush=True, file=sys.stderr)  # noqa: T201
    return sys.stdin.readline().strip() == wanted
