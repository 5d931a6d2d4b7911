"""A training that somebody else runs is measured as it goes, and is as it would have been."""

import numpy as np
import pytest
import torch
from own_models import tiny, tokens_of

import dva_lens as lens
from dva_lens.results.archive import open_archive

TEXT = tokens_of((12, 9))
STEPS = 4


def trained(look=None):
    """Train a tiny model for a few steps in a plain loop with dropout, and return it."""
    model = tiny("transformer", layers=2).train()
    look = None if look is None else look(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    torch.manual_seed(0)
    for step in range(1, STEPS + 1):
        ids = torch.as_tensor(TEXT)
        noise = torch.nn.functional.dropout(torch.ones(()), 0.5)
        loss = noise * model(ids[:, :-1]).logsumexp(-1).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if look is not None:
            look(step)
    return model


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """The folder of a followed training, and the model that it ended with."""
    folder = tmp_path_factory.mktemp("followed") / "runs"
    return folder, trained(lambda model: lens.follow(model, folder, TEXT, steps=STEPS, name="own"))


def test_the_archive_holds_what_measuring_each_model_says(followed):
    folder, model = followed
    archive = open_archive(folder)
    assert [run.label for run in archive.runs] == ["own"]
    data = archive.dataset(archive.runs[0])
    assert data["step"].values.tolist() == [0, 1, 2, 3, 4]
    for step, each in ((0, tiny("transformer", layers=2)), (STEPS, model)):
        want = lens.measure(each, TEXT, statistics=["entropy", "loss"])
        for name in ("entropy", "loss"):
            np.testing.assert_array_equal(data[name].sel(step=step), want[name])
    assert archive.on().values("entropy", moment="every").dims[:3] == ("model", "seed", "step")


def test_a_training_is_as_it_would_have_been(followed):
    for ours, theirs in zip(followed[1].parameters(), trained().parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert followed[1].training


def test_a_training_that_continues_keeps_what_was_measured(tmp_path):
    model = tiny("transformer", layers=2)
    options = {"steps": 8, "statistics": ["loss"], "measurements": 4, "name": "own"}
    first = lens.follow(model, tmp_path, TEXT, **options)
    first(1)
    first(2)
    first.close()
    again = lens.follow(model, tmp_path, TEXT, done=2, **options)
    again(8)
    archive = open_archive(tmp_path)
    assert archive.dataset(archive.runs[0])["step"].values.tolist() == [0, 1, 2, 8]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"name": "own"}, "holds another run called 'own'"),
        ({"report_to": ["wandbs"]}, "Unknown tracker 'wandbs' .did you mean 'wandb'"),
    ],
)
def test_what_cannot_be_followed_is_one_sentence(followed, changed, said):
    model = tiny("transformer", layers=3)
    with pytest.raises((ValueError, KeyError), match=said):
        lens.follow(model, followed[0], TEXT, **{"steps": STEPS, **changed})
