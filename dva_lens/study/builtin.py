"""The studies that come with the package, and reading one from a file."""

import hashlib
from pathlib import Path
from typing import Any

from dva_lens.files import read_yaml
from dva_lens.models.presets import GRID
from dva_lens.statistics.inference.plan import claims_from
from dva_lens.study.definition import Study
from dva_lens.validation import meant, say_former

PLAN = "plan"
LADDER = ("transformer", "resformer-identity", "dva", "dva-separable")

SMALL = {
    "size": {"layers": 4, "width": 96, "heads": 4, "vocabulary": 2048, "context": 128},
    "recipe": {
        "steps": 120,
        "batch": 8,
        "learning_rate": 3e-3,
        "final_learning_rate": 3e-4,
        "warmup": 20,
        "eval_every": 30,
        "measurements": 5,
    },
    "texts": ("held-out", "shuffled"),
    "sequences": 24,
}

TASK = "bigram-backcopy"
KNOWN_ANSWER: dict[str, Any] = {
    "name": TASK,
    "task": TASK,
    "presets": (
        "transformer",
        "resformer-identity",
        "svformer",
        "gated",
        "dva",
        "dva-separable",
    ),
    "seeds": (0, 1, 2),
    "size": {"layers": 2, "width": 64, "heads": 2, "vocabulary": 64, "context": 64},
    "recipe": {
        "steps": 200,
        "batch": 16,
        "learning_rate": 1e-2,
        "final_learning_rate": 1e-3,
        "warmup": 20,
        "eval_every": 50,
        "measurements": 3,
    },
    "texts": ("held-out",),
    "sequences": 32,
}
"""A part in which sinks grow in seconds, and of which is known where they have to be."""

FAMILY = (
    "transformer",
    *("embedding-qk", "frozen-random", "static-learned", "random-fixed", "uniform"),
    *(
        "disentangled",
        "complex",
        "embedding-qk-hybrid",
        "random-fixed-hybrid",
        "uniform-hybrid",
        "taylor-hybrid",
    ),
    *("shared-pattern", "wide", "taylor", "decay", "alibi", "landmark", "combiner"),
    *("window", "routed", "linear", "relu"),
    *("hashed", "partial", "glu-mixer", "generated-gate", "causal-mean"),
)
"""Standard attention, and what weighs, sees or mixes tokens otherwise."""
MATCHED = {"by": "parameters", "baseline": "transformer"}

STUDIES: dict[str, dict[str, Any]] = {
    "quick": {
        "name": "quick",
        "presets": LADDER,
        "seeds": (0,),
        **SMALL,
        "start": True,
        "parts": (KNOWN_ANSWER,),
    },
    "grid": {"name": "grid", "presets": (GRID,), "seeds": (0, 1, 2), **SMALL},
    "zoo": {
        "name": "zoo",
        "presets": FAMILY,
        "seeds": (0, 1, 2),
        **SMALL,
        "size": {"layers": 2, "width": 64, "heads": 4, "vocabulary": 1024, "context": 64},
        "texts": ("held-out",),
        "start": True,
        "match": MATCHED,
        "parts": ({**KNOWN_ANSWER, "presets": FAMILY, "match": MATCHED},),
    },
    "reference-gpu": {
        "name": "reference-gpu",
        "presets": (*LADDER, "svformer", "dva-static"),
        "seeds": (0, 1, 2, 3, 4),
        "size": {"layers": 12, "width": 512, "heads": 8, "vocabulary": 8192, "context": 512},
        "recipe": {"steps": 2000, "batch": 32, "measurements": 8},
        "texts": ("held-out", "shuffled", "repeated"),
        "sequences": 64,
        "save_every": 200,
    },
}


def read_study(name: str) -> Study:
    """Return the built-in study of a name, or the study that a YAML file describes.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        There is no such study, or the file describes none; the message names the key.
    """
    if name in STUDIES:
        return Study.from_dict(STUDIES[name])
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(
            f"Unknown study {name!r}{meant(name, STUDIES)}: pass one of {', '.join(STUDIES)} or a "
            f".yaml file."
        )
    values = dict(read_yaml(path))
    say_former(Study, values, name)
    if (plan := values.pop(PLAN, None)) is not None:
        values["plan_sha256"] = _plan_hash(path, plan)
    try:
        return Study.from_dict({"name": path.stem, **values})
    except ValueError as error:
        raise ValueError(f"{name} describes no study. {error}") from error


def _plan_hash(study: Path, plan: Any) -> str:
    """Return the hash of the plan that a study file names, which must be one."""
    if not isinstance(plan, str):
        raise TypeError(f"{study} must name its plan as a file beside it, got {plan!r}.")
    file = study.parent / plan
    try:
        claims_from(read_yaml(file))
    except ValueError as error:
        raise ValueError(f"{file}, the plan of {study}, is none. {error}") from error
    return hashlib.sha256(file.read_bytes()).hexdigest()
