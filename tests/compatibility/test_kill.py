"""Whenever a study is killed, the same call finishes it as if nothing had happened."""

import multiprocessing
from signal import SIGKILL
from time import perf_counter

import numpy as np
import pytest

import dva_lens as lens
from dva_lens.study.builtin import read_study
from dva_lens.study.runner import run

SEED = 0
KILLS = 2


@pytest.fixture(scope="module")
def process_of():
    """Make a process that runs a study: a fork of one that has imported everything.

    One process that does nothing starts the server, so that no timed one waits for the imports.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dva_lens.study.runner", "dva_lens.measuring"])
    first = context.Process(target=int)
    first.start()
    first.join()
    return lambda study, folder: context.Process(target=run, args=(study, str(folder)))


@pytest.fixture
def whole(half, process_of):
    """The study in one go: its values, its folder, and the seconds it took."""
    study = read_study("half.yaml")
    study = study.changed(
        presets=("dva",),
        recipe=study.recipe.changed(steps=8, eval_every=4),
        save_every=None,
        sequences=2,
    )
    process, start = process_of(study, half / "whole"), perf_counter()
    process.start()
    process.join()
    assert process.exitcode == 0
    return study, half / "whole", perf_counter() - start


def everything(folder):
    archive = lens.open_archive(folder)
    for one in archive.runs:
        yield one.key, archive.training(one).drop_vars("seconds").load()
        for text in ("held-out", "repeated"):
            yield f"{one.key}/{text}", archive.dataset(one, text).load()


def test_a_study_killed_at_any_moment_ends_as_one_that_was_not(whole, process_of, half):
    study, elsewhere, seconds = whole
    expected = dict(everything(elsewhere))
    assert len(expected) == 3
    killed = 0
    for number, share in enumerate(np.random.default_rng(SEED).uniform(0.1, 0.9, KILLS)):
        process = process_of(study, half / str(number))
        process.start()
        process.join(share * seconds)
        process.kill()
        process.join()
        killed += process.exitcode == -SIGKILL
        run(study, half / str(number))
        found = dict(everything(half / str(number)))
        assert found.keys() == expected.keys()
        for name, data in found.items():
            assert data.identical(expected[name]), (number, name)
    assert killed > 0
