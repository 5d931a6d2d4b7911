import numpy as np
import pytest
import torch
from families import DECODERS, family

from dva_lens.recording import huggingface
from dva_lens.recording.logits import Formed, OnRequest, next_token_loss

LENGTHS = np.array([9, 7])
AT_ONCE = ("gemma2", "opt")  # one caps its logits, one hides its body


def test_loss_predicts_the_next_token_and_stops_before_padding(monkeypatch):
    monkeypatch.setattr("dva_lens.recording.logits.FORMED_AT_ONCE", 4 * 11)
    monkeypatch.setattr("dva_lens.recording.logits.READ_AT_ONCE", 3 * 11)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 9, 11, generator=generator)
    tokens = torch.randint(0, 11, (2, 9), generator=generator)
    found = next_token_loss(Formed(logits), tokens, LENGTHS)
    log = logits.log_softmax(-1)
    expected = -log[1, torch.arange(6), tokens[1, 1:7]]
    np.testing.assert_allclose(found[1, :6], expected, rtol=1e-5)
    assert np.isnan(found[1, 6:]).all()
    assert np.isnan(found[0, 8])


def test_rows_on_request_are_rows_of_the_whole():
    hidden, head = torch.randn(2, 9, 4), torch.nn.Linear(4, 11)
    found = OnRequest(hidden, head, 11)
    assert found.shape == (2, 9, 11)
    torch.testing.assert_close(found.rows(1, 2, 5), head(hidden)[1, 2:5])


@pytest.mark.parametrize("name", DECODERS)
def test_logits_on_request_are_the_models_own(name):
    model = family(name)
    tokens = torch.randint(3, 61, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = huggingface.forward(model, tokens, torch.tensor(LENGTHS))
        mask = (torch.arange(9) < torch.tensor(LENGTHS)[:, None]).long()
        own = model(input_ids=tokens, attention_mask=mask).logits
    assert isinstance(found, Formed if name in AT_ONCE else OnRequest)
    for sequence, length in enumerate(LENGTHS):
        rows = found.rows(sequence, 0, int(length))
        torch.testing.assert_close(rows, own[sequence, :length], atol=1e-5, rtol=1e-5)
