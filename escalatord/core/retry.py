"""What is known of one attempt.

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


def advance(current: Attempt, news: Attempt) -> Attempt:
    """Return what is known after `news`: the higher of the two in the chain."""
    return news if HEIGHT[news] > HEIGHT[current] else current
