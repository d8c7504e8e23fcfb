"""When a provider is asked about a message before it is sent: it may have it already.

What was claimed before may have been sent before. So may what is claimed for the first time, when pages went on from
memory: by another node, or by a process that died before it could write it down (see `engine.outage`).
"""

from datetime import datetime

from escalatord.core.values import replace
from escalatord.engine.commands import Claimed
from escalatord.engine.engine import Engine
from escalatord.errors import StoreUnavailableError
from escalatord.notify.channel import Message
from escalatord.store.rows import OutboxRow
from escalatord.store.tx import Tx


async def to_ask_about(engine: Engine, item: Claimed, message: Message, now: datetime) -> Message | None:
    """Return the message to ask its provider for, None when nobody can have sent it."""
    row = item.row
    if row.claims > 1:
        return message
    if not engine.outage.doubts(late=row.late, waited_seconds=(now - row.due_at).total_seconds()):
        return None
    try:
        first = await engine.read(lambda tx: _is_first(tx, row))
    except StoreUnavailableError:
        first = False
    # the decision may have been taken before, longer ago; what says the same to the same person is not mistaken for it
    return replace(message, since=item.incident.opened_at) if first else message


def _is_first(tx: Tx, row: OutboxRow) -> bool:
    """Return whether a message is the first one on record about its incident to its reader by its channel."""
    others = [each for each in tx.outbox_of(row.incident) if each.reference != row.reference]
    return not any(each.claims and (each.person, each.channel) == (row.person, row.channel) for each in others)
