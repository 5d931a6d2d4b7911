"""The explorer as a reader starts it, for its benchmark: the real command over a made archive."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from dva_lens.measuring import measure
from dva_lens.results.schema import SCHEMA_VERSION
from dva_lens.results.writer import write_run

HEAD_WIDTH, VOCABULARY = 8, 512
PATIENCE = 120.0
"""Seconds after which a command that does not answer counts as failed."""


def make_archive(folder: Path, *, layers: int, heads: int, length: int, models: int) -> Path:
    """Measure decoders with random weights, edges and single queries kept, into an archive.

    What the explorer does depends on how many numbers there are, not on what they say.
    """
    count = 4 if length < 512 else 2 if length < 4096 else 1
    rows = np.random.default_rng(0).integers(0, VOCABULARY, (count, length))
    for seed in range(models):
        torch.manual_seed(seed)
        data = measure(_model(layers, heads, length), rows, keep="query")
        name = f"random-{'ab'[seed % 2]}"
        attrs = {
            "model": name,
            "preset": name,
            "seed": seed // 2,
            "label": f"{name}-{seed // 2}",
            "order": seed % 2,
            "schema": SCHEMA_VERSION,
            "config": json.dumps({"layers": layers, "heads": heads}),
            "parameters": 1,
            "flops_per_token": 1,
            "kv_bytes_per_token": 1,
            "train_seconds": None,
            "loss": None,
            "provenance": "{}",
        }
        data = data.assign_attrs({"model": name, "preset": name, "seed": seed // 2})
        write_run(folder, f"{seed:016x}", attrs=attrs, measurements={"held-out": data})
    return folder


def _model(layers: int, heads: int, length: int) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=heads * HEAD_WIDTH,
        intermediate_size=heads * HEAD_WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=length,
    )
    return LlamaForCausalLM(config).eval()


@final
@dataclass(frozen=True)
class Server:
    """An explorer that runs: its address, its process, and the seconds until it answered."""

    address: str
    pid: int
    seconds: float

    def processor_seconds(self) -> float:
        """Return what the process had of the processor so far."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the memory that the process holds, in MiB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


@contextmanager
def started(folder: Path) -> Iterator[Server]:
    """Run `dva-lens explore` until it answers; end it afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dva_lens.cli", "explore", str(folder), "--port", str(port)]
    address, begun = f"http://127.0.0.1:{port}", time.perf_counter()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            _wait(address, process)
            yield Server(address, process.pid, time.perf_counter() - begun)
        finally:
            process.send_signal(signal.SIGINT)


def _wait(address: str, process: "subprocess.Popen[bytes]") -> bytes:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"`dva-lens explore` ended with code {process.returncode}.")
        with (
            suppress(urllib.error.URLError),
            urllib.request.urlopen(address, timeout=PATIENCE) as answer,
        ):
            return answer.read()
        time.sleep(0.02)
    raise TimeoutError(f"`dva-lens explore` did not answer within {PATIENCE:g} s.")
