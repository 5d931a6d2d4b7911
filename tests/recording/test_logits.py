import numpy as np
import pytest
import torch
from families import DECODERS, family

from dva_lens.recording.adapters import outputs
from dva_lens.recording.logits import Formed, OnRequest, next_token_loss

LENGTHS = np.array([9, 7])
AT_ONCE = ("gemma2", "opt")  # one caps its logits, one hides its body


def drawn(*, bias, dtype=torch.float32):
    torch.manual_seed(0)
    return torch.randn(2, 9, 4, dtype=dtype), torch.nn.Linear(4, 11, bias=bias, dtype=dtype)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("formed", [True, False])
def test_loss_predicts_the_next_token_and_stops_before_padding(formed, bias, monkeypatch):
    monkeypatch.setattr("dva_lens.recording.logits.READ_AT_ONCE", 3 * 11)
    monkeypatch.setattr("dva_lens.recording.logits.ROWS_AT_ONCE", 4)
    monkeypatch.setattr("dva_lens.recording.logits.VOCABULARY_AT_ONCE", 3)
    hidden, head = drawn(bias=bias)
    logits = head(hidden).detach()
    tokens = torch.arange(18).view(2, 9) * 5 % 11
    with torch.no_grad():
        given = Formed(logits) if formed else OnRequest(hidden, head)
        found = next_token_loss(given, tokens, LENGTHS)
    log = logits.log_softmax(-1)
    for row, length in enumerate(LENGTHS):
        places = torch.arange(length - 1)
        expected = -log[row, places, tokens[row, 1:length]]
        np.testing.assert_allclose(found[row, : length - 1], expected, rtol=1e-5)
        assert np.isnan(found[row, length - 1 :]).all()


@pytest.mark.parametrize("lengths", [[1, 0], [2, 1]])
def test_one_token_predicts_nothing(lengths):
    given = OnRequest(*drawn(bias=True))
    with torch.no_grad():
        found = next_token_loss(given, torch.ones(2, 9, dtype=torch.long), np.array(lengths))
    assert np.isfinite(found).sum() == lengths[0] - 1


def test_large_logits_of_a_part_do_not_overflow():
    hidden, head = drawn(bias=False)
    with torch.no_grad():
        head.weight.mul_(1e4)
        found = OnRequest(hidden, head).losses(0, torch.arange(9))
        want = torch.nn.functional.cross_entropy(
            head(hidden[0]), torch.arange(9), reduction="none"
        )
    torch.testing.assert_close(found, want)


def test_a_part_of_the_vocabulary_may_be_ruled_out(monkeypatch):
    monkeypatch.setattr("dva_lens.recording.logits.VOCABULARY_AT_ONCE", 3)
    hidden, head = drawn(bias=True)
    with torch.no_grad():
        head.bias[3:8] = -torch.inf
        found = OnRequest(hidden, head).losses(0, torch.arange(3))
        want = Formed(head(hidden)).losses(0, torch.arange(3))
    assert torch.isfinite(want).all()
    torch.testing.assert_close(found, want)


def test_half_logits_lose_what_their_rounding_loses():
    hidden, head = drawn(bias=True, dtype=torch.bfloat16)
    with torch.no_grad():
        rounded = OnRequest(hidden, head).losses(0, torch.arange(9))
        want = Formed(head(hidden)).losses(0, torch.arange(9))
    assert rounded.dtype == torch.float32
    eps = torch.finfo(torch.bfloat16).eps
    torch.testing.assert_close(rounded, want, rtol=eps, atol=eps)


def test_rows_on_request_are_rows_of_the_whole():
    hidden, head = drawn(bias=True)
    found = OnRequest(hidden, head)
    assert found.shape == (2, 9, 11)
    torch.testing.assert_close(found.rows(1, 2, 5), head(hidden)[1, 2:5])


class Louder(torch.nn.Linear):
    def forward(self, hidden):
        return 2 * super().forward(hidden)


def louder(model):
    model.lm_head.__class__ = Louder


def hooked(model):
    model.lm_head.register_forward_hook(lambda *given: 2 * given[-1])


@pytest.mark.parametrize("change", [louder, hooked])
def test_a_head_that_does_more_than_a_product_is_asked_itself(change):
    model = family("llama")
    tokens, lengths = torch.randint(3, 61, (1, 9)), torch.tensor([9])
    with torch.no_grad():
        before = outputs.forward(model, model, tokens, lengths, {})
        change(model)
        found = outputs.forward(model, model, tokens, lengths, {})
    assert isinstance(before, OnRequest)
    assert isinstance(found, Formed)
    torch.testing.assert_close(found.rows(0, 0, 9), 2 * before.hidden[0] @ model.lm_head.weight.mT)


@pytest.mark.parametrize("name", DECODERS)
def test_logits_on_request_are_the_models_own(name):
    model = family(name)
    tokens = torch.randint(3, 61, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = outputs.forward(model, model, tokens, torch.tensor(LENGTHS), {})
        mask = (torch.arange(9) < torch.tensor(LENGTHS)[:, None]).long()
        own = model(input_ids=tokens, attention_mask=mask).logits
    assert isinstance(found, Formed if name in AT_ONCE else OnRequest)
    for sequence, length in enumerate(LENGTHS):
        rows = found.rows(sequence, 0, int(length))
        torch.testing.assert_close(rows, own[sequence, :length], atol=1e-5, rtol=1e-5)
