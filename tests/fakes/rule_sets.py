"""Small rule sets for tests of the configuration."""

from pathlib import Path

from escalatord.config.load import load
from escalatord.core.ruleset import Ruleset
from escalatord.errors import ConfigError, Finding

GOOD = """\
unmatched: {severity: warning, policy: p}
policies:
  p:
    tracks:
      technical:
        tiers:
          - {page: [person ana], within: 5m}
    last_resort: {page: [person bo], every: 30m}
contact_plans:
  usual: [{by: sms}, {by: call, after: 2m}]
channels:
  sms: {provider: sim}
  call: {provider: sim}
people:
  ana: {sms: "+34600000001", call: "+34600000001"}
  bo: {sms: "+34600000002"}
"""


def written(folder: Path, **texts: str | bytes) -> Path:
    """Write each text as NAME.yaml into `folder`; return it."""
    for name, text in texts.items():
        raw = text if isinstance(text, bytes) else text.encode()
        (folder / f"{name}.yaml").write_bytes(raw)
    return folder


def findings_of(folder: Path) -> list[Finding]:
    """Load `folder` and return the findings, whether or not it can be loaded."""
    try:
        return list(load(folder, environ={}).findings)
    except ConfigError as error:
        return list(error.findings)


def told(findings: list[Finding]) -> list[str]:
    """Return findings as `file:line:column CODE sentence (fix)`."""
    return [f"{finding} ({finding.fix})" for finding in findings]


def ruleset_of(folder: Path, text: str) -> Ruleset:
    """Return the rule set that a text describes."""
    return load(written(folder, r=text), environ={}).ruleset
