"""What training cost and how the loss fell."""

from dva_lens.reports.material import Material, number_in
from dva_lens.reports.page import Chart, DataTable, Part, Section
from dva_lens.views.training import training_curves


def section(material: Material) -> Section:
    """Return loss, size and cost of every training, and its curve."""
    parts: list[Part] = [costs(material)]
    if material.training:
        parts.append(Chart("loss-during-training", training_curves(material.training)))
    return Section("training", "Training and cost", tuple(parts))


def costs(material: Material) -> DataTable:
    """Return loss, size and cost of every training."""
    rows = [
        {
            "model": model,
            "seed": run.seed,
            "loss [nat]": number_in(run.attrs["loss"]),
            "parameters": _whole(run.attrs["parameters"]),
            "FLOPs per token": _whole(run.attrs["flops_per_token"]),
            "training time [s]": number_in(run.attrs["train_seconds"]),
            "KV cache per token [bytes]": _whole(run.attrs["kv_bytes_per_token"]),
        }
        for model, several in material.runs.items()
        for run in several
    ]
    caption = (
        "Loss on held-out text at the end of training. FLOPs of one forward pass. Training time "
        "is a single measurement on the machine named under Methods and depends on its load."
    )
    return DataTable.of("costs", "Every training", rows, caption)


def _whole(value: object) -> int | None:
    found = number_in(value)
    return None if found is None else round(found)
