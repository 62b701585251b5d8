"""Whoever runs `localcloud ota` beside the cloud of a chain."""

import os
import re

from .chain_running import PRODUCT_KEY, Chain


class OtaOperator:
    """Images get a number when they are added."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def ota(self, *words: object) -> str:
        """What the command printed."""
        process = self._chain.processes.run("localcloud", "ota", words[0], "--data", self._chain.data, *words[1:])
        assert process.wait() == 0
        return process.stdout

    def add(self, content: bytes, kind: str, hard: str, soft: str, name: str = "image.bin") -> str:
        """The number of a new image."""
        path = self._chain.processes.folder / name
        path.write_bytes(content)
        return self.ota("add", path, "--product", PRODUCT_KEY, "--kind", kind, "--hard", hard, "--soft", soft).strip()

    def state(self, number: str) -> tuple[str, int, str]:
        """State, percentage and remark of the first device that was told."""
        match = re.search(r"^\S{22}  (\w[\w ]*?) +(\d+) %  ?(.*)$", self.ota("status", number), re.MULTILINE)
        return (match[1], int(match[2]), match[3]) if match else ("", 0, "")


def mcu_image(soft: str, size: int) -> bytes:
    """What the bootloader of the simulated MCU takes for version `soft`."""
    return b"SOFT_VER=%s\n" % soft.encode() + os.urandom(size)
