"""The explorer: pages on an archive, with the URL as the only state."""
