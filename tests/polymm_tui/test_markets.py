"""The ``markets`` command as far as it comes without a venue: what a session is asked, what is shown and refused."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.runtime.control_socket import Done, ListAct, Markets
from core.runtime.places import Places
from core.selection.changes import begun
from core.selection.discover import Discovery
from core.selection.kept import load, save
from core.selection.rows import checked
from core.views import (
    IncomeView,
    ListedMarketView,
    ListView,
    ProposalLineView,
    ProposalView,
    RejectedRowView,
    RuleView,
)
from polymm_tui.cli import main
from polymm_tui.markets_text import diff_lines, discovery_lines, list_lines, screen_lines
from tests.builders import laws, usd
from tests.core.selection.test_discover import a_candidate
from tests.end_to_end.program import environment
from tests.polymm_tui.answering import answering
from tests.polymm_tui.test_commands import HOSTILE

Run = Callable[..., tuple[int, str, str]]
RAIN, SNOW = "0x" + "ab" * 32, "0x" + "cd" * 32
TOKEN = "0123456789ab"
INCOME = IncomeView(1.5, 2.0, 50.0, 37.5, 0.25, 1_000.0, 2.4, ("no book read: so and so",))
VIEW = ListView(
    source='sheet "Selected Markets"',
    read_unix=1_790_000_000.0,
    next_s=120.0,
    markets=(
        ListedMarketView(
            RAIN, "Will it rain?", 2, "made", "",
            rules=(RuleView("liquidity", True, "$40,000", "at least $10,000"),
                   RuleView("category", True, "politics, elections, president, united states", "none of sports")),
            figures="the list's, 3 h old",
            notes=("no end is told",), score=21.9e6, income_usd=15.75, income_frac=0.01575, income=INCOME,
            profile="calm", max_usd=usd(250), note="mind the weather",
        ),
        ListedMarketView(
            SNOW, "Will it snow?", 3, "failed", "trend",
            rules=(RuleView("trend", False, "0.2333", "at least 0.3000"),),
            figures="Gamma's: the list's are 26 h old, used up to 24 h",
        ),
    ),
    rejected=(RejectedRowView(4, "yes_token_id", "1.23E+76", "the spreadsheet made a number of it"),),
    notes=('columns that are not read: "mood"',),
)  # fmt: skip
WAITING = msgspec.structs.replace(
    VIEW,
    proposal=ProposalView(
        TOKEN,
        1_790_000_000.0,
        "2 of 3 markets would leave the list",
        (
            ProposalLineView("remove", RAIN, "Will it rain?", "its row is gone; is drained"),
            ProposalLineView("change", SNOW, "Will it snow?", "row 3: at most 5 dollars -> no limits of its own"),
            ProposalLineView("add", "0x" + "ef" * 32, "", "row 5: is to be made"),
        ),
    ),
)


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a developer's settings nor a developer's sessions are read or touched."""
    for name in [name for name in os.environ if name.startswith(("POLYMM_", "SPREADSHEET_", "GOOGLE_"))]:
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


class FakeSession:
    """A session's list, and what it was told."""

    def __init__(self) -> None:
        self.view = VIEW
        self.acts: list[ListAct] = []
        self.done = Done(True, "approved: 3 changes of the market list; the event log says when they are in force")

    def markets(self, request: Markets) -> ListView:
        return self.view

    def act(self, request: ListAct) -> Done:
        self.acts.append(request)
        return self.done


@pytest.fixture
def session(tmp_path: Path) -> Iterator[FakeSession]:
    with running(Places(tmp_path / "state", "paper")) as fake:
        yield fake


@contextmanager
def running(places: Places) -> Iterator[FakeSession]:
    """A session of these places, in a thread of its own."""
    fake = FakeSession()
    with answering(places, {Markets: fake.markets, ListAct: fake.act}):
        yield fake


# With a session


def test_list_shows_standings_and_reasons(session: FakeSession, said: Run) -> None:
    for arguments in (
        ("markets",),
        ("markets", "list"),
        ("markets", "--mode", "paper"),
        ("--mode", "paper", "markets"),
    ):
        code, out, err = said(*arguments)
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            'sheet "Selected Markets", as of 2026-09-21 14:13:20 UTC, read again in 2m',
            'note: columns that are not read: "mood"',
            "",
            "   row state     market                              income/day    per $   score",
            "     2 made      Will it rain?                           $15.75    1.57%   21.9M",
            "      profile calm, at most $250.00",
            "      mind the weather",
            "     3 failed    Will it snow?                                –        –       –",
            "      trend",
            "",
            "1 row cannot be used:",
            "  row 4, yes_token_id '1.23E+76': the spreadsheet made a number of it",
        ]


def test_screen_shows_every_rule_with_number_and_bound(session: FakeSession, said: Run) -> None:
    code, out, _ = said("markets", "screen")
    assert code == 0
    assert out.splitlines()[3:25] == [
        "Will it rain?",
        "  row 2, made",
        "  figures: the list's, 3 h old",
        "  told: no end is told",
        "  ok   liquidity      $40,000                at least $10,000",
        "  ok   category       politics, elections, president, united states, wanted none",
        "                      of sports",
        "  expected to earn $15.75 a day, 1.57% of $1,000.00 at risk; it breaks even at",
        "  2.40¢ of adverse drift a share",
        "    rewards $1.50, rebates $2.00, spread $50.00, drift −$37.50, capital −$0.25",
        "    no book read: so and so",
        "",
        "Will it snow?",
        "  row 3, failed: trend",
        "  figures: Gamma's: the list's are 26 h old, used up to 24 h",
        "  FAIL trend          0.2333                 at least 0.3000",
        "  no estimate of its income: neither price nor depth is told",
        "",
        "1 row cannot be used:",
        "  row 4, yes_token_id '1.23E+76': the spreadsheet made a number of it",
    ]


def test_diff_shows_what_waits_and_how_to_answer(session: FakeSession, said: Run) -> None:
    session.view = WAITING
    code, out, _ = said("markets", "diff")
    assert code == 0
    assert out.splitlines()[3:10] == [
        "3 changes wait since 2026-09-21 14:13:20 UTC: 2 of 3 markets would leave the",
        "list",
        "  − Will it rain?: its row is gone; is drained",
        "  ~ Will it snow?: row 3: at most 5 dollars -> no limits of its own",
        "  + 0xefefefefefef: row 5: is to be made",
        "",
        f"to approve: polymm-tui markets approve {TOKEN}",
    ]
    assert f"to reject:  polymm-tui markets reject {TOKEN}" in out
    assert "3 changes wait" in said("markets", "list")[1]


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_approve_and_reject_carry_the_token_that_was_shown(session: FakeSession, said: Run, act: str) -> None:
    session.view = WAITING
    assert said("markets", act, TOKEN)[0] == 0
    assert said("markets", act, "another")[0] == 0, "the session judges"
    assert said("markets", act, "--yes")[0] == 0
    assert [(each.act, each.confirm) for each in session.acts] == [(act, TOKEN), (act, "another"), (act, TOKEN)]


def test_what_the_session_refuses_ends_with_2(session: FakeSession, said: Run) -> None:
    session.done = Done(False, "the changes that wait are others now; look at them again")
    code, out, err = said("markets", "approve", TOKEN)
    assert (code, out) == (2, "") and "refused: the changes that wait are others now" in err
    code, out, err = said("markets", "approve", TOKEN, "--json")
    assert code == 2 and json.loads(out)["done"] is False


def test_yes_without_anything_that_waits_is_refused(session: FakeSession, said: Run) -> None:
    code, _, err = said("markets", "approve", "--yes")
    assert code == 2 and "no changes of the market list wait" in err and session.acts == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["markets", "approve"], ["TOKEN", "--yes"]),
        (["markets", "approve", TOKEN, "--yes"], ["--yes"]),
        (["markets", "reject", ""], ["markets diff"]),
        (["markets", "reject", "x" * 300], ["markets diff"]),
        (["markets", "lst"], ["lst"]),
        (["markets", "list", "extra"], ["extra"]),
        (["--duration", "5", "markets", "list"], ["--duration", "markets list"]),
        (["markets", "discover", "--most", "0"], ["--most"]),
        (["markets", "discover", "--most", "201"], ["--most", "200"]),
        (["markets", "discover", "--scan", "5001"], ["--scan", "5,000"]),
        (["markets", "discover", "--force"], ["--force goes with --out"]),
        (["markets", "discover", "--out", "list.toml"], [".csv"]),
    ],
)
def test_mistakes_are_named_and_end_with_2(said: Run, arguments: list[str], words: list[str]) -> None:
    code, out, err = said(*arguments)
    assert (code, out) == (2, "")
    for word in words:
        assert word in err


def test_trouble_of_the_list_ends_with_3_and_is_told(session: FakeSession, said: Run) -> None:
    session.view = msgspec.structs.replace(VIEW, trouble="the market list cannot be read: 403")
    for command in ("list", "screen"):
        code, out, _ = said("markets", command)
        assert code == 3 and "TROUBLE: the market list cannot be read: 403" in out


def test_json_has_stable_keys(session: FakeSession, said: Run) -> None:
    session.view = WAITING
    told = {command: json.loads(said("markets", command, "--json")[1]) for command in ("list", "screen", "diff")}
    keys = {"running", "source", "trouble", "read_unix", "next_s", "markets", "rejected", "notes", "proposal"}
    assert set(told["list"]) == set(told["screen"]) == keys and told["list"]["running"] is True
    market = {
        "market", "title", "row", "standing", "reason", "figures", "score", "income_usd", "income_frac", "note",
        "profile", "max_usd", "notes",
    }  # fmt: skip
    assert set(told["list"]["markets"][0]) == market
    assert set(told["screen"]["markets"][0]) == market | {"rules", "income"}
    assert set(told["screen"]["markets"][0]["rules"][0]) == {"rule", "passed", "value", "bound"}
    assert set(told["diff"]) == {
        "running",
        "source",
        "trouble",
        "proposal",
        "rejected",
        "would_apply",
        "would_wait",
        "held",
    }
    assert set(told["diff"]["proposal"]) == {"token", "since_unix", "why", "lines"}
    assert set(told["diff"]["proposal"]["lines"][0]) == {"kind", "market", "title", "text"}
    assert set(told["list"]["rejected"][0]) == {"row", "column", "value", "reason"}


def hostile_view(text: str) -> ListView:
    market = ListedMarketView(
        text, text, 2, "failed", text, rules=(RuleView(text, False, text, text),), figures=text, note=text,
        profile=text, income=INCOME,
    )  # fmt: skip
    line = ProposalLineView("change", text, text, text)
    return ListView(
        source=text, trouble=text, markets=(market,), rejected=(RejectedRowView(2, text, text, text),), notes=(text,),
        proposal=ProposalView(text, 0.0, text, (line,)),
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_foreign_reaches_the_terminal(session: FakeSession, said: Run, text: str) -> None:
    """reliability.md M01 to M04: names, rows, notes and reasons are strangers' words."""
    session.view = hostile_view(text.encode("utf-8", "replace").decode())
    for command in ("list", "screen", "diff"):
        for form in ((), ("--json",)):
            _, out, _ = said("markets", command, *form)
            assert all(char.isprintable() or char == "\n" for char in out), repr(out)
            assert "\u202e" not in out and "\u200b" not in out


@laws(150)
@given(st.text(max_size=120), st.integers(80, 220), st.integers(0, 3_000))
def test_no_line_is_wider_than_the_terminal(text: str, cells: int, row: int) -> None:
    view = hostile_view(text)
    view = msgspec.structs.replace(
        view, markets=(*VIEW.markets, *(msgspec.structs.replace(each, row=row) for each in view.markets))
    )
    assert view.proposal is not None
    held, would = ((text, text),), view.proposal.lines
    nothing_waits = msgspec.structs.replace(view, proposal=None)
    for lines in (
        list_lines(view, is_running=False, cells=cells),
        screen_lines(view, is_running=True, cells=cells),
        diff_lines(view, (), held, is_running=False, cells=cells),
        diff_lines(nothing_waits, would, held, is_running=True, cells=cells),
        diff_lines(nothing_waits, (), held, view.proposal, is_running=True, cells=cells),
    ):
        for line in lines:
            assert line.isprintable()
            assert cell_len(line) <= cells or "polymm-tui markets" in line, repr(line)


finite = st.floats(-1e15, 1e15)
tiny = st.floats(-1e-300, 1e-300)


@laws(200)
@given(st.integers(1, 100_001), *[st.one_of(st.none(), finite, tiny)] * 4)
def test_no_number_breaks_the_columns(
    row: int, usd_a_day: float | None, frac: float | None, score: float | None, drift: float | None
) -> None:
    """A pool of thousands, a hundredth of a share filled: the table stays a table."""
    income = msgspec.structs.replace(INCOME, break_even_cents=drift, reward_usd=abs(usd_a_day or 0.0))
    market = msgspec.structs.replace(
        VIEW.markets[1], row=row, income_usd=usd_a_day, income_frac=frac, score=score and abs(score), income=income
    )
    view = msgspec.structs.replace(VIEW, markets=(market,))
    head, line = list_lines(view, is_running=True, cells=80)[3:5]
    assert cell_len(head) == cell_len(line) == 80, line
    assert all(cell_len(line) <= 80 for line in screen_lines(view, is_running=True, cells=80))


@laws(100)
@given(st.text(max_size=400), st.integers(80, 220))
def test_discovered_titles_are_clean_and_fit(title: str, cells: int) -> None:
    """Titles, outcomes and refusals of markets that nobody has chosen yet."""
    candidates = (a_candidate(1, title), a_candidate(2, title, refusals=(f"its outcomes are {title}",)))
    for line in discovery_lines(Discovery(2, candidates, (title,)), cells=cells):
        assert cell_len(line) <= cells and line.isprintable(), repr(line)


def test_a_wider_terminal_shows_more_of_a_title() -> None:
    title = "Will the central bank of the largest country of the south cut its rates at the next meeting?"
    view = msgspec.structs.replace(VIEW, markets=(msgspec.structs.replace(VIEW.markets[0], title=title),))
    narrow, wide = ("\n".join(list_lines(view, is_running=True, cells=cells)) for cells in (80, 160))
    assert title in wide and title not in narrow and "…" in narrow


def test_diff_without_anything_that_waits_says_what_a_reading_would_change(
    session: FakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run
) -> None:
    """The session's next reading is minutes away; an operator who has just edited the sheet wants to know now."""
    offline(tmp_path, monkeypatch, *ROWS)
    in_force(tmp_path, *ROWS[:4], mode="paper")
    code, out, _ = said("markets", "diff")
    assert code == 0 and "1 change, applied by itself at its next reading, in 2m:" in out and "+ 0x00000000" in out
    told = json.loads(said("markets", "diff", "--json")[1])
    assert told["running"] is True and [each["kind"] for each in told["would_apply"]] == ["add"]


def test_only_what_the_session_says_waits_has_a_token(
    session: FakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run
) -> None:
    """A token of a reading made here would be refused by the session, in which nothing waits yet."""
    offline(tmp_path, monkeypatch, *ROWS[:2])
    in_force(tmp_path, *ROWS, mode="paper")
    told = json.loads(said("markets", "diff", "--json")[1])
    assert told["running"] is True and told["proposal"] is None and told["would_apply"] == []
    assert set(told["would_wait"]) == {"why", "lines"}
    assert [each["kind"] for each in told["would_wait"]["lines"]] == ["remove"] * 3
    code, out, _ = said("markets", "diff")
    assert code == 0 and "markets approve" not in out and "nothing waits" not in out
    assert "3 changes would wait for you at its next reading, in 2m: " in out and out.count("  − ") == 3
    session.view = WAITING
    told = json.loads(said("markets", "diff", "--json")[1])
    assert told["proposal"]["token"] == TOKEN and told["would_wait"] is None


def test_a_demo_that_runs_is_believed(tmp_path: Path, said: Run) -> None:
    """Its list is its exchange's, and only it knows the exchange."""
    with running(Places(tmp_path / "state", "demo")):
        code, out, _ = said("markets", "diff")
    assert code == 0 and "nothing waits" in out


def test_a_session_that_hangs_is_no_reason_to_look_past_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run
) -> None:
    """What is done here while a session runs would be done twice, or lost."""
    offline(tmp_path, monkeypatch, *ROWS)
    places = Places(tmp_path / "state", "demo")
    places.directory.mkdir(parents=True)
    monkeypatch.setattr("core.runtime.control_socket.ask.__defaults__", (0.05,))
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(places.control))
        silent.listen()
        for arguments in (("list",), ("screen",), ("diff",), ("approve", TOKEN)):
            code, out, err = said("markets", *arguments)
            assert (code, out) == (3, "") and "does not answer" in err


# Without one


def cells_of(*rows: tuple[str, str, str]) -> str:
    header = "market_id,yes_token_id,no_token_id,Liquidity,Volume_24h,Volume_7d,Volume_30d"
    return "\n".join([header, *(f"{market},{yes},{no},40000,50000,300000,750000" for market, yes, no in rows)]) + "\n"


ROWS = tuple((f"0x{number:064x}", str(10**76 + 2 * number + 1), str(10**76 + 2 * number + 2)) for number in range(1, 6))


def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *rows: tuple[str, str, str]) -> Path:
    """A demo with a list of its own, whose exchange does not run: nobody is asked about its markets."""
    path = tmp_path / "list.csv"
    path.write_text(cells_of(*rows))
    monkeypatch.setenv("POLYMM_MARKET_LIST", str(path))
    return path


def in_force(tmp_path: Path, *rows: tuple[str, str, str], mode: str = "demo") -> Path:
    """A list that the last session left."""
    places = Places(tmp_path / "state", mode)
    places.directory.mkdir(parents=True, exist_ok=True)
    cells = [line.split(",") for line in cells_of(*rows).splitlines()]
    save(places.market_list, begun(checked(cells, source="it", kind="file", profiles=(), most_rows=99), 1.79e9))
    return places.market_list


def test_a_list_is_read_without_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run) -> None:
    offline(tmp_path, monkeypatch, *ROWS)
    code, out, _ = said("markets", "list")
    assert code == 3, "its markets could not be looked up"
    assert "no session runs" in out and "were not looked up" in out and out.count("waiting") >= len(ROWS)
    code, out, _ = said("markets", "diff")
    assert code == 0 and "5 changes, applied by itself at the next start" in out


def test_the_demos_own_markets_are_its_exchanges(said: Run) -> None:
    """Never the first page of the real venue."""
    code, out, err = said("markets", "list")
    assert (code, out) == (3, "") and "its own exchange" in err


def test_the_session_that_ran_last_is_meant(tmp_path: Path, said: Run) -> None:
    """Without --mode the list is that of its mode, not the demo's."""
    (tmp_path / "state" / "paper").mkdir(parents=True)
    (tmp_path / "state" / "paper" / "polymm.log").write_text("")
    code, out, err = said("markets", "list")
    assert (code, out) == (3, "") and "discover --out markets.csv" in err


def test_ids_of_the_settings_are_a_word_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run
) -> None:
    """An operator who sets other `markets` has approved them by that: nothing waits."""
    in_force(tmp_path, *ROWS)
    monkeypatch.setenv("POLYMM_MARKETS", ROWS[0][0])
    told = json.loads(said("markets", "diff", "--json")[1])
    assert told["proposal"] is None and {each["kind"] for each in told["would_apply"]} == {"remove"}


def test_nothing_is_there_to_show(said: Run) -> None:
    code, out, err = said("--mode", "paper", "markets", "list")
    assert (code, out) == (3, "") and "discover --out markets.csv" in err


def test_removals_wait_and_are_approved_without_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run
) -> None:
    """The token is that of exactly these changes: another one, or a list that has changed since, is refused."""
    path = offline(tmp_path, monkeypatch, *ROWS[:2])
    kept = in_force(tmp_path, *ROWS)
    before = kept.read_bytes()
    token = json.loads(said("markets", "diff", "--json")[1])["proposal"]["token"]
    assert kept.read_bytes() == before, "looking changes nothing"
    code, _, err = said("markets", "approve", "ffff")
    assert code == 2 and "others now" in err and kept.read_bytes() == before
    path.write_text(cells_of(*ROWS[:1]))
    code, _, err = said("markets", "approve", token)
    assert code == 2 and "others now" in err and kept.read_bytes() == before
    path.write_text(cells_of(*ROWS[:2]))
    code, out, _ = said("markets", "approve", token)
    assert code == 0 and "approved: 3 changes" in out
    now = load(kept)
    assert now is not None and [entry.row.market for entry in now.listed] == [market for market, *_ in ROWS[:2]]
    code, _, err = said("markets", "approve", "--yes")
    assert code == 2 and "no changes of the market list wait" in err


def test_what_is_rejected_without_a_session_is_not_proposed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run
) -> None:
    path = offline(tmp_path, monkeypatch, *ROWS[:2])
    kept = in_force(tmp_path, *ROWS)
    assert said("markets", "reject", "--yes")[0] == 0
    left = load(kept)
    assert left is not None and len(left.listed) == len(ROWS) and left.rejected
    assert json.loads(said("markets", "diff", "--json")[1])["proposal"] is None
    assert "3 changes of the list that were rejected are not done" in said("markets", "list")[1]
    path.write_text(cells_of(*ROWS[:1]))
    assert json.loads(said("markets", "diff", "--json")[1])["proposal"] is not None, "the list differs"
    path.write_text(cells_of(*ROWS[:4]))
    reasons = [each["reason"] for each in json.loads(said("markets", "list", "--json")[1])["markets"]]
    assert len([reason for reason in reasons if "it was missing once" in reason]) == 1


def test_a_list_in_force_is_shown_when_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run
) -> None:
    path = offline(tmp_path, monkeypatch, *ROWS)
    in_force(tmp_path, *ROWS)
    path.unlink()
    for command in ("list", "screen", "diff"):
        code, out, _ = said("markets", command)
        assert code == 3 and "TROUBLE" in out and "list.csv" in "".join(out.split()), "lines are wrapped"
    assert len(json.loads(said("markets", "list", "--json")[1])["markets"]) == len(ROWS)


def test_a_damaged_list_in_force_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run) -> None:
    offline(tmp_path, monkeypatch, *ROWS)
    kept = in_force(tmp_path, *ROWS)
    kept.write_bytes(kept.read_bytes()[:100])
    code, out, err = said("markets", "list")
    assert (code, out) == (3, "") and str(kept.name) in err


def test_a_session_that_begins_keeps_others_from_deciding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Run
) -> None:
    """The list in force has one writer: whoever holds the instance lock."""
    offline(tmp_path, monkeypatch, *ROWS[:2])
    kept = in_force(tmp_path, *ROWS)
    before = kept.read_bytes()
    places = Places(tmp_path / "state", "demo")
    places.claim()
    try:
        code, _, err = said("markets", "approve", "--yes")
    finally:
        places.release()
    assert code == 4 and "another polymm-tui" in err and kept.read_bytes() == before
    assert said("markets", "approve", "--yes")[0] == 0
