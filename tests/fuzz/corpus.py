"""The inputs that are kept for each fuzz target: `corpus/TARGET.b64`, an input in base64 a line, shortest first."""

import base64
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def read_corpus(target):
    """The inputs of a target, none when it has no file yet."""
    path = CORPUS / (target + ".b64")
    if not path.exists():
        return []
    return [base64.b64decode(line) for line in path.read_text(encoding="ascii").splitlines()]


def write_corpus(target, inputs):
    """Replace the inputs of a target."""
    lines = [base64.b64encode(data).decode() + "\n" for data in sorted(set(inputs), key=lambda data: (len(data), data))]
    (CORPUS / (target + ".b64")).write_text("".join(lines), encoding="ascii")
