"""Recording Hugging Face models as they run: another attention function, and no pattern."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from dva_lens.recording.adapters.adapter import Adapter
from dva_lens.recording.adapters.anatomy import (
    Anatomy,
    longest_input,
    patch_size_of,
    reads_images_alone,
    without_attention,
)
from dva_lens.recording.adapters.hook_state import HookState
from dva_lens.recording.adapters.hooks import begin, stream, writing
from dva_lens.recording.adapters.interface import NAME, STATES, Watcher
from dva_lens.recording.adapters.masks import PassState
from dva_lens.recording.adapters.outputs import (
    accepts,
    body_of,
    forward,
    plain_head,
    stands_alone,
)
from dva_lens.recording.adapters.settings import (
    Settings,
    attending_eagerly,
    beside_layers,
    restore,
    settings_of,
)
from dva_lens.recording.logits import Logits
from dva_lens.recording.norms import Gram
from dva_lens.recording.recorder import Recorder
from dva_lens.sites import Site


@final
@dataclass(frozen=True, eq=False)
class HuggingFaceAdapter(Adapter):
    """A model of transformers whose layers attend through its AttentionInterface."""

    model: PreTrainedModel
    beside: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray], repr=False)
    _grams: dict[nn.Module, Gram] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def anatomy(self) -> Anatomy:
        """Return where the layers of the model are."""
        return Anatomy.of(self.model)

    @contextmanager
    def attach(self, sites: Iterable[Site[object]], backend: str = "auto") -> Iterator[Recorder]:
        """Compute the attentions of the model here while inside the context.

        Right or left padding is read off the attention mask and packing off `position_ids`; the
        record is of sequences that start at position zero, whichever way they were laid out.
        Calls that continue a cache which was empty inside the context, as those of `generate`,
        are recorded as one pass over all of their tokens.
        """
        model, recorder = self.model, Recorder(sites, backend, self.device)
        state = HookState(recorder, self.anatomy, self._grams, PassState())
        recorder.finish = state.finish
        settings = settings_of(model)
        hooks = [
            each.register_forward_pre_hook(begin(state), with_kwargs=True, prepend=True)
            for each in {model, self.runs}
        ]
        try:
            if recorder.watches_stream:
                hooks += [
                    layer.register_forward_hook(stream(state, index))
                    for index, layer in enumerate(state.anatomy.layers)
                ]
            if recorder.watches_attention:
                plug_in(model, state)
                restore(beside_layers(model, state.anatomy, settings))
            if recorder.watches_writing:
                hooks += writing(state)
            yield recorder
        finally:
            for hook in hooks:
                hook.remove()
            pull_out(model, settings)

    def forward(self, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
        """Run the model over right-padded tokens, images, or both."""
        beside = {name: torch.as_tensor(each) for name, each in self.beside.items()}
        return forward(self.model, self.runs, tokens, lengths, beside)

    @cached_property
    def runs(self) -> PreTrainedModel:
        """Return the part of the model that runs: all of it, or what is below its head.

        Of towers of texts and images side by side it is that of the texts, unless images are
        there too; of a classifier without a body it is the tower that it pools.
        """
        around = self.anatomy.around(self.model)
        alone = not self.beside and stands_alone(self.model, around)
        return around if alone else body_of(self.model) or self.model

    def given(self, beside: Mapping[str, np.ndarray]) -> Adapter:
        """Return the adapter of the same model that runs over more than tokens.

        Raises
        ------
        TypeError
            The model takes nothing of such a name.
        """
        unknown = [name for name in beside if not accepts(self.model, name)]
        if unknown:
            raise TypeError(
                f"{self.architecture} takes no {', '.join(unknown)} beside tokens; leave out "
                f"what is not for this model."
            )
        return replace(self, beside=beside)

    def with_own_attention(self) -> AbstractContextManager[str]:
        """Have the model attend in its eager functions, where it lets that be chosen."""
        return attending_eagerly(self.model)

    def _unattended(self, silent: Sequence[int]) -> str:
        modules = [each for layer in silent for each in self.anatomy.layers[layer].modules()]
        attends = any("attention" in type(each).__name__.lower() for each in modules)
        what = "attend in code of their own" if attends else "hold no attention"
        return (
            f"{type(self.model).__name__} ran {self.anatomy.listed(silent)} without calling the "
            f"recorder ({len(silent)} of {self.depth} layers): they {what}. Only attention that "
            f"goes through transformers' AttentionInterface can be measured."
        )

    def _without_attention(self, recorder: Recorder, silent: Sequence[int]) -> Mapping[int, str]:
        layers, attended = self.anatomy.layers, recorder.attended()
        attending = [layers[layer] for layer in attended]
        state = STATES.get(self.model)
        attentions = list(state.attentions.values()) if isinstance(state, HookState) else []
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
        embeddings: Any = None
        for each in (self.model, self.anatomy.around(self.model)):  # towers have their own
            with suppress(NotImplementedError):
                embeddings = embeddings or each.get_input_embeddings()
        if isinstance(embeddings, nn.ModuleList):
            raise TypeError(
                f"{self.architecture} takes {len(embeddings)} tokens at every position, each "
                f"with embeddings of its own; only texts of one token at a position are measured."
            )
        if not hasattr(embeddings, "weight"):
            raise TypeError(
                f"{self.architecture} has no table of embeddings with a row for every token, so "
                f"it cannot be said which tokens it takes."
            )
        weight: Any = embeddings.weight
        table: Any = weight() if callable(weight) else weight  # packed ones are asked for it
        count, width = table.shape
        return count, width

    @property
    def output_bytes(self) -> int:
        """Return the bytes of the last hidden state of one token, or of its logits."""
        width = self._embeddings[1]
        plain = plain_head(self.model) is not None
        return 4 * (width if plain else max(width, self.vocabulary))

    @property
    def runs_whole(self) -> bool:
        """Whether inputs beside tokens belong to all of them."""
        return bool(self.beside)

    @property
    def takes_images(self) -> bool:
        """Whether the model takes images in place of tokens."""
        return reads_images_alone(self.model)

    @property
    def patch_size(self) -> tuple[int, int] | None:
        """Rows and columns of pixels of a patch, as the model's configuration says."""
        return patch_size_of(self.model)

    @property
    def architecture(self) -> str:
        """Return the name of the model's class."""
        return type(self.model).__name__


def pull_out(model: PreTrainedModel, settings: Settings) -> None:
    """Let a model attend as before."""
    for module in model.modules():
        STATES.pop(module, None)
    restore(settings)


def plug_in(model: PreTrainedModel, state: Watcher) -> None:
    """Let a watcher compute the attentions of a model.

    Raises
    ------
    TypeError
        The model does not ask transformers which attention to use.
    """
    for module in model.modules():
        STATES[module] = state
    model.set_attn_implementation(NAME)
    if state.anatomy.around(model).config._attn_implementation != NAME:
        raise TypeError(
            f"{type(model).__name__} computes attention in code of its own and offers no "
            f"AttentionInterface, so it cannot be measured as it runs (ALiBi families such as "
            f"bloom, mpt and falcon do that, and DeBERTa with its terms for every pair of "
            f"positions); measure patterns of your own with `dva_lens.recording.from_patterns`."
        )
