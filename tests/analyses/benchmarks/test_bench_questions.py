"""The benchmark of the questions answers all of them, and its bound can break."""

import json

from dva_lens.analyses.benchmarks import bench_questions
from dva_lens.analyses.benchmarks.bench_questions import main

from dva_lens.results.schema import ArchiveError


def refuse(archive):
    raise ArchiveError("too little")


def test_all_questions_are_timed_beside_the_report(tmp_path, capsys, monkeypatch):
    asked, reported = [], []
    questions = {"none": refuse, "one": asked.append}
    monkeypatch.setattr(bench_questions, "open_archive", lambda folder: [folder])
    monkeypatch.setattr(bench_questions, "report_of", reported.append)
    monkeypatch.setattr(bench_questions, "questions_to_archives", lambda: questions)
    assert main([str(tmp_path), "--pairs", "1", "--json", "--check"]) == 0
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert case["questions_seconds"] < case["seconds_bound"]
    opened = [id(one) for one in (*asked, *reported)]
    assert len(opened) == len(set(opened)) == 4  # each opened anew, to warm up and timed
    monkeypatch.setattr(bench_questions, "SECONDS", 0.0)
    assert main([str(tmp_path), "--pairs", "1", "--check"]) == 1
    assert "BROKEN" in capsys.readouterr().out
