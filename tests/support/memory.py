"""How much memory an action takes at once, whatever else the process is doing."""

import tracemalloc


def peak(action, tries=3):
    """Return the bytes an action holds at most, in the quietest of a few runs.

    Every thread of the process is counted, and a server that an earlier test started may allocate
    during any one run.
    """
    return min(_peak(action) for _ in range(tries))


def _peak(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
