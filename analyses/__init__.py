"""Scripts that answer one question each; run them with `python -m dva_lens.analyses.NAME`.

`benchmarks` holds what is measured of this package, `pages` what writes the generated pages.
"""

from .moved import PLACE, forward

__all__ = ["forward"]
__path__.append(PLACE)  # a command under its former name is found there
