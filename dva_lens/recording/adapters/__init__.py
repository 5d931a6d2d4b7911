"""How each kind of model is recorded: this package's own, transformers', TransformerLens's."""

from transformers import PreTrainedModel

from dva_lens.models.bridge import is_bridge
from dva_lens.models.decoder import Decoder
from dva_lens.recording.adapters.adapter import Adapter
from dva_lens.recording.adapters.bridge import BridgeAdapter
from dva_lens.recording.adapters.decoder import DecoderAdapter
from dva_lens.recording.adapters.huggingface import HuggingFaceAdapter

__all__ = ["Adapter", "adapter_of"]


def adapter_of(model: object) -> Adapter:
    """Return how a model is recorded; the one place that asks which kind of model it is.

    Raises
    ------
    TypeError
        If it is of none of the kinds that can be recorded.
    """
    if isinstance(model, Decoder):
        return DecoderAdapter(model)
    if isinstance(model, PreTrainedModel):
        return HuggingFaceAdapter(model)
    if is_bridge(model):
        return BridgeAdapter(model)
    raise TypeError(
        f"A {type(model).__name__} cannot be recorded; pass a model of this package, or a "
        f"transformers PreTrainedModel (`dva_lens.load` returns either)."
    )
