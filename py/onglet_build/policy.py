"""What the site's documents and workers may do, in one place: the content security policy and the
headers that isolate the page. index.html, sw.js and dist/_headers are filled from here."""

import base64
import hashlib

from .places import WEB

# The one inline script: that of the sandbox's frame, which inherits the policy of the page.
FRAME_SCRIPT = (WEB / "sandbox" / "frame.js").read_text("utf-8")
_DIGEST = base64.b64encode(hashlib.sha256(FRAME_SCRIPT.encode()).digest()).decode()
FRAME_HASH = f"'sha256-{_DIGEST}'"
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src 'self' 'wasm-unsafe-eval' {FRAME_HASH}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self' blob:",
        "frame-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "object-src 'none'",
    )
)
# Of the one worker that downloads models (web/download.js): the service worker gives it to that
# address alone, and lets only those of its requests through whose host a person approved.
DOWNLOAD_POLICY = CONTENT_SECURITY_POLICY.replace(
    "connect-src 'self'", "connect-src 'self' https: http://127.0.0.1:* http://localhost:*"
)
# Of the sandbox's frame (web/page/sandbox.js), beside the page's own: no network, one worker.
SANDBOX_POLICY = f"default-src 'none'; script-src {FRAME_HASH} 'wasm-unsafe-eval'; worker-src blob:"
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
IMMUTABLE_FOLDERS = (
    *("a", "figures", "models", "ocr", "onnxruntime", "pdfium", "pyodide", "python", "sandbox"),
    "static",
    "workshop",
)


def headers_file() -> str:
    """Returns dist/_headers, for the static hosts that read one."""
    lines = ["/*", *(f"  {name}: {value}" for name, value in HEADERS.items())]
    for folder in IMMUTABLE_FOLDERS:
        lines += [f"/{folder}/*", "  Cache-Control: public, max-age=31536000, immutable"]
    return "\n".join(lines) + "\n"
