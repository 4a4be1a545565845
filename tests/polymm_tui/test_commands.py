"""Commands to a session, as far as they come without an engine: what is sent, what is refused, what is shown.

The session is a real socket with scripted answers, in a thread of this process.
"""

import json
import os
import socket
import sqlite3
import threading
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SystemClock
from core.kill.report import KillReport
from core.kill.switch import KillSwitch
from core.market.naming import Named
from core.runtime import control_socket
from core.runtime.control_socket import Act, Done, Status
from core.runtime.places import Places, state_home
from core.standing import Standing, standing
from core.store.left import Left
from core.views import (
    CapView,
    ControlView,
    FeedView,
    FlattenView,
    KillReportView,
    KillView,
    ProtectionView,
)
from polymm_tui import killing
from polymm_tui.cli import _span, main
from tests.builders import laws, shares, usd
from tests.end_to_end.program import environment
from tests.polymm_tui.answering import answering
from tests.widgets.view_builders import a_market, a_view

Run = Callable[..., tuple[int, str, str]]
RAIN = "0x" + "ab" * 32
HOSTILE = ("\x1b[2J[red]\u202egnp\u0000\x9b31m", "\x1b]52;c;aGk=\x07", "a\nb\r\u2028c\u200b", "\ud800 \U0001f600" * 400)


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a developer's settings nor a developer's sessions are read or touched."""
    for name in [name for name in os.environ if name.startswith("POLYMM_") or name in ("PK", "BROWSER_ADDRESS")]:
        monkeypatch.delenv(name)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False, readline=lambda: ""))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run in this process: exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def places_of(tmp_path: Path, mode: str = "demo") -> Places:
    return Places(tmp_path / "state", mode)


class FakeSession:
    """What a session's socket was told, and what it says."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.done: Any = lambda act: Done(True, f"{act.act} done", RAIN, "Will it rain?")
        self.standing: Standing = standing(a_view())

    def act(self, request: Act) -> Done:
        self.acts.append(request)
        return self.done(request)  # type: ignore[no-any-return]

    def status(self, request: Status) -> Standing:
        return self.standing


@contextmanager
def running(places: Places) -> Iterator[FakeSession]:
    """A session of these places, in a thread of its own."""
    session = FakeSession()
    with answering(places, {Act: session.act, Status: session.status}):
        yield session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[FakeSession]:
    with running(places_of(tmp_path)) as fake:
        yield fake


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pause"], ["MARKET", "--all"]),
        (["pause", "rain", "--all"], ["--all", "MARKET"]),
        (["pause", ""], ["MARKET", "names no market"]),
        (["pause", "x" * 501], ["names no market"]),
        (["pause", "rain", "--for", "5"], ["--for", "'5'", "90s"]),
        (["pause", "rain", "--for", "0s"], ["--for", "30 days"]),
        (["pause", "rain", "--for", "31d"], ["--for", "30 days"]),
        (["pause", "rain", "--for", "-5s"], ["--for"]),
        (["pause", "rain", "--for", "1e3s"], ["--for", "no duration"]),
        (["reduce", "rain", "--for", "soon"], ["--for", "'soon'"]),
        (["pause", "rain", "--side", "yes"], ["--side", "bid"]),
        (["pause", "rain", "--reason", " "], ["--reason", "one line"]),
        (["pause", "rain", "--reason", "a\nb"], ["--reason", "one line"]),
        (["pause", "rain", "--reason", "\x1b[2J"], ["--reason", "one line"]),
        (["pause", "rain", "--reason", "x" * 201], ["--reason", "200"]),
        (["resume", "rain", "--for", "5m"], ["--for"]),
        (["cancel", "rain", "--side", "bid"], ["--side"]),
        (["widen", "rain", "--ticks", "0"], ["--ticks", "'0'"]),
        (["widen", "rain", "--ticks", "nan"], ["--ticks"]),
        (["widen", "rain", "--ticks", "1001"], ["--ticks", "1000"]),
        (["flatten", "rain", "--max-cost", "-1"], ["--max-cost"]),
        (["flatten", "rain", "--max-cost", "1,5"], ["--max-cost", "dollars"]),
        (["flatten", "rain", "--yes", "--confirm", "t"], ["--confirm", "--yes"]),
        (["flatten", "rain", "--stop", "--max-cost", "5"], ["--max-cost", "flatten --stop"]),
        (["flatten", "rain", "--passive", "x"], ["--passive"]),
        (["rearm"], ["--reason"]),
        (["rearm", "--reason", ""], ["--reason"]),
        (["kill", "rain"], ["rain"]),
        (["status", "rain"], ["rain"]),
        (["--duration", "5", "kill"], ["--duration", "not a flag of `kill`"]),
        (["--no-ui", "pause", "--all"], ["--no-ui", "not a flag of `pause`"]),
        (["--seed", "5", "status"], ["--seed", "not a flag of `status`"]),
        (["pause", "--all", "--mode", "replay"], ["--mode"]),
    ],
)
def test_a_mistake_is_told_in_one_line_and_nothing_is_sent(
    said: Run, session: FakeSession, arguments: list[str], words: list[str]
) -> None:
    """What, where, what to do; exit code 2."""
    code, out, err = said(*arguments)
    assert (code, out, session.acts) == (2, "", []) and len(err.splitlines()) == 1, err
    assert err.startswith("polymm-tui: ") and all(word in err for word in words), err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("0.5s", 0.5), ("30d", 2592000)]
)
def test_a_duration_says_its_unit(text: str, seconds: float) -> None:
    """As people write it."""
    assert _span(text) == seconds


@laws(300)
@given(st.text(max_size=12) | st.from_regex(r"[-+]?[0-9.]{0,5}[smhdwy]?", fullmatch=True))
def test_any_other_duration_is_refused(text: str) -> None:
    """Never taken for another time than was meant."""
    try:
        seconds = _span(text)
    except ArgumentTypeError:
        return
    assert 0 < seconds <= 30 * 86_400 and text[-1] in "smhd" and text.isascii()


# Acts


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["pause", "rain"], {"act": "pause", "market": "rain"}),
        (
            ["pause", "rain", "--side", "bid", "--for", "15m", "--reason", "lunch"],
            {"act": "pause", "market": "rain", "side": "bid", "for_s": 900.0, "reason": "lunch"},
        ),
        (["resume", "--all"], {"act": "resume", "every": True}),
        (["reduce", "--all", "--side", "ask"], {"act": "reduce", "every": True, "side": "ask"}),
        (["widen", "rain"], {"act": "widen", "market": "rain", "ticks": 1.0}),
        (
            ["widen", "--all", "--ticks", "-2.5", "--for", "2h"],
            {"act": "widen", "every": True, "ticks": -2.5, "for_s": 7200.0},
        ),
        (["cancel", "--all", "--reason", "ü"], {"act": "cancel", "every": True, "reason": "ü"}),
        (["flatten", "rain", "--stop"], {"act": "flatten_stop", "market": "rain"}),
        (
            ["flatten", "rain", "--confirm", "token", "--max-cost", "12.5", "--passive", "0"],
            {"act": "flatten", "market": "rain", "confirm": "token", "most_cost": 12_500_000, "passive_s": 0.0},
        ),
        (["rearm", "--reason", "looked into it"], {"act": "rearm", "reason": "looked into it"}),
    ],
)
def test_what_is_asked_for_is_what_is_sent(
    said: Run, session: FakeSession, arguments: list[str], sent: dict[str, Any]
) -> None:
    """Every flag arrives, and the answer is shown with the market's name."""
    code, out, err = said(*arguments)
    [act] = session.acts
    assert (code, err) == (0, "") and out == f"Will it rain?: {sent['act']} done\n"
    assert abs(SystemClock().monotonic() - act.asked_s) < 60
    assert msgspec.structs.replace(act, asked_s=0.0) == Act(asked_s=0.0, **sent)


def test_an_answer_as_json(said: Run, session: FakeSession) -> None:
    """One object; done or not is in it and in the exit code."""
    code, out, _ = said("pause", "rain", "--json")
    assert code == 0 and json.loads(out)["done"] is True
    session.done = lambda act: Done(False, "killed", RAIN, "Will it rain?")
    code, out, err = said("pause", "rain", "--json")
    assert (code, json.loads(out)["done"], json.loads(out)["text"], err) == (2, False, "killed", "")


def test_a_refusal_is_one_line_on_stderr(said: Run, session: FakeSession) -> None:
    """Exit code 2; nothing on stdout that a script could take for success."""
    session.done = lambda act: Done(False, "killed; re-arm it first", RAIN, "Will it rain?")
    assert said("resume", "rain") == (
        2, "", "polymm-tui: resume Will it rain?: refused: killed; re-arm it first\n",
    )  # fmt: skip
    session.done = lambda act: Done(False, "the token is stale; ask for a new preview")
    code, out, err = said("flatten", "--all", "--confirm", "old")
    assert (code, out) == (2, "") and "stale" in err and "new preview" in err


@pytest.mark.parametrize(
    ("asked", "head"), [("will", "'will' may be several markets:"), ("snow", "no market is called")]
)
def test_an_unclear_market_is_answered_with_those_there_are(
    said: Run, session: FakeSession, asked: str, head: str
) -> None:
    """As `explain` does."""
    known = (Named(RAIN, "Will it rain?"), Named("0x" + "5" * 64, "Will it\x1b shine?"))
    session.done = lambda act: Done(False, "unclear", candidates=known)
    code, out, err = said("pause", asked)
    assert (code, out) == (2, "") and head in err
    assert [line.split(maxsplit=1)[1] for line in err.splitlines()[1:]] == ["Will it rain?", "Will it shine?"]


def test_no_session(said: Run, tmp_path: Path) -> None:
    """Exit code 3, and what to do."""
    for arguments in (("pause", "--all"), ("flatten", "rain", "--yes"), ("cancel", "rain")):
        code, out, err = said(*arguments)
        assert (code, out) == (3, "") and "no session runs in" in err and "--mode" in err


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """A session that takes the connection and says nothing: it hangs, or is stopped."""
    monkeypatch.setattr(control_socket, "ANSWER_SEC", 0.1)
    monkeypatch.setattr("core.runtime.control_socket.ask.__defaults__", (0.1,))
    places = places_of(tmp_path)
    places.directory.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(places.control))
        server.listen()
        yield places


def test_a_session_that_hangs(said: Run, silent: Places) -> None:
    """Nobody knows whether it was done; the line says so, and what works all the same."""
    code, out, err = said("pause", "--all")
    assert (code, out) == (3, "") and "does not answer" in err and len(err.splitlines()) == 1
    assert "not known" in err and "polymm-tui kill" in err
    code, out, _ = said("status")
    flat = " ".join(out.split())
    assert code == 0 and "does not answer" in flat and "`polymm-tui kill` works" in flat
    told = json.loads(said("status", "--json")[1])
    assert told["running"] is True and "does not answer" in told["problem"]


# Which session


def test_the_session_that_runs_is_meant(said: Run, tmp_path: Path) -> None:
    """Without --mode a paper session is not mistaken for a demo that does not run."""
    with running(places_of(tmp_path, "paper")) as paper:
        assert said("pause", "--all")[0] == 0 and len(paper.acts) == 1
        assert said("pause", "--all", "--mode", "demo")[0] == 3


def test_with_several_sessions_one_has_to_be_named(said: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An act on the demo that was meant for live would be believed."""
    with ExitStack() as stack:
        demo, live = (stack.enter_context(running(places_of(tmp_path, mode))) for mode in ("demo", "live"))
        code, out, err = said("pause", "--all")
        assert (code, out) == (2, "") and "demo and live" in err and "--mode" in err
        assert demo.acts == live.acts == []
        assert said("pause", "--all", "--mode", "live")[0] == 0 and len(live.acts) == 1
        monkeypatch.setenv("POLYMM_MODE", "live")
        assert said("pause", "--all")[0] == 0 and len(live.acts) == 2 and demo.acts == []


def test_where_none_runs_the_last_one_is_meant(said: Run, tmp_path: Path) -> None:
    """Whoever asks after the end of a live session is not told of the demo of last month."""
    for when, mode in ((3e8, "demo"), (9e8, "live"), (6e8, "paper")):
        directory = places_of(tmp_path, mode).directory
        directory.mkdir(parents=True)
        (directory / "polymm.log").touch()
        os.utime(directory / "polymm.log", (when, when))
    assert json.loads(said("status", "--json")[1])["mode"] == "live"
    assert json.loads(said("status", "--json", "--mode", "paper")[1])["mode"] == "paper"


# Flatten


def preview(act: Act) -> Done:
    """What a session says that has something to flatten."""
    if act.preview:
        return Done(True, "sells 20 YES\nworst cost $1.20", RAIN, "Will it rain?", "token-1")
    return Done(act.confirm == "token-1", "flattening" if act.confirm else "not confirmed", RAIN, "Will it rain?")


def test_flatten_shows_first_and_confirms_what_was_shown(said: Run, session: FakeSession) -> None:
    """Both requests say the same but for the token."""
    session.done = preview
    code, out, _ = said("flatten", "rain", "--yes", "--max-cost", "3", "--passive", "30s")
    first, second = session.acts
    assert code == 0 and out.endswith("Will it rain?: flattening\n")
    assert (first.preview, first.confirm, second.preview, second.confirm) == (True, "", False, "token-1")
    assert first.most_cost == second.most_cost == 3_000_000 and first.passive_s == second.passive_s == 30.0


def test_a_preview_changes_nothing_and_gives_the_token(said: Run, session: FakeSession) -> None:
    """For programs, and for whoever wants to think."""
    session.done = preview
    code, out, _ = said("flatten", "rain", "--preview")
    assert code == 0 and "worst cost $1.20" in out and "--confirm token-1" in out
    assert json.loads(said("flatten", "rain", "--preview", "--json")[1])["confirm"] == "token-1"
    assert [act.preview for act in session.acts] == [True, True]


def test_without_a_terminal_nobody_confirms(said: Run, session: FakeSession) -> None:
    """A script that forgot --yes has not flattened, and its exit code says so."""
    session.done = preview
    for arguments in (("flatten", "rain"), ("flatten", "rain", "--json")):
        code, out, err = said(*arguments)
        assert (code, out) == (2, "") and "nothing was done" in err and "--yes" in err
    assert all(act.preview for act in session.acts)


@pytest.mark.parametrize(
    ("which", "typed", "goes_on"),
    [
        ("rain", "y\n", True),
        ("rain", "\n", False),
        ("rain", "", False),
        ("--all", "ALL\n", True),
        ("--all", "y\n", False),
    ],
)
def test_at_a_terminal_it_is_asked(
    said: Run, session: FakeSession, monkeypatch: pytest.MonkeyPatch, which: str, typed: str, goes_on: bool
) -> None:
    """Return alone is no; for all markets the word is typed."""
    session.done = preview
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: typed))
    code, out, err = said("flatten", which)
    assert "worst cost $1.20" in out and code == (0 if goes_on else 2)
    assert [act.preview for act in session.acts] == ([True, False] if goes_on else [True])
    assert goes_on or "nothing was done" in err


def test_a_program_at_a_terminal_is_not_asked(said: Run, session: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json the answer is one object, or none; a question would hang whoever reads it."""
    session.done = preview
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: "y\n"))
    code, out, err = said("flatten", "rain", "--json")
    assert (code, out) == (2, "") and "--yes" in err and [act.preview for act in session.acts] == [True]


def test_nothing_to_flatten_is_said_and_not_asked(said: Run, session: FakeSession) -> None:
    """A preview that cannot be confirmed ends there."""
    session.done = lambda act: Done(True, "nothing to flatten", RAIN, "Will it rain?")
    assert said("flatten", "rain") == (0, "Will it rain?: nothing to flatten\n", "")
    assert len(session.acts) == 1


# Status


def a_standing() -> Standing:
    """One of everything."""
    told = standing(a_view(markets=(a_market(),)))
    [market] = told.markets
    return msgspec.structs.replace(
        told,
        control="REDUCE_ONLY",
        controls=(
            ControlView("REDUCE_ONLY", "loss", reason="down 1.2 % today", author="daily loss limit", since_unix=1.0),
            ControlView("PAUSED", "operator", market.market, "bid", "lunch", "shell", 1.0, 840.0),
        ),
        kill=KillView(guarded=True, watchdog_up=True, watchdog_age_s=0.1),
        protections=(ProtectionView("streak", True, "6 fills in 30 s", "6", 1, True, 30.0),),
        denials=(("collar", 3), ("market_cap", 1)),
        feeds=(FeedView("market", True, 2, 2, 0.4, 0, ""), FeedView("user", False, 0, 1, None, 1, "refused")),
        caps=(
            CapView("account", "", "", usd(300), usd(1500)),
            CapView("market", market.title, market.market, usd(270), usd(300)),
        ),
        unknown_orders=1,
        markets=(
            msgspec.structs.replace(
                market,
                control="PAUSED",
                quoting=False,
                blocked_by="user feed is down",
                flatten=FlattenView("passive", "waits at 45c", shares(20), shares(12), usd(0.3), usd(1.2), 20.0),
            ),
        ),
    )


def test_status_says_what_stops_and_what_runs(said: Run, session: FakeSession) -> None:
    """States with reason, author and time left; kill, feeds, orders, caps, money, and each market's first clause."""
    session.standing = a_standing()
    code, out, err = said("status")
    assert (code, err) == (0, "") and max(map(len, out.splitlines())) <= 80
    flat = " ".join(out.split())
    for words in (
        "reduce-only, quoting 0 of 1 markets",
        "all markets: reduce-only (loss): down 1.2 % today, by daily loss limit",
        "bids: paused: lunch, by shell, 14m left",
        "armed watchdog up",
        "streak holds, 30s left",
        "collar 3, market_cap 1",
        "market 2/2 0s, user DOWN (refused)",
        "1 unknown",
        "account: $300.00 of $1,500.00, 20%",
        "market: $270.00 of $300.00, 90%",
        "not quoted: user feed is down",
        "flattening: waits at 45c, 20s left; 12 of 20 left, $0.30 of $1.20 spent",
    ):
        assert words in flat, (words, out)


def test_status_as_json_is_what_the_session_said(said: Run, session: FakeSession) -> None:
    """Integers, and the same names as in the code."""
    session.standing = a_standing()
    told = json.loads(said("status", "--json")[1])
    assert told.pop("running") is True and msgspec.convert(told, Standing) == session.standing


def test_a_killed_session_says_by_whom_and_what_is_left(said: Run, session: FakeSession) -> None:
    """And how to come back; what was only sent is never called done."""
    report = KillReportView(sent=2, confirmed=4, left=1, unknown=1, zero=False, detail="no answer", by="watchdog")
    kill = KillView(killed=True, by="loss", reason="down 3 %", unix=1.79e9, report=report, guarded=True)
    session.standing = msgspec.structs.replace(a_standing(), control="KILLED", kill=kill)
    flat = " ".join(said("status")[1].split())
    for words in (
        "KILLED by loss, 2026-09-21 14:13:20 UTC: down 3 %",
        "NOT verified that no order is open, by the watchdog: 2 cancel-all sent, 4 orders confirmed cancelled, 1 left,"
        " 1 unknown; no answer",
        "polymm-tui rearm --reason",
        "watchdog DOWN",
    ):
        assert words in flat, (words, flat)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_word_of_a_stranger_moves_the_terminal(said: Run, session: FakeSession, text: str) -> None:
    """Titles, reasons, the venue's words: in every output, as text and as JSON."""
    base = a_standing()
    [market] = base.markets
    session.standing = msgspec.structs.replace(
        base,
        controls=tuple(msgspec.structs.replace(one, reason=text, author=text) for one in base.controls),
        kill=KillView(True, text, text, 1.0, KillReportView(detail=text, by=text), True, False, None, text),
        feeds=(FeedView("market", False, 0, 1, None, 0, text),),
        markets=(msgspec.structs.replace(market, title=text, blocked_by=text),),
    )
    session.done = lambda act: Done(
        act.act == "pause", text, RAIN, text, text, (Named(text, text),) if act.act == "cancel" else ()
    )
    for arguments in (("status",), ("pause", "x"), ("resume", "x"), ("cancel", "x"), ("flatten", "x", "--preview")):
        for form in ((), ("--json",)):
            _, out, err = said(*arguments, *form)
            shown = "".join(char for char in out + err if char != "\n")
            assert shown.isprintable(), (arguments, form, shown)


def test_status_without_a_session_and_without_anything(said: Run) -> None:
    """It works before the first start."""
    code, out, err = said("status")
    assert (code, err) == (0, "") and "no session runs in" in out and "none, or no session in it" in out
    told = json.loads(said("status", "--json")[1])
    assert (told["running"], told["latch"], told["left"]) == (False, None, None)


def test_status_with_a_damaged_database_still_tells_of_the_latch(said: Run, tmp_path: Path) -> None:
    """The kill is what matters most; the exit code says that the rest could not be read."""
    places = places_of(tmp_path)
    places.directory.mkdir(parents=True)
    switch = KillSwitch.open(places.directory, SystemClock())
    switch.pull("loss", "down 3 %")
    switch.close()
    places.database.write_bytes(b"no database")
    code, out, err = said("status")
    assert (code, err) == (5, "") and "KILLED by loss" in out and "cannot be read" in " ".join(out.split())
    code, out, _ = said("status", "--json")
    told = json.loads(out)
    assert code == 5 and "cannot be read" in told["problem"] and told["latch"]["state"] == "killed"


# Kill and rearm


def test_rearm_without_a_session_takes_the_latch_back(said: Run, tmp_path: Path) -> None:
    """With who killed; afterwards there is nothing to re-arm."""
    places = places_of(tmp_path)
    places.directory.mkdir(parents=True)
    switch = KillSwitch.open(places.directory, SystemClock())
    assert switch.pull("loss", "down 3 %")
    assert "KILLED by loss" in said("status")[1] and "down 3 %" in said("status")[1]
    code, out, _ = said("rearm", "--reason", "looked into it")
    assert code == 0 and "killed by loss" in out and "never verified" in out and "reconciles before it quotes" in out
    assert switch.killed is None and not switch.is_closed
    record = switch.latch.read()
    assert (record.state, record.by, record.reason) == ("armed", "shell", "looked into it")
    code, out, err = said("rearm", "--reason", "again")
    assert (code, out) == (2, "") and "nothing is killed" in err
    switch.close()


def test_rearm_where_nothing_was_ever_started(said: Run) -> None:
    """Nothing is made on the way."""
    code, _, err = said("rearm", "--reason", "x")
    assert code == 2 and "nothing is killed" in err


def test_rearm_while_a_session_starts(said: Run, tmp_path: Path) -> None:
    """Between its lock and its socket nobody takes the latch from under it."""
    places = places_of(tmp_path)
    places.claim()
    switch = KillSwitch.open(places.directory, SystemClock())
    switch.pull("loss", "")
    assert said("rearm", "--reason", "x")[0] == 4 and switch.killed is not None
    switch.close()
    places.release()


def test_a_kill_with_nothing_to_cancel_with_latches_and_is_not_verified(said: Run, tmp_path: Path) -> None:
    """No session ever stored credentials: the next start is killed, and nobody claims that nothing is open."""
    code, out, err = said("kill", "--reason", "smoke", "--json")
    told = json.loads(out)
    assert code == 11 and told["verified"] is False and [one["mode"] for one in told["sessions"]] == ["demo"]
    assert err.startswith("polymm-tui: demo: ") and len(err.splitlines()) == 1
    switch = KillSwitch.open(places_of(tmp_path).directory, SystemClock())
    killed = switch.killed
    assert killed is not None and (killed.by, killed.reason) == ("shell", "smoke")
    switch.close()
    assert "KILLED by shell" in said("status")[1]


def test_an_interrupt_ends_the_waiting_and_not_the_kill(
    said: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator gets the prompt back, is told what is not known, and the latch holds."""

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(killing._Kill, "join", interrupted)
    monkeypatch.setattr(killing, "kill_from_shell", lambda *arguments: threading.Event().wait())
    code, out, err = said("kill", "--json")
    told = json.loads(out)
    assert code == 11 and "interrupted" in err and "NOT verified" in err
    assert told["verified"] is False and told["sessions"][0]["problem"] == "it was not waited for"


def test_a_paper_session_has_nothing_at_a_venue(said: Run, tmp_path: Path) -> None:
    """Gate and latch are all that a kill of it is; and it is the one that is meant when it ran last."""
    places_of(tmp_path, "paper").directory.mkdir(parents=True)
    (places_of(tmp_path, "paper").directory / "polymm.log").touch()
    code, _, err = said("kill", "--reason", "practice")
    assert code == 0 and err.startswith("polymm-tui: paper: killed: 0 cancels sent") and "verified" in err
    assert "KILLED by shell" in said("status")[1]
    code, out, _ = said("rearm", "--reason", "it was")
    assert code == 0 and "never verified" not in out


@pytest.mark.parametrize("database", ["none", "unverified", "damaged", "verified"])
def test_a_live_session_that_may_have_left_orders_is_killed_too(
    said: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    """Beside a demo that runs; one that was seen to leave nothing is spared, because its latch would surprise."""
    live = places_of(tmp_path, "live")
    live.directory.mkdir(parents=True)
    (live.directory / "kill.credentials").touch(0o600)
    if database == "damaged":
        live.database.write_bytes(b"no database")
    elif database != "none":
        with closing(sqlite3.connect(live.database)) as db:
            db.execute("CREATE TABLE placeholder (n)")
        left = Left("0.1.0", 1.0, 2.0, "quit", database == "verified", 0, None, None, (), {})
        monkeypatch.setattr("polymm_tui.sessions.read_left", lambda path, unix: left)
    with running(places_of(tmp_path, "demo")):
        told = json.loads(said("kill", "--json")[1])
    assert [one["mode"] for one in told["sessions"]] == (["demo"] if database == "verified" else ["demo", "live"])


def test_kill_is_for_every_session_that_runs(said: Run, tmp_path: Path) -> None:
    """Stopping asks for no mode; naming one spares the others."""
    with running(places_of(tmp_path, "demo")), running(places_of(tmp_path, "live")):
        told = json.loads(said("kill", "--json")[1])
        assert [one["mode"] for one in told["sessions"]] == ["demo", "live"]
        told = json.loads(said("kill", "--json", "--mode", "live")[1])
        assert [one["mode"] for one in told["sessions"]] == ["live"]


@pytest.mark.parametrize("origin", ["file", "environment"])
def test_a_mode_that_nobody_has_typed_spares_no_session(
    said: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    """A live session that was started with a flag beside settings that say paper."""
    (file := tmp_path / "config.toml").write_text('mode = "paper"\n' if origin == "file" else "")
    if origin == "environment":
        monkeypatch.setenv("POLYMM_MODE", "paper")
    with running(places_of(tmp_path, "live")):
        code, out, _ = said("kill", "--json", "--config", str(file))
    assert code == 11 and [one["mode"] for one in json.loads(out)["sessions"]] == ["live"]


@pytest.mark.parametrize(
    "text", ["no_such_setting = 5\n", "base_size_usd = -1\n", "not toml at all [\n", 'mode = "moon"\n']
)
def test_settings_that_are_wrong_keep_nobody_from_killing(
    said: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """They are told as a warning; where the sessions are is read all the same."""
    monkeypatch.delenv("POLYMM_STATE_DIR")
    (file := tmp_path / "config.toml").write_text(f'state_dir = "{tmp_path / "elsewhere"}"\n{text}')
    with running(Places(tmp_path / "elsewhere", "live")):
        code, out, err = said("kill", "--json", "--config", str(file))
    assert code == 11 and [one["mode"] for one in json.loads(out)["sessions"]] == ["live"]
    assert "the settings are not used" in err and str(file) in err
    switch = KillSwitch.open(tmp_path / "elsewhere" / "live", SystemClock())
    assert switch.killed is not None
    switch.close()


def test_a_setting_of_the_environment_that_is_wrong_keeps_nobody_from_killing(
    said: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYMM_BASE_SIZE_USD", "many")
    with running(places_of(tmp_path, "live")):
        code, out, err = said("kill", "--json")
    assert code == 11 and [one["mode"] for one in json.loads(out)["sessions"]] == ["live"]
    assert "the settings are not used" in err


def test_a_session_elsewhere_is_named_and_not_killed(said: Run, tmp_path: Path) -> None:
    """Another state_dir: whoever kills learns of it while there is time to kill that one too."""
    other = Places(tmp_path / "elsewhere", "live")
    other.claim()
    other.claim_wallet("0xABC", state_home(os.environ))
    try:
        _, _, err = said("kill")
        assert f"not killed: polymm-tui, process {os.getpid()}, in {other.directory}" in err
    finally:
        other.release()
    assert "not killed" not in said("kill")[2]


@pytest.mark.parametrize("name", ["kill.page", "kill.latch"])
@pytest.mark.parametrize("mode", ["paper", "demo"])
def test_a_kill_mends_what_keeps_the_switch_from_opening(said: Run, tmp_path: Path, mode: str, name: str) -> None:
    """A copy left the files open to others: the session that has them open is shut out and latched all the same."""
    places = places_of(tmp_path, mode)
    places.directory.mkdir(parents=True, mode=0o700)
    switch = KillSwitch.open(places.directory, SystemClock())
    (places.directory / name).chmod(0o644)
    places.directory.chmod(0o775)
    code, _, _ = said("kill", "--mode", mode)
    assert switch.is_closed and switch.latch.read().state == "killed"
    assert code == (0 if mode == "paper" else 11), "a demo without credentials is never verified"
    switch.close()


def test_trouble_with_the_switch_is_told_and_is_no_success(
    said: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is cancelled, but the gate could not be shut: a session would quote again."""
    places_of(tmp_path).directory.mkdir(parents=True)
    report = KillReport(
        pull=1, by="shell", reason="", killer="shell", began_unix=0.0, left=0, verified=True, trouble="the gate is open"
    )
    monkeypatch.setattr(killing, "kill_from_shell", lambda *arguments: report)
    code, out, err = said("kill", "--json")
    assert code == 11 and "zero open orders verified" in err and "the gate is open" in err
    assert json.loads(out)["verified"] is False
