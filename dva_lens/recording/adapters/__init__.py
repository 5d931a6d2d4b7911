"""How each kind of model is recorded: this package's own, transformers', TransformerLens's."""

from torch import nn

from dva_lens.models.decoder import Decoder
from dva_lens.models.kinds import is_bridge, is_pretrained
from dva_lens.recording.adapters.adapter import Adapter, SourceBatch
from dva_lens.recording.adapters.bridge import BridgeAdapter
from dva_lens.recording.adapters.decoder import DecoderAdapter

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
    if is_pretrained(model) and (part is None or parts_of(model)):
        from dva_lens.recording.adapters.pretrained import pretrained_adapter

        return pretrained_adapter(model, part)
    if part is not None:
        raise ValueError(
            f"{type(model).__name__} is one stack of layers and has no part {part!r}; leave part "
            f"out."
        )
    if isinstance(model, Decoder):
        return DecoderAdapter(model)
    if is_bridge(model):
        return BridgeAdapter(model)
    raise TypeError(
        f"A {type(model).__name__} cannot be recorded; pass a model of this package, or a "
        f"transformers PreTrainedModel (`dva_lens.load` returns either)."
    )


def parts_of(model: object) -> tuple[str, ...]:
    """Return the names of the parts of a model, none where it is one stack of layers."""
    if not is_pretrained(model):
        return ()
    from dva_lens.recording.adapters.pretrained import in_parts

    return in_parts(model)


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
