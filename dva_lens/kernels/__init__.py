"""Attention itself: the specification, the fast paths that answer to it, and their summaries."""
