"""Checkpoints of format 1 open, and their models give what they gave."""

import json

import numpy as np
import pytest
import torch

import dva_lens as lens

NAMES = ("sigmoid-mix", "off-by-one-pairwise", "learned-sink-experts")


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_gives_the_logits_it_gave(name, checkpoints, expected):
    model, wanted = lens.load(str(checkpoints / name)), expected["checkpoints"][name]
    with torch.no_grad():
        logits = model(torch.tensor(wanted["tokens"]))[0, -1]
    torch.testing.assert_close(logits, torch.tensor(wanted["logits"]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_measures_as_it_did(name, checkpoints, expected):
    model, wanted = lens.load(str(checkpoints / name)), expected["checkpoints"][name]
    data = lens.measure(model, torch.tensor(wanted["tokens"]))
    for measure, mean in wanted["means"].items():
        assert np.nanmean(data[measure].values) == pytest.approx(mean, rel=1e-4), measure


@pytest.mark.parametrize("name", NAMES)
def test_a_model_goes_to_plain_values_and_back(name, checkpoints):
    config = lens.load(str(checkpoints / name)).config
    assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config
