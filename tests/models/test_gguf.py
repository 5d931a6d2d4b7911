import struct
from importlib.util import find_spec

import gguf_files
import numpy as np
import pytest
import torch
from gguf_files import F32, Q8, SPECIAL, TEMPLATE, TEXT, byte_level, in_blocks, tiny, write_gguf
from transformers import PreTrainedTokenizerFast

import dva_lens as lens
from dva_lens.models import gguf_copy
from dva_lens.models.gguf_header import read_header


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(gguf_copy.CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "gguf"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_gguf(
        tmp_path_factory.mktemp("gguf") / "tiny.gguf", tiny(), tokenizer=byte_level()
    )


@pytest.mark.parametrize("blocks", [F32, Q8], ids=lambda each: each.name)
@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_a_gguf_file_measures_as_the_weights_it_holds(kind, blocks, tmp_path):
    file = write_gguf(tmp_path / "mine.gguf", tiny(kind), tokenizer=byte_level(), kind=blocks)
    direct = tiny(kind) if blocks is F32 else in_blocks(tiny(kind), blocks)
    direct.tokenizer = PreTrainedTokenizerFast(tokenizer_object=byte_level())
    found, expected = (lens.measure(each, TEXT) for each in (lens.load(file), direct))
    assert found.attrs["model"] == "mine"
    assert found.sizes == expected.sizes
    for name in expected.data_vars:
        np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=name)
    assert float(expected["largest_weight"].max()) > 0.5  # far from uniform


def test_a_tokenizer_and_its_template_come_from_the_file(whole):
    tokenizer = lens.load(whole).tokenizer
    assert tokenizer.encode(TEXT, add_special_tokens=False) == byte_level().encode(TEXT).ids
    assert tokenizer.chat_template == TEMPLATE
    assert tokenizer.convert_tokens_to_ids(SPECIAL) == [0, 1]
    assert len(tokenizer.encode(SPECIAL[1], add_special_tokens=False)) == 1


def test_a_file_is_unpacked_once(whole, cache, monkeypatch):
    lens.load(whole)
    copies = [each for each in cache.iterdir() if each.is_dir()]
    assert len(copies) == 1
    monkeypatch.setattr(gguf_copy, "_unpack", None)  # nobody unpacks it again
    first, again = lens.load(whole), lens.load(str(whole))
    assert torch.equal(first.lm_head.weight, again.lm_head.weight)
    assert first.config.gguf["types"] == "21 F32"


def test_a_copy_that_was_damaged_or_half_made_is_made_anew(whole, cache):
    expected = lens.load(whole).lm_head.weight
    (copy,) = (each for each in cache.iterdir() if each.is_dir())
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    left = copy.with_suffix(gguf_copy.PART)
    left.mkdir()
    (left / "config.json").write_text("{")
    assert torch.equal(lens.load(whole).lm_head.weight, expected)
    assert not left.exists()


def test_nothing_is_left_of_a_copy_that_failed(whole, cache, monkeypatch):
    def fail(file, header, digest, folder):
        (folder / "config.json").write_text("{")
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(gguf_copy, "_unpack", fail)
    with pytest.raises(OSError, match="No space left"):
        lens.load(whole)
    assert [each for each in cache.iterdir() if each.is_dir()] == []


def test_a_disk_or_a_memory_that_is_too_small_is_refused_before(whole, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(gguf_copy.shutil, "disk_usage", lambda place: usage)
    with pytest.raises(OSError, match="GiB are free; set DVA_LENS_CACHE"):
        lens.load(whole)
    monkeypatch.setattr(gguf_copy.os, "sysconf", lambda name: 100)
    with pytest.raises(MemoryError, match="GiB unpacked, and this machine has"):
        lens.load(whole)


def test_the_missing_package_is_named(whole, monkeypatch):
    lacks = lambda name: None if name == "gguf" else find_spec(name)  # noqa: E731
    monkeypatch.setattr(gguf_copy, "find_spec", lacks)
    with pytest.raises(
        ImportError, match=r"needs the package gguf: pip install 'dva-lens\[gguf\]'"
    ):
        lens.load(whole)


@pytest.mark.parametrize("kept", [3, 100, 4000, -100])
def test_a_file_that_is_cut_short_is_named(whole, tmp_path, kept):
    file = tmp_path / "cut.gguf"
    file.write_bytes(whole.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"cut\.gguf' (is no GGUF|has a damaged|is cut short)"):
        lens.load(file)


@pytest.mark.parametrize(
    ("place", "form", "value", "said"),
    [
        (0, "4s", b"GGML", "does not begin with GGUF"),
        (4, "<I", 1, "is of GGUF version 1"),
        (4, ">I", 3, "little-endian"),
        (8, "<Q", 1 << 60, "damaged header"),
        (16, "<Q", 1 << 60, "damaged header"),
        (24, "<Q", (1 << 64) - 1, "damaged header"),
    ],
)
def test_a_number_that_cannot_be_takes_no_memory(whole, tmp_path, place, form, value, said):
    content = bytearray(whole.read_bytes())
    struct.pack_into(form, content, place, value)
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        lens.load(tmp_path / "bad.gguf")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"general.architecture": "clip"}, "architecture 'clip', which transformers .* not read"),
        ({"split.count": 3}, "is one of 3 parts of a model; merge"),
        ({"llama.embedding_length": 32}, "in shape"),
        ({"llama.block_count": 3}, "lacks 9 weights of LlamaForCausalLM, such as"),
    ],
)
def test_what_does_not_make_a_model_is_refused(changes, said, tmp_path, monkeypatch):
    add = gguf_files.gguf.GGUFWriter.add_key_value

    def replacing(self, key, value, *rest, **more):
        add(self, key, changes.get(key, value), *rest, **more)

    monkeypatch.setattr(gguf_files.gguf.GGUFWriter, "add_key_value", replacing)
    others = {key: value for key, value in changes.items() if key.startswith("split")}
    file = write_gguf(tmp_path / "odd.gguf", tiny(), changes=others)
    with pytest.raises(ValueError, match=said):
        lens.load(file)


def test_weights_that_are_missing_or_no_numbers_are_named(tmp_path):
    file = write_gguf(tmp_path / "gap.gguf", tiny(), without=["blk.1.attn_q.weight"])
    with pytest.raises(
        ValueError, match=r"gap\.gguf' lacks 1 weights .*layers\.1\.self_attn\.q_proj"
    ):
        lens.load(file)
    broken = tiny()
    with torch.no_grad():
        broken.model.norm.weight[3] = torch.nan
    with pytest.raises(ValueError, match=r"'model\.norm\.weight' of .*nan\.gguf' holds NaN"):
        lens.load(write_gguf(tmp_path / "nan.gguf", broken))


def test_what_transformers_leaves_unread_is_said(tmp_path):
    changes = {"llama.rope.scaling.type": "yarn", "llama.rope.scaling.original_context_length": 64}
    file = write_gguf(tmp_path / "long.gguf", tiny(), changes=changes)
    with pytest.warns(UserWarning, match=r"scales how positions are rotated .*scaling\.type"):
        model = lens.load(file)
    assert model.tokenizer is None
    assert read_header(file).architecture == "llama"


def test_a_file_is_known_by_its_first_bytes_too(whole, tmp_path):
    other = tmp_path / "model.bin"
    other.write_bytes(whole.read_bytes())
    assert lens.load(other).config.num_hidden_layers == 2
