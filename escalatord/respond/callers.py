"""Who is speaking, and which pages they can mean.

The verified number (or chat account) says who; the code says which page. A number that several people share is all of
them until a code tells which.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from escalatord.core.incident import Incident, State, TimerKind, Track, TrackState
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import Ruleset, World
from escalatord.engine.absences import AWAY_SETTING, away_from
from escalatord.engine.page_counts import counted
from escalatord.respond import Reader
from escalatord.store.rows import CodeRow

CLIMBING = (TrackState.RUNNING, TrackState.LAST_RESORT)
MASKED_DIGITS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedPage:
    """A page that a person can answer by its code; `released` says that its incident closed less than 24 h ago."""

    person: str
    code: str
    incident: Incident
    track: Track
    released: bool = False

    @property
    def waits(self) -> bool:
        """Return whether it still wants an answer from this person: un-acked, or theirs and asked about."""
        if self.released or self.incident.state is State.RESOLVED:
            return False
        if self.track.state is TrackState.ACKNOWLEDGED:
            asked = any(t.kind is TimerKind.ACK_EXPIRY and t.track == self.track.name for t in self.incident.timers)
            return asked and self.track.owner == self.person
        return self.track.state in CLIMBING and self.person not in self.track.acks

    @property
    def live(self) -> bool:
        """Return whether its incident is not over."""
        return not self.released and self.incident.state is not State.RESOLVED


def find_by_number(ruleset: Ruleset, number: str, kinds: Collection[ChannelKind]) -> list[tuple[str, str]]:
    """Return (person, address key) for everyone whose address in a channel of these kinds is `number` (E.164)."""
    keys = {spec.address_key for spec in ruleset.channels.values() if spec.kind in kinds and spec.address_key}
    wanted = plain_number(number)
    if not wanted:
        return []
    return [
        (person.id, key)
        for person in ruleset.people.values()
        for key in sorted(keys)
        if plain_number(person.addresses.get(key, "")) == wanted
    ]


def find_by_account(ruleset: Ruleset, account: str) -> list[str]:
    """Return the people whose account in a chat channel is `account`; none for an empty one."""
    keys = {
        spec.address_key for spec in ruleset.channels.values() if spec.kind is ChannelKind.CHAT and spec.address_key
    }
    found = (
        who.id for who in ruleset.people.values() if account and account in {who.addresses.get(key) for key in keys}
    )
    return list(found)


def plain_number(number: str) -> str:
    """Return a phone number as `+` and digits, "" when it has none."""
    digits = "".join(c for c in number if c.isascii() and c.isdigit())
    return f"+{digits}" if digits else ""


def masked(address: str) -> str:
    """Return an address as it may be written down: its last two characters."""
    return f"…{address[-MASKED_DIGITS:]}" if len(address) > MASKED_DIGITS else "…"


def pages_of(tx: Reader, people: Sequence[str], now: datetime) -> list[CodedPage]:
    """Return every page that these people's codes stand for, the oldest incident first."""
    rows = [row for person in people for row in tx.codes_of(person, now)]
    incidents = tx.load({row.incident for row in rows})
    found = [_page(row, incidents[row.incident]) for row in rows if row.incident in incidents]
    return sorted(found, key=lambda page: (page.incident.number, page.code))


def track_meant(incident: Incident, person: str, hint: str) -> Track:
    """Return the track an answer is about: where the person is being paged now, else the hinted one, else the first."""
    for track in incident.tracks:
        if track.state in CLIMBING and is_paged(track, person):
            return track
    return incident.track(hint) or incident.main


def is_paged(track: Track, person: str) -> bool:
    """Return whether the person is being paged in the track."""
    return any(page.person == person for page in track.pages)


def epoch_for(track: Track, person: str) -> int:
    """Return the epoch of the message that the person can be answering: the present one, or an older one."""
    is_theirs = is_paged(track, person) or person in (track.owner, *track.acks)
    return track.epoch if is_theirs else track.epoch - 1


def world_of(tx: Reader, incident: Incident, ruleset: Ruleset, now: datetime) -> World:
    """Return the world in which an incident lives."""
    policies = tx.policies({track.policy for track in incident.tracks})
    return World(
        ruleset=ruleset,
        policies=policies,
        overrides=tuple(tx.overrides(now)),
        unreachable=tx.unreachable(),
        away=away_from(tx.settings(AWAY_SETTING), now),
        paged=counted(tx, policies.values(), now),
    )


def _page(row: CodeRow, incident: Incident) -> CodedPage:
    return CodedPage(
        person=row.person,
        code=row.code,
        incident=incident,
        track=track_meant(incident, row.person, row.track),
        released=row.released_at is not None,
    )
