"""The decoder: one hooked model for every value path."""

from typing import Any, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear
from transformer_lens import HookedRootModule
from transformer_lens.hook_points import HookPoint

from dva_lens.kernels.attention import Attend
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Values
from dva_lens.models.attention import Attention
from dva_lens.models.block import Block
from dva_lens.models.config import ModelConfig
from dva_lens.models.initial import initialise
from dva_lens.models.state import CrossLayerState
from dva_lens.models.text import TextSurface
from dva_lens.models.transformerlens import TransformerLensSurface

Tokens = Int[Tensor, "batch position"]
Stream = Float[Tensor, "batch position width"]
Logits = Float[Tensor, "batch position vocabulary"]


@final
class Unembed(nn.Module):
    """Turn the last stream into logits, by a weight of its own or by the embedding's."""

    def __init__(self, config: ModelConfig, embed: nn.Embedding) -> None:
        super().__init__()
        own = nn.Linear(config.width, config.vocabulary, bias=False)
        self.linear = None if config.tied else own
        self._embedding = (embed,)  # in a tuple, because the weight belongs to the embedding

    @property
    def W_U(self) -> Float[Tensor, "width vocabulary"]:  # noqa: N802
        """Return the weight, input first."""
        held = self._embedding[0] if self.linear is None else self.linear
        return held.weight.T

    @property
    def b_U(self) -> Float[Tensor, "vocabulary"]:  # noqa: N802
        """Return the shift, which is zero."""
        return self.W_U.new_zeros(self.W_U.shape[1])

    def forward(self, stream: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Return the logits."""
        return linear(stream, self.W_U.T)


@final
class Decoder(TransformerLensSurface, TextSurface, HookedRootModule):  # type: ignore[misc]
    """A causal language model made of the mechanisms that its configuration names.

    A TransformerLens `HookedRootModule`, so that its tools apply. `tokenizer` is a
    `tokenizers.Tokenizer` where the model has one.
    """

    def __init__(self, config: ModelConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.tokenizer: Any = None
        self._set_transformer_lens_config(config)
        with torch.random.fork_rng(devices=[]):
            self.embed = nn.Embedding(config.vocabulary, config.width)
            self.hook_embed = HookPoint()
            self.pos_embed = config.positions.embedding(config.shape)
            if self.pos_embed is not None:
                self.hook_pos_embed = HookPoint()
            self.blocks = nn.ModuleList(
                Block(config, layer, self._linear, self.cfg) for layer in range(config.layers)
            )
            self.ln_final = config.norm.build(config.shape)
            self.unembed = Unembed(config, self.embed)
            initialise(self, config, seed)
        self.setup()

    def _linear(self, inner: int, outer: int) -> nn.Module:
        return self.config.projections.build(inner, outer, bias=self.config.biases)

    def forward(
        self,
        tokens: Tokens | str | list[str],
        *,
        lengths: Int[Tensor, "_"] | None = None,
        segments: Tokens | None = None,
        return_type: Literal["logits", "loss", "both"] | None = "logits",
        stop_at_layer: int | None = None,
    ) -> Any:
        """Return logits, the mean next-token loss in nats, or the stream before a layer.

        `lengths` says how many tokens of each sequence are text, the rest being padding on the
        right; `segments` numbers the texts that share a sequence, 0 for padding. Text is
        tokenised where the model has a tokenizer.

        Raises
        ------
        ValueError
            Tokens are not (batch, position), too many for the model's positions or no ids of its
            vocabulary, lengths and segments are both given, or text is given without a tokenizer.
        """
        ids = tokens if isinstance(tokens, Tensor) else self.to_tokens(tokens)
        self._check(ids)
        segments = _segments(ids, lengths, segments)
        stream = self.hook_embed(self.embed(ids))
        if self.pos_embed is not None:
            stream = stream + self.hook_pos_embed(self.pos_embed(ids))
        state = CrossLayerState(ids, stream, segments)
        last = len(self.blocks) if stop_at_layer is None else stop_at_layer
        for block in self.blocks[:last]:
            stream, state = block(stream, state)
        if stop_at_layer is not None:
            return stream
        logits = self.unembed(self.ln_final(stream))
        if return_type == "logits":
            return logits
        if return_type is None:
            return None
        loss = next_token_loss(logits, ids, segments)
        return loss if return_type == "loss" else (logits, loss)

    @property
    def attentions(self) -> dict[int, Attention]:
        """Return the attention of every layer that attends."""
        found = enumerate(block.attn for block in self.blocks)
        return {layer: each for layer, each in found if isinstance(each, Attention)}

    def dynamic_values(
        self,
        tokens: Tokens,
        layer: int,
        queries: Int[Tensor, "query"],
        keys: Int[Tensor, "key"],
    ) -> Float[Tensor, "batch head query key width"]:
        """Return v_ij of a layer for the chosen queries and keys, whether or not i sees j.

        Raises
        ------
        ValueError
            There is no such layer, or it does not attend.
        """
        if not 0 <= layer < len(self.blocks):
            raise ValueError(f"layer must lie between 0 and {len(self.blocks) - 1}, got {layer}.")
        if layer not in self.attentions:
            raise ValueError(
                f"Layer {layer} does not attend, so it has no values; layers that do: "
                f"{', '.join(map(str, self.attentions)) or 'none'}."
            )
        attention = self.attentions[layer]
        before, seen = attention.attend, []
        attention.attend = _watched(before, seen)
        try:
            self(tokens, stop_at_layer=layer + 1)
        finally:
            attention.attend = before
        return seen[0].pairs(queries, keys, self.config.heads)

    def _check(self, tokens: Tokens) -> None:
        if tokens.ndim != 2 or tokens.shape[1] < 1:
            raise ValueError(
                f"tokens must be (batch, position) with at least one position, got shape "
                f"{tuple(tokens.shape)}."
            )
        if tokens.shape[1] > self.config.context:
            raise ValueError(
                f"The model has {self.config.context} positions, got {tokens.shape[1]} tokens; "
                f"split the text into windows of at most {self.config.context}."
            )
        if tokens.device.type != "cpu" or not tokens.numel():
            return  # reading back from a device would stall it
        low, high = (int(each) for each in torch.aminmax(tokens))
        if low < 0 or high >= self.config.vocabulary:
            raise ValueError(
                f"Token ids must lie between 0 and {self.config.vocabulary - 1}, got "
                f"{low if low < 0 else high}."
            )


def build(config: ModelConfig, seed: int = 0) -> Decoder:
    """Return a new model; the same configuration and seed give the same weights.

    Examples
    --------
    >>> from dva_lens.models.presets import Size, preset
    >>> size = Size(layers=2, width=32, heads=2, vocabulary=64, context=32)
    >>> model = build(preset("dva", size))
    >>> model(torch.arange(5)[None]).shape
    torch.Size([1, 5, 64])
    """
    return Decoder(config, seed)


def next_token_loss(
    logits: Logits, tokens: Tokens, segments: Tokens | None = None
) -> Float[Tensor, ""]:
    """Return the mean loss in nats over tokens that are followed by one of the same text."""
    wide = logits[:, :-1].to(torch.promote_types(logits.dtype, torch.float32))
    losses = cross_entropy(wide.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    if segments is None:
        return losses.mean()
    counted = (segments[:, :-1] == segments[:, 1:]) & (segments[:, 1:] != 0)
    return losses[counted.flatten()].mean()


def _segments(
    tokens: Tokens, lengths: Int[Tensor, "_"] | None, segments: Tokens | None
) -> Tokens | None:
    """Return the numbers of texts, or None where every sequence is one text without padding."""
    if lengths is None:
        return segments
    if segments is not None:
        raise ValueError("Pass lengths or segments, not both: segments say what is padding.")
    lengths = torch.as_tensor(lengths, device=tokens.device)
    if lengths.shape != tokens.shape[:1]:
        raise ValueError(
            f"lengths needs one number per sequence, got {tuple(lengths.shape)} for "
            f"{len(tokens)} sequences."
        )
    if bool((lengths == tokens.shape[1]).all()):
        return None
    return (torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]).long()


def _watched(own: Attend, seen: list[Values]) -> Attend:
    def attend(query: Tensor, key: Tensor, values: Values, weights: Rule) -> Tensor:
        seen.append(values)
        return own(query, key, values, weights)

    return attend
