"""Two models of one text with tokenizers of their own: what is compared, and what is not."""

import pytest
from own_models import tiny
from small_text import small_corpus
from tokens import letters, word_tokenizer

from dva_lens.data.tokenizer import train_tokenizer
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.decoder import build
from dva_lens.models.presets import Size, preset
from dva_lens.results.archive import open_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The folder of an archive with a model that reads words and one that reads bytes."""
    folder = tmp_path_factory.mktemp("models")
    save_checkpoint(folder / "words", tiny("dva", context=16, layers=2), word_tokenizer(), {})
    tokenizer = train_tokenizer(small_corpus(), 260)
    size = Size(layers=2, width=16, heads=2, vocabulary=tokenizer.get_vocab_size(), context=16)
    save_checkpoint(folder / "bytes", build(preset("transformer", size), seed=0), tokenizer, {})
    text = folder / "notes.txt"
    documents = (letters(count) for count in (9, 14, 21, 12, 17, 11))
    text.write_text("\n<|endoftext|>\n".join(documents))
    return folder


def test_numbers_of_documents_are_compared_and_those_of_tokens_refused_by_name(call, archive):
    out = archive / "out"
    for name in ("words", "bytes"):
        words = ("--text", archive / "notes.txt", "--out", out)
        assert call("measure", archive / name, *words).exit_code == 0
    sizes = [open_archive(out).dataset(name).sizes["sequence"] for name in ("words", "bytes")]
    assert sizes[0] != sizes[1]
    result = call("compare", out, "--baseline", "words")
    assert result.exit_code == 0, result.stderr
    said = " ".join(result.stdout.split())
    for name in ("value_drain", "dynamism"):
        assert f"{name}, " in said
    for name in ("normalised_entropy", "first_key_mass", "loss", "importance_entropy"):
        assert f"Not compared: {name} depends on how a text is cut into tokens" in said
        assert f"{name}, " not in said
    refused = call("compare", out, "--baseline", "words", "--statistic", "entropy")
    assert refused.exit_code == 1
    reason = " ".join(refused.stderr.split())
    assert "entropy depends on how a text is cut into tokens" in reason
    assert "choose a number per document" in reason


def test_the_report_says_the_same(call, archive, tmp_path):
    out, page = archive / "out", tmp_path / "report.html"
    result = call("report", out, "--out", page)
    assert result.exit_code == 0, result.stderr
    said = page.read_text()
    assert "depends on how a text is cut into tokens" in said


def test_other_texts_are_still_refused(call, archive, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other.txt"
    other.write_text(f"{letters(10)}\n<|endoftext|>\n{letters(15)}")
    for name, text in (("words", archive / "notes.txt"), ("bytes", other)):
        assert call("measure", archive / name, "--text", text, "--out", out).exit_code == 0
    result = call("compare", out, "--baseline", "words")
    assert result.exit_code == 1
    assert "was measured on other texts" in " ".join(result.stderr.split())
