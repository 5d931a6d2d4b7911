"""Where no GPU is, Triton's kernels run in its interpreter; it asks before its first import."""

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
