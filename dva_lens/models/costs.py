"""What a model costs, counted from its configuration alone.

Operations are those of a forward pass: a multiplication, an addition and a nonlinearity count one
each; norms, softmax, rotary position and residual sums are left out. A training step takes about
three times as many.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

from dva_lens.mechanisms.variant import LinearCost
from dva_lens.models.config import ModelConfig

BFLOAT16_BYTES = 2
FEEDFORWARD, WIDTH = "feedforward", "width"


def parameters(config: ModelConfig) -> int:
    """Return the number of trained numbers, each counted once."""
    shape, norm = config.shape, config.norm.weights(config.shape)

    def linear(inner: int, outer: int) -> int:
        return config.projections.weights(inner, outer, bias=config.biases)

    total = config.vocabulary * config.width * (1 if config.tied else 2)
    total += config.positions.weights(shape) + norm
    return total + sum(_of_layer(config, layer, linear) for layer in range(config.layers))


def _of_layer(config: ModelConfig, layer: int, linear: LinearCost) -> int:
    """Return the parameters of a layer where `linear` counts those of each of its maps."""
    shape, norm = config.shape, config.norm.weights(config.shape)
    total = norm
    axes = [config.mixer_of(layer), config.depth_average]
    if config.attends(layer):
        total += _attention_maps(config, layer, linear)
        axes += [config.rule_of(layer), config.scores_of(layer)]
        axes += [config.composition_of(layer), config.value_form, config.output]
        if config.owns_keys(layer):
            axes.append(config.value_source)
    if config.feedforward.inner(shape):
        axes.append(config.feedforward)
        total += norm
    return total + sum(each.parameters(shape, layer, linear) for each in axes)


def _attention_maps(config: ModelConfig, layer: int, linear: LinearCost) -> int:
    """Return the parameters of the maps to queries, keys and values, and to the stream."""
    shape, scores = config.shape, config.scores_of(layer)
    part = replace(shape, width=config.channels_read)
    unread = shape.width - part.width
    written = config.projections.of_output
    total = written.weights(shape.output_channels, shape.width, bias=config.biases)
    if config.owns_pattern(layer):
        total += scores.weights(part, shape.heads, linear)
        total += config.owns_keys(layer) * scores.weights(part, shape.kv_heads, linear)
    if config.owns_values(layer):
        total += linear(part.width, shape.value_channels)
    if unread:
        total += written.weights(unread, shape.width, bias=False)
    return total


def flops_per_token(config: ModelConfig, length: int | None = None) -> float:
    """Return the forward operations per token of a text of `length`, by default the context.

    A query sees half the text on average, or what its visibility leaves of it.

    Raises
    ------
    ValueError
        `length` is below 1.
    """
    length = config.context if length is None else length
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}.")
    shape = config.shape
    total = 2.0 * config.width * config.vocabulary
    for layer in range(config.layers):
        visible = config.visibility_of(layer)
        keys = visible.keys(shape, length)
        axes = [config.mixer_of(layer), config.depth_average, config.feedforward]
        if config.attends(layer):
            total += visible.choosing(shape, length) + _attention_flops(config, layer, keys)
            axes += [config.rule_of(layer), config.scores_of(layer)]
            axes += [config.composition_of(layer), config.value_form, config.output]
            if config.owns_keys(layer):
                axes.append(config.value_source)
        total += sum(each.flops(shape, layer, keys) for each in axes)
        total += _beyond_matrices(config, layer)
    return total


def _beyond_matrices(config: ModelConfig, layer: int) -> int:
    """Return what the maps of a layer take beyond matrices of their sizes, below zero for less."""

    def beyond(inner: int, outer: int) -> int:
        return config.projections.operations(inner, outer) - 2 * inner * outer

    return _of_layer(config, layer, beyond) - _of_layer(config, layer, lambda *_: 0)


def _attention_flops(config: ModelConfig, layer: int, keys: float) -> float:
    """Return the operations per token of the maps, the scores and the sums of one attention."""
    shape = config.shape
    compared = shape.heads + shape.kv_heads * config.owns_keys(layer)
    outer = compared * shape.qk_dim * _compares_tokens(config, layer)
    if config.owns_values(layer):
        outer += shape.value_channels
    unread = shape.width - config.channels_read
    total = 2.0 * config.channels_read * outer
    total += 2.0 * shape.width * (unread + shape.output_channels)
    return total + 2.0 * keys * shape.heads * (shape.qk_dim + shape.value_dim)


def kv_bytes_per_token(config: ModelConfig, bytes_per_number: int = BFLOAT16_BYTES) -> int:
    """Return the bytes that generation keeps of each token, by default in bfloat16.

    Counted where keys and values are made: a layer that uses those of another keeps none, and
    values from a table are looked up again, and so are keys that are not those of a token. A
    layer that does not attend keeps nothing of each token.
    """
    shape, numbers = config.shape, 0
    for layer in filter(config.attends, range(config.layers)):
        static = 0
        if config.owns_keys(layer):
            numbers += shape.kv_heads * shape.qk_dim * _compares_tokens(config, layer)
            static = shape.value_channels * config.value_source.caches(shape, layer)
        numbers += config.value_form.kept(shape, static) + config.composition_of(layer).kept(shape)
    return numbers * bytes_per_number


def _compares_tokens(config: ModelConfig, layer: int) -> bool:
    """Say whether a layer makes queries and keys of tokens."""
    return config.owns_pattern(layer) and config.scores_of(layer).of_tokens


def match(
    config: ModelConfig,
    target: float | int,
    *,
    by: str = "parameters",
    vary: str | None = None,
    held: Collection[str] = (),
) -> ModelConfig:
    """Return the model whose cost comes closest to a target, all else being equal.

    `by` is "parameters" or "flops". Varies the hidden width of the feed-forward network where
    there is one, otherwise the width of the model, or what `vary` names of the two; with the
    width go the attended width, in proportion, and the widths of heads, qk_dim and value_dim,
    unless they differ from width / heads or are `held`. Widths move in steps, so ask the cost of
    the result how close it came.

    Raises
    ------
    ValueError
        `by` or `vary` is unknown, the model has no feed-forward network to vary, or even the
        smallest model costs more than twice the target.

    Examples
    --------
    >>> from dva_lens.models.presets import Size, preset
    >>> size = Size(layers=2, width=64, heads=4, vocabulary=512, context=64)
    >>> target = parameters(preset("transformer", size))
    >>> matched = match(preset("dva", size), target)
    >>> abs(parameters(matched) / target - 1) < 0.05
    True
    """
    if by not in COSTS:
        raise ValueError(f"by must be one of {', '.join(COSTS)}, got {by!r}.")
    fed = bool(config.feedforward.inner(config.shape))
    vary = vary or (FEEDFORWARD if fed else WIDTH)
    if vary not in (FEEDFORWARD, WIDTH):
        raise ValueError(f"vary must be {FEEDFORWARD!r} or {WIDTH!r}, got {vary!r}.")
    if vary == FEEDFORWARD and not fed:
        raise ValueError("A model without a feed-forward network can only vary its width.")
    resize = _with_hidden if vary == FEEDFORWARD else partial(_with_width, held=held)
    cost = COSTS[by]
    low, high = 1, 2
    while cost(resize(config, high)) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(resize(config, middle)) < target else (low, middle)
    below, above = resize(config, low), resize(config, high)
    found = min((below, above), key=lambda each: abs(cost(each) - target))
    if cost(found) > 2 * target:
        raise ValueError(
            f"No {vary} brings {by} down to {target:.4g}; the smallest has {cost(found):.4g}."
        )
    return found


COSTS: dict[str, Callable[[ModelConfig], float]] = {
    "parameters": parameters,
    "flops": flops_per_token,
}


def _with_hidden(config: ModelConfig, hidden: int) -> ModelConfig:
    options = config.to_dict()["feedforward"] | {"hidden": hidden}
    return config.changed(feedforward=options)


def _with_width(config: ModelConfig, steps: int, *, held: Collection[str]) -> ModelConfig:
    """Return the model with heads widened or narrowed by steps of two channels."""
    head = 2 * steps
    usual = config.width // config.heads
    follows = {
        name: 0
        for name in ("qk_dim", "value_dim")
        if name not in held and getattr(config, name) == usual
    }
    width = head * config.heads
    if config.attended_width:
        follows["attended_width"] = max(1, round(config.attended_width * width / config.width))
    return config.changed(width=width, **follows)
