"""Watching what is formed on the way: every tensor that an operation returns."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Largest(TorchDispatchMode):
    """Remembers the most memory behind any tensor that an operation returned, in float32 entries.

    A view counts as what it is a view of, and an expanded tensor as what it really holds.
    """

    def __init__(self):
        super().__init__()
        self.entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for each in tree_leaves(found):
            if torch.is_tensor(each):
                self.entries = max(self.entries, each.untyped_storage().nbytes() // 4)
        return found


class _Shapes(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        self.seen += [
            (str(func), each.shape) for each in tree_leaves(found) if torch.is_tensor(each)
        ]
        return found


def largest_formed(run):
    """Return the number of entries of the largest tensor that an operation of `run` returned."""
    with _Shapes() as shapes:
        run()
    if not shapes.seen:
        raise AssertionError("Nothing was watched.")
    return max(shape.numel() for _, shape in shapes.seen)


def is_linear(run, length):
    """Say whether the largest tensor that `run(length)` forms grows with length, not its square.

    Blocks of scores have a fixed number of rows, so `length` has to be well above it.
    """
    return largest_formed(lambda: run(2 * length)) <= 2.2 * largest_formed(lambda: run(length))
