"""ONNX graphs that a person opens: what they hold, a picture, values for them, what comes out."""
