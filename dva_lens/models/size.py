"""How large a model is built, apart from what it is made of."""

from typing import Any, ClassVar, final

from dva_lens.models.config import Context, Heads, Layers, ModelConfig, Vocabulary, Width
from dva_lens.validation import Value


@final
class Size(Value, frozen=True):
    """How large a preset is built; `heads` is what its multi-head baseline would have.

    Raises
    ------
    ValueError
        A size is missing, unknown, no whole number or out of range; the message names it.
    """

    called: ClassVar[str] = "size"

    layers: Layers
    width: Width
    heads: Heads
    vocabulary: Vocabulary
    context: Context

    def config(self, **chosen: Any) -> ModelConfig:
        """Return the LLaMA-style model of this size, with some fields chosen otherwise.

        A variant may be given by its name, as a mapping of its kind and options, or as a value.

        Raises
        ------
        ValueError
            A field is unknown, or the model is impossible.

        Examples
        --------
        >>> size = Size(layers=2, width=32, heads=2, vocabulary=64, context=32)
        >>> size.config(value_source="first-layer-mix").value_source.own
        0.5
        """
        return ModelConfig(**{**dict(self), **chosen})
