"""Senders' words for how bad it is, in our four.

A word nobody knows is never lowered to info and never costs the alert: it maps to nothing and is noted on the alert.
"""

from collections.abc import Mapping

from escalatord.core.alert import Severity

WORDS: dict[str, Severity] = {
    "critical": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "fatal": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
    "p1": Severity.CRITICAL,
    "error": Severity.ERROR,
    "high": Severity.ERROR,
    "major": Severity.ERROR,
    "p2": Severity.ERROR,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "medium": Severity.WARNING,
    "minor": Severity.WARNING,
    "p3": Severity.WARNING,
    "info": Severity.INFO,
    "low": Severity.INFO,
    "none": Severity.INFO,
    "debug": Severity.INFO,
    "p4": Severity.INFO,
    "p5": Severity.INFO,
}


def severity_of(word: str, own: Mapping[str, Severity]) -> Severity | None:
    """Return what `word` means: the source's `own` words first, then the common ones; None when nobody knows it.

    Words are compared whole; case and surrounding space do not matter.
    """
    found = own.get(word) or WORDS.get(word)
    if found is not None:
        return found
    folded = word.strip().casefold()
    return next((meant for name, meant in own.items() if name.casefold() == folded), None) or WORDS.get(folded)
