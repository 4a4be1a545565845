"""Whatever a view says, its alarms can be made and drawn: they are made on the session's loop, which must not fail."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from core.runtime.alarming import Alarming
from tests.widgets.test_any_view import ACCOUNTS, FEEDS, LISTINGS, OWNED, SAFETY, TRADED, market_views
from tests.widgets.view_builders import a_view
from widgets.alarms import alarm_page


@given(
    st.lists(market_views(), max_size=2).map(tuple),
    FEEDS, ACCOUNTS, OWNED, SAFETY, LISTINGS, TRADED, st.floats(0, 1e6), st.booleans(), st.integers(40, 160),
)  # fmt: skip
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_view_has_alarms_that_can_be_drawn(
    markets, feeds, account, owned, safety, listing, traded, lag_ms, stopping, width
):
    venue, recovering, findings, foreign, _ = account
    controls, caps, protections, denials, kill, skew_s, stalled_s = safety
    view = a_view(
        markets=markets, feeds=feeds, venue=venue, recovering=recovering, findings=findings, foreign_orders=foreign,
        account=owned, controls=controls, caps=caps, protections=protections, denials=denials, kill=kill,
        clock_skew_s=skew_s, journal_stalled_s=stalled_s, market_list=listing, fills=traded[0], loop_lag_ms=lag_ms,
        stopping=stopping,
    )  # fmt: skip
    alarming = Alarming(lambda severity, text, market="": None)
    for now in range(0, 2_000, 100):
        alarming.look(view, float(now))
    alarming.look(msgspec.structs.replace(a_view(), markets=()), 3_000.0)
    msgspec.json.encode(alarming.views)
    page = alarm_page(alarming.views, {}, view.unix, width, alarming.views[0].key if alarming.views else "")
    assert len(page.alarms) == len(alarming.views)
    assert all(cell_len(row.text) <= width and row.text.isprintable() for row in page.rows)
