"""The local cloud's embedded broker as a process: how an app logs in, as a line of JSON, then it serves until SIGTERM.

    python embedded.py FOLDER PORT

Any did may log in with any passcode: the bench has no devices to look up.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from localcloud.broker import AppLogin, DeviceLogin, make_broker


class _AnyDevice:
    """Knows every did, and nothing of it; no apps."""

    def device(self, did: str) -> DeviceLogin | None:
        return DeviceLogin(did, "", "", False)

    def devices(self) -> Iterable[DeviceLogin]:
        return ()

    def learn_passcode(self, did: str, passcode: str) -> None:
        pass

    def app(self, app_id: str, uid: str, token: str) -> AppLogin | None:
        return None

    def is_bound(self, uid: str, did: str) -> bool:
        return False

    def bound_dids(self, uid: str) -> list[str]:
        return []

    def is_token(self, uid: str, token_hash: str) -> bool:
        return False


class _Nobody:
    """Is told of presence and does not mind."""

    def device_connected(self, did: str, *, keepalive_s: int, ip: str, again: bool) -> None:
        pass

    def device_subscribed(self, did: str, topic_filter: str) -> None:
        pass

    def device_disconnected(self, did: str, reason: str) -> None:
        pass

    def app_joined(self, did: str, client: str) -> None:
        pass

    def app_left(self, did: str, client: str) -> None:
        pass


async def _serve(folder: Path, port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    broker = make_broker(
        "embedded", host="127.0.0.1", port=port, data_dir=folder, credentials=_AnyDevice(), listener=_Nobody()
    )
    await broker.start()
    login = {"username": broker.cloud_username, "password": broker.cloud_password}
    print(json.dumps(login), flush=True)
    await stop.wait()
    await broker.stop()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
