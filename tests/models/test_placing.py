import pytest
import torch
from families import family

import dva_lens as lens
from dva_lens.models import placing
from dva_lens.models.placing import Placement, check_device, room_for

IDS = [1, 4, 5, 6, 7, 8, 9, 10]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "llama"
    family("llama").save_pretrained(folder)
    return folder


@pytest.mark.parametrize("options", [{"dtype": "bfloat16"}, {"dtype": torch.float64}])
def test_a_model_computes_in_the_dtype_that_was_asked_for(saved, options):
    model = lens.load(saved, device="cpu", **options)
    assert model.dtype == Placement(**options).numbers
    data = lens.measure(model, IDS, statistics="entropy")
    expected = lens.measure(lens.load(saved), IDS, statistics="entropy")
    tolerance = 0.02 if model.dtype == torch.bfloat16 else 1e-5
    assert abs(data["entropy"] - expected["entropy"]).max() < tolerance
    assert lens.load(family("llama"), dtype="float32").dtype == torch.float32


def test_a_model_that_is_spread_over_devices_measures_alike(saved):
    spread = lens.load(saved, device_map="auto")
    found = lens.measure(spread, IDS, statistics="entropy")
    expected = lens.measure(lens.load(saved), IDS, statistics="entropy")
    assert found["entropy"].equals(expected["entropy"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "cuda:99"}, r"no device 'cuda:99' on this machine; there is: cpu"),
        ({"device": "gpu"}, r"one that torch knows, such as cpu or cuda:0, got 'gpu'"),
        ({"dtype": "float8"}, r"one of float16, bfloat16, float32, float64, got 'float8'"),
        ({"device_map": "all"}, r"one of auto, balanced, .*, got 'all'"),
        ({"device": "cpu", "device_map": "auto"}, "both say where"),
        ({"revision": "main"}, r"revision='main' says how to fetch .* is on this disk"),
        ({"attention": "sideways"}, "one of causal, bidirectional, got 'sideways'"),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence(saved, options, said):
    with pytest.raises(ValueError, match=said):
        lens.load(saved, **options)


def test_how_to_open_a_model_says_nothing_of_a_loaded_one():
    with pytest.raises(ValueError, match=r"device_map='auto' .* is loaded already"):
        lens.load(family("llama"), device_map="auto")


def test_devices_that_are_there_are_taken(monkeypatch):
    monkeypatch.setattr(placing.torch.cuda, "device_count", lambda: 2)
    check_device("cuda")
    check_device("cuda:1")
    with pytest.raises(ValueError, match="there is: cpu, cuda:0, cuda:1"):
        check_device("cuda:2")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1 GiB."),
        RuntimeError(
            "MPS backend out of memory (MPS allocated: 1 GB). Tried to allocate 2.00 GiB."
        ),
    ],
)
def test_a_device_that_is_full_is_one_sentence(error, monkeypatch):
    model = family("llama")

    def full(*_, **__):
        raise error

    monkeypatch.setattr(model.model.layers[0], "forward", full)
    with pytest.raises(MemoryError, match=r"This measurement has no room on cpu, .* 2\.00 GiB; "):
        lens.measure(model, IDS, statistics="entropy")
    with pytest.raises(RuntimeError, match="something else"), room_for("It", "cpu"):
        raise RuntimeError("something else")
