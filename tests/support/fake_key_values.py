"""Values of single keys as a measurement of dynamic values keeps them."""

import numpy as np

from dva_lens.measuring.edges import KEY_VALUE_VARIABLES


def with_key_values(data, *, sequences=2, static=()):
    """Return a fake measurement with what queries receive from the first keys of its texts.

    Layers that are `static` keep nothing.
    """
    layers, heads = data.sizes["layer"], data.sizes["head"]
    lengths = data["length"].values[:sequences]
    longest = int(lengths.max())
    keys = (layers, heads, len(lengths), 2)
    found = {
        "key": np.full(keys, -1, np.int32),
        "explained": np.full(keys, np.nan, np.float32),
    }
    for name in ("weight", "norm", "first", "second"):
        found[name] = np.full((*keys, longest), np.nan, np.float32)
    for at in np.ndindex(*keys):
        layer, _, sequence, kept = at
        if layer in static:
            continue
        length, rng = int(lengths[sequence]), np.random.default_rng(at)
        found["key"][at], found["explained"][at] = kept, 0.8
        found["weight"][at][kept:length] = rng.uniform(0, 0.5, length - kept)
        found["norm"][at][kept:length] = rng.uniform(1, 2, length - kept)
        for name in ("first", "second"):
            found[name][at][kept:length] = rng.standard_normal(length - kept)
    return data.assign(
        {
            variable: (dims, found[field], {"long_name": words, "units": units})
            for variable, (field, dims, words, units) in KEY_VALUE_VARIABLES.items()
        }
    )
