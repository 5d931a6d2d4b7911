"""How large a checkpoint is, learned from its files without reading the weights of others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from transformers import AutoConfig, AutoTokenizer

from dva_lens.models.checkpoint import load_checkpoint
from dva_lens.models.foreign_files import blaming, check_weights, numbers_in, read_config
from dva_lens.models.gguf_copy import check_package
from dva_lens.models.gguf_header import FLOAT32_BYTES, is_gguf, read_header
from dva_lens.models.pretrained import tokenizer_of

POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "context")
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "layers")
HEADS = ("num_attention_heads", "n_head", "num_heads", "heads")
WIDTH = ("hidden_size", "n_embd", "d_model", "width")
VOCABULARY = ("vocab_size", "vocabulary")


@final
@dataclass(frozen=True)
class ModelOutline:
    """The size of a model, and its tokenizer; `unpacked_bytes` are those of a GGUF file."""

    parameters: int
    weight_bytes: int
    unpacked_bytes: int
    config: Any
    tokenizer: Any

    @property
    def layers(self) -> int:
        """The number of layers."""
        return self._first(LAYERS) or 1

    @property
    def heads(self) -> int:
        """The number of heads of a layer."""
        return self._first(HEADS) or 1

    @property
    def width(self) -> int:
        """The width of the residual stream."""
        return self._first(WIDTH) or 1

    @property
    def vocabulary(self) -> int:
        """The number of tokens."""
        return self._first(VOCABULARY) or 0

    @property
    def positions(self) -> int | None:
        """How many tokens there is room for, or None where nothing says."""
        return self._first(POSITIONS)

    def _first(self, names: tuple[str, ...]) -> int | None:
        text = self.config
        text = text.get_text_config() if hasattr(text, "get_text_config") else text
        found = (getattr(text, name, None) for name in names)
        return next((each for each in found if isinstance(each, int)), None)


def outline(path: Path) -> ModelOutline:
    """Return the size of the checkpoint in a folder or a GGUF file.

    Raises
    ------
    FileNotFoundError
        There is no configuration, or there are no weights.
    ImportError
        It is a GGUF file and the package gguf is missing.
    ValueError
        Something of it cannot be read.
    """
    if is_gguf(path):
        return _of_gguf(path)
    described = read_config(path)
    if "model_type" not in described and "architectures" not in described:
        own = load_checkpoint(path)
        count = sum(each.numel() for each in own.model.parameters())
        return ModelOutline(count, FLOAT32_BYTES * count, 0, own.model.config, own.tokenizer)
    check_weights(path)
    with blaming(path, "holds a configuration that transformers does not read"):
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    stored = sum(each.stat().st_size for each in path.glob("*.safetensors"))
    return ModelOutline(numbers_in(path), stored, 0, config, tokenizer_of(path))


def _of_gguf(file: Path) -> ModelOutline:
    check_package(file)
    header = read_header(file)
    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    folder, unpacked = file.absolute().parent, header.unpacked_bytes
    with blaming(file, f"is of architecture {header.architecture!r}, which cannot be read"):
        config = AutoConfig.from_pretrained(folder, **where)
        tokenizer = AutoTokenizer.from_pretrained(folder, **where)
    return ModelOutline(unpacked // FLOAT32_BYTES, unpacked, unpacked, config, tokenizer)
