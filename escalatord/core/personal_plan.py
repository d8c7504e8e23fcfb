"""A person's own contact plan beside the company's: the stricter wins.

Stricter is said channel by channel: by no channel is anybody told later, or less often, than the company's plan says.
The first step by a channel comes as early as the earlier of the two first ones, the second as the earlier of the second
ones, and so on; what only one of the two plans has stays. A step's fallbacks are the company's, then the person's.

The company's steps keep their places, so that what is known of a page's steps stays true; further ones follow them.
"""

from collections.abc import Sequence

from escalatord.core.policy import PlanStep
from escalatord.core.values import replace


def merged(company: Sequence[PlanStep], own: Sequence[PlanStep]) -> tuple[PlanStep, ...]:
    """Return the steps by which a person is reached who keeps a plan of their own."""
    steps = list(company)
    for channel in dict.fromkeys(step.by for step in own):
        # the n-th of one plan belongs to the n-th of the other, in order of time
        places = sorted(
            (place for place, step in enumerate(company) if step.by == channel), key=lambda p: company[p].after_seconds
        )
        wanted = sorted((step for step in own if step.by == channel), key=lambda step: step.after_seconds)
        for place, step in zip(places, wanted, strict=False):
            steps[place] = _stricter(company[place], step)
        steps += wanted[len(places) :]
    return tuple(steps)


def added(company: Sequence[PlanStep], own: Sequence[PlanStep]) -> tuple[PlanStep, ...]:
    """Return those steps of a merged plan that the company's does not have as they are."""
    return tuple(step for step in merged(company, own) if step not in company)


def _stricter(company: PlanStep, own: PlanStep) -> PlanStep:
    """Return one step that is as early, as patient with receipts and as rich in fallbacks as either of two."""
    return replace(
        company,
        after_seconds=min(company.after_seconds, own.after_seconds),
        if_failed=tuple(dict.fromkeys((*company.if_failed, *own.if_failed))),
        failed_after_seconds=min(company.failed_after_seconds, own.failed_after_seconds),
    )
