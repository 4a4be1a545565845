"""The market list from an operator's first minute on: discovered, made by a session, cut, proposed, approved, restored.

The real program in every part: an exchange, a paper session and the shell's commands.
"""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.end_to_end.program import PATIENCE_S, environment, exchange, run, started, wait_for


def standings(env: dict[str, str]) -> dict[str, str]:
    """Market -> standing, by the session that runs; nothing while none answers."""
    done = run("markets", "list", "--json", env=env)
    told: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return {each["market"]: each["standing"] for each in told["markets"]} if told.get("running") else {}


def proposal(env: dict[str, str]) -> dict[str, Any] | None:
    done = run("markets", "diff", "--json", env=env)
    waiting: dict[str, Any] | None = json.loads(done.stdout)["proposal"] if done.returncode == 0 else None
    return waiting


def test_a_list_is_discovered_made_cut_and_restored(tmp_path: Path) -> None:
    path = tmp_path / "markets.csv"
    with exchange("--seed", "5", "--markets", "4") as venue:
        env = environment(
            tmp_path, **venue.settings, POLYMM_MODE="paper", POLYMM_MARKET_LIST=str(path), LIST_REFRESH_SEC="5"
        )
        done = run("markets", "discover", "--out", str(path), env=env)
        assert done.returncode == 0 and len(done.stdout.splitlines()) >= 5, done.stderr
        whole = path.read_text()
        header, *rows = whole.splitlines()
        names = [row.split(",")[0] for row in rows]
        assert sorted(names) == sorted(venue.market_ids())
        with started("--no-ui", env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as session:
            wait_for(lambda: standings(env) == dict.fromkeys(names, "made"), "all markets made")
            shown = run("markets", "screen", env=env)
            assert shown.returncode == 0 and shown.stdout.count("  ok   liquidity") == len(names)

            path.write_text("\n".join([header, rows[0]]))
            waiting = wait_for(lambda: proposal(env), "a proposal")
            assert {line["market"] for line in waiting["lines"]} == set(names[1:])
            assert standings(env) == dict.fromkeys(names, "made"), "nothing has changed by it"
            refused = run("markets", "approve", "made-up", env=env)
            assert refused.returncode == 2 and refused.stdout == "" and "others now" in refused.stderr
            approved = run("markets", "approve", waiting["token"], env=env)
            assert approved.returncode == 0 and "approved: 3 changes" in approved.stdout, approved.stderr
            wait_for(lambda: standings(env).get(names[1]) != "made", "the market off the list to be let go")
            assert standings(env)[names[0]] == "made" and proposal(env) is None

            path.write_text(whole)
            wait_for(lambda: standings(env) == dict.fromkeys(names, "made"), "all markets made again, by themselves")
            session.send_signal(signal.SIGTERM)
            assert session.wait(PATIENCE_S) == 0
        after = run("markets", "list", env=env)
        assert (
            after.returncode == 0 and "no session runs" in after.stdout and after.stdout.count(" made ") == len(names)
        )
