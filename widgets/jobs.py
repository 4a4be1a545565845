"""Inventory operations (splits, merges, redemptions, conversions) as lines, and in few words for the strip."""

from collections.abc import Mapping
from typing import Final

from core.views import AccountView, JobView
from widgets.figures import gain_figure, share_figure
from widgets.format import ELLIPSIS, NOTHING, age, clean, fit, number, wrap_words
from widgets.line_widget import Row, row

FAILED_SAID_S: Final = 900.0
"""An operation that came to nothing is mentioned in the strip for so long after it was begun."""
_INDENT: Final = 8
_DETAIL_LINES: Final = 2
_ID_LONGEST: Final = 18
"""A transaction's hash or the relayer's name for it is told by its ends from this length on."""
_SIGNS: Final = {"confirmed": "✓", "failed": "✕", "refused": "✕", "unknown": "?"}
_ROLES: Final = {"confirmed": "good", "failed": "warn", "refused": "warn", "unknown": "warn"}
_UNDER_WAY: Final = "…"
_FRUITLESS: Final = frozenset({"failed", "refused"})
"""States in which nothing has changed and nothing will."""


def job_rows(account: AccountView, titles: Mapping[str, str], width: int) -> list[Row]:
    """Each operation in two lines or three, newest first: what and how far; then by whom, which way, and why not."""
    rows: list[Row] = []
    for job in reversed(account.jobs):
        rows += _job_lines(job, titles, width)
    return rows


def troubled_jobs(account: AccountView) -> list[JobView]:
    """Operations to look at, newest first: those of which nobody knows, and those that came to nothing lately."""
    return [
        job
        for job in reversed(account.jobs)
        if job.state == "unknown" or (job.state in _FRUITLESS and job.age_s < FAILED_SAID_S)
    ]


def job_words(job: JobView) -> str:
    """An operation in few words: ``"merge 400 unknown 1m"``."""
    return f"{clean(job.kind)} {share_figure(job.size, 8)} {clean(job.state)} {age(job.age_s)}"


def _job_lines(job: JobView, titles: Mapping[str, str], width: int) -> list[Row]:
    head = f" {fit(f'#{job.job_id}', 6)} {fit(clean(job.kind), 8)}{number(share_figure(job.size, 11), 11)}  "
    sign, role = _SIGNS.get(job.state, _UNDER_WAY), _ROLES.get(job.state, "own")
    state = f"{sign} {fit(clean(job.state), 10)}"
    cash = NOTHING if job.state in _FRUITLESS else gain_figure(job.cash, 13)
    tail = f"{age(job.age_s):>4}{number(cash, 13)}  "
    used = len(head) + len(state) + len(tail)
    title = fit(titles.get(job.market) or _shortened(job.market), max(0, width - used)).rstrip()
    parts = [f"by {job.by}", job.route, _shortened(job.transaction), job.detail]
    about = ", ".join(part for part in (clean(part) for part in parts) if part)
    lines = wrap_words(about, width - _INDENT - 1)[:_DETAIL_LINES]
    return [row(head, (state, role), (tail, ""), title), *[row(" " * _INDENT, (line, "muted")) for line in lines]]


def _shortened(identity: str) -> str:
    """A long id by its beginning and its end, which is how people compare them."""
    text = clean(identity)
    return text if len(text) < _ID_LONGEST else f"{text[:10]}{ELLIPSIS}{text[-4:]}"
