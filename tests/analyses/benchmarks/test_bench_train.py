"""What presets cost is printed for the presets that were asked for."""

import json

from dva_lens.analyses.benchmarks import bench_train
from dva_lens.analyses.benchmarks.bench_train import main, passes, warmed

from dva_lens.models.size import Size

TINY = {
    "size": {"layers": 1, "width": 16, "heads": 2, "vocabulary": 23, "context": 8},
    "recipe": {"batch": 2, "learning_rate": 1e-3},
}


def test_every_preset_is_timed_and_the_bound_decides(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench_train, "STUDIES", {"quick": TINY})
    monkeypatch.setattr(bench_train, "FAMILY", ("gated", "causal-mean"))
    monkeypatch.setattr(bench_train, "peak_growth", lambda prepare, *arguments: 12.5)
    monkeypatch.setattr(bench_train, "BOUND", 0.0)
    words = ["--pairs", "1", "--length", "12", "--out", str(tmp_path / "found.json")]
    assert main([*words, "--presets", "family", "dva", "--check"]) == 1
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[1:4]] == ["gated", "causal-mean", "dva"]
    assert said.count("BROKEN") == 1
    found = json.loads((tmp_path / "found.json").read_text())
    assert main([*words, "--presets", "gated", "--check"]) == 0
    assert "dva" in json.dumps(found)


def test_a_fresh_process_and_a_longer_text_have_something_to_run():
    size = Size(**TINY["size"])
    warmed("landmark", size, bench_train.recipe_of(TINY))()
    for run in passes("landmark", size):
        run()
