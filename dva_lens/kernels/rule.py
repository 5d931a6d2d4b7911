"""How scores become weights: scale, softcap, bias, decay, normaliser and learned sink."""

from dataclasses import dataclass
from typing import Literal, final, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.composition import Composition, HeadMaps
from dva_lens.kernels.decay import Decay
from dva_lens.kernels.text_blocks import TextBlocks
from dva_lens.kernels.visibility import Visibility

Normaliser = Literal["softmax", "sigmoid", "relu"]
Similarity = Literal["exponential", "taylor", "linear"]


@final
@dataclass(frozen=True)
class Rule(Visibility):
    """Which keys a query of one attention sees, and how their scores become weights.

    A score is `scale * q.k`, passed through `softcap * tanh(score / softcap)` where given, plus
    `bias`, which is a number or broadcasts to (batch, head, query, key). Softmax normalises over
    the visible keys and, where `sink` is given, over one virtual key per query head with that
    logit and no value (zeros are the off-by-one softmax). Sigmoid weighs every visible key by
    itself, and so does relu, whose weights are max(score, 0) over how many keys there are.
    Weights of a softmax are in proportion to a `similarity` of the scaled product s, times
    what bias and decay make of it: its exponential, the `taylor` series 1 + s + s²/2 of second
    order, or `linear` s itself, which queries and keys of positive features keep above zero. A
    `decay` takes from scores or from weights by the distance of query and key. Where a query and a
    key have `query_terms` and `key_terms` for every distance, from 0 on and the last for all that
    are further, both are added like a bias. `text_blocks` add terms to the scores of a query with
    the keys of every block of the text but its own, or put terms in the place of their products. A
    `composition` maps the products of all heads ahead of bias and normaliser, and their weights
    after all else.

    Raises
    ------
    ValueError
        The normaliser or the similarity is unknown, other weights than those of a softmax are
        given a sink or a similarity, another similarity than the exponential is given a softcap
        or a composition, or `window` is below 1.
    """

    scale: float
    normaliser: Normaliser = "softmax"
    softcap: float | None = None
    bias: float | Float[Tensor, "#batch #head #query #key"] = 0.0
    sink: Float[Tensor, "head"] | None = None
    decay: Decay | None = None
    query_terms: Float[Tensor, "batch head query distance"] | None = None
    key_terms: Float[Tensor, "batch head key distance"] | None = None
    text_blocks: TextBlocks | None = None
    similarity: Similarity = "exponential"
    composition: Composition | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.normaliser not in get_args(Normaliser):
            raise ValueError(
                f"normaliser must be one of {', '.join(get_args(Normaliser))}, got "
                f"{self.normaliser!r}."
            )
        if self.normaliser != "softmax" and self.sink is not None:
            raise ValueError(
                f"A sink needs the softmax normaliser; {self.normaliser} weights do not compete."
            )
        if (self.query_terms is None) != (self.key_terms is None) or (
            self.query_terms is not None and not self.causal
        ):
            raise ValueError(
                "Terms by distance come for queries and for keys, and count back: pass both, or "
                "none, to a causal rule."
            )
        if self.similarity not in get_args(Similarity):
            raise ValueError(
                f"similarity must be one of {', '.join(get_args(Similarity))}, got "
                f"{self.similarity!r}."
            )
        plain = self.normaliser == "softmax" and self.softcap is None
        if self.similarity != "exponential" and self.composition is not None:
            raise ValueError(
                f"Heads compose products, which another similarity than the exponential bends "
                f"first, got similarity={self.similarity!r}."
            )
        if self.similarity != "exponential" and not plain:
            raise ValueError(
                f"Only a softmax without a softcap takes another similarity than the exponential, "
                f"got similarity={self.similarity!r} with normaliser={self.normaliser!r}, "
                f"softcap={self.softcap}."
            )

    def bent(self, products: Tensor) -> Tensor:
        """Return scaled products of queries and keys as the normaliser is to see them.

        Softly bounded, or the logarithm of the similarity; the same tensor where neither is asked.
        """
        if self.softcap is not None:
            return self.softcap * torch.tanh(products / self.softcap)
        if self.similarity == "exponential":
            return products
        return log_similarity(products, self.similarity)

    @property
    def penalty(self) -> Decay | None:
        """What distance takes from scores."""
        return self.decay if self.decay is not None and self.decay.of == "scores" else None

    @property
    def fade(self) -> Decay | None:
        """What distance takes from weights: the logarithms of factors."""
        return self.decay if self.decay is not None and self.decay.of == "weights" else None

    @property
    def before(self) -> HeadMaps | None:
        """What heads make of each other's products."""
        return None if self.composition is None else self.composition.before

    @property
    def after(self) -> HeadMaps | None:
        """What heads make of each other's weights, which then may be negative."""
        return None if self.composition is None else self.composition.after

    @property
    def may_sum_to_less(self) -> bool:
        """Whether the softmax weights of a query may sum to less than one.

        A sink takes its share, and a mask or a bias may hide every key of a query.
        """
        return self.sink is not None or not self.closed or isinstance(self.bias, Tensor)


def visible_keys(scores: Tensor) -> Tensor:
    """Return how many scores of each row are those of visible keys, at least 1, as (..., 1).

    Those of the others are minus infinity, or far below all that are not.
    """
    seen = scores > torch.finfo(scores.dtype).min / 16
    return seen.sum(dim=-1, keepdim=True).clamp_(min=1).to(scores.dtype)


def log_similarity(products: Tensor, similarity: Similarity) -> Tensor:
    """Return the logarithms of the similarities of scaled products."""
    if similarity == "taylor":
        return torch.log(0.5 + 0.5 * (1 + products).square())
    return products.clamp(min=torch.finfo(products.dtype).tiny).log()


def similarity_slope(products: Tensor, similarity: Similarity) -> Tensor:
    """Return the derivative of `log_similarity`; that of the series stays within -1 and 1."""
    if similarity == "taylor":
        return (1 + products) / (0.5 + 0.5 * (1 + products).square())
    return products.clamp(min=torch.finfo(products.dtype).tiny).reciprocal()
