"""Studies and measurements on a Dask cluster: each run a task, retried elsewhere, written once."""
