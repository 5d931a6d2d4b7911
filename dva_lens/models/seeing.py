"""Having a model of transformers attend to what came before alone, or to the whole text.

transformers makes the masks of most models from their configuration as they run, so a decoder
can look ahead (as embedding models made from decoders do) and an encoder can be kept from it. A
model that computes masks in another way is found out by trying, never by its name.
"""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

ATTENTION = ("causal", "bidirectional")
TRIED = 4


def attend(model: Any, attention: str) -> None:
    """Have a model attend causally or to both sides, and try whether it does.

    Raises
    ------
    TypeError
        It is no model of transformers that reads tokens.
    ValueError
        `attention` is neither, or the model attends as before.
    """
    if attention not in ATTENTION:
        raise ValueError(f"attention must be one of {', '.join(ATTENTION)}, got {attention!r}.")
    if not isinstance(model, PreTrainedModel) or model.main_input_name != "input_ids":
        raise TypeError(
            f"A {type(model).__name__} attends as it is built; attention can be chosen for models "
            f"of transformers that read tokens."
        )
    causal = attention == "causal"
    for module in model.modules():
        if isinstance(module, PreTrainedModel):
            module.config.is_causal = causal
            _decodes(module.config, causal)
        elif isinstance(getattr(module, "is_causal", None), bool):
            _set(module, causal)
    if looks_ahead(model) == causal:
        raise ValueError(
            f"{type(model).__name__} makes its masks in code of its own and cannot attend "
            f"{'causally' if causal else 'to both sides'}; leave attention out."
        )


def looks_ahead(model: Any) -> bool:
    """Say whether what a model makes of its first token depends on its last."""
    device = model.get_input_embeddings().weight.device
    tokens = torch.ones(2, TRIED, dtype=torch.long, device=device)
    tokens[1, -1] = 2
    with torch.no_grad():
        states = model.eval()(
            input_ids=tokens, attention_mask=torch.ones_like(tokens), output_hidden_states=True
        ).hidden_states
    return not torch.equal(states[-1][0, 0], states[-1][1, 0])


def _set(module: nn.Module, causal: bool) -> None:
    setattr(module, "is_causal", causal)  # noqa: B010  a plain attribute that nn.Module types as a tensor


def _decodes(config: Any, causal: bool) -> None:
    """Tell encoders, which take their masks from `is_decoder`."""
    if hasattr(config, "is_decoder") and (causal or config.is_decoder):
        config.is_decoder = causal
