"""A whole model written a second time, every matrix formed in full: the oracle of mechanisms."""

import torch


def unit(stream):
    return stream / (stream.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def turned(heads):
    """Rotate pairs of channels as complex numbers, which is not how the model does it."""
    half = heads.shape[-1] // 2
    pairs = torch.complex(heads[..., :half], heads[..., half:])
    angle = torch.outer(
        torch.arange(heads.shape[1]).double(), 10000.0 ** (-torch.arange(half).double() / half)
    )
    turned = pairs * torch.polar(torch.ones_like(angle), angle)[:, None]
    return torch.cat([turned.real, turned.imag], -1)


def by_map(made, stream, start=None):
    del start
    return (stream @ made.weight.T).unflatten(-1, (2, -1))


def causal(query, key):
    del key
    return torch.ones(query.shape[1], query.shape[1]).tril().bool()


def softmax(scores, seen):
    return scores.masked_fill(~seen, -torch.inf).softmax(-1)


def products(query, key, block=None):
    """Return the scaled products of queries and keys with rotary position."""
    del block
    return torch.einsum("bqhd,bkhd->bhqk", turned(query), turned(key)) / query.shape[-1] ** 0.5


def second_writing(
    model, tokens, *, made=by_map, seen=causal, scored=products, weighed=softmax, valued=by_map
):
    """Return the logits of a model of two heads without feed-forward networks.

    `made` makes queries and keys, `seen` says who sees whom before positions turn them, `scored`
    makes scores and `weighed` weights of them; `valued` makes values.
    """
    start = stream = model.embed.weight[tokens]
    for block in model.blocks:
        read = unit(stream) * block.ln1.weight
        query, key = (made(each, read, start) for each in (block.attn.query, block.attn.key))
        pattern = weighed(scored(query, key, block), seen(query, key))
        value = valued(block.attn.value, read)
        mixed = torch.einsum("bhqk,bkhd->bqhd", pattern, value).flatten(2)
        stream = stream + mixed @ block.attn.out.weight.T + block.attn.b_O
    return unit(stream) * model.ln_final.weight @ model.unembed.W_U


def assert_one_formula(model, found, expected, weights=None):
    """Compare two writings of the logits, and their gradients for every weight, or for some."""
    given = torch.randn(found.shape, generator=torch.Generator().manual_seed(3)).double()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    weights = list(model.parameters() if weights is None else weights)
    ours = torch.autograd.grad((found * given).sum(), weights)
    theirs = torch.autograd.grad((expected * given).sum(), weights)
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9)
