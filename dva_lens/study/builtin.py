"""The studies that come with the package, and reading one from a file."""

import re
from pathlib import Path
from typing import Any, final

import yaml

from dva_lens.models.presets import GRID
from dva_lens.study.definition import Study

LADDER = ("transformer", "resformer-identity", "dva", "dva-separable")

SMALL = {
    "size": {"layers": 4, "width": 96, "heads": 4, "vocabulary": 2048, "context": 128},
    "recipe": {
        "steps": 120,
        "batch": 12,
        "learning_rate": 3e-3,
        "final_learning_rate": 3e-4,
        "warmup": 20,
        "eval_every": 30,
        "measurements": 5,
    },
    "probes": ("held-out", "shuffled"),
    "sequences": 24,
}

STUDIES: dict[str, dict[str, Any]] = {
    "quick": {"name": "quick", "presets": LADDER, "seeds": (0, 1), **SMALL},
    "grid": {"name": "grid", "presets": (GRID,), "seeds": (0, 1, 2), **SMALL},
    "reference": {
        "name": "reference",
        "presets": (*LADDER, "svformer", "dva-static"),
        "seeds": (0, 1, 2, 3, 4),
        "size": {"layers": 12, "width": 512, "heads": 8, "vocabulary": 8192, "context": 512},
        "recipe": {"steps": 2000, "batch": 32, "measurements": 8},
        "probes": ("held-out", "shuffled", "repeated"),
        "sequences": 64,
        "save_every": 200,
    },
}


@final
class Numbers(yaml.SafeLoader):
    """Plain YAML that reads 3e-4 as a number, which YAML 1.1 takes for text."""


Numbers.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    "-+0123456789",
)


def read_study(name: str) -> Study:
    """Return the built-in study of a name, or the study that a YAML file describes."""
    if name in STUDIES:
        return Study.from_dict(STUDIES[name])
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(
            f"Unknown study {name!r}: pass one of {', '.join(STUDIES)} or a .yaml file."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {name}; pass the path of a study's .yaml file.")
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Numbers)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise TypeError(f"{name} must map the keys of a study to values, got {values!r}.")
    return Study.from_dict({"name": path.stem, **values})
