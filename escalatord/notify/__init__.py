"""From outbox row to provider: lanes, breakers, one file per channel. Channels never import one another."""
