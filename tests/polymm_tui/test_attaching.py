"""The command `attach`: what it says at the end, and the kill that it has done by a process of its own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.clock import SystemClock
from core.errors import PreflightError
from core.kill.switch import KillSwitch
from core.runtime.attached import AttachedLink
from core.runtime.places import Places
from polymm_tui.attaching import _kill_alone, _tell
from polymm_tui.launch import CRASHED


def ended(over: str = "", *, is_lost: bool = False) -> AttachedLink:
    return cast(AttachedLink, SimpleNamespace(over=over, is_lost=is_lost))


@pytest.mark.parametrize(
    ("link", "crashed", "code", "words"),
    [
        (ended(), False, 0, "polymm-tui: detached: the session goes on\n"),
        (ended(), True, CRASHED, "polymm-tui: the console crashed; the session goes on\n"),
        (
            ended("stopped (quit): zero open orders verified\x1b[2J"),
            False,
            0,
            "polymm-tui: the session has ended: stopped (quit): zero open orders verified",
        ),
    ],
)
def test_the_last_line_says_what_becomes_of_the_session(
    link: AttachedLink, crashed: bool, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Detached is no end, and a session's last words cannot paint the shell."""
    assert _tell(link, crashed=crashed) == code
    told = capsys.readouterr().err
    assert told.startswith(words) and "\x1b" not in told


def test_a_lost_session_is_an_error() -> None:
    """Nobody claims to know how it goes on."""
    with pytest.raises(PreflightError, match="whether it goes on is not known: lost for 300 s"):
        _tell(ended("lost for 300 s", is_lost=True), crashed=False)


def test_a_kill_of_its_own_closes_the_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a session and without a watchdog the command does it, whatever the settings here say."""
    monkeypatch.setenv("POLYMM_STATE_DIR", "/nowhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    places: Any = Places(tmp_path / "state", "paper")
    assert _kill_alone(places, "the operator's\nkey")
    switch = KillSwitch.open(places.directory, SystemClock())
    killed = switch.killed
    switch.close()
    assert killed is not None and killed.reason.startswith("the operator's")
