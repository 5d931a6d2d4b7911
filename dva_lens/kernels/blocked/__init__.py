"""Attention in blocks of queries, in memory linear in length: with gradients, and recorded."""
