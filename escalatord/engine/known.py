"""Bodies of which everything is known already: their repeats are answered without parsing or asking anything.

Most of what monitoring sends is a repeat, octet for octet. A body is remembered once a commit found nothing new in it,
and forgotten as soon as a commit changes one of its alerts, new rules come into force, or BODY_KNOWN_SECONDS have
passed: then it is looked at in full again, which also keeps `last_seen_at` near the truth.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from escalatord.core.alert import AlertStatus
from escalatord.engine.commands import Ingest
from escalatord.engine.relation import Place

BODY_KNOWN_SECONDS = 60.0
BODIES_KNOWN_MAX = 20_000
ANSWER_BYTES_MAX = 16 * 1024 * 1024
"""Of all remembered answers together."""
DIGEST_BYTES = 16


@dataclass(slots=True)
class KnownBody:
    """A body in which nothing was new: its alerts by status, what was answered ("" = not yet), until when it counts."""

    places: Sequence[Place]
    firing: int
    resolved: int
    until: float
    answer: bytes = b""


@dataclass(slots=True)
class KnownBodies:
    """What is remembered, by digest. Only the event loop touches it; instants are those of the monotonic clock."""

    _bodies: dict[bytes, KnownBody] = field(default_factory=dict)
    _by_place: dict[Place, set[bytes]] = field(default_factory=dict)
    _answer_bytes: int = 0

    def look_up(self, digest: bytes, at: float) -> KnownBody | None:
        """Return the body of that digest, with its answer, while it counts."""
        known = self._bodies.get(digest)
        if known is None or not known.answer:
            return None
        if at >= known.until:
            self._forget(digest)
            return None
        return known

    def remember(self, command: Ingest, at: float) -> None:
        """Take in a body of which a commit found everything known."""
        digest = command.digest
        if digest in self._bodies:
            self._forget(digest)
        elif len(self._bodies) >= BODIES_KNOWN_MAX:
            self._forget(next(iter(self._bodies)))
        firing = sum(alert.status is AlertStatus.FIRING for alert in command.alerts)
        places = [(alert.source, alert.fingerprint) for alert in command.alerts]
        until = at + BODY_KNOWN_SECONDS
        self._bodies[digest] = KnownBody(places, firing, len(places) - firing, until)
        for place in places:
            self._by_place.setdefault(place, set()).add(digest)

    def answered(self, digest: bytes, answer: bytes) -> None:
        """Keep what was answered to a body, where it is remembered and there is room."""
        known = self._bodies.get(digest)
        if known is None or known.answer:
            return
        while self._answer_bytes + len(answer) > ANSWER_BYTES_MAX and len(self._bodies) > 1:
            oldest = next(iter(self._bodies))
            if oldest == digest:
                break
            self._forget(oldest)
        if self._answer_bytes + len(answer) <= ANSWER_BYTES_MAX:
            known.answer = answer
            self._answer_bytes += len(answer)

    def forget(self, places: Iterable[Place]) -> None:
        """Forget every body that holds one of these alerts."""
        if self._bodies:
            for place in places:
                for digest in tuple(self._by_place.get(place, ())):
                    self._forget(digest)

    def clear(self) -> None:
        """Forget everything."""
        self._bodies.clear()
        self._by_place.clear()
        self._answer_bytes = 0

    def _forget(self, digest: bytes) -> None:
        known = self._bodies.pop(digest)
        self._answer_bytes -= len(known.answer)
        for place in set(known.places):
            digests = self._by_place[place]
            digests.discard(digest)
            if not digests:
                del self._by_place[place]


def digest_of(source: str, content_type: str, body: bytes) -> bytes:
    """Return what tells a body from every other: its octets, and what decides how they are read."""
    digest = blake2b(body, digest_size=DIGEST_BYTES)
    digest.update(f"\n{source}\n{content_type}".encode(errors="surrogateescape"))
    return digest.digest()
