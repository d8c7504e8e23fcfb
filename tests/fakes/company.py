"""A small company for scenarios: Ana is first, Bo second, Cy third, and the boss is the last resort."""

from pathlib import Path

from escalatord.sim.world import NIGHT, World

# One line for each person: name, the end of their numbers, chat account.
NAMES = (
    ("ana", "Ana Ruiz", 1, "U01ANA"),
    ("bo", "Bo Lindgren", 2, "U01BO"),
    ("cy", "Cy Novak", 3, "U01CY"),
    ("boss", "Vera Holm", 4, "U01VERA"),
    ("lea", "Lea Fontaine", 5, "U01LEA"),
)
PEOPLE = "people:\n" + "\n".join(
    f'  {who}: {{name: {name}, sms: "+3460000000{end}", call: "+3460000000{end}", slack: {account},'
    f" email: {who}@example.com, timezone: Europe/Madrid}}"
    for who, name, end, account in NAMES
)
SECTIONS = {
    "sources": """
        sources:
          alertmanager: {adapter: alertmanager, auth: loopback}
          batch:
            adapter: generic
            auth: loopback
            map: {fingerprint: $.job, status: {path: $.state, firing: [failed], resolved: [done]}, title: $.say}
        """,
    "channels": """
        channels:
          chat: {provider: slack, token: file:slack-token, signing_secret: file:slack-signing, room: "#ops"}
          sms: {provider: sim}
          sms_backup: {provider: sim}
          call: {provider: sim}
          mail: {provider: sim}
        """,
    "plans": """
        contact_plans:
          text: [{by: sms}]
          ring: [{by: call}]
          chat: [{by: chat}]
          mail: [{by: mail}]
          usual:
            - {by: chat}
            - {by: sms, after: 1m, if_failed: [sms_backup, call], failed_after: 60s}
            - {by: call, after: 3m}
          safe:
            - {by: sms, if_failed: [sms_backup, call], failed_after: 60s}
        """,
    "people": PEOPLE,
    "schedules": """
        schedules:
          first:
            timezone: Europe/Madrid
            layers: [{name: all, rotate: weekly, handoff: Mon 09:00, starts: "2026-01-05", people: [ana]}]
        """,
    "policies": """
        unmatched: {severity: error, policy: main}
        policies:
          main:
            tracks:
              technical:
                tiers:
                  - {page: [oncall first], within: 5m, plan: text}
                  - {page: [person bo], within: 5m, plan: text}
                  - {page: [person cy], within: 5m, plan: text}
            last_resort: {page: [person boss], plan: text, every: 30m}
            ack_holds: {default: 1h}
        """,
}


def one_tier(plan: str, *, more: str = "", within: str = "1h") -> str:
    """Return policies where Ana alone is paged by a plan; `more` is added to the policy."""
    return f"""
        unmatched: {{severity: error, policy: main}}
        policies:
          main:
            tracks: {{technical: {{tiers: [{{page: [person ana], within: {within}, plan: {plan}}}]}}}}
            last_resort: {{page: [person boss], plan: text}}
            {more}
        """


def company(folder: Path, **sections: str) -> Path:
    """Write the company's rules below `folder`, with other `sections` where given; return their directory."""
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    for name, text in {**SECTIONS, **sections}.items():
        lines = text.strip("\n").splitlines()
        margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        (rules / f"{name}.yaml").write_text("\n".join(line[margin:] for line in lines) + "\n", encoding="utf-8")
    return rules


def night(folder: Path, at: str = NIGHT, **sections: str) -> World:
    """Return the company's world, beginning in the night of 24 October 2026."""
    return World(company(folder, **sections), folder, at)
