"""One page a file: TITLE (a key of the words), ICON (a row of web/components/dom.js), PLACE (its
place in the rail) and `view(app)`, which builds the page: a part that can be told `focus`. The
file's name is the page's name in the address (`#privacy`)."""
