"""The studies that come with the package, and reading one from a file."""

from pathlib import Path
from typing import Any

import yaml

from dva_lens.study.plan import Study

LADDER = ("transformer", "resformer-identity", "dva", "dva-separable")

STUDIES: dict[str, dict[str, Any]] = {
    "quick": {
        "name": "quick",
        "presets": LADDER,
        "seeds": (0, 1),
        "size": {"layers": 4, "width": 96, "heads": 4, "vocabulary": 2048, "context": 128},
        "recipe": {
            "steps": 160,
            "batch": 16,
            "learning_rate": 3e-3,
            "final_learning_rate": 3e-4,
            "warmup": 20,
            "eval_every": 40,
            "measurements": 5,
        },
        "probes": ("held-out", "shuffled"),
        "sequences": 24,
    },
}


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
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise TypeError(f"{name} must map the keys of a study to values, got {values!r}.")
    return Study.from_dict({"name": path.stem, **values})
