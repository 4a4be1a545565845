"""What an inspection tells, as plain values: the contract of ``inspect --json``."""

from collections.abc import Iterable
from typing import Any, Final

from core.lab.inspect import Inspection
from core.lab.inspect_counters import Span
from core.lab.inspect_market import Agreement, Finding, Market

TOLD: Final = 100
"""Findings, problems and markets told one by one; their counts are always told."""
EXPLANATIONS: Final = {
    "contained": "already contained in the full book of its millisecond",
    "same_ms": "another message of the same millisecond",
    "last_trade": "last trade not told yet",
    "older": "older than the book",
}
"""Known reasons why a hash differs (real-data.md 3 to 5)."""


def inspection_report(inspection: Inspection) -> dict[str, Any]:
    """Everything about a recording in one object; texts are the recording's own, uncleaned."""
    markets = list(inspection.markets.values())
    evidence, reading = inspection.evidence(), inspection.reading
    contradictions = [finding for market in markets for finding in market.contradictions]
    broken = [market for market in markets if not market.is_stream]
    counts = {
        "contradictions": sum(market.contradiction_count for market in markets),
        "problems": reading.problem_count,
    }
    compared = evidence.top_checked + evidence.hash_checked
    verdict, words = _verdict(inspection, counts, compared, len(broken))
    undecided = sum(market.undecided for market in markets)
    own = _sum(market.own_hashes for market in markets)
    latency = inspection.latencies.least_median_most
    silences = sorted(markets, key=lambda market: -market.silence.seconds)
    return {
        "file": str(inspection.path),
        "verdict": verdict,
        "words": words,
        "passed": not any(counts.values()) and inspection.frames > 0,
        "files": len(reading.files),
        "disk_bytes": reading.read_bytes,
        "lines": reading.number,
        "frames": inspection.frames,
        "bytes": inspection.bytes,
        "events": dict(inspection.events.most_common()),
        "unknown_types": dict(inspection.unknown_types.most_common()),
        "user_messages": inspection.user_messages,
        "tokens": len(inspection.tokens),
        "markets": len(inspection.named_markets),
        "span": {
            "venue": _span(inspection.venue),
            "live": _span(inspection.live),
            "receive": _span(inspection.received),
        },
        "top_of_book": {"checked": evidence.top_checked, "agreed": evidence.top_agreed},
        "book_hash": {
            "checked": evidence.hash_checked,
            "agreed": evidence.hash_agreed,
            "explained": evidence.hash_explained,
            "undecided": undecided,
            "differing": sum(market.differing for market in markets),
            "explanations": {name: getattr(evidence, f"explained_{name}") for name in EXPLANATIONS},
        },
        "full_books": {
            "own_hash": own,
            "rebuilt": _sum(market.later_books for market in markets),
            "overtaken": sum(market.overtaken for market in markets),
            "mirror": _sum(market.mirrors for market in markets),
        },
        "unchecked_changes": sum(market.unchecked for market in markets),
        "contradictions": {
            "count": counts["contradictions"],
            "listed": [_finding(inspection, finding) for finding in sorted(contradictions)[:TOLD]],
        },
        "not_consecutive": [
            {
                "market": market.instrument.market,
                "out_of_order": market.out_of_order,
                "of": market.ordered,
                "differences": market.finding_count,
            }
            for market in broken[:TOLD]
        ],
        "gaps": {
            "count": inspection.gap_count + len(reading.cuts),
            "listed": [
                *(_finding(inspection, finding) for finding in inspection.gaps[:TOLD]),
                *(_finding(inspection, Finding(cut.line, "", cut.problem)) for cut in reading.cuts[:TOLD]),
            ],
        },
        "silences": [_silence(market) for market in silences[:TOLD]],
        "rates": {
            "mean_per_s": _mean(inspection.live_messages, inspection.live.seconds),
            "peak_1s": inspection.peak_1s.most,
            "peak_100ms": inspection.peak_100ms.most,
        },
        "duplicates": inspection.duplicates,
        "latency_ms": None if latency is None else dict(zip(("least", "median", "most"), latency, strict=True)),
        "tick_changes": [_finding(inspection, finding) for finding in inspection.tick_changes[:TOLD]],
        "resolutions": [_finding(inspection, finding) for finding in inspection.resolutions[:TOLD]],
        "problems": {
            "count": counts["problems"],
            "listed": [_finding(inspection, Finding(p.line, "", p.problem)) for p in reading.problems[:TOLD]],
        },
    }


def _verdict(inspection: Inspection, counts: dict[str, int], compared: int, broken: int) -> tuple[str, str]:
    """One word for programs and a sentence for people."""
    noted = inspection.gap_count + len(inspection.reading.cuts)
    if not inspection.frames:
        return "empty", "not one frame could be read"
    if counts["contradictions"]:
        return "contradicted", "messages are missing or altered, and nothing in the recording explains it"
    if counts["problems"]:
        return "damaged", "what could be read agrees, but not everything could be"
    if broken:
        return (
            "not consecutive",
            "messages are not in the order of their sending: no book can be followed through",
        )
    if not compared:
        return "nothing compared", "no full book with messages that could be compared with it"
    if noted:
        return (
            "proven",
            f"every comparison agrees or is explained; {noted} {'gap' if noted == 1 else 'gaps'} in the recording",
        )
    return "proven", "every comparison agrees or is explained"


def _span(span: Span) -> dict[str, float] | None:
    if span.first_ms > span.last_ms:
        return None
    return {"first_ms": span.first_ms, "last_ms": span.last_ms, "seconds": round(span.seconds, 3)}


def _sum(agreements: Iterable[Agreement]) -> dict[str, int]:
    checked, agreed = 0, 0
    for agreement in agreements:
        checked, agreed = checked + agreement.checked, agreed + agreement.agreed
    return {"checked": checked, "agreed": agreed}


def _mean(count: int, seconds: float) -> float | None:
    return round(count / seconds, 3) if seconds > 0 else None


def _silence(market: Market) -> dict[str, Any]:
    return {
        "market": market.instrument.market,
        "title": market.instrument.title,
        "messages": market.messages,
        "longest_s": round(market.silence.seconds, 3),
        "began_ms": market.silence.began_ms or None,
    }


def _finding(inspection: Inspection, finding: Finding) -> dict[str, Any]:
    place = inspection.reading.place(finding.line)
    return {"line": finding.line, "place": place, "market": finding.market, "what": finding.what}
