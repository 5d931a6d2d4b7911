"""Keeping a whole pass in float64, where models round parts of it to float32.

Norms, rotary positions and softmax of most models compute in float32 whatever their weights are
in. Two ways of computing the same attention then differ by that rounding, and an error of the
same size would hide behind it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

LOW = (torch.float32, torch.float16, torch.bfloat16)


@contextmanager
def in_float64() -> Iterator[None]:
    """Make every floating number float64 inside the context, and keep it so."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Float64():
            yield
    finally:
        torch.set_default_dtype(before)


@final
class _Float64(TorchFunctionMode):
    """Turns every request for a lower precision into one for float64."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        if func in (Tensor.float, Tensor.half, Tensor.bfloat16):
            func = Tensor.double
        named = {name: _raised(each) for name, each in (kwargs or {}).items()}
        return func(*(_raised(each) for each in args), **named)


def _raised(argument: Any) -> Any:
    return torch.float64 if isinstance(argument, torch.dtype) and argument in LOW else argument
