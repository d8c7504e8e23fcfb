"""From a claimed outbox row to the message a channel sends: everything it says is true now.

Rendering never stops a page: a tier's template that fails falls back to the built-in text, and whatever goes wrong in
that, a plain text with what is known goes out. A confidential case is never told by a template.
"""

from dataclasses import dataclass
from datetime import datetime

from escalatord.core.gsm7 import to_gsm7
from escalatord.core.incident import Incident, TimerKind
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.core.rules import AlertRecord
from escalatord.core.ruleset import World
from escalatord.core.telling import Handles, Telling, Words, tell
from escalatord.core.template import LANGUAGE_DEFAULT, Template, template_of, wording_for
from escalatord.core.template_values import Material, measured
from escalatord.core.tokens import right_number
from escalatord.core.wording import compose
from escalatord.core.wording_digest import Item, digest_words
from escalatord.engine.commands import Claimed
from escalatord.notify.channel import Message
from escalatord.notify.forecaster import Forecaster
from escalatord.templating.budget import TemplateFailedError
from escalatord.templating.words import words_of

PLAIN_CHARACTERS_MAX = 60
VALIDITY_SECONDS_MIN = 60.0
VALIDITY_SECONDS_MAX = 14_400.0
VALIDITY_SECONDS_DEFAULT = 900.0
MATCHED_KINDS = (ChannelKind.CHAT, ChannelKind.MAIL)
WRONG = (ValueError, KeyError, TypeError, ArithmeticError, LookupError, AttributeError)
"""What a mistake of ours in the wording can raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Words that were not to be had: of which template ("" = the built-in ones), which text of it, and why."""

    template: str
    wording: str = ""
    why: str


def worded_by(claimed: Claimed, spec: ChannelSpec, world: World) -> str:
    """Return the name of the template that is to word a message, "" for the built-in words."""
    row, incident = claimed.row, claimed.incident
    track = incident.track(row.track) or incident.main
    policy = world.policies.get(track.policy)
    if claimed.also or incident.confidential or policy is None or policy.confidential:
        return ""
    if spec.kind is ChannelKind.WEBHOOK:
        return ""
    name = template_of(policy, track.name, row.tier)
    template = world.ruleset.templates.get(name)
    return "" if template is not None and row.kind not in template.notices else name


class Renderer:
    """Makes messages whose links lead to `external_url`."""

    def __init__(self, external_url: str) -> None:
        self._external_url = external_url.rstrip("/")
        self._foresee = Forecaster().next_tier

    def render(
        self, claimed: Claimed, spec: ChannelSpec, world: World, now: datetime, alert: AlertRecord | None = None
    ) -> tuple[Message, Fallback | None]:
        """Return the message for a row, and what its words had to fall back from (None = nothing).

        `alert` is the worst one of the incident, for templates; None = not known.
        """
        row, incident = claimed.row, claimed.incident
        link = f"{self._external_url}/a/{claimed.link_token}" if claimed.link_token else ""
        number = right_number(claimed.link_token) if link and spec.kind in MATCHED_KINDS else 0
        handles = Handles(code=claimed.code, link=link, number=number)
        person = world.ruleset.people.get(row.person)
        language = LANGUAGE_DEFAULT
        fallback = None
        try:
            words = None
            name = worded_by(claimed, spec, world)
            if claimed.also:
                items = [Item(kind=told.row.kind, incident=told.incident) for told in claimed.also]
                words = digest_words(items, handles, spec.kind)
            elif name:
                telling = tell(row, incident, world, now, handles, self._foresee)
                words, language, fallback = _by_template(name, spec.kind, world, telling, alert)
            words = words or compose(tell(row, incident, world, now, handles, self._foresee), spec.kind)
        except WRONG as error:
            words, fallback = plain_words(incident, handles), Fallback(template="", why=type(error).__name__)
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
            language=language,
            code=claimed.code,
            # a text is found again by the link in it; one that does not show it is not to be looked for by it
            link=link if spec.kind is not ChannelKind.SMS or link in words.text else "",
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
        return message, fallback


def _by_template(
    name: str, kind: ChannelKind, world: World, telling: Telling, alert: AlertRecord | None
) -> tuple[Words | None, str, Fallback | None]:
    """Return the words of a template and their language; None, and why if that is a failure, for the built-in ones."""
    template: Template | None = world.ruleset.templates.get(name)
    if template is None:
        return None, LANGUAGE_DEFAULT, Fallback(template=name, why="it is no longer in the rules")
    reader = world.ruleset.people.get(telling.person)
    wording = wording_for(template, kind, reader.languages if reader else ())
    if wording is None:
        return None, LANGUAGE_DEFAULT, None
    place = f"{kind.value} {wording.language}"
    try:
        material = Material(telling=telling, alert=alert, facts=measured(alert, world.ruleset, telling.now))
        words = words_of(wording, template.audience, kind, material)
    except TemplateFailedError as error:
        place = f"{place} {error.part}".strip() + (f", line {error.line}" if error.line else "")
        return None, LANGUAGE_DEFAULT, Fallback(template=name, wording=place, why=error.say)
    except WRONG as error:
        return None, LANGUAGE_DEFAULT, Fallback(template=name, wording=place, why=type(error).__name__)
    return words, wording.language, None


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
