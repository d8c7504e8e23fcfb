"""What keeps noise down, as values: storms in one incident, flapping that stays one incident, budgets of messages.

What is done with them is in `bundle`, `flap` and `throttle`. None of it applies to exceptions and compliance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from escalatord.core.matchers import Matchers
from escalatord.core.policy import Policy, TrackKind
from escalatord.core.units import Quantity

NEVER_BUNDLE = "bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A storm is one incident: more than `over` new ones with the same values of `by` within `window_seconds`.

    `match` None = every alert. An alert that has none of the labels in `by` is not in the group.
    """

    name: str
    by: tuple[str, ...]
    window_seconds: float
    over: int
    match: Matchers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flap:
    """What fires again within `reopen_within_seconds` of its end is the same incident, as if it had never ended.

    From then on it has to be quiet for `stay_open_seconds` before it ends again.
    """

    reopen_within_seconds: float
    stay_open_seconds: float


class Limit(NamedTuple):
    """At most so many messages (from 1) in any `window_seconds`; one exactly a window ago no longer counts."""

    messages: int
    window_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What all messages of a day (UTC) may cost; past it only what is critical goes by channels that cost money."""

    per_day: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many messages one person gets by each kind of channel (by its name, "sms"), and what a day may cost."""

    per_person: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)
    spend: Spend | None = None


def may_bundle(policy: Policy) -> bool:
    """Return whether what a policy pages may be told together with other things."""
    compliance = any(track.kind is TrackKind.COMPLIANCE for track in policy.tracks)
    return not (policy.confidential or compliance or policy.compliance is not None or NEVER_BUNDLE in policy.never)
