"""The trainer of transformers calls what measures it."""

import pytest
import torch
from families import family
from own_models import tokens_of
from transformers import Trainer, TrainingArguments

import dva_lens as lens
from dva_lens.results.archive import open_archive

ROWS = tokens_of((12, 12, 12, 12))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_trainer_leaves_an_archive(tmp_path):
    model = family("llama")
    rows = [{"input_ids": torch.as_tensor(row), "labels": torch.as_tensor(row)} for row in ROWS]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=3,
        per_device_train_batch_size=2,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        logging_strategy="no",
    )
    callback = lens.LensCallback(
        tmp_path / "runs", ROWS[:2], name="llama", statistics=["entropy", "loss"]
    )
    Trainer(model, arguments, train_dataset=rows, callbacks=[callback]).train()
    archive = open_archive(tmp_path / "runs")
    data = archive.dataset(archive.runs[0])
    assert data["step"].values.tolist() == [0, 1, 2, 3]
    assert float(abs(data["loss"].diff("step")).min()) > 0


def test_only_the_main_process_measures(tmp_path):
    callback = lens.LensCallback(tmp_path, ROWS)
    state = type("State", (), {"is_world_process_zero": False})()
    callback.on_train_begin(None, state, None, model=None)
    callback.on_step_end(None, state, None)
    callback.on_train_end(None, state, None)
    assert callback.follower is None
