"""What a recording is made into: frames in time, and the books they make. No socket here."""

import gzip
import json
from collections.abc import Iterable
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.errors import UsageError
from core.events import MarketMessage, WireLevel
from core.exchange.playback import FIRST_PIECE, PROBLEMS_TOLD, Playback, PlayedFrame, PlayedMarket
from core.market.instrument import Instrument
from core.units import MICRO, Shares
from tests.builders import MARKET, NO, NOON, YES, VenueBook, a_market, recorded, reference_hash

START_MS = NOON * 1000


def wire(message: MarketMessage) -> dict[str, Any]:
    """A message as the venue spells it."""
    told = {key: value for key, value in msgspec.to_builtins(message).items() if value not in ("", None, (), [])}
    return {key: value for key, value in told.items() if key != "kind"} | {"timestamp": str(message.timestamp)}


def line(raw: Any, t: float | None = None) -> bytes:
    return json.dumps({"t": t, "raw": raw}, separators=(",", ":")).encode()


def write(path: Path, lines: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    return path


def played(path: Path, told: list[str] | None = None, gamma: dict[str, Instrument] | None = None) -> Playback:
    return Playback(path, gamma or {}, ([] if told is None else told).append)


def all_of(playback: Playback) -> list[PlayedFrame]:
    return list(playback.play_until(inf))


def rest(playback: Playback, token: str) -> dict[str, Any] | None:
    place = playback.face(token)
    return None if place is None else dict(json.loads(place[0].rest_book(place[1])))


def a_session(changes: int = 3) -> list[MarketMessage]:
    """Both first books, then changes half a second apart."""
    venue = VenueBook()
    first = [venue.book("YES"), venue.book("NO")]
    return [*first, *(venue.set("bid", 30, 10 + n, after_ms=500) for n in range(changes))]


# Books


@pytest.mark.parametrize("name", ["lol-esports-2026-09-07", "btc-updown-5m-2026-08-16", "longshot-2026-06-30"])
def test_books_have_the_recorded_hash_at_every_moment(name: str) -> None:
    """Whatever hash the venue stated last for a token is the hash of the book served then."""
    (path,) = recorded(f"ws-market-{name}.jsonl.gz")
    playback, checked = played(path), 0
    while playback.next_due_s < inf:
        stated: dict[str, str] = {}
        for frame in playback.play_until(playback.next_due_s):
            for message in frame.messages:
                stated |= {message.asset_id: message.hash} if message.event_type == "book" else {}
                stated |= {change.asset_id: change.hash for change in message.price_changes or ()}
        for token, expected in stated.items():
            book = rest(playback, token)
            assert book is not None and book["hash"] == expected == reference_hash(book)
            checked += 1
    assert checked >= 9 and playback.unusable == 0


def test_recorded_rest_books_are_written_back_word_for_word() -> None:
    """The text builder of the playback is the venue's: every member and the hash, for every book there is."""
    for path in [*recorded("book-gamma-pairs-2026-07/book-*.json"), *recorded("book-*.json")]:
        book = json.loads(path.read_bytes())
        market = PlayedMarket(
            Instrument(
                market=book["market"],
                yes_token=book["asset_id"],
                no_token="1",
                title="",
                tick_text=book["tick_size"],
                min_size=Shares(5 * MICRO),
                min_size_text=book["min_order_size"],
                neg_risk=book["neg_risk"],
            )
        )
        levels = {side: tuple(WireLevel(**level) for level in book[side]) for side in ("bids", "asks")}
        texts = {key: book[key] for key in ("market", "asset_id", "hash", "last_trade_price")}
        market.see(MarketMessage(event_type="book", timestamp=int(book["timestamp"]), **texts, **levels), 0.0)
        face = market.face()
        assert face is not None and list(json.loads(face.rest_book("YES")).items()) == list(book.items()), path.name


def test_a_lost_book_is_not_served_until_a_full_one_comes(tmp_path: Path) -> None:
    """A gap in the recording is told, and nothing false is served."""
    venue = VenueBook()
    messages = [venue.book("YES"), venue.set("bid", 30, 10)]
    venue.set("ask", 47, 0)  # not recorded
    messages += [venue.set("bid", 31, 10), venue.set("bid", 32, 10), venue.book("YES")]
    told: list[str] = []
    playback = played(write(tmp_path / "gap.jsonl", [line(wire(each)) for each in messages]), told)
    seen = [rest(playback, YES) is not None for _ in playback.play_until(inf)]
    assert seen == [True, True, False, False, True]
    assert told[0].startswith("line 3: continuity lost")


def test_a_tick_change_takes_the_book_away_until_a_full_one_comes(tmp_path: Path) -> None:
    venue = VenueBook()
    before, change = venue.book("YES"), venue.retick("0.001")
    again = msgspec.structs.replace(change, asset_id=NO)
    messages = [before, change, venue.book("YES"), again]
    playback = played(write(tmp_path / "tick.jsonl", [line(wire(each)) for each in messages]))
    frames = playback.play_until(inf)
    next(frames)
    assert rest(playback, YES) is not None
    next(frames)
    assert rest(playback, YES) is None and playback.markets[MARKET].instrument.tick_text == "0.001"
    assert len(list(frames)) == 2, "the other token's event of the same change takes nothing away"
    book = rest(playback, YES)
    assert book is not None and (book["tick_size"], book["hash"]) == ("0.001", venue.wire("YES")["hash"])


def test_the_recorded_tick_is_believed_before_the_catalogue(tmp_path: Path) -> None:
    """A Gamma file fetched at another time may name another tick (polymarket-api.md 7)."""
    path = write(tmp_path / "a.jsonl", [line(wire(VenueBook(a_market("0.001"), mid=460).book("YES")))])
    playback = played(path, gamma={MARKET: a_market("0.01")})
    book = rest(playback, YES)
    assert book is not None and book["tick_size"] == "0.001"


def test_a_resolved_market_has_no_book(tmp_path: Path) -> None:
    resolved = {"event_type": "market_resolved", "market": MARKET, "assets_ids": [YES, NO], "winning_asset_id": NO}
    messages = [*map(wire, a_session(1)), resolved | {"timestamp": str(START_MS + 900)}]
    playback = played(write(tmp_path / "resolved.jsonl", map(line, messages)))
    all_of(playback)
    assert playback.markets[MARKET].resolved == NO and rest(playback, YES) is None


def test_the_first_dump_is_in_the_books_before_it_is_sent(tmp_path: Path) -> None:
    """A client that asks REST before it subscribes finds the books of the beginning; the frames are still to come."""
    messages = a_session()
    playback = played(
        write(tmp_path / "a.jsonl", [line([wire(messages[0]), wire(messages[1])]), line(wire(messages[2]))])
    )
    assert rest(playback, NO) is not None and playback.next_due_s == 0.0
    assert [frame.line for frame in playback.play_until(0.0)] == [1]


def test_a_market_met_with_one_token_learns_the_other_from_a_later_piece(tmp_path: Path) -> None:
    """One token subscribed, its first change far behind its first book: the change still finds its market."""
    venue, quiet = VenueBook(), VenueBook(a_market(market="0x" + "cd" * 32, yes="3", no="4"))
    lines = [line(wire(venue.book("YES"))), line(wire(quiet.book("YES")))]
    lines += [line(wire(quiet.set("bid", 30, 10 + n, after_ms=1))) for n in range(FIRST_PIECE)]
    venue.ms = quiet.ms
    playback = played(write(tmp_path / "a.jsonl", [*lines, line(wire(venue.set("bid", 31, 7)))]))
    assert rest(playback, NO) is None
    all_of(playback)
    assert playback.unusable == 0
    for token, outcome in ((YES, "YES"), (NO, "NO")):
        book = rest(playback, token)
        assert book is not None and book["hash"] == venue.wire(outcome)["hash"]


# Frames


def test_frames_are_the_bytes_of_the_file(tmp_path: Path) -> None:
    """Blanks, order of keys and escapes stay; a frame recorded as text is its text."""
    plain = (
        b'{ "event_type":"last_trade_price",  "asset_id":"1", "market":"0xab", "price":"\\u0030.5","timestamp":"5" }'
    )
    text = '{"timestamp":"6","market":"0xab","asset_id":"1","event_type":"é ☃"}'
    lines = [b'{"raw": ' + plain + b' , "t": 7}', json.dumps({"t": 8, "raw": text}).encode()]
    assert [frame.text.encode() for frame in all_of(played(write(tmp_path / "a", lines)))] == [plain, text.encode()]


def test_who_gets_a_frame(tmp_path: Path) -> None:
    """By its tokens; custom events by flag; a mixed frame goes whole to whoever one part concerns."""

    def event(kind: str, **over: Any) -> dict[str, Any]:
        return {"event_type": kind, "market": MARKET, "timestamp": "5", **over}

    entries = [{"asset_id": token, "price": "0.5", "size": "1", "side": "BUY"} for token in (YES, NO)]
    raws: list[Any] = [
        event("price_change", price_changes=entries),
        event("best_bid_ask", asset_id=YES, best_bid="0.4", best_ask="0.5"),
        event("market_resolved", assets_ids=[YES, NO], winning_asset_id=YES),
        event("new_market", assets_ids=["3", "4"]),
        [event("best_bid_ask", asset_id=YES), event("last_trade_price", asset_id=NO, price="0.5")],
        event("a_kind_of_tomorrow", asset_id=YES),
    ]
    frames = all_of(played(write(tmp_path / "a.jsonl", map(line, raws))))
    wanted = {
        (YES, False): [1, 6],
        (YES, True): [1, 2, 3, 4, 5, 6],
        (NO, False): [1, 5],
        (NO, True): [1, 3, 4, 5],
        ("9", False): [],
        ("9", True): [4],
    }
    for (token, custom), expected in wanted.items():
        assert [frame.line for frame in frames if frame.concerns({token}, custom)] == expected, (token, custom)


# Time


def test_pace_is_that_of_receiving_else_of_the_venue(tmp_path: Path) -> None:
    messages = [wire(each) for each in a_session(4)]
    venue = all_of(played(write(tmp_path / "venue.jsonl", map(line, messages))))
    assert [frame.due_s for frame in venue] == [0.0, 0.0, 0.5, 1.0, 1.5, 2.0]
    times: list[float | None] = [START_MS + 300, START_MS + 300.25, None, START_MS + 1_200, START_MS + 1_100, None]
    received = played(write(tmp_path / "received.jsonl", map(line, messages, times)))
    assert [f.due_s for f in all_of(received)] == [0.0, 0.00025, 0.2, 0.9, 0.9, 1.7], "never back, gaps filled"
    assert received.unix_ms_at(1.7) == START_MS + 2_000


def test_a_pause_of_the_recorder_is_cut_short_and_a_clock_set_back_is_no_wait(tmp_path: Path) -> None:
    messages = [wire(each) for each in a_session(2)]
    times = [START_MS, START_MS + 1_000, START_MS + 90_000_000, START_MS + 5_000]
    playback = played(write(tmp_path / "a.jsonl", map(line, messages, times)))
    seen = [(frame.due_s, playback.unix_ms_at(frame.due_s) - START_MS) for frame in playback.play_until(inf)]
    assert seen == [(0.0, 0), (1.0, 1_000), (601.0, 90_000_000), (601.0, 5_000)]


# What cannot be used


def test_damaged_lines_are_told_with_their_number_and_the_rest_is_played(tmp_path: Path) -> None:
    good = [line(wire(each)) for each in a_session()]
    bad = [
        b'{"t": 1, "raw": {"half":',
        b"\x00\xff\xfe",
        b'{"t": 1}',
        line("PONG"),
        line({"event_type": "book", "market": MARKET, "asset_id": YES, "timestamp": "7", "bids": "none"}),
        line({"event_type": "trade", "market": MARKET, "asset_id": YES, "timestamp": "7"}),
        line({"event_type": "price_change", "market": MARKET, "timestamp": str(START_MS + 400)}),
        b'{"t":null,"raw":{"event_type":"x","asset_id":"1","timestamp":"5","name":"\xff"}}',
    ]
    told: list[str] = []
    frames = all_of(played(write(tmp_path / "bad.jsonl", [*good[:2], *bad, *good[2:]]), told))
    assert [frame.line for frame in frames] == [1, 2, 9, 11, 12, 13], "the malformed event is still a frame of somebody"
    assert [text.split(":")[0] for text in told[:-1]] == [f"line {number}" for number in (3, 4, 5, 6, 7, 8, 10, 9)]
    assert told[-1] == "end of the recording: 6 frames played, 8 problems"


def test_only_so_many_problems_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    lines = [line(wire(a_session(0)[0])), *[b"{"] * (PROBLEMS_TOLD + 50)]
    playback = played(write(tmp_path / "bad.jsonl", lines), told)
    all_of(playback)
    assert playback.unusable == PROBLEMS_TOLD + 50 and len(told) == PROBLEMS_TOLD + 2
    assert told[-2] == "more problems are only counted"


def test_a_truncated_archive_is_played_up_to_where_it_ends(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(line(wire(each)) + b"\n" for each in a_session(400)))
    path, told = tmp_path / "cut.gz", list[str]()
    path.write_bytes(whole[: len(whole) // 2])
    frames = all_of(played(path, told))
    assert 20 < len(frames) < 402 and "damaged here" in told[0]


@pytest.mark.parametrize("content", [None, b"", b"\n\n", b"no recording\n", b'{"t":1,"raw":"PONG"}\n', b"\x1f\x8b"])
def test_what_is_no_recording_is_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "here"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="give the path of a recording"):
        played(path)
    with pytest.raises(UsageError, match="give the path of a recording"):
        played(tmp_path)


def test_the_file_is_read_as_it_is_played(tmp_path: Path) -> None:
    """Memory does not grow with the file: what is far ahead has not been looked at."""
    lines = [line(wire(each)) for each in a_session(FIRST_PIECE * 2)]
    told: list[str] = []
    playback = played(write(tmp_path / "long.jsonl", [*lines, b"{"]), told)
    for frame in playback.play_until(inf):
        if frame.line == FIRST_PIECE + 1_000:
            assert told == []
    assert told[0].startswith(f"line {len(lines) + 1}:")
