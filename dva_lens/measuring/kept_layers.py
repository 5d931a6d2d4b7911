"""What the heads of a layer attend with over one text, and a file to look at it again from.

So another part of a pattern needs no model: at great length the model takes longer than the look.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static, Values
from dva_lens.models.foreign_files import WANTED
from dva_lens.recording.closeup import check_heads
from dva_lens.writing import write_whole

PLAIN = ("scale", "causal", "window", "softcap", "normaliser", "similarity")
"""What is kept of a rule; one that says more, such as a mask, is not kept."""
ABOUT = "about"
PROGRAMS = ("dva-lens", "torch", "transformers")
"""What computes the numbers: of another version of any of these, nothing kept is read."""


@final
@dataclass(frozen=True)
class HeadsAtHand:
    """Some heads of a layer with their queries and keys over one sequence, and its tokens.

    `name` is that of the model and `heads` are the numbers of the heads in the layer. Values and
    `gram`, W_O W_O^T where the output projection is known, are those of `among` heads: of all in
    the layer, or of a single one. Values that differ by query are not kept, and are None then.
    """

    name: str
    layer: int
    heads: Sequence[int]
    words: Sequence[str]
    query: Float[Tensor, "1 head position width"]
    key: Float[Tensor, "1 kv_head position width"]
    rule: Rule
    values: Values | None
    gram: Float[Tensor, "value_head value_width value_width"] | None
    among: int

    def place(self, head: int) -> int:
        """Return where values and `gram` count a head of the layer."""
        return 0 if self.among == 1 else head


def file_of(folder: Path, model: Path, text: str, **chosen: Any) -> Path:
    """Return the file in which a layer of a model over a text is kept.

    Its name changes with what the numbers depend on: the hash of the `text`, what is `chosen`,
    and the files at the place of the `model`, a folder or a file.
    """
    said = json.dumps(chosen, sort_keys=True, default=str)
    programs = (f"{name} {version(name)}" for name in PROGRAMS)
    parts = "\0".join((str(model), *_stamps(model), text, said, *programs))
    return folder / f"{hashlib.sha256(parts.encode()).hexdigest()[:32]}.safetensors"


def keep_heads(path: Path, found: HeadsAtHand) -> bool:
    """Write all heads of a layer to a file; say whether their rule is plain enough for it."""
    if not is_plain(found.rule):
        return False
    about = {
        "name": found.name,
        "layer": found.layer,
        "words": list(found.words),
        "rule": {name: getattr(found.rule, name) for name in PLAIN},
    }
    tensors = {"query": found.query[0], "key": found.key[0]}
    if isinstance(found.values, Static):
        tensors["value"] = found.values.static[0]
    if found.gram is not None:
        tensors["gram"] = found.gram
    tensors = {name: each.detach().cpu().contiguous() for name, each in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda draft: save_file(tensors, draft, {ABOUT: json.dumps(about)}))
    return True


def kept_head(path: Path, head: int, *, device: str | None = None) -> HeadsAtHand | None:
    """Return a head of a layer that was kept, None where nothing was or it cannot be read.

    Only this head is read, onto the processor or the device that is named.

    Raises
    ------
    ValueError
        The layer has no such head.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt", device=device or "cpu") as file:
            about = json.loads(file.metadata()[ABOUT])
            name, layer, words, rule = (about[key] for key in ("name", "layer", "words", "rule"))
            rule = Rule(**rule)
            parts = {each: file.get_slice(each) for each in file.keys()}  # noqa: SIM118
            heads = parts["query"].get_shape()[0]
            read = _of_head(parts, head, heads) if 0 <= head < heads else {}
    except (SafetensorError, OSError, LookupError, TypeError, ValueError):
        return None
    check_heads([head], heads)
    value = read.get("value")
    return HeadsAtHand(
        name=name,
        layer=layer,
        heads=[head],
        words=words,
        query=read["query"][None],
        key=read["key"][None],
        rule=rule,
        values=None if value is None else Static(value[None]),
        gram=read.get("gram"),
        among=1,
    )


def is_plain(rule: Rule) -> bool:
    """Say whether positions and a few numbers say all of a rule."""
    rest = [each for each in fields(rule) if each.name not in PLAIN]
    given = [(getattr(rule, each.name), each.default) for each in rest]
    return all(not isinstance(value, Tensor) and value == default for value, default in given)


def _of_head(parts: Mapping[str, Any], head: int, heads: int) -> dict[str, Tensor]:
    """Read what is kept of one head, from the group of heads that it belongs to."""
    places = {name: head * part.get_shape()[0] // heads for name, part in parts.items()}
    return {name: part[places[name] : places[name] + 1] for name, part in parts.items()}


def _stamps(place: Path) -> Iterator[str]:
    """Yield name, size and time of the files of a model that is a folder or a file."""
    held = {file for pattern in WANTED for file in place.glob(pattern)}
    for each in [place, *sorted(held)]:
        if each.is_file():
            state = each.stat()
            yield f"{each.name} {state.st_size} {state.st_mtime_ns}"
