"""The company that is on call for years: two rule sets, put in force in turn, and one that nobody can use."""

from pathlib import Path

from escalatord.config.load import load
from escalatord.core.ruleset import Ruleset
from tests.fakes.company import company

NAMES = (("ana", 1), ("bo", 2), ("cy", 3), ("dee", 4), ("eve", 5), ("boss", 6), ("lea", 7), ("otto", 8))


def _people(*left_out: str) -> str:
    lines = [
        f'  {name}: {{name: {name.title()} Test, sms: "+3460000000{end}", call: "+3460000000{end}",'
        f" slack: U0{name.upper()}, email: {name}@example.com, timezone: Europe/Madrid}}"
        for name, end in NAMES
        if name not in left_out
    ]
    return "people:\n" + "\n".join(lines)


SCHEDULES = """
    schedules:
      first:
        timezone: Europe/Madrid
        layers:
          - {name: pacific, rotate: daily, handoff: "02:30", starts: "2026-01-05", people: [dee, eve],
             timezone: America/Los_Angeles}
          - {name: madrid, rotate: weekly, handoff: Mon 09:00, starts: "2026-01-05", people: [ana, bo],
             active: 08:00-02:30}
        when_empty: [person ana]
      second:
        timezone: Europe/Madrid
        layers: [{name: all, rotate: daily, handoff: "02:30", starts: "2026-01-05", people: [bo, CY, dee]}]
        when_empty: [person bo]
    """
POLICIES = """
    unmatched: {severity: warning, policy: plain}
    policies:
      main:
        owner: person boss
        tracks:
          technical:
            tiers:
              - {page: [oncall first], backup: [person bo], within: WITHIN, remind: [1m], plan: usual}
              - {page: [oncall second], within: 4m, plan: safe}
              - {page: [person WHO], within: 3m, plan: safe}
              - {page: [person ana, person bo, person dee], within: 6m, plan: ring}
            repeat: 1
          stakeholder: {when: severity >= error, tiers: [{page: [person lea], within: 20m, plan: mail}]}
        when: {critical: {within: 2m, plan: safe}}
        last_resort: {page: [person boss], plan: safe, every: 20m}
        ack_holds: {critical: 30m, default: 3h}
      plain:
        tracks: {technical: {tiers: [{page: [oncall second], within: 10m, plan: usual}]}}
        last_resort: {page: [person boss], plan: safe, every: 30m}
        ack_holds: {default: 6h}
      legal:
        compliance: {regime: gdpr, clock_from: awareness, due: 72h, remind: [24h, 48h]}
        tracks: {compliance: {tiers: [{page: [person otto], within: 30m, plan: safe}]}}
        last_resort: {page: [person boss, person otto], plan: safe, every: 30m}
        ack_holds: {default: 12h}
        never: [snooze, bundle, auto_resolve]
        class: confidential
        on_resolve: quiet
    contact_plans:
      usual:
        - {by: chat}
        - {by: sms, if_failed: [sms_backup, call], failed_after: 60s}
        - {by: call, after: 90s}
      safe: [{by: sms, if_failed: [sms_backup, call], failed_after: 45s}]
      ring: [{by: call, if_failed: [sms]}, {by: sms, after: 1m}]
      mail: [{by: mail}]
    """
THRESHOLDS = """
    services:
      shop: {owner: person boss, policy: main, revenue_per_hour: 36000 EUR}
      yard: {owner: person boss, policy: plain}
    facts:
      errors: {from: annotation.errors, unit: percent, missing: skip}
    thresholds:
      - name: broken
        match: service="shop", alertname=~"Broken.*"
        severity: {warning: {}, error: {when: errors > 5%}, critical: {when: revenue_loss >= 9000 EUR}}
        unless: [{match: 'env="staging"', why: not customer facing}]
        owner: person boss
      - name: slow
        match: service="shop", alertname=~"Slow.*"
        severity: {error: {for: 5m}}
        owner: person boss
      - name: network-down
        match: alertname="NetDown"
        severity: {critical: {}}
        policy: main
        group_by: [region]
      - name: symptom
        match: alertname=~"Symptom.*"
        severity: {error: {}}
        policy: main
        unless: [{open: network-down, same: [region], why: symptom of the network}]
        group_by: [fingerprint]
      - name: measured
        match: alertname="Measured"
        severity: {error: {when: errors > 5%}}
        policy: plain
        clear: {when: errors < 2%, for: 3m}
        group_by: [fingerprint]
      - name: beat-missing
        absent: {source: alertmanager, match: 'alertname="Watchdog"', for: 130m}
        severity: {critical: {}}
        policy: plain
      - name: watchdog
        match: alertname="Watchdog"
        severity: {info: {when: errors > 99%}}
    exceptions:
      - name: breach
        match: category="security"
        severity: critical
        policy: main
        start_at: 2
        also: [legal]
        why: personal data may be leaving
        owner: person otto
    """
CHANNELS = """
    channels:
      chat: {provider: sim}
      sms: {provider: sim}
      sms_backup: {provider: sim}
      call: {provider: sim}
      mail: {provider: sim}
    """
BOTH = {"channels": CHANNELS, "plans": "", "thresholds": THRESHOLDS}


class Books:
    """The rule sets in force in turn, loaded once; `broken` is a directory that cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.paths = []
        for name, within, who, left_out in (("a", "5m", "cy", ()), ("b", "3m", "ana", ("cy", "eve"))):
            place = folder / name
            place.mkdir()
            schedules = SCHEDULES.replace("CY", who)
            if left_out:
                schedules = schedules.replace("[dee, eve]", "[dee]")
            # Eve has a tier of her own, and is in one rule set only: pinned policies find nobody there
            policies = POLICIES.replace("WITHIN", within).replace("WHO", "bo" if left_out else "eve")
            rules = company(place, people=_people(*left_out), schedules=schedules, policies=policies, **BOTH)
            self.paths.append(rules)
        self.sets: list[Ruleset] = [load(path, need_secrets=False).ruleset for path in self.paths]
        place = folder / "broken"
        place.mkdir()
        broken = POLICIES.replace("WITHIN", "5m").replace("WHO", "eve").replace("within: 4m", "wthin: 4m")
        self.broken = company(place, people=_people(), schedules=SCHEDULES.replace("CY", "cy"), policies=broken, **BOTH)
