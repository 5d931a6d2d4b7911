"""Forwards to `dva_lens.analyses.benchmarks.known_answers`."""

from . import forward

if __name__ == "__main__":
    forward("benchmarks.known_answers")
