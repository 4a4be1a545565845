"""The ``markets`` command beside a venue: what is discovered, written, read again, screened and approved by a shell.

The program runs in a thread of this process, the exchange on this loop.
"""

import asyncio
import csv
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.exchange.faults.script import read_toml
from core.runtime.places import Places
from core.selection.changes import begun, marked
from core.selection.kept import save
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS
from core.selection.rows import checked
from core.units import MICRO
from polymm_tui.cli import main
from tests.end_to_end.program import environment
from tests.loopback.venue import Venue, venue_running

MARKETS = 16


class Shell:
    """Runs the program as a user of a venue would."""

    def __init__(self, venue: Venue, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.venue = venue
        self.directory = directory
        self.config = directory / "config.toml"
        self._capsys = capsys
        self.configure()

    def configure(self, **more: Any) -> None:
        """Write the settings anew: paper, at this venue."""
        urls = {name: self.venue.urls[name] for name in ("clob_url", "gamma_url", "ws_market_url")}
        lines = [f"{name} = {json.dumps(value)}" for name, value in {"mode": "paper", **urls, **more}.items()]
        self.config.write_text("\n".join(lines))

    def arm(self, fault: str) -> None:
        """Let the exchange do what the lines of a fault script say."""
        host = self.venue.running.host
        host.director.arm(read_toml(f"[[fault]]\n{fault}\n", "test", at_once=True), from_now=True)
        self.venue.pass_time(0)

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        self._capsys.readouterr()
        code = await asyncio.to_thread(main, ["--config", str(self.config), "markets", *arguments])
        told = self._capsys.readouterr()
        return code, told.out, told.err

    async def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """What it says to programs."""
        found, out, err = await self.run(*arguments, "--json")
        assert found == code, err
        told = json.loads(out)
        assert isinstance(told, dict)
        return told


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=MARKETS) as running:
        yield running


@pytest.fixture
def shell(venue: Venue, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in [name for name in os.environ if name.startswith(("POLYMM_", "SPREADSHEET_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Shell(venue, tmp_path, capsys)


async def test_discover_ranks_what_the_venue_has(shell: Shell) -> None:
    told = await shell.json("discover")
    assert told["scanned"] == MARKETS and set(told) == {"scanned", "notes", "markets"}
    markets = told["markets"]
    assert set(markets[0]) == {
        "market", "title", "yes_token", "no_token", "passes", "against", "figures", "score", "income_usd",
        "income_frac", "income", "rules",
    }  # fmt: skip
    passing = [each for each in markets if each["passes"]]
    assert [each["passes"] for each in markets] == sorted((each["passes"] for each in markets), reverse=True)
    parts = [each["income_frac"] for each in passing]
    assert parts == sorted(parts, reverse=True) and len(passing) > 5
    assert all("weekly volume" in each["against"] for each in markets if not each["passes"])
    assert all("no book read" not in words for each in markets for words in each["income"]["words"])


async def test_discover_tells_people_in_eighty_columns(shell: Shell) -> None:
    code, out, err = await shell.run("discover", "--most", "5")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"{MARKETS} open markets looked at; the best 5 shown, of which 5 pass")
    assert "income/day" in lines[3] and "break-even" in lines[3] and len(lines) == 9
    assert all(len(line) <= 80 for line in lines)


async def test_discover_is_bounded(shell: Shell) -> None:
    assert (await shell.json("discover", "--scan", "3"))["scanned"] == 3
    assert len((await shell.json("discover", "--scan", "8", "--most", "2"))["markets"]) == 2


async def test_what_discover_writes_is_a_list_that_a_session_takes(shell: Shell) -> None:
    path = shell.directory / "found.csv"
    code, _, err = await shell.run("discover", "--out", str(path))
    assert code == 0 and f"{path} is written" in err
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == (*COLUMNS, *OPTIONAL_COLUMNS)
    shell.configure(market_list=str(path))
    listed = await shell.json("list")
    assert [each["standing"] for each in listed["markets"]] == ["made"] * len(rows)
    assert not listed["rejected"] and not listed["trouble"] and listed["proposal"] is None
    assert {each["market"] for each in listed["markets"]} == {row[0] for row in rows}
    instruments = {market: each.instrument for market, each in shell.venue.exchange.listings.items()}
    for row in rows:
        assert (row[1], row[2]) == tuple(
            f"'{token}" for token in (instruments[row[0]].yes_token, instruments[row[0]].no_token)
        )


async def test_a_file_that_is_there_is_not_replaced_by_mistake(shell: Shell) -> None:
    path = shell.directory / "found.csv"
    path.write_text("mine")
    code, out, err = await shell.run("discover", "--out", str(path))
    assert (code, out) == (2, "") and "--force" in err and path.read_text() == "mine"
    assert (await shell.run("discover", "--out", str(path), "--force"))[0] == 0
    assert path.read_text() != "mine"
    assert [each.name for each in shell.directory.iterdir() if each.name.endswith(".part")] == []


async def test_nothing_is_written_when_nothing_passes(shell: Shell) -> None:
    shell.configure(min_liquidity=1e9)
    path = shell.directory / "found.csv"
    code, out, err = await shell.run("discover", "--out", str(path))
    assert code == 2 and "no market passes" in err and "liquidity" in out and not path.exists()


async def test_a_venue_that_does_not_answer_ends_with_3(shell: Shell) -> None:
    shell.configure(gamma_url="http://127.0.0.1:9")
    path = shell.directory / "found.csv"
    code, out, err = await shell.run("discover", "--out", str(path))
    assert (code, out) == (3, "") and err.startswith("polymm-tui: ") and not path.exists()


async def test_without_books_incomes_are_estimated_and_it_is_said(shell: Shell) -> None:
    """POST /books is down: a note, and every estimate says so."""
    shell.arm('do = "http"\nrequest = "POST /books"\nstatus = 500\nfor = 1000')
    told = await shell.json("discover")
    assert any("no books could be read" in note for note in told["notes"])
    assert all(any("no book read" in words for words in each["income"]["words"]) for each in told["markets"])


async def test_without_books_a_list_is_screened_all_the_same(shell: Shell) -> None:
    path = shell.directory / "found.csv"
    await shell.run("discover", "--out", str(path))
    shell.configure(market_list=str(path))
    shell.arm('do = "http"\nrequest = "POST /books"\nstatus = 500\nfor = 1000')
    told = await shell.json("list")
    assert any("no books could be read" in note for note in told["notes"])
    assert {each["standing"] for each in told["markets"]} == {"made"} and told["trouble"] == ""


async def test_a_market_whose_sources_disagree_is_not_written(shell: Shell) -> None:
    best = (await shell.json("discover"))["markets"][0]["market"]
    shell.arm(f'do = "disagree"\nmarket = "{best}"\nwhat = "neg_risk"\nsource = "clob"\nfor = 1000')
    told = await shell.json("discover")
    some = (await shell.json("discover", "--most", "2"))["markets"]
    assert [each["passes"] for each in some] == [True, True], "more than are wanted are confirmed, for this"
    found = next(each for each in told["markets"] if each["market"] == best)
    assert not found["passes"] and "neg-risk" in found["against"]
    path = shell.directory / "found.csv"
    assert (await shell.run("discover", "--out", str(path)))[0] == 0
    assert best not in path.read_text()


async def test_screen_tells_every_rule_of_every_market(shell: Shell) -> None:
    path = shell.directory / "found.csv"
    await shell.run("discover", "--out", str(path))
    shell.configure(market_list=str(path), screen_max_fee=0.045, screen_min_stay_sec=0.0)
    code, out, _ = await shell.run("screen")
    assert code == 0 and "FAIL fee" in out and "wanted" not in out.split("no session")[0]
    told = await shell.json("screen")
    for market in told["markets"]:
        rules = {each["rule"]: each for each in market["rules"]}
        assert len(rules) == 12 and rules["fee"]["bound"] == "at most 0.045"
        fees = shell.venue.exchange.listings[market["market"]].instrument.fees
        assert rules["fee"]["passed"] == (fees is not None and fees.rate <= 0.045 * MICRO)
        assert (market["standing"] == "made") == all(each["passed"] for each in market["rules"])
        assert market["figures"].startswith("the list's")
        assert not any("no book read" in words for words in market["income"]["words"])


async def test_what_the_last_session_made_is_screened_by_the_wider_bound(shell: Shell) -> None:
    path = shell.directory / "found.csv"
    await shell.run("discover", "--out", str(path))
    cells = list(csv.reader(path.read_text().splitlines()))
    kept = begun(checked(cells, source=str(path), kind="file", profiles=(), most_rows=99), 1.0)
    poorest = min(kept.listed, key=lambda entry: entry.row.figures.liquidity or 0.0).row
    shell.configure(market_list=str(path), min_liquidity=(poorest.figures.liquidity or 0.0) * 1.05)
    before = {each["market"]: each["standing"] for each in (await shell.json("list"))["markets"]}
    assert before[poorest.market] == "failed"
    places = Places(shell.directory / "state", "paper")
    places.directory.mkdir(parents=True, exist_ok=True)
    save(places.market_list, marked(kept, {poorest.market: 1.0}, {}))
    after = {each["market"]: each["standing"] for each in (await shell.json("list"))["markets"]}
    assert after == before | {poorest.market: "made"}


async def test_a_swapped_row_is_refused_by_name(shell: Shell) -> None:
    """reliability.md D13: the CLOB's mapping decides."""
    path = shell.directory / "found.csv"
    await shell.run("discover", "--out", str(path))
    header, first, *rest = path.read_text().splitlines()
    market, yes, no, *others = first.split(",")
    path.write_text("\n".join([header, ",".join([market, no, yes, *others]), *rest]))
    shell.configure(market_list=str(path))
    told = {each["market"]: each for each in (await shell.json("list"))["markets"]}
    assert told[market]["standing"] == "refused" and "swapped" in told[market]["reason"]
    assert all(each["standing"] == "made" for name, each in told.items() if name != market)


async def test_a_list_is_shown_though_the_venue_cannot_be_asked(shell: Shell) -> None:
    path = shell.directory / "found.csv"
    await shell.run("discover", "--out", str(path))
    shell.configure(market_list=str(path), gamma_url="http://127.0.0.1:9")
    code, out, _ = await shell.run("list")
    assert code == 3 and "TROUBLE: the venue cannot be asked about its markets" in out and "waiting" in out
    assert (await shell.run("diff"))[0] == 0, "changes need no venue"


@pytest.fixture
def sheet(shell: Shell) -> Shell:
    """The same shell with the exchange's spreadsheet as its list."""
    host = shell.venue.running.host
    key = shell.directory / "key.json"
    key.write_text(json.dumps(host.accounts.file(f"{shell.venue.urls['sheets_url']}/token")))
    key.chmod(0o600)
    shell.configure(
        sheets_url=shell.venue.urls["sheets_url"],
        spreadsheet_url=host.spreadsheet.url,
        google_credentials=str(key),
        min_weekly_volume=1,
    )
    return shell


async def test_a_sheet_is_listed_and_screened_without_a_session(sheet: Shell) -> None:
    """Real gspread, real Gamma reader, real screen: a sheet's figures are of no known age, so Gamma's count."""
    told = await sheet.json("screen")
    assert told["source"].startswith("sheet") and len(told["markets"]) == MARKETS
    assert {each["standing"] for each in told["markets"]} == {"made"}
    assert {each["figures"] for each in told["markets"]} == {"Gamma's: how old the list's are is not known"}


async def test_a_mangled_row_is_told_by_the_shell_and_the_others_stand(sheet: Shell) -> None:
    book = sheet.venue.running.host.spreadsheet
    rows = [list(row) for row in book.tabs["Selected Markets"]]
    place = rows[0].index("yes_token_id")
    rows[3][place] = "=1+1"
    rows[4][place] = float(str(rows[4][place]))
    book.write(rows)
    code, out, _ = await sheet.run("list")
    assert code == 0 and "2 rows cannot be used:" in out
    assert "row 4, yes_token_id" in out and "row 5, yes_token_id" in out and "plain text" in " ".join(out.split())
    assert len((await sheet.json("list"))["markets"]) == MARKETS - 2


async def test_a_sheet_that_is_denied_ends_with_3_and_keeps_its_secret(sheet: Shell) -> None:
    sheet.arm('do = "sheet"\nwhat = "denied"\nfor = 1000')
    for command in ("list", "screen", "diff"):
        code, out, err = await sheet.run(command)
        assert (code, out) == (3, "") and "403" in err and "share" in err
        assert "PRIVATE KEY" not in err
    code, _, err = await sheet.run("approve", "--yes")
    assert code == 3 and "403" in err, "what cannot be read is not approved"
