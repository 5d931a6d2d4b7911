import numpy as np
import pytest
from families import family
from own_models import tiny

import dva_lens as lens
from dva_lens.models import seeing

IDS = [1, 4, 5, 6, 7, 8, 9, 10, 11, 12]


@pytest.mark.parametrize("name", ["llama", "gemma2", "bert", "roberta"])
@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
def test_a_model_attends_as_it_is_asked_to(name, attention):
    model = lens.load(family(name), attention=attention)
    assert seeing.looks_ahead(model) == (attention == "bidirectional")
    data = lens.measure(model, IDS, statistics=["entropy", "loss"])
    rows = data["rows_by_layer"] if "rows_by_layer" in data else data["rows"]
    spans = np.flatnonzero(rows.sum([dim for dim in rows.dims if dim != "span"]))
    assert (len(spans) == 1) == (attention == "bidirectional" and name != "gemma2")
    if attention == "bidirectional":
        assert np.isnan(data["loss"]).all()  # nothing is left to predict


def test_the_attention_a_model_has_anyway_changes_nothing():
    expected = lens.measure(family("llama"), IDS, statistics="entropy")
    found = lens.measure(lens.load(family("llama"), attention="causal"), IDS, statistics="entropy")
    assert found["entropy"].equals(expected["entropy"])


def test_a_model_that_keeps_its_attention_is_refused(monkeypatch):
    with pytest.raises(TypeError, match="A Decoder attends as it is built"):
        lens.load(tiny("transformer"), attention="bidirectional")
    monkeypatch.setattr(seeing, "looks_ahead", lambda model: False)
    with pytest.raises(ValueError, match=r"LlamaForCausalLM makes its masks .*to both sides"):
        lens.load(family("llama"), attention="bidirectional")
