"""Trees of HeadVis: what is written is read back, and what is damaged is named."""

import json
import shutil

import numpy as np
import pytest
from fake_edges import fake_pattern, with_edges
from fakes import fake_measurement

import dva_lens as lens
from dva_lens.results.headvis import read_headvis
from dva_lens.results.headvis_writing import write_headvis
from dva_lens.results.measurement import Measurement
from dva_lens.results.schema import ArchiveError


@pytest.fixture(scope="module")
def data():
    return with_edges(fake_measurement("gpt", keep_queries=True))


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    part = Measurement("gpt", 0, "gpt-0", data)
    return write_headvis(part, "held-out", data, tmp_path_factory.mktemp("trees") / "gpt-0")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_the_weights_of_a_text_are_read_back(folder, data):
    tree = read_headvis(folder)
    assert repr(tree).startswith(f"HeadVis tree {folder} of gpt-0: 4 layers × 4 heads")
    assert set(tree.sequences(2, 3)) == {0, 1}
    ours, theirs = lens.edges(data, 2, 3, sequence=1), tree.edges(2, 3, sequence=1)
    assert theirs["token"].values.tolist() == ours["token"].values.tolist()
    row = fake_pattern(2, 3, 1, ours.sizes["position"])[20]
    kept = theirs["key"].values[20] >= 0
    weights = theirs["weight"].values[20][kept]
    np.testing.assert_allclose(weights, row[theirs["key"].values[20][kept]], atol=5e-5)
    assert (np.diff(weights) <= 0).all()
    np.testing.assert_allclose(theirs["rest"], ours["rest"], atol=1e-2)


def test_metrics_are_the_means_that_everybody_gets(folder, data):
    metrics = read_headvis(folder).metrics
    mean = data["entropy"].weighted(data["rows"]).mean(["sequence", "span"])
    np.testing.assert_allclose(metrics["pattern_entropy"], mean, atol=1e-4)
    assert "first_key_mass" in metrics
    assert metrics["pattern_entropy"].attrs["long_name"]


def test_a_head_is_described_as_the_viewer_expects(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["heads"][5] == [1, 1]
    assert {"model_name", "n_layers", "n_heads", "n_intervals", "metrics"} <= set(config)
    head = json.loads((folder / "heads" / "L2H0.json").read_text())
    one, other = sorted(head["sequences"], key=lambda each: each["interval"])
    assert one["max_activation"] <= other["max_activation"]
    length = one["seq_len"]
    pairs = [divmod(at, length) for at in one["attention_indices"]]
    values = [w for (q, k), w in zip(pairs, one["attention_values"], strict=True) if q and k]
    assert one["max_activation"] == max(values)  # position 0 does not count there
    histogram = head["qk_distance_histogram"]
    total = sum(sum(each["attention_values"]) for each in head["sequences"])
    assert sum(histogram["bin_values"]) == pytest.approx(total, abs=1e-3)
    assert len(histogram["bin_edges"]) == len(histogram["bin_values"]) + 1
    assert head["top_key_tokens"][0]["weight"] >= head["top_key_tokens"][-1]["weight"]
    assert sum(head["histogram"]["bin_values"]) == 2


def test_a_tree_is_shown_inline(folder):
    view = lens.show(read_headvis(folder), layer=2, head=1)
    assert view.title == "gpt-0: 64 tokens, 1 layer"
    assert "token 0" in repr(view)


def test_a_tree_is_replaced_and_nothing_else_is(data, folder, tmp_path):
    part = Measurement("gpt", 0, "gpt-0", data)
    before = {path.name: path.read_bytes() for path in folder.rglob("*.json")}
    write_headvis(part, "held-out", data, folder)
    assert {path.name: path.read_bytes() for path in folder.rglob("*.json")} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(FileExistsError, match="something else than a HeadVis tree"):
        write_headvis(part, "held-out", data, tmp_path / "mine")
    with pytest.raises(ArchiveError, match="keeps no edges"):
        write_headvis(part, "held-out", fake_measurement(), tmp_path / "none")


def twice(places):
    places[0] = places[1]


def changed(path, change):
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("config.json", None, "is not JSON"),
        ("scatter_data.json", lambda rows: rows[0].pop("head"), "rows with a layer and a head"),
        ("scatter_data.json", lambda rows: rows[0].update(layer=10**9), "rows with a layer"),
        (
            "scatter_data.json",
            lambda rows: rows[0].update(entropy="x"),
            "must be a number or null",
        ),
        ("scatter_data.json", list.clear, "a row per head"),
    ],
)
def test_a_damaged_tree_is_refused_by_name(copy, name, change, message):
    if change is None:
        (copy / name).write_text("{")
    else:
        changed(copy / name, change)
    with pytest.raises(ValueError, match=message):
        read_headvis(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.pop("tokens"), "must hold sequences with"),
        (lambda text: text["attention_indices"].append(-1), "as many places as weights"),
        (lambda text: text["attention_indices"].__setitem__(0, 64 * 64), "key below 4096"),
        (lambda text: text["attention_values"].__setitem__(0, -0.5), "weights of 0 and above"),
        (
            lambda text: text["attention_indices"].__setitem__(0, text["attention_indices"][1]),
            "once",
        ),
        (lambda text: text.update(attention_values="abc"), "numbers as attention"),
    ],
)
def test_a_damaged_head_is_refused_by_name(copy, change, message):
    changed(copy / "heads" / "L0H1.json", lambda head: change(head["sequences"][0]))
    with pytest.raises(ValueError, match=message):
        read_headvis(copy).edges(0, 1, sequence=0)


def test_what_is_not_there_is_said(folder, tmp_path):
    tree = read_headvis(folder)
    with pytest.raises(FileNotFoundError, match="holds no layer 7, head 0"):
        tree.edges(7, 0, sequence=0)
    with pytest.raises(ValueError, match="Text 9 was not sampled for layer 0, head 0; there"):
        tree.edges(0, 0, sequence=9)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_headvis(tmp_path)
