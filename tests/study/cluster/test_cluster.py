"""Runs on a cluster of two workers, one killed in the middle; and clusters that are not there."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from dva_lens.data.corpus import text_corpus
from dva_lens.results.archive import open_archive
from dva_lens.results.schema import PARTIAL
from dva_lens.study.cluster import connection, studies
from dva_lens.study.cluster.connection import ClusterTask, TaskFailure, check_address, connected
from dva_lens.study.cluster.measurements import measure_on_cluster
from dva_lens.study.cluster.studies import run_on_cluster
from dva_lens.study.definition import Study
from dva_lens.study.runner import run
from dva_lens.study.single import MeasureOptions, measure_into

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
# What is left of a worker that was killed is found when garbage is collected.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def cluster():
    """One cluster for all tests, since workers take seconds to start."""
    with connected("local:2") as found:
        yield found


def kill_who_trains(cluster, run, killed):
    """Kill the worker that has the run, from a thread that may ask the scheduler."""
    processes = cluster.client.run(os.getpid)
    for address, tasks in cluster.client.processing().items():
        if any(str(task).startswith(run) for task in tasks):
            os.kill(processes[address], signal.SIGKILL)
            killed.append(run)


def test_a_killed_worker_costs_no_run_and_each_is_written_once(
    cluster, values, tmp_path, monkeypatch
):
    study = Study.from_dict(values | {"presets": ["transformer"], "seeds": [0, 1, 2, 3]})
    killed, written, threads = [], [], []

    def heard(now):
        if now.phase == "train" and not threads:
            threads.append(
                threading.Thread(target=kill_who_trains, args=(cluster, now.run, killed))
            )
            threads[0].start()

    adopt = studies.adopt_run

    def noted(folder, key, *rest):
        written.append(key)
        adopt(folder, key, *rest)

    monkeypatch.setattr(studies, "adopt_run", noted)
    run_on_cluster(study, tmp_path / "out", cluster, heard)
    threads[0].join()
    assert len(killed) == 1
    archive = open_archive(tmp_path / "out")
    labels = [each.label for each in archive.runs]
    assert sorted(labels) == [f"transformer-{seed}" for seed in range(4)]
    assert sorted(written) == sorted(each.key for each in archive.runs)
    assert {path.name for path in (tmp_path / "out" / PARTIAL).iterdir()} == {"lock"}
    for label in labels:
        assert (tmp_path / "out" / "checkpoints" / label / "model.safetensors").is_file()
    run(study.changed(seeds=(1,)), tmp_path / "alone")
    alone = open_archive(tmp_path / "alone")
    assert alone.runs[0].key == archive.run("transformer-1").key
    ours, theirs = (each.values("entropy").sel(seed=1) for each in (archive, alone))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    again = []
    run_on_cluster(study, tmp_path / "out", cluster, again.append)
    assert {now.phase for now in again} == {"prepare", "kept"}
    assert len(written) == 4


def test_models_are_measured_as_one_after_another(cluster, text, tmp_path):
    from dva_lens.data.tokenizer import train_tokenizer
    from dva_lens.models.checkpoint import save_checkpoint
    from dva_lens.models.decoder import build
    from dva_lens.models.presets import Size, preset

    corpus = text_corpus(text)
    tokenizer = train_tokenizer(corpus, 270)
    size = Size(layers=1, width=16, heads=2, vocabulary=270, context=32)
    models = []
    for seed in (0, 1):
        place = tmp_path / str(seed) / "model"
        save_checkpoint(place, build(preset("transformer", size), seed=seed), tokenizer, {})
        models.append((str(place), None))
    options = MeasureOptions(statistics=("entropy",), documents=3, edges=0)
    lost = (str(tmp_path / "absent"), None)
    found = list(measure_on_cluster(tmp_path / "out", [*models, lost], corpus, options, cluster))
    (failure,) = [each.failure for each in found if each.failure]
    assert "is not a folder" in failure.words or "There is no folder" in failure.words
    for model, _ in models:
        measure_into(tmp_path / "alone", model, corpus, options)
    both = [open_archive(tmp_path / folder) for folder in ("out", "alone")]
    keys = [sorted(each.key for each in archive.runs) for archive in both]
    assert keys[0] == keys[1]
    assert len({each.label for each in both[0].runs}) == 2  # one basename, two names
    for key in keys[0]:
        ours, theirs = (archive.dataset(key)["entropy"] for archive in both)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def fails(kind):
    raise FloatingPointError(f"the loss of {kind} is not finite.")


def test_a_task_that_fails_gives_its_error_and_the_others_go_on(cluster):
    tasks = [ClusterTask("bad", fails, ("dva-0",)), ClusterTask("good", json.dumps, ([1],))]
    found = {task.label: outcome for task, outcome in cluster.outcomes(tasks, print)}
    assert found["bad"] == TaskFailure("the loss of dva-0 is not finite")
    assert found["good"] == "[1]"


def test_local_workers_listen_on_the_loopback_interface_only(cluster):
    psutil = pytest.importorskip("psutil")
    pids = [os.getpid(), *cluster.client.run(os.getpid).values()]
    heard = [each.laddr.ip for pid in pids for each in psutil.Process(pid).net_connections()]
    assert set(heard) == {"127.0.0.1"}


@pytest.mark.parametrize("address", ["local:0", "local:", "tcp://", "host:80", "http://a:1", ""])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match=r"--cluster must be tcp://HOST:PORT .* or local:N"):
        check_address(address)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch, study, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(connection, "PATIENCE", "200ms")
    with pytest.raises(ConnectionError, match=f"No Dask scheduler answers at {address}"):
        run_on_cluster(study, tmp_path / "out", address)
    assert not (tmp_path / "out").exists()


def test_a_scheduler_that_is_lost_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler", *place]
    with (
        subprocess.Popen(program, stderr=subprocess.DEVNULL) as scheduler,
        connected(f"tcp://127.0.0.1:{port}") as found,
    ):
        assert not found.has_workers
        threading.Timer(0.5, scheduler.kill).start()  # no worker is there to end the task
        with pytest.raises(ConnectionError, match=f"scheduler at .*{port} was lost; what was"):
            list(found.outcomes([ClusterTask("waits", json.dumps, ([1],))], print))


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ModuleNotFoundError, match=r"pip install 'dva-lens\[cluster\]'"),
        connected("local:1"),
    ):
        pass


def test_an_archive_is_opened_in_chunks(tmp_path, monkeypatch):
    from fakes import fake_archive

    archive = open_archive(fake_archive(tmp_path, ("dva",), 1, edges=True))
    whole, chunked = archive.dataset("dva-0"), archive.dataset("dva-0", chunks={})
    assert chunked["edge_weight"].chunks[0] == (1,) * 4  # a layer at a time
    assert chunked["entropy"].mean().compute() == whole["entropy"].mean()
    monkeypatch.setattr("dva_lens.results.archive.find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'dva-lens\[cluster\]'"):
        archive.dataset("dva-0", chunks={})
