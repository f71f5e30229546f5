"""Where things lie in the tree. Knows no step."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PY = ROOT / "py"
WEB = ROOT / "web"
STATIC = ROOT / "static"
BUILD = ROOT / "build"
CACHE = BUILD / "cache"
DIST = ROOT / "dist"
MODEL_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
