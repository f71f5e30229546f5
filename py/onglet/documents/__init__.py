"""Documents: read, cut into passages, kept, found again, cited."""
