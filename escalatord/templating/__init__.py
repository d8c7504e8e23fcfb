"""Templates rendered: a small, bounded and harmless part of Jinja2, the same for `check` and for the sender."""
