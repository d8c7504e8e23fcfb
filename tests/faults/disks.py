"""The disk fails."""
