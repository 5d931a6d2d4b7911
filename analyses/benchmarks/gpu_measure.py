"""Does `lens.measure` give on a GPU what it gives on a CPU, and what does it cost there?

Every preset, as it is recorded there by default, against the same model in float64 on the CPU;
and a model of SmolLM2-135M's shape in bfloat16, timed with and without the measurement.
"""

from typing import Any

import numpy as np
import torch
import xarray as xr

from dva_lens.measuring import measure

from .bench_measure import model_of
from .gpu_kernels import excess
from .gpu_speed import seconds

SIZE = {"layers": 3, "width": 32, "heads": 2, "vocabulary": 61, "context": 96}
LENGTHS = (96, 71)
RELATIVE, ABSOLUTE = 1e-5, 2e-6
OF_TOP_KEY = ("top_key_position", "top_key_t", "top_key_earlier", "top_key_drain")
"""What is said of the key that receives most: where scores are equal, rounding settles which."""
TIMES, TIMES_OF_LONG = 3, 1
LONG = 32768


def preset(name: str, device: str = "cuda") -> dict[str, Any]:
    """Hold every statistic of a preset to what a CPU measures in float64; say the worst."""
    from dva_lens.models.decoder import build
    from dva_lens.models.presets import Size
    from dva_lens.models.presets import preset as config_of

    config = config_of(name, Size(**SIZE))
    model: Any = build(config, 0).eval()
    ids = np.random.default_rng(0).integers(3, SIZE["vocabulary"], (len(LENGTHS), max(LENGTHS)))
    texts = [row[:length] for row, length in zip(ids, LENGTHS, strict=True)]
    found = measure(model.to(device), texts)
    want = measure(model.to("cpu", torch.float64), texts)
    level = config.scores.reads == "nothing"
    worst = {
        name: share(found[name], want[name])
        for name in want.data_vars
        if name in found and not (level and str(name).startswith(OF_TOP_KEY))
    }
    lost = sorted(map(str, set(want.data_vars) ^ set(found.data_vars)))
    largest = sorted(worst, key=lambda each: -worst[each])[:3]
    return {
        "backend": found.attrs["backend"],
        "statistics": len(worst),
        "worst": {str(name): round(worst[name], 4) for name in largest},
        **({"only_on_one": lost} if lost else {}),
        "holds": not lost and all(each <= 1 for each in worst.values()),
    }


def share(found: xr.DataArray, want: xr.DataArray) -> float:
    """Return the largest error as a share of what is allowed; words have to be the same."""
    if want.dtype.kind not in "fiub":
        return 0.0 if found.equals(want) else np.inf
    ours, theirs = (torch.as_tensor(each.values.astype(float)) for each in (found, want))
    return excess(ours, theirs, ABSOLUTE + RELATIVE * theirs.nan_to_num().abs())


def whole(length: int, device: str = "cuda") -> dict[str, Any]:
    """Time the default call on one sequence against the model's own forward, logits included."""
    model: Any = model_of(max(8192, length))
    model.to(device, torch.bfloat16)
    ids = np.random.default_rng(0).integers(0, model.config.vocab_size, (1, length))
    tokens = torch.as_tensor(ids, device=device)

    def plain() -> object:
        with torch.no_grad():
            return model(tokens, use_cache=False)

    def measured() -> object:
        return measure(model, ids)

    times = TIMES if length <= LONG else TIMES_OF_LONG
    (_, own_peak), (found, peak) = (_peak(run) for run in (plain, measured))
    forward, measuring = (seconds(run, times) for run in (plain, measured))
    return {
        "backend": found.attrs["backend"],
        "forward_s": round(forward, 4),
        "measure_s": round(measuring, 4),
        "ratio": round(measuring / forward, 3),
        "forward_peak_mib": round(own_peak, 1),
        "measure_peak_mib": round(peak, 1),
        "holds": True,
    }


def _peak(run: Any) -> tuple[Any, float]:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    found = run()
    return found, torch.cuda.max_memory_allocated() / (1 << 20)
