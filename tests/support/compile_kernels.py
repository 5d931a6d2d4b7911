"""Compile the Triton kernels for an H200, which needs no GPU; prints registers left in memory."""

import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from dva_lens.kernels.fused.forward import forward
from dva_lens.kernels.fused.launch import CHUNK, padded, tiles_of, tiles_of_received
from dva_lens.kernels.fused.pairwise import pull_keys, pull_queries
from dva_lens.kernels.fused.received import received

RULE = {
    "CAUSAL": True, "WINDOW": False, "SEGMENTS": False, "SOFTCAP": False, "TENSOR_BIAS": False,
    "SIGMOID": False, "PRECISION": "ieee",
}  # fmt: skip
OTHER = dict.fromkeys(("WINDOW", "SEGMENTS", "SOFTCAP", "TENSOR_BIAS"), True)
PAIRS = {"SINK": False, "VALUES": 2, "MEASURE": True}
CASES = {
    "forward": (forward, "bf16", 128, {"SINK": True, "VALUES": 0, "MEASURE": True}),
    "forward-of-all": (forward, "fp16", 32, {"SINK": True, "VALUES": 1, "MEASURE": True, **OTHER}),
    "forward-of-pairs": (forward, "fp32", 32, PAIRS),
    "received": (received, "bf16", 128, {}),
    "received-of-all": (received, "fp32", 32, OTHER),
    "forward-of-wide-pairs": (forward, "fp32", 512, PAIRS),
    "pull-queries": (pull_queries, "fp32", 32, {}),
    "pull-keys": (pull_keys, "fp32", 32, OTHER),
}  # fmt: skip


def types(name, dtype):
    if name in ("Q", "K", "V"):
        return f"*{dtype}"
    if name == "Segments":
        return "*i32"
    if name == "Visible":
        return "*i64"
    if name[0].isupper():
        return "*fp32"
    return "fp32" if name in ("scale", "softcap", "bias") else "i32"


def compiled(kernel, dtype, width, settings):
    how = settings.get("VALUES", 2 if kernel in (pull_queries, pull_keys) else 0)
    tiles = tiles_of(width, width, how, 4 if dtype == "fp32" else 2)
    if kernel is received:
        tiles = tiles_of_received(width, 4 if dtype == "fp32" else 2)
    tiles = tiles.turned if kernel is pull_keys else tiles
    known = {
        **RULE, **settings, **tiles.of_pairs,
        "QK": width, "DV": width, "BLOCK_QK": padded(width), "BLOCK_DV": padded(width),
        "CHUNK": min(CHUNK, padded(width)),
    }  # fmt: skip
    known = {name: value for name, value in known.items() if name in kernel.arg_names}
    signature = {
        name: "constexpr" if name in known else types(name, dtype) for name in kernel.arg_names
    }
    source = ASTSource(kernel, signature, constexprs=known)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=tiles.running)


for name in sys.argv[1:] or CASES:
    made = compiled(*CASES[name])
    sys.stdout.write(f"{name} {made.metadata.shared}\n")
