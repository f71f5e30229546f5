"""Onglet: people talk to a small language model that runs in their own browser tab."""
