"""The module's own software as one file that the cloud can offer to chips: what `gagent_upy.install` unpacks.

    gagent files 1
    <bytes> <path>
    0 .

The bytes of each file follow its line.
"""

from pathlib import Path


def pack(tree: Path) -> bytes:
    """All files under `tree`, by name."""
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    packed = b"gagent files 1\n"
    for name in names:
        content = (tree / name).read_bytes()
        packed += b"%d %s\n%s" % (len(content), name.encode(), content)
    return packed + b"0 .\n"
