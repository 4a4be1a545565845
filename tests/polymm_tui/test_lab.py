"""The ``lab compare`` command: figures people can read, one JSON object for programs, mistakes in one line."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import structs

from core.lab.compare import ArmReport, Estimate, PairReport, Report
from core.lab.outcome import Scene
from polymm_tui.cli import main
from polymm_tui.lab import report_lines
from tests.end_to_end.program import environment, started, wait_for

Run = Callable[..., tuple[int, str, str]]
BIG = Estimate(-1_234.567, 123.456)
NOTHING = Estimate(None, None)
ARM = ArmReport(
    name="default", pnl=BIG, edge=BIG, carry=BIG, deviation=BIG, edge_against={"noise": BIG, "sniper": BIG},
    fills=Estimate(31.5, 2.25), filled=Estimate(3_705.4, 100.0), cancels_per_1000=Estimate(134.2, 5.0),
    most_held=Estimate(980.0, 40.0), uptime=Estimate(0.9915, 0.0004), attacks=0, bitten=0, lost_per_attack=NOTHING,
    lost_ticks_per_attack=NOTHING,
)  # fmt: skip
PAIR = PairReport(
    name="other", pnl=BIG, edge=Estimate(1.5, None), filled=BIG, most_held=BIG, uptime=Estimate(0.0001, 0.0002),
    deviation_ratio=Estimate(0.5, 0.04), alike=0,
)  # fmt: skip


def a_report(**over: object) -> Report:
    plain = Report(Scene(), 200, (ARM, structs.replace(ARM, name="a-very-long-name,order_layers=1")), (PAIR,))
    return structs.replace(plain, **over)


@pytest.fixture(autouse=True)
def usual_interrupts() -> Iterator[None]:
    """The command expects to have the process for itself, and leaves it without a handler."""
    usual = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run in this process, away from a developer's settings: exit code, stdout, stderr."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["lab", "compare", *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


# What people read


def test_a_report_fits_eighty_columns() -> None:
    """Also with losses of thousands and long descriptions of arms."""
    lines = report_lines(a_report())
    assert max(map(len, lines)) <= 80
    assert next(line for line in lines if line.startswith("profit")).split() == [
        "profit",
        *["-1,234.57", "±", "123.46"] * 3,
    ]
    assert any(line.startswith("  deviation") and line.endswith(" x 0.50 ± 0.04") for line in lines)


def test_what_is_not_known_is_a_dash() -> None:
    nothing = structs.replace(ARM, cancels_per_1000=NOTHING)
    lines = report_lines(a_report(arms=(nothing, nothing)))
    assert next(line for line in lines if line.startswith("cancels")).split()[-2:] == ["-", "-"]


def test_baits_are_told_where_there_are_any() -> None:
    assert not any("bait" in line for line in report_lines(a_report()))
    lured = structs.replace(ARM, attacks=1_894, bitten=3, lost_per_attack=Estimate(0.01, 0.002))
    lines = report_lines(a_report(scene=Scene(baiter=True), arms=(lured, ARM)))
    assert "with a baiter" in lines[0] and any(line.split()[:3] == ["baits", "laid", "1,894"] for line in lines)


def test_the_scene_is_told_as_it_was_asked_for() -> None:
    assert report_lines(a_report())[0] == "200 worlds of 60 minutes, 1 market, normal"
    scene = Scene(minutes=7.5, markets=(3, 37), profile="calm", news=4.0)
    first = report_lines(a_report(scene=scene, seeds=1))[0]
    assert first == "1 world of 7.5 minutes, markets 3, 37, calm, news times 4"


def test_worlds_done_alike_are_told() -> None:
    alike = structs.replace(PAIR, alike=200)
    assert report_lines(a_report(pairs=(alike,)))[-1] == "Both did exactly the same in 200 of 200 worlds."


# The command


def test_json_is_one_object_with_everything(said: Run) -> None:
    """Two variants against one arm, on a market chosen by number."""
    code, out, err = said(
        "--b", "no-skew", "--b", "relabelled,k_vol=1", "--a", "k_vol=1", "--seeds", "2", "--minutes", "0.5",
        "--questions", "6", "--profile", "lively", "--baiter", "--jobs", "1", "--json",
    )  # fmt: skip
    told = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert [arm["name"] for arm in told["arms"]] == ["k_vol=1", "no-skew", "relabelled,k_vol=1"]
    assert [pair["name"] for pair in told["pairs"]] == ["no-skew", "relabelled,k_vol=1"]
    assert told["seeds"] == 2 and told["scene"]["markets"] == [6] and told["arms"][0]["attacks"] > 0
    assert told["pairs"][1]["alike"] == 2


def test_the_environment_is_both_arms_base(said: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every command: an operator compares variants of what they run."""
    monkeypatch.setenv("INV_GAMMA", "0")
    _, out, _ = said("--b", "no-skew", "--seeds", "1", "--minutes", "0.2", "--jobs", "1")
    assert "exactly the same in 1 of 1 world." in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--b"]),
        (["--b", "no-skwe"], ["'no-skwe'", "no-skew"]),
        (["--b", "inv_gama=1"], ["inv_gama", "inv_gamma"]),
        (["--a", "k_vol=-1", "--b", "default"], ["arm k_vol=-1", "outside"]),
        (["--b", "default", "--seeds", "0"], ["--seeds", "'0'", "positive whole number"]),
        (["--b", "default", "--seeds", "1.5"], ["--seeds", "positive whole number"]),
        (["--b", "default", "--minutes", "nan"], ["--minutes", "positive"]),
        (["--b", "default", "--jobs", "-2"], ["--jobs"]),
        (["--b", "default", "--news", "1e9"], ["--news", "up to 100"]),
        (["--b", "default", "--markets", "64"], ["--markets", "64", "1 .. 63"]),
        (["--b", "default", "--questions", "63"], ["--questions", "63", "0 .. 62"]),
        (["--b", "default", "--questions", "x"], ["--questions", "'x'"]),
        (["--b", "default", "--questions", "3", "--markets", "2"], ["--markets", "not allowed with"]),
        (["--b", "default", "--profile", "wild"], ["--profile", "lively"]),
    ],
)
def test_a_mistake_is_told_in_one_line(said: Run, arguments: list[str], words: list[str]) -> None:
    """Before anything is simulated."""
    code, out, err = said(*arguments)
    assert (code, out) == (2, "") and len(err.splitlines()) == 1, err
    assert err.startswith("polymm-tui: ") and all(word in err for word in words), err


def test_flags_of_a_session_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mode", "live", "lab", "compare", "--b", "default"]) == 2
    assert "--mode: not a flag of `lab compare`" in capsys.readouterr().err


# Interrupts

COMPARE = ("lab", "compare", "--b", "no-skew", "--seeds", "999", "--jobs", "2")


def starting(process: "subprocess.Popen[str]") -> None:
    """Until the comparison has begun to start its processes."""
    wait_for(lambda: len(group(process.pid)) >= 2, "a process of the comparison")


def group(leader: int) -> list[str]:
    """Processes of a group that are not dead."""
    found = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return [row for row in found.splitlines() if row.split()[0] == str(leader) and not row.split()[1].startswith("Z")]


@pytest.mark.parametrize("delay_s", [0, 0.02, 0.05, 0.1, 0.2, 0.5, 1])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_processes_at_once(number: signal.Signals, delay_s: float, tmp_path: Path) -> None:
    """Ctrl+c reaches the whole process group, a service manager's signal the parent alone: one line, nothing left.

    Also while processes are being started, before they have loaded or read anything.
    """
    with started(*COMPARE, env=environment(tmp_path), start_new_session=True) as process:
        starting(process)
        time.sleep(delay_s)
        if number is signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
    wait_for(lambda: not group(process.pid), "the end of the processes", patience_s=5)
    assert (process.returncode, out) == (130, "") and len(err.splitlines()) == 1, err
    assert "interrupted after" in err and "of 1,998 runs" in err


def test_only_the_first_interrupt_counts(tmp_path: Path) -> None:
    """`timeout` signals its child and then the child's group; people press ctrl+c twice."""
    with started(*COMPARE, env=environment(tmp_path), start_new_session=True) as process:
        starting(process)
        process.send_signal(signal.SIGTERM)
        while process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "") and len(err.splitlines()) == 1, err


@pytest.mark.parametrize("least", [2, 3])
def test_a_killed_comparison_leaves_no_processes_behind(least: int, tmp_path: Path) -> None:
    """It can tell them nothing; they see that it has gone, and say nothing."""
    with started(*COMPARE, env=environment(tmp_path), start_new_session=True) as process:
        wait_for(lambda: len(group(process.pid)) >= least, "the processes of the comparison")
        process.kill()
        out, err = process.communicate(timeout=60)
    wait_for(lambda: not group(process.pid), "the end of the processes")
    assert (out, err) == ("", "")
