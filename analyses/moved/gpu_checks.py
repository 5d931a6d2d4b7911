"""Forwards to `dva_lens.analyses.benchmarks.gpu_checks`."""

from . import forward

if __name__ == "__main__":
    forward("benchmarks.gpu_checks")
