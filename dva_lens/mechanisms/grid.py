"""Sequences whose tokens are the patches of one image, row by row."""

from typing import Annotated

from jaxtyping import Int
from pydantic import Field
from torch import Tensor

Columns = Annotated[int, Field(ge=0, le=1 << 24)]
"""How many patches a row of an image has; 0 where tokens are no patches."""


def check_one_image(segments: Int[Tensor, "batch position"] | None) -> None:
    """Refuse sequences that hold more than one image, or do not begin with it.

    Raises
    ------
    ValueError
        There are several texts in a sequence, or padding stands first.
    """
    if segments is None:
        return
    if bool(((segments != segments[:, :1]) & (segments != 0)).any()):
        raise ValueError(
            "Rows and columns are counted from the start of a sequence, so with columns a "
            "sequence is one image; got several texts in one. Do not pack them, or leave columns "
            "out."
        )
