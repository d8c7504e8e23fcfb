"""Every code of `check`: what it means in a few words, and why it matters to somebody who is asleep.

Codes are stable: they are searched for, suppressed in CI and counted. E001 to E029 and E050 to E059 keep the daemon
from taking the rules; the other errors are found by `check` alone. W are warnings.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Code(NamedTuple):
    """A code in a few words, and what follows from it."""

    title: str
    help: str


CODES: Mapping[str, Code] = {
    "E001": Code("the rules cannot be read", "There is no such file or directory, or nobody may read it."),
    "E002": Code("not text", "Rules are UTF-8 text without control characters."),
    "E003": Code("not YAML", "Mostly an indentation, a tab, or a text that needs quotes."),
    "E004": Code("an anchor, alias or merge key", "They make small files large and reviews hard: write it out."),
    "E005": Code("a YAML tag", "Values are plain: text, numbers, true, false, lists and mappings."),
    "E006": Code("a name or key that stands twice", "YAML would silently keep one of the two."),
    "E007": Code("over a limit", "Files, levels, keys and lists have named limits: split it up."),
    "E008": Code(
        "not one mapping of sections", "A file is one document: sections such as policies and what is in them."
    ),
    "E010": Code("an unknown key or section", "Nothing is ignored in silence: what has no effect is refused."),
    "E011": Code("a value of the wrong type", "A list where a text is wanted, or the other way round."),
    "E012": Code("something is missing", "The entry means nothing without it."),
    "E013": Code("not a value it can have", "The known values stand in the finding."),
    "E014": Code("a number where text is wanted", "Put phone numbers, durations and money in quotes, with their unit."),
    "E015": Code("a template that cannot be read", "Its pages would all go out in the built-in words."),
    "E020": Code("a name that leads nowhere", "What is named here stands in no file."),
    "E021": Code("matchers that cannot be read", 'They are written like service="checkout", env!="dev".'),
    "E022": Code("a condition that cannot be read", "It is a fact, one of > >= < <= == !=, and a limit."),
    "E023": Code("a duration that cannot be read", "It is written like 90s, 5m or 1h30m."),
    "E024": Code("a time, date or zone that is none", "Zones are IANA names such as Europe/Madrid."),
    "E025": Code("units that do not fit", "Percent cannot be compared with users."),
    "E026": Code("an address that cannot be", "A page to it would reach nobody."),
    "E027": Code(
        "a reference that cannot be followed", "The file or variable is not there, or a secret may not be in it."
    ),
    "E028": Code("our own number", "A page to the number that we send from would answer itself."),
    "E029": Code("a provider that cannot do this", "It has no such kind of channel."),
    "E030": Code("a tier or last resort can be empty", "An incident would find nobody there within the next 90 days."),
    "E031": Code("a plan step that never runs", "The tier is over before the step begins."),
    "E032": Code("a reminder that comes too late", "The tier is over before it is due."),
    "E033": Code("a person whom no channel reaches", "They can be paged and have no address that a channel uses."),
    "E034": Code("a tier that is not there", "The policy has fewer tiers."),
    "E036": Code("a role that names itself", "It leads back to itself and adds nobody."),
    "E039": Code(
        "a file that cannot be tidied safely", "`fmt` leaves it as it is: tidied, it would say something else."
    ),
    "E040": Code("a template that cannot be rendered", "Told of a recorded alert it fails, and so it would at night."),
    "E041": Code("a text message that can be too long", "It would cost more segments than it may have."),
    "E042": Code("a page without its code or link", "Its reader could not acknowledge by it."),
    "E050": Code("holidays that need a package", "It is not installed, so nobody knows which days are off."),
    "E051": Code("holidays of nowhere", "There is no such country or region."),
    "E052": Code("a calendar that needs a package", "It is not installed, so nobody knows who is on call."),
    "E053": Code("a calendar that cannot be read", "It is no iCalendar file, or cannot be one."),
    "E060": Code("a track can end in nobody", "No tier and no last resort of it reaches anybody at some minute."),
    "E061": Code("authority falls along tiers", "A later tier may not decide what an earlier one may."),
    "E062": Code("one dead thing silences a track", "With one channel or provider dead, no human is told at all."),
    "E063": Code("the first human is told too late", "The window of the first tier passes before a human is told."),
    "E064": Code("a rule that no alert can match", "Its matchers contradict one another."),
    "E065": Code(
        "a severity that its rule can never claim", "It contradicts itself, or a worse one always comes first."
    ),
    "E066": Code("unless covers the whole rule", "Whatever the rule matches is kept quiet."),
    "E067": Code("a tier that no incident enters", "Every severity skips it, and nothing repeats."),
    "E068": Code("a hidden exception", "An alert that the exception matches does not get what it says."),
    "E080": Code(
        "a filter that nobody passes", "There is no such skill, language or region, so nobody would be found."
    ),
    "E081": Code("a target that its filters empty", "None of those whom it names passes, whoever is on call."),
    "W040": Code("a tier that pages nobody new", "Who slept through the tier before is paged again, and nobody else."),
    "W041": Code("a source without credentials", "Only this machine may post to it."),
    "W042": Code("a review is due", "The numbers of this rule are believed no longer."),
    "W043": Code("nothing uses it", "It is written and has no effect."),
    "W044": Code("a secret in the rules", "Whoever reads the rules has it: put it in a file."),
    "W045": Code("an unlikely phone number", "It is in no range that its country is known to use."),
    "W046": Code("a plan that reaches somebody by none of its channels", "Any other channel would be used instead."),
    "W047": Code("a schedule with a gap", "Nobody is on call in it for some time within 90 days; a backup stands in."),
    "W054": Code(
        "a calendar that is not looked into", "The daemon alone fetches it; a copy beside the rules is checked."
    ),
    "W055": Code("a calendar that names strangers", "Its events name nobody who stands under people."),
    "W060": Code("somebody who is never on call", "Their turn of the rotation never comes, or a layer never covers."),
    "W070": Code("a message by which nobody can acknowledge", "It demands an ack and says no way to give one."),
    "W090": Code("a tier that needs more acks than it has people", "As many as there are have to do."),
    "W091": Code("a review that nobody hears of", "Neither the rule nor its policy has an owner who could be told."),
    "W071": Code("a template that a confidential case never uses", "It is told in the built-in words."),
    "W080": Code("a window that is over", "It mutes nothing any more: delete it."),
    "W081": Code("a suppression of everything", "Every alert fits it, or every one that lacks a label."),
    "W082": Code("a window that never closes", "What it mutes is never looked at again."),
    "W083": Code("a label that its cause does not have", "Without the label the inhibition mutes nothing."),
    "W084": Code("a window that a statutory clock passes through", "What starts a compliance track is never muted."),
    "W092": Code("a milestone out of turn", "It comes too soon, or after another one that says more."),
    "W093": Code("critical incidents are held", "Outside office hours nobody is paged for them."),
    "W094": Code("hours that never begin", "Nothing can wait for them, so pages go out at any time."),
    "W095": Code("milestones that watch nothing", "Compliance tracks have their own clock."),
}


def level_of(code: str) -> str:
    """Return whether a code is an error or a warning."""
    return "warning" if code.startswith("W") else "error"
