"""Alerts in, the right human awake, proof of it out."""

__version__ = "0.1.0"
