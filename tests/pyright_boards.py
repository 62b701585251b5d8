"""Checks the MicroPython port with the types of each board's firmware (a part of `make lint`).

    python tests/pyright_boards.py build/stubs/esp8266 build/stubs/esp32

The stubs know what a board's `machine`, `network` and `socket` have, which neither CPython nor the unix build tells.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from testkit import parts

ROOT = Path(__file__).resolve().parent.parent
PORT = ROOT / "ports" / "micropython"
# Lines of our own code that one board has no module for: a settings check keeps it away from there.
_NOT_ON = {"esp8266": ("gagent_upy/tls.py",), "esp32": ()}


def main() -> int:
    pyright = parts.find("pyright")
    if pyright is None:
        print("pyright not found: pip install -e '.[micropython]'; the port is not checked", file=sys.stderr)
        return 0
    return max([check(pyright, Path(stubs)) for stubs in sys.argv[1:]], default=2)


def check(pyright: str, stubs: Path) -> int:
    """0 when the port is clean with these stubs; otherwise what pyright says goes to stdout."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "pyrightconfig.json"
        settings.write_text(json.dumps(settings_for(stubs)))
        result = subprocess.run([pyright, "--project", str(settings)], capture_output=True, text=True)
    if result.returncode:
        print("%s:\n%s%s" % (stubs.name, result.stdout, result.stderr))
    return result.returncode


def settings_for(stubs: Path) -> dict[str, object]:
    """Of pyright: what is checked, and where types come from."""
    return {
        "include": [str(PORT / "gagent_upy"), str(PORT / "board")],
        "exclude": [str(PORT / name) for name in _NOT_ON[stubs.name]],
        "extraPaths": [str(ROOT), str(PORT)],
        "typeshedPath": str(stubs.resolve()),
        "stubPath": str(stubs.resolve()),
        "reportMissingModuleSource": "none",
    }


if __name__ == "__main__":
    sys.exit(main())
