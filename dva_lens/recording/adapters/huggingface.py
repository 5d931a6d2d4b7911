"""Recording Hugging Face models as they run: another attention function, and no pattern."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from dva_lens.recording.adapters.adapter import Adapter
from dva_lens.recording.adapters.anatomy import Anatomy, longest_input, without_attention
from dva_lens.recording.adapters.interface import NAME, STATES, HookState, written_through
from dva_lens.recording.adapters.masks import PassState
from dva_lens.recording.adapters.outputs import body_of, forward, plain_head
from dva_lens.recording.adapters.projection import is_projection
from dva_lens.recording.logits import Logits
from dva_lens.recording.norms import Gram
from dva_lens.recording.recorder import Recorder
from dva_lens.sites import GEOMETRY, STREAM, Site

NO_STREAM = "the layer hands on an array of shape {}, and not one state for every position"


@final
@dataclass(frozen=True, eq=False)
class HuggingFaceAdapter(Adapter):
    """A model of transformers whose layers attend through its AttentionInterface."""

    model: PreTrainedModel
    _grams: dict[nn.Module, Gram] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse models of two stacks.

        Raises
        ------
        TypeError
            If the model has an encoder and a decoder.
        """
        if getattr(self.model.config, "is_encoder_decoder", False):
            raise TypeError(
                f"{self.architecture} has an encoder and a decoder; a model can be measured that "
                f"is one stack of layers. Pass one of the two, as a model of its own."
            )

    @cached_property
    def anatomy(self) -> Anatomy:
        """Return where the layers of the model are."""
        return Anatomy.of(self.model)

    @contextmanager
    def attach(self, sites: Iterable[Site[object]], backend: str = "auto") -> Iterator[Recorder]:
        """Compute the attentions of the model here while inside the context.

        Right or left padding is read off the attention mask and packing off `position_ids`; the
        record is of sequences that start at position zero, whichever way they were laid out.
        """
        model, recorder = self.model, Recorder(sites, backend, self.device)
        state = HookState(recorder, self.anatomy, self._grams, PassState())
        settings = _settings(model)
        hooks = [
            each.register_forward_pre_hook(_begin(state), with_kwargs=True, prepend=True)
            for each in (model, body_of(model))
            if each is not None
        ]
        try:
            if recorder.watches_stream:
                hooks += [
                    layer.register_forward_hook(_stream(state, index))
                    for index, layer in enumerate(state.anatomy.layers)
                ]
            if recorder.watches_attention:
                _plug_in(model, state)
            if recorder.watches_writing:
                hooks += [
                    module.register_forward_pre_hook(written_through(state))
                    for module in state.anatomy.owner
                    if is_projection(module)
                ]
            yield recorder
        finally:
            for hook in hooks:
                hook.remove()
            for module in model.modules():
                STATES.pop(module, None)
            for config, implementation in settings:
                config._attn_implementation_internal = implementation

    def forward(self, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
        """Run the model over right-padded tokens, or images."""
        return forward(self.model, tokens, lengths)

    def _unattended(self, silent: Sequence[int]) -> str:
        names = [self.anatomy.names[layer] for layer in silent]
        listed = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        modules = [each for layer in silent for each in self.anatomy.layers[layer].modules()]
        attends = any("attention" in type(each).__name__.lower() for each in modules)
        what = "attend in code of their own" if attends else "hold no attention"
        return (
            f"{type(self.model).__name__} ran {listed} without calling the recorder "
            f"({len(silent)} of {self.depth} layers): they {what}. Only attention that goes "
            f"through transformers' AttentionInterface can be measured."
        )

    def _without_attention(self, recorder: Recorder, silent: Sequence[int]) -> Mapping[int, str]:
        layers, attended = self.anatomy.layers, recorder.attended()
        attending = [layers[layer] for layer in attended]
        attentions = list(STATES[self.model].attentions.values()) if attended else []
        found = {each: without_attention(layers[each], attending, attentions) for each in silent}
        return {layer: reason for layer, reason in found.items() if reason is not None}

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return len(self.anatomy.layers)

    @property
    def predicts_next_token(self) -> bool:
        """Whether the model predicts the next token: it has a head, and no layer looks ahead."""
        if self.model.get_output_embeddings() is None:
            return False
        if getattr(self.model.config, "is_decoder", False):
            return True
        layers = nn.ModuleList(self.anatomy.layers)
        flags = [each.is_causal for each in layers.modules() if hasattr(each, "is_causal")]
        return bool(flags) and all(flags)

    @property
    def own_attention(self) -> str:
        """Return the name of the model's own attention."""
        return str(self.model.config._attn_implementation)

    @property
    def positions(self) -> int | None:
        """Return how many tokens the model has room for, or None where nothing says."""
        return longest_input(self.model)

    @property
    def vocabulary(self) -> int:
        """Return how many tokens the model has embeddings for."""
        return self._embeddings[0]

    @property
    def _embeddings(self) -> tuple[int, int]:
        """Return how many embeddings of input there are, and how wide they are."""
        embeddings: Any = self.model.get_input_embeddings()
        if isinstance(embeddings, nn.ModuleList):
            raise TypeError(
                f"{self.architecture} takes {len(embeddings)} tokens at every position, each "
                f"with embeddings of its own; only texts of one token at a position are measured."
            )
        count, width = embeddings.weight.shape
        return count, width

    @property
    def output_bytes(self) -> int:
        """Return the bytes of the last hidden state of one token, or of its logits."""
        width = self._embeddings[1]
        plain = plain_head(self.model) is not None
        return 4 * (width if plain else max(width, self.vocabulary))

    @property
    def takes_images(self) -> bool:
        """Whether the model takes images in place of tokens."""
        return self.model.main_input_name == "pixel_values"

    @property
    def architecture(self) -> str:
        """Return the name of the model's class."""
        return type(self.model).__name__


def _settings(model: PreTrainedModel) -> list[tuple[Any, str | None]]:
    configs = [each.config for each in model.modules() if isinstance(each, PreTrainedModel)]
    configs += [
        getattr(config, name)
        for config in configs
        for name in config.sub_configs
        if getattr(config, name) is not None
    ]
    return [(config, config._attn_implementation) for config in configs]


def _plug_in(model: PreTrainedModel, state: HookState) -> None:
    for module in model.modules():
        STATES[module] = state
    model.set_attn_implementation(NAME)
    if _around_layers(model, state.anatomy).config._attn_implementation != NAME:
        raise TypeError(
            f"{type(model).__name__} computes attention in code of its own and offers no "
            f"AttentionInterface, so it cannot be measured as it runs (ALiBi families such as "
            f"bloom, mpt and falcon do that); measure patterns of your own with "
            f"`dva_lens.recording.from_patterns`."
        )


def _around_layers(model: PreTrainedModel, anatomy: Anatomy) -> PreTrainedModel:
    """Return the innermost model that holds the layers; its configuration says how they attend."""
    around: nn.Module = anatomy.layers[0]
    while around is not model:
        around = anatomy.parent[around]
        if isinstance(around, PreTrainedModel):
            return around
    return model


def _begin(state: HookState) -> Any:
    def begin(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = inspect.signature(module.forward).bind_partial(*args, **kwargs).arguments
        mask = given.get("attention_mask")
        padding = mask if isinstance(mask, Tensor) and mask.ndim == 2 else None
        state.pass_state.begin(given.get("position_ids"), padding)
        state.recorder.layout = None
        state.returned = None
        state.recorder.reset()

    return begin


def _stream(state: HookState, layer: int) -> Any:
    def stream(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        del module, args
        hidden = output[0] if isinstance(output, tuple) else output
        if hidden.ndim != 3:
            for site in (STREAM, GEOMETRY):
                state.recorder.skip(layer, site, NO_STREAM.format(tuple(hidden.shape)))
            return
        if state.recorder.layout is None:
            shape = (hidden.shape[0], hidden.shape[1])
            state.recorder.layout = state.pass_state.before_attention(shape, hidden.device)
        state.recorder.stream(layer, state.recorder.layout.unpad(hidden))

    return stream
