"""What a replay tells at its end."""

from typing import Any, Final

from core.lab.replay import Replay
from core.runtime.report import run_report

PROBLEMS_TOLD: Final = 20


def problem_lines(replay: Replay) -> list[str]:
    """One line for each thing that could not be used, the first twenty, and how many more there were."""
    told = [f"line {problem.line}: {problem.problem}" for problem in replay.problems[:PROBLEMS_TOLD]]
    more = replay.unusable - len(told)
    return [*told, f"and {more} more that could not be used"] if more > 0 else told


def replay_report(replay: Replay, duration_s: float, exit_reason: str) -> dict[str, Any]:
    """The members common to all modes, and what the recording proved."""
    evidence = replay.evidence()
    report = run_report(
        replay.engine,
        mode="replay",
        duration_s=duration_s,
        frames=replay.frames,
        open_orders=len(replay.venue.open_order_ids()),
        exit_reason=exit_reason,
        now=replay.now,
    )
    return {
        **report,
        "recorded_s": round(replay.now, 3),
        "top_of_book": {"checked": evidence.top_checked, "agreed": evidence.top_agreed},
        "book_hash": {
            "checked": evidence.hash_checked,
            "agreed": evidence.hash_agreed,
            "explained": evidence.hash_explained,
        },
        "unknown_types": replay.engine.tally.unknown_types,
        "unusable": replay.unusable,
        "problems": [{"line": p.line, "problem": p.problem} for p in replay.problems[:PROBLEMS_TOLD]],
        "decisions_sha256": replay.decisions_digest,
    }
