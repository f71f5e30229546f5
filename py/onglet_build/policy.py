"""What the site's documents and workers may do, in one place: the content security policy and the
headers that isolate the page. index.html, sw.js and dist/_headers are filled from here."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
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
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
IMMUTABLE_FOLDERS = ("a", "models", "onnxruntime", "pyodide", "python", "static", "workshop")


def headers_file() -> str:
    """Returns dist/_headers, for the static hosts that read one."""
    lines = ["/*", *(f"  {name}: {value}" for name, value in HEADERS.items())]
    for folder in IMMUTABLE_FOLDERS:
        lines += [f"/{folder}/*", "  Cache-Control: public, max-age=31536000, immutable"]
    return "\n".join(lines) + "\n"
