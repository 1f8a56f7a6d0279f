"""Debate bridge: two debaters, one programme."""

__version__ = "0.1.0"
