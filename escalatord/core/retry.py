"""What is known of one attempt, and when to try again.

News of an attempt comes from the send itself, from the provider's callbacks (out of order, doubled, missing) and from
asking. The states form a chain, and knowledge only climbs it:

    pending < sending < bundled < failed_temporary < accepted < failed_permanent < withdrawn < delivered

- A temporary failure lies below `accepted`: after a timeout the provider may have taken the message, and its own word
  that it did outweighs our doubt. Once accepted, a temporary failure is no news; no receipt starts the fallback.
- `bundled` is being sent too, inside another message to the same person; what becomes of that is told of it.
- `delivered` beats everything: what reached its phone was not failed and not taken back, whoever says so later.
- `withdrawn` is final but for `delivered`: we never send it, and if it went out all the same, that is the truth.

`advance` is the join of a chain, so any permutation and any repetition of the same news ends in the same state. Trying
a failed attempt again is a new claim of its row, not news, and does not pass through here.
"""

from escalatord.core.incident import Attempt

CHAIN = (
    Attempt.PENDING,
    Attempt.SENDING,
    Attempt.BUNDLED,
    Attempt.FAILED_TEMPORARY,
    Attempt.ACCEPTED,
    Attempt.FAILED_PERMANENT,
    Attempt.WITHDRAWN,
    Attempt.DELIVERED,
)
HEIGHT: dict[Attempt, int] = {attempt: height for height, attempt in enumerate(CHAIN)}
FAILED = frozenset({Attempt.FAILED_TEMPORARY, Attempt.FAILED_PERMANENT})
FINAL = frozenset({Attempt.DELIVERED, Attempt.FAILED_PERMANENT, Attempt.WITHDRAWN})

BACKOFF_SECONDS_FIRST = 1.0
BACKOFF_SECONDS_MAX = 30.0
BACKOFF_DOUBLINGS_MAX = 16


def advance(current: Attempt, news: Attempt) -> Attempt:
    """Return what is known after `news`: the higher of the two in the chain."""
    return news if HEIGHT[news] > HEIGHT[current] else current


def backoff_seconds(attempt: int, jitter: float) -> float:
    """Return the pause in seconds after the failure of try number `attempt` (from 1).

    Doubles from BACKOFF_SECONDS_FIRST up to BACKOFF_SECONDS_MAX; `jitter`, between 0 and 1, picks a point in the upper
    half, so that many rows failing together do not come back together. ValueError outside of these ranges.
    """
    if attempt < 1 or not 0 <= jitter <= 1:
        raise ValueError(f"attempt {attempt} counts from 1 and jitter {jitter} lies between 0 and 1")
    doublings = min(attempt - 1, BACKOFF_DOUBLINGS_MAX)
    whole = min(BACKOFF_SECONDS_FIRST * 2.0**doublings, BACKOFF_SECONDS_MAX)
    return whole * (1 + jitter) / 2
