"""What TransformerLens's own tools expect of a model besides its hooks."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens import ActivationCache, FactoredMatrix
from transformer_lens.config import TransformerBridgeConfig

from dva_lens.models.caching import PER_HEAD, Names, then_slice, wanted
from dva_lens.models.config import ModelConfig

Tokens = Int[Tensor, "batch position"]


def transformer_lens_config(config: ModelConfig) -> TransformerBridgeConfig:
    """Return TransformerLens's view of a model, derived from the configuration and never saved."""
    shape = config.shape
    inner = config.feedforward.inner(shape)
    return TransformerBridgeConfig(
        d_model=config.width,
        d_head=config.value_dim,
        n_layers=config.layers,
        n_ctx=config.context,
        n_heads=config.heads,
        n_key_value_heads=None if config.kv_heads == config.heads else config.kv_heads,
        d_vocab=config.vocabulary,
        d_vocab_out=config.vocabulary,
        d_mlp=inner or None,
        attn_only=not inner,
        act_fn=config.feedforward.activation,
        gated_mlp=config.feedforward.activation == "silu",
        normalization_type=config.norm.tag,
        positional_embedding_type=config.positions.tag,
        eps=config.norm.epsilon,
        default_prepend_bos=False,
        device="cpu",
        dtype=torch.float32,
        model_name="dva-lens",
    )


class TransformerLensSurface(nn.Module):
    """The attributes and methods that patching, decompositions, lenses and detectors call."""

    blocks: Any
    embed: Any
    pos_embed: Any
    unembed: Any
    ln_final: Any
    tokenizer: Any

    def _set_transformer_lens_config(self, config: ModelConfig) -> None:
        self._cfg = transformer_lens_config(config)

    @property
    def cfg(self) -> TransformerBridgeConfig:
        """Return TransformerLens's configuration, with the device and dtype of the weights."""
        weight = next(self.parameters(), None)
        if weight is not None:
            self._cfg.device, self._cfg.dtype = str(weight.device), weight.dtype
        return self._cfg

    def run_with_cache(self, *args: Any, **options: Any) -> tuple[Any, ActivationCache]:
        """Run the model and return its output and an `ActivationCache` of what was hooked."""
        out, cache = super().run_with_cache(*args, **options)  # type: ignore[misc]
        batched = not options.get("remove_batch_dim", False)
        return out, ActivationCache(cache, self, has_batch_dim=batched)

    def get_caching_hooks(
        self,
        names_filter: Names = None,
        incl_bwd: bool = False,
        device: Any = None,
        remove_batch_dim: bool = False,
        cache: dict[str, Tensor] | None = None,
        pos_slice: Any = None,
    ) -> tuple[dict[str, Tensor], list[Any], list[Any]]:
        """Return the hooks that fill a cache.

        The base class knows the position axis of a tensor by the name of its hook, and takes
        heads for positions under names it does not know; those are cached here.
        """
        chosen = wanted(names_filter)
        cache = {} if cache is None else cache
        rest = {"incl_bwd": incl_bwd, "device": device, "remove_batch_dim": remove_batch_dim}
        plain = super().get_caching_hooks(  # type: ignore[misc]
            lambda name: chosen(name) and not name.endswith(PER_HEAD),
            cache=cache,
            pos_slice=pos_slice,
            **rest,
        )
        unsliced: dict[str, Tensor] = {}
        whole = super().get_caching_hooks(  # type: ignore[misc]
            lambda name: chosen(name) and name.endswith(PER_HEAD), cache=unsliced, **rest
        )
        return cache, *(
            known + [(name, then_slice(save, unsliced, cache, pos_slice)) for name, save in extra]
            for known, extra in zip(plain[1:], whole[1:], strict=True)
        )

    def set_use_attn_result(self, use: bool) -> None:
        """Switch the hook on what each head writes."""
        self._cfg.use_attn_result = use

    def set_use_split_qkv_input(self, use: bool) -> None:
        """Switch the hooks on the inputs of each head's queries, keys and values."""
        self._check_one_fork(use, "use_attn_in")
        self._cfg.use_split_qkv_input = use

    def set_use_attn_in(self, use: bool) -> None:
        """Switch the hook on the input of each head."""
        self._check_one_fork(use, "use_split_qkv_input")
        self._cfg.use_attn_in = use

    def set_use_hook_mlp_in(self, use: bool) -> None:
        """Switch the hook on the input of the feed-forward network."""
        self._cfg.use_hook_mlp_in = use

    def _check_one_fork(self, use: bool, other: str) -> None:
        if use and getattr(self._cfg, other):
            raise ValueError(f"Switch {other} off first; heads read one copy of their input.")

    @property
    def W_E(self) -> Float[Tensor, "vocabulary width"]:  # noqa: N802
        """Return the embedding."""
        return self.embed.weight

    @property
    def W_pos(self) -> Float[Tensor, "context width"]:  # noqa: N802
        """Return the learned positions.

        Raises
        ------
        LookupError
            Positions are not learned, so there is no table.
        """
        if self.pos_embed is None:
            raise LookupError("A model whose positions are not learned has no table of positions.")
        return self.pos_embed.weight

    @property
    def W_U(self) -> Float[Tensor, "width vocabulary"]:  # noqa: N802
        """Return the unembedding, input first."""
        return self.unembed.W_U

    @property
    def b_U(self) -> Float[Tensor, "vocabulary"]:  # noqa: N802
        """Return the shift of the logits, which is zero."""
        return self.unembed.b_U

    def _stacked(self, name: str, *, grouped: bool) -> Tensor:
        if None in (attentions := [block.attn for block in self.blocks]):
            raise LookupError(
                f"Layer {attentions.index(None)} does not attend, so the layers have no {name} "
                f"that could be stacked."
            )
        stacked = torch.stack([getattr(each, name) for each in attentions])
        first = attentions[0]
        repeats = first.heads // first.kv_heads if grouped else 1
        return stacked.repeat_interleave(repeats, dim=1)

    @property
    def W_Q(self) -> Float[Tensor, "layer head width qk"]:  # noqa: N802
        """Return all query weights."""
        return self._stacked("W_Q", grouped=False)

    @property
    def W_K(self) -> Float[Tensor, "layer head width qk"]:  # noqa: N802
        """Return all key weights, repeated for the query heads that share them."""
        return self._stacked("W_K", grouped=True)

    @property
    def W_V(self) -> Float[Tensor, "layer head width value"]:  # noqa: N802
        """Return all value weights, repeated for the query heads that share them."""
        return self._stacked("W_V", grouped=True)

    @property
    def W_O(self) -> Float[Tensor, "layer head value width"]:  # noqa: N802
        """Return all output weights."""
        return self._stacked("W_O", grouped=False)

    @property
    def OV(self) -> FactoredMatrix:  # noqa: N802
        """Return what each head reads and writes; mixes and forms of values are not in it."""
        return FactoredMatrix(self.W_V, self.W_O)

    @property
    def QK(self) -> FactoredMatrix:  # noqa: N802
        """Return what each head compares; positions and norms are not in it.

        Raises
        ------
        LookupError
            A layer has no such weights, or compares phases that it scales and shifts.
        """
        for layer, block in enumerate(self.blocks):
            if block.attn is not None and block.attn.phases is not None:
                raise LookupError(
                    f"Layer {layer} scales and shifts phases of queries and keys, so no product "
                    f"of weights is what its heads compare."
                )
        return FactoredMatrix(self.W_Q, self.W_K.mT)

    def accumulated_bias(
        self, layer: int, mlp_input: bool = False, include_mlp_biases: bool = True
    ) -> Float[Tensor, "width"]:
        """Return the sum of the shifts written to the stream before a layer."""
        total = self.W_E.new_zeros(self.W_E.shape[1])
        for block in self.blocks[:layer]:
            total = total + self._bias(block)
            if include_mlp_biases and block.mlp is not None and block.mlp.b_out is not None:
                total = total + block.mlp.b_out
        return total + self._bias(self.blocks[layer]) if mlp_input else total

    def _bias(self, block: Any) -> Float[Tensor, "width"]:
        """Return the shift that attention writes, zero in a layer that does not attend."""
        zero = self.W_E.new_zeros(self.W_E.shape[1])
        return zero if block.attn is None else block.attn.b_O

    def blocks_with(self, part: str) -> list[tuple[int, nn.Module]]:
        """Return the layers that have a part, such as `attn` or `mlp`."""
        return [
            (layer, block)
            for layer, block in enumerate(self.blocks)
            if getattr(block, part, None) is not None
        ]

    def tl_parameters(self) -> dict[str, Tensor]:
        """Return the weights under TransformerLens's names; shared heads are repeated.

        What is no linear map has none.
        """
        return dict(self._named_weights())

    def _named_weights(self) -> Iterator[tuple[str, Tensor]]:
        yield from (("embed.W_E", self.W_E), ("unembed.W_U", self.W_U), ("unembed.b_U", self.b_U))
        for layer, block in enumerate(self.blocks):
            name = f"blocks.{layer}"
            if block.attn is not None:
                yield from _attention_weights(f"{name}.attn", block.attn)
            if block.mlp is not None:
                if hasattr(block.mlp.up, "weight"):
                    yield f"{name}.mlp.W_in", block.mlp.W_in
                    yield f"{name}.mlp.W_out", block.mlp.W_out
                yield f"{name}.ln2.w", block.ln2.weight
            yield f"{name}.ln1.w", block.ln1.weight
        yield "ln_final.w", self.ln_final.weight


def _attention_weights(name: str, attn: Any) -> Iterator[tuple[str, Tensor]]:
    group = attn.heads // attn.kv_heads
    yield f"{name}.W_O", attn.W_O
    if attn.maps_tokens and hasattr(attn.query, "weight"):
        yield f"{name}.W_Q", attn.W_Q
    if attn.maps_tokens and hasattr(attn.key, "weight"):
        yield f"{name}.W_K", attn.W_K.repeat_interleave(group, dim=0)
    if hasattr(attn.value, "weight"):
        yield f"{name}.W_V", attn.W_V.repeat_interleave(group, dim=0)
