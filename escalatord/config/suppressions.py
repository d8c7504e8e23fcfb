"""Maintenance windows and inhibitions: built, refused where they cannot be, doubted where they look like a mistake.

Warnings: W080 a window is over · W081 it matches everything · W082 it never closes · W084 what it matches starts a
statutory clock, which nothing suppresses. (W083 needs recorded alerts.)
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from escalatord.config.criteria import NAMED_IN_OPEN
from escalatord.config.schema_suppress import SuppressPart
from escalatord.config.sections import Entry, Sections, suggestion
from escalatord.core.alert import Alert
from escalatord.core.contradictions import contradiction
from escalatord.core.mutes import Filed, Inhibit, Maintenance, Span, Weekly
from escalatord.core.policy import Target, TargetKind, TrackKind
from escalatord.core.ruleset import Ruleset
from escalatord.core.wallclock import parse_when
from escalatord.errors import Finding

MAINTENANCE_DAYS_MAX = 30
WEEK = timedelta(days=7)
FIX_TIME = 'write it like "2026-10-10 22:00"'


def mute(number: int, part: SuppressPart) -> Filed:
    """Return the window or inhibition that an entry describes; `number` counts entries from 1."""
    by = _who(part.by)
    if part.kind == "inhibit":
        assert part.when is not None and part.mute is not None  # noqa: S101, PT018 - the schema has seen to it
        return Inhibit(
            number=number,
            when=part.when,
            mute=part.mute,
            why=part.why,
            by=by,
            apply_to_open=part.apply_to_open,
        )
    assert part.match is not None  # noqa: S101 - as above
    hours = tuple(part.every or ())
    return Maintenance(
        number=number,
        match=part.match,
        once=None if hours else _span(part),
        every=Weekly(hours=hours, timezone=part.timezone) if hours else None,
        why=part.why,
        by=by,
        apply_to_open=part.apply_to_open,
    )


def check(sections: Sections) -> Iterator[Finding]:
    """Yield why windows and inhibitions cannot be."""
    known = sorted({name for section in NAMED_IN_OPEN for name in sections.entries[section]})
    for entry in sections.valid("suppress"):
        part: SuppressPart = entry.part
        if part.when is not None and part.when not in known and not sections.broken:
            fix = suggestion(part.when, known)
            yield entry.find("E020", f'there is no rule or policy "{part.when}"', "when", fix=fix)
        if part.from_ is not None:
            yield from _once(entry, part)


def doubts(sections: Sections, ruleset: Ruleset, now: datetime) -> Iterator[Finding]:
    """Yield what looks like a mistake at the instant `now`, and (E064) what nothing can match."""
    clocks = _clocks(ruleset)
    for entry, each in zip(sections.valid("suppress"), ruleset.suppress, strict=True):
        at = "mute" if isinstance(each, Inhibit) else "match"
        label = contradiction(each.match)
        if label:
            say = f"no alert can match this: no value of {label} fits all that is asked of it"
            yield entry.find("E064", say, at, fix="one label has one value: join what may be with |")
        if each.match.matches({}) and not (isinstance(each, Inhibit) and each.mute.holes):
            say = "every alert without such labels matches this"
            yield entry.find("W081", say, at, fix='name what is meant, like service="checkout"')
        if isinstance(each, Maintenance):
            yield from _times(entry, each, now)
            for service, policy in clocks.items():
                if each.match.matches({"service": service}, ruleset.services[service].traits):
                    say = f'alerts of "{service}" that start the compliance track of "{policy}" page all the same'
                    yield entry.find("W084", say, at, fix="match other alerts, or plan with being paged")


def missing_labels(sections: Sections, ruleset: Ruleset, recorded: Mapping[str, Alert]) -> Iterator[Finding]:
    """Yield (W083) labels of a cause that none of the recorded alerts has which its rule matches."""
    rules = {rule.name: rule.match for rule in ruleset.thresholds}
    rules |= {rule.name: rule.match for rule in ruleset.exceptions}
    for entry, each in zip(sections.valid("suppress"), ruleset.suppress, strict=True):
        match = rules.get(each.when) if isinstance(each, Inhibit) else None
        if not isinstance(each, Inhibit) or match is None:
            continue
        causes = [alert for alert in recorded.values() if match.matches(alert.labels)]
        for label in each.mute.labels if causes else ():
            if not any(label in alert.labels for alert in causes):
                say = f'no recorded alert that "{each.when}" matches has a label "{label}"'
                yield entry.find("W083", say, "mute", fix=suggestion(label, sorted(_labels(causes))))


def _times(entry: Entry, window: Maintenance, now: datetime) -> Iterator[Finding]:
    if window.once is not None and window.once.end <= now:
        yield entry.find("W080", "this window is over", "to", fix="delete it")
    spans = window.spans(now)
    if window.every is not None and any(span.end - span.start >= WEEK for span in spans):
        yield entry.find("W082", "this window never closes", "every", fix="leave some time in which alerts page")


def _once(entry: Entry, part: SuppressPart) -> Iterator[Finding]:
    whole = True
    for key, text in (("from", part.from_), ("to", part.to)):
        try:
            parse_when(text or "", part.timezone)
        except ValueError as error:
            whole = False
            yield entry.find("E024", str(error), key, fix=FIX_TIME)
    if not whole:
        return
    span = _span(part)
    if span.start >= span.end:
        yield entry.find("E024", "this window ends before it begins", "to", fix="give a later end")
    elif span.end - span.start > timedelta(days=MAINTENANCE_DAYS_MAX):
        say = f"a window lasts at most {MAINTENANCE_DAYS_MAX} days"
        yield entry.find("E007", say, "to", fix="what is off for longer should not send alerts: mend its source")


def _span(part: SuppressPart) -> Span:
    """Return the instants of a window that comes once; of a time that happens twice the longer one counts."""
    return Span(parse_when(part.from_ or "", part.timezone), parse_when(part.to or "", part.timezone, later=True))


def _who(by: Target) -> str:
    return by.name if by.kind is TargetKind.PERSON else str(by)


def _clocks(ruleset: Ruleset) -> dict[str, str]:
    """Return the services whose incidents start a statutory clock, each with the policy that does it."""
    found = {}
    for service in ruleset.services:
        for name in ruleset.policies_of_regimes(service):
            if any(track.kind is TrackKind.COMPLIANCE for track in ruleset.policies[name].tracks):
                found[service] = name
    return found


def _labels(alerts: Iterable[Alert]) -> set[str]:
    return {label for alert in alerts for label in alert.labels}
