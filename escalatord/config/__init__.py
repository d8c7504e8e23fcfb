"""YAML to core values: read strictly, checked whole, refused with every reason at once.

`load.load` is the way in; `lint.lint` says what is doubtful beyond what can be loaded; `schema` is the language.
Nothing here knows HTTP, a database or a provider, so `escalatord check` starts fast anywhere.
"""
