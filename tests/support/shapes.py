"""Watching what is formed on the way: every tensor that an operation returns."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


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


def formed_squares(run, length):
    """Return the operations of `run` whose result holds as many entries as a pattern would.

    Blocks of scores are of a fixed size, so `length` has to be large enough for its square to be
    larger.
    """
    with _Shapes() as shapes:
        run()
    if not shapes.seen:
        raise AssertionError("Nothing was watched.")
    return [(name, tuple(shape)) for name, shape in shapes.seen if shape.numel() >= length**2]
