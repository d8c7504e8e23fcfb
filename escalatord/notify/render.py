"""From a claimed outbox row to the message a channel sends: everything it says is true now.

Rendering never stops a page: whatever goes wrong in the wording, a plain built-in text with what is known goes out.
"""

from datetime import datetime

from escalatord.core.gsm7 import to_gsm7
from escalatord.core.incident import Incident, TimerKind
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.core.ruleset import World
from escalatord.core.telling import Handles, Words, tell
from escalatord.core.tokens import right_number
from escalatord.core.wording import compose
from escalatord.engine.commands import Claimed
from escalatord.notify.channel import Message

PLAIN_CHARACTERS_MAX = 60
VALIDITY_SECONDS_MIN = 60.0
VALIDITY_SECONDS_MAX = 14_400.0
VALIDITY_SECONDS_DEFAULT = 900.0
MATCHED_KINDS = (ChannelKind.CHAT, ChannelKind.MAIL)


def render(claimed: Claimed, spec: ChannelSpec, world: World, now: datetime, external_url: str) -> tuple[Message, bool]:
    """Return the message for a row, and whether its wording had to fall back to the built-in text."""
    row, incident = claimed.row, claimed.incident
    link = f"{external_url}/a/{claimed.link_token}" if claimed.link_token else ""
    number = right_number(claimed.link_token) if link and spec.kind in MATCHED_KINDS else 0
    handles = Handles(code=claimed.code, link=link, number=number)
    person = world.ruleset.people.get(row.person)
    try:
        words, fell_back = compose(tell(row, incident, world, now, handles), spec.kind), False
    except (ValueError, KeyError, TypeError, ArithmeticError, LookupError, AttributeError):
        words, fell_back = plain_words(incident, handles), True
    message = Message(
        reference=row.reference,
        kind=row.kind,
        incident=incident.number,
        incident_label=incident.label,
        severity=incident.severity,
        person=row.person,
        person_name=person.name if person else row.person,
        address=person.addresses.get(spec.address_key, "") if person else "",
        title=words.title,
        text=words.text,
        speech=words.speech,
        language=person.languages[0] if person and person.languages else "en",
        code=claimed.code,
        link=link,
        number=number,
        thread=claimed.thread,
        epoch=row.epoch,
        track=row.track,
        confidential=incident.confidential,
        validity_seconds=_validity_seconds(incident, row.track, now),
        facts={} if incident.confidential else facts_of(incident),
        provider_id=row.provider_id,
        since=row.due_at,
    )
    return message, fell_back


def plain_words(incident: Incident, handles: Handles) -> Words:
    """Return what is said when the wording itself is broken: severity, service, title, code and link, nothing else."""
    what = "confidential case" if incident.confidential else incident.title[:PLAIN_CHARACTERS_MAX]
    service = "" if incident.confidential else f" {incident.service[:20]}"
    first = to_gsm7(f"{incident.severity.value.upper()} {handles.code}{service}: {what}".replace("\n", " "))
    answer = f"Reply {handles.code} to ack" if handles.code else ""
    text = "\n".join(part for part in (first, answer, handles.link) if part)
    speech = (f"Severity {incident.severity.value}.", "Press 4 if you have it. Press 8 to pass it on.")
    return Words(title=first, text=text, speech=speech)


def facts_of(incident: Incident) -> dict[str, object]:
    """Return the incident's facts for machines (webhooks): shapes as in the API."""
    return {
        "number": incident.number,
        "label": incident.label,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "title": incident.title,
        "summary": incident.summary,
        "service": incident.service,
        "policy": incident.policy,
        "source": incident.source,
        "opened_at": incident.opened_at.isoformat(),
        "acknowledged_by": incident.acknowledged_by,
        "alerts": incident.alerts,
        "links": dict(incident.links),
    }


def _validity_seconds(incident: Incident, track: str, now: datetime) -> float:
    """Return how long the message is worth delivering: about as long as its tier has (a late SMS is a wrong SMS)."""
    ends = [t.at for t in incident.timers if t.track == track and t.kind is TimerKind.TIER_DEADLINE]
    seconds = (min(ends) - now).total_seconds() if ends else VALIDITY_SECONDS_DEFAULT
    return min(max(seconds, VALIDITY_SECONDS_MIN), VALIDITY_SECONDS_MAX)
