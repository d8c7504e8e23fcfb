"""From what somebody asked by the API or a page to the event it means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from escalatord.core.alert import Severity
from escalatord.core.events import Ack, Mitigated, Note, PageNext, Resolve, Snooze, Unack
from escalatord.core.incident import Via
from escalatord.core.policy import Action
from escalatord.core.ruleset import Ruleset
from escalatord.core.units import parse_duration_seconds
from escalatord.engine.commands import HumanEvent, RaiseIncident
from escalatord.errors import BadInputError, EscalatordError
from escalatord.web.asking import flag_of, text_of
from escalatord.web.auth import Principal, Role

SNOOZE_SECONDS_MIN = 60.0
SNOOZE_SECONDS_MAX = 7 * 86400.0
NAMED_MAX = 20


class NotAllowedError(EscalatordError):
    """Somebody asked for what their role does not include."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Whose word it is, and how it came."""

    person: str
    via: Via


Content: TypeAlias = Mapping[str, object]


def speaker(principal: Principal, content: Content, via: Via) -> Speaker:
    """Return who speaks: the principal, or the `person` an admin speaks for."""
    person = text_of(content, "person")
    if person and person != principal.name and not principal.may(Role.ADMIN):
        raise NotAllowedError(f"{principal.name} may not speak for {person}; only an admin may speak for others.")
    return Speaker(person=person or principal.name, via=via)


def _ack(content: Content, who: Speaker) -> HumanEvent:
    epoch = content.get("epoch")
    if epoch is not None and not (isinstance(epoch, int) and not isinstance(epoch, bool)):
        raise BadInputError("E101", "/epoch", '"epoch" must be a whole number')
    return Ack(
        person=who.person,
        via=who.via,
        track=text_of(content, "track"),
        epoch=epoch,
        take_over=flag_of(content, "take_over"),
        join=flag_of(content, "join"),
    )


def _unack(content: Content, who: Speaker) -> HumanEvent:
    return Unack(person=who.person, via=who.via, track=text_of(content, "track"))


def _next(content: Content, who: Speaker) -> HumanEvent:
    return PageNext(person=who.person, via=who.via, track=text_of(content, "track"))


def _snooze(content: Content, who: Speaker) -> HumanEvent:
    try:
        seconds = parse_duration_seconds(text_of(content, "for", needed=True))
    except ValueError as error:
        raise BadInputError("E101", "/for", str(error)) from None
    if not SNOOZE_SECONDS_MIN <= seconds <= SNOOZE_SECONDS_MAX:
        raise BadInputError("E103", "/for", "a snooze lasts from 1m to 7d")
    return Snooze(person=who.person, via=who.via, seconds=seconds, track=text_of(content, "track"))


def _note(content: Content, who: Speaker) -> HumanEvent:
    done = text_of(content, "done")
    if done and done not in set(Action):
        raise BadInputError("E101", "/done", f'"done" must be one of {", ".join(Action)}')
    text = text_of(content, "text", needed=True)
    return Note(person=who.person, via=who.via, text=text, done=(Action(done),) if done else ())


def _mitigated(content: Content, who: Speaker) -> HumanEvent:
    return Mitigated(person=who.person, via=who.via, text=text_of(content, "text"))


def _resolve(content: Content, who: Speaker) -> HumanEvent:
    return Resolve(person=who.person, via=who.via, decision=text_of(content, "decision"))


VERBS: Mapping[str, Callable[[Content, Speaker], HumanEvent]] = {
    "ack": _ack,
    "unack": _unack,
    "next": _next,
    "snooze": _snooze,
    "note": _note,
    "mitigated": _mitigated,
    "resolve": _resolve,
}


def raising(ruleset: Ruleset, content: Content, who: Speaker) -> RaiseIncident:
    """Return the command that opens an incident by hand; raise BadInputError for names the rules do not know."""
    severity = text_of(content, "severity") or Severity.CRITICAL
    if severity not in set(Severity):
        raise BadInputError("E101", "/severity", f'"severity" must be one of {", ".join(reversed(Severity))}')
    policy = text_of(content, "policy")
    if policy and policy not in ruleset.policies:
        known = ", ".join(sorted(ruleset.policies)[:NAMED_MAX])
        raise BadInputError("E101", "/policy", f"there is no such policy; policies: {known}")
    return RaiseIncident(
        title=" ".join(text_of(content, "title", needed=True).split()),
        person=who.person,
        via=who.via,
        severity=Severity(severity),
        service=text_of(content, "service"),
        policy=policy,
    )
