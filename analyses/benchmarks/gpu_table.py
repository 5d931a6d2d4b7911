"""The checks of a GPU by name, in groups that share a process; and the machine they run on."""

import sys
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import dva_lens

DTYPES = ("float32", "float16", "bfloat16")
WIDTHS = ((16, 16), (24, 40), (128, 64), (128, 128))
WIDE = 200
FEW_RULES = ("causal", "packed", "sink-and-number", "sigmoid")
TIMED_LENGTHS = (2048, 8192, 32768, 131072)
MEASURED_LENGTHS = (1024, 8192, 131072)
SHARES = 4
SOURCES = {
    "training": ("kernels", "models", "mechanisms"),
    "measure": ("kernels", "models", "mechanisms", "recording", "measuring", "statistics"),
}
VERSIONS = ("torch", "triton", "numpy")
Check = Callable[[], dict[str, Any]]


def groups() -> list[list[str]]:
    """Return the names of all checks that this installation can make, in groups."""
    from .gpu_kernels import FORMS, RULES

    found = [[f"forward/{rule}/{dtype}" for dtype in DTYPES] for rule in RULES]
    found += [[f"widths/{a}-{b}/{dtype}" for dtype in DTYPES] for a, b in WIDTHS]
    found += [[f"forms/{form}/{rule}" for rule in FEW_RULES] for form in FORMS if form != "static"]
    found += [[f"gradients/{rule}"] for rule in RULES]
    found += [[f"wide-gradients/{rule}"] for rule in FEW_RULES]
    found += [[*(f"speed/attention/{length}" for length in TIMED_LENGTHS), "speed/pairwise"]]
    if find_spec("transformer_lens") is not None:
        from dva_lens.models.presets import PRESETS

        measured = [f"measure/{name}" for name in PRESETS]
        found += [measured[first::SHARES] for first in range(SHARES)]
        found += [[f"speed/measure/{length}" for length in MEASURED_LENGTHS]]
        found += [[f"training/{name}" for name in PRESETS]]
    return found


def check_of(name: str) -> Check:
    """Return the check of a name.

    Raises
    ------
    KeyError
        There is no check of this name.
    """
    kind, _, rest = name.partition("/")
    if kind == "measure" or name.startswith("speed/measure/"):
        return _measured(rest)
    if kind in ("speed", "training"):
        return _timed(kind, rest)
    return _of_kernels(kind, rest)


def _measured(rest: str) -> Check:
    from . import gpu_measure

    length = rest.removeprefix("measure/")
    if length != rest:
        return partial(gpu_measure.whole, int(length))
    return partial(gpu_measure.preset, rest)


def _timed(kind: str, rest: str) -> Check:
    from . import gpu_speed

    if kind == "training":
        return partial(gpu_speed.training, rest)
    what, _, length = rest.partition("/")
    return partial(gpu_speed.attention, int(length)) if length else getattr(gpu_speed, what)


def _of_kernels(kind: str, rest: str) -> Check:
    from .gpu_kernels import FEW_LENGTHS, LENGTHS, forward, gradients

    first, _, second = rest.partition("/")
    if kind == "forward":
        lengths = LENGTHS if second == "float32" else LENGTHS[1:]
        return partial(forward, first, dtype=second, lengths=lengths)
    if kind == "widths":
        a, b = map(int, first.split("-"))
        return partial(forward, "window", dtype=second, widths=(a, b), lengths=FEW_LENGTHS[1:])
    if kind == "forms":
        return partial(forward, second, first, widths=(32, 48), lengths=FEW_LENGTHS)
    if kind == "gradients":
        return partial(gradients, rest)
    if kind == "wide-gradients":
        return partial(gradients, rest, width=WIDE, lengths=FEW_LENGTHS[1:])
    name = f"{kind}/{rest}"
    raise KeyError(f"Unknown check {name!r}; --list names them.")


def sources(name: str) -> str:
    """Return the fingerprint of the sources that a check depends on."""
    root = Path(dva_lens.__file__).parent
    kind = name.removeprefix("speed/").partition("/")[0]
    folders = SOURCES.get(kind, ("kernels",))
    found = sha256()
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
        found.update(path.read_bytes())
    for path in sorted(Path(__file__).parent.glob("gpu_*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def here() -> dict[str, Any] | None:
    """Return the GPU and the versions, or None where the kernels cannot run."""
    import torch

    if not torch.cuda.is_available() or find_spec("triton") is None:
        return None
    gpu = torch.cuda.get_device_properties(0)
    return {
        "hardware": {
            "gpu": gpu.name,
            "memory_gib": round(gpu.total_memory / (1 << 30), 1),
            "capability": f"{gpu.major}.{gpu.minor}",
            "processors": gpu.multi_processor_count,
        },
        "versions": {
            "python": sys.version.split()[0],
            "cuda": str(torch.version.cuda),
            **{name: _version(name) for name in VERSIONS},
        },
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


class _Shape:
    """Stands where a shape is written: every subscript of it is the tensor itself."""

    def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
        return item[0]


def stand_in_for_shapes() -> None:
    """Let the kernels be imported where jaxtyping is not installed: shapes then say nothing."""
    if sys.modules.get("jaxtyping") or find_spec("jaxtyping") is not None:
        return
    module = ModuleType("jaxtyping")
    for name in ("Float", "Int", "Bool", "Real", "Shaped"):
        setattr(module, name, _Shape)
    sys.modules["jaxtyping"] = module
