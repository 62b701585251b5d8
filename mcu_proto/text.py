"""Text fields of fixed width: ASCII, padded with 00 (some MCUs: blanks). Serial manual, chapters 3 and 4."""

from .errors import LocalError


def read_text(payload, at, size) -> str:
    """ASCII text without its padding; bytes that are not printable ASCII become '?'."""
    out = ""
    for b in bytes(payload[at : at + size]).rstrip(b"\x00 "):
        out += chr(b) if 32 <= b < 127 else "?"
    return out


def padded(text, size) -> bytes:
    """`text` in a field of `size` bytes; LocalError when it does not fit."""
    data = text.encode()
    if len(data) > size:
        raise LocalError("text of %d bytes in a field of %d" % (len(data), size))
    return data + bytes(size - len(data))
