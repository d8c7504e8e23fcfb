"""Laws of muting under any order of events: what fires with nothing to mute it has paged, and nothing else has."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.alert import AlertStatus
from escalatord.core.incident import Cause, State, Via
from escalatord.core.matchers import MatcherIndex, parse_matchers
from escalatord.core.mutes import Inhibit, Maintenance, Silence, Span, parse_mute
from escalatord.core.rules import ExceptionRule, ThresholdRule
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Ingest
from escalatord.engine.handlers import Due
from escalatord.engine.wishes import AddSilence, ExpireSilence
from escalatord.store.store import Store
from tests.fakes.duty import utc
from tests.fakes.rulesets import ALERT, CRITICAL, ERROR, level, threshold
from tests.fakes.world import RULESET

NOW = utc("2026-10-24 01:00")
MINUTE = timedelta(minutes=1)
POLICY = next(iter(RULESET.policies))
REGIONS = ("eu", "us")
PODS = ("a", "b", "c")
WINDOW = Span(NOW + 20 * MINUTE, NOW + 30 * MINUTE)


def rules():
    """Return a cause, symptoms, an exception; a window in the middle of the story and an inhibition by region."""
    thresholds: tuple[ThresholdRule, ...] = (
        threshold("cause", level(CRITICAL), match="kind=cause", policy=POLICY),
        threshold("symptom", level(ERROR), match="kind=symptom", policy=POLICY),
    )
    exception = ExceptionRule(name="x", match=parse_matchers("kind=breach"), severity=CRITICAL, policy=POLICY)
    mutes = (
        Maintenance(number=1, match=parse_matchers("pod=b"), once=WINDOW, why="w", by="ana"),
        Inhibit(number=2, when="cause", mute=parse_mute('kind!="cause", region="{{ region }}"'), why="w", by="ana"),
    )
    return replace(
        RULESET,
        thresholds=thresholds,
        exceptions=(exception,),
        suppress=mutes,
        services={},
        threshold_index=MatcherIndex([rule.match for rule in thresholds]),
        exception_index=MatcherIndex([exception.match]),
        suppress_index=MatcherIndex([mute.match for mute in mutes]),
    )


RULES = rules()


class Story:
    """An engine in one thread, driven to every deadline, beside a model of what is muted."""

    def __init__(self, folder: str) -> None:
        self.store = Store(f"sqlite:///{Path(folder)}/x.db", ballast_bytes=4096, durable=False)
        self.store.open()
        self.batch = Batch(self.store, RULES, b"k" * 32)
        self.now = NOW
        self.silences: list[Silence] = []

    def commit(self, *commands: object) -> tuple[object, ...]:
        """Commit commands, then everything that is due now."""
        done = self.batch.commit(commands, self.now).results
        for _ in range(20):
            if not self.store.read(lambda tx: tx.due_alerts(self.now, 9)):
                return done
            self.batch.commit((Due(limit=100),), self.now)
        raise AssertionError("alerts stay due for ever")

    def tell(self, kind: str, pod: str, region: str, *, firing: bool) -> None:
        """Let an alert fire or end."""
        labels = {"kind": kind, "pod": pod, "region": region}
        status = AlertStatus.FIRING if firing else AlertStatus.RESOLVED
        name = "-".join(labels.values())
        alert = replace(ALERT, fingerprint=name, group_key=name, labels=labels, starts_at=self.now, status=status)
        self.commit(Ingest(source="am", alerts=(alert,)))

    def silence(self, match: str, after: int, minutes: int, *, sharp: bool) -> None:
        """Silence for a while, now or later."""
        start = self.now + after * MINUTE
        wish = Silence(
            match=parse_matchers(match),
            start=start,
            end=start + minutes * MINUTE,
            why="w",
            by="ana",
            apply_to_open=sharp,
        )
        (done,) = self.commit(AddSilence(silence=wish, via=Via.CLI))
        self.silences.append(done.silence)

    def expire(self, place: int) -> None:
        """End one of the silences."""
        if self.silences:
            gone = self.silences.pop(place % len(self.silences))
            self.commit(ExpireSilence(id=gone.id, by="ana", via=Via.CLI))

    def wait(self, minutes: int) -> None:
        """Let time pass, stopping at every deadline of an alert, as the due loop does."""
        until = self.now + minutes * MINUTE
        while self.now < until:
            due = [record.due_at for record in self.store.read(lambda tx: tx.due_alerts(until, 99))]
            self.now = min([*(at for at in due if at is not None and at > self.now), until])
            self.commit(Due(limit=100))

    def restart(self) -> None:
        """Forget everything that is in memory."""
        self.batch = Batch(self.store, RULES, b"k" * 32)
        self.batch.refresh(self.now)
        self.batch.survey(self.now)
        self.commit()

    def check(self) -> None:
        """Compare what pages with what the model says is muted."""
        records = self.store.read(lambda tx: tx.firing_alerts(99))
        incidents = self.store.read(lambda tx: tx.load({record.incident for record in records}))
        regions = {
            record.alert.labels["region"]
            for record in records
            if record.alert.labels["kind"] == "cause" and record.severity is not None
        }
        for record in records:
            labels = record.alert.labels
            pages = record.severity is not None and incidents[record.incident].state is not State.RESOLVED
            muted = (
                any(one.start <= self.now < one.end and one.match.matches(labels) for one in self.silences)
                or (labels["pod"] == "b" and WINDOW.start <= self.now < WINDOW.end)
                or (labels["kind"] != "cause" and labels["region"] in regions)
            )
            sharp = any(
                one.apply_to_open and one.start <= self.now < one.end and one.match.matches(labels)
                for one in self.silences
            )
            if labels["kind"] == "breach":
                assert pages, (self.now, labels)
                assert incidents[record.incident].cause is Cause.EXCEPTION
            elif not muted:
                assert pages, (self.now, labels)
            if sharp and labels["kind"] != "breach":
                assert not pages, (self.now, labels)
            held = record.suppressed is not None and record.suppressed.ended_at is None
            assert held is not pages, (self.now, labels)


KINDS = st.sampled_from(["symptom", "symptom", "cause", "breach"])
MATCHES = st.sampled_from(["pod=a", 'kind=~"cause|symptom"', "region=eu", 'pod!~"a|"', 'kind!=""'])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fire"), KINDS, st.sampled_from(PODS), st.sampled_from(REGIONS)),
        st.tuples(st.just("end"), KINDS, st.sampled_from(PODS), st.sampled_from(REGIONS)),
        st.tuples(st.just("wait"), st.integers(1, 12)),
        st.tuples(st.just("silence"), MATCHES, st.sampled_from([0, 0, 3, 8]), st.integers(1, 15), st.booleans()),
        st.tuples(st.just("expire"), st.integers(0, 9)),
        st.tuples(st.just("restart")),
    ),
    min_size=3,
    max_size=16,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_what_fires_with_nothing_to_mute_it_has_paged(steps):
    """After any interleaving of alerts, mutes, ends, expiries, restarts and time; exceptions always (I2, I4, I9)."""
    with TemporaryDirectory() as folder:
        story = Story(folder)
        try:
            for step in steps:
                match step:
                    case ("fire" | "end", kind, pod, region):
                        story.tell(kind, pod, region, firing=step[0] == "fire")
                    case ("wait", minutes):
                        story.wait(minutes)
                    case ("silence", match, after, minutes, sharp):
                        story.silence(match, after, minutes, sharp=sharp)
                    case ("expire", place):
                        story.expire(place)
                    case _:
                        story.restart()
                story.check()
        finally:
            story.store.close()
