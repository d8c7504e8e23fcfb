"""The rules under which the daemon is measured: one webhook as the only channel, one incident for each alert."""

RULES = """\
unmatched: {{severity: warning, policy: paged}}
policies:
  paged:
    tracks:
      technical:
        tiers:
          - {{page: [person ana], within: 1h, plan: now}}
          - {{page: [person bo], within: 1h, plan: now}}
    last_resort: {{page: [person bo], plan: now, every: 24h}}
  asleep:
    tracks:
      technical:
        tiers: [{{page: [person ana], within: 12h, plan: later}}]
    last_resort: {{page: [person bo], plan: later, every: 24h}}
  ticking:
    tracks:
      technical:
        tiers:
          - {{page: [person ana], within: {tier_seconds}s, plan: now}}
          - {{page: [person bo], within: {tier_seconds}s, plan: now}}
    last_resort: {{page: [person bo], plan: now, every: 24h}}
contact_plans:
  now: [{{by: webhook}}]
  later: [{{by: webhook, after: 11h}}]
channels:
  webhook: {{provider: webhook, url: "http://127.0.0.1:{port}/notify"}}
  # not in any plan: people must be reachable in person
  sms: {{provider: sim}}
people:
  ana: {{name: Ana Ruiz, sms: "+34600000001"}}
  bo: {{name: Bo Lindgren, sms: "+34600000002"}}
sources:
  alertmanager: {{adapter: alertmanager, auth: loopback}}
thresholds:
  - {{name: asleep, match: class="asleep", severity: {{error: {{}}}}, policy: asleep, group_by: [fingerprint]}}
  - {{name: ticking, match: class="ticking", severity: {{critical: {{}}}}, policy: ticking, group_by: [fingerprint]}}
  - {{name: every-alert, match: class="", severity: {{error: {{}}}}, policy: paged, group_by: [fingerprint]}}
"""


def rules(sink_port: int, tier_seconds: int = 2) -> str:
    """Return the rules as YAML.

    Alerts page at once; those labelled `class=asleep` page nobody for hours, those labelled `class=ticking` climb to
    the second tier after `tier_seconds`.
    """
    return RULES.format(port=sink_port, tier_seconds=tier_seconds)
