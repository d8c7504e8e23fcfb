"""Silences as tests want them."""

from datetime import datetime, timedelta

from escalatord.core.incident import Via
from escalatord.core.matchers import parse_matchers
from escalatord.core.mutes import MuteKind, Silence
from escalatord.engine.wishes import AddSilence, ExpireSilence, Silenced
from escalatord.sim.world import World


def silence(
    match: str, start: datetime, minutes: float, *, apply_to_open: bool = False, kind: MuteKind = MuteKind.SILENCE
) -> Silence:
    """Return a silence that lasts so many minutes."""
    return Silence(
        kind=kind,
        match=parse_matchers(match),
        start=start,
        end=start + timedelta(minutes=minutes),
        why="deploy",
        by="ana",
        apply_to_open=apply_to_open,
    )


async def mute(
    world: World, match: str, minutes: float, *, after: float = 0.0, apply_to_open: bool = False
) -> Silenced:
    """Silence what matches, from so many minutes after now on."""
    start = world.clock.now() + timedelta(minutes=after)
    done = await world.submit(
        AddSilence(silence=silence(match, start, minutes, apply_to_open=apply_to_open), via=Via.CLI)
    )
    assert isinstance(done, Silenced)
    return done


async def unmute(world: World, number: int = 1) -> Silenced:
    """End a silence."""
    done = await world.submit(ExpireSilence(id=number, by="bo", via=Via.WEB))
    assert isinstance(done, Silenced)
    return done
