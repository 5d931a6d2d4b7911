import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from dva_lens.cli import pages


def status(address):
    """Ask until somebody answers."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.status
        except urllib.error.URLError:
            time.sleep(0.1)
    return None


def test_a_report_is_one_file(call, study_folder, tmp_path):
    result = call("report", study_folder, "--out", tmp_path / "report.html")
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_report_can_be_of_another_text(call, refused, study_folder, tmp_path):
    page = tmp_path / "report.html"
    assert call("report", study_folder, "--text", "shuffled", "--out", page).exit_code == 0
    assert "(shuffled)" in page.read_text("utf-8")
    words = refused("report", study_folder, "--text", "nowhere", "--out", tmp_path / "none.html")
    assert "was measured on 'nowhere'; there are: held-out, shuffled" in words
    assert not (tmp_path / "none.html").exists()


def test_pages_of_what_is_no_archive_are_refused(refused, tmp_path):
    assert "holds no archive.zarr" in refused("report", tmp_path)
    assert "holds no archive.zarr" in refused("explore", tmp_path)


def test_a_port_that_is_taken_is_refused_with_another(refused, study_folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} is busy" in refused("explore", study_folder, "--port", port)
    assert "less than or equal to 65535" in refused(
        "explore", study_folder, "--port", 65536, code=2
    )


@pytest.mark.parametrize("words", [("DIR",), ("DIR", "--workers", "2"), ("--model", "gpt2")])
def test_the_explorer_answers_until_it_is_interrupted(study_folder, words):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [study_folder if word == "DIR" else word for word in words]
    words = [sys.executable, "-m", "dva_lens.cli", "explore", *words, "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            line = process.stdout.readline().decode()
            address = re.search(r"http://127\.0\.0\.1:\d+", line).group()
            assert status(address) == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ((), "takes the folder of an archive, or --model", 2),
        (("--model", "./nothing"), "There is no folder or file './nothing'", 1),
        (("--model", "gpt2", "--workers", 2), "--model needs a single worker", 2),
        (("--static", "out"), "--static writes the pages of an archive", 2),
        (("DIR", "--model", "gpt2", "--static", "out"), "neither --model nor --workers", 2),
        (("DIR", "--run", "x"), "say what --static writes", 2),
        (("DIR", "--static", "out", "--run", "x"), "The archive holds no run 'x'", 1),
    ],
)
def test_an_explorer_of_nothing_is_refused(refused, study_folder, words, said, code):
    words = [study_folder if word == "DIR" else word for word in words]
    assert said in refused("explore", *words, code=code)


def test_many_workers_say_what_they_need(refused, study_folder, monkeypatch):
    monkeypatch.setattr(pages, "find_spec", lambda _: None)
    assert "pip install gunicorn" in refused("explore", study_folder, "--workers", 2)


def test_claims_are_written_and_held_against_the_archive(call, study_folder, tmp_path):
    page, claims = tmp_path / "report.html", tmp_path / "claims.json"
    result = call("report", study_folder, "--out", page, "--claims", claims)
    assert result.exit_code == 0, result.stderr
    assert f"Claims: {claims}" in result.stdout
    result = call("report", study_folder, "--check", claims)
    assert result.exit_code == 0, result.stderr
    held = json.loads(claims.read_text())
    left = sum(each["state"] == "undecided" for each in held["claims"])
    assert left > 0
    assert f" {left} undecided comparisons claim nothing." in result.stdout
    held["claims"][0]["state"] = {"sink": "no sink", "no sink": "sink"}[held["claims"][0]["state"]]
    claims.write_text(json.dumps(held))
    result = call("report", study_folder, "--check", claims)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert f"first_key_mass of {held['claims'][0]['model']}" in result.stderr
