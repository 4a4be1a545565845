"""What faults do to one HTTP request: a plan, made before the request is served."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

import msgspec

from core.exchange.faults import verbs
from core.exchange.faults.effects import Effect

_PHRASES: Final = {
    200: "OK",
    403: "Forbidden",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_HTML: Final = (
    "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1>"
    "<p>The request could not be satisfied.</p><p>Ray ID: 8f0c3d5e7a91b246</p></body></html>\n"
)


class Asked(msgspec.Struct, frozen=True):
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Found by name in any case."""
    body: bytes

    def fits(self, pattern: str | None) -> bool:
        """Whether it is one of ``METHOD /path``; ``*`` stands for anything in either part."""
        if pattern is None:
            return True
        method, _, path = pattern.partition(" ")
        shape = ".*".join(re.escape(part) for part in path.split("*"))
        return method in ("*", self.method) and re.fullmatch(shape, self.path) is not None


class Reply(msgspec.Struct, frozen=True):
    """An answer made up by a fault."""

    status: int
    body: bytes
    headers: dict[str, str] = {}
    media_type: str = "application/json"


class Plan(msgspec.Struct):
    """What is to happen to one request, in this order."""

    wait_before_ms: int = 0
    lost: str = ""
    """``before`` or ``after`` it is carried out; empty when the answer arrives."""
    cut: bool = False
    """A lost answer ends the connection with a reset; otherwise nothing ever comes."""
    reply: Reply | None = None
    """Answered in the venue's place."""
    first: list[Callable[[], None]] = []
    """What happens at the venue just before."""
    around: list[AbstractContextManager[None]] = []
    """What is different at the venue while it is served."""
    edits: list[Callable[[bytes], "bytes | Reply"]] = []
    """What becomes of the body of a good answer; a reply takes its place."""
    wait_after_ms: int = 0


def json_reply(status: int, error: str, headers: dict[str, str] | None = None) -> Reply:
    """The venue's error object."""
    return Reply(status=status, body=msgspec.json.encode({"error": error}), headers=headers or {})


def html_reply(status: int) -> Reply:
    """A page of the edge network in front of the venue."""
    page = _HTML.format(title=_title(status))
    return Reply(status=status, body=page.encode(), media_type="text/html; charset=utf-8")


class RequestEffect(Effect):
    """A verb that does something to requests."""

    def plan(self, asked: Asked, plan: Plan, now_ms: int) -> None:
        """Add to the plan of a request what this does to it."""
        verb = self.verb
        assert isinstance(verb, verbs.RequestVerb)
        if self.over(now_ms) or not asked.fits(verb.request):
            return
        self.spend()
        self.note(f"{asked.method} {asked.path}")
        if isinstance(verb, verbs.Http):
            plan.reply = _made_up(verb)
        elif isinstance(verb, verbs.Redirect):
            plan.reply = Reply(status=verb.status, body=b"", headers={"Location": verb.to})
        elif isinstance(verb, verbs.Blackhole):
            plan.lost, plan.cut = verb.moment, verb.then == "cut"
        elif isinstance(verb, verbs.Slow):
            if verb.moment == "before":
                plan.wait_before_ms += verb.ms
            else:
                plan.wait_after_ms += verb.ms


def _made_up(verb: verbs.Http) -> Reply:
    if verb.body == "html":
        reply = html_reply(verb.status)
    elif verb.body == "empty":
        reply = Reply(status=verb.status, body=b"", media_type="text/plain")
    else:
        reply = json_reply(verb.status, _title(verb.status))
    body = reply.body if verb.text is None else verb.text.encode()
    return msgspec.structs.replace(reply, body=body, headers=dict(verb.headers))


def _title(status: int) -> str:
    return f"{status} {_PHRASES.get(status, 'Fault')}"
