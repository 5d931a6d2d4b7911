import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from dva_lens.results.archive import open_archive
from dva_lens.study.definition import Study
from dva_lens.study.runner import run


@pytest.fixture
def start(values, tmp_path):
    """Start the study in a process of its own; returns the process and its folder."""
    file, out = tmp_path / "tiny.yaml", tmp_path / "out"
    processes = []

    def begin(**more):
        file.write_text(json.dumps(values | more))
        words = [
            sys.executable,
            "-m",
            "dva_lens.cli",
            "study",
            "run",
            str(file),
            "--out",
            str(out),
        ]
        processes.append(
            subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return processes[-1], out

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(process, word):
    """Read what the study says until it says a word; return everything until then."""
    said = []
    for line in process.stderr:
        said.append(line)
        if word in line:
            return "".join(said)
    pytest.fail(f"the study ended without saying {word!r}: {''.join(said)}")


def same_training(values, folder, elsewhere):
    """Compare with the same study run without a pause."""
    run(Study.from_dict(values), elsewhere)
    expected, found = open_archive(elsewhere), open_archive(folder)
    assert [one.key for one in found.runs] == [one.key for one in expected.runs]
    for one in expected.runs:
        for curve in ("loss", "held_out_loss"):
            np.testing.assert_array_equal(
                found.training(one.key)[curve], expected.training(one.key)[curve]
            )
        np.testing.assert_array_equal(
            found.dataset(one.key)["entropy"], expected.dataset(one.key)["entropy"]
        )


def test_a_killed_study_continues_with_the_run_it_was_in(start, values, tmp_path):
    values["recipe"]["steps"] = 40
    process, out = start()
    wait_for(process, "transformer-0 (1 of 2): finished")
    wait_for(process, "dva-0 (2 of 2): step 10 of")
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert [one.label for one in open_archive(out).runs] == ["transformer-0"]
    process, _ = start()
    said = wait_for(process, "dva-0 (2 of 2): finished")
    assert "transformer-0 (1 of 2): already there" in said
    assert process.wait(60) == 0
    same_training(values, out, tmp_path / "whole")


def test_an_interrupted_study_says_that_it_continues_and_does_so_step_by_step(
    start, values, tmp_path
):
    values |= {"presets": ["transformer"], "save_every": 20}
    values["recipe"]["steps"] = 160
    process, _ = start()
    wait_for(process, "step 80 of 160")
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(30) == 130
    assert "the same command continues" in said
    assert "Traceback" not in said
    process, out = start()
    said = wait_for(process, "finished")
    assert "step 40 of" not in said
    assert process.wait(60) == 0
    same_training(values, out, tmp_path / "whole")
