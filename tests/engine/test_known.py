"""Repeats that are known by their octets: what is remembered, and how soon it is forgotten."""

from datetime import timedelta

from escalatord.config.load import load
from escalatord.core.alert import AlertStatus
from escalatord.core.ruleset import SourceSpec
from escalatord.core.values import replace
from escalatord.engine import known
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Ingest
from escalatord.engine.known import KnownBodies, digest_of
from escalatord.ingest import parse
from escalatord.store.store import Store
from tests.bench.rules import rules
from tests.bench.tools.payloads import Template
from tests.store.samples import NOW

SPEC = SourceSpec(name="alertmanager", adapter="alertmanager")
LISTENING = """
  - {name: heart, absent: {match: class="heart", for: 5m}, severity: {critical: {}}, policy: paged}
"""


def ingest(*numbers, **labels):
    """Return a command with an alert for each number, known by a digest of its own."""
    body = Template(len(numbers), **labels).fill(list(numbers), 10**18)
    alerts = parse(SPEC, body, "application/json", NOW).alerts
    return Ingest(source=SPEC.name, alerts=alerts, digest=digest_of(SPEC.name, "", body))


def batch_of(folder, text):
    """Return a batch on a database of its own."""
    (folder / "all.yaml").write_text(text)
    store = Store(f"sqlite:///{folder}/escalatord.db", ballast_bytes=0)
    store.open()
    return Batch(store, load(folder).ruleset, b"k" * 32), store


def test_a_body_is_known_once_its_answer_is():
    """Nothing is answered from memory before there is an answer, nor after its time, nor for another body."""
    bodies, command = KnownBodies(), ingest(1, 2)
    bodies.remember(command, at=5.0)
    assert bodies.look_up(command.digest, 5.0) is None
    bodies.answered(command.digest, b"{}")
    found = bodies.look_up(command.digest, 5.0 + known.BODY_KNOWN_SECONDS - 0.001)
    assert found is not None
    assert (found.answer, found.firing, found.resolved) == (b"{}", 2, 0)
    assert bodies.look_up(ingest(1, 3).digest, 5.0) is None
    assert bodies.look_up(command.digest, 5.0 + known.BODY_KNOWN_SECONDS) is None
    assert bodies.look_up(command.digest, 5.0) is None


def test_a_change_of_one_alert_forgets_every_body_that_holds_it():
    """What a commit changed is looked at in full again; other bodies stay known."""
    bodies, both, one, other = KnownBodies(), ingest(1, 2), ingest(2), ingest(3)
    for command in (both, one, other):
        bodies.remember(command, at=0.0)
        bodies.answered(command.digest, b"{}")
    bodies.forget([(SPEC.name, both.alerts[1].fingerprint)])
    assert [bodies.look_up(each.digest, 1.0) is not None for each in (both, one, other)] == [False, False, True]


def test_memory_is_bounded_by_number_and_by_octets(monkeypatch):
    """The oldest is forgotten first; an answer larger than all the room is not kept."""
    monkeypatch.setattr(known, "BODIES_KNOWN_MAX", 2)
    monkeypatch.setattr(known, "ANSWER_BYTES_MAX", 10)
    bodies, commands = KnownBodies(), [ingest(number) for number in range(3)]
    for command in commands:
        bodies.remember(command, at=0.0)
        bodies.answered(command.digest, b"1234")
    assert [bodies.look_up(each.digest, 1.0) is not None for each in commands] == [False, True, True]
    fourth = ingest(4)
    bodies.remember(fourth, at=0.0)
    bodies.answered(fourth.digest, b"12345678")
    assert [bodies.look_up(each.digest, 1.0) is not None for each in (*commands, fourth)] == [False, False, False, True]
    bodies.remember(commands[0], at=0.0)
    bodies.answered(commands[0].digest, b"x" * 11)
    assert bodies.look_up(commands[0].digest, 1.0) is None
    bodies.clear()
    assert bodies.look_up(fourth.digest, 1.0) is None


def test_a_digest_tells_how_a_body_is_read():
    """The same octets of another source, or of another content type, are another body."""
    assert len({digest_of("a", "t", b"x"), digest_of("b", "t", b"x"), digest_of("a", "u", b"x")}) == 3


def test_only_a_body_without_any_news_is_repeatable(tmp_path):
    """New, changed and resolved alerts are news; a late copy is looked at each time."""
    batch, store = batch_of(tmp_path, rules(9))
    first, later = ingest(1, 2), NOW + timedelta(seconds=1)
    ended = replace(first.alerts[0], status=AlertStatus.RESOLVED, ends_at=later)
    told = []
    for command in (first, first, Ingest(source=SPEC.name, alerts=(ended, first.alerts[1])), first):
        (done,) = batch.commit([command], later).results
        told.append(done.repeatable)
    store.close()
    assert told == [False, True, False, False]


def test_messages_that_count_by_coming_are_never_repeatable(tmp_path):
    """A rule that waits for a sign of life hears every repeat of it, and of nothing else."""
    batch, store = batch_of(tmp_path, rules(9) + LISTENING.strip("\n") + "\n")
    told = []
    for command in (ingest(1, **{"class": "heart"}), ingest(2)):
        batch.commit([command], NOW)
        (done,) = batch.commit([command], NOW).results
        told.append(done.repeatable)
    store.close()
    assert told == [False, True]
