"""Wordings of one's own: named templates by audience, kind of channel and language.

A template is data here, source text and what belongs to it; `escalatord.templating` reads and renders it. A tier names
its template; the text is looked up in the rules in force, so a better wording helps incidents that are open already.
A confidential case never uses one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from escalatord.core.incident import NoticeKind
from escalatord.core.policy import Policy
from escalatord.core.roster import ChannelKind

SEGMENTS_MAX = 4
LANGUAGE_DEFAULT = "en"
WORDED_KINDS = (ChannelKind.SMS, ChannelKind.CALL, ChannelKind.CHAT, ChannelKind.MAIL)
WORDED_NOTICES = (
    NoticeKind.PAGE,
    NoticeKind.REMIND,
    NoticeKind.ACK_QUESTION,
    NoticeKind.ACKED,
    NoticeKind.STAND_DOWN,
    NoticeKind.UPDATE,
)
"""What a tier says to its people; the last resort and statutory clocks keep the built-in text."""
NOTICES_DEFAULT = frozenset({NoticeKind.PAGE, NoticeKind.REMIND})


class Audience(StrEnum):
    """For whom a template is; it decides what may be said, and what must be."""

    RESPONDER = "responder"
    MANAGEMENT = "management"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One text in one language. `subject` is a mail's; `segments` how many parts an SMS may have, from 1."""

    language: str
    text: str
    subject: str = ""
    segments: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A named set of wordings: by kind of channel, then by language tag. `language` is the default one."""

    name: str
    audience: Audience
    notices: frozenset[NoticeKind] = NOTICES_DEFAULT
    language: str = LANGUAGE_DEFAULT
    wordings: Mapping[ChannelKind, Mapping[str, Wording]] = field(default_factory=dict)


def wording_for(template: Template, kind: ChannelKind, languages: Iterable[str]) -> Wording | None:
    """Return the text in the first of the reader's `languages` that there is, else in the default one; None = neither.

    `es-MX` is also served by `es`.
    """
    texts = {tag.lower(): wording for tag, wording in template.wordings.get(kind, {}).items()}
    for language in (*languages, template.language):
        tag = language.lower()
        found = texts.get(tag) or texts.get(tag.partition("-")[0])
        if found is not None:
            return found
    return None


def template_of(policy: Policy | None, track: str, tier: int) -> str:
    """Return the name of the template of a tier (from 1) of an incident's track, "" when it names none."""
    name = track.rpartition(":")[2]
    tiers = next((ladder.tiers for ladder in policy.tracks if ladder.name == name), ()) if policy else ()
    return tiers[tier - 1].template if 1 <= tier <= len(tiers) else ""
