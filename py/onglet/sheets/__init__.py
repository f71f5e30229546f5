"""Side sheets: what runs (model.py) and what left the tab (silence.py)."""
