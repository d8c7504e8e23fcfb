"""The composition root: builds every object once, runs the loops in one TaskGroup, ends them in order.

The only file that names concrete drivers and channels. The end of an eternal task is an error: it ends the group, hence
the process, and the service manager starts it again; the state is on disk.
"""

import asyncio
import gc
import platform
import secrets
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path

from aiohttp import web
from structlog import get_logger

from escalatord import __version__, log
from escalatord.clock import FollowingClock, HurriedClock, SteadyClock, SystemClock, awake_seconds
from escalatord.config.files import fingerprint
from escalatord.config.load import load
from escalatord.config.redaction import secrets_of
from escalatord.core.incident import Attempt
from escalatord.core.ruleset import Ruleset
from escalatord.deadman import EVERY_SECONDS, DeadMan
from escalatord.engine.auditor import AUDIT_EVERY_SECONDS, Audit, run_audits
from escalatord.engine.clock_steps import ClockSteps
from escalatord.engine.commands import Receipt, Remark
from escalatord.engine.engine import Engine
from escalatord.engine.ledger import Ledger
from escalatord.engine.peers import Peers
from escalatord.engine.seeding import Figures
from escalatord.engine.written import Written
from escalatord.errors import ConfigError, Finding, StoreRefusedError
from escalatord.feeds import Feeds, remembered
from escalatord.housekeeping import Housekeeping
from escalatord.ingest.prometheus import Prometheus
from escalatord.metrics import Metrics
from escalatord.notify.channel import Channel, Outside
from escalatord.notify.sender import Sender
from escalatord.notify.simulated import Switchboard
from escalatord.notify.slack_reply import reply
from escalatord.respond.chat_action import ChatAction
from escalatord.respond.keypad import Keypad
from escalatord.respond.link import Links
from escalatord.respond.sms_reply import SmsReplies
from escalatord.store.store import Store
from escalatord.store.tx import Tx
from escalatord.supervisor import Supervisor
from escalatord.web.app import RUNNER_OPTIONS, build_app
from escalatord.web.callbacks import INBOUND, callback_path
from escalatord.web.examples import find_examples
from escalatord.web.ingest_http import BUILT_IN_SOURCE
from escalatord.web.parts import WebParts

SIMULATED = frozenset({"sim", "simulated"})
CHANNEL_MODULES: Mapping[tuple[str, str], str] = {
    ("twilio", "sms"): "escalatord.notify.twilio_sms",
    ("twilio", "call"): "escalatord.notify.twilio_voice",
    ("slack", "chat"): "escalatord.notify.slack",
    ("smtp", "mail"): "escalatord.notify.smtp",
    ("webhook", "webhook"): "escalatord.notify.webhook",
}
SECRET_SETTING = "server_secret"  # noqa: S105 - the name of a setting

logger = get_logger(component="daemon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where things are. `listen` are `host:port`; `speed` > 1 hurries the clock (simulated channels only).

    `heartbeat_url` is called every `heartbeat_seconds` while audits pass ("" = nobody outside watches us).
    """

    rules: Path
    storage_url: str
    listen: tuple[str, ...] = ("127.0.0.1:8911",)
    external_url: str = ""
    log_level: str = "info"
    log_format: str = "logfmt"
    enable_lifecycle: bool = False
    auto_reload_seconds: float = 0.0
    speed: float = 1.0
    heartbeat_url: str = ""
    heartbeat_seconds: float = EVERY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What `on_ready` hears: where the daemon listens, how long the start took, what it runs."""

    url: str
    seconds: float
    ruleset: Ruleset
    storage_url: str


def run(options: Options, on_ready: Callable[[Ready], None] = lambda _ready: None) -> int:
    """Run the daemon until it is told to stop; return the exit code.

    Raise ConfigError when the rules cannot be used, StoreRefusedError when the database cannot.
    """
    ruleset = load(options.rules).ruleset
    steady = SteadyClock(SystemClock())
    clock = FollowingClock(HurriedClock(SystemClock(), options.speed) if options.speed != 1.0 else steady)
    log.configure(
        clock, sys.stderr, level=options.log_level, form=options.log_format, secrets=list(secrets_of(ruleset))
    )
    # what the start made stays for good: the collector need not look through it at every burst of alerts
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    daemon = Daemon(options, ruleset, clock, steady)
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(daemon.run(on_ready))
    return 0


@dataclass(slots=True)
class Daemon:
    """Everything that lives as long as the process."""

    options: Options
    ruleset: Ruleset
    clock: FollowingClock
    steady: SteadyClock
    supervisor: Supervisor = field(default_factory=Supervisor)
    store: Store = field(init=False)
    engine: Engine = field(init=False)
    feeds: Feeds = field(init=False)
    figures: Figures = field(init=False)
    peers: Peers = field(init=False)
    metrics: Metrics = field(init=False)
    switchboard: Switchboard | None = field(init=False, default=None)
    sender: Sender = field(init=False)
    outside: Outside = field(init=False)
    stop: asyncio.Event = field(init=False)
    deadman: DeadMan = field(init=False)

    async def run(self, on_ready: Callable[[Ready], None]) -> None:
        """Start, serve until told to stop, end in order: intake, sends, figures, store."""
        started = self.clock.monotonic()
        self.stop = asyncio.Event()
        self.store = Store(self.options.storage_url)
        self.store.open()
        try:
            if self.store.shared and self.options.speed != 1.0:
                raise StoreRefusedError("only a clock of one's own can be hurried; use sqlite:////path/to/file")
            secret = self.store.settle(_server_secret)
            self._build(secret)
            await self.peers.join()
            await self.engine.start(beside_others=self.peers.others_alive())
            await self.figures.seed(self.engine)
            runner = web.AppRunner(build_app(self._parts(secret)), **RUNNER_OPTIONS)
            await runner.setup()
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(work, name=name) for name, work in self._loops()]
                    url = await self._listen(runner)
                    self.engine.ready = True
                    self._catch_signals()
                    self.supervisor.ready(f"paging with rules {self.engine.ruleset.hash[:6]}")
                    logger.info("ready", url=url, rules=self.engine.ruleset.hash)
                    self._tell_addresses()
                    on_ready(
                        Ready(
                            url=url,
                            seconds=self.clock.monotonic() - started,
                            ruleset=self.engine.ruleset,
                            storage_url=self.options.storage_url,
                        )
                    )
                    await self.stop.wait()
                    await self._end(runner)
                    for task in tasks:
                        task.cancel()
            finally:
                await runner.cleanup()
                await self.sender.close()
                await self.peers.leave()
                await self.engine.close()
        finally:
            self.store.close()

    # ------------------------------------------------------------------------------------------------------- building

    def _build(self, secret: bytes) -> None:
        external_url = self.options.external_url or f"http://{self.options.listen[0]}"
        self.outside = Outside(
            external_url=external_url,
            clock=self.clock,
            callback_path=callback_path(external_url, secret),
            still_ours=self._still_ours,
        )
        ruleset = self.store.read(lambda tx: remembered(tx, self.ruleset))
        self.engine = Engine(self.store, ruleset, self.clock, link_key=secret)
        if not self.store.shared and self.options.speed == 1.0:
            # several nodes go by their database's clock, and a hurried one is nobody's
            self.engine.clock_steps = ClockSteps(self.steady)
        self.feeds = Feeds(self.engine)
        self.figures = Figures(Ledger())
        self.peers = Peers(self.engine, self.figures, self.clock, __version__)
        self.metrics = Metrics(self.figures.ledger, version=__version__, python_version=platform.python_version())
        self.metrics.prepare(self.ruleset)
        self.metrics.prepare_source(BUILT_IN_SOURCE.name)
        self.metrics.reloaded(ok=True, now=self.clock.now())
        self.deadman = DeadMan(self.options.heartbeat_url, self.options.heartbeat_seconds, self.clock, self.metrics)
        self.engine.on_written = self._written
        self.engine.on_untaken = self.metrics.answer_not_taken
        self.engine.outage.on_degraded = self._degraded
        if any(spec.provider in SIMULATED for spec in self.ruleset.channels.values()):
            self._open_switchboard()
        channels = build_channels(self.ruleset, self.outside, self.switchboard)
        self.sender = Sender(self.engine, channels, self.clock, self.metrics, external_url)

    def _still_ours(self) -> None:
        self.engine.lease.check()

    def _open_switchboard(self) -> None:
        # beside a database that is no file there is no place for them: simulated phones forget
        path = self.store.database.path
        path = path.with_name(path.name + ".sim.jsonl") if path is not None else None
        self.switchboard = Switchboard(clock=self.clock, on_receipt=self._receipt, path=path)

    def _parts(self, secret: bytes) -> WebParts:
        engine = self.engine
        return WebParts(
            engine=engine,
            secret=secret,
            external_url=self.outside.external_url,
            sms=SmsReplies(engine),
            keypad=Keypad(engine),
            links=Links(engine, secret),
            chat=ChatAction(engine),
            switchboard=self.switchboard,
            metrics=lambda accept: self.metrics.expose(accept) if self.figures.caught_up else None,
            observe=self.metrics.http_request,
            observe_ingest=self.metrics.ingested,
            count_alerts=self.metrics.alerts,
            reload=self.reload if self.options.enable_lifecycle else None,
            channels_up=lambda: self.sender.up,
            degraded=lambda: self.engine.outage.degraded,
            nodes=lambda: (self.peers.own, self.peers.known),
            examples=find_examples(self.options.rules),
            answer_chat=reply,
        )

    def _loops(self) -> Iterable[tuple[str, Coroutine[None, None, None]]]:
        loops: dict[str, Coroutine[None, None, None]] = {
            "commits": self.engine.run_commits(),
            "deadlines": self.engine.deadlines.run(),
            "outage": self.engine.outage.run(),
            "sender": self.sender.run(),
            "auditor": run_audits(
                self.engine, self.clock, self._audited, self.supervisor.often_enough(AUDIT_EVERY_SECONDS)
            ),
            "housekeeping": Housekeeping(
                self.engine, self.figures, self.metrics, self.clock, lambda: self.peers.known
            ).run(),
            "deadman": self.deadman.run(),
            "asking": Prometheus(self.engine).run(),
            "calendars": self.feeds.run(),
        }
        if self.store.shared:
            loops["peers"] = self.peers.run()
        if self.options.auto_reload_seconds > 0:
            loops["auto-reload"] = self._watch_files()
        return loops.items()

    async def _listen(self, runner: web.AppRunner) -> str:
        first = ""
        for address in self.options.listen:
            host, _, port = address.rpartition(":")
            site = web.TCPSite(runner, host.strip("[]") or None, int(port), reuse_address=True, backlog=1024)
            await site.start()
            first = first or site.name
        return first

    def _tell_addresses(self) -> None:
        """Say what has to be entered at the providers, so that answers find their way back here."""
        providers, path = {spec.provider for spec in self.engine.ruleset.channels.values()}, self.outside.callback_path
        if "twilio" in providers:
            known = {"texts": path("twilio", "sms", INBOUND), "calls": path("twilio", "voice-inbound", INBOUND)}
            logger.info("enter these at your numbers in Twilio's console", **known)
        if "slack" in providers:
            url = f"{self.outside.external_url}/callbacks/slack/actions"
            logger.info("enter this at your Slack app's interactivity", url=url)

    # -------------------------------------------------------------------------------------------------------- working

    def _written(self, written: Written) -> None:
        self.figures.written(written)
        self.peers.written(written)
        self.metrics.committed(written)

    def _degraded(self, degraded: bool) -> None:  # noqa: FBT001 - it hears one thing
        self.metrics.stands(degraded=degraded)
        how = "paging from memory, the database is away" if degraded else "paging"
        self.supervisor.ready(f"{how}, with rules {self.engine.ruleset.hash[:6]}")

    async def _receipt(self, reference: str, status: Attempt, reason: str, provider_id: str) -> None:
        await self.engine.submit(Receipt(reference=reference, status=status, reason=reason, provider_id=provider_id))

    def _audited(self, audit: Audit) -> None:
        self.metrics.audited(audit.at, overdue=audit.overdue, broken=tuple(audit.broken))
        self.metrics.show_open(audit.open_counts, audit.at)
        if audit.alive:
            self.supervisor.alive()
        if audit.passed:
            self.deadman.passed()

    async def reload(self) -> tuple[Finding, ...]:
        """Parse, check, swap; with findings the old rules stay. Running incidents keep their pinned policies."""
        self.supervisor.reloading(awake_seconds())
        now = self.clock.now()
        try:
            ruleset = await asyncio.to_thread(lambda: load(self.options.rules).ruleset)
            if self.switchboard is None and any(s.provider in SIMULATED for s in ruleset.channels.values()):
                self._open_switchboard()
            channels = build_channels(ruleset, self.outside, self.switchboard)
        except ConfigError as error:
            self.metrics.reloaded(ok=False, now=now)
            logger.error("rules refused, the old ones stay", findings=[str(f) for f in error.findings][:20])  # noqa: TRY400 - the findings say it
            await self.engine.submit(
                Remark(kind="config_refused", body={"findings": [str(f) for f in error.findings][:50]})
            )
            self.supervisor.ready(f"rules refused, paging with {self.engine.ruleset.hash[:6]}")
            return error.findings
        before = self.engine.ruleset
        await self.feeds.put_in_force(ruleset)
        self.metrics.prepare(ruleset)
        self.metrics.reloaded(ok=True, now=now)
        self.sender.use(ruleset, channels)
        await self.engine.tell_loaded(before.hash)
        self.supervisor.ready(f"paging with rules {ruleset.hash[:6]}")
        return ()

    async def _watch_files(self) -> None:
        """Reload when the files change: by checksum, because a mounted ConfigMap swaps a link and tells nobody."""
        known = fingerprint(self.options.rules)
        while True:
            await self.clock.sleep(self.options.auto_reload_seconds)
            found = await asyncio.to_thread(fingerprint, self.options.rules)
            if found != known:
                known = found
                await self.reload()

    # --------------------------------------------------------------------------------------------------------- ending

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self.reload(), name="reload"))

    async def _end(self, runner: web.AppRunner) -> None:
        """Stop the intake, let sends and commits under way end, keep the figures; the finally blocks do the rest."""
        logger.info("stopping")
        self.supervisor.stopping()
        self.engine.ready = False
        for site in list(runner.sites):
            await site.stop()
        await self.sender.drain()
        await self.engine.finish()
        await self.figures.keep_at_the_end(self.engine)


def build_channels(ruleset: Ruleset, outside: Outside, switchboard: Switchboard | None) -> dict[str, Channel]:
    """Return the configured channels by name; each module is imported only when a channel needs it."""
    channels: dict[str, Channel] = {}
    for name, spec in ruleset.channels.items():
        if spec.provider in SIMULATED:
            assert switchboard is not None  # noqa: S101 - opened by the caller whenever a channel is simulated
            channels[name] = switchboard.build(spec, outside)
        else:
            module = import_module(CHANNEL_MODULES[spec.provider, spec.kind.value])
            channels[name] = module.build(spec, outside)
    return channels


def _server_secret(tx: Tx) -> bytes:
    """Return the key that signs links, sessions and callbacks; made once, kept in the database, never shown."""
    known = tx.setting(SECRET_SETTING)
    if known is None:
        known = secrets.token_hex(32)
        tx.set_setting(SECRET_SETTING, known)
    return bytes.fromhex(known)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the loop of uvloop where it is installed (the extra `speed`), else None for asyncio's own."""
    try:
        return partial(import_module("uvloop").new_event_loop)
    except ImportError:
        return None
