"""The command line as far as it comes without a session: words in, one line and an exit code out."""

import gzip
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config import Settings
from core.runtime.places import Places
from polymm_tui import __version__, cli
from polymm_tui.cli import main
from tests.end_to_end.program import PROGRAM, ROOT, environment, rows, run

Run = Callable[..., tuple[int, str, str]]
BOOK = {
    "event_type": "book", "market": "0x" + "ab" * 32, "asset_id": "11", "timestamp": "1790000000000", "hash": "",
    "bids": [{"price": "0.4", "size": "100"}], "asks": [{"price": "0.6", "size": "100"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a developer's settings nor a developer's state is read or touched."""
    for name in [name for name in os.environ if name.startswith("POLYMM_") or name in ("PK", "BROWSER_ADDRESS")]:
        monkeypatch.delenv(name)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run in this process: exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def a_recording(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def a_line(message: object, t: int) -> str:
    return json.dumps({"t": t, "raw": message})


# What it says of itself


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for bug reports."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out == f"polymm-tui {__version__}\n"


def test_config_show_names_every_setting_with_its_origin(
    said: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who wonders why it quotes so wide can see each value and where it came from."""
    path = tmp_path / "c.toml"
    path.write_text("k_vol = 3.0\n")
    monkeypatch.setenv("ORDER_LAYERS", "2")
    code, out, err = said("config", "show", "--config", str(path), "--json")
    told = {row["name"]: row for row in json.loads(out)}
    assert (code, err) == (0, "") and set(told) == set(Settings.__slots__)
    assert (told["k_vol"]["value"], told["k_vol"]["origin"]) == (3.0, str(path))
    assert (told["order_layers"]["value"], told["order_layers"]["origin"]) == (2, "environment ORDER_LAYERS")
    code, out, _ = said("config", "show")
    assert code == 0 and len(out.splitlines()) == len(Settings.__slots__)


def test_config_show_tells_no_secret(said: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its output is pasted into issues."""
    monkeypatch.setenv("PK", "0x" + "c0ffee11" * 8)
    assert "c0ffee11" not in said("config", "show")[1]


def test_the_users_own_file_is_found(said: Run, tmp_path: Path) -> None:
    """XDG_CONFIG_HOME, as people expect."""
    usual = tmp_path / "config" / "polymm-tui"
    usual.mkdir(parents=True)
    (usual / "config.toml").write_text("k_vol = 7.0\n")
    told = {row["name"]: row["value"] for row in json.loads(said("config", "show", "--json")[1])}
    assert told["k_vol"] == 7.0


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frobnicate"], ["--frobnicate", "--help"]),
        (["--mode", "yolo"], ["--mode", "demo"]),
        (["--duration", "soon"], ["--duration", "'soon'", "positive number of seconds"]),
        (["--duration", "-1"], ["--duration", "positive"]),
        (["--duration", "nan"], ["--duration", "positive"]),
        (["--duration", "inf"], ["--duration", "positive"]),
        (["--seed", "x"], ["--seed", "'x'"]),
        (["--seed", "-1"], ["--seed", "outside"]),
        (["replay"], ["FILE"]),
        (["replay", "nowhere.jsonl"], ["nowhere.jsonl", "no such file"]),
        (["replay", "."], ["no segments"]),
        (["inspect"], ["FILE"]),
        (["inspect", "nowhere.jsonl"], ["nowhere.jsonl", "no such file"]),
        (["inspect", "."], ["no segments", "*.jsonl.gz"]),
        (["inspect", "x", "--gamma", "g"], ["g", "--gamma"]),
        (["--mode", "demo", "inspect", "x"], ["--mode", "not a flag of `inspect`"]),
        (["record"], ["--out"]),
        (["record", "--out", "x", "--tokens", "1,1.2E+76"], ["--tokens", "'1.2E+76'", "token id"]),
        (["record", "--out", "x", "--tokens", " , "], ["--tokens", "names nothing"]),
        (["record", "--out", "x", "--mode", "live"], ["--mode", "paper"]),
        (["record", "--out", "x", "--duration", "0"], ["--duration", "positive"]),
        (["--no-ui", "record", "--out", "x"], ["--no-ui", "not a flag of `record`"]),
        (["replay", "x", "--speed", "fast"], ["--speed", "'fast'", "max"]),
        (["replay", "x", "--speed", "0"], ["--speed", "positive"]),
        (["--duration", "5", "replay", "x"], ["--duration", "not a flag of `replay`"]),
        (["--mode", "demo", "config", "show"], ["--mode", "not a flag of `config`"]),
        (["config"], ["show"]),
        (["--config", "missing.toml"], ["missing.toml", "cannot be read"]),
        (["replay", "x", "--gamma"], ["--gamma"]),
        (["record", "--out", "/dev/null", "--tokens", "1"], ["/dev/null", "not a directory", "--out"]),
    ],
)
def test_a_mistake_is_told_in_one_line(said: Run, arguments: list[str], words: list[str]) -> None:
    """What, where, what to do; exit code 2; nothing was started."""
    code, out, err = said(*arguments)
    assert (code, out) == (2, "") and len(err.splitlines()) == 1, err
    assert err.startswith("polymm-tui: ") and all(word in err for word in words), err


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("k_volt = 1\n", ["k_volt", "k_vol"]),
        ("k_vol = 1\nk_vol = \n", ["not valid TOML", "line 2"]),
        ("k_vol = 'much'\n", ["k_vol", "number"]),
        ("k_vol = 1e9\n", ["k_vol", "outside"]),
        ("mode = 'casino'\n", ["mode", "casino"]),
        ("[market]\nx = 1\n", ["market"]),
        ("hard_cap_delta_pct = 3\n", ["fraction"]),
        ("\x00", ["not valid TOML"]),
    ],
)
def test_a_mistake_in_the_file_names_file_and_key(said: Run, tmp_path: Path, toml: str, words: list[str]) -> None:
    """A misspelt cap must never be a default cap."""
    path = tmp_path / "c.toml"
    path.write_text(toml)
    code, out, err = said("--config", str(path), "--no-ui")
    assert (code, out) == (2, "") and len(err.splitlines()) == 1, err
    assert str(path) in err and all(word in err for word in words), err


def test_a_file_that_is_no_text_is_told(said: Run, tmp_path: Path) -> None:
    """Somebody gives the database instead."""
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xff\xfe\x00")
    code, _, err = said("--config", str(path))
    assert code == 2 and "cannot be read" in err and len(err.splitlines()) == 1


def test_a_mistake_in_the_environment_names_the_variable(said: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed's variables are honoured, and so are the mistakes in them."""
    monkeypatch.setenv("HARD_CAP_DELTA_PCT", "3%")
    code, _, err = said("--no-ui")
    assert code == 2 and "HARD_CAP_DELTA_PCT" in err and len(err.splitlines()) == 1


def test_a_second_instance_is_refused(said: Run, tmp_path: Path) -> None:
    """Two sessions of one account would trade against each other."""
    places = Places(tmp_path / "state", "demo")
    places.claim()
    code, out, err = said("--no-ui", "--json")
    places.release()
    assert (code, out) == (4, "") and len(err.splitlines()) == 1 and "POLYMM_STATE_DIR" in err


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_kill_latched_by_an_earlier_version_holds(
    said: Run, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update must not undo a kill: the session says so, and so does `status` after it could not be started."""
    monkeypatch.setenv("PK", "0x" + "ab" * 32)
    monkeypatch.setenv("POLYMM_CONFIRM_LIVE", "yes")
    latch = tmp_path / "state" / mode / "KILLED"
    latch.parent.mkdir(parents=True)
    latch.write_text("kill by operator\n")
    code, _, err = said("--mode", mode, "--no-ui")
    assert code == 3 and "killed by an earlier version: kill by operator" in err.lower()
    assert "KILLED by an earlier version" in said("status", "--mode", mode)[1]


def test_live_needs_a_key_and_a_confirmation(said: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live is never a default and never an accident."""
    code, _, err = said("--mode", "live", "--no-ui")
    assert code == 13 and "PK" in err and len(err.splitlines()) == 1
    monkeypatch.setenv("PK", "0x" + "ab" * 32)
    code, _, err = said("--mode", "live", "--no-ui")
    assert code == 2 and "POLYMM_CONFIRM_LIVE" in err and len(err.splitlines()) == 1
    monkeypatch.setenv("POLYMM_CONFIRM_LIVE", "y")
    assert said("--mode", "live", "--no-ui")[0] == 2


def test_an_error_nobody_foresaw_has_a_code_of_its_own(said: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """15 means a fault of ours: with what to report."""

    def broken(options: object) -> int:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(cli, "_show_config", broken)
    code, _, err = said("config", "show")
    assert code == 15 and "internal error: ZeroDivisionError: oops" in err.splitlines()[-1]


def test_ctrl_c_before_anything_began_is_no_traceback(said: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """For instance at the question whether live is meant."""

    def interrupted(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_show_config", interrupted)
    code, _, err = said("config", "show")
    assert code == 130 and len(err.splitlines()) == 1


# Replay


def test_flags_mean_the_same_before_and_after_the_command(said: Run, tmp_path: Path) -> None:
    """argparse lets a command's defaults win over what was given before it; then --json would be lost in silence."""
    path = a_recording(tmp_path / "r.jsonl", a_line([BOOK], 0))
    for arguments in (["--no-ui", "--json", "replay", path], ["replay", path, "--no-ui", "--json"]):
        code, out, _ = said(*arguments)
        report = json.loads(out.splitlines()[-1])
        assert (code, report["mode"], report["open_orders"]) == (0, "replay", 0)
        assert set(report["top_of_book"]) == {"checked", "agreed"}
        assert set(report["book_hash"]) == {"checked", "agreed", "explained"}


@pytest.mark.parametrize(
    "damage",
    [b"\x00\xff\xfe\x01" * 50, b"", b"{}\n[]\nnull\n\n", gzip.compress(b"x" * 9999)[:-9], b"\x1f\x8b garbage"],
    ids=["binary", "empty", "other json", "cut gzip", "no gzip"],
)
def test_a_damaged_recording_is_told_line_by_line(said: Run, tmp_path: Path, damage: bytes) -> None:
    """Bad input is counted and named; it never stops the program with a traceback."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(damage)
    code, out, err = said("replay", str(path), "--no-ui", "--json")
    assert code in (0, 2) and "Traceback" not in err
    if code == 0:
        report = json.loads(out.splitlines()[-1])
        assert report["frames"] == 0 and (not damage or report["problems"])


def test_inspect_tells_people_and_programs_the_same(said: Run, tmp_path: Path) -> None:
    """Code 0: nothing in it contradicts itself."""
    path = a_recording(tmp_path / "r.jsonl", a_line([BOOK], 1_790_000_000_050))
    code, out, err = said("inspect", path, "--json")
    report = json.loads(out)
    assert (code, err) == (0, "") and (report["frames"], report["events"], report["passed"]) == (1, {"book": 1}, True)
    code, out, err = said("inspect", path)
    assert (code, err) == (0, "") and "events           book 1" in out.splitlines()


@pytest.mark.parametrize("content", [b"", b"\x00\xff\n" * 50, b"{}\n[]\nnull\n", b"\x1f\x8b garbage"])
def test_inspect_has_a_code_of_its_own_for_what_does_not_pass(said: Run, tmp_path: Path, content: bytes) -> None:
    """6, whatever is wrong with it; 2 is for what cannot be opened."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    code, out, err = said("inspect", str(path), "--json")
    assert (code, err, json.loads(out)["passed"]) == (6, "", False)
    assert said("inspect", str(path))[0] == 6


def test_what_cannot_be_opened_is_told(said: Run, tmp_path: Path) -> None:
    """A loop of links, a directory without segments, a description that is none."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    code, out, err = said("inspect", str(loop))
    assert (code, out) == (2, "") and "loop" in err and len(err.splitlines()) == 1
    recording = tmp_path / "recording"
    recording.mkdir()
    a_recording(recording / "1.jsonl", a_line([BOOK], 0))
    (recording / "manifest.json").write_text("{}")
    for command in ("inspect", "replay"):
        code, out, err = said(command, str(recording))
        assert (code, out) == (2, "") and "manifest.json" in err and "--gamma" in err


def test_recording_needs_something_to_record(said: Run, tmp_path: Path) -> None:
    """Paper mode without markets, and markets that nobody can describe."""
    out = str(tmp_path / "out")
    code, _, err = said("record", "--out", out, "--mode", "paper")
    assert code == 3 and all(word in err for word in ("--tokens", "--markets", "markets"))


def test_a_recording_of_markets_wants_the_catalogue(said: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named markets are the venue's even where demo is the default; nothing is created when that fails."""
    monkeypatch.setenv("POLYMM_GAMMA_URL", "http://127.0.0.1:9")
    code, _, err = said("record", "--out", str(tmp_path / "out"), "--markets", "0x1")
    assert code == 3 and "Gamma" in err and not (tmp_path / "out").exists()


def test_a_gamma_file_that_is_none_is_told(said: Run, tmp_path: Path) -> None:
    """The file with the names and minimums."""
    path = a_recording(tmp_path / "r.jsonl", a_line([BOOK], 0))
    (tmp_path / "g.json").write_text("[1]")
    for name in ("g.json", "missing.json"):
        code, _, err = said("replay", path, "--no-ui", "--gamma", str(tmp_path / name))
        assert code == 2 and name in err and len(err.splitlines()) == 1


# Streams


def test_without_a_terminal_it_says_so_and_runs_headless(tmp_path: Path) -> None:
    """In a pipe or under a supervisor there is no console to draw."""
    path = a_recording(tmp_path / "r.jsonl", a_line([BOOK], 0))
    done = run("replay", path, "--speed", "max", "--json", env=environment(tmp_path))
    assert done.returncode == 0 and json.loads(done.stdout)["mode"] == "replay"
    assert "no console: running as with --no-ui" in done.stderr.splitlines()[0]


@pytest.mark.parametrize(
    "arguments",
    [
        "config show", "config show --json", "replay {path} --no-ui --json", "inspect {path}", "inspect {path} --json",
    ],
    ids=["show", "json", "replay", "inspect", "inspect json"],
)  # fmt: skip
def test_a_reader_that_has_gone_is_no_traceback(tmp_path: Path, arguments: str) -> None:
    """`polymm-tui config show | head -1` is normal."""
    path = a_recording(tmp_path / "r.jsonl", a_line([BOOK], 0))
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*PROGRAM, *arguments.format(path=path).split()], cwd=ROOT, env=environment(tmp_path), text=True,
        stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.PIPE, timeout=30, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_are_no_traceback(tmp_path: Path, closed: str) -> None:
    """Some supervisors start programs without any."""
    path = a_recording(tmp_path / "r.jsonl", a_line([BOOK], 0))
    script = f"exec {' '.join(PROGRAM)} replay {path} --json --speed max {closed}"
    done = subprocess.run(
        ["sh", "-c", script], cwd=ROOT, env=environment(tmp_path), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr + done.stdout
    if "1>&-" not in closed:
        assert json.loads(done.stdout)["mode"] == "replay"


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    """An old program must not write into what a new one has made."""
    import sqlite3

    env = environment(tmp_path, POLYMM_MARKETS="0x1", POLYMM_GAMMA_URL="http://127.0.0.1:9")
    path = tmp_path / "state" / "paper" / "mm_state.db"
    path.parent.mkdir(parents=True)
    db = sqlite3.connect(path)
    db.executescript("CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('schema', '99');")
    db.close()
    done = run("--mode", "paper", "--no-ui", env=env)
    assert done.returncode == 5 and "99" in done.stderr.splitlines()[-1]
    assert rows(path, "SELECT value FROM meta") == [{"value": "99"}]


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"\x00" * 5000])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Whatever it is, it may be somebody's only copy."""
    env = environment(tmp_path, POLYMM_MARKETS="0x1", POLYMM_GAMMA_URL="http://127.0.0.1:9")
    path = tmp_path / "state" / "paper" / "mm_state.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    done = run("--mode", "paper", "--no-ui", env=env)
    assert done.returncode == 5 and str(path) in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert path.read_bytes() == content


def test_a_catalogue_that_cannot_be_reached_is_a_condition_of_starting(tmp_path: Path) -> None:
    """Exit code 3: try again later; nothing of ours is wrong."""
    env = environment(tmp_path, POLYMM_MARKETS="0x" + "1" * 64, POLYMM_GAMMA_URL="http://127.0.0.1:9")
    done = run("--mode", "paper", "--no-ui", "--json", env=env)
    assert done.returncode == 3 and "Gamma" in done.stderr.splitlines()[-1]
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["mode"], report["open_orders"]) == ("paper", 0)


def test_paper_without_markets_says_how_to_give_some(tmp_path: Path) -> None:
    """The first thing a new user runs into."""
    done = run("--mode", "paper", "--no-ui", env=environment(tmp_path))
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 3 and "no market list" in last and "polymm-tui markets discover --out markets.csv" in last


@pytest.mark.parametrize("content", [b"", b"\x00\x01nothing\n"])
def test_a_file_without_frames_is_no_replay(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Playing nothing to its end would look like success."""
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    assert main(["replay", str(path), "--no-ui", "--speed", "max"]) == 2
    assert "no frame of a channel in it" in capsys.readouterr().err
