"""What people read of an inspection: aligned, eighty columns, and no stranger's control characters."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.lab.inspect import Inspection
from core.lab.inspect_report import inspection_report
from core.store.recorded import Gap, encode_frame, encode_gap
from polymm_tui.inspection import inspection_lines, run_inspect
from tests.builders import DATA, VenueBook, laws

LOL = DATA / "ws-market-lol-esports-2026-09-07.jsonl.gz"
HOSTILE = "\x1b[2J[red]\u202egnp\u0000\x9b31m"


def told(path: Path) -> list[str]:
    inspection = Inspection(path, {})
    inspection.run()
    return inspection_lines(inspection_report(inspection))


def written(path: Path, *messages: Any) -> Path:
    path.write_bytes(b"".join(encode_frame(json.dumps(one).encode(), 1_790_000_000_000) for one in messages))
    return path


@pytest.mark.skipif(not LOL.exists(), reason="the recordings are not beside the project")
def test_the_report_of_a_real_recording() -> None:
    """Every figure on its line, under labels of one width."""
    lines = told(LOL)
    assert lines[0].endswith(": proven")
    expected = """
events           price_change 57, book 6, last_trade_price 2
tokens           2 in 1 market
top of book      114 of 114 agree
hashes           117 of 120 agree at once
                 2 explained: another message of the same millisecond
                 1 explained: last trade not told yet
full books       6 of 6 have the hash they state
                 4 of 4 equal the rebuilt book
contradictions   none
gaps             none
messages         0.56 a second, at most 39 in a second, 13 in 100 ms
duplicates       none
problems         none
"""
    assert [line for line in expected.splitlines() if line and line not in lines] == []


def test_it_fits_eighty_columns_and_says_what_is_wrong(tmp_path: Path) -> None:
    """With everything in it that can be: gaps, problems, contradictions, resolutions, many of each."""
    book = VenueBook()
    message = json.loads(json.dumps(book.wire()))
    first = message | {"event_type": "book"}
    spoiled = first | {"hash": "0" * 40, "timestamp": str(book.ms + 5)}
    change = {"event_type": "tick_size_change", "market": message["market"], "old_tick_size": "0.01"}
    path = written(tmp_path / ("long name " * 12), first, *[spoiled] * 30)
    with path.open("ab") as stream:
        stream.write(encode_gap(Gap("the socket was lost " * 8, 1.0)) + b"garbage\n" * 30)
    resolved = {"event_type": "market_resolved", "market": message["market"], "winning_outcome": "Yes"}
    with path.open("ab") as stream:
        stream.write(encode_frame(json.dumps([resolved, change]).encode(), 1.0))
    lines = told(path)
    assert max(map(cell_len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    for words in ("contradicted", "does not have the hash it states", "more", "the socket was lost", "line 32:"):
        assert words in text, words
    assert "problems line 33: not a line of a recording" in text and "and 20 more" in text


def test_words_of_strangers_are_harmless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Types, markets, reasons and file names come from outside; neither form of the report carries their controls."""
    path = written(
        tmp_path / "r.jsonl",
        {"event_type": HOSTILE},
        {"event_type": "market_resolved", "market": HOSTILE, "winning_outcome": HOSTILE, "timestamp": "5"},
        {"event_type": "book", "market": HOSTILE, "asset_id": HOSTILE, "bids": [], "asks": [], "timestamp": "5"},
    )
    with path.open("ab") as stream:
        stream.write(encode_gap(Gap(HOSTILE, 1.0)))
    lines = told(path)
    assert "[2J[red]gnp31m 1" in " ".join(lines) and "(none)" not in " ".join(lines)
    assert run_inspect(path, gamma=None, as_json=True) == 0
    shown = "\n".join(lines) + capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert not any(char in shown for char in "\x1b\x9b\u202e\x00")


@laws(60)
@given(st.text(max_size=60), st.integers(-(10**18), 10**18) | st.just(10**400), st.text(max_size=200))
def test_no_text_and_no_number_breaks_it(
    tmp_path_factory: pytest.TempPathFactory, name: str, stamp: int, text: str
) -> None:
    """Whatever a file holds, the report can be drawn."""
    first = VenueBook().wire() | {"event_type": "book", "timestamp": stamp, "market": name}
    path = written(tmp_path_factory.mktemp("any") / "r.jsonl", {"event_type": text}, first, {"event_type": name})
    lines = told(path)
    assert max(map(cell_len, lines)) <= 80
    assert all(char.isprintable() for line in lines for char in line)
