"""Files, places, disk, user, environment, hosts, ports, latch and database: each fault named with its remedy."""

import errno
import fcntl
import os
import shutil
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from core.children import drop_proxies
from core.clock import ManualClock
from core.config import Settings, environment_names
from core.kill.latch import Latch, LatchRecord
from core.preflight import gather, machine
from core.preflight.machine import SECRET, STEERING, FileFacts, Strictness
from core.store.schema import SCHEMA_VERSION

UID = 1000
FILE, DIRECTORY, LINK, FIFO = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO


@pytest.mark.parametrize(
    ("mode", "uid", "strictness", "words"),
    [
        (FILE | 0o600, UID, SECRET, ""),
        (FILE | 0o400, UID, SECRET, ""),
        (FILE | 0o644, UID, SECRET, "open to others (mode 644): chmod 600"),
        (FILE | 0o640, UID, SECRET, "open to others (mode 640): chmod 600"),
        (FILE | 0o600, 0, SECRET, "belongs to user 0, not to 1000"),
        (FILE | 0o600, 7, SECRET, "belongs to user 7, not to 1000"),
        (LINK | 0o777, UID, SECRET, "is a link"),
        (FIFO | 0o600, UID, SECRET, "is no file"),
        (DIRECTORY | 0o700, UID, SECRET, ""),
        (DIRECTORY | 0o755, UID, SECRET, "open to others (mode 755): chmod 700"),
        (FILE | 0o644, UID, STEERING, ""),
        (FILE | 0o644, 0, STEERING, ""),
        (FILE | 0o664, UID, STEERING, "written by others (mode 664): chmod go-w"),
        (FILE | 0o646, UID, STEERING, "written by others (mode 646): chmod go-w"),
        (FILE | 0o644, 7, STEERING, "belongs to user 7"),
    ],
)
def test_a_file_is_ours_alone_or_the_remedy_is_named(mode: int, uid: int, strictness: Strictness, words: str) -> None:
    """reliability.md 5, 2: parametrised modes, owners and links."""
    told = machine.file_trouble(FileFacts("/s/f", "file", mode, uid), strictness, UID)
    assert (words in told and "/s/f" in told) if words else told == ""


@pytest.mark.parametrize(
    ("mode", "uid", "is_fine"),
    [(0o755, 0, True), (0o1777, 0, True), (0o777, 0, False), (0o700, UID, True), (0o755, 7, False), (0o775, UID, True)],
)
def test_nobody_else_can_put_another_directory_in_our_place(mode: int, uid: int, is_fine: bool) -> None:
    told = machine.ancestor_trouble(FileFacts("/s", "directory", DIRECTORY | mode, uid), UID)
    assert (told == "") == is_fine


@pytest.mark.parametrize("name", ["mm_state.db", "mm_state.db-wal", "kill.latch", "kill.credentials", "markets.json"])
@pytest.mark.parametrize("fault", ["0644", "0640", "link"])
def test_every_file_of_a_session_is_looked_at(tmp_path: Path, name: str, fault: str) -> None:
    """Whatever lies in the session's directory: the one that is open is named, with what to do."""
    directory = tmp_path / "live"
    directory.mkdir(mode=0o700)
    for each in ("mm_state.db", "lock", name):
        (directory / each).touch(mode=0o600)
    assert gather.file_troubles(directory, "", [], "")[0] == []
    if fault == "link":
        (directory / name).rename(tmp_path / "elsewhere")
        (directory / name).symlink_to(tmp_path / "elsewhere")
    else:
        (directory / name).chmod(int(fault, 8))
    check = machine.files(*gather.file_troubles(directory, "", [], ""))
    assert check.level == "fail" and check.exit_code == 3
    assert str(directory / name) in check.cause and check.next_step


def test_a_link_on_the_way_is_no_open_door(tmp_path: Path) -> None:
    """Links have all bits set on Linux; what counts is where they lead. The session's own directory may be none."""
    (tmp_path / "real" / "live").mkdir(parents=True, mode=0o700)
    (tmp_path / "way").symlink_to(tmp_path / "real")
    assert gather.file_troubles(tmp_path / "way" / "live", "", [], "")[0] == []
    (tmp_path / "real").chmod(0o777)
    assert "can be written by anybody" in gather.file_troubles(tmp_path / "way" / "live", "", [], "")[0][0]
    (tmp_path / "real").chmod(0o700)
    (tmp_path / "live").symlink_to(tmp_path / "real" / "live")
    assert "is a link" in gather.file_troubles(tmp_path / "live", "", [], "")[0][0]


def test_settings_list_and_key_file_are_looked_at(tmp_path: Path) -> None:
    """Others may read what steers, and must not write it; of a key they may not even read."""
    paths = [tmp_path / name for name in ("config.toml", "markets.csv", "key.json")]
    for path in paths:
        path.touch(mode=0o600)
        path.chmod(0o666)
    settings, markets, key = map(str, paths)
    troubles, count = gather.file_troubles(tmp_path / "none", settings, [markets], key)
    assert count == 3 and [line.split("/")[0].strip() for line in troubles] == [
        "settings file", "market list", "service account file",
    ]  # fmt: skip
    for path, mode in zip(paths, (0o644, 0o644, 0o600), strict=True):
        path.chmod(mode)
    assert gather.file_troubles(tmp_path / "none", settings, [markets], key)[0] == []


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    """The doctor may be run where no session ever was, and leaves no trace."""
    directory = tmp_path / "state" / "live"
    gather.file_troubles(directory, "", [], "")
    assert gather.latch_record(directory, ManualClock()) is None
    assert gather.database_facts(directory / "mm_state.db") == (None, "")
    assert gather.holder_of(directory / "lock") == "" and gather.free_bytes(directory)[0] > 0
    assert list(tmp_path.iterdir()) == []


def test_root_is_warned() -> None:
    assert machine.user(0).level == "warn" and machine.user(0).next_step
    assert machine.user(UID).level == "ok"


@pytest.mark.parametrize(
    ("system", "parts", "words"),
    [
        ("ext4", ("/", "home", "me"), ""),
        ("nfs4", ("/", "home", "me"), "nfs4"),
        ("fuse.sshfs", ("/", "mnt"), "fuse.sshfs"),
        ("ext4", ("/", "home", "me", "Dropbox"), "Dropbox"),
        ("apfs", ("/", "Users", "me", "iCloud Drive"), "iCloud Drive"),
    ],
)
def test_state_on_another_machine_is_refused_for_live(system: str, parts: tuple[str, ...], words: str) -> None:
    """Locks do not hold there, and the key's database would be copied away (S09, O12)."""
    live = machine.place("/s", system, parts, is_live=True)
    assert live.level == ("fail" if words else "ok") and words in live.cause
    assert machine.place("/s", system, parts, is_live=False).level == ("warn" if words else "ok")


def test_the_file_system_is_that_of_the_deepest_mount() -> None:
    mounts = "a / ext4 rw 0 0\nb /home nfs4 rw 0 0\nc /home/me\\040x xfs rw 0 0\nd /homes tmpfs rw 0 0\nbroken"
    assert gather.file_system(Path("/home/me x/s"), mounts) == "xfs"
    assert gather.file_system(Path("/home/you"), mounts) == "nfs4"
    assert gather.file_system(Path("/homeless"), mounts) == "ext4"
    assert gather.file_system(Path("/x"), "") == ""


@pytest.mark.parametrize(("free", "level"), [(1 << 20, "fail"), (64 << 20, "warn"), (1 << 30, "ok"), (1 << 40, "ok")])
def test_a_full_disk_is_named_with_its_numbers(free: int, level: str) -> None:
    check = machine.disk(free, 1 << 41)
    assert check.level == level and "free of 2.0 TiB" in check.cause


@pytest.mark.parametrize(
    ("limit", "pattern", "level"),
    [(0, "core", "ok"), (0, "|/usr/lib/systemd/systemd-coredump %P", "ok"), (-1, "core", "fail"), (4096, "", "fail")],
)
def test_a_core_dump_would_hold_the_key(limit: int, pattern: str, level: str) -> None:
    assert machine.core_dumps(limit, pattern).level == level


KNOWN = environment_names()
USUAL = (
    "PATH HOME USER LOGNAME SHELL TERM LANG LC_ALL TZ EDITOR PAGER PWD OLDPWD SHLVL MAIL DISPLAY HOSTNAME "
    "XDG_RUNTIME_DIR XDG_CONFIG_HOME XDG_STATE_HOME SSH_AUTH_SOCK SSH_CONNECTION TMUX STY COLUMNS LINES "
    "PYTHONPATH VIRTUAL_ENV PIP_INDEX_URL CARGO_HOME GOPATH JAVA_HOME NODE_ENV DOCKER_HOST KUBERNETES_PORT "
    "INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET LISTEN_FDS LOG_LEVEL DEBUG PORT MODE SEED MARKETS STATE_DIR "
    "PK BROWSER_ADDRESS RELAYER_API_KEY RELAYER_API_KEY_ADDRESS POLY_BUILDER_API_KEY METRICS MAX_SIZE MIN_PRICE"
)
"""Variables that are usually set, the seed's own included."""


@pytest.mark.parametrize(
    ("names", "level", "live", "words"),
    [
        (["HARD_CAP_DELTA_PCT", "PATH", "EDITOR"], "ok", "ok", ""),
        (["POLYMM_CONFIRM_LIVE", "POLYMM_MARKETS", "POLYMM_RPC_URL", "POLYGON_RPC_URL"], "ok", "ok", ""),
        (["HARD_CAP_DELTA_PC"], "warn", "fail", "did you mean HARD_CAP_DELTA_PCT?"),
        (["DAILY_LOSS_LIMIT_PTC"], "warn", "fail", "did you mean DAILY_LOSS_LIMIT_PCT?"),
        (["POLYMM_MARKET"], "fail", "fail", "did you mean POLYMM_MARKETS?"),
        (["POLYMM_NOTHING_LIKE_IT"], "fail", "fail", "POLYMM_NOTHING_LIKE_IT is no setting"),
    ],
)
def test_a_misspelt_variable_is_named(names: list[str], level: str, live: str, words: str) -> None:
    """A misspelt cap must never be a default cap (O03)."""
    for is_live, expected in ((False, level), (True, live)):
        check = machine.environment(names, KNOWN, (), is_live=is_live)
        assert check.level == expected and words in check.cause
        assert check.exit_code == (2 if expected == "fail" else 0)


def test_an_ordinary_environment_is_no_reason_to_refuse() -> None:
    """Names that are close to a setting's by chance would keep an operator from starting for nothing."""
    assert machine.environment(USUAL.split(), KNOWN, (), is_live=True).level == "ok"


def test_a_proxy_is_ignored_and_told() -> None:
    """HTTP libraries would send keys and orders through whatever the environment names (reliability.md 5, 18)."""
    environment = {"https_proxy": "http://p:1", "ALL_PROXY": "socks5://p", "NO_PROXY": "", "PATH": "/bin"}
    dropped = drop_proxies(environment)
    assert dropped == ("https_proxy", "ALL_PROXY") and environment == {"NO_PROXY": "", "PATH": "/bin"}
    check = machine.environment(["PATH"], KNOWN, dropped, is_live=True)
    assert check.level == "warn" and "ALL_PROXY, https_proxy ignored" in check.cause


HERE = "http://127.0.0.1:8000"
PRACTICE = {
    "clob_url": HERE, "gamma_url": HERE, "data_url": HERE, "relayer_url": HERE,
    "ws_market_url": "ws://127.0.0.1:8000/ws", "ws_user_url": "ws://[::1]:8000/ws",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, "ok", "the venue's own"),
        ({"rpc_url": "https://node.example/v2/key"}, "ok", ""),
        (PRACTICE, "warn", "practice"),
        (PRACTICE | {"clob_url": "http://127.0.0.2:8000"}, "warn", "practice"),
        ({"clob_url": "https://clob.polymarket.com.evil.example"}, "fail", "clob.polymarket.com.evil.example"),
        ({"clob_url": "https://polymarket.com"}, "fail", "is not the venue's (clob.polymarket.com)"),
        ({"ws_user_url": "wss://ws.example"}, "fail", "ws_user_url"),
        ({"clob_url": "http://clob.polymarket.com"}, "fail", "not encrypted"),
        ({"rpc_url": "http://node.example"}, "fail", "not encrypted"),
        ({"clob_url": HERE}, "fail", "clob_url are on this machine"),
        ({"geoblock_url": "https://geo.example"}, "fail", "geo.example"),
        ({"clob_url": "https://10.0.0.1"}, "fail", "10.0.0.1"),
        ({"clob_url": "https://user@127.0.0.1@evil.example"}, "fail", "evil.example"),
    ],
)
def test_live_talks_to_the_venue_or_practices_here(changes: dict[str, str], level: str, words: str) -> None:
    """Keys and credentials go to these hosts, so nobody else's are taken (reliability.md 5, 20)."""
    check = machine.hosts(Settings(mode="live", **changes))
    assert check.level == level, check
    assert words in " ".join((check.cause, *check.details))


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        check = machine.metrics_port(port, gather.port_trouble(port))
    assert check.level == "warn" and str(port) in check.cause and "METRICS_PORT" in check.next_step
    assert machine.metrics_port(0, "").cause == "switched off"
    assert errno.EADDRINUSE


@pytest.mark.parametrize(("length", "level"), [(100, "ok"), (101, "warn")])
def test_a_socket_path_that_is_too_long_is_told(length: int, level: str) -> None:
    assert machine.control_socket("/s", length, 100).level == level


def test_another_session_is_found_by_its_lock_and_by_the_wallets_lease(tmp_path: Path) -> None:
    """Whoever holds them is named, and neither is taken away or waited for (P17, P18)."""
    lock, lease = tmp_path / "lock", tmp_path / "0xab.lock"
    lease.write_text("polymm-tui, process 7, in /elsewhere,")
    assert not gather.is_held(lock) and gather.holder_of(lease) == ""
    handles = [os.open(path, os.O_CREAT | os.O_RDWR, 0o600) for path in (lock, lease)]
    for handle in handles:
        fcntl.flock(handle, fcntl.LOCK_EX)
    held, holder = gather.is_held(lock), gather.holder_of(lease)
    for handle in handles:
        os.close(handle)
    assert held and holder == "polymm-tui, process 7, in /elsewhere,"
    check = machine.instance("another polymm-tui works in /s", [holder])
    assert (check.level, check.exit_code, check.details) == ("fail", 4, (holder,))
    assert machine.instance("", [holder]).exit_code == 4
    assert machine.instance("", []).level == "ok"


def test_the_latch_is_read_and_never_made_or_changed(tmp_path: Path) -> None:
    clock = ManualClock()
    tmp_path.chmod(0o700)
    latch = Latch(tmp_path, 0.0)
    assert machine.latch(gather.latch_record(tmp_path, clock)).cause == "armed, once so far"
    latch.kill(LatchRecord(state="killed", epoch=1, by="shell", reason="drill", unix=1.0))
    check = machine.latch(gather.latch_record(tmp_path, clock))
    latch.close()
    assert check.level == "warn" and "shell: drill" in check.cause and "rearm" in check.next_step


def test_a_latch_of_an_earlier_version_is_read_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "KILLED").write_text("kill by operator\n")
    check = machine.latch(gather.latch_record(tmp_path, ManualClock()))
    assert check.level == "warn" and "kill by operator" in check.cause
    assert [path.name for path in tmp_path.iterdir()] == ["KILLED"]


def a_database(path: Path, schema: str) -> Path:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        db.execute("INSERT INTO meta VALUES ('schema', ?)", (schema,))
    db.close()
    return path


@pytest.mark.parametrize(
    ("schema", "level", "words"),
    [
        (str(SCHEMA_VERSION), "ok", f"schema {SCHEMA_VERSION}"),
        ("2", "ok", "the start copies it"),
        (str(SCHEMA_VERSION + 1), "fail", "newer than this program's"),
        ("x", "fail", "no database of this program"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_and_left_alone(
    tmp_path: Path, schema: str, level: str, words: str
) -> None:
    path = a_database(tmp_path / "mm_state.db", schema)
    before = path.read_bytes()
    check = machine.database(str(path), *_facts(path))
    assert check.level == level and words in check.cause
    assert check.exit_code == (5 if level == "fail" else 0)
    assert path.read_bytes() == before


@pytest.mark.parametrize("ends", [("",), ("", "-wal"), ("", "-wal", "-shm")])
def test_a_log_beside_a_database_is_read_and_none_is_made(tmp_path: Path, ends: tuple[str, ...]) -> None:
    """Of a session that ended, of a copy, and of one that was killed: the newest schema is told, and all stays."""
    made, left = tmp_path / "made" / "mm_state.db", tmp_path / "left" / "mm_state.db"
    for path in (made, left):
        path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(made)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        db.execute("INSERT INTO meta VALUES ('schema', '1')")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("UPDATE meta SET value = '2'")
        db.commit()
        for end in ends:
            shutil.copy(made.with_name(made.name + end), left.with_name(left.name + end))
    before = {path.name: path.read_bytes() for path in left.parent.iterdir()}
    assert gather.database_facts(left) == (2 if len(ends) > 1 else 1, "")
    assert {path.name: path.read_bytes() for path in left.parent.iterdir()} == before


def test_garbage_in_place_of_a_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mm_state.db"
    path.write_bytes(b"garbage" * 900)
    assert machine.database(str(path), *_facts(path)).level == "fail"


def _facts(path: Path) -> tuple[int | None, int, str]:
    schema, trouble = gather.database_facts(path)
    return schema, SCHEMA_VERSION, trouble
