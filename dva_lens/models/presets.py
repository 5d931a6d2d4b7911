"""The models of the papers and their controls, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, final

from dva_lens.models.config import ModelConfig
from dva_lens.models.grid import cell, cells, grid, is_cell
from dva_lens.models.size import Size
from dva_lens.plugins import Registry
from dva_lens.validation import meant, shown


@final
@dataclass(frozen=True)
class Preset:
    """A named model: where it comes from, what it is, and how it is made at a size."""

    citation: str
    meaning: str
    make: Callable[[Size], ModelConfig]


def _with(**chosen: Any) -> Callable[[Size], ModelConfig]:
    return lambda size: size.config(**chosen)


def _gpt2(size: Size) -> ModelConfig:
    return size.config(
        feedforward="gelu",
        positions="learned",
        norm="layer",
        tied=True,
        biases=True,
        init_by_depth=True,
    )


def _halved(size: Size) -> int:
    if size.heads % 2:
        raise ValueError(
            f"Grouped queries share keys and values two by two, which needs an even number of "
            f"heads, got heads={size.heads}."
        )
    return size.heads // 2


def _sparse(size: Size) -> ModelConfig:
    """Mix in the last three eighths of the layers, as layers 6 to 8 of 8."""
    count = max(1, round(size.layers * 3 / 8))
    layers = tuple(range(size.layers - count, size.layers))
    return size.config(value_source=_mix(first=5.0, own=1.0, layers=layers))


def _mix(**options: Any) -> dict[str, Any]:
    return {"kind": "first-layer-mix", **options}


def _dva(form: str, **chosen: Any) -> Callable[[Size], ModelConfig]:
    """One head as wide as the model, without a feed-forward network."""
    return lambda size: size.config(heads=1, value_form=form, feedforward="none", **chosen)


def _hybrid(**chosen: Any) -> Callable[[Size], ModelConfig]:
    """Keep standard attention in every second layer, from the second on."""

    def make(size: Size) -> ModelConfig:
        if size.layers < 2:
            raise ValueError(
                f"A hybrid keeps standard attention in every second layer, which needs at least 2 "
                f"layers, got layers={size.layers}."
            )
        return size.config(standard_layers=tuple(range(1, size.layers, 2)), **chosen)

    return make


def _wide(size: Size) -> ModelConfig:
    """Put all heads of all layers into one, as wide as they were."""
    head = size.config().qk_dim
    heads = size.layers * size.heads
    return size.config(layers=1, heads=heads, qk_dim=head, value_dim=head)


def _partial(size: Size) -> ModelConfig:
    """Attend with one head on 3 of 14 channels, queries and keys 16 wide."""
    attended = 2 * max(1, round(size.width * 3 / 28))
    return size.config(heads=1, qk_dim=16, value_dim=attended, attended_width=attended)


def _switch_head(size: Size) -> ModelConfig:
    """Give a quarter of the heads four maps each, as wide as keeps the parameters of all."""
    experts = 4
    heads = max(1, size.heads // experts)
    pairs = (2 * size.width / heads - experts) / (2 * (1 + experts))
    width = 2 * max(1, round(pairs))
    form = {"kind": "switch-head", "experts": experts, "active": 2}
    return size.config(heads=heads, qk_dim=width, value_dim=width, value_form=form)


RESFORMER = "Zhou et al. 2024, 2410.17897"
DVA = "idea of 2512.22212 (abstract); form of v_ij ours"
CONTROL = "control of `dva`, ours"
IDENTITY = _mix(first=0.5, own=0.5)
GRID = "grid"

_PRESETS: dict[str, Preset] = {
    "transformer": Preset("Touvron et al. 2023, 2302.13971", "LLaMA-style baseline", _with()),
    "gpt2-style": Preset(
        "Radford et al. 2019", "GPT-2-style baseline: learned positions, biases", _gpt2
    ),
    "gqa": Preset(
        "Ainslie et al. 2023, 2305.13245",
        "two query heads share keys and values",
        lambda size: size.config(kv_heads=_halved(size)),
    ),
    "mqa": Preset(
        "Shazeer 2019, 1911.02150", "all heads share keys and values", _with(kv_heads=1)
    ),
    "cla": Preset(
        "Brandon et al. 2024, 2405.12981",
        "two layers share keys and values",
        _with(share_kv_every=2),
    ),
    "resformer-identity": Preset(
        RESFORMER, "half of the value is the first layer's", _with(value_source=IDENTITY)
    ),
    "resformer-constant": Preset(
        RESFORMER,
        "twice the first layer's value is added",
        _with(value_source=_mix(first=2.0, own=1.0)),
    ),
    "resformer-learnable": Preset(
        RESFORMER,
        "each layer learns how much it adds",
        _with(value_source="first-layer-mix-learnable"),
    ),
    "resformer-sparse": Preset(
        RESFORMER, "the last layers add five times the first layer's value", _sparse
    ),
    "resformer-learnable-plus": Preset(
        RESFORMER,
        "layers compete for the first layer's value",
        _with(value_source="first-layer-mix-learnable-plus"),
    ),
    "svformer": Preset(
        RESFORMER,
        "all layers use the first layer's values",
        _with(value_source="first-layer-only"),
    ),
    "neutreno": Preset(
        "Nguyen et al. 2023, 2312.00751",
        "a skip from the first layer's values to each output",
        _with(output="neutreno"),
    ),
    "denseformer": Preset(
        "Pagliardini et al. 2024, 2402.02622",
        "blocks read an average over depth",
        _with(depth_average="denseformer"),
    ),
    "gated": Preset(
        "Qiu et al. 2025, 2505.06708", "a gate on each head's output", _with(output="head-gate")
    ),
    "sigmoid": Preset(
        "Ramapuram et al. 2024, 2409.04431", "weights do not compete", _with(rule="sigmoid")
    ),
    "relu": Preset(
        "Wortsman et al. 2023, 2309.08586",
        "weights are positive parts of scores, over the number of keys",
        _with(rule="relu"),
    ),
    "softmax-off-by-one": Preset(
        "Miller 2023", "a query may attend to nothing", _with(rule="softmax-off-by-one")
    ),
    "learned-sink": Preset(
        "gpt-oss, OpenAI 2025, 2508.10925",
        "a learned logit per head takes mass away",
        _with(rule="learned-sink"),
    ),
    "sigma-reparam": Preset(
        "Zhai et al. 2023, 2303.06296",
        "the spectral norm of every linear map is learned",
        _with(projections="sigma-reparam"),
    ),
    "hashed": Preset(
        "MemoryFormer, Ding et al. 2024, 2411.12992; two bits, W_O a matrix: ours",
        "signs of pairs of channels look rows up in the place of linear maps",
        _with(projections={"kind": "hashed", "bits": 2}),
    ),
    "token-table": Preset(
        "2606.02780",
        "late layers take values from the token alone",
        _with(value_source="token-table"),
    ),
    "dva": Preset(DVA, "one head, no feed-forward, a value per pair", _dva("pairwise")),
    "dva-static": Preset(CONTROL, "one head, no feed-forward, plain values", _dva("static")),
    "dva-value-mlp": Preset(CONTROL, "adds the nonlinearity alone", _dva("value-mlp")),
    "dva-query-gate": Preset(CONTROL, "adds a gate by the query alone", _dva("query-gate")),
    "dva-separable": Preset(
        CONTROL, "the parameters of `dva` without the pairing", _dva("separable")
    ),
    "dva-pair-gate": Preset(DVA, "one head, a gate per pair and channel", _dva("pair-gate")),
    "dva-experts": Preset(DVA, "one head, pairs choose among values", _dva("experts")),
    "relative-values": Preset(
        "Shaw et al. 2018, 1803.02155",
        "the distance to a key moves its value; scores as they are",
        _with(value_form="relative"),
    ),
    "query-value-interaction": Preset(
        "idea of Wu et al. 2020, 2010.03766 (abstract); form of v_ij ours",
        "what query and value make of each other joins the value",
        _with(value_form="query-value"),
    ),
    "switch-head": Preset(
        "Csordás et al. 2024, 2312.07987",
        "a quarter of the heads; tokens choose 2 of 4 maps to values and back",
        _switch_head,
    ),
    "embedding-qk": Preset(
        "StaticEmbQK of Xue et al. 2025, 2510.11602",
        "queries and keys of every layer read the embeddings",
        _with(scores="embedding-qk"),
    ),
    "frozen-random": Preset(
        "Fu et al. 2023, 2307.11353; Dong et al. 2025, 2506.01115",
        "random maps to queries and keys, not trained",
        _with(scores="frozen-random"),
    ),
    "static-learned": Preset(
        "Synthesizer, Tay et al. 2020, 2005.00743",
        "a learned query and key per position; the text has no say",
        _with(scores="static-learned"),
    ),
    "random-fixed": Preset(
        "Synthesizer, Tay et al. 2020, 2005.00743; Xue et al. 2025, 2510.11602",
        "a random query and key per position, not trained",
        _with(scores="random-fixed"),
    ),
    "uniform": Preset(
        "Zhang et al. 2018, 1805.00631",
        "the mean over the visible keys",
        _with(scores="uniform"),
    ),
    "disentangled": Preset(
        "DeBERTa, He et al. 2021, 2006.03654, in a decoder",
        "contents and distances are compared in terms of their own",
        _with(scores="disentangled", positions="none"),
    ),
    "complex": Preset(
        "ComplexFormer, Shao et al. 2025, 2505.10222 (withdrawn since); scale and start ours",
        "differences of phase between queries and keys are scaled and shifted",
        _with(scores="complex"),
    ),
    "embedding-qk-hybrid": Preset(
        "Xue et al. 2025, 2510.11602",
        "queries and keys of every second layer read the embeddings",
        _hybrid(scores="embedding-qk"),
    ),
    "random-fixed-hybrid": Preset(
        "Tay et al. 2020, 2005.00743; Xue et al. 2025, 2510.11602",
        "every second layer weighs by random vectors of positions",
        _hybrid(scores="random-fixed"),
    ),
    "uniform-hybrid": Preset(
        "Zhang et al. 2018, 1805.00631; alternation of 2510.11602",
        "every second layer takes the mean over the visible keys",
        _hybrid(scores="uniform"),
    ),
    "shared-pattern": Preset(
        "idea of EchoAtt, Rajabzadeh et al. 2024, 2409.14595; which layers: ours",
        "every second layer copies the weights of the layer before",
        _with(share_pattern_every=2),
    ),
    "wide": Preset(
        "Brown et al. 2022, 2210.00640",
        "one layer with the heads of all",
        _wide,
    ),
    "partial": Preset(
        "SHViT, Yun and Ro 2024, 2401.16456; causal, no ReLU before the output projection: ours",
        "one head on a fifth of the channels, the others pass",
        _partial,
    ),
    "glu-mixer": Preset(
        "Activator, Abdullah and Aydin 2024, 2405.15953; causal: ours",
        "a gated linear unit in the place of attention",
        _with(mixer="gated-linear-unit"),
    ),
    "generated-gate": Preset(
        "NiNformer, Abdullah and Aydin 2024, 2403.02411; causal form: ours",
        "a gate mixed from the last tokens in the place of attention",
        _with(mixer="generated-gate"),
    ),
    "causal-mean": Preset(
        "PoolFormer, Yu et al. 2022, 2111.11418; causal: ours",
        "the mean of the tokens so far in the place of attention",
        _with(mixer="causal-mean"),
    ),
    "taylor": Preset(
        "Approximate of Xue et al. 2025, 2510.11602; Arora et al. 2024, 2402.18668",
        "a series of second order in place of the exponential",
        _with(rule="taylor"),
    ),
    "taylor-hybrid": Preset(
        "Xue et al. 2025, 2510.11602",
        "the series in every second layer",
        _hybrid(rule="taylor"),
    ),
    "linear": Preset(
        "Katharopoulos et al. 2020, 2006.16236",
        "weights are products of positive features; learned positions",
        _with(rule="linear", positions="learned"),
    ),
    "decay": Preset(
        "RMT, Fan et al. 2024, 2309.11523",
        "weights fade with distance after the softmax",
        _with(rule="decay"),
    ),
    "alibi": Preset(
        "Press et al. 2022, 2108.12409",
        "scores fall with distance; no other positions",
        _with(rule="alibi", positions="none"),
    ),
    "landmark": Preset(
        "Mohtashami and Jaggi 2023, 2305.16300; landmarks pooled from keys: ours",
        "keys of a past block share what its landmark gets",
        _with(rule="landmark"),
    ),
    "combiner": Preset(
        "Combiner-Fixed, Ren et al. 2021, 2107.05768; pooled ahead of positions: ours",
        "keys of a past block share its weight alike for all queries",
        _with(rule="combiner"),
    ),
    "talking-heads": Preset(
        "Shazeer et al. 2020, 2003.02436; maps start as the identity: ours",
        "maps over heads ahead of the softmax and behind it",
        _with(composition="talking-heads"),
    ),
    "dcformer": Preset(
        "DCFormer, Xiao et al. 2024, 2405.08553, without norms of queries and keys: ours",
        "each pair composes its heads' scores and weights",
        _with(composition="dynamic"),
    ),
    "window": Preset(
        "CLEAR, Liu et al. 2024, 2412.16112, along a text",
        "a query sees the last quarter of the context alone",
        _with(visibility="window"),
    ),
    "routed": Preset(
        "BiFormer, Zhu et al. 2023, 2303.08810, along a text",
        "a query sees its own block and the two past blocks that answer it best",
        _with(visibility="routed"),
    ),
    "resformer-gqa": Preset(
        f"{RESFORMER}, with grouped queries",
        "value residual on shared values",
        lambda size: size.config(kv_heads=_halved(size), value_source=IDENTITY),
    ),
    "resformer-neutreno": Preset(
        f"{RESFORMER}, with NeuTRENO at 0.2",
        "value residual and output skip",
        _with(value_source=IDENTITY, output={"kind": "neutreno", "strength": 0.2}),
    ),
    "resformer-dva": Preset(
        f"{DVA}; {RESFORMER}",
        "value residual ahead of a value per pair",
        _dva("pairwise", value_source=IDENTITY),
    ),
}
PRESETS: Registry[Preset] = Registry(_PRESETS)


def preset(name: str, size: Size, **changes: Any) -> ModelConfig:
    """Return a preset, or a model of the grid, with some fields of its configuration changed.

    Raises
    ------
    ValueError
        There is no such preset, or it is impossible at this size or with these changes.

    Examples
    --------
    The width of queries and keys is held at that of a baseline while heads change:

    >>> size = Size(layers=2, width=32, heads=2, vocabulary=64, context=32)
    >>> config = preset("dva", size, qk_dim=16)
    >>> config.heads, config.qk_dim, config.value_dim
    (1, 16, 32)
    """
    if is_cell(name):
        return cell(name, size).changed(**changes)
    if name not in PRESETS:
        raise ValueError(
            f"Unknown preset {shown(name)}{meant(name, PRESETS)}; "
            "`dva-lens list presets` shows them all."
        )
    return PRESETS[name].make(size).changed(**changes)


def named(wanted: Sequence[str], size: Size) -> tuple[str, ...]:
    """Return the presets that are asked for, each once: by name, by pattern, or by `grid`.

    `grid` stands for all models of the controlled grid; `*` and `?` in a pattern stand for any
    letters and for one, in names of presets and of the grid.

    Raises
    ------
    ValueError
        A name or pattern stands for no preset, or a preset is impossible at this size.
    """
    found: dict[str, None] = {}
    for each in wanted:
        found |= dict.fromkeys(_named(each, size))
    return tuple(found)


def _named(wanted: str, size: Size) -> Sequence[str]:
    if wanted == GRID:
        return tuple(name for name, _ in grid(size))
    if not set("*?") & set(wanted):
        preset(wanted, size)
        return (wanted,)
    found = [name for name in (*PRESETS, *cells(size)) if fnmatchcase(name, wanted)]
    if not found:
        raise ValueError(f"No preset is like {wanted!r}; `dva-lens list presets` shows them all.")
    return found
