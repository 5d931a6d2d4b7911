"""The inspector: the chosen head beside every page, and a second one that is pinned to it."""

from .card import BAR, INSPECTOR, spoken

PARTS = (INSPECTOR, BAR)

__all__ = ["BAR", "INSPECTOR", "PARTS", "spoken"]
