"""The only floor that knows that a browser and JavaScript exist."""
