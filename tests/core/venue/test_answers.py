"""What answers of the venue prove about orders: refused only in its own words, everything else is doubt."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import OrderAnswered
from core.exchange import refusals
from core.venue import answers
from core.venue.answers import Answer
from core.venue.gateway import HeartbeatAnswer, ModeSign, RateSign
from tests.builders import laws

A, B, C = ("0x" + two * 32 for two in ("aa", "bb", "cc"))
ORDERS = {1: A, 2: B, 3: C}
HTML = b"<!DOCTYPE html><html><body>market not found</body></html>"
BUCKET = {"poly-ratelimit-remaining": "0", "poly-ratelimit-reset": "1790000003", "retry-after": "3"}


def said(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status=status, body=json.dumps(body).encode(), headers=headers)


def leg(order_id: str = "", status: str = "live", reason: str = "", **over: Any) -> dict[str, Any]:
    """One leg as the venue answers it."""
    amounts: dict[str, Any] = {"makingAmount": "", "takingAmount": "", "tradeIDs": [], "transactionsHashes": []}
    return (
        {"success": True, "errorMsg": reason, "orderID": order_id, "status": "" if reason else status} | amounts | over
    )


def outcomes(answer: Answer, orders: dict[int, str] = ORDERS) -> list[str]:
    return [each.outcome for each in answers.placements(answer, orders)]


# Legs


def test_each_leg_answers_its_own_order() -> None:
    told = answers.placements(said([leg(A), leg(reason=refusals.POST_ONLY_CROSSES), leg(C, "matched")]), ORDERS)
    assert told == [
        OrderAnswered(intent=1, outcome="live"),
        OrderAnswered(intent=2, outcome="refused", detail=refusals.POST_ONLY_CROSSES, refusal="crossed"),
        OrderAnswered(intent=3, outcome="matched"),
    ]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("live", "live"), ("unmatched", "live"), ("LIVE", "live"), ("matched", "matched"), ("delayed", "delayed")],
)
def test_every_status_the_venue_is_known_to_give(status: str, outcome: str) -> None:
    """``unmatched`` rests: it is no refusal, and to place it again would double it."""
    assert outcomes(said([leg(A.upper().replace("0X", "0x"), status)]), {1: A}) == [outcome]


@pytest.mark.parametrize(
    "raw",
    [
        leg(status=""),
        leg(A, "resting"),
        leg(A, ""),
        leg(A, success=False),
        leg(A, reason=refusals.POST_ONLY_CROSSES),
        leg(reason=refusals.POST_ONLY_CROSSES) | {"status": "live"},
        leg(B),
        leg(reason="order timed out"),
        leg(reason="could not insert order"),
        leg(reason="something nobody has heard of"),
        leg(reason=refusals.duplicated(A)),
        leg(reason=f"{refusals.POST_ONLY_CROSSES}. Duplicated."),
        {"errorMsg": {"deep": 1}},
        {"orderID": 7, "status": "live"},
        {},
        None,
        "live",
        7,
        [],
    ],
)
def test_a_leg_that_is_no_clear_word_is_doubt(raw: Any) -> None:
    """What may be resting at the venue is never taken for refused: it would be placed again and again."""
    assert outcomes(said([raw]), {1: A}) == ["unknown"]


def test_legs_are_told_apart_by_their_ids_and_not_by_their_places() -> None:
    assert outcomes(said([leg(C, "delayed"), leg(A), leg(B, "matched")])) == ["live", "matched", "delayed"]


@pytest.mark.parametrize(
    ("legs", "wanted"),
    [
        ([leg(A), leg(C)], ["live", "unknown", "live"]),
        ([leg(B)], ["unknown", "live", "unknown"]),
        ([], ["unknown"] * 3),
        ([leg(A), leg(reason=refusals.NOT_READY)], ["live", "unknown", "unknown"]),
        ([leg(C), leg(reason=refusals.NOT_READY), leg(A)], ["live", "unknown", "live"]),
        ([leg(A), leg(A), leg(C)], ["unknown", "unknown", "live"]),
        ([leg(A), leg("0x" + "dd" * 32), leg(reason=refusals.NOT_READY)], ["live", "unknown", "unknown"]),
        ([leg(A), leg(B), leg(C), leg("0x" + "dd" * 32)], ["live"] * 3),
        ([leg(reason=refusals.NOT_READY)] * 3, ["refused"] * 3),
        ([leg(reason=refusals.NOT_READY)] * 4, ["unknown"] * 3),
    ],
)
def test_a_refusal_without_an_id_is_taken_by_its_place_only_when_nothing_moved(
    legs: list[Any], wanted: list[str]
) -> None:
    assert outcomes(said(legs)) == wanted


def test_a_refusal_that_names_its_order_in_words_needs_no_place() -> None:
    small = leg(reason=refusals.too_small(B, 1_000_000, "5"))
    told = answers.placements(said([small, leg(A)]), ORDERS)
    assert [(each.outcome, each.refusal) for each in told] == [("live", ""), ("refused", "grid"), ("unknown", "")]


# A request turned away as a whole


@pytest.mark.parametrize(
    ("status", "text", "refusal"),
    [
        (400, refusals.POST_ONLY_CROSSES, "crossed"),
        (400, refusals.no_balance(1, 2, 3, 4), "balance"),
        (400, refusals.off_grid(A, "0.015", "0.01"), "grid"),
        (400, refusals.too_small(A, 1, "5"), "grid"),
        (400, refusals.inaccurate("BUY", 4, taking=False), "grid"),
        (400, refusals.marketable_minimum("BUY", 1), "grid"),
        (404, refusals.MARKET_NOT_FOUND, "market"),
        (404, refusals.NO_BOOK, "market"),
        (400, refusals.SIGNATURE, "market"),
        (400, refusals.closed_only(A), "closed_only"),
        (403, refusals.banned(A), "account"),
        (400, refusals.MAKER, "configuration"),
        (400, refusals.PAYLOAD, "configuration"),
        (400, refusals.OWNER, "configuration"),
        (400, refusals.SIGNER, "configuration"),
        (400, refusals.VERSION, "configuration"),
        (400, refusals.VERSION_MISMATCH, "configuration"),
        (401, refusals.L2, "configuration"),
        (400, refusals.NOT_READY, "not_ready"),
        (400, refusals.HELD, "not_ready"),
        (400, refusals.EXPIRATION, "other"),
        (400, refusals.POST_ONLY_TYPE, "other"),
        (400, refusals.too_many(16, 15), "other"),
    ],
)
def test_the_venues_own_words_refuse_for_certain(status: int, text: str, refusal: str) -> None:
    """Every refusal of the exchange is known, with its class; so is the field of a batch answered with one object."""
    for body in ({"error": text}, {"error_msg": text}, {"errorMsg": text, "success": False}):
        told = answers.placements(said(body, status), {1: A})
        assert [(each.outcome, each.refusal) for each in told] == [("refused", refusal)]
    assert outcomes(said({"success": False, "errorMsg": text}), {1: A}) == ["refused"]
    assert outcomes(said({"errorMsg": text}), {1: A}) == ["unknown"], "a good status and no word of failure"
    for doubtful in (500, 502, 503, 425, 409, 302, 201, 429):
        assert outcomes(said({"error": text}, doubtful), {1: A}) == ["unknown"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=0, lost="ReadTimeout"),
        Answer(status=403, body=HTML),
        Answer(status=404, body=HTML),
        Answer(status=400, body=b"market not found"),
        Answer(status=200, body=HTML),
        Answer(status=200, body=b""),
        Answer(status=200, body=b"[" * 10_000),
        Answer(status=200, body=b"\xff\xfe"),
        said({"error": "order timed out"}, 500),
        said({"error": "service not ready"}, 425),
        said({"error": "what is this"}, 400),
        said({"error": ["market not found"]}, 400),
        said("market not found", 400),
        said(None),
        said({"error": refusals.TOO_FAST}, 429),
        said({"error": refusals.duplicated(A)}, 400),
        said(leg(A)),
        said([leg(A), leg(B), leg(C)], 500),
        said([leg(reason=refusals.NOT_READY)] * 3, 202),
        said([leg(reason="x" * 100_000)] * 3),
    ],
)
def test_everything_else_leaves_all_orders_in_doubt(answer: Answer) -> None:
    told = answers.placements(answer, ORDERS)
    assert [(each.outcome, each.refusal) for each in told] == [("unknown", "")] * 3
    assert all(len(each.detail) < 300 and "<html" not in each.detail for each in told)


def test_the_signers_limit_refuses_for_certain_and_says_how_long() -> None:
    told = answers.placements(said({"error": refusals.TOO_FAST}, 429, **BUCKET), ORDERS)
    assert {(each.outcome, each.refusal, each.retry_s) for each in told} == {("refused", "rate", 3.0)}


# Cancels


def test_cancels_by_id() -> None:
    body = {
        "canceled": [A],
        "not_canceled": {B: refusals.NOT_CANCELED, "0x" + "dd" * 32: "not asked for", C: "delayed order"},
    }
    told = answers.cancellations(said(body), [A, B, C, "0x" + "ee" * 32])
    assert [(each.order_id[:4], each.outcome) for each in told] == [
        ("0xaa", "cancelled"), ("0xbb", "gone"), ("0xcc", "refused"), ("0xee", "unknown"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("order can't be found - already canceled or matched", "gone"),
        ("the order is already filled", "gone"),
        ("order not found", "gone"),
        ("Expired", "gone"),
        ("the order is unmatched and held by the taker delay", "refused"),
        ("", "refused"),
        ("try again", "refused"),
    ],
)
def test_why_an_order_was_not_cancelled(reason: str, outcome: str) -> None:
    [told] = answers.cancellations(said({"canceled": [], "not_canceled": {A: reason}}), [A])
    assert told.outcome == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (said({"error": refusals.L2}, 401), "refused"),
        (said({"error": refusals.TOO_FAST}, 429, **BUCKET), "refused"),
        (said({"error": refusals.TOO_FAST}, 429), "unknown"),
        (said({"error": refusals.RESTARTING}, 425), "unknown"),
        (said({"error": refusals.DISABLED}, 503), "unknown"),
        (Answer(status=403, body=HTML), "unknown"),
        (Answer(status=200, body=b"{"), "unknown"),
        (Answer(status=0, lost="ReadError"), "unknown"),
        (said([A]), "unknown"),
        (said({"canceled": "0xaa"}), "unknown"),
        (said({"canceled": [7]}), "unknown"),
        (said({"canceled": [A], "not_canceled": {A: refusals.NOT_CANCELED}}), "unknown"),
        (said({}), "unknown"),
        (said({"canceled": [A]}, 500), "unknown"),
    ],
)
def test_a_cancel_that_is_not_answered_as_one(answer: Answer, outcome: str) -> None:
    [told] = answers.cancellations(answer, [A])
    assert told.outcome == outcome


# Heartbeats


def test_heartbeats() -> None:
    wrong = "Invalid Heartbeat ID"
    assert answers.heartbeat(said({"heartbeat_id": "x"})) == HeartbeatAnswer(status="ok", heartbeat_id="x")
    for name in ("error_msg", "error"):
        for expected in ("y", ""):
            told = answers.heartbeat(said({name: wrong, "heartbeat_id": expected}, 400))
            assert (told.status, told.heartbeat_id) == ("mismatch", expected)
    for failed in (
        said({"heartbeat_id": ""}),
        said({"heartbeat_id": 7}),
        said({"status": "ok"}),
        said({"error": wrong}, 400),
        said({"heartbeat_id": "x"}, 500),
        said({"error": wrong, "heartbeat_id": "x"}, 500),
        said({"error": refusals.RESTARTING}, 425),
        said({"error": refusals.L2}, 401),
        Answer(status=200, body=HTML),
        Answer(status=0, lost="ReadTimeout"),
    ):
        told = answers.heartbeat(failed)
        assert (told.status, told.heartbeat_id) == ("failed", "") and told.detail


# Signs


@pytest.mark.parametrize(
    ("answer", "mode", "retry_s"),
    [
        (said({"error": refusals.RESTARTING}, 425), "RESTARTING", None),
        (Answer(status=425, body=HTML, headers={"retry-after": "2"}), "RESTARTING", 2.0),
        (
            said({"error": refusals.POST_ONLY_MODE, "code": "post_only_mode", "retry_after_seconds": 119}, 503),
            "POST_ONLY",
            119.0,
        ),
        (said({"error": refusals.CANCEL_ONLY}, 503), "CANCEL_ONLY", None),
        (said({"error": refusals.DISABLED}, 503), "DISABLED", None),
    ],
)
def test_what_the_venue_says_of_its_mode(answer: Answer, mode: str, retry_s: float | None) -> None:
    sign = answers.mode_sign(answer)
    assert sign is not None and not sign.at_least
    assert (sign.mode, sign.retry_after_s) == (mode, retry_s)


@pytest.mark.parametrize(
    "answer",
    [
        said([leg(A)]),
        Answer(status=503, body=HTML),
        said({"error": "upstream"}, 503),
        said({"error": refusals.CANCEL_ONLY}, 400),
        said([], 503),
        Answer(status=0, lost="ReadTimeout"),
    ],
)
def test_what_says_nothing_of_the_mode(answer: Answer) -> None:
    """A proxy that fails is no mode of the venue."""
    assert answers.mode_sign(answer) is None


def test_a_write_that_was_carried_out_proves_no_more_than_it_can() -> None:
    """In post-only mode our orders are taken all the same, in cancel-only mode our cancels are."""
    assert answers.success_sign("orders") == ModeSign(mode="POST_ONLY", at_least=True)
    assert answers.success_sign("cancels") == ModeSign(mode="CANCEL_ONLY", at_least=True)


def test_the_signers_bucket() -> None:
    headers = {"poly-ratelimit-remaining": "57", "poly-ratelimit-reset": "1790000000", "poly-ratelimit-tier": "Gold"}
    fine = answers.rate_sign(Answer(status=200, headers=headers), "orders")
    assert fine == RateSign(bucket="orders", remaining=57, reset_unix=1_790_000_000, tier="Gold")
    owing = headers | {"poly-ratelimit-remaining": "-80", "poly-ratelimit-warning": "true", "retry-after": "3"}
    assert answers.rate_sign(Answer(status=429, headers=owing), "cancels") == RateSign(
        bucket="cancels", remaining=-80, reset_unix=1_790_000_000, tier="Gold", refused=True, warned=True,
        retry_after_s=3.0,
    )  # fmt: skip
    bare = answers.rate_sign(Answer(status=429, headers={"poly-ratelimit-reset": "1790000000"}), "orders")
    assert bare is not None and (bare.remaining, bare.refused) == (0, True)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "3"},
        {"poly-ratelimit-remaining": "many"},
        {"poly-ratelimit-remaining": "nan"},
        {"poly-ratelimit-remaining": "inf"},
        {"poly-ratelimit-remaining": "1e300"},
        {"poly-ratelimit-tier": "Gold"},
    ],
)
def test_no_bucket_without_a_number(headers: dict[str, str]) -> None:
    assert answers.rate_sign(Answer(status=200, headers=headers), "orders") is None


@pytest.mark.parametrize("told", ["-1", "nan", "inf", "1e9", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", ""])
def test_a_wait_that_cannot_be_is_none(told: str) -> None:
    sign = answers.mode_sign(Answer(status=425, headers={"retry-after": told}))
    assert sign is not None and sign.retry_after_s is None


# Whatever comes

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([A, B, refusals.L2]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["orderID", "status", "errorMsg", "error", "canceled", "not_canceled", "heartbeat_id", A]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@laws(300)
@given(
    st.sampled_from([0, 200, 400, 401, 403, 404, 425, 429, 500, 503]),
    st.one_of(st.binary(max_size=60), _JSON.map(lambda value: json.dumps(value).encode())),
    st.dictionaries(st.sampled_from(sorted(answers.HEADERS)), st.text(max_size=12)),
)
def test_no_answer_raises_and_each_order_gets_one(status: int, body: bytes, headers: dict[str, str]) -> None:
    """Foreign bytes never stop the session; live without our id there is none."""
    answer = Answer(status=status, body=body, headers=headers)
    told = answers.placements(answer, ORDERS)
    assert [each.intent for each in told] == [1, 2, 3]
    for each in told:
        assert each.outcome in ("refused", "unknown") or ORDERS[each.intent].encode() in body.lower()
        assert (each.refusal != "") == (each.outcome == "refused")
    assert [each.order_id for each in answers.cancellations(answer, [A, B])] == [A, B]
    answers.heartbeat(answer), answers.mode_sign(answer), answers.rate_sign(answer, "orders")


# Orders that cross


@pytest.mark.parametrize(
    ("raw", "outcome", "matched"),
    [
        (leg(A, "matched", makingAmount="12.5", takingAmount="6"), "matched", 12_500_000),
        (leg(A, "matched"), "matched", None),
        (leg(A, "matched", makingAmount="a lot"), "matched", None),
        (leg(A, "delayed"), "delayed", None),
        (leg(A, "live"), "unknown", None),
        (leg(A, "unmatched"), "unknown", None),
        (leg(reason=refusals.FAK_MISSED), "refused", None),
    ],
)
def test_order_that_crosses_never_rests_and_tells_what_it_took(raw: Any, outcome: str, matched: int | None) -> None:
    """``live`` of a FAK order is no word to believe; a miss is a refusal that is nobody's fault."""
    [answered] = answers.placements(said([raw]), {1: A}, frozenset({1}))
    assert (answered.outcome, answered.matched) == (outcome, matched)
    assert answered.refusal == ("missed" if outcome == "refused" else "")


def test_what_a_quote_took_is_not_read() -> None:
    """A post-only order that matched has matched whole, as ever."""
    [answered] = answers.placements(said([leg(A, "matched", makingAmount="12.5")]), {1: A})
    assert answered == OrderAnswered(intent=1, outcome="matched")
