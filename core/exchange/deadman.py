"""The venue's heartbeat: once armed, silence cancels every order of the API key (polymarket-api.md 4.3)."""

import hashlib
import uuid
from typing import Final

import msgspec

PATIENCE_MS: Final = 10_000
"""An armed key whose last accepted beat is older loses its orders."""
SWEEP_MS: Final = 5_000
"""How often the sweeper looks."""


class _Pulse(msgspec.Struct):
    expected: str
    beat_ms: int


class Deadman:
    """Heartbeat state of every API key. There is no disarming."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0
        self._pulses: dict[str, _Pulse] = {}

    def beat(self, api_key: str, heartbeat_id: str, now_ms: int) -> tuple[bool, str]:
        """Take a beat. Returns whether it was accepted, and the id expected next.

        The first beat of a key is accepted with an empty id; later ones must carry the id last returned.
        """
        pulse = self._pulses.get(api_key)
        expected = pulse.expected if pulse else ""
        if heartbeat_id != expected:
            return False, expected
        self._count += 1
        digest = hashlib.sha256(f"heartbeat/{self._seed}/{self._count}".encode()).digest()
        fresh = str(uuid.UUID(bytes=digest[:16], version=4))
        self._pulses[api_key] = _Pulse(expected=fresh, beat_ms=now_ms)
        return True, fresh

    def armed(self) -> list[str]:
        """The keys that ever beat."""
        return list(self._pulses)

    def silent(self, now_ms: int) -> list[str]:
        """The armed keys that have been silent for too long."""
        return [key for key, pulse in self._pulses.items() if now_ms - pulse.beat_ms > PATIENCE_MS]
