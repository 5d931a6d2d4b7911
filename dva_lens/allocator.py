"""Freed memory that stays with a process of our own, instead of being mapped anew each layer.

A transformer frees and asks for the same few megabytes over and over. The C library of Linux hands
such pieces back to the system whenever they end up at the edge of its heap, and every page of them
is then cleared and mapped again.
"""

import ctypes
import sys

TRIM_THRESHOLD, MAPPED_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
KEPT_BYTES, LARGEST_PIECE = 1 << 30, 32 << 20


def keep_freed_memory() -> bool:
    """Keep up to 1 GiB of what is freed in pieces below 32 MiB; say whether that can be asked for.

    It holds for the whole process, so only a process of our own asks for it: a command, never a
    call into the library. Where there is no such setting (outside glibc) nothing changes.

    References
    ----------
    mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    asked = ((TRIM_THRESHOLD, KEPT_BYTES), (MAPPED_THRESHOLD, LARGEST_PIECE))
    return all(mallopt(setting, value) == 1 for setting, value in asked)
