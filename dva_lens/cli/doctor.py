"""`dva-lens doctor`: versions, devices and backends, and anything missing."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import typer

NEEDED = (
    "torch",
    "transformer-lens",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
    "xarray",
    "zarr",
    "plotly",
    "dash",
    "dash-mantine-components",
    "pydantic",
    "jinja2",
    "latex2mathml",
)
OPTIONAL = {
    "triton": ("the fused backend on NVIDIA GPUs", "pip install 'dva-lens[gpu]'"),
    "matplotlib": ("figures as PDF", "pip install 'dva-lens[figures]'"),
    "gguf": ("checkpoints as GGUF files", "pip install 'dva-lens[gguf]'"),
    "datasets": ("texts named hf:NAME", "pip install 'dva-lens[hub]'"),
    "distributed": ("--cluster", "pip install 'dva-lens[cluster]'"),
    "pyarrow": ("export --format parquet", "pip install pyarrow"),
}


def doctor() -> None:
    """Check the installation: versions, devices, backends, and anything missing.

    Example: dva-lens doctor
    """
    missing = False
    typer.echo(f"dva-lens {version('dva-lens')}, Python {platform.python_version()}")
    for name in NEEDED:
        found = installed(name)
        missing |= found is None
        typer.echo(f"  {name:<24} {found or 'MISSING; reinstall dva-lens'}")
    typer.echo("Optional")
    for name, (use, how) in OPTIONAL.items():
        typer.echo(f"  {name:<24} {installed(name) or f'not installed (for {use}): {how}'}")
    if not missing:
        typer.echo("Devices and backends")
        for line in devices():
            typer.echo(f"  {line}")
    if missing:
        raise typer.Exit(1)


def installed(name: str) -> str | None:
    """Return the version of a package, or None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def devices() -> Iterator[str]:
    """Say what torch can compute on and which recording backend that means."""
    import torch

    from dva_lens.kernels.backends import BACKENDS, choose

    yield f"cpu: {os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads"
    for index in range(torch.cuda.device_count()):
        yield f"cuda:{index}: {torch.cuda.get_device_name(index)}"
    yield f"backends: {', '.join(BACKENDS)}"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    yield f"auto selects {choose('auto', device)} on {device}"
    if find_spec("triton") is None or device.type != "cuda":
        yield "fused is unavailable: it requires triton and an NVIDIA GPU"
