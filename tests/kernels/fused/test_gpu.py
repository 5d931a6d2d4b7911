"""What Triton's interpreter cannot try: bfloat16, and the compiled kernels at larger lengths."""

import pytest
import torch
from dva_lens.analyses.benchmarks.gpu_kernels import RULES, forward, gradients

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU here"),
]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule(rule, dtype):
    found = forward(rule, dtype=dtype, lengths=(37, 333))
    assert found["holds"], found


@pytest.mark.parametrize("rule", RULES)
def test_every_gradient(rule):
    found = gradients(rule, lengths=(37, 130))
    assert found["holds"], found
