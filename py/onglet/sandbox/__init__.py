"""Programs that run behind walls: runner.py inside the sandbox, programs.py on this side."""
