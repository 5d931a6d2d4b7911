"""What a block can be made of: one package per axis, one file per variant.

The face of an axis holds what its variants have in common and the literal table of their names,
each with one line of words. It needs no torch, so that listing is instant. The file of a variant,
called like it, holds all of it in reading order: what it is, its formula and source, what it
costs, and the module that it builds.
"""
