"""Whom of its people a tier pages, in which order, and by whose plan.

- Candidates are those who stand behind the tier's targets and pass their filters; when there is nobody, its backup's.
- With `prefer` only the first `pick` of them are paged. The others stand in, in their order, as soon as none of those
  who were paged can be reached: the next tier is for those who do not answer.
- Who keeps a contact plan of their own is reached by it where it is stricter than the tier's (see `personal_plan`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from escalatord.core.draft import Draft
from escalatord.core.incident import Track
from escalatord.core.personal_plan import merged
from escalatord.core.policy import ContactPlan, Tier, channels_of
from escalatord.core.roster import Candidate, Resolved, preferred, resolve
from escalatord.core.values import replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Whom to page now, who stands in for them, who else was looked at and why not; `facts` are for the journal."""

    people: tuple[Candidate, ...]
    others: tuple[Candidate, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()
    preferred: tuple[tuple[str, int], ...] = ()

    @property
    def facts(self) -> dict[str, object]:
        """Return what the journal should know of the choice: nothing where there was none to make."""
        found: dict[str, object] = {}
        if self.rejected:
            found["rejected"] = [list(pair) for pair in self.rejected]
        if self.preferred:
            found["preferred"] = [list(pair) for pair in self.preferred]
        return found


def choose(draft: Draft, tier: Tier, channels: Sequence[str], spared: str = "") -> Chosen:
    """Return whom a tier pages now by a plan of `channels`; not the one whose own delay it climbs for (`spared`)."""
    found = _spare(resolve(tier.page, draft.world, draft.now, channels), spared)
    rejected = found.rejected
    if not found.people and tier.backup:
        found = _spare(resolve(tier.backup, draft.world, draft.now, channels), spared)
        rejected = tuple(dict.fromkeys((*rejected, *found.rejected)))
    return _picked(draft, tier, Resolved(people=found.people, rejected=rejected))


def stand_ins(draft: Draft, track: Track, tier: Tier, channels: Sequence[str]) -> tuple[Candidate, ...]:
    """Return who is paged next when none of those whom a choosing tier has paged can be reached."""
    if tier.prefer is None:
        return ()
    tried = {page.person for page in track.pages}
    chosen = choose(draft, tier, channels, track.spared)
    return tuple(one for one in (*chosen.people, *chosen.others) if one.person not in tried)[: tier.pick]


def by_own_plan(draft: Draft, candidate: Candidate, plan: ContactPlan) -> Candidate:
    """Return the candidate with the steps and channels of their own plan, if they keep one beside `plan`."""
    person = draft.world.ruleset.people.get(candidate.person)
    own = person.plans.get(plan.name) if person is not None else None
    if own is None:
        return candidate
    steps = merged(plan.steps, own.steps)
    usable = {spec.name for spec in draft.usable_by(candidate.person)}
    channels = tuple(name for name in channels_of(steps) if name in usable)
    return replace(candidate, plan=steps, channels=channels or candidate.channels)


def _spare(found: Resolved, spared: str) -> Resolved:
    if not spared:
        return found
    return replace(found, people=tuple(one for one in found.people if one.person != spared))


def _picked(draft: Draft, tier: Tier, found: Resolved) -> Chosen:
    if tier.prefer is None:
        return Chosen(people=found.people, rejected=found.rejected)
    people = preferred(found.people, tier.prefer, draft.world)
    return Chosen(
        people=people[: tier.pick],
        others=people[tier.pick :],
        rejected=found.rejected,
        preferred=tuple((one.person, draft.world.paged.get(one.person, 0)) for one in people),
    )
