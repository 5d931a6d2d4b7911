"""`lens.show` takes a model, a measurement or an archive, and says what it cannot show."""

import pytest
from fake_edges import with_edges
from fakes import fake_archive, fake_measurement
from families import family

import dva_lens as lens
from dva_lens.results.schema import ArchiveError

IDS = list(range(3, 33))


def test_a_model_is_measured_and_shown():
    view = lens.show(family("llama"), IDS)
    assert view.title == "LlamaForCausalLM: 30 tokens, 2 layers"
    assert view._repr_html_() == view.html
    assert view.html.count('class="lens-token"') == 30


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edged")
    return lens.open_archive(fake_archive(folder, ("transformer", "dva"), 1, edges=True))


def test_an_archive_shows_a_run_on_a_text(archive):
    assert lens.show(archive).title.startswith("transformer-0 on ")
    text = archive.texts[0]
    view = lens.show(archive, text, run="dva-0")
    assert view.title == f"dva-0 on {text}: 64 tokens, 4 layers"
    assert view.html == lens.show(archive, run="dva-0").html
    with pytest.raises(ArchiveError, match="No run 'absent'"):
        lens.show(archive, run="absent")


def test_what_cannot_be_shown_is_said(archive):
    with pytest.raises(ValueError, match="needs a text"):
        lens.show(family("llama"))
    with pytest.raises(TypeError, match="run='dva-0' is of an archive, got Dataset"):
        lens.show(with_edges(fake_measurement("dva", keep_queries=True)), run="dva-0")
    with pytest.raises(TypeError, match="length: only a model is measured, got an archive"):
        lens.show(archive, length=8)
    with pytest.raises(ArchiveError, match="keeps edges on 'shuffled'; measure again"):
        lens.show(archive, "shuffled")


def test_results_say_what_they_hold_in_a_few_lines(archive):
    assert repr(archive).splitlines()[1:] == ["  transformer: seed 0", "  dva: seed 0"]
    assert repr(archive.runs[1]).startswith("Run dva-0 (")
    said = repr(archive.on())
    assert "transformer-0, dva-0" in said
    assert "entropy" in said
    assert len(said) < 2000
