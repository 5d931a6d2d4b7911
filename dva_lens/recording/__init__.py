"""From a running model to records, without interpreting a number."""
