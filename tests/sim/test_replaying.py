"""A night that was recorded is told again: the same under the same rules, another one under others."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from escalatord.config.load import load
from escalatord.core.alert import AlertStatus, Severity
from escalatord.core.events import Ack, Mitigated, Note, PageNext, Resolve, Snooze
from escalatord.core.incident import Via
from escalatord.engine.commands import RaiseIncident
from escalatord.sim.compared import Pair, pairs, summed
from escalatord.sim.recording import Course, Place, courses_of, recording_of
from escalatord.sim.replaying import replay
from escalatord.store.peek import recorded_night
from tests.fakes.company import SECTIONS, company, night

RULES = {
    **SECTIONS,
    "thresholds": """
        thresholds:
          - {name: disk, match: 'alertname="disk"', severity: {error: {}}, group_by: [fingerprint]}
          - {name: silent, absent: {match: 'alertname="beat"', for: 1h}, severity: {warning: {}}}
        """,
}
FASTER = SECTIONS["policies"].replace("within: 5m", "within: 2m")


async def recorded(folder: Path):
    """Return what was written down of a night in which Ana sleeps, Bo answers, and the boss pulls the cord."""
    world = night(folder, **RULES)
    async with world:
        began = world.began
        await world.fire("disk", host="a")
        await world.pass_time(minutes=6)
        await world.reply("bo", world.expect_sms("bo", kind="page").code)
        await world.pass_time(minutes=4)
        await world.resolve("disk", host="a")
        await world.pass_time(minutes=30)
        await world.fire("disk", host="a")
        await world.pass_time(minutes=1)
        await world.say(Ack(person="cy", via=Via.WEB), incident=2)
        await world.say(Note(person="cy", via=Via.WEB, text="looking"), incident=2)
        await world.say(Mitigated(person="cy", via=Via.WEB), incident=2)
        await world.submit(RaiseIncident(title="smoke", person="boss", via=Via.CLI))
        await world.pass_time(minutes=1)
        await world.say(PageNext(person="boss", via=Via.WEB), incident=3)
        await world.say(Snooze(person="bo", via=Via.WEB, seconds=600), incident=3)
        await world.say(Resolve(person="bo", via=Via.WEB), incident=3)
        await world.pass_time(minutes=30)
        world.phones.forget()
        until = world.clock.now()
    return recorded_night(f"sqlite:///{folder / 'world.db'}", began, until)


def rules_of(folder: Path, **sections: str):
    """Return the company's rules with other sections."""
    (folder / "other").mkdir()
    return load(company(folder / "other", **{**RULES, **sections}), need_secrets=False).ruleset


def test_a_night_is_read_from_its_journal(tmp_path: Path) -> None:
    """Who was paged when, and who took it first, in seconds since each incident opened."""
    told = asyncio.run(recorded(tmp_path))
    was = courses_of(told.journal, told.attempts)
    assert [course.title for course in was] == ["disk", "disk", "smoke"]
    assert [course.paged for course in was[:2]] == [(("ana", 0.0), ("bo", 300.0)), (("ana", 0.0),)]
    assert [course.acked for course in was] == [("bo", 360.0), ("cy", 60.0), ("bo", 60.0)]


def test_the_same_rules_tell_it_again(tmp_path: Path) -> None:
    """What was recorded, replayed under the rules of then: no difference, and nothing left unsaid."""
    told = asyncio.run(recorded(tmp_path))
    recording = recording_of(told)
    assert [alert.status for _, alert in recording.messages] == [
        AlertStatus.FIRING,
        AlertStatus.RESOLVED,
        AlertStatus.FIRING,
    ]
    assert [spoken.after_seconds for spoken in recording.spoken][:2] == [60.0, None]
    again = replay(recording, rules_of(tmp_path))
    found = pairs(courses_of(told.journal, told.attempts), again.courses)
    assert [pair.differs for pair in found] == [False, False, False], found
    assert again.unsaid == ()
    ruleset = load(tmp_path / "other" / "rules", need_secrets=False).ruleset
    assert summed(again.courses, again.attempts, ruleset) == summed(
        courses_of(told.journal, told.attempts), told.attempts, ruleset
    )


def test_other_rules_tell_another_night(tmp_path: Path) -> None:
    """A shorter window pages Bo sooner; he answers as fast as he did, and so it is taken sooner."""
    told = asyncio.run(recorded(tmp_path))
    again = replay(recording_of(told), rules_of(tmp_path, policies=FASTER))
    first = again.courses[0]
    assert (first.paged, first.acked) == ((("ana", 0.0), ("bo", 120.0)), ("bo", 180.0))
    found = pairs(courses_of(told.journal, told.attempts), again.courses)
    assert [pair.differs for pair in found] == [True, False, False]


def test_what_nobody_would_be_paged_for_is_left_out(tmp_path: Path) -> None:
    """Rules that page only Ana: Bo's words have nothing to answer, and the sum says so."""
    told = asyncio.run(recorded(tmp_path))
    only_ana = """
        unmatched: {severity: error, policy: main}
        policies:
          main:
            tracks: {technical: {tiers: [{page: [oncall first], within: 1h, plan: text}]}}
            last_resort: {page: [person ana], plan: text}
        """
    ruleset = rules_of(tmp_path, policies=only_ana)
    again = replay(recording_of(told), ruleset)
    assert [spoken.word.person for spoken in again.unsaid] == ["bo", "bo", "bo"]
    assert again.courses[0].acked is None
    was = summed(courses_of(told.journal, told.attempts), told.attempts, ruleset)
    would_be = summed(again.courses, again.attempts, ruleset)
    assert (was.people, would_be.people, was.acked, would_be.acked) == (2, 1, 3, 1)
    assert (was.messages, was.woken) == (5, 4)  # all in the night, two of Ana's within a minute


def test_rules_that_page_for_something_else_show_what_would_be_new(tmp_path: Path) -> None:
    """An incident that there was and would not be, and one that there would be: both are told."""
    told = asyncio.run(recorded(tmp_path))
    quiet = RULES["thresholds"].replace("{error: {}}", "{error: {when: downtime >= 3d}}")
    again = replay(recording_of(told), rules_of(tmp_path, thresholds=quiet))
    found = pairs(courses_of(told.journal, told.attempts), again.courses)
    assert [(pair.was is None, pair.would_be is None) for pair in found] == [
        (False, True),
        (False, True),
        (False, False),
    ]
    backwards = pairs(again.courses, courses_of(told.journal, told.attempts))
    assert [pair.was is None for pair in backwards] == [False, True, True]
    assert all(pair.differs for pair in backwards[1:])


COURSE = Course(
    number=1,
    opened_at=datetime(2026, 10, 24, 1, tzinfo=UTC),
    title="disk",
    severity=Severity.ERROR,
    policy="main",
    alerts=frozenset({Place("am", "f1")}),
    paged=(("ana", 0.0), ("bo", 300.0)),
)


def test_a_few_seconds_are_no_difference() -> None:
    """A provider that took a moment longer changes nothing that anybody would notice."""
    later = replace(COURSE, paged=(("ana", 4.0), ("bo", 302.0)))
    assert not Pair(was=COURSE, would_be=later).differs
    assert Pair(was=COURSE, would_be=replace(COURSE, paged=(("ana", 0.0), ("bo", 306.0)))).differs
