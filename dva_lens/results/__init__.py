"""Where results live on disk: readable with xarray alone."""
