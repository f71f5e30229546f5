"""Floor 2: what a model is, what is asked of the engine, what it answers. No screen, no browser."""
