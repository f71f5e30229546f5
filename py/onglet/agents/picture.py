"""A link as a QR code: rows of dots. Encoded by the library segno; knows no screen."""

MOST = 2953  # bytes that the largest code holds, with the least error correction
QUIET = 4  # dots of margin that readers want


def rows(text: str) -> list[str] | None:
    """The code's rows with its margin, a letter 1 for each dark dot; None: too long a text."""
    if len(text.encode()) > MOST:
        return None
    import segno  # with the first code, not with the app: it makes its tables when it is imported

    code = segno.make(text, error="l", micro=False)
    lines = code.matrix_iter(scale=1, border=QUIET)
    return ["".join("1" if dot else "0" for dot in line) for line in lines]
