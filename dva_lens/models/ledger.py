"""Where a model's values come from, and whether its mixing weights do anything: as data.

A weight of a mix says little by itself, because a smaller weight on a larger value is the same
thing. The ledger therefore counts signed projection shares <v_m, v> / |v|^2 of each source m in
the value used, which total one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.attention import Attend
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Values
from dva_lens.mechanisms.output.neutreno import NeutrenoModule
from dva_lens.models.decoder import Decoder

Tokens = Int[Tensor, "batch position"]


@final
@dataclass(frozen=True)
class LayerAccount:
    """The value path of one layer.

    `writes` says whether the layer projects values of its own and `donor` names the layer whose
    keys and values it uses instead. `shares` are per key-value head, averaged over positions.
    `skip` is the signed share, per query head, of what reaches the output without the attention.
    `streams` are the signed shares of earlier streams, the embedding being 0, in what the next
    layer reads; empty where it reads the last one alone.
    """

    layer: int
    writes: bool
    donor: int | None
    shares: Mapping[str, Float[Tensor, "kv_head"]]
    skip: Float[Tensor, "head"] | None = None
    streams: Mapping[int, float] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class MixingWeight:
    """Whether a weight of a mechanism is alive.

    `gradient` is the norm of its gradient, None where it is fixed; `moved` the norm of its change
    since the start, None where no start was given; `without` what the loss gains, in nats, when
    the weight is zero.
    """

    name: str
    norm: float
    gradient: float | None
    moved: float | None
    without: float

    @property
    def alive(self) -> bool:
        """Whether the weight does something, or could learn to."""
        return bool(self.gradient) or self.without != 0


@torch.no_grad()
def value_ledger(model: Decoder, tokens: Tokens) -> tuple[LayerAccount, ...]:
    """Return one account per layer that attends, on texts without padding."""
    with _seen(model) as (summands, streams):
        _, cache = model.run_with_cache(
            tokens, names_filter=lambda name: name.endswith("hook_z"), return_type=None
        )
    accounts = []
    for layer, attn in model.attentions.items():
        skip = None
        if isinstance(attn.gate, NeutrenoModule):
            after = cache[f"blocks.{layer}.attn.hook_z"]
            through = cache[f"blocks.{layer}.attn.mix.hook_z"]
            skip = _share(after - through, after).mean((0, 1))
        every = model.config.share_kv_every
        accounts.append(
            LayerAccount(
                layer,
                writes=attn.value is not None,
                donor=layer - layer % every if layer % every else None,
                shares=_shares(summands[layer]),
                skip=skip,
                streams=_writers(model.blocks[layer].average, streams),
            )
        )
    return tuple(accounts)


def audit(
    model: Decoder, tokens: Tokens, start: Mapping[str, Tensor] | None = None
) -> tuple[MixingWeight, ...]:
    """Return what each mixing weight does to the loss on some tokens.

    `start` holds the weights before training, such as `build(model.config, seed).state_dict()`.
    Fixed weights are zeroed too.
    """
    learned = {name: each for name, each in model.named_parameters() if _mixes(name)}
    fixed = {name: each for name, each in model.named_buffers() if _mixes(name)}
    loss = model(tokens, return_type="loss")
    gradients = (
        torch.autograd.grad(loss, list(learned.values()), allow_unused=True) if learned else ()
    )
    found = dict(zip(learned, gradients, strict=True))
    return tuple(
        MixingWeight(
            name,
            norm=float(weight.detach().norm()),
            gradient=_norm(found[name]) if name in found else None,
            moved=None if start is None or name not in start else _moved(weight, start[name]),
            without=_loss_without(model, tokens, weight) - float(loss.detach()),
        )
        for name, weight in {**learned, **fixed}.items()
    )


def _mixes(name: str) -> bool:
    return any(part in name for part in (".mix.", ".attn.gate.", ".rule.", ".average."))


def _norm(gradient: Tensor | None) -> float:
    return 0.0 if gradient is None else float(gradient.norm())


def _moved(weight: Tensor, start: Tensor) -> float:
    return float((weight.detach() - start.to(weight)).norm())


@torch.no_grad()
def _loss_without(model: Decoder, tokens: Tokens, weight: Tensor) -> float:
    before = weight.clone()
    try:
        weight.zero_()
        return float(model(tokens, return_type="loss"))
    finally:
        weight.copy_(before)


def _share(
    part: Float[Tensor, "*place width"], whole: Float[Tensor, "*place width"]
) -> Float[Tensor, "*place"]:
    """Return the signed projection share of a part, NaN where the whole is nothing."""
    return (part * whole).sum(-1) / whole.square().sum(-1)


def _shares(summands: Mapping[str, Tensor]) -> dict[str, Float[Tensor, "kv_head"]]:
    whole = torch.stack(list(summands.values())).sum(0)
    return {name: _share(part, whole).mean((0, 2)) for name, part in summands.items()}


def _writers(average: Any, streams: list[Tensor]) -> dict[int, float]:
    if average is None or not average.streams:
        return {}
    parts = {
        place: weight * streams[place]
        for place, weight in zip(average.streams, average.weight, strict=True)
    }
    whole = torch.stack(list(parts.values())).sum(0)
    return {place: float(_share(part, whole).mean()) for place, part in parts.items()}


@contextmanager
def _seen(model: Decoder) -> Iterator[tuple[dict[int, Mapping[str, Tensor]], list[Tensor]]]:
    """Watch the summands of values and the streams that blocks return."""
    summands: dict[int, Mapping[str, Tensor]] = {}
    streams: list[Tensor] = []
    before = {layer: each.attend for layer, each in model.attentions.items()}
    hooks = [
        block.hook_block_out.register_forward_hook(lambda _, __, out: streams.append(out))
        for block in model.blocks
        if block.average is not None
    ]
    first = model.blocks[0].hook_resid_pre
    hooks.append(first.register_forward_hook(lambda _, __, out: streams.append(out)))
    try:
        for layer, attn in model.attentions.items():
            attn.attend = _noting(attn, layer, summands)
        yield summands, streams
    finally:
        for layer, own in before.items():
            model.attentions[layer].attend = own
        for hook in hooks:
            hook.remove()


def _noting(attention: Any, layer: int, summands: dict[int, Mapping[str, Tensor]]) -> Attend:
    own: Attend = attention.attend

    def attend(query: Tensor, key: Tensor, values: Values, weights: Rule) -> Tensor:
        summands[layer] = dict(attention.value_parts)
        return own(query, key, values, weights)

    return attend
