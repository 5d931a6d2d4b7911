"""Text: where it comes from, how it becomes tokens, and the probes it is measured on."""
