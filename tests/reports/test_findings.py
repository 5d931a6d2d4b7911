"""Findings in sentences: what is said of a sink, of none, and of what models change."""

from dataclasses import replace

import pytest
from fakes import fake_archive, fake_measurement

from dva_lens.reports.findings import findings, sinks, traits_of
from dva_lens.reports.sentences import readable, trait
from dva_lens.results.archive import open_archive

MODELS = ("transformer", "dva")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return open_archive(fake_archive(tmp_path_factory.mktemp("found"), models=MODELS))


def test_every_model_has_its_strongest_sink_and_every_other_its_changes(archive):
    found = findings(archive)
    assert [entry.model for entry in found.of("sink")] == list(MODELS)
    assert [entry.model for entry in found.of("change")] == ["dva"]
    table = sinks(archive)
    for entry in found.of("sink"):
        row = table[table["model"] == entry.model].iloc[0]
        assert entry.verdict == "sink"
        assert entry.place["layer"] == row["layer"]
        assert entry.place["run"] == f"{entry.model}-{row['seed']}"
        assert "the first key (“<s>”) receives" in entry.words
        assert "uniform attention gives it 0.0293, the untrained model" in entry.words
        assert "heads have a sink." in entry.words


def test_verdicts_are_those_of_the_comparison(archive):
    (entry,) = findings(archive).of("change")
    assert "dynamism of values higher by" in entry.words
    assert "higher" in entry.verdict
    assert entry.words.endswith("(2 seeds: no claim about architectures).")


def test_they_print_as_plain_lines(archive):
    lines = str(findings(archive)).splitlines()
    assert lines[0] == "Findings on held-out, at step 160:"
    assert len(lines) == 4
    assert all(line.startswith("- ") for line in lines[1:])


def test_before_training_no_model_has_a_sink():
    data = fake_measurement("transformer", steps=(0,))
    (entry,) = findings(data).of("sink")
    assert entry.verdict == "no sink"
    assert entry.words.startswith("transformer: no sink here. Attention is still uniform (norm")
    assert "The largest weight on the first key is 0.0" in entry.words
    assert entry.words.endswith("not 3 times what uniform attention gives it.")


def test_texts_too_short_for_a_sink_are_said_to_be():
    (entry,) = findings(fake_measurement("transformer", length=12)).of("sink")
    assert entry.words == "transformer: no sink can be said: no query sees 16 keys."


def test_some_models_alone_can_be_asked_about(archive):
    found = findings(archive)
    assert {entry.model for entry in found.about("dva").entries} == {"dva"}
    assert found.about().entries == found.entries
    assert found.about("nobody").entries == ()
    note = replace(found.entries[0], about="note", model="")
    assert replace(found, entries=(note,)).about("dva").entries == ()


def test_controls_are_no_main_texts(archive):
    assert archive.main_texts == ("held-out",)


def test_a_trait_names_what_the_value_path_has(archive):
    config = '{"value_source": {"kind": "first-layer-mix"}, "value_form": {"kind": "static"}}'
    assert trait(config) == "value source first-layer-mix"
    assert trait("no json") == trait(None) == ""
    assert traits_of(archive) == dict.fromkeys(MODELS, "")


def test_tokens_hide_nothing():
    assert readable("\n") == "“\\n”"
    assert readable(" the") == "“ the”"
