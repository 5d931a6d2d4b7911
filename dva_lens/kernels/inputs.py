"""What an attention that is recorded must be given: shapes that fit, and finite numbers."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.composition import Composition, HeadMaps
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.summary import Summary
from dva_lens.kernels.text_blocks import TextBlocks
from dva_lens.kernels.values import Relative, Static, Values

Query = Float[Tensor, "..."]
Key = Float[Tensor, "..."]


def check(query: Query, key: Key, values: Values, rule: Rule) -> None:
    """Refuse inputs whose shapes do not fit, naming the operand.

    Raises
    ------
    ValueError
        Shapes of query, key, values, sink, segments or mask do not fit.
    TypeError
        There are other numbers of keys and queries, and values depend on the query.
    """
    if query.ndim != 4 or key.ndim != 4:
        raise ValueError(
            "query and key must be (batch, head, position, width), got shapes "
            f"{tuple(query.shape)} and {tuple(key.shape)}."
        )
    if query.shape[2] < 1 or query.shape[0] < 1:
        raise ValueError(
            f"An attention needs at least one sequence and one position, got query of shape "
            f"{tuple(query.shape)}."
        )
    if (query.shape[0], query.shape[3]) != (key.shape[0], key.shape[3]) or key.shape[2] < 1:
        raise ValueError(
            "query and key must agree in batch and width, got shapes "
            f"{tuple(query.shape)} and {tuple(key.shape)}."
        )
    if query.shape[2] != key.shape[2]:
        _check_other_keys(query, key, values, rule)
    if query.shape[1] % key.shape[1]:
        raise ValueError(
            f"query heads must be a multiple of key heads, got {query.shape[1]} and "
            f"{key.shape[1]}."
        )
    _check_operands(query, key, values)
    if isinstance(values, Relative):
        _check_moves(query, values)
    _check_rule(query, rule)


def _check_other_keys(query: Query, key: Key, values: Values, rule: Rule) -> None:
    """Refuse what compares places, where queries and keys are not those of one text."""
    compared = rule.causal or rule.decay is not None or rule.text_blocks is not None
    compared = compared or rule.composition is not None
    if compared or rule.window is not None or rule.segments is not None:
        raise ValueError(
            f"query and key must agree in positions where a rule compares them (causal, window, "
            f"segments, decay, blocks or composed heads), got {query.shape[2]} and "
            f"{key.shape[2]}; pass causal=False, none of the others, and a mask function where "
            f"some keys are hidden."
        )
    if not isinstance(values, Static):
        raise TypeError(
            f"{type(values).__name__} values need as many keys as queries, got {key.shape[2]} "
            f"and {query.shape[2]}; only values of keys alone can be read by queries of another "
            f"text."
        )


def check_finite(found: Summary, query: Query, key: Key, values: Values, rule: Rule) -> None:
    """Refuse a summary that is not finite, naming the input that is to blame.

    Weights that heads compose have no entropy, whatever goes in.

    Raises
    ------
    ValueError
        An input is not finite, or the scores or values overflow.
    """
    entropy = found.entropy if rule.after is None else found.absolute_mass
    sums = torch.stack([found.row_mass, entropy, found.value_norm, found.output_norm])
    if math.isfinite(sums.sum()) or bool(torch.isfinite(sums).all()):  # the sum alone may overflow
        return
    for name, tensor in {"query": query, "key": key, **_tensors(values)}.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(
                f"{name} holds NaN or infinite numbers, so no weight or output of this "
                f"attention means anything; look at what comes before it: layers, embedding, and "
                f"the norms and positions of the configuration."
            )
    raise ValueError(
        "The scores or values of this attention overflow float32; scale queries, keys or values "
        "down, or give them as float64."
    )


def _tensors(values: Values) -> dict[str, Tensor]:
    return {f"values.{name}": each for name, each in vars(values).items()}


def _check_operands(query: Query, key: Key, values: Values) -> None:
    batch, heads, _, _ = query.shape
    kv_heads, length = key.shape[1:3]
    for name, each in _tensors(values).items():
        if name.removeprefix("values.") in values.shared:
            continue
        if (each.shape[0], each.shape[2]) != (batch, length) or each.shape[1] not in (
            heads,
            kv_heads,
        ):
            raise ValueError(
                f"{name} must begin with (batch, head, position) = ({batch}, {heads} or "
                f"{kv_heads}, {length}), got shape {tuple(each.shape)}."
            )


def _check_moves(query: Query, values: Relative) -> None:
    heads, length = query.shape[1:3]
    shape, width = values.moves.shape, values.value.shape[-1]
    if (*shape[:2], shape[3]) != (1, heads, width) or shape[2] < 3 or shape[2] % 2 == 0:
        raise ValueError(
            f"values.moves must be (1, head, distance, width) = (1, {heads}, an odd number from 3 "
            f"on, {width}), got shape {tuple(shape)}."
        )
    if not bool((values.place == torch.arange(length, device=query.device)).all()):
        raise ValueError(
            f"An attention is over all positions of a text: values.place must count from 0 to "
            f"{length - 1}; form the values of some positions with `pairs`."
        )


def _check_rule(query: Query, rule: Rule) -> None:
    batch, heads, length, _ = query.shape
    if rule.sink is not None and rule.sink.shape != (heads,):
        raise ValueError(
            f"A sink needs one logit per query head, got shape {tuple(rule.sink.shape)} for "
            f"{heads} heads."
        )
    if rule.decay is not None and len(rule.decay.rates) != heads:
        raise ValueError(
            f"A decay needs one rate per query head, got {len(rule.decay.rates)} for {heads} "
            f"heads."
        )
    for name in ("query_terms", "key_terms"):
        terms = getattr(rule, name)
        if terms is not None and (terms.ndim != 4 or terms.shape[:3] != (batch, heads, length)):
            raise ValueError(
                f"{name} must be (batch, head, position, distance), beginning with ({batch}, "
                f"{heads}, {length}), got shape {tuple(terms.shape)}."
            )
    if rule.text_blocks is not None:
        _check_text_blocks((batch, heads, length), rule.text_blocks)
    if rule.composition is not None:
        _check_composition((batch, heads, length), rule.composition)
    if rule.segments is not None and rule.segments.shape != (batch, length):
        raise ValueError(
            f"segments must be (batch, position) = ({batch}, {length}), got shape "
            f"{tuple(rule.segments.shape)}."
        )


def _check_text_blocks(sizes: tuple[int, int, int], blocks: TextBlocks) -> None:
    batch, heads, length = sizes
    wanted = {"number": (batch, length), "keys": sizes, "terms": (*sizes, blocks.terms.shape[-1])}
    for name, shape in wanted.items():
        held = getattr(blocks, name)
        if held is not None and held.shape != shape:
            raise ValueError(
                f"text_blocks.{name} must be of shape {shape}, got {tuple(held.shape)}, for "
                f"{batch} sequences of {length} positions and {heads} heads."
            )
    if not 0 <= int(blocks.number.min()) <= int(blocks.number.max()) < blocks.terms.shape[-1]:
        raise ValueError(
            f"text_blocks.number must count blocks from 0 to {blocks.terms.shape[-1] - 1}, of "
            f"which there are terms, got {int(blocks.number.min())} to "
            f"{int(blocks.number.max())}."
        )


def _check_composition(sizes: tuple[int, int, int], composition: Composition) -> None:
    batch, heads, length = sizes
    for side in ("before", "after"):
        maps: HeadMaps | None = getattr(composition, side)
        for name, held in () if maps is None else maps.tensors():
            shape, found = (batch, length, heads), tuple(held.shape)
            if name == "shared":
                shape = (heads, heads)
            elif not name.endswith("gate"):
                shape, found = (*shape[:2], "rank", heads), (*found[:2], "rank", *found[3:])
            if found != shape:
                raise ValueError(
                    f"composition.{side}.{name} must be of shape {shape}, got "
                    f"{tuple(held.shape)}, for {batch} sequences of {length} positions and "
                    f"{heads} heads."
                )
