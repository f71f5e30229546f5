"""One page a file: TITLE (a key of the words), ICON, and `view(app)`, which builds the page."""
