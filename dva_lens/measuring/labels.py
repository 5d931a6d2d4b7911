"""Tokens as text beside the numbers of tokens: an archive names them without a tokenizer."""

from typing import Any

import numpy as np
import xarray as xr

from dva_lens.data.tokenizer import token_texts
from dva_lens.results.schema import BESIDE

TOKEN_UNITS = "token id"


def with_token_texts(data: xr.Dataset, tokenizer: Any) -> xr.Dataset:
    """Add a variable `*_text` for every `*_token` that stands beside a statistic.

    Tokens are written as their numbers where there is no tokenizer, and as nothing where there is
    no token.
    """
    found: dict[str, xr.DataArray] = {}
    for name, variable in data.data_vars.items():
        if BESIDE not in variable.attrs or variable.attrs["units"] != TOKEN_UNITS:
            continue
        ids, places = np.unique(np.nan_to_num(variable.values, nan=-1.0), return_inverse=True)
        held = [int(each) for each in ids if each >= 0]
        words = [str(each) for each in held]
        if tokenizer is not None:
            words = token_texts(tokenizer, held)
        texts = np.array([""] * (len(ids) - len(held)) + words, dtype=object)
        about = {**variable.attrs, "units": "text"}
        about["long_name"] = f"{variable.attrs['long_name']}, as text"
        text = str(name).removesuffix("token") + "text"
        found[text] = variable.copy(data=texts[places].reshape(variable.shape)).assign_attrs(about)
    return data.assign(found)
