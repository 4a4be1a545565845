"""The fallback client: how it is found, which wallets it knows, and its threads."""

import asyncio
import json
import logging
import sys

import pytest

from core.clock import SystemClock
from core.config import Settings
from core.errors import CredentialError, PreflightError, VenueUnavailable
from core.venue import gateway_clob
from core.venue.credentials import Secret, Wallet
from core.venue.gateway_clob_v2 import ClobV2Gateway
from core.venue.wallets import wallets_of
from tests.loopback.gateways import clob_bench, place, posted
from tests.loopback.venue import EOA, KEY, venue_running


def gateway_of(wallet: str | None, settings: Settings | None = None) -> ClobV2Gateway:
    return ClobV2Gateway(settings or Settings(), Wallet(Secret(KEY), wallet), SystemClock(), lambda sign: None)


@pytest.mark.parametrize(
    "missing",
    ["py_clob_client_v2", "py_clob_client_v2.order_utils", "py_clob_client_v2.http_helpers.helpers"],
)
def test_a_client_that_is_absent_or_another_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """It is an optional extra, and it is archived: nobody gets a traceback for not having it."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(PreflightError, match=r"pip install 'polymm-tui\[clob-v2\]'"):
        gateway_of(EOA)


@pytest.mark.parametrize(
    ("wallet", "text"), [(None, "set BROWSER_ADDRESS"), (wallets_of("0x" + "12" * 20, 2)[0], "no wallet of this key")]
)
async def test_a_wallet_that_is_not_the_keys_is_refused_before_anything_is_asked(wallet: str | None, text: str) -> None:
    """Its signature type would be a guess, and a wrong one is refused order by order."""
    gateway = gateway_of(wallet)
    with pytest.raises(CredentialError, match=text):
        await gateway.open()
    await gateway.close()


async def test_a_venue_that_is_away_or_restarting_refuses_no_credentials() -> None:
    """Wait and try again, not: fix your key."""
    nowhere = Settings(clob_url="http://127.0.0.1:9")
    gateway = gateway_of(EOA, nowhere)
    with pytest.raises(VenueUnavailable, match="status none"):
        await gateway.open()
    await gateway.close()
    async with venue_running() as venue:
        venue.exchange.restart(5_000)
        away = gateway_of(EOA, Settings(clob_url=venue.urls["clob_url"]))
        with pytest.raises(VenueUnavailable, match="status 425"):
            await away.open()
        await away.close()


async def test_a_request_given_up_before_a_thread_took_it_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent behind our back it would place an order at a price of long ago; the exchange sees only what had begun."""
    monkeypatch.setattr(gateway_clob, "PLACE_DEADLINE_S", 0.2)
    async with venue_running() as venue, clob_bench(venue, "py-clob-client-v2") as bench:
        bench.arm('do = "blackhole"\nrequest = "POST /orders"\nmoment = "before"\nthen = "hang"\nfor = 100')
        wishes = [place(bench.instruments[0], n, 2 + n) for n in range(7)]
        signed = [await bench.gateway.sign(wish, False) for wish in wishes]
        told = await asyncio.gather(*(posted(bench.gateway, [each]) for each in signed))
        assert {answer.outcome for answers in told for answer in answers} == {"unknown"}
        seen = [line for line in venue.running.host.director.log if line.do == "blackhole" and "POST" in line.what]
        assert len(seen) == 4


async def test_an_answer_with_trades_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client itself would ask for their transactions for half a minute before it tells of the order."""
    monkeypatch.setattr(gateway_clob, "PLACE_DEADLINE_S", 1.0)
    async with venue_running() as venue, clob_bench(venue, "py-clob-client-v2") as bench:
        signed = await bench.gateway.sign(place(bench.instruments[0], 1, 2), False)
        leg = {"orderID": signed.order_id, "status": "matched", "success": True, "errorMsg": "", "tradeIDs": ["t"]}
        bench.arm(f'do = "http"\nrequest = "POST /orders"\nstatus = 200\ntext = \'{json.dumps([leg])}\'\ncount = 1')
        [answer] = await posted(bench.gateway, [signed])
    assert answer.outcome == "matched"


async def test_pages_of_proxies_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The client logs the body of every failed answer; ours say what matters of it."""
    caplog.set_level(logging.INFO)
    async with venue_running() as venue, clob_bench(venue, "py-clob-client-v2") as bench:
        bench.arm('do = "http"\nrequest = "* *"\nstatus = 403\nbody = "html"\ncount = 1')
        [answer] = await bench.gateway.cancel(["0x" + "77" * 32])
    assert answer.outcome == "unknown" and "not JSON" in answer.detail
    assert "could not be satisfied" not in caplog.text
