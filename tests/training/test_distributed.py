import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_model import TinyModel

from dva_lens.data.batches import RandomWindows
from dva_lens.training.distributed import World, processes, this_process
from dva_lens.training.loop import train
from dva_lens.training.recipe import Recipe

RECIPE = Recipe(steps=5, batch=4, length=8, warmup=1, learning_rate=0.01, clip=0.05)
BATCHES = RandomWindows(np.arange(300) % 20, RECIPE.batch, RECIPE.length, RECIPE.seed)

PROCESS = """
import sys
from pathlib import Path
from safetensors.torch import save_file
import test_distributed as here
from dva_lens.training.state import StateFile

seen, out = [], Path(sys.argv[1])
with here.processes() as world:
    model = here.TinyModel()
    log = here.train(
        model, here.BATCHES, here.RECIPE, on_step=lambda step, model: seen.append(step),
        resume=StateFile(out / f"state-{world.rank}"), held_out=here.BATCHES(99),
    )
    save_file(model.state_dict(), out / f"weights-{world.rank}")
    assert bool(seen) == world.reports
    (out / f"loss-{world.rank}").write_text(repr(log.loss.tolist()))
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def test_two_processes_train_like_one(tmp_path):
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parent / "support")]),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": free_port(),
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path)],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    alone = TinyModel()
    log = train(alone, BATCHES, RECIPE)
    shared = [load_file(tmp_path / f"weights-{rank}") for rank in range(2)]
    for name, weight in alone.state_dict().items():
        assert torch.equal(shared[0][name], shared[1][name])
        torch.testing.assert_close(shared[0][name], weight)
    losses = [eval((tmp_path / f"loss-{rank}").read_text()) for rank in range(2)]
    np.testing.assert_allclose(losses, [log.loss] * 2, rtol=1e-5)
    assert sorted(file.name for file in tmp_path.glob("state*")) == ["state-0"]


def test_one_process_is_alone_without_a_launcher(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes() as world:
        assert world == this_process() == World()
    assert world.reports


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="batch of 4 sequences cannot be shared by 3 processes"):
        World(rank=1, size=3).share(torch.zeros(4, 2, dtype=torch.int64))
