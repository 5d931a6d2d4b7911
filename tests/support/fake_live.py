"""A stand-in for the commands that Live runs, and what it leaves instead of running a model."""

import json
import sys
from pathlib import Path

from dva_lens.app.server import BENCH
from fake_edges import with_edges
from fakes import fake_measurement, run_attrs
from plotly.utils import PlotlyJSONEncoder

from dva_lens.results.display import displayed_tokens
from dva_lens.results.writer import write_run

SCRIPT = Path(__file__).with_name("fake_command.py")
COMMAND = (sys.executable, "-S", "-E", str(SCRIPT))
MODEL = "openai/gpt2"


def leave(folder):
    """Write what `measure` and `intervene` are to leave, and return the folder."""
    sizes = {"layers": 2, "heads": 2, "sequences": 2, "length": 32}
    data = with_edges(fake_measurement("gpt2", keep_queries=True, **sizes))
    attrs = run_attrs("gpt2", 0, order=0, heads=2)
    write_run(folder / "archive", "key", attrs=attrs, measurements={"text": data})
    triple = {"mean": 0.25, "low": 0.125, "high": 0.375}
    loss = {"units": "nat", "note": "", "as_is": 3.0, "meaning": "loss"}
    loss |= dict.fromkeys(("intervention", "control", "difference"), triple)
    found = {"intervention": {"intervention": "drop-head", "layer": 1}, "control": "other heads"}
    changes = {"loss": {"intervention": [0.5, -0.25, None]}}
    sequence = {"tokens": ["a", "\u202e", " c"], "changes": changes}
    found |= {"draws": 4, "effects": {"loss": loss}, "mass": None, "sequences": [sequence]}
    (folder / "effects.json").write_text(json.dumps(found))
    numbers = ("dot", "scale", "bias", "logit", "weight", "row_mass", "value_norm")
    pair = dict.fromkeys((*numbers, "written_norm", "output_norm", "share"), 0.5)
    pair |= {"factor": 1.0, "similarity": "exponential"}
    pair |= {"layer": 1, "head": 0, "query": 5, "key": 0, "query_token": "\u202e"}
    pair |= {"key_token": "a", "softcap": None, "visible": 6, "rank": 1, "static": False}
    (folder / "pair.json").write_text(json.dumps(pair))
    (folder / "tiles.json").write_text(json.dumps(tiles(displayed_tokens(data))))
    return folder


def tiles(tokens):
    """Return the document of a causal pattern whose queries look at the first key most."""
    edges, places = list(range(len(tokens) + 1)), range(len(tokens))
    weights = [[0.5 / (1 + key) if key <= query else None for key in places] for query in places]
    seen = [[int(key <= query) for key in places] for query in places]
    about = {"model": "gpt2", "layer": 0, "head": 0, "sequence": 0, "tokens": list(tokens)}
    about |= {"queries": edges, "keys": edges, "seen": seen}
    return about | {"mean": weights, "highest": weights}


def fake_live(app, left):
    """Let an explorer leave what lies in a folder instead of running a model."""
    from dva_lens.app.server import BENCH

    app.server.extensions[BENCH].runner._command = (*COMMAND, str(left))
    return app


def written(part):
    """Return a part of a page as the browser gets it."""
    return json.dumps(part, cls=PlotlyJSONEncoder, ensure_ascii=False)


def ended(app):
    """Wait until the job of an explorer has ended."""
    app.server.extensions[BENCH].runner.join(200.0)
