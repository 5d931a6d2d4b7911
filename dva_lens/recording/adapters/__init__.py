"""How each kind of model is recorded: this package's own, transformers', TransformerLens's."""

from torch import nn
from transformers import PreTrainedModel

from dva_lens.models.bridge import is_bridge
from dva_lens.models.decoder import Decoder
from dva_lens.recording.adapters.adapter import Adapter, SourceBatch
from dva_lens.recording.adapters.bridge import BridgeAdapter
from dva_lens.recording.adapters.decoder import DecoderAdapter
from dva_lens.recording.adapters.encoder_decoder import PartAdapter
from dva_lens.recording.adapters.huggingface import HuggingFaceAdapter
from dva_lens.recording.adapters.parts import known_part, parts_of, towers

__all__ = ["Adapter", "SourceBatch", "adapter_of", "parts_of"]


def adapter_of(model: object, part: str | None = None) -> Adapter:
    """Return how a model is recorded; the one place that asks which kind of model it is.

    `part` names one of `parts_of(model)`, where there are any.

    Raises
    ------
    TypeError
        If it is of none of the kinds that can be recorded.
    ValueError
        If its weights are on the meta device, where nothing can be computed; or if a part must be
        named, or there is none of this name.
    """
    model = _unwrapped(model)
    _refuse_meta(model)
    if isinstance(model, PreTrainedModel) and towers(model):
        return PartAdapter(model, known_part(model, part))
    if part is not None:
        raise ValueError(
            f"{type(model).__name__} is one stack of layers and has no part {part!r}; leave part "
            f"out."
        )
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


def _unwrapped(model: object) -> object:
    """Return the model inside wrappers that compile it or spread it over devices."""
    kinds = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    if isinstance(model, kinds):
        return _unwrapped(model.module)
    inner = getattr(model, "_orig_mod", None)
    return model if inner is None else _unwrapped(inner)


def _refuse_meta(model: object) -> None:
    if not isinstance(model, nn.Module) or getattr(model, "hf_device_map", None):
        return
    empty = next((name for name, each in model.named_parameters() if each.is_meta), None)
    if empty is not None:
        raise ValueError(
            f"The weights of {type(model).__name__} must hold numbers, but {empty} is on the meta "
            f"device, which holds shapes alone; load the model without device 'meta'."
        )
