"""Attention as Triton kernels, for NVIDIA GPUs; nothing here is imported until it is needed."""
