import sys

import pytest
from huggingface_hub.errors import RepositoryNotFoundError

from dva_lens.data import hub
from dva_lens.data.corpus import hub_corpus, open_corpus
from dva_lens.data.documents import Document

datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("hub")
    rows = {"text": ["one", "", "  three "], "title": ["a", "b", "c"]}
    data = datasets.Dataset.from_dict(rows)
    data.save_to_disk(place / "flat")
    datasets.DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(place / "split")
    return place


def test_a_saved_data_set_is_read_offline(folder):
    corpus = open_corpus(f"hf:{folder}/flat")
    assert list(corpus.documents) == [Document("row 0", "one"), Document("row 2", "three")]
    assert list(corpus.documents) == list(corpus.documents)


def test_split_and_column_can_be_named(folder):
    titles = hub_corpus(f"hf:{folder}/split:train:title")
    assert [document.text for document in titles.documents] == ["a", "b", "c"]
    assert [d.text for d in hub_corpus(f"hf:{folder}/split:test").documents] == ["one"]


def test_what_is_not_there_is_named(folder):
    with pytest.raises(ValueError, match="no column 'body'; it has: text, title"):
        hub_corpus(f"hf:{folder}/flat:train:body")
    with pytest.raises(ValueError, match="no split 'dev'; it has: train, test"):
        hub_corpus(f"hf:{folder}/split:dev")
    with pytest.raises(ValueError, match="not written by `save_to_disk`"):
        hub_corpus(f"hf:{folder}")
    with pytest.raises(ValueError, match=r"hf:NAME\[@CONFIG\].*got 'hf:'"):
        hub_corpus("hf:")


@pytest.fixture
def asked(monkeypatch):
    """What the library is asked for, and whether it may ask others; it gives nothing."""
    found = []

    def load(*arguments, **options):
        found.append((arguments, options, datasets.config.HF_HUB_OFFLINE))
        raise ConnectionError("no such data")

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    return found


def test_the_hub_is_asked_by_name_configuration_and_split(asked, monkeypatch):
    monkeypatch.setattr(hub, "hub_answers", lambda name: True)
    with pytest.raises(ValueError, match=r"'some/text@en' is no local folder.*\(no such data\)"):
        hub_corpus("hf:some/text@en:validation")
    assert asked == [(("some/text", "en"), {"split": "validation"}, False)]


def test_without_a_network_the_cache_alone_is_asked(asked, monkeypatch):
    monkeypatch.setattr(hub, "hub_answers", lambda name: False)
    with pytest.raises(ValueError, match=r"'some/text' is no local.*\(it cannot be reached\)"):
        hub_corpus("hf:some/text")
    assert asked == [(("some/text", None), {"split": "train"}, True)]
    assert datasets.config.HF_HUB_OFFLINE is False


@pytest.mark.parametrize(
    ("error", "answers"),
    [
        (RepositoryNotFoundError.__new__(RepositoryNotFoundError), True),
        (OSError("no network"), False),
        (None, True),
    ],
)
def test_a_refusal_is_an_answer(monkeypatch, error, answers):
    def info(api, name, timeout):
        assert timeout <= 5
        if error is not None:
            raise error

    monkeypatch.setattr(hub.HfApi, "dataset_info", info)
    assert hub.hub_answers("some/text") is answers


def test_a_missing_package_is_said(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'dva-lens\[hub\]'"):
        hub_corpus(f"hf:{folder}/flat")
