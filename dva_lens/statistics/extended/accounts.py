"""Where all of it goes: accounts of mass and of output that leave nothing out and total one."""

import numpy as np
from jaxtyping import Float

from dva_lens.records import RowTile
from dva_lens.sites import TILES, WRITTEN
from dva_lens.statistics.extended.tiles import (
    SumMeasure,
    cached,
    gathered,
    outputs,
    projection,
    row_mass,
    sum_over_keys,
    times_gram,
    values_per_head,
    weights_of,
)
from dva_lens.statistics.extended.twoway import query_part
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNBOUNDED, UNIT, Statistic
from dva_lens.statistics.visible import positions

LOCAL = 8
KEYS = ("first", "self", "previous", "local", "rest")
MASS = (*KEYS, "virtual")
OUTPUT = (*KEYS, "own query")


def key_accounts(tile: RowTile) -> Float[np.ndarray, "account row key"]:
    """Return which account each key belongs to for each row; the first that fits takes it."""
    key = positions(tile.weights.shape[-1])
    back = tile.queries[:, None] - key[None, :]
    first = np.broadcast_to(key == 0, back.shape)
    chosen = np.select(
        [first, back == 0, back == 1, (back > 1) & (back <= LOCAL)], [0, 1, 2, 3], default=4
    )
    return (chosen == np.arange(len(KEYS))[:, None, None]).astype(np.float64)


def _by_account(
    tile: RowTile, numbers: Float[np.ndarray, "head row key"]
) -> Float[np.ndarray, "head account"]:
    accounts = cached(tile, "accounts", lambda: key_accounts(tile))
    return numbers.reshape(len(numbers), -1) @ accounts.reshape(len(accounts), -1).T


def mass_sums(tile: RowTile) -> Float[np.ndarray, "head account"]:
    """Return the weight in every account, what rows lack of one as virtual, and the rows."""
    weights = weights_of(tile)
    found = _by_account(tile, weights)
    virtual = (1.0 - row_mass(tile)).sum(-1)
    rows = np.full(len(weights), float(len(tile.queries)))
    return np.column_stack([found, virtual, rows])


def contributions(
    tile: RowTile,
) -> tuple[Float[np.ndarray, "head row key"], Float[np.ndarray, "head row"]]:
    """Return <a_ij W_O (v_ij - t_i), W_O o_i> of every key and what the query itself adds.

    t_i is the part of v_ij that depends on the query alone; its account is rho_i <W_O t_i, W_O
    o_i>. Together they total |W_O o_i|^2.
    """
    weights, values = weights_of(tile), values_per_head(tile)
    inner = times_gram(outputs(tile), projection(tile))
    if values.ndim == 3:
        by_key = inner @ values.swapaxes(1, 2)
        by_key *= weights
        return by_key, np.zeros(weights.shape[:2])
    own = query_part(values, tile.seen.astype(np.float64))
    alone = (own * inner).sum(-1)
    along = (values @ inner[..., None])[..., 0] - alone[..., None]
    return weights * along, row_mass(tile) * alone


def remainder_shares(tile: RowTile) -> Float[np.ndarray, "head row key"]:
    """Return each key's signed share of the output that remains without the query's own part.

    a_ij <W_O (v_ij - t_i), o_i - rho_i W_O t_i> / |o_i - rho_i W_O t_i|^2, which totals one.
    """
    weights, values = weights_of(tile), values_per_head(tile)
    if values.ndim == 3:
        values = np.broadcast_to(values[:, None], (*weights.shape, values.shape[-1]))
    values = values - query_part(values, tile.seen.astype(np.float64))[:, :, None]
    inner = times_gram(sum_over_keys(weights, values), projection(tile))
    along = weights * (values @ inner[..., None])[..., 0]
    return ratio(along, along.sum(-1, keepdims=True))


def output_sums(tile: RowTile) -> Float[np.ndarray, "head account"]:
    """Return what every account adds to the squared outputs of all rows."""
    by_key, own = contributions(tile)
    found = _by_account(tile, by_key)
    return np.column_stack([found, own.sum(-1)])


def uniform_mass(lengths: np.ndarray) -> Float[np.ndarray, "*length account"]:
    """Return the mass accounts of uniform causal attention at these lengths."""
    query = np.arange(int(np.max(lengths, initial=1)))
    near = np.maximum(np.minimum(query - 1, LOCAL) - 1, 0)
    held = np.stack([query >= 0, query >= 1, query >= 2, near, np.maximum(query - 1 - LOCAL, 0)])
    running = np.cumsum(held / (query + 1), axis=1) / (query + 1)
    found = running[:, np.asarray(lengths) - 1]
    return np.moveaxis(np.concatenate([found, np.zeros_like(found[:1])]), 0, -1)


def mass_shares(sums: np.ndarray) -> np.ndarray:
    """Divide by the number of rows."""
    return ratio(sums[:, :-1], sums[:, -1:])


def output_shares(sums: np.ndarray) -> np.ndarray:
    """Divide by the total."""
    return ratio(sums, sums.sum(-1, keepdims=True))


MEASURES = {
    "mass_account": SumMeasure(mass_sums, mass_shares),
    "output_account": SumMeasure(output_sums, output_shares),
}

MASS_ACCOUNT = Statistic(
    name="mass_account",
    version=1,
    long_name="Where the weight goes",
    units="1",
    meaning="Mean weight on the first key, the query itself, the key before, near keys, the rest.",
    formula=r"\frac{1}{N}\sum_i \sum_{j \in S_i} a_{ij},\quad \sum_S = 1",
    source="Defined by this project; near keys are 2 to 8 tokens back",
    at="head",
    needs=(TILES,),
    compute=gathered("mass_account"),
    bounds=UNIT,
    reference=uniform_mass,
    extra={"destination": MASS},
    row_mass="what a row lacks of one is the virtual account, negative for rows above one",
    pitfalls="A key belongs to one account only: the first key is never also near.",
    one_text=True,
)

OUTPUT_ACCOUNT = Statistic(
    name="output_account",
    version=1,
    long_name="Where the output comes from",
    units="1",
    meaning="Signed shares of a head's output by kind of key, with the query itself apart.",
    formula=(
        r"\sum_i \sum_{j\in S_i} a_{ij}\langle W_O(v_{ij}-\theta_i), W_O o_i\rangle \Big/ "
        r"\sum_i \lVert W_O o_i\rVert^2"
    ),
    source="Defined by this project after Kobayashi et al. 2020; a ratio of sums over queries",
    at="head",
    needs=(TILES, WRITTEN),
    compute=gathered("output_account"),
    bounds=UNBOUNDED,
    reference=None,
    why_no_reference="it depends on the values",
    extra={"contributor": OUTPUT},
    pitfalls=(
        "The query's own part is what a least-squares fit of v_ij within the tile gives to the "
        "query alone; it is zero for static values. Large outputs count more than small ones."
    ),
    one_text=True,
)
