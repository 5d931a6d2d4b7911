"""One pair of query and key with its arithmetic: from q.k to what the key adds to the output."""

import math
from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import Tensor

from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static
from dva_lens.measuring.closeup import check_place, heads_at_hand
from dva_lens.measuring.kept_layers import HeadsAtHand
from dva_lens.recording.norms import accurate
from dva_lens.recording.tiles import rows_of


@final
@dataclass(frozen=True)
class Pair:
    """What a query makes of one key in one head.

    - `dot` is q.k, `scale` what it is multiplied by, `softcap` the bound on the product if there
      is one, `bias` what is added, a penalty by distance included; together they are the `logit`.
      Where blocks of a text are weighed as wholes, what a query has for the block of the key is in
      the bias, and the scale is 0 where their product has no say.
    - `weight` is what the rule makes of it among all `visible` keys; `rank` is 1 for the key with
      the largest weight, and `row_mass` what all weights total. `factor` is what distance
      multiplies the normalised weight by, 1 where nothing does; it is in the weight. Under
      a `similarity` that is not exponential, the scaled product s comes into the logit as
      log(1 + s + s²/2) (`taylor`) or as log(s) (`linear`).
    - `value_norm` is the size of the value v_ij; `written_norm` that of weight * W_O v_ij;
      `output_norm` that of everything that the head writes at the query; `share` is the signed
      projection share of the pair in it. The last three are None where W_O was not found.
    - `static` says that values of this layer are the same for every query.
    """

    model: str
    layer: int
    head: int
    sequence: int
    query: int
    key: int
    query_token: str
    key_token: str
    dot: float
    scale: float
    softcap: float | None
    bias: float
    logit: float
    weight: float
    visible: int
    rank: int
    row_mass: float
    value_norm: float
    written_norm: float | None
    output_norm: float | None
    share: float | None
    static: bool
    factor: float = 1.0
    similarity: str = "exponential"

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers by their names."""
        return asdict(self)


@torch.no_grad()
def pair(  # noqa: PLR0913  (a pair has a place in a model and one in a text)
    model: Any,
    text_or_tokens: Any,
    *,
    layer: int,
    head: int,
    query: int,
    key: int,
    sequence: int = 0,
    tokenizer: Any = None,
) -> Pair:
    """Return what a query makes of one key, step by step, as the model runs.

    `query` and `key` are positions in a sequence, the start token included where there is one;
    `sequence` is one of those that a text is cut into.

    Raises
    ------
    ValueError
        There is no such layer, head, sequence or position, or the query does not see the key.
    TypeError
        The layer hands over a pattern and not its queries and keys.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> text = "To be, or not to be, that is the question."
    >>> found = pair(model, text, layer=1, head=0, query=6, key=0)
    >>> abs(found.dot * found.scale + found.bias - found.logit) < 1e-4
    True
    >>> 0 < found.weight <= found.row_mass
    True
    """
    found = heads_at_hand(
        model,
        text_or_tokens,
        layer=layer,
        heads=[head],
        sequence=sequence,
        positions={"query": query, "key": key},
        tokenizer=tokenizer,
    )
    return pair_of(found, query=query, key=key, sequence=sequence)


@torch.no_grad()
def pair_of(found: HeadsAtHand, *, query: int, key: int, sequence: int = 0) -> Pair:
    """Return what a query makes of one key in the one head at hand, as `pair` does.

    Raises
    ------
    ValueError
        There is no such position, the query does not see the key, or values are not at hand.
    """
    if found.values is None:
        raise ValueError(f"The values of layer {found.layer} of {found.name} were not kept.")
    (head,) = found.heads
    for name, place in (("query", query), ("key", key)):
        check_place(place, len(found.words), name)
    rows, columns = torch.tensor([query]), torch.arange(len(found.words))
    rows, columns = rows.to(found.query.device), columns.to(found.query.device)
    weights, seen = rows_of(found.query, found.key, found.rule, rows, columns)
    if not bool(seen[0, key]):
        raise ValueError(
            f"Query {query} does not see key {key} in layer {found.layer}; a query of this layer "
            f"sees {int(seen.sum())} keys, such as key {int(seen[0].nonzero()[-1])}."
        )
    steps = _steps(found.query[0, 0, query], found.key[0, 0, key], found.rule, query, key)
    row, at = weights[0, 0].double(), found.place(head)
    values = accurate(found.values.pairs(rows, columns, found.among)[0, at, 0]).double()
    value, mixed = values[key], row @ values
    written = output = share = None
    if found.gram is not None:
        inner = found.gram[at].double()
        power = float(mixed @ inner @ mixed)
        written = float(row[key]) * math.sqrt(max(float(value @ inner @ value), 0.0))
        output = math.sqrt(max(power, 0.0))
        share = float(row[key] * (value @ inner @ mixed)) / power if power > 0 else None
    return Pair(
        model=found.name,
        layer=found.layer,
        head=head,
        sequence=sequence,
        query=query,
        key=key,
        query_token=found.words[query],
        key_token=found.words[key],
        **steps,
        weight=float(row[key]),
        visible=int(seen.sum()),
        rank=1 + int((row > row[key]).sum()),
        row_mass=float(row.sum()),
        value_norm=float(value.norm()),
        written_norm=written,
        output_norm=output,
        share=share,
        static=isinstance(found.values, Static),
    )


def _steps(query: Tensor, key: Tensor, rule: Rule, at: int, of: int) -> dict[str, Any]:
    """Return the numbers between q.k and the logit."""
    dot = float(accurate(query).double() @ accurate(key).double())
    scale, bias = rule.scale, rule.bias
    score = float(rule.bent(torch.tensor(scale * dot, dtype=torch.float64)))
    if isinstance(bias, Tensor):
        row, column = (
            min(place, size - 1) for place, size in zip((at, of), bias.shape[-2:], strict=True)
        )
        bias = float(bias[0, 0, row, column])
    if rule.penalty is not None:
        bias = float(bias) + rule.penalty.penalty(at, of)
    if rule.query_terms is not None and rule.key_terms is not None:
        back = min(at - of, rule.query_terms.shape[-1] - 1)
        terms = rule.query_terms[0, 0, at, back] + rule.key_terms[0, 0, of, back]
        bias = float(bias) + float(terms)
    if rule.text_blocks is not None:
        term, counts = rule.text_blocks.of_pair(at, of)
        bias = float(bias) + term
        scale, score = (scale, score) if counts else (0.0, 0.0)
    return {
        "dot": dot,
        "scale": scale,
        "softcap": rule.softcap,
        "similarity": rule.similarity,
        "bias": float(bias),
        "logit": score + float(bias),
        "factor": 1.0 if rule.fade is None else math.exp(rule.fade.penalty(at, of)),
    }
