"""Forwards to `dva_lens.analyses.benchmarks.bench_forward`."""

from . import forward

if __name__ == "__main__":
    forward("benchmarks.bench_forward")
