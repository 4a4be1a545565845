"""The commands ``report`` and ``export``: what people see in 80 columns, exit codes, files, and progress."""

import csv
import io
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len

from benchmarks.account_history import BEGIN, Made, Plan, make
from core.clock import ManualClock
from core.portfolio.entries import Buy
from core.report.figures import Report
from core.units import Shares, Usd
from polymm_tui import reporting
from polymm_tui.cli import main
from polymm_tui.reporting import DIFFERS, Choice, Waiting, area, read_report, report_text, run_report
from tests.core.report.small import MARKET, Small
from tests.end_to_end.program import environment

Run = Callable[..., tuple[int, str, str]]
HOSTILE = "\x1b[2J[red]\u202egnp\x9b31m \u6f22\u5b57" * 30


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("history") / "mm_state.db", Plan(fills=400, days=3, markets=4, seed=3))


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a developer's settings nor a developer's state is read or touched."""
    for name in [name for name in os.environ if name.startswith("POLYMM_")]:
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


def report_of(path: Path) -> Report:
    return read_report(path, Choice(), 2e9, lambda *_: None)


def test_a_report_fits_eighty_columns_and_has_every_section(said: Run, made: Made) -> None:
    """In plain text when it is piped, with nothing beside it on stderr."""
    code, out, err = said("report", "--database", str(made.path))
    lines = out.splitlines()
    assert (code, err) == (0, "") and max(map(cell_len, lines)) <= 80
    assert "\x1b" not in out and all(line == line.rstrip() for line in lines)
    for name in (
        "Profit", "Equity", "By day", "By market", "By side and layer", "Markouts", "Exposure", "Uptime", "Orders",
        "Rewards and rebates", "Open positions", "Findings", "Sessions", "Self-checks", "What to know",
    ):  # fmt: skip
        assert name in lines, name
    assert out.count("agrees") == 5 and "DIFFERS" not in out and "too thin to conclude: fewer than 30 fills" in out


def test_large_numbers_are_never_cut(made: Made) -> None:
    """A table grows wider than the screen rather than show a wrong number."""
    report = report_of(made.path)
    parts = msgspec.structs.replace(report.total.parts, total_micro_usd=Usd(-123_456_789_012_345_678))
    rows = tuple(msgspec.structs.replace(row, parts=parts) for row in report.by_market)
    assert report_text(msgspec.structs.replace(report, by_market=rows)).count("\u2212123,456,789,012") == 4


def test_words_of_strangers_are_harmless(tmp_path: Path) -> None:
    """A title neither moves the cursor nor breaks the table."""
    small = Small(tmp_path)
    small.session()
    small.market(title=HOSTILE)
    small.fair(0.0, 500_000)
    small.book(1.0, Buy("YES", Shares(1_000_000), Usd(400_000)))
    small.add("findings", None, 1, float(BEGIN + 43_201), HOSTILE, "warning", "none", MARKET, "", HOSTILE, "", "")
    text = report_text(report_of(small.path))
    lines = text.splitlines()
    assert max(map(cell_len, lines)) <= 80 and all(char.isprintable() for line in lines for char in line)
    coloured = report_text(report_of(small.path), has_colours=True)
    assert "\x1b[2J" not in coloured and "\x1b[1m" in coloured


def test_many_markets_are_counted(made: Made) -> None:
    """The table stays readable; the total of it stands below what is left out."""
    report = report_of(made.path)
    many = tuple(msgspec.structs.replace(report.uptime[0], market=str(n), title=f"m{n}") for n in range(60))
    text = report_text(msgspec.structs.replace(report, uptime=many))
    assert "and 36 more; --csv and --json tell all" in text and "m23" in text and "m24" not in text


def test_a_course_is_drawn_with_blocks() -> None:
    """The lowest value has the least ink, the highest the most; a flat line stands in the middle."""
    assert area([0.0, 1.0, 2.0, 3.0], 4, 1) == ["\u2581\u2583\u2586\u2588"]
    assert area([0.0, 4.0], 2, 2) == [" \u2588", "\u2581\u2588"]
    assert area([5.0, 5.0], 2, 2) == ["  ", "\u2588\u2588"]


def test_json_is_the_whole_report_in_integers(said: Run, made: Made) -> None:
    """One object, micro-dollars, readable back into what it was made of."""
    code, out, _ = said("report", "--database", str(made.path), "--json")
    told = json.loads(out)
    assert code == 0 and out.isascii() and len(out.splitlines()) == 1
    report = msgspec.convert(told, Report, strict=False)
    assert report.total == report_of(made.path).total
    parts = told["total"]["parts"]
    assert all(isinstance(amount, int) for amount in parts.values())
    assert sum(row["parts"]["total_micro_usd"] for row in told["by_day"]) == parts["total_micro_usd"]


def test_csv_is_one_table(said: Run, made: Made) -> None:
    """For spreadsheets."""
    code, out, _ = said("report", "--database", str(made.path), "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and {"total", "by_day", "markouts", "checks"} <= {row["section"] for row in rows}


def test_a_page_is_written_once(said: Run, made: Made, tmp_path: Path) -> None:
    """Nothing on stdout; one that is there is replaced only when that is asked for."""
    path = tmp_path / "report.html"
    arguments = ("report", "--database", str(made.path), "--html", str(path))
    code, out, err = said(*arguments)
    assert (code, out) == (0, "") and "is written" in err and path.read_text().startswith("<!DOCTYPE html>")
    code, _, err = said(*arguments)
    assert code == 2 and "--force replaces it" in err
    assert said(*arguments, "--force")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--day", "2024-10-05"], 0, ""),
        (["--day", "someday"], 2, "--day 'someday' is not today"),
        (["--day", "1999-01-01"], 2, "nothing is recorded from 1999-01-01"),
        (["--day", "2024-10-05", "--to", "2024-10-05"], 2, "--day goes without"),
        (["--from", "2024-10-06", "--to", "2024-10-05"], 2, "the span is empty"),
        (["--market", "snow"], 2, "no such market in it"),
        (["--market", "happen"], 2, "4 markets are called so"),
        (["--market", "day 2"], 0, ""),
        (["--account", "nobody"], 2, "no session of account 'nobody'"),
        (["--json", "--csv"], 2, "not allowed with"),
        (["--force"], 2, "--force goes with --html"),
        (["--mode", "live"], 2, "--mode: not a flag of `report --database`"),
    ],
)
def test_what_is_asked_for_is_answered_or_refused(
    said: Run, made: Made, arguments: list[str], code: int, words: str
) -> None:
    """One line on stderr, and the exit code of a wrong command line."""
    found, _, err = said("report", "--database", str(made.path), *arguments)
    assert found == code and words in err and err.count("\n") <= 1


def test_without_a_database_the_one_of_the_mode_is_read(said: Run, made: Made) -> None:
    """Where a session of that mode keeps it; without one there is a word on what to do."""
    code, _, err = said("report", "--mode", "paper")
    assert code == 2 and "paper/mm_state.db: no such database; run a session first" in err
    target = Path(os.environ["POLYMM_STATE_DIR"]) / "paper" / "mm_state.db"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(made.path.read_bytes())
    assert said("report", "--mode", "paper", "--json")[0] == 0
    target.write_bytes(b"garbage")
    code, _, err = said("export", "--mode", "paper", "--fills")
    assert code == 5 and "cannot be read" in err


def test_a_difference_has_an_exit_code(said: Run, made: Made, tmp_path: Path) -> None:
    """So that a script notices; the report is told all the same."""
    path = tmp_path / "mm_state.db"
    path.write_bytes(made.path.read_bytes())
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE entries SET amount_micro_usd = amount_micro_usd + 5 WHERE key = 'opening'")
        db.commit()
    code, out, err = said("report", "--database", str(path))
    assert code == DIFFERS == 6 and "DIFFERS" in out and "a self-check found a difference" in err


@pytest.mark.parametrize("what", ["fills", "orders", "positions", "journal", "entries", "equity"])
def test_tables_are_exported(said: Run, made: Made, tmp_path: Path, what: str) -> None:
    """To stdout or into a file, CSV or Parquet."""
    arguments = ("export", f"--{what}", "--database", str(made.path))
    code, out, _ = said(*arguments)
    rows = list(csv.DictReader(io.StringIO(out)))
    path = tmp_path / "out.parquet"
    written, _, err = said(*arguments, "--parquet", "-o", str(path))
    assert (code, written) == (0, 0) and f"{len(rows):,} rows" in err
    assert pq.read_table(path).num_rows == len(rows) and (rows or what == "journal")
    assert said(*arguments, "--csv", "-o", str(tmp_path / "out.csv"))[0] == 0
    assert (tmp_path / "out.csv").read_text() == out


def test_exports_that_cannot_be_are_refused(
    said: Run, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing chosen, no file for Parquet, a file that is there, no library."""
    database = ("--database", str(made.path))
    assert said("export", *database)[0] == 2
    assert said("export", "--fills", "--orders", *database)[0] == 2
    code, _, err = said("export", "--fills", "--parquet", *database)
    assert code == 2 and "--parquet needs a file" in err
    path = tmp_path / "out"
    path.write_text("precious")
    assert said("export", "--fills", "-o", str(path), *database)[0] == 2 and path.read_text() == "precious"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, _, err = said("export", "--fills", "--parquet", "-o", str(path), "--force", *database)
    assert code == 2 and "install polymm-tui[report]" in err and path.read_text() == "precious"


class Terminal(io.StringIO):
    """A stderr that says it is one."""

    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_and_only_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a pipe, not for what is over within a second."""
    monkeypatch.setenv("TERM", "xterm")
    for stream, seconds, shown in ((Terminal(), 1.5, True), (Terminal(), 0.5, False), (io.StringIO(), 9.0, False)):
        monkeypatch.setattr(sys, "stderr", stream)
        clock = ManualClock()
        with Waiting(clock) as waiting:
            clock.advance_to(seconds)
            waiting.tell("folding", 0.4)
            waiting.tell("folding", 0.8)
        assert ("folding" in stream.getvalue()) is shown


def test_today_is_the_clock_s(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    """In UTC, and never beyond now."""
    clock = ManualClock(unix=BEGIN + 1.25 * 86_400)
    assert run_report(made.path, Choice(day="today"), form="json", clock=clock) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["begin"], told["end"]) == ("2024-10-05 00:00:00", "2024-10-05 06:00:00")
    assert reporting.WIDTH == 80
