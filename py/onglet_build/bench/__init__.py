"""What `build.py bench` is made of; see tests/bench/README.md for the method."""
