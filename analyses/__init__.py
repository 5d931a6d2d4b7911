"""Scripts that answer one question each; run them with `python -m dva_lens.analyses.NAME`."""
