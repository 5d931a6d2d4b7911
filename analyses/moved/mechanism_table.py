"""Forwards to `dva_lens.analyses.pages.mechanisms`."""

from . import forward

if __name__ == "__main__":
    forward("pages.mechanisms")
