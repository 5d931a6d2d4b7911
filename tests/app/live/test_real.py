"""The command itself, once: a model is run on a typed text, and its text is on the pages."""

import json

import pytest
from dva_lens.app.layout import page_at
from dva_lens.app.live.tasks import Changing, Measuring
from dva_lens.app.workbench import Workbench
from plotly.utils import PlotlyJSONEncoder
from small_text import small_corpus

from dva_lens.data.tokenizer import train_tokenizer
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.decoder import build
from dva_lens.models.presets import Size, preset
from dva_lens.results.archive import scan
from dva_lens.results.display import displayed_tokens

TEXT = "query key sink drain <b> ö\n<|endoftext|>\nhead layer value " + "residual " * 40


@pytest.fixture
def bench(tmp_path):
    tokenizer = train_tokenizer(small_corpus(), 270)
    size = Size(layers=2, width=16, heads=2, vocabulary=tokenizer.get_vocab_size(), context=32)
    save_checkpoint(tmp_path / "mine", build(preset("transformer", size), seed=0), tokenizer, {})
    made = Workbench(scan(tmp_path), [str(tmp_path / "mine")])
    yield made
    made.close()


@pytest.mark.slow
def test_a_model_is_run_and_changed_by_the_command_line(bench):
    model = bench.models["mine"]
    bench.runner.start(Measuring(model, TEXT))
    bench.runner.join(200.0)
    assert bench.runner.job.phase == "finished", bench.runner.job.said
    (found,) = bench.results
    assert found.runs == ("mine · live 1",)
    held = bench.library.display("mine · live 1", "live-1")
    first, *rest = (displayed_tokens(held, at) for at in range(held.sizes["shown"]))
    assert "".join(first).endswith("query key sink drain <b> ö")
    assert len(rest) > 1, "the second text is longer than the model takes"
    page = page_at(bench.library, "/tokens", "run=mine · live 1&text=live-1&sequence=1")
    assert "where it looks" in json.dumps(page, cls=PlotlyJSONEncoder)
    bench.runner.start(Changing(model, TEXT, "drop-head", {"layer": 5, "head": 0}))
    bench.runner.join(200.0)
    assert bench.runner.job.said == "layer must be below 2, the layers of mine, got 5."
