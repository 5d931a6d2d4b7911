"""Forwards to `dva_lens.analyses.benchmarks.calibration`."""

from . import forward

if __name__ == "__main__":
    forward("benchmarks.calibration")
