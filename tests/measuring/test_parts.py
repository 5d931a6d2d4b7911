"""Encoder, decoder and cross-attention of one model, from texts to labelled data."""

import families
import numpy as np
import pytest
import torch
import two_towers
import xarray as xr
from tokens import word_tokenizer, wrapped

import dva_lens as lens
from dva_lens.recording.fidelity import STRETCH, OwnPass
from dva_lens.results.schema import TOKENS_HASH, check_measurement
from dva_lens.statistics.table import STATISTICS

SOURCE = np.array([[5, 7, 11, 3, 22, 17, 40, 41, 2], [9, 8, 13, 30, 12, 2, 0, 0, 0]])
LABELS = np.array([[6, 21, 33, 50, 17, 19, 2], [14, 15, 2, 0, 0, 0, 0]])
LENGTHS, ENDS = np.array([9, 6]), np.array([7, 3])
IDS = [row[:n] for row, n in zip(SOURCE, LENGTHS, strict=True)]
TARGETS = [row[:n] for row, n in zip(LABELS, ENDS, strict=True)]
FEW = ["entropy", "first_key_mass", "loss"]


@pytest.fixture(scope="module")
def model():
    return two_towers.built("t5")


def mean(data, name):
    return data[name].weighted(data["rows"]).mean(["sequence", "span"])


def test_all_parts_come_by_name_with_what_was_read(model):
    words = wrapped(word_tokenizer(end=True))
    texts, targets = ["a b c d e f", "g h i"], ["x y z", "u v w q"]
    data = lens.measure_parts(model, texts, targets, tokenizer=words, keep="query")
    assert isinstance(data, xr.DataTree)
    assert list(data.children) == ["encoder", "decoder", "cross"]
    for name, part in data.children.items():
        check_measurement(part.to_dataset(), name)
        assert part.attrs["part"] == name
        assert part["document"].values.tolist() == ["text 0", "text 1"]
        assert part["length"].values.tolist() == ([7, 4] if name == "encoder" else [4, 5])
    assert data["encoder"].sizes["layer"] == 2
    assert data["cross"].sizes["layer"] == 3
    read = data["decoder"]["token"].values[0, :4].tolist()
    assert read == ["<pad>", "x", "y", "z"]
    assert data["decoder"].attrs["target"] == "labels, read after the decoder's start token"
    hashes = [data[part][TOKENS_HASH].values.tolist() for part in ("decoder", "cross")]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_the_loss_is_that_of_training(name):
    model = two_towers.built(name)
    labels = torch.tensor(np.where(np.arange(7) < ENDS[:, None], LABELS, -100))
    mask = torch.tensor(np.arange(9) < LENGTHS[:, None]).long()
    with torch.no_grad():
        truth = [
            float(
                model(
                    input_ids=torch.tensor(SOURCE[row : row + 1]),
                    attention_mask=mask[row : row + 1],
                    labels=labels[row : row + 1],
                ).loss
            )
            for row in range(2)
        ]
    for part in ("decoder", "cross"):
        data = lens.measure(model, IDS, target=TARGETS, part=part, statistics=FEW)
        np.testing.assert_allclose(data["loss"], truth, rtol=1e-6)


def test_encodings_with_labels_are_read_as_rows_are(model):
    encoding = {
        "input_ids": torch.tensor(SOURCE),
        "attention_mask": torch.tensor(np.arange(9) < LENGTHS[:, None]).long(),
        "labels": torch.tensor(np.where(np.arange(7) < ENDS[:, None], LABELS, -100)),
    }
    ours = lens.measure(model, encoding, part="cross", statistics=FEW)
    rows = lens.measure(model, IDS, target=TARGETS, part="cross", statistics=FEW)
    for name in FEW:
        np.testing.assert_array_equal(ours[name], rows[name])


def test_a_body_without_a_head_has_no_loss():
    model = two_towers.built("bart", cls=two_towers.tf.BartModel)
    data = lens.measure(model, IDS, target=TARGETS, part="cross", statistics=FEW)
    assert np.isfinite(data["entropy"]).any()
    assert np.isnan(data["loss"]).all()
    head = two_towers.built("bart")
    same = lens.measure(head, IDS, target=TARGETS, part="cross", statistics=["entropy"])
    np.testing.assert_allclose(mean(data, "entropy"), mean(same, "entropy"), rtol=1e-6)


def test_keys_of_the_source_are_what_cross_attention_is_measured_against(model):
    data = lens.measure(model, IDS, target=TARGETS, part="cross", statistics=["entropy"])
    assert data["rows"].sum("sequence").values.tolist() == [0, 0, 3, 7]
    reference = data["entropy_reference"].values
    np.testing.assert_allclose(reference[0, 3], np.log(9), rtol=1e-6)
    np.testing.assert_allclose(reference[1, 2], np.log(6), rtol=1e-6)


def test_what_compares_places_is_refused_by_name_in_cross_attention(model):
    names = [name for name, each in STATISTICS.items() if each.one_text]
    assert {"distance", "previous_score", "induction_score", "mass_account"} <= set(names)
    data = lens.measure(model, IDS, target=TARGETS, part="cross", statistics=names)
    for name in names:
        assert np.isnan(data[name]).all()
        assert data[name].attrs["why_not"].startswith("it compares places of queries with")
    own = lens.measure(model, IDS, target=TARGETS, part="decoder", statistics=names)
    assert all(np.isfinite(own[name]).any() for name in names if name != "triad_agreement")


@pytest.mark.parametrize("part", ["encoder", "decoder", "cross"])
def test_of_long_pairs_the_beginnings_are_run_with_eager_attention(model, part, monkeypatch):
    """The first of two pairs is long enough: 48 tokens of its source and of its target."""
    sources, targets = ([list(range(3, 55))] * 2 for _ in range(2))
    given = {} if part == "encoder" else {"target": targets}
    ran, plain = [], OwnPass.of

    def of(*asked):
        ran.append(plain(*asked))
        return ran[0]

    monkeypatch.setattr(OwnPass, "of", of)
    data = lens.measure(model, sources, part=part, statistics=["entropy"], **given)
    (own,) = ran
    read = own.adapter.source
    assert own.stretch.shape == (1, STRETCH)
    assert not own.whole
    assert part == "encoder" or read.tokens.shape == (1, STRETCH)
    assert data.attrs["fidelity_tokens"] == STRETCH
    assert data.attrs["fidelity_output_against"] == "eager"
    assert data.attrs["fidelity_output"] < 1e-9


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "has an encoder and a decoder, whose attention is measured in parts"),
        ({"part": "decoder"}, r"reads a target beside the source; pass target="),
        ({"part": "encoder", "target": TARGETS}, r"reads one text here; leave target out"),
        ({"part": "cross", "target": TARGETS[:1]}, "got 2 sources and 1 targets"),
        ({"part": "cross", "target": ["a b", "c d"]}, "a target cannot be turned into tokens"),
        ({"part": "cross", "target": [[3], [4, 5]]}, "Target 0 has 1 tokens; it needs at least"),
        ({"part": "cross", "target": [[3, 4], [4, 99]]}, "Token id 99 is out of range"),
        ({"part": "cross", "target": TARGETS, "length": 4}, "not cut into windows"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(model, options, reason):
    with pytest.raises(ValueError, match=reason):
        lens.measure(model, IDS, **options)


def unmarked(name, **tokens):
    """Return a model whose configuration has no start token, but what is given of others."""
    model = two_towers.built(name)
    towers = model.get_encoder(), model.get_decoder()
    for name in ("decoder_start_token_id", "bos_token_id"):
        setattr(model.generation_config, name, tokens.get(name))
        for each in (model, *towers):
            setattr(each.config, name, None)
    return model


@pytest.mark.parametrize("token", ["decoder_start_token_id", "bos_token_id"])
def test_a_decoder_starts_as_it_does_when_it_generates(model, token):
    other = unmarked("t5", **{token: 0})
    ours, usual = (
        lens.measure(each, IDS, target=TARGETS, part="decoder", statistics=["entropy"])
        for each in (other, model)
    )
    np.testing.assert_array_equal(ours["entropy"], usual["entropy"])


def test_a_decoder_without_a_start_token_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"set model.config.decoder_start_token_id to the id"):
        lens.measure(unmarked("t5"), IDS, target=TARGETS, part="cross", statistics=FEW)


def test_a_pair_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="Source 0 has 70 tokens, but there is room for 64"):
        lens.measure(two_towers.built("bart"), [[3] * 70], target=[[4, 5]], part="cross")


def test_one_stack_takes_neither_parts_nor_targets():
    model = families.family("llama")
    with pytest.raises(ValueError, match="is one stack of layers and has no parts"):
        lens.measure_parts(model, IDS, TARGETS)
    with pytest.raises(ValueError, match="reads one text here; leave target out"):
        lens.measure(model, IDS, target=TARGETS)


def test_parts_without_a_target_are_refused(model):
    with pytest.raises(ValueError, match="or measure part='encoder' alone"):
        lens.measure_parts(model, IDS)


def test_controls_of_one_text_are_those_of_the_encoder(model):
    shuffled = lens.measure_control(model, IDS, "shuffled", part="encoder", statistics=FEW)
    assert shuffled.attrs["text"] == "shuffled"
    fresh = lens.measure_control(
        model, IDS, "random-init", target=TARGETS, part="cross", statistics=FEW
    )
    assert fresh.attrs["part"] == "cross"
    with pytest.raises(ValueError, match="of pairs of texts only 'random-init'"):
        lens.measure_control(model, IDS, "repeated", target=TARGETS, part="cross")
