"""Everything a user could argue about: pure decisions over frozen values.

No I/O, no async, no clock, no chance, no logging in this package; a test walks its imports.
"""
