"""A process of its own for one job at a time: followed, cancelled, ended, cleaned up after."""

import logging
import os
from dataclasses import dataclass

import pytest
from dva_lens.app.live.jobs import OUT, TEXT_FILE
from dva_lens.app.live.models import NamedModel
from dva_lens.app.live.runner import BusyError, Runner
from fake_live import COMMAND

MODEL = NamedModel("tiny", "/srv/models/tiny")


@dataclass(frozen=True)
class FakeTask:
    """A task whose command does what its first word says."""

    what: str
    text: str = "Some text."
    model: NamedModel = MODEL

    @property
    def title(self):
        return f"{self.what} of tiny"

    @property
    def units(self):
        return "windows"

    def words(self, folder):
        return [self.what, str(folder / TEXT_FILE), str(folder / OUT)]


@pytest.fixture
def taken():
    return []


@pytest.fixture
def runner(taken):
    made = Runner(
        lambda job, at: taken.append((at / OUT).read_text()), command=COMMAND, limit=30.0
    )
    yield made
    made.close()


def ended(runner, what):
    job = runner.start(FakeTask(what))
    assert (job.phase, job.number) == ("running", job.number)
    runner.join(200.0)
    return runner.job


def heard(runner):
    """Wait until the process has said something, and return its job."""
    while (job := runner.job).total == 0 and job.phase == "running":
        pass
    return job


def test_a_job_is_followed_and_what_it_left_is_taken_once(runner, taken):
    job = ended(runner, "measure")
    assert (job.phase, job.done, job.total, job.said) == ("finished", 3, 4, "")
    assert taken == ["measured: Some text."]
    assert list(runner.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("refuse", "tiny holds no weights: tiny/model.safetensors is missing in tiny."),
        ("trace", "met an error of its own"),
        ("silent", "ended with code 3 and said nothing"),
        ("killed", "ended from outside (signal SIGKILL). Perhaps memory ran out"),
    ],
)
def test_what_goes_wrong_is_one_sentence_without_a_path(runner, taken, caplog, what, said):
    with caplog.at_level(logging.WARNING):
        job = ended(runner, what)
    assert job.phase == "failed"
    assert said in job.said
    for part in ("/srv", "/tmp", "Traceback", "\n"):
        assert part not in job.said
    assert taken == []
    assert len(caplog.records) == 1  # the terminal has all of it


def test_one_job_runs_at_a_time_and_can_be_cancelled(runner, taken):
    first = runner.start(FakeTask("hang"))
    with pytest.raises(BusyError, match=r"hang of tiny.*one model runs at a time"):
        runner.start(FakeTask("measure"))
    process = runner._worker._process
    runner.cancel()
    assert runner.job.phase == "cancelled"
    assert process.poll() is not None
    job = ended(runner, "measure")  # while the thread of the first may still clean up
    assert (job.phase, job.number) == ("finished", first.number + 1)
    assert len(taken) == 1


def test_a_job_that_takes_too_long_is_ended(taken):
    runner = Runner(taken.append, command=COMMAND, limit=0.2)
    try:
        job = ended(runner, "hang")
        assert (job.phase, taken) == ("failed", [])
        assert "took longer than 0 seconds and was ended" in job.said
    finally:
        runner.close()


def test_a_result_that_cannot_be_read_is_a_failed_job(caplog):
    def refuse(job, folder):
        raise ValueError(f"{folder} is damaged")

    runner = Runner(refuse, command=COMMAND)
    try:
        job = ended(runner, "measure")
        assert job.said == "What the run left could not be read; the terminal says why."
        assert "is damaged" in caplog.text
    finally:
        runner.close()


def test_closing_ends_the_process_and_deletes_the_folder(runner):
    runner.start(FakeTask("hang"))
    folder, process = runner.folder, runner._worker._process
    heard(runner)
    runner.close()
    assert process.poll() is not None
    assert not folder.exists()
    with pytest.raises(BusyError, match="about to stop"):
        runner.start(FakeTask("measure"))
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_job_knows_how_long_it_has_run(runner):
    job = runner.start(FakeTask("hang"))
    assert heard(runner).seconds > job.seconds == 0


def stands_by(runner):
    """Wait until the thread of the last job has left a process that stands by, and return it."""
    runner.join(200.0)
    return runner._standby._process


def test_the_next_job_is_told_to_a_process_that_stands_by(runner, taken):
    ended(runner, "measure")
    ready = stands_by(runner)
    job = runner.start(FakeTask("measure"))
    assert runner._worker._process is ready
    runner.join(200.0)
    assert (runner.job.phase, runner.job.number) == ("finished", job.number)
    assert taken == ["measured: Some text."] * 2
    assert stands_by(runner) is not ready


def test_a_process_that_died_while_it_stood_by_is_not_missed(runner, taken):
    ended(runner, "measure")
    ready = stands_by(runner)
    ready.kill()
    ready.wait()
    assert ended(runner, "measure").phase == "finished"
    assert len(taken) == 2


def test_no_process_stands_by_for_nothing(runner):
    ended(runner, "refuse")
    assert runner._standby is None
    ended(runner, "measure")
    ready = stands_by(runner)
    runner.close()
    assert ready.poll() is not None
