"""Private reads: complete lists or none, absence only when it is said, and doubt by name."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from core.clock import ManualClock
from core.errors import CredentialError, VenueRefused, VenueUnavailable
from core.venue.credentials import ApiCredentials, Secret
from core.venue.private_rest import END_CURSOR, PrivateRest, l2_signature

API = ApiCredentials(Secret("key"), Secret("c2VjcmV0"), Secret("phrase"))


def rest(answer: Callable[[httpx.Request], httpx.Response]) -> PrivateRest:
    made = PrivateRest("http://clob.test", "0xme", API, ManualClock(unix=1790000000.0))
    made._client = httpx.AsyncClient(base_url="http://clob.test", transport=httpx.MockTransport(answer))
    return made


def pages(*found: Any) -> Callable[[httpx.Request], httpx.Response]:
    left = list(found)
    return lambda _: httpx.Response(200, json=left.pop(0))


async def test_request_is_signed_over_its_path_without_the_query() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"balance": "7"})

    assert await rest(answer).balance("CONDITIONAL", 2, "11") == 7
    (request,) = asked
    assert request.headers["POLY_SIGNATURE"] == l2_signature("c2VjcmV0", 1790000000, "GET", "/balance-allowance")
    assert (request.headers["POLY_ADDRESS"], request.headers["POLY_TIMESTAMP"]) == ("0xme", "1790000000")
    assert dict(request.url.params) == {"asset_type": "CONDITIONAL", "signature_type": "2", "token_id": "11"}


async def test_all_pages_make_the_list() -> None:
    first, last = {"data": [{"id": "a"}], "next_cursor": "MQ=="}, {"data": [{"id": "b"}], "next_cursor": END_CURSOR}
    assert await rest(pages(first, last)).open_orders() == [{"id": "a"}, {"id": "b"}]
    assert await rest(pages({"data": []})).open_orders() == []


@pytest.mark.parametrize("second", [{"error": "x"}, [], {"data": None}])
async def test_list_with_a_missing_page_is_no_list(second: Any) -> None:
    with pytest.raises(VenueRefused):
        await rest(pages({"data": [{"id": "a"}], "next_cursor": "MQ=="}, second)).open_orders()


async def test_list_without_an_end_is_given_up() -> None:
    with pytest.raises(VenueRefused, match="more than"):
        await rest(lambda _: httpx.Response(200, json={"data": [], "next_cursor": "MQ=="})).open_orders()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"error": "Order not found"}),
        httpx.Response(200, text="null"),
        httpx.Response(200, json={}),
    ],
)
async def test_order_is_absent_only_when_the_venue_says_so(answer: httpx.Response) -> None:
    assert await rest(lambda _: answer).order("0xa") is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(500), VenueRefused),
        (httpx.Response(404, text="<html>no such page</html>"), VenueRefused),
        (httpx.Response(200), VenueRefused),
        (httpx.Response(429), VenueRefused),
        (httpx.Response(403, text="<html>"), VenueRefused),
        (httpx.Response(200, text="<html>"), VenueRefused),
        (httpx.Response(401), CredentialError),
    ],
)
async def test_answer_of_doubt_is_an_error_and_never_an_absence(answer: httpx.Response, error: type[Exception]) -> None:
    with pytest.raises(error):
        await rest(lambda _: answer).order("0xa")


async def test_lost_connection_is_unavailable_and_tells_no_secret() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    with pytest.raises(VenueUnavailable) as caught:
        await rest(fail).order("0xa")
    assert "phrase" not in str(caught.value)


@pytest.mark.parametrize("body", [{}, {"balance": "x"}, {"balance": None}])
async def test_balance_that_cannot_be_read_is_no_zero(body: Any) -> None:
    with pytest.raises(VenueRefused):
        await rest(pages(body)).balance("COLLATERAL", 0)


async def test_flags_are_asked_for_in_one_signed_body() -> None:
    """The signature of a POST is over its exact bytes too (polymarket-api.md 3.3)."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"0xa": True, "0xb": False})

    assert await rest(answer).scoring(["0xa", "0xb"]) == {"0xa": True, "0xb": False}
    (request,) = asked
    assert (request.method, request.url.path, request.content) == ("POST", "/orders-scoring", b'["0xa","0xb"]')
    signed = l2_signature("c2VjcmV0", 1790000000, "POST", "/orders-scoring", '["0xa","0xb"]')
    assert request.headers["POLY_SIGNATURE"] == signed
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("body", [[], None, {"0xa": "true"}, {"0xa": 1}, {"0xa": None}, {"error": "x"}])
async def test_flags_of_another_shape_are_no_flags(body: Any) -> None:
    """A text "false" would be true."""
    with pytest.raises(VenueRefused):
        await rest(pages(body)).scoring(["0xa"])


async def test_flags_are_not_known_when_the_venue_says_no() -> None:
    with pytest.raises(VenueRefused):
        await rest(lambda _: httpx.Response(500)).scoring(["0xa"])
    with pytest.raises(CredentialError):
        await rest(lambda _: httpx.Response(401)).scoring(["0xa"])
