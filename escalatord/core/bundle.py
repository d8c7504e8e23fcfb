"""A storm is one incident: when one more new incident is one too many, and what its bundle says of itself.

- More than `over` new incidents of a group, with the same values of its labels, within its window: the next one opens
  as the bundle, what follows joins it as long as the storm lasts. What is open already stays as it is.
- A bundle is an incident like any other: acks, tiers, the worst severity, a new alert in what is acked. One for each
  policy: the right people hear.
- Exceptions, policies that may not be bundled, and rules whose open incidents keep others quiet have incidents of
  their own.
- The likely cause is what a service of it depends on and that is in trouble itself; else a label that nearly all of its
  alerts share. It is a hint, and says why.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from escalatord.core.alert import Alert
from escalatord.core.draft import Draft
from escalatord.core.events import AlertFired, Member
from escalatord.core.grouping import bundle_key, group_of
from escalatord.core.incident import Bundle
from escalatord.core.noise import Group
from escalatord.core.rules import NO_TRAITS
from escalatord.core.units import format_duration
from escalatord.core.values import replace

SERVICES_MAX = 100
LABELS_MAX = 64
LABEL_CHARS_MAX = 64
SHARE_MIN = 0.8
ALERTS_MIN = 3
SAYS_NOTHING = frozenset({"alertname", "severity"})
"""Labels that most alerts of a storm share without it meaning anything."""


def group_for(groups: Sequence[Group], alert: Alert, traits: Mapping[str, tuple[str, ...]] = NO_TRAITS) -> Group | None:
    """Return the first group that an alert is in; None for one that has none of a group's labels."""
    for group in groups:
        has_one = any(alert.labels.get(name) for name in group.by)
        if has_one and (group.match is None or group.match.matches(alert.labels, traits)):
            return group
    return None


def is_storm(group: Group, begun: Sequence[datetime], now: datetime) -> bool:
    """Return whether one more new incident at `now`, after those `begun` before it, is one too many."""
    since = now - timedelta(seconds=group.window_seconds)
    return sum(1 for at in begun if at > since) >= group.over


def key_of(group: Group, alert: Alert, policy: str) -> str:
    """Return the key of the bundle that an alert belongs to under a policy."""
    return bundle_key((group.name, policy, *group_of(group.by, alert)))


def begin(event: AlertFired) -> Bundle | None:
    """Return the bundle that an alert opens, None when it opens an incident of its own."""
    member = event.member
    if member is None:
        return None
    group = member.group
    bundle = Bundle(
        group=group.name,
        by=tuple((name, member.labels.get(name, "")[:LABEL_CHARS_MAX]) for name in group.by),
        over=group.over,
        window_seconds=group.window_seconds,
    )
    return _with(bundle, member, 1)


def grow(draft: Draft, event: AlertFired) -> None:
    """Let a bundle know of one alert more; one that was in it a moment ago is counted already."""
    incident = draft.incident
    if incident.bundle is None or event.member is None or event.again:
        return
    bundle = _with(incident.bundle, event.member, incident.alerts)
    open_seconds = (draft.now - incident.opened_at).total_seconds()
    draft.incident = replace(incident, bundle=bundle, title=title_of(bundle, incident.alerts, open_seconds))


def title_of(bundle: Bundle, alerts: int, open_seconds: float, first: str = "") -> str:
    """Return what a bundle is called while it holds so many alerts; `first` is the title of the one that opened it."""
    where = place_of(bundle)
    if alerts == 1:
        within = format_duration(bundle.window_seconds)
        return f"Storm in {where}, over {bundle.over} new incidents in {within}, more will join here: {first}"
    within = format_duration(max(bundle.window_seconds, round(open_seconds)))
    cause = f", likely cause {bundle.cause}" if bundle.cause else f" in {where}"
    count = len(bundle.services)
    services = f" ({count}{'+' if count == SERVICES_MAX else ''} service{'' if count == 1 else 's'})" if count else ""
    return f"{alerts} new alerts in {within}{cause}{services}"


def place_of(bundle: Bundle) -> str:
    """Return where the storm is: the values of the group's labels in words."""
    return ", ".join(f"{name} {value}" for name, value in bundle.by if value)


def services_of(bundle: Bundle) -> list[tuple[str, int]]:
    """Return the services of a bundle and how many of its alerts each has, the most first."""
    return sorted(bundle.services.items(), key=lambda item: (-item[1], item[0]))


def _with(bundle: Bundle, member: Member, alerts: int) -> Bundle:
    service = member.labels.get("service", "")
    services = _counted(bundle.services, (service,) if service else (), SERVICES_MAX)
    taken = {*SAYS_NOTHING, *(name for name, _value in bundle.by)}
    pairs = (f"{name}={value}" for name, value in sorted(member.labels.items()) if name not in taken)
    labels = _counted(bundle.labels, [pair for pair in pairs if len(pair) <= LABEL_CHARS_MAX], LABELS_MAX)
    bundle = replace(bundle, services=services, labels=labels)
    if member.cause:
        why = f"{service} depends on {member.cause}, where {member.cause_label} is open"
        return replace(bundle, cause=member.cause, why=why)
    if "=" not in bundle.cause and bundle.cause:
        return bundle  # a dependency in trouble says more than any label
    pair, count = max(labels.items(), key=lambda item: item[1], default=("", 0))
    if alerts < ALERTS_MIN or count < SHARE_MIN * alerts:
        return replace(bundle, cause="", why="")
    return replace(bundle, cause=pair, why=f"{count} of {alerts} alerts have {pair}")


def _counted(counts: Mapping[str, int], names: Sequence[str], most: int) -> dict[str, int]:
    """Return counts with one more for each of `names`; names past the limit are left out."""
    found = dict(counts)
    for name in names:
        if name in found or len(found) < most:
            found[name] = found.get(name, 0) + 1
    return found
