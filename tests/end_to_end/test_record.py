"""``polymm-tui record`` as a program: what it wrote, whatever ended it, and what inspect and replay make of it."""

import json
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from core.lab.recording import Reading
from core.store.recorded import Gap, Line, read_manifest, segments
from core.venue.channel import subscribe_market_frame
from tests.end_to_end.program import (
    PATIENCE_S,
    Exchange,
    environment,
    exchange,
    last_json,
    run,
    started,
    wait_for,
)


@contextmanager
def recording(
    tmp_path: Path, venue: Exchange, *arguments: str, **options: Any
) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """The program recording all markets of an exchange, and where."""
    env = environment(tmp_path, **venue.settings, POLYMM_MARKETS=",".join(venue.market_ids()))
    out = tmp_path / "out"
    with started("record", "--mode", "paper", "--out", str(out), *arguments, env=env, **options) as process:
        yield process, out


def frames_in(out: Path) -> list[Line]:
    """Frames read so far; none while there is no segment."""
    if not out.is_dir() or not segments(out):
        return []
    return [entry for _, entry in Reading(out) if isinstance(entry, Line)]


def hashes_in(frame: bytes | str) -> set[str]:
    """Hashes of the books that a frame's changes led to."""
    told = json.loads(frame)
    messages = told if isinstance(told, list) else [told]
    return {entry["hash"] for message in messages for entry in message.get("price_changes", ())}


def inspected(path: Path, env: dict[str, str]) -> tuple[int, dict[str, Any]]:
    done = run("inspect", str(path), "--json", env=env)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


class Witness(threading.Thread):
    """Another client of the same channel, which remembers what it heard and when."""

    def __init__(self, url: str, tokens: list[str]) -> None:
        super().__init__(daemon=True)
        self.heard: list[tuple[float, set[str]]] = []
        self._socket = connect(url, compression=None)
        self._socket.send(subscribe_market_frame(tokens).decode())
        self.start()

    def run(self) -> None:
        try:
            for frame in self._socket:
                self.heard.append((time.monotonic(), hashes_in(frame)))
        except ConnectionClosed:
            return

    @property
    def span_s(self) -> float:
        """Seconds from the first frame heard to the last."""
        return self.heard[-1][0] - self.heard[0][0] if self.heard else 0.0

    def close(self) -> None:
        self._socket.close()
        self.join(PATIENCE_S)


def arm(venue: Exchange, *keys: str) -> None:
    """Let a fault happen now."""
    script = "\n".join(["[[fault]]", "at = 0", *keys])
    answer = httpx.post(venue.urls["clob_url"] + "/_exchange/faults", content=script)
    assert answer.status_code == 200, answer.text


def tokens_of(venue: Exchange) -> list[str]:
    return [token for market in venue.markets() for token in json.loads(market["clobTokenIds"])]


def test_a_kill_costs_a_second_at_most_and_the_rest_is_proven(tmp_path: Path) -> None:
    """Everything that another client heard more than a second before kill -9 is on the disk, and it proves itself."""
    with exchange("--seed", "3", "--markets", "2", "--speed", "20") as venue:
        with recording(tmp_path, venue) as (process, out):
            wait_for(lambda: len(frames_in(out)) > 20, "frames on the disk")
            witness = Witness(venue.urls["ws_market_url"], tokens_of(venue))
            wait_for(lambda: witness.span_s > 2.5, "frames for longer than may be lost")
            process.kill()
            killed_s, killed_ms = time.monotonic(), time.time() * 1000
            witness.close()
            process.wait(PATIENCE_S)
        recorded = {one for line in frames_in(out) for one in hashes_in(line.raw)}
        due = {one for heard_s, hashes in witness.heard if heard_s < killed_s - 1.0 for one in hashes}
        assert len(due) > 20 and due <= recorded
        code, report = inspected(out, environment(tmp_path))
        assert (code, report["verdict"], report["contradictions"]["count"]) == (0, "proven", 0)
        assert killed_ms - report["span"]["venue"]["last_ms"] < 1_500
        assert report["top_of_book"]["agreed"] == report["top_of_book"]["checked"] > 40
        with recording(tmp_path, venue, "--duration", "2", "--json") as (process, _):
            assert process.communicate(timeout=PATIENCE_S) and process.returncode == 0
    code, report = inspected(out, environment(tmp_path))
    assert (code, report["verdict"], report["files"]) == (0, "proven", 2)
    assert "the recorder was started again" in [gap["what"] for gap in report["gaps"]["listed"]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order_with_the_figures(tmp_path: Path, number: signal.Signals) -> None:
    """The last line says frames, bytes, segments and duration; the same as JSON; nothing that came is missing."""
    fast = ("--seed", "3", "--markets", "1", "--speed", "20")
    with exchange(*fast) as venue, recording(tmp_path, venue, "--json") as (process, out):
        wait_for(lambda: len(frames_in(out)) > 5, "frames on the disk")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, stderr
    report, (last,) = last_json(stdout), stderr.splitlines()
    assert report["exit_reason"] == number.name and report["dropped"] == report["reconnects"] == 0
    assert report["frames"] == len(frames_in(out)) and report["segments"] == len(segments(out)) == 1
    assert report["disk_bytes"] == segments(out)[0].stat().st_size
    words = (f"recorded {report['frames']:,} frames", " on disk in 1 segment, ", f" s ({number.name}): {out}")
    assert last.startswith("polymm-tui: ") and all(word in last for word in words)


def test_what_it_wrote_is_described_and_can_be_replayed(tmp_path: Path) -> None:
    """A directory goes where a file goes; titles and minimum sizes lie beside it."""
    with exchange("--seed", "5", "--markets", "2", "--speed", "20") as venue:
        titles = {market["conditionId"]: market["question"] for market in venue.markets()}
        with recording(tmp_path, venue, "--duration", "3") as (process, out):
            assert process.wait(PATIENCE_S) == 0
    manifest = read_manifest(out)
    assert manifest is not None and {one.market: one.title for one in manifest.markets} == titles
    assert manifest.url == venue.urls["ws_market_url"] and len(manifest.tokens) == 4
    code, report = inspected(out, environment(tmp_path))
    assert code == 0 and {one["title"] for one in report["silences"]} == set(titles.values())
    assert 0 <= report["latency_ms"]["median"] < 1_000
    played = run("replay", str(out), "--no-ui", "--json", env=environment(tmp_path))
    told = last_json(played.stdout)
    assert played.returncode == 0 and told["frames"] == report["frames"] and told["unusable"] == 0
    assert told["top_of_book"]["agreed"] == told["top_of_book"]["checked"] == report["top_of_book"]["checked"]


def test_a_lost_socket_is_a_gap_and_no_contradiction(tmp_path: Path) -> None:
    """The recorder knows what it did not hear and says so where it is missing."""
    fast = ("--seed", "3", "--markets", "2", "--speed", "20")
    with exchange(*fast) as venue, recording(tmp_path, venue, "--json") as (process, out):
        wait_for(lambda: len(frames_in(out)) > 20, "frames on the disk")
        arm(venue, 'do = "reset"', 'channel = "market"')
        wait_for(lambda: any(isinstance(entry, Gap) for _, entry in Reading(out)), "a note of the gap")
        before = len(frames_in(out))
        wait_for(lambda: len(frames_in(out)) > before + 20, "frames after it")
        process.terminate()
        stdout, _ = process.communicate(timeout=PATIENCE_S)
    code, report = inspected(out, environment(tmp_path))
    assert (code, report["verdict"], report["gaps"]["count"]) == (0, "proven", 1)
    assert "the connection was lost" in report["gaps"]["listed"][0]["what"]
    assert last_json(stdout)["reconnects"] == 1


def test_what_the_venue_swallows_is_found(tmp_path: Path) -> None:
    """Messages that never came, with the socket up all the time: nobody notes it, the hashes do."""
    fast = ("--seed", "3", "--markets", "1", "--speed", "20")
    with exchange(*fast) as venue, recording(tmp_path, venue) as (process, out):
        wait_for(lambda: len(frames_in(out)) > 10, "frames on the disk")
        arm(venue, 'do = "drop"', 'kinds = ["price_change"]', "count = 12")
        before = len(frames_in(out))
        wait_for(lambda: len(frames_in(out)) > before + 30, "frames after it")
        process.terminate()
        process.wait(PATIENCE_S)
    code, report = inspected(out, environment(tmp_path))
    assert (code, report["verdict"]) == (6, "contradicted") and report["contradictions"]["count"] >= 1


def test_without_a_network_it_records_a_demo_exchange(tmp_path: Path) -> None:
    """An operator tries it before there is anything to configure."""
    env = environment(tmp_path)
    done = run("record", "--out", str(tmp_path / "out"), "--duration", "2", "--json", env=env)
    assert done.returncode == 0, done.stderr
    report = last_json(done.stdout)
    assert report["frames"] > 0 and report["exit_reason"] == "duration" and 1.9 < report["duration_s"] < 10
    assert inspected(tmp_path / "out", env)[0] == 0


def test_tokens_need_no_catalogue(tmp_path: Path) -> None:
    """Whoever knows the token ids needs nothing else; what the catalogue would have said is inferred."""
    with exchange("--seed", "3", "--markets", "2", "--speed", "20") as venue:
        pair = tokens_of(venue)[:2]
        env = environment(tmp_path, **(venue.settings | {"POLYMM_GAMMA_URL": "http://127.0.0.1:9"}))
        done = run("record", "--out", str(tmp_path / "out"), "--tokens", ",".join(pair), "--duration", "2", env=env)
    assert done.returncode == 0, done.stderr
    code, report = inspected(tmp_path / "out", env)
    assert code == 0 and (report["tokens"], report["markets"]) == (2, 1)


def test_a_full_disk_ends_it_with_what_was_written(tmp_path: Path) -> None:
    """Code 5, one line that says so, and a recording that can be read."""

    def no_space() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

    with (
        exchange("--seed", "3", "--markets", "2", "--speed", "20") as venue,
        recording(tmp_path, venue, "--json", preexec_fn=no_space) as (process, out),
    ):
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 5 and "Traceback" not in stdout
    assert f"polymm-tui: {out}: File too large; what was written until then can be read" in stderr.splitlines()
    report = last_json(stdout)
    assert report["exit_reason"] == "disk" and report["frames"] == len(frames_in(out)) > 0
    assert inspected(out, environment(tmp_path))[0] == 0


def test_a_second_recorder_is_refused(tmp_path: Path) -> None:
    """Two in one directory would mix their segments."""
    with exchange("--seed", "3", "--markets", "1") as venue, recording(tmp_path, venue) as (process, out):
        wait_for(lambda: frames_in(out), "frames on the disk")
        env = environment(tmp_path, **venue.settings)
        second = run("record", "--out", str(out), "--tokens", "1", "--duration", "1", env=env)
        assert second.returncode == 4 and "another recorder" in second.stderr.splitlines()[-1]
        assert process.poll() is None


def test_a_venue_that_cannot_be_reached_is_told_and_tried_again(tmp_path: Path) -> None:
    """The market channel may be down for a while: the log says so, the recorder stays."""
    env = environment(tmp_path, POLYMM_WS_MARKET_URL="ws://127.0.0.1:9")
    done = run("record", "--out", str(tmp_path / "out"), "--tokens", "1", "--duration", "1.5", env=env)
    assert done.returncode == 0 and "channel_lost" in done.stderr
    assert "recorded 0 frames" in done.stderr.splitlines()[-1]
    assert os.listdir(tmp_path / "out") and segments(tmp_path / "out") == []
