"""Named maxima with their units, each with what happens past it: never silence, never a refusal for load alone.

Limits of one module only stand in that module; here are those that several floors share.
"""

# --------------------------------------------------------------------- what a monitoring system may send

BODY_BYTES_MAX = 5 * 1024 * 1024
"""Past it: 413, said before the body is read whole."""

BODY_DEPTH_MAX = 64
"""Past it: the alert (or the body) that nests deeper is refused with a JSON pointer, and kept as a dead letter."""

ALERTS_PER_BODY_MAX = 10_000
"""Past it: the first ones are taken, the rest is told as one rejection and kept as a dead letter."""

LABELS_PER_ALERT_MAX = 1_000
"""Past it: the first ones by name are kept and the alert is marked; it still pages. Counts for annotations too."""

TEXT_CHARACTERS_MAX = 65_536
"""Past it: a label or annotation value is cut and ends in a mark. Cutting for display is the reader's business."""

TITLE_CHARACTERS_MAX = 1_024
"""Past it: the title is cut and ends in a mark."""

IDENTITY_CHARACTERS_MAX = 512
"""Past it: a fingerprint or group key is replaced by its SHA-256, which tells just as many things apart."""

LINK_CHARACTERS_MAX = 2_048
"""Past it: an address is not offered as a link; it stays readable as an annotation."""

FORM_FIELDS_MAX = 1_000
"""Past it: the form is refused with a sentence and kept as a dead letter."""

# --------------------------------------------------------------------- what is told to Prometheus

LEDGER_VALUES_MAX = 100_000
"""Past it: measured times are rounded up to the next bucket bound; counts and sums stay exact."""
