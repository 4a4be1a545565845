"""What the machine has to be like: files, places, disk, user, environment, ports, latch, database. Pure: facts in.

Sources: reliability.md 2.6 (S09, S11, S12), 2.7 (O03, O07, O12), 5 (2, 13, 18, 20, 35).
"""

import difflib
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from core.config import Settings
from core.errors import ConfigError, InstanceError, StoreError
from core.kill.latch import LatchRecord
from core.preflight.check import Check, fail, first_of, ok, warn
from core.selection.addresses import is_loopback

DISK_WARN_BYTES: Final = 1 << 30
DISK_LEAST_BYTES: Final = 64 << 20
"""Below it a session's journal and log are soon in trouble: 100,000 orders take 170 MB (core/store/schema.py)."""
NETWORK_SYSTEMS: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "ncpfs"),
        *("fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.davfs", "davfs", "fuse.glusterfs"),
    }
)
"""File systems of other machines: locks and the database's shared memory do not work there (S09)."""
SYNCED_NAMES: Final = (
    *("dropbox", "onedrive", "google drive", "googledrive", "icloud drive", "icloud", "nextcloud", "owncloud"),
    *("pcloud", "mega", "syncthing", "com~apple~clouddocs", "box sync", "yandex.disk", "seafile"),
)
"""Directories whose content programs copy to other machines (O12)."""
OWN_NAMES: Final = frozenset({"POLYMM_CONFIRM_LIVE", "POLYMM_SEEDS", "POLYMM_SLOW", "POLYMM_VECTORS"})
"""Variables with the program's prefix that are no settings."""
OFFICIAL_HOSTS: Final[Mapping[str, frozenset[str]]] = {
    "clob_url": frozenset({"clob.polymarket.com"}),
    "gamma_url": frozenset({"gamma-api.polymarket.com"}),
    "data_url": frozenset({"data-api.polymarket.com"}),
    "relayer_url": frozenset({"relayer-v2.polymarket.com"}),
    "ws_market_url": frozenset({"ws-subscriptions-clob.polymarket.com"}),
    "ws_user_url": frozenset({"ws-subscriptions-clob.polymarket.com"}),
    "geoblock_url": frozenset({"polymarket.com"}),
    "sheets_url": frozenset({"sheets.googleapis.com"}),
}
"""The venue's hosts by setting (polymarket-api.md 1). A Polygon node is the operator's own choice."""
_TRADING: Final = ("clob_url", "gamma_url", "data_url", "relayer_url", "ws_market_url", "ws_user_url")
_CLOSE: Final = 0.88
_PRIVATE: Final = 0o077
_OTHERS_WRITE: Final = 0o022


class FileFacts(msgspec.Struct, frozen=True):
    """One file or directory as it lies there, links not followed."""

    path: str
    what: str
    """What it is to us, for people."""
    mode: int
    """As ``st_mode`` tells it."""
    uid: int


class Strictness(msgspec.Struct, frozen=True):
    """What is asked of a kind of file."""

    others: int = _PRIVATE
    """Bits of the mode that nobody but the owner may have."""
    may_be_link: bool = False
    may_be_roots: bool = False


SECRET: Final = Strictness()
"""What only its owner may even read: keys, database, latch, sockets, and the directory of a session."""
STEERING: Final = Strictness(others=_OTHERS_WRITE, may_be_link=True, may_be_roots=True)
"""What anybody may read and nobody else may write: it says what is traded."""


def file_trouble(facts: FileFacts, strictness: Strictness, uid: int) -> str:
    """What is wrong with a file and what to do, as one line; "" when nothing is.

    Args:
        facts: of the file.
        strictness: what is asked of it.
        uid: ours.
    """
    where = f"{facts.what} {facts.path}"
    if stat.S_ISLNK(facts.mode):
        return "" if strictness.may_be_link else f"{where} is a link: put the file itself there"
    if facts.uid != uid and not (strictness.may_be_roots and facts.uid == 0):
        return f"{where} belongs to user {facts.uid}, not to {uid}: move it away, or chown it"
    is_directory = stat.S_ISDIR(facts.mode)
    if not (is_directory or stat.S_ISREG(facts.mode) or stat.S_ISSOCK(facts.mode)):
        return f"{where} is no file: move it away"
    if facts.mode & strictness.others:
        wanted = "700" if is_directory else "600"
        if strictness is STEERING:
            return f"{where} can be written by others (mode {facts.mode & 0o777:03o}): chmod go-w it"
        return f"{where} is open to others (mode {facts.mode & 0o777:03o}): chmod {wanted} it"
    return ""


def ancestor_trouble(facts: FileFacts, uid: int) -> str:
    """What is wrong with a directory above ours: somebody else could put another one in our place."""
    if facts.mode & 0o002 and not facts.mode & stat.S_ISVTX:
        return f"{facts.path} can be written by anybody (mode {facts.mode & 0o777:03o}): chmod o-w it"
    if facts.uid not in (uid, 0):
        return f"{facts.path} belongs to user {facts.uid}, who may replace what is in it: use another state_dir"
    return ""


def files(troubles: Sequence[str], count: int) -> Check:
    """Modes, owners and links of everything that was looked at (reliability.md 5, 2)."""
    if not troubles:
        return ok("files", f"{count} files and directories are yours alone" if count else "nothing is there yet")
    cause, _, step = troubles[0].rpartition(": ")
    return fail("files", first_of([cause, *troubles[1:]]), step, details=troubles[1:])


def user(uid: int) -> Check:
    """Who runs it (O12)."""
    if uid == 0:
        return warn("user", "runs as root: whatever goes wrong is the whole machine's", "run it as a user of its own")
    return ok("user", f"runs as user {uid}")


def place(directory: str, system: str, parts: Iterable[str], *, is_live: bool) -> Check:
    """Where the state lies (S09, O12).

    Args:
        directory: of the session.
        system: type of the file system it is on; "" when not known.
        parts: names of the directories on the way.
        is_live: real money: then it has to be here.
    """
    trouble = ""
    if system.lower() in NETWORK_SYSTEMS:
        trouble = f"{directory} is on a file system of another machine ({system}), where locks do not hold"
    elif synced := next((name for name in parts if name.lower() in SYNCED_NAMES), ""):
        trouble = f"{directory} is in {synced}, which is copied to other machines"
    step = "set state_dir to a directory of this machine"
    if trouble:
        return fail("state", trouble, step) if is_live else warn("state", trouble, step)
    return ok("state", f"{directory}{f' ({system})' if system else ''}")


def disk(free_bytes: int, total_bytes: int) -> Check:
    """Room for journal and log, on the state's file system."""
    room = f"{_size(free_bytes)} free of {_size(total_bytes)}"
    if free_bytes < DISK_LEAST_BYTES:
        return fail("disk", f"{room}, less than {_size(DISK_LEAST_BYTES)}", "make room, or set state_dir elsewhere")
    if free_bytes < DISK_WARN_BYTES:
        return warn("disk", f"{room}, less than {_size(DISK_WARN_BYTES)}", "make room, or set state_dir elsewhere")
    return ok("disk", room)


def core_dumps(limit: int, pattern: str) -> Check:
    """A core dump would hold the key (reliability.md 5, 13).

    Args:
        limit: bytes that one may have, of this process; below 0 for any.
        pattern: where the kernel writes them; "" when not known.
    """
    if limit:
        size = "no limit" if limit < 0 else f"up to {limit} bytes"
        return fail("core-dumps", f"a crash would write the memory to disk ({size})", "start it with `ulimit -c 0`")
    if pattern.startswith("|"):
        program = pattern[1:].split(" ", 1)[0].rsplit("/", 1)[-1]
        return ok("core-dumps", f"off; crashes go to {program}, which is told so")
    return ok("core-dumps", "off")


def environment(names: Collection[str], known: Collection[str], proxies: Collection[str], *, is_live: bool) -> Check:
    """Variables that were meant for us and are not ours, and proxies (O03; reliability.md 5, 18).

    Args:
        names: of all variables that are set.
        known: of all settings, as variables.
        proxies: variables that name a proxy; they are ignored.
        is_live: real money: then a name that is nearly a setting's is refused too.
    """
    strangers, near = [], []
    for name in sorted(set(names) - set(known) - OWN_NAMES):
        likely = difflib.get_close_matches(name, known, n=1, cutoff=_CLOSE)
        if name.startswith("POLYMM_"):
            strangers.append(f"{name} is no setting" + (f": did you mean {likely[0]}?" if likely else ""))
        elif likely and likely[0] not in names and len(name) > 5:
            near.append(f"{name} is no setting: did you mean {likely[0]}?")
    if strangers or (near and is_live):
        step = "correct or unset it; `polymm-tui config show` lists all settings"
        lines = [*strangers, *near]
        return fail("environment", first_of(lines), step, ConfigError.exit_code, lines[1:])
    ignored = f"{', '.join(sorted(proxies))} ignored: no proxy is used" if proxies else ""
    if near:
        return warn("environment", first_of(near), "correct or unset it", details=(*near[1:], *filter(None, [ignored])))
    if ignored:
        return warn("environment", ignored, "unset it; behind a proxy only tunnels of the system reach the venue")
    return ok("environment", "no variable looks like a misspelt setting, and no proxy is set")


def hosts(settings: Settings) -> Check:
    """Whom a live session talks to (reliability.md 5, 20).

    An exchange on this machine is practice and only said; anybody else's is refused, because keys and credentials would
    go there. A mixture of the two is refused too: prices of the one would be traded at the other.
    """
    strange, local, plain = [], [], []
    for name in (*_TRADING, "geoblock_url", "sheets_url", "rpc_url"):
        url = urlsplit(getattr(settings, name))
        host = (url.hostname or "").lower()
        if is_loopback(getattr(settings, name)):
            local.append(name)
        elif url.scheme not in ("https", "wss"):
            plain.append(f"{name}: {url.scheme or 'no scheme'} is not encrypted")
        elif name in OFFICIAL_HOSTS and host not in OFFICIAL_HOSTS[name]:
            strange.append(f"{name}: {host} is not the venue's ({', '.join(OFFICIAL_HOSTS[name])})")
    if bad := [*plain, *strange]:
        return fail("hosts", first_of(bad), "take the setting back to its default", details=bad[1:])
    practice = [name for name in local if name in _TRADING]
    if practice and len(practice) < len(_TRADING):
        rest = ", ".join(name for name in _TRADING if name not in practice)
        cause = f"{', '.join(practice)} are on this machine and {rest} at the venue"
        return fail("hosts", cause, "point all of them at one or at the other")
    if practice:
        return warn("hosts", "live mode against an exchange on this machine: practice", "no money is real there")
    return ok("hosts", "the venue's own, encrypted")


def metrics_port(port: int, taken: str) -> Check:
    """Whether metrics can be served.

    Args:
        port: wanted, on loopback; 0 for none.
        taken: why it cannot be had; "" when it can.
    """
    if not port:
        return ok("metrics-port", "switched off")
    if taken:
        cause = f"127.0.0.1:{port} cannot be used: {taken}"
        return warn("metrics-port", cause, "set METRICS_PORT to a free port, or to 0; a start goes on without metrics")
    return ok("metrics-port", f"127.0.0.1:{port} is free")


def control_socket(path: str, length: int, longest: int) -> Check:
    """Whether commands reach a session by its socket; a path too long is reached by way of a link.

    Args:
        path: of the socket.
        length: of it, bytes.
        longest: that a socket's address holds, bytes.
    """
    if length > longest:
        cause = f"its path has {length} bytes, more than {longest}: it is reached by way of a link"
        return warn("control-socket", cause, "set state_dir to a shorter path")
    return ok("control-socket", f"{path}")


def instance(holder: str, wallet_holders: Sequence[str]) -> Check:
    """Whether another session is at work (reliability.md 2.5, P17, P18).

    Args:
        holder: who holds the session's directory, in words; "" for nobody.
        wallet_holders: who trades with the wallet or its signer, in words.
    """
    if holder:
        step = "stop it, or set POLYMM_STATE_DIR to another place"
        return fail("instance", holder, step, InstanceError.exit_code, wallet_holders)
    if wallet_holders:
        cause = f"{wallet_holders[0]} trades with this wallet"
        return fail("instance", cause, "stop it, or use another wallet", InstanceError.exit_code)
    return ok("instance", "no other session is at work here")


def latch(record: LatchRecord | None) -> Check:
    """What the kill latch says (O07): a session may start killed, and quotes nothing until it is re-armed."""
    if record is None:
        return ok("latch", "none yet: the first start makes and arms it")
    if record.state == "killed":
        cause = f"killed by {record.by or 'nobody'}: {record.reason or 'no reason'}; a session would quote nothing"
        return warn("latch", cause, "after looking into it: `polymm-tui rearm --reason TEXT`")
    return ok("latch", f"armed, {_times(record.epoch)} so far")


def database(path: str, schema: int | None, newest: int, trouble: str) -> Check:
    """Whether ``mm_state.db`` can be used (reliability.md 2.6, S05, S07).

    Args:
        path: of the file.
        schema: of it; None when there is none.
        newest: that this program knows.
        trouble: why it cannot be read; "" when it can.
    """
    if trouble:
        step = "move the file away or repair it; it is left as it is"
        return fail("database", f"{path}: {trouble}", step, StoreError.exit_code)
    if schema is None:
        return ok("database", "none yet: the first start makes it")
    if schema > newest:
        cause = f"{path}: schema {schema} is newer than this program's {newest}"
        return fail("database", cause, "update the program", StoreError.exit_code)
    if schema < newest:
        return ok("database", f"schema {schema}: the start copies it and brings it to {newest}")
    return ok("database", f"schema {schema}")


def _size(count: int) -> str:
    """Bytes for people."""
    number, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
