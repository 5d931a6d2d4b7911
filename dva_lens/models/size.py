"""How large a model is built, apart from what it is made of."""

from dataclasses import asdict, dataclass
from typing import Any, final

from dva_lens.models.config import ModelConfig


@final
@dataclass(frozen=True)
class Size:
    """How large a preset is built; `heads` is what its multi-head baseline would have."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    context: int

    def config(self, **chosen: Any) -> ModelConfig:
        """Return the LLaMA-style model of this size, with some fields chosen otherwise.

        A variant may be given by its name, as a dict of its kind and options, or as a value.
        """
        return ModelConfig.from_dict({**asdict(self), **chosen})
