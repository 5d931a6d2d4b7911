"""Connect to a Dask cluster, or start one on this machine, and run tasks on it one per worker."""

# An extra, which is not everywhere.
# pyright: reportMissingImports=false

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, final

from dva_lens.plugins import VARIABLE

SLOT = "dva-lens"
"""The resource that every worker has one of, so that it works on one task at a time."""
TOPIC = "dva-lens"
"""Under which workers say where their task stands."""
PATIENCE = "10s"
_LOCAL = re.compile(r"local:([1-9]\d{0,3})")
_REMOTE = re.compile(r"(tcp|tls|ws|wss|ucx)://[^\s/:]+:\d{1,5}")
_WITHOUT = (
    "--cluster needs the package `distributed`, which is not installed; get it with "
    "`pip install 'dva-lens[cluster]'`."
)


@final
@dataclass(frozen=True)
class ClusterTask:
    """What one worker does at a time: a function of this package and its arguments."""

    label: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...]


@final
@dataclass(frozen=True)
class TaskFailure:
    """Why a task did not end well, in the words of its error."""

    words: str

    @classmethod
    def of(cls, error: Exception) -> "TaskFailure":
        """Return what an error says."""
        # str() of a KeyError shows the quotes of its message; the message itself is the argument.
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        words = " ".join(str(said).split()).rstrip(".")
        return cls(words or f"{type(error).__name__} without detail")


@final
@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to; `client` is Dask's."""

    address: str
    client: Any

    @property
    def has_workers(self) -> bool:
        """Whether any worker has joined yet."""
        return bool(self.client.scheduler_info(n_workers=-1)["workers"])

    def outcomes(
        self, tasks: Sequence[ClusterTask], heard: Callable[[Mapping[str, Any]], None]
    ) -> Iterator[tuple[ClusterTask, Any]]:
        """Yield every task with what it returned, or with why it failed, as they end.

        What a worker was doing when it was lost is done again by another. `heard` is called in
        another thread with whatever tasks say while they run.

        Raises
        ------
        ConnectionError
            The scheduler was lost.
        """
        from distributed import as_completed

        self.client.subscribe_topic(TOPIC, lambda event: heard(event[1]["now"]))
        try:
            futures = [
                self.client.submit(
                    guarded,
                    task.call,
                    task.arguments,
                    pure=False,
                    resources={SLOT: 1},
                    key=_key(task),
                )
                for task in tasks
            ]
            places = {future.key: task for future, task in zip(futures, tasks, strict=True)}
            waiting = as_completed(futures)
            del futures
            for future in waiting:
                outcome = _outcome(future)
                if self.client.status != "running":
                    raise ConnectionError(
                        f"The Dask scheduler at {self.address} was lost; what was finished is "
                        f"kept, and the same command continues once there is one."
                    )
                yield places[future.key], outcome
                future.release()
        finally:
            with suppress(Exception):  # a connection that is lost has nothing left to undo
                self.client.unsubscribe_topic(TOPIC)


def _key(task: ClusterTask) -> str:
    return f"{task.label}-{os.urandom(6).hex()}"


def guarded(call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Do a task, on a worker; an error is returned, so that no worker prints its traceback."""
    try:
        return call(*arguments)
    except Exception as error:
        return TaskFailure.of(error)


def _outcome(future: Any) -> Any:
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        return TaskFailure("its workers were lost again and again, killed or out of memory")
    except Exception as error:  # such as a package that a worker lacks
        return TaskFailure.of(error)


@contextmanager
def connected(address: str | Cluster, *, threads: int | None = None) -> Iterator[Cluster]:
    """Connect to the scheduler at an address, or start `local:N` workers on this machine.

    Local workers listen on the loopback interface only, and end with the context; each computes
    with so many threads, default: its share of the cores. What is connected already is used and
    left as it is.

    Raises
    ------
    ValueError
        The address is neither.
    ModuleNotFoundError
        The extra `cluster` is not installed.
    ConnectionError
        No scheduler answers there.
    """
    if isinstance(address, Cluster):
        yield address
        return
    count = check_address(address)
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_WITHOUT) from error
    from dva_lens.study.cluster.worker import OneAtATime

    _quiet()
    if count:
        with _local(count) as local, distributed.Client(local) as client:
            client.register_plugin(OneAtATime(threads or _threads(count), _devices(), _imports()))
            yield Cluster(address, client)
        return
    try:
        client = distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"No Dask scheduler answers at {address}; start one with `dask scheduler`, and check "
            f"that this machine reaches it."
        ) from error
    with client:
        client.register_plugin(OneAtATime(threads, (), _imports()))
        yield Cluster(address, client)


def _quiet() -> None:
    """Leave it to our own sentences to say that a scheduler is gone, instead of tracebacks."""
    for name in ("client", "core", "utils"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)


def check_address(address: str) -> int:
    """Return how many local workers an address asks for, 0 where it names a scheduler.

    Raises
    ------
    ValueError
        It does neither.
    """
    local = _LOCAL.fullmatch(address)
    if local:
        return int(local[1])
    if not _REMOTE.fullmatch(address):
        raise ValueError(
            f"--cluster must be tcp://HOST:PORT of a Dask scheduler, or local:N for N workers on "
            f"this machine, got {address!r}."
        )
    return 0


@contextmanager
def _local(count: int) -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        memory_limit=0,  # nothing is spilled to disk
    ) as cluster:
        yield cluster


def _threads(workers: int) -> int:
    return max(1, len(os.sched_getaffinity(0)) // workers)


def _devices() -> tuple[str, ...]:
    """Return the names of the GPUs of this machine, which local workers share out."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return tuple(filter(None, given.split(",")))
    return tuple(str(at) for at in range(torch.cuda.device_count()))


def _imports() -> str:
    return os.environ.get(VARIABLE, "")
