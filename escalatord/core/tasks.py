"""What tiers ask for when they are entered (`on_enter`): tasks on the incident, done by humans.

A task is asked for once in an incident, however often its tier is entered. It belongs to the policy's owner and stays
open, also after the incident has closed, until a note says that it is done. Nothing else follows from it: no change is
frozen and no analysis written by this program.
"""

from collections.abc import Sequence

from escalatord.core.draft import Draft
from escalatord.core.incident import Reason, Task, Track
from escalatord.core.policy import Action
from escalatord.core.values import replace


def ask(draft: Draft, track: Track, actions: Sequence[Action], reason: Reason) -> None:
    """Ask for those of the actions that nobody has asked for yet."""
    incident = draft.incident
    known = {task.action for task in incident.tasks}
    fresh = [action for action in dict.fromkeys(actions) if action not in known]
    if not fresh:
        return
    owner = draft.policy_of(track).owner
    asked = tuple(
        Task(action=action, asked_at=draft.now, track=track.name, tier=track.tier, owner=str(owner or ""))
        for action in fresh
    )
    draft.incident = replace(incident, tasks=(*incident.tasks, *asked))
    body = {"actions": [action.value for action in fresh], "owner": str(owner or "")}
    draft.record("on_enter", reason, track, body=body)


def finish(draft: Draft, actions: Sequence[Action], person: str) -> tuple[Action, ...]:
    """Mark open tasks as done by a person and return which they were."""
    incident = draft.incident
    done = tuple(task.action for task in incident.tasks if task.action in actions and task.done_at is None)
    if done:
        tasks = tuple(
            replace(task, done_at=draft.now, done_by=person) if task.action in done else task for task in incident.tasks
        )
        draft.incident = replace(incident, tasks=tasks)
    return done
