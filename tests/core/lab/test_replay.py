"""Replay: what real recordings prove, that it repeats itself, and that bad input changes nothing else."""

import gzip
from pathlib import Path

import msgspec
import pytest

from core.config import Settings
from core.errors import UsageError
from core.events import OperatorCommand
from core.lab.recording import Problem, read_gamma, read_lines
from core.lab.replay import Moment, Replay, parse_moment
from core.lab.replay_report import problem_lines, replay_report
from core.store.recorded import encode_frame
from tests.builders import NOON, VenueBook

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
RECORDINGS = sorted(DATA.glob("ws-*.jsonl.gz")) or [
    pytest.param(DATA, marks=pytest.mark.skip(reason="the recordings are not beside the project"))
]
LOL = DATA / "ws-market-lol-esports-2026-09-07.jsonl.gz"
needs_recordings = pytest.mark.skipif(not LOL.exists(), reason="the recordings are not beside the project")


def played(path: Path) -> Replay:
    replay = Replay(path, Settings(), {})
    replay.run()
    replay.finish("end of recording")
    return replay


def lines_of(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines()


def written(folder: Path, lines: list[bytes], name: str = "recording.jsonl") -> Path:
    path = folder / name
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name[:-9])
def test_every_recording_agrees_with_itself(path):
    """Every stated touch and hash is reproduced, or is one of the known cases."""
    evidence = played(path).evidence()
    assert evidence.top_agreed == evidence.top_checked
    assert evidence.hash_agreed + evidence.hash_explained == evidence.hash_checked


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name[:-9])
def test_two_replays_take_the_same_decisions(path):
    """Replay is deterministic to the byte."""
    assert played(path).decisions_digest == played(path).decisions_digest


@needs_recordings
def test_the_session_recording_is_checked_in_full():
    """The figures of the longest recording: nothing is silently left out of the comparison."""
    evidence = played(LOL).evidence()
    assert (evidence.top_checked, evidence.hash_checked, evidence.hash_explained) == (114, 120, 3)


@needs_recordings
def test_a_replay_places_and_ends_with_nothing_open():
    """The paper venue takes orders and everything is cancelled at the end."""
    replay = played(LOL)
    assert replay.engine.orders.counts.placed > 0
    assert replay.venue.open_order_ids() == []
    assert not list(replay.engine.orders.all_at_risk())


def _book(market: str, token: str, stamp: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> bytes:
    levels = {side: [{"price": p, "size": s} for p, s in rows] for side, rows in (("bids", bids), ("asks", asks))}
    raw = {"event_type": "book", "market": market, "asset_id": token, "timestamp": str(stamp), "hash": "", **levels}
    return msgspec.json.encode({"t": None, "raw": raw})


def _bad_lines() -> dict[str, bytes]:
    first = msgspec.json.decode(msgspec.json.decode(lines_of(LOL)[0], type=dict[str, msgspec.Raw])["raw"])[0]
    market, token, stamp = first["market"], first["asset_id"], int(first["timestamp"]) + 1
    change = {"asset_id": token, "side": "BUY", "size": "5", "hash": "", "best_bid": "", "best_ask": ""}

    def changed(**fields: str) -> bytes:
        raw = {"event_type": "price_change", "market": market, "timestamp": str(stamp)}
        return msgspec.json.encode({"t": None, "raw": raw | {"price_changes": [change | fields]}})

    return {
        "not json": b'{"t": 1, "raw": {',
        "not a recording": b'["a", 1]',
        "binary": b"\xff\xfe\x00",
        "crossed book": _book(market, token, stamp, [("0.7", "5")], [("0.6", "5")]),
        "book off the grid": _book(market, token, stamp, [("0.555", "5")], [("0.6", "5")]),
        "doubled price": _book(market, token, stamp, [("0.5", "5"), ("0.50", "6")], [("0.6", "5")]),
        "no price": changed(price="1.5"),
        "price is NaN": changed(price="NaN"),
        "size is NaN": changed(price="0.5", size="NaN"),
        "negative size": changed(price="0.5", size="-3"),
        "touch is nonsense": changed(price="0.5", best_bid="high", best_ask="0.7"),
        "stranger's token": changed(price="0.5", asset_id="123"),
        "wrong type": msgspec.json.encode({"t": None, "raw": {"event_type": "book", "market": market, "bids": "many"}}),
    }


@needs_recordings
@pytest.mark.parametrize("kind", _bad_lines() if LOL.exists() else [])
def test_a_bad_line_is_told_by_number_and_changes_nothing_else(tmp_path, kind):
    """Decisions with a bad line in the middle are byte for byte those without it."""
    good = lines_of(LOL)
    clean = played(written(tmp_path, good, "clean.jsonl"))
    dirty = played(written(tmp_path, [*good[:30], _bad_lines()[kind], *good[30:]]))
    assert dirty.decisions_digest == clean.decisions_digest
    assert [problem.line for problem in dirty.problems] == [31]
    assert dirty.unusable == 1
    assert dirty.evidence() == clean.evidence()


@needs_recordings
def test_unknown_event_types_are_counted_and_ignored(tmp_path):
    """A type the venue adds tomorrow stops nothing."""
    good = lines_of(LOL)
    clean = played(written(tmp_path, good, "clean.jsonl"))
    novelty = b'{"t":null,"raw":{"event_type":"weather","market":"0x1","extra":{"deep":[1,null]}}}'
    replay = played(written(tmp_path, [*good[:9], novelty, *good[9:]]))
    assert replay.engine.tally.unknown_types == 1
    assert replay.decisions_digest == clean.decisions_digest
    assert [(p.line, p.problem) for p in replay.problems] == [(10, "unknown event type 'weather'")]


@needs_recordings
def test_good_messages_of_a_bad_frame_are_used(tmp_path):
    """One bad message in an array costs that message only."""
    good = lines_of(LOL)
    first = good[0].replace(b'"raw":[', b'"raw":[{"event_type":7},', 1)
    replay = played(written(tmp_path, [first, *good[1:]]))
    assert [problem.line for problem in replay.problems] == [1]
    assert replay.evidence().hash_checked == played(LOL).evidence().hash_checked


@needs_recordings
def test_a_truncated_archive_ends_where_it_is_damaged(tmp_path):
    """What comes before the damage is played, and the damage is told."""
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(LOL.read_bytes()[: LOL.stat().st_size // 2])
    replay = played(cut)
    assert 0 < replay.frames < 64
    assert len(replay.problems) == 1
    assert "damaged" in replay.problems[0].problem
    assert problem_lines(replay) == [f"line {replay.frames + 1}: {replay.problems[0].problem}"]


@needs_recordings
def test_a_leap_in_time_is_not_lived_through(tmp_path):
    """A recorder that paused for years, or a false stamp, costs no years of wake-ups."""
    good = lines_of(LOL)
    late = _book("0xfeed", "77", 4_000_000_000_000, [("0.4", "10")], [("0.6", "10")])
    assert played(written(tmp_path, [*good, late])).frames == 65


@needs_recordings
@pytest.mark.parametrize("stamp", [10**15, 10**25])
def test_a_false_stamp_does_not_stop_the_clock_for_the_rest(tmp_path, stamp):
    """After a line from the far future the recording's own times count again."""
    good = lines_of(LOL)
    late = _book("0xfeed", "77", stamp, [("0.4", "10")], [("0.6", "10")])
    plain = played(written(tmp_path, good, "clean.jsonl"))
    false = played(written(tmp_path, [*good[:20], late, *good[20:]]))
    assert false.now >= plain.now
    assert abs(false.unix - plain.unix) < 1500


@needs_recordings
@pytest.mark.parametrize("kind", ["crossed", "off the grid", "NaN"])
def test_a_spoiled_copy_of_a_recorded_book_is_told_whatever_its_hash_says(tmp_path, kind):
    """The copy keeps its stamp and its hash, so it looks like a book we have already."""
    good = lines_of(LOL)
    clean = played(written(tmp_path, good, "clean.jsonl"))
    at = next(n for n, line in enumerate(good) if n > 20 and b'"event_type":"book"' in line)
    line = msgspec.json.decode(good[at])
    spoiled = line["raw"][0] if isinstance(line["raw"], list) else line["raw"]
    if kind == "crossed":
        spoiled["bids"], spoiled["asks"] = spoiled["asks"], spoiled["bids"]
    else:
        spoiled["bids"][0]["price"] = {"off the grid": "0.0101", "NaN": "NaN"}[kind]
    copy = msgspec.json.encode({"t": line["t"], "raw": spoiled})
    for place in (at + 1, len(good)):
        dirty = played(written(tmp_path, [*good[:place], copy, *good[place:]]))
        assert [problem.line for problem in dirty.problems] == [place + 1]
        assert (dirty.unusable, dirty.decisions_digest) == (1, clean.decisions_digest)


def test_a_line_of_endless_nesting_is_a_problem_like_any_other(tmp_path):
    """Depth costs a parser its stack and must not cost us the recording."""
    problems: list[Problem] = []
    path = written(tmp_path, [b'{"raw":' + b"[" * 100_000, b'{"t":1,"raw":{"x":' + b"[" * 100_000, b'{"t":1,"raw":{}}'])
    assert [number for number, _ in read_lines(path, problems)] == [3]
    assert [problem.line for problem in problems] == [1, 2]


@needs_recordings
def test_what_a_recording_lacks_is_inferred_or_given(tmp_path):
    """Minimum size and flag reproduce the first hash; a Gamma file gives names and outcomes instead."""
    inferred = next(iter(played(LOL).engine.desks.values())).instrument
    assert (inferred.min_size_text, inferred.neg_risk, inferred.tick_text) == ("5", False, "0.01")
    market = {
        "conditionId": inferred.market,
        "question": "Who wins?",
        "outcomes": '["IG", "LGD"]',
        "clobTokenIds": msgspec.json.encode([inferred.no_token, inferred.yes_token]).decode(),
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
    }
    gamma = tmp_path / "gamma.json"
    gamma.write_bytes(msgspec.json.encode([market]))
    replay = Replay(LOL, Settings(), read_gamma(gamma))
    replay.run()
    desk = replay.engine.desks[inferred.market]
    assert (desk.instrument.title, desk.instrument.yes_token) == ("Who wins?", inferred.no_token)
    evidence = replay.evidence()
    assert evidence.hash_agreed + evidence.hash_explained == evidence.hash_checked == 120


@needs_recordings
def test_an_operator_acts_at_the_recording_s_time():
    """A command in the middle of a replay is answered and pulls the market's orders."""
    replay = Replay(LOL, Settings(), {})
    told = []

    def pace(at: float) -> None:
        if at > 60 and not told:
            market = next(iter(replay.engine.desks))
            told.extend(replay.command(OperatorCommand(act="pause", market=market)))

    replay.run(pace)
    assert told
    assert not list(replay.engine.orders.all_at_risk())


@needs_recordings
def test_the_report_says_what_was_proven():
    """The contract of ``replay --json``."""
    report = replay_report(played(LOL), 1.0, "end of recording")
    assert report["top_of_book"] == {"checked": 114, "agreed": 114}
    assert report["book_hash"] == {"checked": 120, "agreed": 117, "explained": 3}
    assert (report["frames"], report["messages"], report["open_orders"]) == (64, 65, 0)


def test_empty_lines_are_no_problem(tmp_path):
    """A trailing newline or a gap is not an error."""
    problems: list[Problem] = []
    path = written(tmp_path, [b"", b'{"t":1,"raw":{}}', b"  "])
    assert [number for number, _ in read_lines(path, problems)] == [2]
    assert problems == []


# Until a moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0", Moment(0.0, is_unix=False)),
        ("90.5", Moment(90.5, is_unix=False)),
        ("1790000000", Moment(1_790_000_000.0, is_unix=True)),
        ("1790000000500", Moment(1_790_000_000.5, is_unix=True)),
        ("2026-09-21T14:13:20", Moment(1_790_000_000.0, is_unix=True)),
        ("2026-09-21T16:13:20+02:00", Moment(1_790_000_000.0, is_unix=True)),
        ("2026-09-21 14:13:20.5Z", Moment(1_790_000_000.5, is_unix=True)),
    ],
)
def test_a_moment_is_read_from_what_people_have_at_hand(text, moment):
    """Seconds of a console, stamps of a log or of the venue, a time of day."""
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "nan", "inf", "1e999", "2026-13-01", "-inf", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_moment_is_refused(text):
    """A guess would explain another time than was asked for."""
    with pytest.raises(UsageError, match="is no time"):
        parse_moment(text)


def a_tape(path: Path, seconds: list[float]) -> Path:
    """A book that changes at these seconds after noon."""
    venue = VenueBook()
    messages = [msgspec.to_builtins(venue.book(outcome)) | {"timestamp": str(venue.ms)} for outcome in ("YES", "NO")]
    lines = [encode_frame(msgspec.json.encode(messages), NOON * 1000.0)]
    for n, second in enumerate(seconds):
        change = msgspec.to_builtins(venue.set("bid", 40, 7 + n, after_ms=1)) | {"timestamp": str(venue.ms)}
        lines.append(encode_frame(msgspec.json.encode(change), (NOON + second) * 1000.0))
    path.write_bytes(b"".join(lines))
    return path


def until(path: Path, moment: Moment) -> tuple[Replay, bool]:
    replay = Replay(path, Settings(), {})
    return replay, replay.run_until(moment)


def test_a_replay_stops_at_a_moment_between_two_frames(tmp_path):
    """What came by then has happened, nothing later has, and time has gone on to the moment."""
    path = a_tape(tmp_path / "r.jsonl", [1.0, 2.0, 30.0])
    for moment in (Moment(20.0, is_unix=False), Moment(NOON + 20.0, is_unix=True)):
        replay, went_on = until(path, moment)
        assert went_on and replay.frames == 3
        assert (replay.now, replay.unix) == (20.0, NOON + 20.0)
        assert replay.engine.orders.counts.placed > 0


def test_a_frame_at_the_moment_itself_has_happened(tmp_path):
    """By a moment means with it."""
    replay, went_on = until(a_tape(tmp_path / "r.jsonl", [1.0, 2.0, 30.0]), Moment(2.0, is_unix=False))
    assert went_on and replay.frames == 3


def test_until_a_moment_decisions_are_those_of_the_whole_replay(tmp_path):
    """An explanation of a moment is of the run that a replay shows."""
    path = a_tape(tmp_path / "r.jsonl", [1.0, 2.0, 30.0, 31.0])
    whole, _ = until(path, Moment(30.5, is_unix=False))
    cut, _ = until(a_tape(tmp_path / "cut.jsonl", [1.0, 2.0, 30.0, 100.0]), Moment(30.5, is_unix=False))
    assert whole.decisions_digest == cut.decisions_digest


def test_a_recording_that_ends_before_says_so(tmp_path):
    """The end is not silently taken for the moment."""
    replay, went_on = until(a_tape(tmp_path / "r.jsonl", [1.0]), Moment(500.0, is_unix=False))
    assert not went_on and replay.now == 1.0


def test_a_moment_before_the_recording_is_refused(tmp_path):
    """Nothing is known of that time."""
    with pytest.raises(UsageError, match="begins at unix time"):
        until(a_tape(tmp_path / "r.jsonl", [1.0]), Moment(NOON - 1.0, is_unix=True))


def test_a_moment_in_the_recorders_pause(tmp_path):
    """The engine does not live through a pause, and a moment in it is one of its time."""
    path = a_tape(tmp_path / "r.jsonl", [1.0, 7_200.0])
    replay, went_on = until(path, Moment(NOON + 3_600.0, is_unix=True))
    assert went_on and replay.frames == 2 and 1.0 <= replay.now <= 601.0


def test_a_pause_is_as_short_for_a_moment_as_for_a_replay(tmp_path):
    """Seconds since the start are those that a replay counts."""
    path = a_tape(tmp_path / "r.jsonl", [1.0, 7_200.0, 7_210.0])
    replay, went_on = until(path, Moment(605.0, is_unix=False))
    assert went_on and replay.frames == 3 and replay.unix == pytest.approx(NOON + 7_204.0)
