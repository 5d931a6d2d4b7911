import pytest
import xarray as xr
from own_models import tiny
from small_text import small_corpus
from tokens import word_tokenizer

from dva_lens.measuring import measure
from dva_lens.models.checkpoint import load_checkpoint, save_checkpoint
from dva_lens.results.archive import open_archive
from dva_lens.results.edges import edged_sequences, edges, has_edges
from dva_lens.results.schema import statistics_of
from dva_lens.study.single import MeasureOptions, measure_into, spread

FEW = MeasureOptions(statistics=("entropy",), length=8, documents=2, queries=False)


def changed(**about):
    return MeasureOptions(**(vars(FEW) | about))


@pytest.fixture
def model(tmp_path):
    """Save a small model under a name, in a folder that may hold another of that name."""

    def save(folder, preset="transformer"):
        made = tiny(preset, context=16, layers=1)
        return str(save_checkpoint(tmp_path / folder, made, word_tokenizer(), {}))

    return save


@pytest.fixture
def measured(tmp_path):
    text = small_corpus(documents=2, words=20)

    def measure(name, options=FEW):
        return measure_into(tmp_path / "out", name, text, options)

    measure.folder, measure.text = tmp_path / "out", text
    return measure


def test_models_of_one_name_are_told_apart_by_their_weights(model, measured):
    first = measured(model("a/mine"))
    second = measured(model("b/mine", "dva"))
    assert first == "mine"
    assert second.startswith("mine-")
    assert measured(model("a/mine")) == first
    third = measured(model("a/mine", "svformer"))
    runs = open_archive(measured.folder).runs
    assert [run.label for run in runs] == [first, second, third]
    assert len({run.model for run in runs}) == 3
    assert len({run.attrs["parameters"] for run in runs}) > 1


def test_a_model_may_be_given_a_name_that_no_other_has(model, measured):
    assert measured(model("a/mine"), changed(name="early")) == "early"
    assert measured(model("a/mine"), changed(name="early")) == "early"
    with pytest.raises(ValueError, match=r"holds another run called 'early'.*another --name"):
        measured(model("b/mine", "dva"), changed(name="early"))
    assert len(open_archive(measured.folder).runs) == 1


def test_measuring_again_adds_and_drops_nothing(model, measured):
    name = model("mine")
    more = changed(statistics=("entropy", "gini"), queries=True, controls=("shuffled",))
    measured(name, more)
    before = set(open_archive(measured.folder).dataset("mine"))
    measured(name, changed(statistics=("entropy", "loss"), controls=("repeated",)))
    archive = open_archive(measured.folder)
    assert archive.texts_of("mine") == ("text", "shuffled", "repeated")
    assert before < set(archive.dataset("mine"))
    assert {*statistics_of(archive.dataset("mine", "text"))} == {"entropy", "gini", "loss"}
    assert {*statistics_of(archive.dataset("mine", "shuffled"))} == {"entropy", "gini"}
    assert {*statistics_of(archive.dataset("mine", "repeated"))} == {"entropy", "loss"}


def test_edges_stay_in_the_archive_as_they_were_measured(model, measured):
    name = model("a/mine")
    measured(name, changed(queries=True))
    archive = open_archive(measured.folder)
    opened = archive.dataset(archive.runs[0])
    assert opened["edge_weight"].encoding["chunks"][0] == 1
    direct = measure(load_checkpoint(name).model, spread(measured.text, 2, 0), length=8,
                     statistics="entropy", keep="query", tokenizer=word_tokenizer())  # fmt: skip
    for sequence in range(edged_sequences(direct)):
        kept, due = (edges(data, 0, 3, sequence=sequence) for data in (opened, direct))
        xr.testing.assert_equal(kept.drop_attrs(), due.drop_attrs())
    assert not any(str(name).startswith("edge") for name in archive.display("mine").data_vars)
    measured(name, changed(queries=True, edges=0))
    assert not has_edges(open_archive(measured.folder).dataset("mine"))
