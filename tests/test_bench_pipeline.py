"""The hot path as an outside harness drives it: its tops are the wire's, whatever hashes and framing are like."""

import json
import re
from collections.abc import Callable

import pytest

from benchmarks.harness import Lane, check_tops
from benchmarks.pipeline import factory
from benchmarks.stream import Frame, Stream, disguised, make_stream
from benchmarks.yardstick import JsonDicts, RefDecide, RefSkip

HASH = re.compile(r'"hash":"[0-9a-f]{40}"')
STAMP = re.compile(r'"timestamp":"\d+"')
WHOLE = make_stream(tokens=8, frames=1_500, seed=7)


def every_frame(change: Callable[[str], str]) -> Callable[[Stream], Stream]:
    def changed(stream: Stream) -> Stream:
        frames = [[frame._replace(text=change(frame.text)) for frame in part] for part in (stream.dump, stream.frames)]
        return stream._replace(dump=frames[0], frames=frames[1])

    return changed


def one_of_each_market(stream: Stream, which: int) -> Stream:
    """Half of the tokens are listed, and their books told; changes still name both (real-data.md 6)."""
    tokens = dict(list(stream.tokens.items())[which::2])

    def known(frame: Frame) -> Frame:
        return frame._replace(tops=tuple(top for top in frame.tops if top[0] in tokens))

    books = [book for frame in stream.dump for book in json.loads(frame.text) if book["asset_id"] in tokens]
    dump = [stream.dump[0]._replace(text=json.dumps(books), tops=())]
    return Stream(tokens, dump, [known(frame) for frame in stream.frames if frame.kind != "book" or known(frame).tops])


def in_arrays(stream: Stream) -> Stream:
    pairs = zip(stream.frames[::2], stream.frames[1::2], strict=True)
    frames = [Frame(f"[{a.text},{b.text}]", "array", _last(a.tops + b.tops)) for a, b in pairs]
    return stream._replace(frames=frames)


def _last(tops: tuple[tuple[str, float, float], ...]) -> tuple[tuple[str, float, float], ...]:
    return tuple({top[0]: top for top in tops}.values())


STREAMS: dict[str, Callable[[Stream], Stream]] = {
    "as the venue": lambda stream: stream,
    "hashes made up": disguised,
    "one hash for all": every_frame(lambda text: HASH.sub('"hash":"' + "a" * 40 + '"', text)),
    "empty hashes": every_frame(lambda text: HASH.sub('"hash":""', text)),
    "one millisecond": lambda s: every_frame(lambda t: re.sub(r'"timestamp":"\d+"', '"timestamp":"7"', t))(
        disguised(s)
    ),
    "other key order and spaces": every_frame(lambda text: json.dumps(json.loads(text), sort_keys=True)),
    "arrays": in_arrays,
    "first tokens only": lambda stream: one_of_each_market(stream, 0),
    "second tokens only": lambda stream: one_of_each_market(stream, 1),
}


@pytest.mark.parametrize("signals", [True, False], ids=["signals", "books"])
@pytest.mark.parametrize("kind", STREAMS)
def test_tops_are_those_of_the_wire(kind: str, signals: bool) -> None:
    """Every stated best bid and ask, after every frame."""
    stream = STREAMS[kind](WHOLE)
    assert check_tops(Lane(lambda tokens: factory(tokens, signals=signals), stream)) > 1_300


@pytest.mark.parametrize("make", [RefSkip, RefDecide, JsonDicts])
def test_the_yardsticks_are_right_too(make: Callable[..., RefSkip]) -> None:
    """A bar in multiples of something wrong would say nothing."""
    assert check_tops(Lane(make, WHOLE)) > 2_000


def test_decisions_are_asked_for_and_a_stream_is_the_same_every_time() -> None:
    """Not at every frame, and not never."""
    assert make_stream(tokens=8, frames=1_500, seed=7) == WHOLE
    path = factory(WHOLE.tokens)
    for frame in (*WHOLE.dump, *WHOLE.frames):
        assert path.feed(frame.text)
    assert 10 < path.requotes < len(WHOLE.frames) / 4
    assert path.top("7" * 77) == (None, None)
