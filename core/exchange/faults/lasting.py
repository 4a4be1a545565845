"""Which effect carries a lasting verb out."""

from functools import partial
from typing import Any

from core.exchange.exchange import Exchange
from core.exchange.faults import acts, reads, verbs
from core.exchange.faults.access import GeoblockEffect, VersionEffect
from core.exchange.faults.answers import BatchEffect, ExpiredEffect, PageEffect, RaceEffect
from core.exchange.faults.catalogue import DisagreeEffect
from core.exchange.faults.effects import Effect, Scope
from core.exchange.faults.requests import RequestEffect
from core.exchange.faults.spreadsheet import SheetEffect
from core.exchange.faults.streams import FreezeEffect, StreamEffect
from core.exchange.faults.verbs import Verb


def work_of(verb: Verb, scope: Scope, exchange: Exchange) -> tuple[type[Effect], dict[str, Any]]:
    """Which effect carries a verb out, and what it needs to know."""
    if isinstance(verb, verbs.StreamVerb | verbs.MuteUser):
        return StreamEffect, {}
    if isinstance(verb, verbs.RequestVerb):
        return RequestEffect, {}
    if isinstance(verb, verbs.BatchShort | verbs.BatchShuffle):
        return BatchEffect, {}
    if isinstance(verb, verbs.StaleRest):
        return reads.BooksEffect, {"exchange": exchange, "shown": reads.stale_faces(exchange, scope.market)}
    if isinstance(verb, verbs.GhostBook):
        return reads.BooksEffect, {"exchange": exchange, "shown": reads.ghost_faces(exchange, scope.market)}
    if isinstance(verb, verbs.StaleBalance):
        cached = reads.cached_balances(exchange) if verb.shows == "before" else {}
        return reads.BalanceEffect, {"exchange": exchange, "cached": cached}
    if isinstance(verb, verbs.StalePositions):
        return reads.PositionsEffect, {"exchange": exchange} | reads.record(exchange, verb.shows)
    if isinstance(verb, verbs.CancelRace):
        return RaceEffect, {"lose": partial(acts.lose_race, exchange, verb.outcome)}
    if isinstance(verb, verbs.ExpireCredentials):
        return ExpiredEffect, {}
    if isinstance(verb, verbs.Title):
        return reads.TitleEffect, {"exchange": exchange}
    if isinstance(verb, verbs.Disagree):
        return DisagreeEffect, {"exchange": exchange}
    simple: dict[type[Verb], type[Effect]] = {
        verbs.Freeze: FreezeEffect,
        verbs.OmitPage: PageEffect,
        verbs.ClockOffset: reads.ClockEffect,
        verbs.Geoblock: GeoblockEffect,
        verbs.Version: VersionEffect,
        verbs.Sheet: SheetEffect,
    }
    return simple.get(type(verb), Effect), {}
