"""What every preset promises, whatever it is made of."""

import pytest
import torch
from small_models import NAMES, SIZE, random_tokens, sharp_preset

from dva_lens.mechanisms.positions.learned import Learned
from dva_lens.models.decoder import build
from dva_lens.models.presets import preset

LESS = ("sigmoid", "relu", "softmax-off-by-one", "learned-sink", "decay")
PLACED = ("gpt2-style", "relative-values", "linear", "generated-gate")
ROWS_SUM_TO_ONE = [name for name in NAMES if name not in (*LESS, *PLACED)]
FROM_THE_START = ("gpt2-style", "linear", "static-learned", "random-fixed", "random-fixed-hybrid")
RELATIVE = [name for name in NAMES if name not in FROM_THE_START]


@pytest.mark.parametrize("name", NAMES)
def test_the_future_is_invisible(name):
    model, tokens = sharp_preset(name), random_tokens()
    changed = tokens.clone()
    changed[:, 8:] = (changed[:, 8:] + 7) % SIZE.vocabulary
    with torch.no_grad():
        before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :8], after[:, :8], rtol=0, atol=1e-10)
    assert (before[:, 8:] - after[:, 8:]).abs().max() > 1e-3


@pytest.mark.parametrize("name", ROWS_SUM_TO_ONE)
def test_a_repeated_token_gives_the_same_state_everywhere(name):
    model = sharp_preset(name)
    assert not isinstance(model.config.positions, Learned)
    with torch.no_grad():
        logits = model(torch.full((1, 20), 5))
    torch.testing.assert_close(logits, logits[:, :1].expand_as(logits), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", LESS)
def test_rows_that_do_not_sum_to_one_tell_repeated_tokens_apart(name):
    with torch.no_grad():
        logits = sharp_preset(name)(torch.full((1, 20), 5))
    assert (logits[:, 1:] - logits[:, :1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_padding_on_the_right_changes_nothing(name):
    model, tokens = sharp_preset(name), random_tokens()
    with torch.no_grad():
        whole = model(tokens, lengths=torch.tensor([13, 9]))
        alone = model(tokens[1:, :9])
    torch.testing.assert_close(whole[1:, :9], alone, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", RELATIVE)
def test_two_texts_in_one_sequence_do_not_see_each_other(name):
    """Learned positions, and scores by position, count from the start of the sequence."""
    model = sharp_preset(name)
    tokens = random_tokens(1, 12)
    segments = torch.tensor([[1] * 5 + [2] * 7])
    with torch.no_grad():
        packed = model(tokens, segments=segments)
        separate = torch.cat([model(tokens[:, :5]), model(tokens[:, 5:])], dim=1)
    torch.testing.assert_close(packed, separate, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_watching_the_pattern_changes_nothing(name):
    model, tokens = sharp_preset(name), random_tokens()
    with torch.no_grad():
        plain = model(tokens)
        watched, cache = model.run_with_cache(tokens)
    torch.testing.assert_close(plain, watched, rtol=0, atol=1e-10)
    for layer in model.attentions:
        assert cache["pattern", layer].shape == (2, model.config.heads, 13, 13)


@pytest.mark.parametrize("name", NAMES)
def test_thirty_steps_lower_the_loss(name):
    model = build(preset(name, SIZE.changed(layers=2))).train()
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=6e-3)
    losses = []
    for _ in range(30):
        start = torch.randint(SIZE.vocabulary, (6, 1), generator=generator)
        step = torch.randint(1, 3, (6, 1), generator=generator)
        tokens = (start + step * torch.arange(12)) % SIZE.vocabulary
        loss = model(tokens, return_type="loss")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) / 5 < 0.7 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_receives_a_gradient(name):
    model = sharp_preset(name)
    model(random_tokens(), return_type="loss").backward()
    dead = [n for n, each in model.named_parameters() if each.grad is None or not each.grad.any()]
    assert dead == []
