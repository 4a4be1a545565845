"""Inspection: what real recordings prove, what breaks a proof, and what is told of it."""

import gzip
import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import MarketMessage
from core.lab.inspect import Inspection
from core.lab.inspect_counters import Latencies, Peak
from core.lab.inspect_report import inspection_report
from core.lab.recording import read_gamma
from core.store.recorded import Gap, Manifest, encode_frame, encode_gap, write_manifest
from tests.builders import MARKET, NO, NOON, YES, VenueBook, a_market, laws, recorded

Parts = Iterable[MarketMessage | list[MarketMessage] | Gap | bytes]
OTHER = "0x" + "cd" * 32


def written(path: Path, parts: Parts) -> Path:
    """A recording of these messages, arrays, notes and raw lines, received 20 ms after their stamps."""
    lines, stamp = [], NOON * 1000
    for part in parts:
        if isinstance(part, bytes):
            lines.append(part + b"\n")
        elif isinstance(part, Gap):
            lines.append(encode_gap(part))
        else:
            stamp = max(one.timestamp for one in part) if isinstance(part, list) else part.timestamp
            lines.append(encode_frame(msgspec.json.encode(part), stamp + 20))
    path.write_bytes(gzip.compress(b"".join(lines)) if path.suffix == ".gz" else b"".join(lines))
    return path


def inspected(path: Path, **known: Any) -> dict[str, Any]:
    inspection = Inspection(path, known.get("known", {}))
    inspection.run()
    report = inspection_report(inspection)
    assert json.loads(json.dumps(report)) == report
    return report


def report_of(tmp_path: Path, parts: Parts) -> dict[str, Any]:
    return inspected(written(tmp_path / "r.jsonl", parts))


def a_session(book: VenueBook, changes: int = 6) -> list[Any]:
    """The dump of both tokens and changes of one level after the other."""
    dump = [book.book("YES"), book.book("NO")]
    return [dump, *(book.set("bid", 40 + n % 5, 10 + n) for n in range(changes))]


def agreement(report: dict[str, Any]) -> tuple[Any, ...]:
    hashes = report["book_hash"]
    return (
        (report["top_of_book"]["agreed"], report["top_of_book"]["checked"]),
        (hashes["agreed"], hashes["explained"], hashes["checked"]),
        (report["full_books"]["rebuilt"]["agreed"], report["full_books"]["rebuilt"]["checked"]),
    )


# The real recordings


@pytest.mark.parametrize(
    ("name", "verdict", "tops", "hashes", "rebuilt", "explained"),
    [
        ("lol-esports", "proven", (114, 114), (117, 3, 120), (4, 4), {"same_ms": 2, "last_trade": 1}),
        ("btc-updown", "proven", (90, 90), (98, 0, 98), (0, 0), {}),
        ("longshot", "proven", (8, 8), (11, 0, 11), (0, 0), {}),
        ("btc-sampled", "not consecutive", (2, 2), (1, 8, 9), (0, 2), {"last_trade": 2, "older": 6}),
        ("resolved", "nothing compared", (0, 0), (0, 0, 0), (0, 0), {}),
        ("tick-size-change", "nothing compared", (0, 0), (0, 0, 0), (0, 0), {}),
    ],
)
def test_every_real_recording_agrees_with_itself_or_is_explained(
    name: str, verdict: str, tops: tuple[int, int], hashes: tuple[int, int, int], rebuilt: tuple[int, int],
    explained: dict[str, int],
) -> None:  # fmt: skip
    """The figures of real-data.md: every touch, every snapshot, and every hash at once or for a known reason."""
    (path,) = recorded(f"ws-market-{name}*.gz")
    report = inspected(path)
    assert report["passed"] and report["verdict"] == verdict
    assert agreement(report) == (tops, hashes, rebuilt)
    assert {name: count for name, count in report["book_hash"]["explanations"].items() if count} == explained
    assert report["book_hash"]["undecided"] == report["book_hash"]["differing"] == 0
    assert report["problems"]["count"] == report["gaps"]["count"] == report["duplicates"] == 0


def test_every_user_channel_recording_passes() -> None:
    """Orders and trades are counted; there is nothing to compare them with."""
    for path in recorded("ws-user-*.gz"):
        report = inspected(path)
        assert report["passed"] and report["user_messages"] == report["frames"] > 0


def test_rates_and_latencies_are_those_measured_before() -> None:
    """real-data.md, rates: by the venue's clock, without the first books."""
    (lol,), (btc,) = recorded("ws-market-lol*.gz"), recorded("ws-market-btc-updown*.gz")
    report = inspected(lol)
    assert report["rates"] == {"mean_per_s": 0.557, "peak_1s": 39, "peak_100ms": 13}
    assert report["span"]["live"]["seconds"] == 113.143 and report["span"]["receive"] is None
    assert report["events"] == {"price_change": 57, "book": 6, "last_trade_price": 2}
    report = inspected(btc)
    assert round(report["rates"]["mean_per_s"]) == 140 and report["rates"]["peak_100ms"] == 17
    assert report["latency_ms"] == {"least": 344, "median": 423, "most": 667}
    assert (report["tokens"], report["markets"]) == (8, 4)


def test_a_recording_out_of_order_is_told_from_a_wrong_one() -> None:
    """The sample is grouped by kind: its books cannot be followed, but each has the hash that it states."""
    (path,) = recorded("ws-market-btc-sampled*.gz")
    report = inspected(path)
    assert report["not_consecutive"] == [
        {"market": report["silences"][0]["market"], "out_of_order": 3, "of": 6, "differences": 2}
    ]
    assert report["full_books"]["own_hash"] == {"checked": 3, "agreed": 3}
    assert report["contradictions"]["count"] == 0


def test_a_spoiled_book_is_wrong_even_where_nothing_is_in_order(tmp_path: Path) -> None:
    """Out of order explains what is missing, never a book that does not have its own hash."""
    (path,) = recorded("ws-market-btc-sampled*.gz")
    lines = gzip.decompress(path.read_bytes()).splitlines()
    lines[1] = lines[1].replace(b'"size":"4081.3"', b'"size":"4081.4"', 1)
    report = report_of(tmp_path, lines)
    assert not report["passed"] and report["verdict"] == "contradicted"
    assert [(one["line"], one["what"]) for one in report["contradictions"]["listed"]] == [
        (2, "a full book does not have the hash it states")
    ]


@pytest.mark.parametrize("name", ["lol-esports", "btc-updown", "longshot"])
def test_one_lost_or_altered_change_of_a_real_recording_is_found(tmp_path: Path, name: str) -> None:
    """Whichever it is: what the hash is there for. (Not the last two: what follows could still explain them.)"""
    (path,) = recorded(f"ws-market-{name}*.gz")
    lines = gzip.decompress(path.read_bytes()).splitlines()
    changes = [n for n, line in enumerate(lines) if b'"event_type":"price_change"' in line]
    told = [n for n in changes[:-1] if _tells_something(lines, n, changes)]
    assert told
    for n in told[:: max(1, len(told) // 8)]:
        lost = report_of(tmp_path, [*lines[:n], *lines[n + 1 :]])
        assert not lost["passed"], f"line {n + 1} lost"
        assert lost["contradictions"]["listed"][0]["line"] >= n + 1
        if b'"event_type":"book"' in lines[n + 1]:
            continue  # the full book of its millisecond makes an altered change good
        altered = lines[n].replace(b'"size":"', b'"size":"1')
        assert not report_of(tmp_path, [*lines[:n], altered, *lines[n + 1 :]])["passed"], f"line {n + 1} altered"


def _tells_something(lines: list[bytes], n: int, changes: list[int]) -> bool:
    """A change that no full book before it contains, and that two of other levels of its market follow."""
    change = _change(lines[n])
    hashes = [entry["hash"].encode() for entry in change["price_changes"]]
    followers = [_change(lines[m]) for m in changes if m > n]
    of_market = [one for one in followers if one["market"] == change["market"]]
    contained = any(one in line for line in lines[:n] for one in hashes)
    return not contained and len(of_market) > 1 and all(_level(one) != _level(change) for one in of_market[:2])


def _change(line: bytes) -> Any:
    raw = msgspec.json.decode(line)["raw"]
    return raw[0] if isinstance(raw, list) else raw


def _level(change: Any) -> set[tuple[str, str]]:
    return {(entry["asset_id"], entry["price"]) for entry in change["price_changes"]}


# What breaks a proof


def test_a_session_is_proven_and_everything_is_counted(tmp_path: Path) -> None:
    """Every figure of the report, on a stream of which each is known."""
    book = VenueBook()
    parts = a_session(book)
    trade = book.trade("0.45")
    report = report_of(tmp_path, [*parts, trade, book.book("YES"), book.book("NO")])
    assert (report["verdict"], report["passed"]) == ("proven", True)
    assert agreement(report) == ((12, 12), (16, 0, 16), (2, 2))
    assert report["full_books"]["own_hash"] == {"checked": 4, "agreed": 4}
    assert report["full_books"]["mirror"] == {"checked": 1, "agreed": 1}
    assert report["events"] == {"price_change": 6, "book": 4, "last_trade_price": 1}
    assert (report["frames"], report["lines"], report["tokens"], report["markets"]) == (10, 10, 2, 1)
    assert report["span"]["venue"]["seconds"] == 0.03 and report["span"]["receive"]["seconds"] == 0.03
    assert report["latency_ms"] == {"least": 20, "median": 20, "most": 20}
    assert report["silences"][0]["longest_s"] == 0.005
    assert report["rates"]["peak_1s"] == 9


def test_a_lost_change_is_a_contradiction_with_its_line(tmp_path: Path) -> None:
    """In order and unexplained: somebody lost something, and a full book makes it good again."""
    book = VenueBook()
    parts = a_session(book)
    report = report_of(tmp_path, [*parts[:3], *parts[4:], book.book("YES"), *a_session(book)[1:]])
    assert (report["verdict"], report["passed"]) == ("contradicted", False)
    first = report["contradictions"]["listed"][0]
    assert first["line"] in (4, 5) and first["market"] == MARKET and "continuity lost" in first["what"]
    assert report["unchecked_changes"] > 0


def test_a_later_book_that_was_not_led_to_is_a_contradiction(tmp_path: Path) -> None:
    """Both books are proven, so messages between them are missing."""
    book = VenueBook()
    parts = a_session(book, changes=2)
    book.set("ask", 60, 7)
    report = report_of(tmp_path, [*parts, book.book("YES")])
    assert not report["passed"] and report["full_books"]["rebuilt"] == {"checked": 1, "agreed": 0}
    assert [one["what"] for one in report["contradictions"]["listed"]] == ["a full book differs from the rebuilt one"]


def test_books_of_both_tokens_must_be_mirrors(tmp_path: Path) -> None:
    book, another = VenueBook(), VenueBook(depth=5)
    report = report_of(tmp_path, [[book.book("YES"), another.book("NO")]])
    assert not report["passed"] and report["full_books"]["mirror"] == {"checked": 1, "agreed": 0}


def test_a_gap_the_recorder_noted_explains_what_is_missing(tmp_path: Path) -> None:
    """The recording is as good as its word: what is there agrees, what is missing is named."""
    book = VenueBook()
    parts = a_session(book)
    book.set("ask", 60, 7)
    report = report_of(tmp_path, [*parts, Gap("the socket broke", 5.0, (NO,)), *a_session(book)])
    assert (report["passed"], report["gaps"]["count"]) == (True, 1)
    assert report["gaps"]["listed"][0]["what"] == "the socket broke" and "1 gap" in report["words"]
    assert report["full_books"]["rebuilt"] == {"checked": 0, "agreed": 0}
    assert report["unchecked_changes"] == 0


def test_a_gap_of_other_tokens_explains_nothing(tmp_path: Path) -> None:
    """A note counts for the markets it names."""
    book = VenueBook()
    parts = a_session(book)
    book.set("ask", 60, 7)
    for tokens, passed in ((("3",), False), ((YES,), True), ((), True)):
        rest: list[Any] = [Gap("the socket broke", 5.0, tokens), book.book("YES")]
        assert report_of(tmp_path, [*parts, *rest])["passed"] == passed


def test_one_message_late_is_no_excuse_for_a_long_recording(tmp_path: Path) -> None:
    """A venue or a network that swaps two messages is an event, not a sample."""
    book = VenueBook()
    parts = a_session(book, changes=60)
    report = report_of(tmp_path, [*parts[:20], parts[21], parts[20], *parts[22:]])
    assert not report["passed"] and report["not_consecutive"] == []


def test_two_sockets_that_tell_everything_twice_agree(tmp_path: Path) -> None:
    """Recorded over an overlap: the copy lags, and costs nothing but its lines."""
    book = VenueBook()
    parts = a_session(book, changes=12)
    lag = 3
    doubled = [one for n, part in enumerate(parts) for one in (part, *([parts[n - lag]] if n > lag else []))]
    report = report_of(tmp_path, doubled)
    assert report["passed"] and report["duplicates"] == len(parts) - lag - 1
    assert report["not_consecutive"] == []


def test_hashes_that_still_wait_at_the_end_are_undecided(tmp_path: Path) -> None:
    """Two messages of one millisecond, the first with the hash of the second, and then the recording ends."""
    book = VenueBook()
    dump = a_session(book, changes=0)
    book.set("bid", 44, 11, after_ms=5)
    told = book.change([("bid", 44, 11)])
    book.set("bid", 43, 12, after_ms=0)
    later = book.change([("bid", 43, 12)])
    early = msgspec.structs.replace(
        told,
        price_changes=tuple(
            msgspec.structs.replace(change, hash=other.hash)
            for change, other in zip(told.price_changes or (), later.price_changes or (), strict=True)
        ),
    )
    whole, cut = report_of(tmp_path, [*dump, early, later]), report_of(tmp_path, [*dump, early])
    assert whole["passed"] and whole["book_hash"]["explanations"]["same_ms"] == 2
    assert cut["passed"] and (cut["book_hash"]["undecided"], cut["book_hash"]["differing"]) == (2, 0)


def test_a_change_of_tick_begins_anew(tmp_path: Path) -> None:
    """Told, or seen in the next first book after a gap; one without a word is a contradiction."""
    book = VenueBook()
    parts = a_session(book)
    retick = book.retick("0.001")
    fresh = [book.book("YES"), book.book("NO")]
    change = book.set("bid", 441, 3)
    told = report_of(tmp_path, [*parts, retick, fresh, change])
    assert told["passed"] and [one["what"] for one in told["tick_changes"]] == ["0.01 to 0.001"]
    assert told["top_of_book"]["agreed"] == 14
    assert report_of(tmp_path, [*parts, Gap("again"), fresh, change])["passed"]
    silent = report_of(tmp_path, [*parts, fresh, change])
    assert [one["what"] for one in silent["contradictions"]["listed"]] == ["the tick changed to 0.001 without a word"]


def test_a_resolution_is_told_with_its_winner(tmp_path: Path) -> None:
    book = VenueBook()
    end = MarketMessage(event_type="market_resolved", market=MARKET, timestamp=book.ms + 9, winning_outcome="Yes")
    report = report_of(tmp_path, [*a_session(book), end])
    assert [(one["line"], one["what"]) for one in report["resolutions"]] == [(8, "Yes")]


def test_a_market_of_which_no_book_is_told_is_not_compared(tmp_path: Path) -> None:
    """No book, no proof, no claim."""
    report = report_of(tmp_path, a_session(VenueBook())[1:])
    assert (report["passed"], report["verdict"], report["markets"]) == (True, "nothing compared", 1)


def test_a_token_recorded_alone_is_completed_by_its_first_change(tmp_path: Path) -> None:
    """Changes name both tokens, whoever asked for one (real-data.md 6)."""
    book = VenueBook()
    first, *changes = a_session(book)
    assert isinstance(first, list)
    report = report_of(tmp_path, [first[0], *changes])
    assert report["passed"] and agreement(report)[:2] == ((12, 12), (13, 0, 13))


# Bad input


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"\x00\xff\xfe", "not a line of a recording"),
        (b'{"t":1}', "neither a frame nor a note"),
        (b'{"t":1,"raw":{"event_type":"book","bids":"many"}}', "Expected"),
        (b'{"t":1,"raw":"PONG"}', "malformed"),
        (b'{"raw":' + b"[" * 100_000, "not a line of a recording"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_and_changes_nothing_else(tmp_path: Path, line: bytes, words: str) -> None:
    """Counted by line; the proof of the rest stands, but the recording does not pass."""
    parts: list[Any] = list(a_session(VenueBook()))
    clean = report_of(tmp_path, parts)
    dirty = report_of(tmp_path, [*parts[:3], line, *parts[3:]])
    assert not dirty["passed"] and dirty["verdict"] == "damaged"
    assert [one["line"] for one in dirty["problems"]["listed"]] == [4]
    assert words in dirty["problems"]["listed"][0]["what"]
    assert agreement(dirty) == agreement(clean)


def test_unknown_types_are_named_and_are_no_problem(tmp_path: Path) -> None:
    """The venue may add one tomorrow; a million of them are still counted."""
    novelties = [b'{"t":1,"raw":{"event_type":"weather %d"}}' % (n % 150) for n in range(300)]
    report = report_of(tmp_path, [*a_session(VenueBook()), *novelties])
    assert report["passed"] and report["unknown_types"]["weather 7"] == 2
    assert len(report["unknown_types"]) == 100 and "weather 7" not in report["events"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\x1f\x8b garbage", b"\x00" * 5_000, b"not json\n" * 3],
    ids=["empty", "blank", "no gzip", "zeros", "text"],
)
def test_garbage_does_not_pass(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(content)
    report = inspected(path)
    assert not report["passed"] and report["frames"] == 0


@laws(60)
@given(st.lists(st.one_of(st.binary(max_size=80), st.integers(0, 99)), max_size=30), st.booleans())
def test_nothing_in_a_recording_raises(
    tmp_path_factory: pytest.TempPathFactory, mixed: list[Any], packed: bool
) -> None:
    """Garbage between, inside and instead of messages."""
    book = VenueBook()
    parts = a_session(book, changes=20)
    lines: list[Any] = []
    for one in mixed:
        if isinstance(one, bytes):
            lines.append(one.replace(b"\n", b""))
        else:
            good = msgspec.json.encode({"t": None, "raw": parts[one % len(parts)]})
            lines.append(good if one % 3 else good.replace(b"0.4", b"9e9", 1))
    path = tmp_path_factory.mktemp("any") / ("r.jsonl.gz" if packed else "r.jsonl")
    assert inspected(written(path, lines))["lines"] == len(lines)


def test_a_long_recording_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """It is read as a stream; what is kept are counters."""
    book = VenueBook()
    parts = a_session(book, changes=1)
    line = encode_frame(msgspec.json.encode(book.set("bid", 44, 9)), 1.0)

    def peak(repeats: int) -> int:
        path = written(tmp_path / "long.jsonl", parts)
        with path.open("ab") as stream:
            stream.write(line * repeats + b"garbage\n" * repeats)
        tracemalloc.start()
        try:
            inspected(path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(500)
    assert peak(40_000) < 1.1 * peak(20_000)


# Directories


def test_a_directory_is_read_in_order_with_its_own_description(tmp_path: Path) -> None:
    """Titles and minimum sizes need no --gamma; a line is named by its segment."""
    market = a_market(min_size_text="37", neg_risk=True)
    book = VenueBook(market)
    parts = a_session(book)
    written(tmp_path / "20260101T000000Z-000001.jsonl.gz", parts[:4])
    written(tmp_path / "20260101T000000Z-000002.jsonl.gz", [*parts[4:], b"garbage"])
    unaided = inspected(tmp_path)
    assert not unaided["passed"] and unaided["full_books"]["own_hash"]["agreed"] == 0
    write_manifest(tmp_path, Manifest("test", "ws://x", (YES, NO), (market,)))
    from core.lab.recording import known_instruments

    report = inspected(tmp_path, known=known_instruments(tmp_path, None))
    assert report["contradictions"]["count"] == 0 and agreement(report)[:2] == ((12, 12), (14, 0, 14))
    assert report["silences"][0]["title"] == "Will it?" and report["files"] == 2
    assert report["problems"]["listed"][0]["place"] == "20260101T000000Z-000002.jsonl.gz line 4"


def test_a_gamma_file_wins(tmp_path: Path) -> None:
    """It may know better than what was written years ago."""
    gamma = tmp_path / "gamma.json"
    raw = {
        "conditionId": MARKET, "question": "Really?", "outcomes": '["Yes", "No"]', "orderMinSize": 5,
        "clobTokenIds": json.dumps([YES, NO]), "orderPriceMinTickSize": 0.01,
    }  # fmt: skip
    gamma.write_text(json.dumps(raw))
    path = written(tmp_path / "r.jsonl", a_session(VenueBook()))
    assert inspected(path, known=read_gamma(gamma))["silences"][0]["title"] == "Really?"


# Counters


@laws(60)
@given(st.lists(st.integers(-50_000, 50_000), min_size=1, max_size=60))
def test_latencies_are_those_of_a_sorted_list(values: list[int]) -> None:
    """Exact up to ten seconds; beyond, to the second below."""
    latencies = Latencies()
    for value in values:
        latencies.count(value)
    ranked = sorted(value if abs(value) <= 10_000 else value // 1000 * 1000 for value in values)
    assert latencies.least_median_most == (ranked[0], ranked[(len(ranked) - 1) // 2], ranked[-1])


def test_a_peak_is_of_one_bucket_and_forgets_old_ones() -> None:
    peak = Peak(100)
    for stamp in [0, 99, 100, 199, 150, *range(100_000, 900_000, 100)]:
        peak.count(stamp)
    assert peak.most == 3
