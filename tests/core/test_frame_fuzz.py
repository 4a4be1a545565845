"""Bad input: a frame that cannot be used leaves the state as it was and moves one counter, in any state of a book."""

import copy
import json
from itertools import cycle, groupby
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import laws
from tests.hostile import KINDS, OUTCOMES, POISONS, STATES, Listener, Poison, next_message, poisoned, text, wire

KNOWN = st.sampled_from(KINDS)
MARKETS = st.sampled_from(STATES)
TOKENS = st.sampled_from(OUTCOMES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = ("event_type", "market", "asset_id", "timestamp", "hash", "bids", "asks", "price_changes", "price", "size")


@pytest.fixture(scope="module")
def listener() -> Listener:
    """Shared by tests of what is refused: that leaves no trace, so the next finds it as it was."""
    return Listener()


def moved(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: after[name] - count for name, count in before.items() if after[name] != count}


def is_json(frame: str) -> bool:
    try:
        msgspec.json.decode(frame, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def refused(listener: Listener, *frames: bytes | str, **counter: int) -> None:
    """Each frame changes nothing but one counter, malformed messages unless another is named.

    The whole state costs more to digest than a frame to read, so it is compared once, behind the last of them.
    """
    digest = listener.digest()
    for frame in frames:
        counts = listener.counts()
        listener.hear(frame)
        assert moved(counts, listener.counts()) == (counter or {"malformed": 1}), frame[:400]
        assert listener.shapes() == [], frame[:400]
    assert listener.digest() == digest, [frame[:400] for frame in frames]


def said(listener: Listener, state: str, kind: str, outcome: str = "YES") -> dict[str, Any]:
    """What a market could truly say next, without its having been said."""
    return next_message(copy.deepcopy(listener.books[state]), kind, outcome)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_poisoned_member_spoils_its_whole_message(listener: Listener, state: str, kind: str) -> None:
    """Every kind of wrong value in every member that is used: wrong types, numbers that are none, strangers."""
    outcomes = cycle(OUTCOMES)
    for _, poisons in groupby((one for one in POISONS if one.kind == kind), key=lambda one: one.path):
        refused(listener, *[poisoned(said(listener, state, kind, next(outcomes)), poison) for poison in poisons])


@pytest.mark.parametrize("framing", ["object", "array", "bytes"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_that_ends_too_soon_says_nothing(listener: Listener, kind: str, framing: str) -> None:
    """Cut anywhere, also between the messages of an array and inside a character."""
    whole = text(said(listener, "SYNCED", kind))
    frame: Any = {"object": whole, "array": f"[{whole},{whole}]", "bytes": whole.encode()}[framing]
    refused(listener, *[frame[:end] for end in range(1, len(frame), 1 + len(frame) // 60)])


def test_what_nobody_expects_is_counted_for_what_it_is(listener: Listener) -> None:
    """Unknown types and strangers' markets are no damage."""
    told = said(listener, "SYNCED", "price_change")
    refused(listener, text(told | {"event_type": "aurora"}), unknown_types=1)
    refused(listener, text(told | {"market": "0x" + "ef" * 32}), foreign=1)


@pytest.mark.parametrize("kind", ["price_change", "book", "best_bid_ask"])
def test_a_message_from_the_past_is_dropped(listener: Listener, kind: str) -> None:
    """Older than the book by its stamp, contradicting it: nothing changes, and continuity is not lost."""
    told = said(listener, "SYNCED", kind) | {"timestamp": "1"}
    counts, digest = listener.counts(), listener.digest()
    listener.hear(text(told))
    assert set(moved(counts, listener.counts())) <= {"stale"}
    assert listener.digest() == digest


@pytest.mark.parametrize("state", ["SYNCED", "FINE"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_frame_again_is_no_news(state: str, kind: str) -> None:
    """Two sockets may carry a token: the second telling changes nothing, trades included."""
    listener = Listener()
    frame = text(next_message(listener.books[state], kind))
    listener.hear(frame)
    digest = listener.digest()
    listener.hear(frame)
    assert listener.digest() == digest


@laws(60)
@given(state=MARKETS, kind=KNOWN, outcome=TOKENS, poison=st.sampled_from(POISONS), place=st.integers(0, 2))
def test_one_bad_message_costs_only_itself(state: str, kind: str, outcome: str, poison: Poison, place: int) -> None:
    """In an array the good ones apply as if they had come alone, and the bad one is counted."""
    mixed, alone = Listener(), Listener()
    bad = poisoned(said(mixed, state, poison.kind, outcome), poison)
    good = [text(next_message(mixed.books["FINE"], "price_change")), text(next_message(mixed.books["SYNCED"], kind))]
    if is_json(bad):  # else the whole array is none
        for frame in good:
            alone.hear(frame)
    before = mixed.counts()["malformed"]
    mixed.hear("[" + ",".join([*good[:place], bad, *good[place:]]) + "]")
    assert mixed.digest() == alone.digest()
    assert mixed.counts()["malformed"] == before + 1


@laws(150)
@given(state=MARKETS, kind=KNOWN, outcome=TOKENS, at=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_read_but_never_breaks_a_book(
    state: str, kind: str, outcome: str, at: float, bit: int
) -> None:
    """A flip may leave a message that reads well; what is counted as malformed changes nothing, books stay books."""
    listener = Listener()
    frame = bytearray(text(next_message(listener.books[state], kind, outcome)).encode())
    frame[int(at * (len(frame) - 1))] ^= 1 << bit
    counts, digest = listener.counts(), listener.digest()
    listener.hear(bytes(frame))
    if listener.counts()["malformed"] > counts["malformed"]:
        assert (moved(counts, listener.counts()), listener.digest()) == ({"malformed": 1}, digest)
    assert listener.shapes() == []


@laws(150)
@given(value=JSON, member=st.sampled_from(MEMBERS), state=MARKETS, kind=KNOWN)
def test_any_json_in_any_member_is_refused_or_read(value: Any, member: str, state: str, kind: str) -> None:
    """Whatever JSON stands in a member, books stay books, and what is malformed changes nothing."""
    listener = Listener()
    frame = json.dumps(next_message(listener.books[state], kind) | {member: value})
    counts, digest = listener.counts(), listener.digest()
    listener.hear(frame)
    if listener.counts()["malformed"] > counts["malformed"]:
        assert (moved(counts, listener.counts()), listener.digest()) == ({"malformed": 1}, digest)
    assert listener.shapes() == []


@laws(100)
@given(frame=st.binary(max_size=200) | JSON.map(json.dumps).map(str.encode))
def test_noise_is_counted_and_nothing_else(frame: bytes) -> None:
    """Bytes, and JSON that is no message."""
    listener = Listener()
    digest = listener.digest()
    listener.hear(frame)
    assert listener.digest() == digest


@pytest.mark.parametrize(
    "frame",
    [
        "[" * 200_000,
        '{"x":' * 200_000,
        '{"event_type":"book","bids":' + "[" * 200_000,
        '{"event_type":"' + "x" * 2_000_000,
        "[" + "7," * 200_000 + "7",
        b"\xff" * 100_000,
        '"' + "\\ud800" * 100_000,
    ],
    ids=["arrays", "objects", "levels", "type", "numbers", "bytes", "surrogates"],
)
def test_a_huge_frame_without_an_end_is_one_malformed_frame(listener: Listener, frame: bytes | str) -> None:
    """Depth and size cost no more than their reading."""
    refused(listener, frame)


@pytest.mark.parametrize("state", STATES)
def test_a_huge_book_off_the_grid_is_refused_whole(listener: Listener, state: str) -> None:
    """Levels before the bad one are not kept."""
    told = said(listener, state, "book")
    told["bids"] += [{"price": f"0.{n:05d}", "size": "1"} for n in range(30_001, 60_000, 7)]
    refused(listener, text(told))


@pytest.mark.parametrize("state", STATES)
def test_a_book_that_contradicts_itself_is_refused(listener: Listener, state: str) -> None:
    """A price twice on a side, or bids at and above the asks."""
    told = said(listener, state, "book")
    refused(listener, text(told | {"bids": [*told["bids"], told["bids"][0]]}))
    refused(listener, text(told | {"asks": [*told["asks"], told["asks"][-1] | {"size": "9"}]}))
    refused(listener, text(told | {"bids": [*told["bids"], told["asks"][-1]]}))


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_bytes_are_one(kind: str) -> None:
    """A frame means the same whichever way it is handed over, a member twice included: the last one counts."""
    ours, theirs = Listener(), Listener()
    frame = text(next_message(ours.books["SYNCED"], kind))
    doubled = frame[:-1] + f',"timestamp":"{ours.books["SYNCED"].ms + 1}"}}'
    for one in (frame, doubled):
        ours.hear(one)
        theirs.hear(one.encode())
    assert (ours.digest(), ours.counts()) == (theirs.digest(), theirs.counts())


def test_the_digest_sees_what_matters() -> None:
    """A guard of the guard: each true message but a touch that fits changes it."""
    for kind in KINDS:
        listener = Listener()
        digest = listener.digest()
        assert listener.digest() == digest
        listener.hear(text(next_message(listener.books["SYNCED"], kind)))
        assert (listener.digest() != digest) == (kind != "best_bid_ask"), kind


def test_the_builders_speak_as_the_venue_does() -> None:
    """A guard of the guard: unpoisoned messages are used."""
    for state in ("SYNCED", "FINE"):
        for kind in KINDS:
            listener = Listener()
            counts = listener.counts()
            assert listener.hear(text(next_message(listener.books[state], kind)))
            assert "malformed" not in moved(counts, listener.counts()), kind
    assert "kind" not in wire(Listener().books["SYNCED"].book())
