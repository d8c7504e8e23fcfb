"""HTTP: the ingest endpoint, the API, the pages, callbacks of providers, simulated phones.

Everything that changes something becomes a command to the engine; everything shown is read from the store.
"""
