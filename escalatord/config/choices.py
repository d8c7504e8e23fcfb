"""What is wrong with whom targets let through, and with what people write for themselves.

Errors: E031 a step of a personal plan never runs · E080 a filter that nobody at all passes · E081 a target whose
filters none of its people passes. Warnings: W091 a review that nobody would hear of.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from escalatord.config.load import Loaded
from escalatord.config.sections import Entry, suggestion
from escalatord.core.alert import SEVERITIES
from escalatord.core.personal_plan import added
from escalatord.core.policy import ContactPlan, FilterKind, Target, TargetFilter, TargetKind
from escalatord.core.presence import named_by, people_behind
from escalatord.core.roster import has_trait
from escalatord.core.ruleset import Ruleset
from escalatord.core.units import format_duration
from escalatord.errors import Finding

NOBODY: Mapping[FilterKind, str] = {
    FilterKind.SKILL: 'nobody has the skill "{word}"',
    FilterKind.LANGUAGE: 'nobody speaks "{word}"',
    FilterKind.REGION: 'nobody is in region "{word}"',
}


class _Paging(NamedTuple):
    """Targets, the plan by which their people are reached, how long that has, and what has it."""

    targets: tuple[Target, ...]
    plan: ContactPlan
    within_seconds: float
    what: str


def choices(loaded: Loaded) -> Iterator[Finding]:
    """Yield what is wrong with filters, personal plans and the owners of reviews."""
    yield from _filters(loaded)
    yield from _own_plans(loaded)
    yield from _reviews(loaded)


def _filters(loaded: Loaded) -> Iterator[Finding]:
    for entry, at, target in _targets(loaded):
        unknown = [asked for asked in target.filters if not _passed_by_any(loaded.ruleset, asked)]
        for asked in unknown:
            known = _words(loaded.ruleset, asked.kind)
            yield entry.find("E080", NOBODY[asked.kind].format(word=asked.word), *at, fix=suggestion(asked.word, known))
        named = target.kind is TargetKind.ROLE or bool(named_by(target, loaded.ruleset))
        if target.filters and not unknown and named and not people_behind((target,), loaded.ruleset):
            filters = " & ".join(map(str, target.filters))
            say = f"none of {target.kind} {target.name} passes: {filters}"
            yield entry.find("E081", say, *at, fix="ask for less, or give the skill to somebody there")


def _targets(loaded: Loaded) -> Iterator[tuple[Entry, tuple[str | int, ...], Target]]:
    """Yield every target that may have filters, with its entry and its place there."""
    for entry in loaded.sections.valid("policies"):
        for name, track in entry.part.tracks.items():
            for number, tier in enumerate(track.tiers):
                for key, targets in (("page", tier.page), ("backup", tier.backup)):
                    for index, target in enumerate(targets):
                        yield entry, ("tracks", name, "tiers", number, key, index), target
        for index, target in enumerate(entry.part.last_resort.page):
            yield entry, ("last_resort", "page", index), target
    for entry in loaded.sections.valid("roles"):
        for index, target in enumerate(entry.part.holders):
            yield entry, ("holders", index), target


def _passed_by_any(ruleset: Ruleset, asked: TargetFilter) -> bool:
    return any(has_trait(person, asked) for person in ruleset.people.values())


def _words(ruleset: Ruleset, kind: FilterKind) -> Sequence[str]:
    """Return every word that a filter of this kind could ask for."""
    people = ruleset.people.values()
    match kind:
        case FilterKind.SKILL:
            words = {skill for person in people for skill in person.skills}
        case FilterKind.LANGUAGE:
            words = {language for person in people for language in person.languages}
        case _:
            words = {person.region for person in people} - {""}
    return sorted(words)


def _own_plans(loaded: Loaded) -> Iterator[Finding]:
    """Yield steps that somebody's own plan adds and that some tier would cut off, once for each person and plan."""
    told: set[tuple[str, str]] = set()
    for paging in _pagings(loaded.ruleset):
        for name in sorted(people_behind(paging.targets, loaded.ruleset)):
            own = loaded.ruleset.people[name].plans.get(paging.plan.name)
            if own is None or (name, own.name) in told:
                continue
            for step in added(paging.plan.steps, own.steps):
                if step.after_seconds >= paging.within_seconds:
                    told.add((name, own.name))
                    say = (
                        f'{step.by} after {format_duration(step.after_seconds)} in plan "{own.name}" of {name} never '
                        f"runs: {paging.what} ends after {format_duration(paging.within_seconds)}"
                    )
                    entry = loaded.sections.entries["people"][name]
                    fix = "give the tier more time, or the step less"
                    yield entry.find("E031", say, "plans", own.name, fix=fix, key=True)
                    break


def _pagings(ruleset: Ruleset) -> Iterator[_Paging]:
    """Yield every tier as it is, and as it is for each severity that changes it."""
    for policy in ruleset.policies.values():
        for track in policy.tracks:
            for number, tier in enumerate(track.tiers, start=1):
                what = f'tier {number} of "{policy.name}" {track.name}'
                targets = (*tier.page, *tier.backup)
                yield _Paging(targets, tier.plan, tier.within_seconds, what)
                for severity in SEVERITIES:
                    override = policy.override(track, severity)
                    if override is not None:
                        within = override.within_seconds or tier.within_seconds
                        yield _Paging(targets, override.plan or tier.plan, within, f"{what} when {severity}")


def _reviews(loaded: Loaded) -> Iterator[Finding]:
    ruleset = loaded.ruleset
    for rule in ruleset.thresholds:
        policy = ruleset.policies.get(rule.policy or ruleset.unmatched.policy)
        if rule.review_by and not rule.owner and (policy is None or policy.owner is None):
            entry = loaded.sections.entries["thresholds"][rule.name]
            say = f'nobody is told when the review of "{rule.name}" is overdue: neither it nor its policy has an owner'
            yield entry.find("W091", say, "review_by", fix="add owner: team X or person X")
