"""How many acks hold a tier: `need: first | all | N`.

- Until enough different people have acked, the track goes on climbing for the others: who acked is left in peace, the
  others are reminded, and the end of the window enters the next tier.
- No tier asks for more people than it pages, and who is gone (removed, or reachable by nothing any more) no longer
  counts: a quorum is never impossible. With a number anybody's ack counts, also one that comes late or from somebody
  who was not paged; `all` wants everybody who is paged.
- The last resort needs one. Each entry of a tier counts anew.
"""

from escalatord.core.incident import Track
from escalatord.core.policy import NEED_ALL


def needed(track: Track) -> int:
    """Return how many people have to ack where the track is; at least one."""
    paged = len(track.pages)
    return max(1, paged if track.need == NEED_ALL else min(track.need, paged))


def is_met(track: Track) -> bool:
    """Return whether enough people have acked; False when nobody has."""
    if not track.acks:
        return False
    if track.need == NEED_ALL:
        return all(page.person in track.acks for page in track.pages)
    return len(track.acks) >= needed(track)
