"""Whoever runs `localcloud ota` beside the cloud of a chain."""

import os
import re

from .chain_running import PRODUCT_KEY, Chain

# The simulated MCU with its bootloader, and what it is upgraded to.
HARD, OLD, NEW = "00000001", "00000001", "00000002"
SIZE = 30_000


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


def start_mcu(chain: Chain, *flags: object) -> None:
    """An MCU with a bootloader; what it has in flash outlives it."""
    flash = chain.processes.folder / "flash"
    chain.start_mcu("--flash", flash, "--soft-ver", OLD, "--hard-ver", HARD, "--piece", 512, *flags)


def begin_upgrade(chain: Chain, *flags: object) -> tuple[OtaOperator, str, str]:
    """Starts the chain, with an MCU image on trial: (operator, number of the image, did)."""
    chain.add_product()
    chain.start_cloud()
    start_mcu(chain, *flags)
    chain.start_agent()
    chain.agent.says("online, did")
    did = chain.bind()
    operator = OtaOperator(chain)
    operator.ota("keygen")
    number = operator.add(mcu_image(NEW, SIZE), "mcu", HARD, NEW)
    operator.ota("verify", number, did)
    return operator, number, did
