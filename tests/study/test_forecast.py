import pytest
from gguf_files import TEXT, byte_level, tiny, write_gguf
from own_models import tiny as own
from small_text import small_corpus
from tokens import letters, word_tokenizer, wrapped

from dva_lens.data.documents import Document, corpus_of
from dva_lens.models import gguf_copy
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.results.archive import open_archive
from dva_lens.study.forecast import forecast
from dva_lens.study.single import MeasureOptions, measure_into


def said(path, corpus, **options):
    return forecast(path, corpus, MeasureOptions(**options), speed=lambda placement: 1e9)


def test_windows_and_tokens_are_those_of_the_measurement(tmp_path):
    folder = save_checkpoint(
        tmp_path / "mine", own("transformer", context=16, layers=2), word_tokenizer(), {}
    )
    corpus = small_corpus(documents=3, words=20)
    found = said(folder, corpus, length=8, batch_size=2)
    measure_into(tmp_path / "out", str(folder), corpus, MeasureOptions(length=8))
    run = open_archive(tmp_path / "out").runs[0]
    data = open_archive(tmp_path / "out").dataset(run)
    assert found.windows == data.sizes["sequence"]
    assert found.tokens == int(data["length"].sum())
    assert (found.documents, found.longest) == (3, int(data["length"].max()))
    assert found.parameters == run.attrs["parameters"]
    stored = sum(data[name].nbytes for name in data.data_vars if "at" in data[name].attrs)
    assert stored * 0.5 < found.disk < stored * 3
    assert said(folder, corpus, length=8, controls=("shuffled",)).seconds == 2 * found.seconds


def test_a_gguf_file_is_not_unpacked_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv(gguf_copy.CACHE, str(tmp_path / "cache"))
    model = tiny()
    file = write_gguf(tmp_path / "tiny.gguf", model, tokenizer=byte_level())
    corpus = corpus_of("two", (Document("a", TEXT), Document("b", TEXT)))
    found = said(file, corpus)
    count = sum(each.numel() for each in model.parameters())
    assert (found.parameters, found.unpacked) == (count, 4 * count)
    assert not (tmp_path / "cache").exists()
    forward = 2 * count * found.tokens
    assert forward < found.seconds * 1e9 < 2 * forward
    assert "in the cache for its unpacked weights" in "\n".join(found.lines("tiny", tmp_path))


def test_a_folder_of_transformers_is_read_without_its_weights(tmp_path):
    model = tiny()
    model.save_pretrained(tmp_path)
    wrapped(word_tokenizer(start=True)).save_pretrained(tmp_path)
    text = corpus_of("two", (Document("a", letters(5)), Document("b", letters(9))))
    found = said(tmp_path, text)
    assert found.parameters == sum(each.numel() for each in model.parameters())
    assert (found.windows, found.tokens, found.unpacked) == (2, 5 + 9 + 2, 0)
    half = said(tmp_path, text, opening={"dtype": "bfloat16"})
    assert half.memory < found.memory


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no"):
        said(tmp_path, small_corpus(2, 20))
