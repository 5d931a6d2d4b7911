"""Trackers are imported when they are asked for, and get the mean of every statistic."""

import sys
from types import SimpleNamespace

import pytest
from own_models import tiny, tokens_of

import dva_lens as lens
from dva_lens.study.trackers import trackers_of

TEXT = tokens_of((8, 8))


@pytest.fixture
def seen(monkeypatch):
    """What a tracker in place of wandb was given."""
    found = []
    fake = SimpleNamespace(run=object(), log=found.append)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return found


def test_the_scalars_are_means_over_everything(seen, tmp_path):
    model = tiny("transformer", layers=2)
    names = ["loss", "first_key_mass"]
    lens.follow(model, tmp_path, TEXT, steps=1, statistics=names, report_to=["wandb"])
    data = lens.measure(model, TEXT, statistics=names)
    assert seen[0]["train/global_step"] == 0
    assert seen[0]["lens/loss"] == pytest.approx(float(data["loss"].mean()))
    assert set(seen[0]) == {"train/global_step", "lens/loss", "lens/first_key_mass"}


def test_a_tracker_without_a_run_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=None))
    with pytest.raises(RuntimeError, match=r"call wandb\.init\(\) before"):
        trackers_of(["wandb"], tmp_path)


@pytest.mark.parametrize(
    ("name", "module"), [("wandb", "wandb"), ("tensorboard", "torch.utils.tensorboard")]
)
def test_a_missing_package_is_one_sentence(monkeypatch, tmp_path, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'dva-lens\[trackers\]'.*{name}"):
        trackers_of([name], tmp_path)


def test_tensorboard_gets_every_scalar(monkeypatch, tmp_path):
    made = []

    class Writer:
        def __init__(self, folder):
            made.append(folder)

        def add_scalar(self, *values):
            made.append(values)

        def flush(self):
            made.append("flushed")

    fake = SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    (log,) = trackers_of(["tensorboard"], tmp_path)
    log(3, {"loss": 2.0})
    assert made == [str(tmp_path / "tensorboard"), ("lens/loss", 2.0, 3), "flushed"]
