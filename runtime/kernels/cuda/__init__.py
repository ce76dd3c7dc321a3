"""Kernels of the CUDA device."""
