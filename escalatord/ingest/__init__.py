"""One file per wire format: pure functions from a body to alerts in our words.

Everything in a body is hostile until proven dull: it is only ever data. A good alert is never lost because its
neighbour is bad, and nothing that merely decorates an alert (a time, a severity word, a link) can cost the alert.
Past errors are told with a stable code, a JSON pointer and a sentence:

- E100 the body is not readable · E101 something has the wrong type · E102 something needed is missing
- E103 something is over a limit · E104 not the format that the source is configured for
- E105 it can be read in two ways · E106 the content type cannot be used · E107 the source's own map is broken
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from escalatord.core.ruleset import SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest import alertmanager, generic
from escalatord.ingest.parsed import Parsed, Rejected

__all__ = ["ADAPTERS", "Parsed", "Rejected", "parse"]

Adapter: TypeAlias = Callable[[SourceSpec, bytes, str, datetime], Parsed]

ADAPTERS: dict[str, Adapter] = {"alertmanager": alertmanager.parse, "generic": generic.parse}


def parse(spec: SourceSpec, body: bytes, content_type: str, now: datetime) -> Parsed:
    """Return the alerts of one body, and what was wrong with those that could not be read.

    `now` is the instant of arrival; it stands in for a start time that is missing or cannot be read. Raise
    `BadInputError` when nothing in the body can be used.
    """
    adapter = ADAPTERS.get(spec.adapter)
    if adapter is None:
        raise BadInputError("E104", "", f'source "{spec.name}" names the unknown adapter "{spec.adapter}"')
    return adapter(spec, body, content_type, now)
