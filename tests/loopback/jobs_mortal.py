"""A process that carries out one inventory operation with the real journal, and may be killed at any moment.

It says every state once it is on the disk.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from core.clock import SystemClock
from core.config import Settings
from core.events import JobSeen
from core.jobs import evidence
from core.jobs.jobs import Jobs
from core.jobs.planning import Plan, Purse, Stock
from core.portfolio.entries import Booking
from core.runtime import operations
from core.store.changes import Changes
from core.store.database import Store
from core.units import MICRO, Shares, Usd
from core.venue.credentials import RelayerKey, Secret, Wallet
from core.venue.gateway_polymarket import PolymarketGateway
from core.venue.onchain import OnChain
from core.venue.wallets import wallets_of
from tests.loopback.jobs_yard import CASH, EOA, KEY, KINDS

evidence.GIVE_UP_SEC = 6.0  # type: ignore[misc]
evidence.SETTLE_SEC = 3.0  # type: ignore[misc]
operations.PACE_SEC = 0.2  # type: ignore[misc]


async def live(root: Path, urls: dict[str, Any], kind: str, act: str) -> None:
    clock, jobs, changes = SystemClock(), Jobs(), Changes()
    wallet = wallets_of(EOA, KINDS[kind])[0]
    store = Store(root / "mm_state.db", clock)
    await store.open("live", "0", 1, {})
    await store.use_account(wallet)
    recovered = await store.recover()
    seq = recovered.next_seq

    async def commit() -> None:
        nonlocal changes
        written, changes = changes, Changes()
        await store.write(written)
        for _, seen in written.job_steps:
            print(seen.state, flush=True)

    def emit(seen: JobSeen) -> None:
        nonlocal seq
        for effect in jobs.take(seen, clock.monotonic(), clock.unix()):
            booking = Booking(seq, effect.market, effect.key, clock.unix(), effect.entry, "job", text=effect.text)
            changes.entries.append(booking)
            seq += 1
        changes.job_steps.append((clock.monotonic(), seen))

    settings = Settings(**{name: url for name, url in urls.items() if name.endswith("_url")})
    gateway = PolymarketGateway(settings, Wallet(Secret("0x" + KEY), wallet), clock, lambda sign: None)
    await gateway.open()
    key = None if kind == "EOA" else RelayerKey(Secret("any"), EOA)
    chain = OnChain(settings, Secret("0x" + KEY), gateway.account, key, clock)
    work = operations.Operations(chain, clock, emit, commit)
    work.recover(recovered.jobs)
    lane = asyncio.create_task(work.lanes()[0][1])
    for job in jobs.recover(recovered.jobs, recovered.next_job, recovered.own_transactions):
        work.take(job)
    if act == "split":
        stock = Stock(market=urls["market"], yes_token=urls["yes"], no_token=urls["no"])
        purse = Purse(venue="live", cash=CASH, route=chain.route)
        plan = jobs.plan("split", stock.market, Shares(30 * MICRO), {stock.market: stock}, purse, clock.unix())
        assert isinstance(plan, Plan), plan
        job = jobs.start(plan, "operator", "asked for", clock.unix())
        changes.jobs.append((clock.monotonic(), job))
        work.take(job)
    print("alive", flush=True)
    while jobs.under_way is not None and not lane.done():  # noqa: ASYNC110 - an end has no event
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    lane.cancel()
    await asyncio.wait({lane})
    await commit()
    cash = sum(-each.entry.size for each in (await store.recover()).bookings if hasattr(each.entry, "size"))
    print(f"over {Usd(cash)}", flush=True)
    for part in (chain, gateway):
        await part.close()
    await store.end("over", True)


def main() -> None:
    """Begin; the arguments are directory, addresses and tokens as JSON, kind of wallet, and ``split`` or ``-``."""
    place, told, wallet_kind, what = sys.argv[1:]
    asyncio.run(live(Path(place), msgspec.json.decode(told), wallet_kind, what))
