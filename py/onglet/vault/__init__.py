"""What is kept: the store, its tables, the conversations in it, and files to take away."""
