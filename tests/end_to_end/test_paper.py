"""Paper mode against public endpoints: real books, simulated orders, no key and no request that needs one."""

import asyncio
import signal
from pathlib import Path

from tests.end_to_end.program import (
    PATIENCE_S,
    PROGRAM,
    ROOT,
    database,
    environment,
    exchange,
    last_json,
    rows,
)
from tests.loopback.relay import wire_tap


async def test_paper_asks_for_nothing_private_and_never_reads_the_key(tmp_path: Path) -> None:
    """Everything it sends is heard: no credential, no user channel, no order; a garbage key changes nothing."""
    with exchange("--seed", "3", "--markets", "2", "--speed", "24") as venue:
        async with wire_tap(int(venue.urls["port"])) as tap:
            addresses = {
                name: url.replace(f":{venue.urls['port']}", f":{tap.port}") for name, url in venue.settings.items()
            }
            env = environment(tmp_path, **addresses, POLYMM_MARKETS=",".join(venue.market_ids()), PK="garbage \x7f")
            process = await asyncio.create_subprocess_exec(
                *PROGRAM, "--mode", "paper", "--no-ui", "--json", "--duration", "5",
                cwd=ROOT, env=env, stdin=-3, stdout=-1, stderr=-1,
            )  # fmt: skip
            out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        ledger = venue.ledger()
    report = last_json(out.decode())
    assert process.returncode == 0, err.decode()
    assert (report["mode"], report["open_orders"], report["unknown_orders"]) == ("paper", 0, 0)
    assert report["orders_placed"] > 0 and report["messages"] > 20
    heard = bytes(tap.heard).lower()
    assert b"get /gamma" in heard.replace(b"get /markets", b"get /gamma") and b"/ws/market" in heard
    for private in (b"poly_", b"/ws/user", b"/auth/", b"/order", b"/data/", b"/balance", b"/cancel", b"garbage"):
        assert private not in heard, private
    assert ledger["received"] == [] and ledger["orders"] == [] and ledger["accounts"] == []


async def test_paper_ends_in_order_and_keeps_its_books(tmp_path: Path) -> None:
    """Simulated orders end like real ones: a signal, cancel all, verified, every row with its end."""
    with exchange("--seed", "3", "--markets", "2", "--speed", "48") as venue:
        env = environment(tmp_path, **venue.settings, POLYMM_MARKETS=",".join(venue.market_ids()))
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "--mode", "paper", "--no-ui", "--json", cwd=ROOT, env=env, stdin=-3, stdout=-1, stderr=-1
        )
        path = database(env, "paper")
        async with asyncio.timeout(PATIENCE_S):
            while len(rows(path, "SELECT 1 FROM orders WHERE state = 'LIVE'")) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0 and b"zero open orders verified" in err.splitlines()[-1]
    report = last_json(out.decode())
    assert report["open_orders"] == report["unknown_orders"] == 0
    states = {row["state"] for row in rows(path, "SELECT state FROM orders")}
    assert states <= {"CANCELLED", "MATCHED", "DONE", "REFUSED", "DENIED", "REJECTED"}, states
    assert len(rows(path, "SELECT * FROM fills")) == report["fills"]
