"""One transaction for many commands; runs in the store's writer thread."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import assert_never

from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from escalatord.core.incident import Incident, State
from escalatord.core.policy import Policy
from escalatord.core.rules import OWN_SOURCE
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.values import replace
from escalatord.engine import claiming, duty, handlers, intake, own_alerts, rebasing, suppressing, trouble
from escalatord.engine.commands import (
    Answer,
    Arm,
    Beat,
    Claim,
    Command,
    Ingest,
    Ingested,
    LookAtRules,
    Measured,
    Move,
    MoveAll,
    PeopleGone,
    Quarantine,
    RaiseIncident,
    Receipt,
    Remark,
    Stranger,
    Unreachable,
)
from escalatord.engine.footing import Footing
from escalatord.engine.handlers import ANSWERABLE_KINDS, Due
from escalatord.engine.hearing import Hearing, read_again
from escalatord.engine.page_counts import PageCounts, wanted
from escalatord.engine.surroundings import Surroundings
from escalatord.engine.unit import Unit
from escalatord.engine.wishes import (
    AddAway,
    AddOverride,
    AddSilence,
    CancelAway,
    CancelOverride,
    ExpireSilence,
    RememberFeed,
    SwapShifts,
)
from escalatord.engine.written import CommandFailedError, Written, joined, nothing
from escalatord.errors import StoreUnavailableError
from escalatord.store.incidents import ConflictError
from escalatord.store.store import ALONE_FROM_TRY, CONFLICT_TRIES_MAX, Store
from escalatord.store.tx import Tx

OPEN_LOOKED_THROUGH_MAX = 10_000
POLICIES_KEPT_MAX = 10_000

log = get_logger(component="engine")


class Batch:
    """Runs batches of commands against the store; keeps the world between them."""

    def __init__(self, store: Footing | Store, ruleset: Ruleset, link_key: bytes) -> None:
        self._store = store
        self.link_key = link_key
        self.noted: Callable[[Unit, Sequence[object]], None] = lambda _unit, _results: None
        """Hears of what was committed: the unit of work, and what its commands came to."""
        self.world = World(ruleset=ruleset, policies={policy.hash: policy for policy in ruleset.policies.values()})
        self.around = Surroundings(ruleset)
        self.hearing = Hearing()
        self.moving: frozenset[int] = frozenset()
        self._pinned: set[str] = set()
        self._counts = PageCounts()

    @property
    def ruleset(self) -> Ruleset:
        """Return the rules in force."""
        return self.world.ruleset

    def refresh(self, now: datetime) -> None:
        """Read again what changes at run time: overrides, unreachable addresses, who is away, silences."""
        self.world, silences = self._store.write(lambda tx: read_again(tx, self.world, now))
        self.around.silence(silences)
        self.around.keep()

    def swap(self, ruleset: Ruleset, now: datetime) -> None:
        """Put new rules in force."""
        policies = {policy.hash: policy for policy in ruleset.policies.values()}
        self.world = replace(self.world, ruleset=ruleset, policies=policies)
        self.refresh(now)

    def commit(self, commands: Sequence[Command | Due], now: datetime) -> Written:
        """Run commands in one transaction and return what they came to.

        Raise StoreUnavailableError when nothing was committed. When another node changed the same incident, the whole
        batch is read and decided again; the later tries keep other nodes waiting, so that they cannot lose.
        """
        for tried in range(CONFLICT_TRIES_MAX):
            try:
                written, world = self._write(commands, now, alone=tried >= ALONE_FROM_TRY)
            except ConflictError:
                if tried == CONFLICT_TRIES_MAX - 1:
                    raise StoreUnavailableError("other nodes change the same incidents; try again") from None
            except SQLAlchemyError as error:
                # something in this batch cannot be written: find it by writing each command by itself
                if len(commands) == 1:
                    log.exception("a command cannot be written")
                    return nothing(CommandFailedError(f"it could not be written: {error}"), now)
                return joined([self.commit((command,), now) for command in commands], now)
            else:
                # only now: what was not committed is not in force
                kept = world.policies is self.world.policies
                self.world = world if kept else replace(world, policies=self.world.policies)
                return written
        raise AssertionError("unreachable")

    def survey(self, now: datetime) -> None:
        """Build what rules look at beside an alert anew: at a start, and with other rules; in the writer thread."""
        self._store.write(lambda tx: self.hearing.survey(tx, self.ruleset, self.around, tx.standing.now or now))

    def _write(self, commands: Sequence[Command | Due], now: datetime, *, alone: bool) -> tuple[Written, World]:
        """Run commands in one transaction; what the surroundings learned stays only when it is committed."""
        try:
            found = self._store.write(lambda tx: self._run(tx, commands, now), alone=alone)
        except BaseException as error:
            self.around.undo()
            # the connection may have died with the answer to a COMMIT that was carried out
            self.hearing.in_doubt = self.hearing.in_doubt or isinstance(error, StoreUnavailableError)
            raise
        self.around.keep()
        written, world, unit = found
        self.noted(unit, written.results)
        return written, world

    def _run(self, tx: Tx, commands: Sequence[Command | Due], now: datetime) -> tuple[Written, World, Unit]:
        if tx.standing.now is not None:
            # what several nodes decide is decided by the one clock that they share
            now = tx.standing.now
            self.world = self.hearing.catch_up(tx, self.world, self.around, now)
        unit = Unit(tx, now, self.world, self.link_key, self.around)
        if wanted(self.world.policies.values()):
            if not tx.standing.stands_in:  # its journal begins with the outage
                self._counts.catch_up(tx, now)
            unit.counts = self._counts
        run = _Run(self, unit)
        run.read_ahead(commands)
        results = run.all(commands)
        if not tx.standing.stands_in:  # there are no alerts in it
            run.look_around()
        self._pin(tx, unit)
        seq = unit.flush()
        alike = unit.alike
        openings = Counter(one.opening for one in alike.values())
        self.moving |= unit.changed.keys() | alike.keys()  # before the commit: see Engine.unsettled
        deadlines = [incident.next_due_at for incident in unit.changed.values()]
        deadlines += [unit.alerts[key].due_at for key in unit.changed_alerts]
        for number, name in unit.broken:
            log.error("invariant violated", incident=number, invariant=name)
        written = Written(
            results=tuple(results),
            changed=(*unit.changed, *alike),
            touched=tuple(unit.changed_alerts),
            entries=tuple(unit.journal),
            alike=tuple((opening.entries, times) for opening, times in openings.items()),
            seq=seq,
            outbox=frozenset(row.lane for rows in (unit.outbox, *(one.rows for one in openings)) for row in rows),
            retries=tuple(unit.retries),
            next_due=min((at for at in deadlines if at is not None), default=None),
            poisoned=tuple(run.poisoned),
            violations=tuple(name.partition(":")[0] for _number, name in unit.broken),
            lateness=tuple(run.lateness),
            asks=self.around.asks,
            muted=tuple(unit.newly_muted.values()),
            held_back=self.around.held_back(),
            limited=tuple(unit.limited),
            at=now,
        )
        counted = self._counts.now(unit.journal) if unit.counts is not None else {}
        # the same object for as long as nothing changed: what is foreseen in a world is remembered by it
        world = unit.world if counted == unit.world.paged else replace(unit.world, paged=counted)
        return written, world, unit

    def _pin(self, tx: Tx, unit: Unit) -> None:
        """Store the policies that new incidents are pinned to, once each."""
        wanted = {track.policy for incident in unit.changed.values() for track in incident.tracks} - self._pinned
        known = [policy for digest, policy in self.world.policies.items() if digest in wanted]
        if known:
            tx.pin(known)
            self._pinned.update(policy.hash for policy in known)

    def forget_pinned(self) -> None:
        """Take note that the store is another one: which policies are in it has to be found out anew."""
        self._pinned.clear()

    def know_policies(self, tx: Tx, digests: Iterable[str]) -> None:
        """Read pinned policies that are no longer in the rules."""
        missing = set(digests) - self.world.policies.keys()
        if missing:
            kept: dict[str, Policy] = {policy.hash: policy for policy in self.ruleset.policies.values()}
            if len(self.world.policies) < POLICIES_KEPT_MAX:
                kept.update(self.world.policies)
            self.world = replace(self.world, policies={**kept, **tx.policies(missing)})


class _Run:
    """One batch under way."""

    def __init__(self, batch: Batch, unit: Unit) -> None:
        self.batch = batch
        self.unit = unit
        self.poisoned: list[int] = []
        self.lateness: list[tuple[str, float]] = []
        self._numbers: list[int] = []
        self._judged: dict[int, tuple[intake.Judged, ...]] = {}

    def read_ahead(self, commands: Sequence[Command | Due]) -> None:
        """Read in one go per table what the commands will need."""
        unit, tx = self.unit, self.unit.tx
        by_source: dict[str, list[str]] = {}
        numbers: set[int] = set()
        references: list[str] = []
        for command in commands:
            if isinstance(command, Ingest):
                by_source.setdefault(command.source, []).extend(alert.fingerprint for alert in command.alerts)
            elif isinstance(command, Answer | Move):
                numbers.add(command.incident)
            elif isinstance(command, Receipt):
                references.append(command.reference)
        if references:
            unit.attempts.update(tx.outbox_many(references))
            numbers.update(row.incident for row in unit.attempts.values() if row.kind in ANSWERABLE_KINDS)
        for source, fingerprints in by_source.items():
            known = tx.alerts(source, fingerprints)
            unit.alerts.update(((source, fingerprint), record) for fingerprint, record in known.items())
        keys: set[str] = set()
        for index, command in enumerate(commands):
            if isinstance(command, Ingest):
                judged = self._guarded(command, partial(intake.judge, unit, command))
                if isinstance(judged, tuple):
                    self._judged[index] = judged
                    keys.update(intake.keys_of(judged))
                    numbers.update(intake.numbers_of(judged))
        self._know(tx.load(numbers).values() if numbers else (), tx.load_open(keys).values() if keys else ())
        unit.know_no_other(keys)
        if keys and unit.world.ruleset.flap is not None:
            ended = [key for key in keys if not unit.by_key.get(key)]
            unit.know_over(tx.load_over(ended), ended)
            self._know()
        if any(isinstance(command, Unreachable | PeopleGone | MoveAll | LookAtRules) for command in commands):
            self._know(tx.list_incidents((State.OPEN, State.ACKNOWLEDGED), OPEN_LOOKED_THROUGH_MAX))
        unit.new_expected = sum(1 for key in keys if not unit.by_key.get(key))

    def all(self, commands: Sequence[Command | Due]) -> list[object]:
        """Run all and return their results, in order. Claims come last: no ack beside one may be heard too early."""
        results: list[object] = [None] * len(commands)
        for index in sorted(range(len(commands)), key=lambda index: isinstance(commands[index], Claim)):
            results[index] = self.one(index, commands[index])
        return results

    def one(self, index: int, command: Command | Due) -> object:
        """Run one command; its result, or the error that it alone came to."""
        if isinstance(command, Ingest) and index not in self._judged:
            return self._keep_letter(command)
        result = self._guarded(command, lambda: self._dispatch(index, command))
        if isinstance(result, CommandFailedError) and isinstance(command, Ingest):
            return self._keep_letter(command)
        return result

    def _dispatch(self, index: int, command: Command | Due) -> object:
        unit = self.unit
        match command:
            case Ingest():
                return intake.act(unit, self._judged[index])
            case Answer():
                return handlers.answer(unit, command)
            case Receipt():
                return handlers.receipt(unit, command)
            case Claim():
                claimed = claiming.claim(unit, command)
                self._know((), ())
                return claimed
            case RaiseIncident():
                return handlers.raise_incident(unit, command)
            case Quarantine():
                handlers.quarantine(unit, command)
            case Unreachable():
                handlers.unreachable(unit, command)
            case PeopleGone():
                handlers.lose_people(unit, command)
            case Stranger():
                handlers.stranger(unit, command)
            case Remark():
                trouble.remark(unit, command)
            case AddOverride() | CancelOverride() | SwapShifts() | AddAway() | CancelAway() | RememberFeed():
                return duty.run(unit, command)
            case AddSilence() | ExpireSilence():
                return suppressing.run(unit, command)
            case Move() | MoveAll() | LookAtRules():
                return rebasing.act(unit, command)
            case Arm() | Beat() | Measured() | Due():
                return self._own(command)
        return None

    def _own(self, command: Arm | Beat | Measured | Due) -> object:
        """Run a command about our own alerts, or one that the engine gives itself."""
        match command:
            case Arm():
                own_alerts.arm(self.unit, beside_others=command.beside_others)
            case Beat():
                own_alerts.beat(self.unit, command.source)
            case Measured():
                self.unit.around.answered(command.query, command.value, self.unit.now)
            case Due():
                return self._due(command)
            case _:
                assert_never(command)
        return None

    def look_around(self) -> None:
        """Tell the rules that make alerts what came; let who depends on what has changed be looked at at once."""
        unit = self.unit
        if unit.came or unit.arrived:
            self._guarded(unit, partial(own_alerts.take_in, unit))
        if unit.around.needed:
            unit.settled += unit.around.closed(unit.over)
        if unit.around.has_due:
            self._guarded(unit, lambda: intake.look_soon(unit, unit.around.take_due()))

    def _due(self, command: Due) -> int:
        """Look at each due incident and alert by itself: one that raises is put aside, the others are on time."""
        unit = self.unit
        numbers = handlers.due_incidents(unit, command)
        self._know((), ())
        for number in numbers:
            incident = unit.incidents[number]
            late = [(t.kind.value, (unit.now - t.at).total_seconds()) for t in incident.timers if t.at <= unit.now]
            unit.begin()
            if isinstance(self._attempt(partial(handlers.pass_deadlines, unit, number), number), Exception):
                self.poisoned.append(number)
            else:
                self.lateness.extend(late)
        records = unit.tx.due_alerts(unit.now, command.limit, take=True)
        for record in records:
            place = (record.alert.source, record.alert.fingerprint)
            known = unit.alerts.setdefault(place, record)
            if known.due_at is None or known.due_at > unit.now:
                continue
            unit.begin()
            look = own_alerts.look if known.alert.source == OWN_SOURCE else intake.look_again
            outcome = self._attempt(partial(look, unit, known), 0)
            if isinstance(outcome, Exception):
                unit.put(unit.alerts, place, replace(known, due_at=unit.now + intake.AFTER_TROUBLE))
                unit.put(unit.changed_alerts, place, None)
        unit.begin()
        return len(numbers) + len(records)

    def _guarded(self, command: object, work: Callable[[], object]) -> object:
        self.unit.begin()
        result = self._attempt(work, 0)
        if isinstance(result, Exception):
            return CommandFailedError(f"{type(command).__name__} failed and was taken back: {result}")
        return result

    def _attempt(self, work: Callable[[], object], number: int) -> object:
        """Run work; what it changed is taken back when it raises, and the defect is journaled."""
        try:
            return work()
        except Exception as error:  # one of the three places (architecture §7): one item of a commit batch
            if isinstance(error, ConflictError) or self.unit.tx.is_aborted:
                raise  # nothing of this batch can be committed: it is decided again, or each command by itself
            self.unit.take_back()
            log.exception("a command was taken back", incident=number)
            self.unit.record("command_failed", {"incident": number, "error": f"{type(error).__name__}: {error}"[:500]})
            return error

    def _keep_letter(self, command: Ingest) -> Ingested:
        """Alerts that our own code cannot handle are kept and told, never lost: the sender may stop sending."""
        body = json.dumps([alert.labels for alert in command.alerts]).encode()
        letter = Quarantine(
            source=command.source, body=body, code="E190", at_pointer="", say="escalatord failed to handle these alerts"
        )
        self._guarded(letter, lambda: handlers.quarantine(self.unit, letter))
        return Ingested(accepted=(), changed=True)

    def _know(self, *groups: Iterable[Incident]) -> None:
        unit = self.unit
        unit.know({incident.number: incident for group in groups for incident in group})
        digests = {track.policy for incident in unit.incidents.values() for track in incident.tracks}
        if digests - unit.world.policies.keys():
            self.batch.know_policies(unit.tx, digests)
            unit.world = replace(unit.world, policies=self.batch.world.policies)
