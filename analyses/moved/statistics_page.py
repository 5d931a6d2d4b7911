"""Forwards to `dva_lens.analyses.pages.statistics`."""

from . import forward

if __name__ == "__main__":
    forward("pages.statistics")
