"""What people read of a calibration: eighty columns, each number with its error, thin data by their words."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from rich.cells import cell_len

from core.config import Settings
from core.errors import UsageError
from core.lab.calibrate import calibrate
from polymm_tui.calibration import THIN, calibration_lines, calibration_report, run_calibrate
from tests.builders import recorded
from tests.core.lab.made_markets import Truth, made
from tests.core.lab.test_past_sessions import written
from tests.core.lab.test_tapes import Recorded

HOSTILE = "\x1b[2J[red]\u202egnp\u0000\x9b31m"


def report(*titles: str) -> dict[str, object]:
    """Of made markets, one for each title."""
    found = calibrate(made(1, Truth(rate=0.2, impact=0.002)), Settings())
    fields = {name: getattr(found, name) for name in found.__struct_fields__}
    in_force = {"k_vol": 2.0, "vol_horizon_sec": 12.0, "k_fee_ticks": 1.0, "min_edge_ticks": 1.0}
    return {
        "file": "r.jsonl", "source": "recording", "problems": 0, "proposed": True, "in_force": in_force,
        "markets": [type(found)(**{**fields, "title": title}) for title in titles],
    }  # fmt: skip


def test_every_number_is_there_with_its_error() -> None:
    """Estimates, proposal, and why."""
    lines = calibration_lines(report("Will it?"))
    text = " ".join(" ".join(lines).split())
    for words in (
        "kappa",
        "cents a root second",
        "logits a root second",
        "after 300 s",
        "K_VOL",
        "; now 2",
        "now 12",
        "because",
    ):
        assert words in text, words
    assert text.count("±") >= 12 and "too thin" not in text
    assert max(map(cell_len, lines)) <= 80


def test_words_of_strangers_are_harmless() -> None:
    """Titles come from outside."""
    lines = calibration_lines(report(HOSTILE, "漢字" * 200, ""))
    assert max(map(cell_len, lines)) <= 80
    assert all(char.isprintable() for line in lines for char in line)


def test_many_markets_are_counted() -> None:
    """A sheet of a hundred is not a hundred screens."""
    lines = calibration_lines(report(*["one"] * 25))
    assert sum(line.startswith("because") for line in lines) == 20
    assert lines[-1].startswith("and 5 more markets")


def test_a_thin_recording_ends_with_a_code_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No script takes it for a result; the JSON says what is wanted."""
    tape = Recorded(tmp_path / "r.jsonl")
    tape.say(1.0, tape.venue.trade("0.47"))
    tape.read()
    assert run_calibrate(tape.path, Settings(), gamma=None, market=None, as_json=False) == THIN
    assert "too thin for a proposal" in capsys.readouterr().out
    assert run_calibrate(tape.path, Settings(), gamma=None, market=None, as_json=True) == THIN
    told = json.loads(capsys.readouterr().out)
    assert told["wanted"]["arrivals"] == 30 and not told["proposed"]
    [market] = told["markets"]
    assert "wanted are 30" in market["arrivals"]["too_thin"] and market["proposal"]["k_vol"] is None


def test_one_market_of_several_can_be_asked_for(tmp_path: Path) -> None:
    """By the beginning of its id; what is not there is told with what is."""
    tape = Recorded(tmp_path / "r.jsonl")
    tape.read()
    assert len(calibration_report(tape.path, Settings(), None, "0xab")["markets"]) == 1
    with pytest.raises(UsageError, match="no such market in it: 0xabab"):
        calibration_report(tape.path, Settings(), None, "0x99")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """As by every command that reads recordings."""
    with pytest.raises(UsageError, match="cannot be read"):
        run_calibrate(tmp_path / "none", Settings(), gamma=None, market=None, as_json=True)


def test_garbage_is_counted_and_changes_nothing(tmp_path: Path) -> None:
    """Bad lines are told, the rest is used."""
    tape = Recorded(tmp_path / "r.jsonl")
    tape.say(30.0, tape.venue.set("bid", 46, 100))
    tape.read()
    clean = calibration_report(tape.path, Settings(), None, None)
    tape.path.write_bytes(
        b"garbage\n" + tape.path.read_bytes() + b'{"t": 1, "raw": {"event_type": "book", "bids": 7}}\n'
    )
    dirty = calibration_report(tape.path, Settings(), None, None)
    assert dirty["problems"] == 2 and dirty["markets"] == clean["markets"]
    assert "2 lines could not be used" in "\n".join(calibration_lines(dirty))


async def test_a_database_brings_the_settings_of_its_session(tmp_path: Path) -> None:
    """A proposal stands beside what the session ran with, not beside today's file."""
    path = tmp_path / "mm_state.db"
    await written(path, [(0.0, 0.46)])
    told = calibration_report(path, Settings(), None, None)
    assert (told["source"], told["sessions"], told["in_force"]["k_vol"]) == ("database", 1, 3.0)
    with closing(sqlite3.connect(path)) as db:
        db.execute("""UPDATE sessions SET settings = '{"k_vol": "much", "vol_horizon_sec": true}'""")
        db.commit()
    assert calibration_report(path, Settings(), None, None)["in_force"]["k_vol"] == Settings().k_vol


def test_the_real_recordings_are_too_thin(capsys: pytest.CaptureFixture[str]) -> None:
    """Each of them, by its exit code, in both forms."""
    for path in recorded("ws-market-*.jsonl.gz"):
        for as_json in (False, True):
            assert run_calibrate(path, Settings(), gamma=None, market=None, as_json=as_json) == THIN
    assert "±" not in capsys.readouterr().out


def test_a_file_that_holds_no_recording_is_told_as_such(tmp_path: Path) -> None:
    """It is not data that are too thin."""
    path = tmp_path / "notes.txt"
    path.write_text("nothing of the kind\n")
    with pytest.raises(UsageError, match="no frame of a channel"):
        run_calibrate(path, Settings(), gamma=None, market=None, as_json=False)
