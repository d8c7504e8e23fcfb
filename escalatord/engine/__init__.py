"""The only caller of `core.escalation.step`: commands in, one transaction, effects out. Knows no HTTP, no provider."""
