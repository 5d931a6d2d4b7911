import pytest
from small_text import small_corpus

from dva_lens.cli.edges import bytes_of
from dva_lens.data.tokenizer import train_tokenizer
from dva_lens.kernels.guard import readable
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.decoder import build
from dva_lens.models.presets import Size, preset
from dva_lens.results.archive import open_archive
from dva_lens.results.edges import edge_bytes


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a small model that nobody trained."""
    tokenizer = train_tokenizer(small_corpus(), 270)
    size = Size(layers=2, width=16, heads=2, vocabulary=tokenizer.get_vocab_size(), context=32)
    folder = tmp_path_factory.mktemp("models") / "mine"
    save_checkpoint(folder, build(preset("transformer", size), seed=0), tokenizer, {})
    return folder


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("\n<|endoftext|>\n".join(d.text for d in small_corpus(6, 60).documents))
    return file


def test_a_model_is_measured_into_an_archive_that_everything_reads(call, model, text, tmp_path):
    out = tmp_path / "out"
    result = call("measure", model, "--text", text, "--out", out, "--length", 16)
    assert result.exit_code == 0, result.stderr
    archive = open_archive(out)
    assert [run.label for run in archive.runs] == ["mine"]
    data = archive.dataset("mine")
    assert data["entropy"].dims == ("layer", "head", "sequence", "span")
    assert len(set(data["document"].values)) == 6
    assert archive.run("mine").attrs["parameters"] > 0
    kept = edge_bytes(data)
    assert 0 < kept < 8 << 20
    assert f"Edges:    of 8 texts, {readable(kept)} before compression" in result.stdout
    assert call("report", out, "--out", tmp_path / "report.html").exit_code == 0
    assert call("export", out).exit_code == 0


def test_a_second_model_joins_the_first(call, model, text, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    other.symlink_to(model)
    for one in (model, other, model):
        assert call("measure", one, "--text", text, "--out", out).exit_code == 0
    assert [run.label for run in open_archive(out).runs] == ["mine", "other"]
    result = call("compare", out, "--baseline", "mine", "--statistic", "entropy")
    assert result.exit_code == 0, result.stderr


def test_edges_get_the_room_that_is_asked_for(call, model, text, tmp_path):
    for words, room in (((), 8 << 20), (("--edges", "9KB"), 9000), (("--no-edges",), 0)):
        out = ("--text", text, "--out", tmp_path / "out", "--length", 16)
        result = call("measure", model, *out, *words)
        assert result.exit_code == 0, result.stderr
        kept = edge_bytes(open_archive(tmp_path / "out").dataset("mine"))
        assert (kept > 0) == (room > 0) == ("Edges:" in result.stdout)
        assert kept <= room
    assert "exclude each other" in call("measure", model, *out, "--edges", "1", *words).stderr
    assert "takes a size such as 64MiB" in call("measure", model, *out, "--edges", "much").stderr


@pytest.mark.parametrize(
    ("size", "due"), [("64MiB", 64 << 20), ("1.5 GB", 1_500_000_000), ("0", 0), ("2kb", 2000)]
)
def test_sizes_are_read_as_they_are_written(size, due):
    assert bytes_of(size) == due


def test_fewer_documents_are_taken_where_asked_for(call, model, text, tmp_path):
    for seed in (0, 1):
        out = tmp_path / f"out{seed}"
        words = ("--documents", 3, "--seed", seed)
        assert call("measure", model, "--text", text, "--out", out, *words).exit_code == 0
    chosen = [
        open_archive(tmp_path / f"out{seed}").dataset("mine")["document"].values.tolist()
        for seed in (0, 1)
    ]
    assert all(len(set(one)) == 3 for one in chosen)
    assert chosen[0] != chosen[1]


def test_what_cannot_be_measured_is_one_sentence(refused, model, text, tmp_path):
    out = ("--out", tmp_path / "out")
    assert "There is no folder" in refused("measure", tmp_path / "nothing", "--text", text, *out)
    assert "There is no text" in refused("measure", model, "--text", tmp_path / "none", *out)
    both = ("--text", text, "--corpus", "hf:x")
    assert "pass one of them" in refused("measure", model, *both, *out, code=2)
    assert "positions" in refused("measure", model, "--text", text, "--length", 999, *out)
    assert "backend" in refused("measure", model, "--text", text, "--backend", "fast", *out)
    (tmp_path / "thesis.tex").write_text("all of it")
    assert "something else" in refused("measure", model, "--text", text, "--out", tmp_path)


def test_a_damaged_checkpoint_is_named(refused, model, text, tmp_path):
    weights = model / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    try:
        found = refused("measure", model, "--text", text, "--out", tmp_path / "out")
    finally:
        weights.write_bytes(whole)
    assert "model.safetensors" in found


def test_several_models_in_one_command_land_in_one_archive(call, refused, model, text, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    other.symlink_to(model)
    words = ("--text", text, "--out", out, "--length", 16, "--no-queries")
    result = call("measure", model, other, *words, "--name", "one", "--name", "two")
    assert result.exit_code == 0, result.stderr
    assert [run.label for run in open_archive(out).runs] == ["one", "two"]
    sentence = refused("measure", model, other, *words, "--name", "one", code=2)
    assert "--name must be passed once for each of 2 models, got 1" in sentence


def test_options_reach_the_model_and_the_archive(call, refused, model, text, tmp_path):
    out = tmp_path / "out"
    words = ("measure", model, "--text", text, "--out", out, "--length", 16)
    placed = ("--device", "cpu", "--dtype", "float64", "--batch-size", 2)
    assert call(*words, *placed).exit_code == 0
    assert open_archive(out).dataset("mine").attrs["dtype"] == "float64"
    assert "no device 'cuda:99'" in refused(*words, "--device", "cuda:99")
    assert "no chat template" in refused(*words, "--chat")
    assert "attends as it is built" in refused(*words, "--attention", "bidirectional")
    assert "is on this disk" in refused(*words, "--revision", "main")
    assert "says how to fetch or open" in refused(*words, "--device-map", "auto")


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(call, model, text, tmp_path):
    out = tmp_path / "out"
    result = call("measure", model, "--text", text, "--out", out, "--length", 16, "--dry-run")
    assert result.exit_code == 0, result.stderr
    for word in (
        "6 documents",
        "time    about",
        "memory  about",
        "disk    at most",
        "Nothing was",
    ):
        assert word in result.stdout
    assert not out.exists()
