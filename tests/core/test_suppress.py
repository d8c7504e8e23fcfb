"""Suppression: who is muted by what until when, and who never is."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.evaluate import evaluate
from escalatord.core.incident import Cause
from escalatord.core.matchers import MatcherIndex, parse_matchers
from escalatord.core.mutes import Inhibit, Maintenance, MuteKind, Silence, Span, parse_mute
from escalatord.core.policy import ContactPlan, LastResort, Policy, Target, TargetKind, Tier, TrackKind, TrackPolicy
from escalatord.core.rules import Unless
from escalatord.core.suppress import FOLLOWERS_MAX, going_on
from tests.fakes.around import Around
from tests.fakes.rulesets import (
    CRITICAL,
    ERROR,
    MINUTE,
    SHOP,
    START,
    WARNING,
    exception,
    level,
    remembered,
    ruleset,
    threshold,
)

RULE = threshold("r", level(ERROR))
EVERYTHING = "service=checkout"


def silence(start: float, end: float, number: int = 1, match: str = EVERYTHING, **more) -> Silence:
    """Return a silence between two minutes from the start on."""
    return Silence(
        id=number,
        match=parse_matchers(match),
        start=START + start * MINUTE,
        end=START + end * MINUTE,
        why="deploy",
        by="ana",
        **more,
    )


def window(start: float, end: float, number: int = 1, match: str = EVERYTHING, **more) -> Maintenance:
    """Return a window between two minutes from the start on."""
    once = Span(START + start * MINUTE, START + end * MINUTE)
    return Maintenance(number=number, match=parse_matchers(match), once=once, why="CHG-1", by="bo", **more)


def inhibit(when: str = "cause", mute: str = EVERYTHING, number: int = 9, **more) -> Inhibit:
    """Return an inhibition."""
    return Inhibit(number=number, when=when, mute=parse_mute(mute), why="symptom", by="cy", **more)


def rules(*mutes, thresholds=(RULE,), exceptions=(), indexed=True, **more):
    """Return a rule set with these mutes."""
    index = MatcherIndex([mute.match for mute in mutes]) if indexed else MatcherIndex(())
    return replace(ruleset(thresholds, exceptions), suppress=tuple(mutes), suppress_index=index, **more)


def judged(ruleset, *silences, at=0.0, causes=None, record=None):
    """Return the verdict so many minutes after the start."""
    around = Around(silences=silences, causes=causes or {})
    return evaluate(ruleset, record or remembered(), START + at * MINUTE, around)


def paged(severity=ERROR, **more):
    """Return the record of an alert that paged."""
    return replace(remembered(), incident=3, severity=severity, **more)


def test_nothing_mutes_where_nothing_is_said():
    """Without mutes a verdict is what it was, and a mute of something else says nothing."""
    plain = judged(rules())
    assert (plain.suppressed, plain.pages, plain.touched_by) == (None, ERROR, ())
    assert judged(rules(window(0, 9, match="service=other")), silence(0, 9, match="env=dev")) == plain
    assert judged(rules(window(0, 9, match='service=checkout, env!="prod"'))) == plain


@pytest.mark.parametrize("indexed", [True, False])
def test_a_window_mutes_from_its_start_until_its_end(indexed):
    """The end is the next look, and excluded; the severity that it would have stays to be read."""
    found = rules(window(0, 30), indexed=indexed)
    assert [judged(found, at=at).pages for at in (-1, 0, 29.99, 30)] == [ERROR, None, None, ERROR]
    verdict = judged(found, at=10)
    by = verdict.suppressed
    assert (verdict.severity, verdict.next_at, by.until) == (ERROR, START + 30 * MINUTE, START + 30 * MINUTE)
    assert (by.kind, by.name, by.why, by.by, by.what) == (
        MuteKind.MAINTENANCE, "maintenance", "CHG-1", "bo", EVERYTHING,
    )  # fmt: skip
    reason = verdict.reasons[-1]
    assert (reason.rule, reason.kind) == ("maintenance", "suppressed")
    assert reason.say == "suppressed until 2026-10-24 01:36:00 UTC: CHG-1, by bo (service=checkout)"


def test_a_silence_mutes_what_no_rule_knows():
    """The unmatched too."""
    verdict = judged(rules(thresholds=()), silence(0, 5))
    assert (verdict.cause, verdict.severity, verdict.pages) == (Cause.UNMATCHED, WARNING, None)
    assert verdict.suppressed.name == "silence 1"


def test_a_mute_reaches_by_the_traits_of_a_service():
    """A segment, a regime, what it depends on: as rules do."""
    service = replace(SHOP, segments=("retail",), depends_on=("db",))
    found = replace(rules(window(0, 9, match="segment=retail")), services={"checkout": service})
    assert judged(found).pages is None
    waits = replace(rules(inhibit(mute='depends_on="{{ service }}"')), services={"checkout": service})
    assert judged(waits, causes={"cause": [(5, "cause", {"service": "db"})]}).pages is None
    assert judged(waits, causes={"cause": [(5, "cause", {"service": "other"})]}).pages is ERROR


def test_the_one_that_lasts_longest_is_named_until_it_all_ends():
    """Mutes that follow one another without a break are one; a break is an end."""
    by = judged(rules(window(0, 10)), silence(8, 20, 1), silence(20, 25, 2), silence(26, 40, 3)).suppressed
    assert (by.name, by.until) == ("maintenance", START + 25 * MINUTE)
    assert by.keys == ("rules/1", "silence/1", "silence/2")
    both = judged(rules(window(0, 10)), silence(0, 20)).suppressed
    assert (both.name, both.keys) == ("silence 1", ("silence/1", "rules/1"))


def test_a_chain_is_followed_so_far_and_no_further():
    """What comes after is seen at the next look."""
    chain = [silence(number, number + 1, number) for number in range(FOLLOWERS_MAX + 9)]
    assert judged(rules(), *chain).suppressed.until == START + (FOLLOWERS_MAX + 1) * MINUTE


def test_since_when_goes_on_while_it_is_muted_without_a_break():
    """A later mute takes over; after a break it counts anew."""
    first = judged(rules(), silence(0, 10)).suppressed
    assert first.since == START
    muted = replace(remembered(), suppressed=first)
    later = judged(rules(), silence(0, 20), at=5, record=muted).suppressed
    assert later.since == START
    over = replace(remembered(), suppressed=replace(first, ended_at=START + 10 * MINUTE))
    assert judged(rules(), silence(15, 20), at=15, record=over).suppressed.since == START + 15 * MINUTE


def test_an_inhibition_mutes_while_a_cause_fits():
    """Of several causes the one with the same region; it has no time, and the end of its incident is waited for."""
    found = rules(inhibit(mute='service=checkout, region="{{ region }}"'))
    record = remembered(labels={"service": "checkout", "region": "eu"})
    causes = {"cause": [(4, "cause", {"region": "us"}), (5, "cause", {"region": "eu"}), (6, "cause", {"region": "eu"})]}
    verdict = judged(found, record=record, causes=causes)
    by = verdict.suppressed
    assert (verdict.pages, by.incident, by.until, verdict.next_at) == (None, 5, None, None)
    assert (verdict.quiet_for, by.keys) == (("cause",), ("rules/9",))
    assert by.what == 'cause is open: service=checkout, region="{{ region }}"'
    assert verdict.reasons[-1].say.startswith("suppressed until INC-5 is over: symptom, by cy")
    for none in ({}, {"cause": [(4, "cause", {"region": "us"})] * 2}, {"cause": [(4, "cause", {})]}):
        awake = judged(found, record=record, causes=none)
        assert (awake.pages, awake.quiet_for) == (ERROR, ())


@pytest.mark.parametrize(
    "cause",
    [(3, "cause", {}), (5, "r", {})],
    ids=["its own incident", "its own rule"],
)
def test_nothing_is_muted_by_itself(cause):
    """Neither by the incident it is in nor by another one of its rule."""
    assert judged(rules(inhibit()), record=paged(), causes={"cause": [cause]}).suppressed is None


def test_what_would_be_a_cause_itself_is_not_muted_by_its_kind():
    """Two of one rule or policy do not keep each other quiet."""
    open_ = {"payments": [(5, "other", {})], "r": [(5, "other", {})]}
    assert judged(rules(inhibit("payments"), inhibit("r")), causes=open_).pages is ERROR


def test_an_open_end_outlasts_any_time():
    """With a silence beside it the inhibition is named, and both are told of."""
    verdict = judged(rules(inhibit()), silence(0, 10), causes={"cause": [(5, "c", {})]})
    by = verdict.suppressed
    assert (by.kind, by.until, by.keys) == (MuteKind.INHIBIT, None, ("rules/9", "silence/1"))
    assert (verdict.next_at, verdict.quiet_for) == (None, ("cause",))


def test_only_what_mutes_is_waited_for():
    """An inhibition whose cause is not open leaves no trace beside one that mutes."""
    verdict = judged(rules(inhibit(), inhibit("other", number=8)), causes={"other": [(5, "c", {})]})
    assert (verdict.quiet_for, verdict.suppressed.keys) == (("other",), ("rules/8",))


def test_a_rule_that_waits_and_an_inhibition_are_both_waited_for():
    """`unless: {open: …}` of the rule, and the mute of another claim."""
    quiet = threshold("q", level(CRITICAL), unless=(Unless(open="cause", why="w"),))
    verdict = judged(rules(inhibit(), thresholds=(RULE, quiet)), causes={"cause": [(5, "c", {})]})
    assert (verdict.severity, verdict.pages, verdict.quiet_for) == (ERROR, None, ("cause",))


def test_what_pages_nobody_anyway_is_not_muted():
    """Below every level there is nothing to mute, unless it paged before."""
    low = threshold("r", level(ERROR, "rate > 50%"))
    verdict = judged(rules(window(0, 9), thresholds=(low,)))
    assert (verdict.severity, verdict.suppressed, verdict.next_at) == (None, None, None)
    assert judged(rules(window(0, 9), thresholds=(low,)), record=paged()).suppressed is not None


@pytest.mark.parametrize(
    "mutes",
    [
        ((silence(-5, 90, apply_to_open=True),), ()),
        ((), (window(-5, 90, apply_to_open=True),)),
        ((), (inhibit(apply_to_open=True),)),
        ((silence(-5, 90),), (window(-5, 90), inhibit())),
    ],
    ids=["silence", "window", "inhibition", "all"],
)
@pytest.mark.parametrize("record", [remembered(), paged()], ids=["new", "open"])
def test_no_mute_touches_an_exception(mutes, record):
    """Whatever matches, new or open: it is never even asked."""
    silences, filed = mutes
    found = rules(*filed, thresholds=(RULE,), exceptions=(exception("x", WARNING),))
    verdict = judged(found, *silences, record=record, causes={"cause": [(5, "c", {})]})
    assert verdict == judged(replace(found, suppress=()), record=record)
    assert (verdict.cause, verdict.pages, verdict.suppressed, verdict.touched_by) == (Cause.EXCEPTION, ERROR, None, ())


def law(when=None) -> Policy:
    """Return a policy with a statutory clock."""
    plan = ContactPlan(name="p", steps=())
    target = (Target(TargetKind.PERSON, "lea"),)
    tier = Tier(name="tier 1", page=target, backup=(), within_seconds=60, remind_seconds=(), plan=plan)
    track = TrackPolicy(name="compliance", kind=TrackKind.COMPLIANCE, tiers=(tier,), when=when)
    return Policy(name="law", hash="l", tracks=(track,), last_resort=LastResort(page=target, plan=plan))


@pytest.mark.parametrize(
    ("when", "severity", "muted"), [(None, ERROR, False), (CRITICAL, ERROR, True), (ERROR, ERROR, False)]
)
def test_what_starts_a_statutory_clock_comes_through(when, severity, muted):
    """From the severity on from which its track runs; below it a mute mutes."""
    service = replace(SHOP, regulated=("pii",))
    found = rules(
        window(-1, 9), services={"checkout": service}, regimes={"pii": "law"}, policies={"law": law(when)},
        thresholds=(threshold("r", level(severity)),),
    )  # fmt: skip
    verdict = judged(found)
    assert (verdict.pages is None) is muted
    if not muted:
        assert (verdict.reasons[-1].rule, verdict.reasons[-1].kind) == ("law", "not suppressed")


def test_what_falls_below_is_no_clock():
    """An alert that paged and claims nothing now starts nothing, and can be muted."""
    service = replace(SHOP, regulated=("pii",))
    low = threshold("r", level(ERROR, "rate > 50%"))
    found = rules(
        window(-1, 9, apply_to_open=True), services={"checkout": service}, regimes={"pii": "law"},
        policies={"law": law()}, thresholds=(low,),
    )  # fmt: skip
    assert judged(found, record=paged()).suppressed.apply_to_open


def test_what_applies_to_open_is_looked_at_when_it_begins():
    """The instant of a sharp mute to come is the next look of what pages; a blunt one's is not."""
    sharp = rules(window(10, 20, apply_to_open=True))
    for record in (remembered(), paged()):
        assert judged(sharp, record=record).next_at == START + 10 * MINUTE
    assert judged(rules(window(10, 20)), record=paged()).next_at is None
    assert (
        judged(rules(window(0, 5), window(10, 20, 2, apply_to_open=True)), record=paged()).next_at == START + 5 * MINUTE
    )
    later = judged(rules(window(0, 30), window(10, 20, 2, apply_to_open=True)), record=paged())
    assert (later.suppressed.apply_to_open, later.next_at) == (False, START + 10 * MINUTE)
    assert judged(rules(window(0, 30), window(10, 20, 2, apply_to_open=True))).next_at == START + 30 * MINUTE


def test_what_a_later_cause_may_take_out_is_remembered():
    """By the cause's name, muted or not; a blunt inhibition takes nothing out."""
    verdict = judged(rules(inhibit(apply_to_open=True), inhibit("other", number=8)), record=paged())
    assert (verdict.touched_by, verdict.suppressed) == (("cause",), None)
    muted = judged(rules(inhibit(apply_to_open=True)), record=paged(), causes={"cause": [(5, "c", {})]})
    assert (muted.touched_by, muted.suppressed.apply_to_open) == (("cause",), True)


def test_an_open_incident_goes_on_in_words_too():
    """What does not apply is told as such; a verdict that nothing mutes stays as it is."""
    muted = judged(rules(window(0, 9)), record=paged())
    verdict = going_on(muted)
    assert (verdict.suppressed, verdict.pages) == (None, ERROR)
    assert verdict.reasons[-1].kind == "not suppressed"
    assert verdict.reasons[-1].say == "began after it paged, and does not apply to what is open: CHG-1, by bo"
    assert verdict.reasons[:-1] == muted.reasons[:-1]
    assert going_on(verdict) is verdict


# ------------------------------------------------------------------------------------------------------------ laws

MINUTES = st.integers(min_value=-20, max_value=60)
SPANS = st.tuples(MINUTES, st.integers(min_value=1, max_value=40))
MATCHES = st.sampled_from([EVERYTHING, "env=prod", "env=dev", 'region!="eu"'])
SILENCES = st.lists(
    st.builds(
        lambda span, match, sharp: silence(span[0], span[0] + span[1], match=match, apply_to_open=sharp),
        SPANS, MATCHES, st.booleans(),
    ),
    max_size=4,
).map(lambda made: [replace(one, id=number) for number, one in enumerate(made, start=1)])  # fmt: skip
WINDOWS = st.builds(
    lambda span, match, sharp: window(span[0], span[0] + span[1], match=match, apply_to_open=sharp),
    SPANS, MATCHES, st.booleans(),
)  # fmt: skip
INHIBITS = st.builds(
    inhibit,
    st.sampled_from(["cause", "other", "r"]),
    st.sampled_from([EVERYTHING, 'env="{{ env }}"', 'region="{{ region }}"']),
)
FILED = st.lists(WINDOWS | INHIBITS, max_size=3).map(
    lambda made: [replace(one, number=number) for number, one in enumerate(made, start=1)]
)
CAUSES = st.dictionaries(
    st.sampled_from(["cause", "other", "r"]),
    st.lists(
        st.tuples(st.integers(1, 5), st.just("c"), st.sampled_from([{}, {"env": "prod"}, {"env": "dev"}])), max_size=2
    ),
    max_size=2,
)
RECORDS = st.sampled_from([remembered(), paged(), paged(CRITICAL)])
LEVELS = st.sampled_from([level(ERROR), level(ERROR, "downtime >= 10m"), level(CRITICAL, "rate > 5%", 300.0)])


@given(FILED, SILENCES, CAUSES, RECORDS, LEVELS, MINUTES)
def test_a_mute_never_changes_what_the_rules_claim(filed, silences, causes, record, claim, at):
    """Severity, rule, policies and holds are those without mutes; it can only take the page away."""
    found = rules(*filed, thresholds=(threshold("r", claim),))
    muted = judged(found, *silences, at=at, causes=causes, record=record)
    plain = judged(replace(found, suppress=()), at=at, record=record)
    for name in ("severity", "rule", "policies", "held", "cause", "cleared", "group_by"):
        assert getattr(muted, name) == getattr(plain, name)
    assert muted.pages in (plain.pages, None)


@given(FILED, SILENCES, CAUSES, SILENCES, MINUTES)
def test_a_further_mute_never_lets_anything_page(filed, silences, causes, more, at):
    """What is muted stays muted with another silence, and for no shorter."""
    before = judged(rules(*filed), *silences, at=at, causes=causes).suppressed
    renumbered = [replace(one, id=one.id + 10) for one in more]
    after = judged(rules(*filed), *silences, *renumbered, at=at, causes=causes).suppressed
    if before is not None:
        assert after is not None
        assert after.until is None or (before.until is not None and after.until >= before.until)


@given(FILED, SILENCES, CAUSES, RECORDS, st.sampled_from([WARNING, CRITICAL]), MINUTES)
def test_exceptions_are_as_if_there_were_no_mutes(filed, silences, causes, record, severity, at):
    """I4 for any mutes: the very same verdict."""
    found = rules(*filed, exceptions=(exception("x", severity),))
    muted = judged(found, *silences, at=at, causes=causes, record=record)
    assert muted == judged(replace(found, suppress=()), at=at, causes=causes, record=record)
    assert muted.pages is not None


@given(FILED, SILENCES, CAUSES, RECORDS, MINUTES, st.floats(min_value=0, max_value=1, exclude_max=True))
def test_nothing_begins_or_ends_between_two_looks(filed, silences, causes, record, at, share):
    """What is muted stays so until `next_at` (or waits for an incident by name); what paged is not taken out before."""
    found = rules(*filed)
    now = judged(found, *silences, at=at, causes=causes, record=record)
    begun = START + at * MINUTE
    end = now.next_at or START + timedelta(days=9)
    assert end > begun
    paged_before = record.severity is not None
    if now.suppressed is not None and now.suppressed.until is None:
        assert now.quiet_for
    last = end - timedelta(microseconds=1)
    for between in (min(last, begun + (end - begun) * share), last):
        later = evaluate(found, record, between, Around(silences=silences, causes=causes))
        if paged_before and not _leaves(now):
            assert not _leaves(later)
        elif not paged_before and now.suppressed is not None:
            assert later.pages is None
        assert later.touched_by == now.touched_by


def _leaves(verdict) -> bool:
    """Return whether an alert that paged is taken out of its incident."""
    return verdict.suppressed is not None and verdict.suppressed.apply_to_open
