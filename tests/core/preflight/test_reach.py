"""Where on the way a question was lost: each cause told apart from the others, whatever comes."""

import errno
import socket
import ssl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import VenueUnavailable
from core.preflight.ask import place_of
from core.preflight.reach import Reached, lost, service, trouble

PLACE = "clob.example:443"


def raised_from(*chain: BaseException) -> BaseException:
    """Errors wrapped in one another as clients do it: the last is the first cause."""
    error = chain[-1]
    for outer in reversed(chain[:-1]):
        try:
            raise outer from error
        except BaseException as wrapped:  # noqa: BLE001 - built, not handled
            error = wrapped
    return error


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


UNAVAILABLE = VenueUnavailable("/ok: ConnectError")
CONNECT = httpx.ConnectError("")


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "name", "is not found"),
        (certificate_error(), "certificate", "self-signed certificate"),
        (ssl.SSLError(1, "wrong version number"), "tls", "speaks no TLS that is understood"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused", "nobody listens"),
        (ExceptionGroup("all", [ConnectionRefusedError(errno.ECONNREFUSED, "refused")]), "refused", "nobody listens"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "route", "no way to"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "route", "no way to"),
        (TimeoutError(), "timeout", "did not answer within 2.0 s"),
        (httpx.ReadTimeout(""), "timeout", "did not answer within 2.0 s"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "broken", "broke"),
        (httpx.RemoteProtocolError("<html>"), "broken", "broke"),
    ],
)
def test_each_cause_is_told_apart_however_deep_it_lies(cause: Exception, kind: str, words: str) -> None:
    for error in (cause, raised_from(UNAVAILABLE, cause), raised_from(UNAVAILABLE, CONNECT, cause)):
        reached = lost(PLACE, error, 2.0)
        told, step = trouble(reached, "clob_url")
        assert reached.kind == kind and words in told and PLACE in told and step


def test_errors_that_go_round_in_circles_have_an_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert lost(PLACE, one, 1.0).kind == "broken"


@pytest.mark.parametrize(
    ("status", "body", "words", "step"),
    [
        (200, b"<!DOCTYPE html><h1>Hotel Wi-Fi</h1>", "a page for a browser (status 200)", "log-in"),
        (403, b"  <html>blocked</html>", "a page for a browser (status 403)", "geoblock"),
        (407, b"<html>", "a page for a browser (status 407)", "proxy"),
        (302, b"", "sends elsewhere", "clob_url"),
        (425, b'{"error":"service not ready"}', "restarts (status 425: service not ready", "two minutes"),
        (429, b"{}", "asked too often", "wait"),
        (500, b"", "out of order (status 500)", "wait"),
        (503, b'{"error":"disabled"}', "out of order (status 503: disabled", "wait"),
        (404, b'{"error":"not found"}', "refuses (status 404: not found", "clob_url"),
        (200, b"not json", "something else", "clob_url"),
        (200, b"", "something else", "clob_url"),
    ],
)
def test_each_bad_answer_is_told_apart(status: int, body: bytes, words: str, step: str) -> None:
    check = service("clob", Reached(kind="answer", place=PLACE, status=status, body=body), "clob_url")
    assert check.level == "fail" and words in check.cause and step in check.next_step


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_any_answer_is_good_or_has_a_cause_and_a_step(status: int, body: bytes) -> None:
    """A stranger's bytes break nothing, and only JSON with status 200 is good."""
    reached = Reached(kind="answer", place=PLACE, status=status, body=body)
    cause, step = trouble(reached, "clob_url")
    assert (cause == "" and step == "") == reached.is_good
    assert cause == "" or (cause.isprintable() and step)


def test_what_is_not_needed_is_missed_with_a_warning() -> None:
    reached = lost(PLACE, TimeoutError(), 1.0)
    assert service("data", reached, "data_url", is_needed=False).level == "warn"
    good = Reached(kind="answer", place=PLACE, status=200, body=b'"OK"', seconds=0.012)
    assert service("clob", good, "clob_url").cause == f"{PLACE} answers in 12 ms"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://clob.polymarket.com", "clob.polymarket.com:443"),
        ("wss://node.example/v2/SECRETKEY?key=SECRETKEY", "node.example:443"),
        ("https://user:SECRETKEY@node.example:8443/x", "node.example:8443"),
        ("http://127.0.0.1:9/x", "127.0.0.1:9"),
        ("nonsense", "no host:0"),
    ],
)
def test_of_an_address_only_host_and_port_are_shown(url: str, place: str) -> None:
    """A node's address may hold a key, in its path or before the host."""
    assert place_of(url) == place
