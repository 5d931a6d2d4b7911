"""Text in and out of a model that has a tokenizer, under TransformerLens's method names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn

Ids = Int[Tensor, "*shape"] | Int[np.ndarray, "*shape"] | Sequence[int] | int


class TextSurface(nn.Module):
    """Tokens from text and text from tokens; `prepend_bos` needs a tokenizer that has a start."""

    tokenizer: Any
    embed: Any
    unembed: Any

    def _its_tokenizer(self) -> Tokenizer:
        if self.tokenizer is None:
            raise ValueError("The model has no tokenizer; pass token ids, or set model.tokenizer.")
        return self.tokenizer

    def to_tokens(
        self, text: str | list[str], prepend_bos: bool = False, **options: Any
    ) -> Int[Tensor, "batch position"]:
        """Return the tokens of one text or of several that come to the same length.

        Raises
        ------
        ValueError
            The model has no tokenizer, a start is asked for, or the texts differ in length.
        """
        del options
        if prepend_bos:
            raise ValueError("The tokenizer has no token for the start of a text.")
        texts = [text] if isinstance(text, str) else text
        ids = [self._its_tokenizer().encode(each).ids for each in texts]
        lengths = sorted({len(each) for each in ids})
        if len(lengths) > 1 or not lengths or not lengths[0]:
            raise ValueError(
                f"Texts must come to equally many tokens, at least one, got {lengths}; pass ids "
                "padded on the right, and lengths."
            )
        return torch.tensor(ids, device=self.embed.weight.device)

    def to_string(self, tokens: Ids) -> str:
        """Return the text of one sequence of tokens."""
        return self._its_tokenizer().decode(_listed(tokens), skip_special_tokens=False)

    def to_str_tokens(
        self, text: str | Ids, prepend_bos: bool = False, **options: Any
    ) -> list[str]:
        """Return each token of a text, or of a sequence of tokens, as text."""
        ids = self.to_tokens(text, prepend_bos, **options)[0] if isinstance(text, str) else text
        decode = self._its_tokenizer().decode
        return [decode([each], skip_special_tokens=False) for each in _listed(ids)]

    def to_single_token(self, text: str) -> int:
        """Return the token of a text that is exactly one.

        Raises
        ------
        ValueError
            The model has no tokenizer, or the text is not one token.
        """
        ids = self._its_tokenizer().encode(text).ids
        if len(ids) != 1:
            raise ValueError(f"{text!r} is {len(ids)} tokens, not one.")
        return ids[0]

    def to_single_str_token(self, token: int) -> str:
        """Return the text of one token."""
        return self.to_str_tokens([token])[0]

    def tokens_to_residual_directions(self, tokens: str | Ids) -> Float[Tensor, "*shape width"]:
        """Return the direction of the stream that raises the logit of each token."""
        if isinstance(tokens, str):
            tokens = self.to_single_token(tokens)
        ids = torch.as_tensor(tokens, device=self.embed.weight.device)
        return self.unembed.W_U.T[ids]


def _listed(tokens: Ids) -> list[int]:
    return [int(each) for each in np.atleast_1d(np.asarray(torch.as_tensor(tokens).cpu())).ravel()]
