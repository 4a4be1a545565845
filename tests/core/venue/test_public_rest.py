"""Public reads: strict about the whole, patient with a single entry, and never without an end."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from core.errors import VenueRefused, VenueUnavailable
from core.events import RestBook, RestTouch, WireLevel
from core.runtime.reader import TOKENS_A_READ
from core.venue import public_rest as module
from core.venue.public_rest import PublicRest

BOOK: dict[str, Any] = {
    "market": "0xab", "asset_id": "11", "timestamp": "1790000000000", "hash": "h",
    "bids": [{"price": "0.4", "size": "25"}], "asks": [{"price": "0.6", "size": "30"}],
    "min_order_size": "5", "tick_size": "0.01", "neg_risk": False, "last_trade_price": "0.500",
}  # fmt: skip
Answer = Callable[[httpx.Request], httpx.Response]


def rest(answer: Answer) -> PublicRest:
    made = PublicRest("http://clob.test")
    made._client = httpx.AsyncClient(base_url="http://clob.test", transport=httpx.MockTransport(answer))
    return made


def says(body: Any) -> Answer:
    return lambda _: httpx.Response(200, json=body)


async def test_books_are_asked_for_by_token_and_keep_the_venues_spelling() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=[BOOK | {"new_field": [1]}])

    books = await rest(answer).books(["11", "22"])
    assert books == [
        RestBook(
            market="0xab", asset_id="11", timestamp=1790000000000, hash="h", bids=(WireLevel("0.4", "25"),),
            asks=(WireLevel("0.6", "30"),), min_order_size="5", tick_size="0.01", last_trade_price="0.500",
        )
    ]  # fmt: skip
    [request] = asked
    assert (request.method, request.url.path) == ("POST", "/books")
    assert json.loads(request.content) == [{"token_id": "11"}, {"token_id": "22"}]


async def test_prices_are_asked_for_both_sides_and_buy_is_the_bid() -> None:
    """Read the other way round every market would look crossed (polymarket-api.md 4.1)."""
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={"11": {"BUY": "0.52", "SELL": "0.54"}, "22": {"BUY": "0.46"}})

    assert await rest(answer).touches(["11", "22"]) == [RestTouch("11", "0.52", "0.54"), RestTouch("22", "0.46", "")]
    assert asked == [("/prices", [{"token_id": t, "side": s} for t in ("11", "22") for s in ("BUY", "SELL")])]


async def test_an_empty_side_reads_the_same_however_it_is_told() -> None:
    told = {"11": {"BUY": "0", "SELL": "1"}, "22": {}, "33": {"BUY": "", "SELL": "0"}}
    touches = await rest(says(told)).touches(["11", "22", "33"])
    assert touches == [RestTouch(token, "", "") for token in ("11", "22", "33")]


@pytest.mark.parametrize(
    "spoiled",
    [
        {"timestamp": "soon"}, {"timestamp": None}, {"bids": None}, {"asks": [["0.6", "30"]]}, {"hash": 7},
        {"bids": [{"price": 0.4, "size": "25"}]}, {"asset_id": ["22"]}, {"neg_risk": "perhaps"},
    ],
)  # fmt: skip
async def test_one_book_that_cannot_be_read_costs_only_itself(spoiled: dict[str, Any]) -> None:
    reader = rest(says([BOOK | {"asset_id": "22"} | spoiled, BOOK, 5, "no", None, []]))
    assert [book.asset_id for book in await reader.books(["11", "22"])] == ["11"]
    assert reader.malformed == 5


async def test_a_book_without_a_field_that_is_used_is_no_book() -> None:
    for name in ("market", "asset_id", "timestamp", "hash", "bids", "asks"):
        reader = rest(says([{key: value for key, value in BOOK.items() if key != name}]))
        assert await reader.books(["11"]) == [] and reader.malformed == 1, name


async def test_what_nobody_asked_for_is_counted_and_left_out() -> None:
    """A stranger's book, or a second one of the same token, would be taken for the truth of some market."""
    reader = rest(says([BOOK, BOOK | {"hash": "other"}, BOOK | {"asset_id": "99"}]))
    assert [book.hash for book in await reader.books(["11", "22"])] == ["h"]
    assert reader.malformed == 2
    reader = rest(says({"11": {"BUY": "0.5"}, "99": {"BUY": "0.5"}, "22": {"BUY": 0.5}, "33": None}))
    assert await reader.touches(["11", "22", "33"]) == [RestTouch("11", "0.5", "")]
    assert reader.malformed == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, text="<html>"), "not JSON"),
        (httpx.Response(200, content=b"\xff"), "not JSON"),
        (httpx.Response(200, text="[" * 100_000), "(not JSON|another shape)"),
        (httpx.Response(200, text="7"), "another shape"),
        (httpx.Response(200, text="null"), "another shape"),
        (httpx.Response(200, text='"books"'), "another shape"),
        (httpx.Response(400, json={"error": "Payload exceeds the limit"}), "status 400"),
        (httpx.Response(503, text="x"), "status 503"),
    ],
)
async def test_an_answer_of_another_shape_is_refused_with_place_and_reason(answer: httpx.Response, words: str) -> None:
    content = answer.content
    again = lambda _: httpx.Response(answer.status_code, content=content)  # noqa: E731
    with pytest.raises(VenueRefused, match=f"/books: .*{words}"):
        await rest(again).books(["11"])
    with pytest.raises(VenueRefused, match=f"/prices: .*{words}"):
        await rest(again).touches(["11"])


async def test_lists_and_objects_are_not_confused() -> None:
    with pytest.raises(VenueRefused, match="another shape"):
        await rest(says({"11": BOOK})).books(["11"])
    with pytest.raises(VenueRefused, match="another shape"):
        await rest(says([BOOK])).touches(["11"])


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    read = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            nonlocal read
            while True:
                read += 2**20
                yield b"[" * 2**20

    reader = rest(lambda _: httpx.Response(200, stream=Endless()))
    with pytest.raises(VenueRefused, match="more than 1048576 bytes"):
        await reader.books(["11"])
    assert read == 2 * 2**20


async def test_a_venue_that_cannot_be_reached_is_unavailable() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(VenueUnavailable, match="/books: ConnectError"):
        await rest(refuse).books(["11"])


async def test_no_request_names_more_than_the_venue_takes() -> None:
    """501 entries would be refused whole (polymarket-api.md 4.1); a token has two entries in POST /prices."""
    sizes: list[tuple[str, int]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)
        sizes.append((request.url.path, len(wanted)))
        tokens = dict.fromkeys(one["token_id"] for one in wanted)
        if request.url.path == "/books":
            return httpx.Response(200, json=[BOOK | {"asset_id": token} for token in tokens])
        return httpx.Response(200, json={token: {"BUY": "0.5"} for token in tokens})

    tokens = [str(number) for number in range(501)]
    reader = rest(answer)
    assert [book.asset_id for book in await reader.books(tokens)] == tokens
    assert [touch.token for touch in await reader.touches(tokens)] == tokens
    assert sizes == [("/books", 500), ("/books", 1), ("/prices", 500), ("/prices", 500), ("/prices", 2)]
    assert module.TOKENS_PER_PRICES >= TOKENS_A_READ, "a read is one request of each kind"
