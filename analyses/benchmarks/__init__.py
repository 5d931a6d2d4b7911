"""What is measured of this package itself: speed, memory, coverage and known answers."""
