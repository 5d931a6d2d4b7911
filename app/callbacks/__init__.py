"""Thin answers to what a reader does."""
