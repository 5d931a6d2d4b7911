import re

import pytest
from fakes import fake_archive
from small_text import small_corpus
from typer.testing import CliRunner

from dva_lens.cli import app
from dva_lens.data.tokenizer import train_tokenizer
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import build

PROGRESS = re.compile(r" *\d+ s  ")


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory):
    """A folder as a study leaves it, of two fake models with two seeds."""
    return fake_archive(tmp_path_factory.mktemp("study"), models=("transformer", "dva"))


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with a checkpoint and a text."""
    folder = tmp_path_factory.mktemp("own")
    corpus = small_corpus(documents=2)
    sizes = {"layers": 2, "width": 16, "heads": 2, "vocabulary": 260, "context": 32}
    model = build(ModelConfig(**sizes), seed=0)
    save_checkpoint(folder / "own", model, train_tokenizer(corpus, 260), {"recipe": {"steps": 1}})
    (folder / "notes.txt").write_text(corpus.documents[0].text[:60])
    return folder


@pytest.fixture
def call():
    """Call the command line and return what came, with the streams apart."""
    runner = CliRunner()

    def invoke(*words):
        return runner.invoke(app, [str(word) for word in words], prog_name="dva-lens")

    return invoke


@pytest.fixture
def refused(call):
    """Call the command line, which must refuse in one sentence; return the sentence."""

    def invoke(*words, code=1):
        result = call(*words)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        lines = [line for line in result.stderr.splitlines() if not PROGRESS.match(line)]
        assert len(lines) == 1, result.stderr
        assert "Traceback" not in result.stderr
        return lines[0]

    return invoke
