"""The build: one step a file, each a function that writes into a folder. Verbs are in `build.py`.

Nothing here reaches the site, and nothing here is imported by `onglet`.
"""
