"""Callbacks: from an address to a page, and from a changed selection to what it changes."""
