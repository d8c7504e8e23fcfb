"""When a rule's date of review has passed: who hears of it, when, and in what order.

- Told at nine in the morning of the first day after the date, in the zone of whoever is told first; what is found
  overdue only now waits for the next office hour. It is a matter of a week, not of a night: mail first, then chat, then
  a text, a call only to those who have nothing else.
- First its owner (else that of its policy); a week later the owner of its policy; then that one again each week, until
  the date is set anew or the rule is gone.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256

from escalatord.core.alert import Severity
from escalatord.core.policy import (
    ContactPlan,
    LastResort,
    PlanStep,
    Policy,
    Target,
    TargetKind,
    Tier,
    TrackKind,
    TrackPolicy,
)
from escalatord.core.roster import ChannelKind
from escalatord.core.rules import ThresholdRule
from escalatord.core.ruleset import Ruleset
from escalatord.core.values import replace
from escalatord.core.wallclock import instant, next_clock, to_local

REVIEW_POLICY = "escalatord/review"
"""No policy of the rules can be called so."""
WEEK_SECONDS = 7 * 86400.0
MORNING_HOUR = 9
EVENING_HOUR = 17
CALM = (ChannelKind.MAIL, ChannelKind.CHAT, ChannelKind.SMS)
PLAN = "calm"
HASH_DIGITS = 16


def told_of(rule: ThresholdRule, ruleset: Ruleset) -> tuple[Target, ...]:
    """Return who is told that the review of a rule is overdue, in order, a week apart; () when nobody is known."""
    policy = ruleset.policies.get(rule.policy or ruleset.unmatched.policy)
    owners = (_target(rule.owner), policy.owner if policy is not None else None)
    return tuple(dict.fromkeys(owner for owner in owners if owner is not None))


def due_at(rule: ThresholdRule, ruleset: Ruleset, now: datetime) -> datetime | None:
    """Return when its owner is to be told of the review of a rule, at `now` or later; None when never."""
    owners = told_of(rule, ruleset)
    if not rule.review_by or not owners:
        return None
    zone = next(_zones(owners[:1], ruleset), "UTC")
    day = date.fromisoformat(rule.review_by) + timedelta(days=1)
    wanted = instant(datetime(day.year, day.month, day.day, MORNING_HOUR), zone, later=False)  # noqa: DTZ001 - wall time
    if wanted >= now:
        return wanted
    return now if MORNING_HOUR <= to_local(now, zone).hour < EVENING_HOUR else next_clock(now, zone, MORNING_HOUR)


def policy_for(rule: ThresholdRule, ruleset: Ruleset) -> Policy:
    """Return by what policy the owners of a rule are told; ValueError when nobody is known."""
    owners = told_of(rule, ruleset)
    if not owners:
        raise ValueError(f"nobody answers for {rule.name}")
    plan = _calm(ruleset)
    tiers = tuple(
        Tier(name="owner" if not number else "policy owner", page=(owner,), within_seconds=WEEK_SECONDS, plan=plan)
        for number, owner in enumerate(owners)
    )
    ladder = TrackPolicy(name="stakeholder", kind=TrackKind.STAKEHOLDER, tiers=tiers)
    policy = Policy(
        name=REVIEW_POLICY,
        owner=owners[-1],
        tracks=(ladder,),
        last_resort=LastResort(page=(owners[-1],), plan=plan, every_seconds=WEEK_SECONDS),
        ack_hold_seconds=dict.fromkeys(Severity, WEEK_SECONDS),
    )
    return replace(policy, hash=sha256(repr(policy).encode()).hexdigest()[:HASH_DIGITS])


def _calm(ruleset: Ruleset) -> ContactPlan:
    """Return a plan of one step: the calmest channel there is, the others when it fails."""
    named = [spec.name for kind in CALM for spec in ruleset.channels.values() if spec.kind is kind]
    first, *others = named or list(ruleset.channels)
    return ContactPlan(name=PLAN, steps=(PlanStep(by=first, if_failed=tuple(others)),))


def _target(text: str) -> Target | None:
    kind, _, name = text.partition(" ")
    return Target(TargetKind(kind), name) if name else None


def _zones(owners: Iterable[Target], ruleset: Ruleset) -> Iterator[str]:
    for owner in owners:
        names = (owner.name,) if owner.kind is TargetKind.PERSON else ruleset.teams.get(owner.name, ())
        yield from (ruleset.people[name].timezone for name in names if name in ruleset.people)
