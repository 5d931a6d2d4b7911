"""The attention function that a layer of a Hugging Face model calls without the recorder.

Every attention of transformers stands beside an eager function in the file that defines it. It is
called on a few queries of the very call that is recorded, with their rows of the model's own mask.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from dva_lens.kernels.values import per_query_head
from dva_lens.kernels.visibility import Visibility
from dva_lens.recording.adapters.masks import ModelMask, added_by, allowed_pairs
from dva_lens.recording.attention_rows import ENTRIES, Compared, RowSample, first_and_last
from dva_lens.recording.layout import Layout
from dva_lens.recording.recorder import Compare, Recorder

EAGER = "eager_attention_forward"
PICKED = "indices"
"""The keys that queries picked by content, which the mask of a call holds as well."""
Function = Callable[..., tuple[Tensor, Any]]


def own_function(module: nn.Module) -> tuple[str, Function]:
    """Return the name and the attention function that a module would call: eager, else sdpa.

    It is the one that the module's own code names, or one of the usual name in its file.
    """
    for kind in type(module).__mro__:
        forward = inspect.unwrap(kind.__dict__.get("forward", kind.__init__))
        names = getattr(getattr(forward, "__code__", None), "co_names", ())
        named = [each for each in names if each.endswith(EAGER)]
        if named and named[0] in forward.__globals__:
            return "eager", forward.__globals__[named[0]]
        beside = getattr(sys.modules.get(kind.__module__), EAGER, None)
        if beside is not None:
            return "eager", beside
    return "sdpa", ALL_ATTENTION_FUNCTIONS["sdpa"]


@final
@dataclass(frozen=True)
class OwnCall:
    """One call of an attention function, as a layer of the model makes it.

    `visibility` says what is seen, and `real` where a text stands, where there is no mask object.
    With `across` the keys are of another text, of which alone a mask speaks.
    """

    module: nn.Module
    query: Float[Tensor, "row head column width"]
    key: Float[Tensor, "row kv_head key width"]
    value: Float[Tensor, "row kv_head key value_width"]
    mask: Tensor | ModelMask | None
    asked: dict[str, Any]
    visibility: Visibility
    real: Bool[Tensor, "row column"]
    across: bool = False

    @property
    def against(self) -> str:
        """Return the name of the function that the model would call."""
        return own_function(self.module)[0]

    @torch.no_grad()
    def compare(
        self,
        returned: Float[Tensor, "row head column value_width"],
        *,
        backend: str,
        place: str,
    ) -> Compared:
        """Compare rows of what was returned with what the model's own function returns.

        The first and last positions of the first and the last row of the batch are compared.

        Raises
        ------
        RuntimeError
            A row is further away than rounding takes it.
        """
        found = Compared()
        with torch.autocast(self.query.device.type, enabled=False):
            for row in sorted({0, len(self.query) - 1}):
                for columns, seen in self._groups(row):
                    sample = self._sample(row, columns, seen)
                    own = self._own(row, columns, sample)
                    ours = returned[row][:, columns]
                    found = found.merge(
                        sample.compare(ours, own, backend=backend, positions=columns, place=place)
                    )
        return found

    def _groups(self, row: int) -> Iterator[tuple[Int[Tensor, "some"], Bool[Tensor, "some key"]]]:
        """Return positions to compare, with the keys they see, up to the last key of any.

        Positions that see nothing are left out, and so are groups whose keys would take much room.
        """
        heads, width = self.query.shape[1], max(self.query.shape[-1], self.value.shape[-1])
        for columns in first_and_last(self._real(row)):
            seen = self._seen(row, columns)
            live = seen.any(dim=1)
            columns, seen = columns[live], seen[live]
            keys = int(seen.any(dim=0).nonzero().amax()) + 1 if len(seen) else 0
            if keys and heads * keys * width <= ENTRIES:
                yield columns, seen[:, :keys]

    def _real(self, row: int) -> Bool[Tensor, "column"]:
        if isinstance(self.mask, ModelMask) and not self.across:
            if self.mask.padding is None or self.mask.padding.shape[-1] != self.query.shape[2]:
                return torch.ones_like(self.real[row])
            return self.mask.padding[row].bool()
        return self.real[row]

    def _seen(self, row: int, columns: Int[Tensor, "some"]) -> Bool[Tensor, "some key"]:
        keys = torch.arange(self.key.shape[2], device=columns.device)
        if isinstance(self.mask, ModelMask):
            return self.mask.seen(row, columns, keys)
        if self.mask is not None and self.mask.ndim > 2:
            allowed = allowed_pairs(self.mask[min(row, len(self.mask) - 1)][None])[0]
            return allowed.expand(self.query.shape[2], -1)[columns]
        found = Visibility(causal=self.visibility.causal, window=self.visibility.window)
        seen = found.visible(columns, keys)[0, 0]
        return seen if self.mask is None else seen & self.mask[row].bool()

    def _sample(
        self, row: int, columns: Int[Tensor, "some"], seen: Bool[Tensor, "some key"]
    ) -> RowSample:
        heads, keys = self.query.shape[1], seen.shape[1]
        key, value = (
            per_query_head(each[row : row + 1, :, :keys], heads)[0]
            for each in (self.key, self.value)
        )
        scale, added = self.asked.get("scaling"), (self.asked.get("position_bias"), self._added)
        return RowSample(
            self.query[row][:, columns],
            key,
            value.float().norm(dim=-1)[:, None],
            seen,
            self.query.shape[-1] ** -0.5 if scale is None else float(scale),
            sum((float(each.abs().max()) for each in added if each is not None), 0.0),
        )

    @property
    def _added(self) -> Tensor | None:
        """Return what the mask adds to the scores of pairs."""
        return None if isinstance(self.mask, ModelMask) else added_by(self.mask)

    def _own(
        self, row: int, columns: Int[Tensor, "some"], sample: RowSample
    ) -> Float[Tensor, "head some value_width"]:
        wide = torch.promote_types(self.query.dtype, torch.float32)
        keys = sample.seen.shape[1]
        given = sample.query[None], self.key[row : row + 1], self.value[row : row + 1]
        query, key, value = (each.to(wide) for each in given)
        operands = query, key[:, :, :keys], value[:, :, :keys]
        hidden = torch.finfo(torch.float32).min
        mask = torch.zeros(sample.seen.shape, dtype=wide, device=columns.device)
        mask = mask.masked_fill_(~sample.seen, hidden)[None, None]
        if self._added is not None:
            added = self._added.to(wide)[min(row, len(self._added) - 1)][None]
            added = added.expand(-1, -1, self.query.shape[2], -1)[:, :, columns, :keys]
            mask = mask + added.masked_fill(~sample.seen, 0.0)
        asked = {name: self._part(each, row, columns, keys) for name, each in self.asked.items()}
        asked |= {"dropout": 0.0} if "dropout" in asked else {}
        _, function = own_function(self.module)
        return function(self.module, *operands, mask, **asked)[0][0].transpose(0, 1)

    def _part(self, given: Any, row: int, columns: Int[Tensor, "some"], keys: int) -> Any:
        """Return what belongs to some positions of what a call has for every pair."""
        pairs = self.query.shape[2], self.key.shape[2]
        if not isinstance(given, Tensor) or given.ndim != 4 or given.shape[2:] != pairs:
            return given
        given = given[row : row + 1] if given.shape[0] == len(self.query) else given
        return given[:, :, columns, :keys]


def compare_with(
    own: OwnCall, layout: Layout, recorder: Recorder, name: str, visible_rows: int
) -> Compare:
    """Return what compares an output, before anybody edits it, with the model's own attention.

    `name` is that of the layer, and `visible_rows` how many rows were held against masks.
    """

    def compare(out: Tensor, backend: str) -> None:
        place = f"{type(own.module).__name__} of {name}"
        recorder.visible_rows = visible_rows
        found = own.compare(layout.repad(out), backend=backend, place=place)
        recorder.keep_compared(found, against=own.against)

    return compare
