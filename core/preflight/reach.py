"""What came of asking a service: an answer, or where on the way it was lost. Pure.

A venue that cannot be reached looks the same to a program whatever the reason; to whoever has to mend it a wrong name,
a wrong certificate, a closed port, silence and the page of a proxy are five different things (reliability.md 2.1).
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from core.preflight.check import Check, fail, ok, warn
from core.venue.answers import in_a_line
from core.venue.wire import UNREADABLE

Kind = Literal["answer", "name", "refused", "route", "timeout", "certificate", "tls", "broken", "shut"]
_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
_RESTARTING: Final = 425
_TOO_FAST: Final = 429
_FORBIDDEN: Final = frozenset({401, 403, 407, 451})
_REDIRECTS: Final = range(300, 400)
_WRONG: Final = 400
_BROKEN: Final = 500


class Reached(msgspec.Struct, frozen=True):
    """What came of one request."""

    kind: Kind
    """``shut``: a socket that was closed by the other end, with ``detail``."""
    place: str
    """Host and port."""
    detail: str = ""
    """Words of the system, or of a stranger."""
    status: int = 0
    body: bytes = b""
    seconds: float = 0.0
    """From the question to the answer; of one that was lost, from the look for the host's address on."""
    asked_unix: float = 0.0
    """Our clock when the question was put, the host's address being known."""

    @property
    def is_page(self) -> bool:
        """The answer is a page for a browser: a proxy's, a firewall's, a log-in's."""
        return self.body.lstrip()[:1] == b"<"

    @property
    def json(self) -> Any:
        """The answer's JSON; None when it has none."""
        try:
            return msgspec.json.decode(self.body)
        except UNREADABLE:
            return None

    @property
    def is_good(self) -> bool:
        """A service of the venue's kind has answered what it was asked."""
        return self.kind == "answer" and self.status == 200 and not self.is_page and self.json is not None

    @property
    def reason(self) -> str:
        """The venue's own word for a refusal, in a line."""
        told = self.json
        names = ("error", "error_msg", "errorMsg", "message")
        found = (told.get(name) for name in names) if isinstance(told, dict) else ()
        return in_a_line(next((text for text in found if isinstance(text, str) and text), ""))


def lost(place: str, error: BaseException, seconds: float) -> Reached:
    """Where a request was lost, by everything that an error says of its causes."""
    kind, detail = _kind_of(error)
    return Reached(kind=kind, place=place, detail=detail, seconds=seconds)


def _kind_of(error: BaseException) -> tuple[Kind, str]:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "name", str(cause.strerror or "")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "certificate", cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return "tls", str(getattr(cause, "reason", None) or "no word")
    for cause in causes:
        if isinstance(cause, ConnectionRefusedError):
            return "refused", ""
        if isinstance(cause, OSError) and cause.errno in _ROUTE:
            return "route", str(cause.strerror)
    if any(isinstance(cause, TimeoutError) or type(cause).__name__.endswith("Timeout") for cause in causes):
        return "timeout", ""
    return "broken", type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all behind it: what it was raised from, what it was raised amid, and the parts of a group."""
    left, seen = [error], set[int]()
    while left:
        each = left.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        left += [behind for behind in (each.__cause__, each.__context__) if behind is not None]
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions


def trouble(reached: Reached, setting: str) -> tuple[str, str]:
    """Why there is no good answer, and what to do; both "" when there is one.

    Args:
        reached: what came.
        setting: in which the address stands, for the step.
    """
    where = reached.place
    match reached.kind:
        case "name":
            words = f"the name of {where} is not found ({reached.detail})"
            return words, f"check the network's name server, and {setting}"
        case "tls":
            words = f"{where} speaks no TLS that is understood ({reached.detail})"
            return words, f"check {setting}: host, port and whether it is https or wss"
        case "certificate":
            words = f"{where} proves itself with no certificate to be trusted ({reached.detail})"
            return words, "something on the way reads along, or the machine's clock is wrong; do not go on"
        case "refused":
            return f"{where} refuses connections: nobody listens there", f"check {setting} and the firewall"
        case "route":
            return f"no way to {where} ({reached.detail})", "check the network"
        case "timeout":
            return f"{where} did not answer within {reached.seconds:.1f} s", "check network and firewall, and again"
        case "broken":
            words = f"the connection to {where} broke ({reached.detail})"
            return words, f"try again; if it stays so, check {setting} and what is on the way"
        case "shut":
            return f"{where} closed the connection ({reached.detail or 'without a word'})", f"check {setting}"
    if reached.is_good:
        return "", ""
    return _bad_answer(reached, setting)


def _bad_answer(reached: Reached, setting: str) -> tuple[str, str]:
    where, status = reached.place, reached.status
    words = f": {reached.reason}" if reached.reason else ""
    if reached.is_page:
        page = f"{where} answers with a page for a browser (status {status})"
        if status in _FORBIDDEN:
            return page, "the venue's guard or a proxy keeps you out: see geoblock, and what is on the way"
        return page, "a proxy or a log-in page stands in the venue's place: see what is on the way"
    if status in _REDIRECTS:
        return f"{where} sends elsewhere (status {status}), which is not followed", f"check {setting}"
    if status == _RESTARTING:
        return f"{where} restarts (status 425{words})", "wait for about two minutes"
    if status == _TOO_FAST:
        return f"{where} is asked too often (status 429{words})", "wait, and let nothing else of yours ask it"
    if status >= _BROKEN:
        return f"{where} is out of order (status {status}{words})", "wait, and look at status.polymarket.com"
    if status >= _WRONG:
        return f"{where} refuses (status {status}{words})", f"check {setting}"
    return f"{where} answers something else than it should", f"check {setting}"


def service(name: str, reached: Reached, setting: str, *, is_needed: bool = True) -> Check:
    """Whether a service of the venue answers.

    Args:
        name: of the check.
        reached: what came.
        setting: in which its address stands.
        is_needed: no session without it; else it is missed and nothing stops.
    """
    cause, step = trouble(reached, setting)
    if not cause:
        return ok(name, f"{reached.place} answers in {reached.seconds * 1000:.0f} ms")
    return fail(name, cause, step) if is_needed else warn(name, cause, step)
