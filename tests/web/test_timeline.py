"""The journal in sentences."""

import re
from pathlib import Path

import pytest

from escalatord.core.incident import Via
from escalatord.store.rows import JournalEntry
from escalatord.web.timeline import SENTENCES, sentence
from tests.fakes.web_engine import START

NAMES = {"ana": "Ana Ruiz", "bo": "Bo Lindgren"}
PACKAGE = Path(__file__).parents[2] / "escalatord"
OF_THE_DAEMON = {"dead_letter", "stranger", "override_added", "override_cancelled", "calendar_read"}


def said(kind: str, **body: object) -> str:
    """Return the sentence of an entry."""
    return sentence(JournalEntry(incident=1, at=START, actor="x", via=Via.CLOCK, kind=kind, body=body), NAMES)


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("tier_entered", {"to_tier": 2, "people": ["bo"], "reason": "timeout"}, "Tier 2 pages Bo Lindgren (timeout)"),
        (
            "tier_entered",
            {"to_tier": 1, "track": "technical", "people": [], "reason": "timeout", "cycle": 1, "late": True},
            "Tier 1 of technical, round 2 pages nobody (timeout, ? late)",
        ),
        (
            "cleared",
            {"fingerprint": "f", "why": "r is clear: rate < 1%"},
            "Alert f still fires and pages nobody now: r is clear: rate < 1%",
        ),
        (
            "suppressed",
            {"fingerprint": "f", "why": "silence 7 (deploy, by ana)"},
            "Alert f still fires and is muted: silence 7 (deploy, by ana)",
        ),
        (
            "resolved",
            {"by": "", "seconds": 480, "outcome": "suppressed", "muted_by": "silence 7 (deploy, by ana)"},
            "Muted after 8m: silence 7 (deploy, by ana)",
        ),
        ("recovered", {}, "Every alert of it has recovered"),
        ("recovered", {"muted_by": "silence 7"}, "Every alert of it has recovered or is muted: silence 7"),
        (
            "silence_added",
            {
                "id": 7,
                "mute": "maintenance",
                "matchers": "a=b",
                "start": "2026-10-24T01:45:14+00:00",
                "end": "2026-10-24T02:45:14+00:00",
                "why": "CHG-1",
                "by": "ana",
                "apply_to_open": True,
            },
            "Ana Ruiz muted a=b from 24 Oct 01:45 UTC until 24 Oct 02:45 UTC, also what is open (maintenance 7): CHG-1",
        ),
        (
            "silence_expired",
            {"id": 7, "mute": "silence", "matchers": "a=b", "by": "ana"},
            "Silence 7 of Ana Ruiz was ended early: a=b",
        ),
        ("would_have_paged", {"rule": "r", "say": "9 alerts"}, "r would have paged: 9 alerts"),
        ("last_resort", {"people": list("abcdefghij")}, "Last resort pages a, b, c, d, e, f, g, h and 2 more"),
        (
            "acknowledged",
            {"person": "ana", "via": "sms", "seconds": 87},
            "Ana Ruiz has it (sms), 1m27s after it opened",
        ),
        (
            "delivery",
            {"person": "bo", "channel": "sms", "status": "failed_permanent", "why": "busy"},
            "sms to Bo Lindgren: failed (busy)",
        ),
        (
            "resolved",
            {"by": "", "seconds": 480, "outcome": "resolved_unacked"},
            "Over after 8m, nobody had acknowledged it",
        ),
        (
            "resolved",
            {"by": "ana", "seconds": 480, "decision": "not personal data"},
            "Over by Ana Ruiz after 8m: not personal data",
        ),
        (
            "snoozed",
            {"person": "ana", "until": "2026-10-24T01:45:14+00:00"},
            "Ana Ruiz snoozed it until 24 Oct 01:45 UTC",
        ),
        ("snoozed", {"person": "ana", "until": None}, "Ana Ruiz snoozed it until ?"),
        ("noted", {"text": "{0.__class__}"}, "somebody noted: {0.__class__}"),
        ("joined", {"fingerprint": "ab", "new_severity": "critical"}, "Alert ab joined; it is now critical"),
        ("joined", {"fingerprint": "ab", "again": True}, "Alert ab fires again"),
        ("quiet", {"stay_open_seconds": 600}, "Quiet for now; over when it stays quiet for 10m"),
        (
            "reopened",
            {"after_seconds": 120, "times": 2},
            "Fires again 2m after its end (time 2): goes on where it stood",
        ),
        (
            "told_together",
            {"person": "ana", "channel": "sms", "with": 1, "notice": "page", "message": "i2-1-0-d"},
            "Ana Ruiz is paged in one sms with 1 other (i2-1-0-d)",
        ),
        (
            "told_together",
            {"person": "ana", "channel": "sms", "with": 3, "notice": "stand_down", "message": "x"},
            "Ana Ruiz is told in one sms with 3 others (x)",
        ),
        (
            "limited",
            {"person": "bo", "channel": "call"},
            "call to Bo Lindgren left out: over their limit, and they know already",
        ),
        (
            "moved_to_free",
            {"person": "bo", "from": "sms", "channel": "mail"},
            "sms to Bo Lindgren goes by mail: the cap of the day is reached",
        ),
        ("a_kind_of_tomorrow", {}, "a kind of tomorrow"),
    ],
)
def test_what_an_entry_says(kind, body, expected):
    """Names instead of ids, durations in words, and text only ever as text."""
    assert said(kind, **body) == expected


@pytest.mark.parametrize("kind", sorted(SENTENCES))
def test_a_poor_body_still_has_a_sentence(kind):
    """An entry of an older release, without the keys of today, can be read."""
    assert said(kind).strip()


def test_every_kind_that_is_written_has_a_sentence():
    """No entry of an incident is shown by its bare kind."""
    written = set()
    for path in [*PACKAGE.glob("core/*.py"), *PACKAGE.glob("engine/*.py")]:
        text = path.read_text()
        written |= set(re.findall(r'\brecord\(\s*"([a-z_]+)"', text))
        written |= set(re.findall(r'\bunit\.note\(\s*\w+,\s*"([a-z_]+)"', text))
    assert len(written) > 20
    assert written - OF_THE_DAEMON <= set(SENTENCES)
