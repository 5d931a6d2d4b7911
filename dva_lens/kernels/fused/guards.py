"""What the fused kernels need of a machine and of an attention; said before anything runs."""

from importlib.util import find_spec

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.interacting import Interacting
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import (
    CollapsingValues,
    ExpertGated,
    Experts,
    Relative,
    Values,
)

Query = Float[Tensor, "batch head query width"]

WIDEST = 256
WIDEST_PAIRS = 1024


def installed() -> bool:
    """Say whether Triton can be imported."""
    return find_spec("triton") is not None


def takes(query: Query, values: Values, rule: Rule | None = None) -> bool:
    """Say whether the kernels compute an attention of these operands, under this rule if given."""
    try:
        check_operands(query, values)
        if rule is not None:
            check_rule(rule)
    except (TypeError, ValueError):
        return False
    return True


def check_machine(query: Query) -> None:
    """Refuse a machine that cannot run the kernels, saying what it lacks.

    Raises
    ------
    ImportError
        Triton is not installed.
    RuntimeError
        The tensors are not on an NVIDIA GPU.
    TypeError
        Triton's interpreter was given bfloat16.
    """
    if not installed():
        raise ImportError(
            "The backend 'fused' needs Triton, which is not installed: "
            "pip install 'dva-lens[gpu]', or choose the backend 'blocked'."
        )
    if query.is_cuda:
        return
    if query.device.type != "cpu" or not interpreted():
        raise RuntimeError(
            f"The backend 'fused' runs on NVIDIA GPUs, got tensors on {query.device}; choose the "
            f"backend 'blocked', or set TRITON_INTERPRET=1 before Python starts to try the "
            f"kernels, slowly, on a CPU."
        )
    if query.dtype == torch.bfloat16:
        raise TypeError(
            "Triton's interpreter computes bfloat16 wrongly; give float32 or float16 on a CPU."
        )


def check_operands(query: Query, values: Values) -> None:
    """Refuse forms, dtypes and widths that the kernels were not made for.

    Raises
    ------
    TypeError
        The kernels do not take the form, the dtype or the number of keys.
    ValueError
        Heads are too wide.
    """
    if isinstance(values, (Experts, ExpertGated, Interacting, Relative)):
        raise TypeError(
            f"The backend 'fused' knows no values of type {type(values).__name__}; choose the "
            f"backend 'blocked'."
        )
    if query.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise TypeError(
            f"The backend 'fused' computes in float32, got {query.dtype}; choose the backend "
            f"'blocked'."
        )
    if any(each.shape[2] != query.shape[2] for each in vars(values).values()):
        raise TypeError(
            "The backend 'fused' takes as many keys as queries, and these values belong to "
            "another text; choose the backend 'blocked'."
        )
    widest = WIDEST if isinstance(values, CollapsingValues) else WIDEST_PAIRS
    width = max(query.shape[-1], *(each.shape[-1] for each in vars(values).values()))
    if width > widest:
        raise ValueError(
            f"The backend 'fused' takes heads of up to {widest} channels, got {width}; choose "
            f"the backend 'blocked'."
        )


def check_rule(rule: Rule) -> None:
    """Refuse a rule that the kernels were not made for.

    Raises
    ------
    TypeError
        Visibility has no closed form: the rule holds a mask function; or it holds a decay,
        terms by distance or of blocks of a text, or another similarity than the exponential; or
        weights are those of a relu, or composed by all heads.
    """
    if rule.normaliser == "relu":
        raise TypeError("The backend 'fused' knows no relu weights; choose the backend 'blocked'.")
    if rule.similarity != "exponential":
        raise TypeError(
            f"The backend 'fused' knows no {rule.similarity} similarity; choose the backend "
            f"'blocked'."
        )
    if rule.query_terms is not None:
        raise TypeError(
            "The backend 'fused' knows no terms by distance; choose the backend 'blocked'."
        )
    if rule.text_blocks is not None:
        raise TypeError(
            "The backend 'fused' knows no terms of blocks of a text; choose the backend 'blocked'."
        )
    if rule.composition is not None:
        raise TypeError(
            "The backend 'fused' knows no heads that compose scores or weights; choose the "
            "backend 'blocked'."
        )
    if rule.decay is not None:
        raise TypeError(
            f"The backend 'fused' knows no decay of {rule.decay.of} by distance; choose the "
            f"backend 'blocked'."
        )
    if rule.mask is not None:
        raise TypeError(
            "The backend 'fused' knows causal, windowed, packed and bidirectional attention, and "
            "this rule holds a mask function; choose the backend 'blocked'."
        )


def interpreted() -> bool:
    """Say whether kernels run in Triton's interpreter, which is settled when it is imported."""
    from triton.runtime.interpreter import InterpretedFunction

    from dva_lens.kernels.fused.language import gelu

    return isinstance(gelu, InterpretedFunction)
