"""What runs on a worker of a Dask cluster: it takes one task at a time and says how it goes.

Imported where `distributed` is installed, on workers and by who starts them.
"""

# An extra, which is not everywhere.
# pyright: reportMissingImports=false

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any, final

from distributed import Worker, WorkerPlugin, get_worker

from dva_lens.plugins import VARIABLE
from dva_lens.study.cluster.connection import SLOT, TOPIC
from dva_lens.study.progress import StudyProgress

SECONDS_BETWEEN = 0.2
"""How often a training says where it stands, at most."""


@final
class OneAtATime(WorkerPlugin):
    """Gives every worker, also those that come later, the one slot that a task takes.

    `threads` is how many torch uses, default: those of the worker. `devices` are GPUs that
    workers of one machine take in turn. `imports` are the plugins of the command.
    """

    name = "dva-lens"
    idempotent = True

    def __init__(self, threads: int | None, devices: tuple[str, ...], imports: str) -> None:
        self.threads, self.devices, self.imports = threads, devices, imports

    async def setup(self, worker: Worker) -> None:
        """Prepare a worker."""
        if self.imports:
            os.environ[VARIABLE] = self.imports
        if self.devices and str(worker.name).isdigit():
            os.environ["CUDA_VISIBLE_DEVICES"] = self.devices[int(worker.name) % len(self.devices)]
        worker.extensions[SLOT] = self.threads or worker.state.nthreads
        await worker.set_resources(**{SLOT: 1})


@contextmanager
def at_work(home: str, lock: str) -> Iterator[Any]:
    """Work in the folder of the command with the threads of this worker; give what says things.

    Raises
    ------
    RuntimeError
        This worker does not see the folder.
    """
    import torch

    worker = get_worker()
    if not Path(home).is_dir() or not Path(lock).exists():
        raise RuntimeError(
            f"the worker {worker.address} does not see {Path(lock).parent.parent}; --out must be "
            f"on a file system that all workers and this machine share"
        )
    torch.set_num_threads(worker.extensions.get(SLOT, worker.state.nthreads))
    with chdir(home):
        yield lambda now: worker.log_event(TOPIC, {"now": now})  # Dask adds the worker


@final
class Saying:
    """Tells the cluster where a run stands, not more often than it can be read.

    What is `unknown` here is added where it is heard.
    """

    def __init__(self, say: Any, unknown: tuple[str, ...]) -> None:
        self.say, self.unknown, self.last = say, unknown, 0.0

    def __call__(self, now: StudyProgress) -> None:
        """Tell where the run stands."""
        since = monotonic() - self.last
        if 0 < now.step < now.steps and since < SECONDS_BETWEEN:
            return
        self.last = monotonic()
        said = {name: each for name, each in asdict(now).items() if name not in self.unknown}
        self.say(said)
