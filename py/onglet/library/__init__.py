"""Models: where they come from, whether they fit, which are kept on this device."""
