"""What a block can be made of: one package per axis, with one literal table of variants in each.

A package's face holds the variants as plain values: what they are, what they cost and when they
make sense. It needs no torch, so that listing and planning are instant. `parts` holds what they
compute, and is imported when a model is built.
"""
