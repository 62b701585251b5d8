"""The client's half of `public_client.py`; runs where heatzypy is installed, and knows nothing of this project."""

import asyncio
import json
import socket
import ssl
import sys

import aiohttp
from aiohttp.abc import AbstractResolver
from heatzypy import HeatzyClient

WORLD = json.loads(sys.argv[1])


class Dns(AbstractResolver):
    """Leads the names of the maker to this machine, as a router would."""

    async def resolve(self, host, port=0, family=socket.AF_INET):
        port = WORLD["ports"][host]
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self):
        pass


async def main():
    connector = aiohttp.TCPConnector(resolver=Dns(), ssl=ssl.create_default_context(cafile=WORLD["ca"]))
    session = aiohttp.ClientSession(connector=connector)
    told = asyncio.Queue()
    async with HeatzyClient(WORLD["username"], WORLD["password"], session) as client, asyncio.timeout(20):
        assert list(await client.async_get_devices()) == [WORLD["did"]]
        client.websocket.register_callback(lambda state: told.put_nowait(state["attrs"]))
        await client.websocket.async_connect()
        listening = asyncio.create_task(client.websocket.async_listen())
        print((await told.get())["mode"])
        await client.websocket.async_control_device(WORLD["did"], {"attrs": {"mode": "night", "power": 0}})
        await client.websocket.async_control_device(WORLD["did"], {"raw": [1, 1, 3]})
        # Over the same road, so that the two above are through.
        await client.websocket.async_ping()
        await asyncio.sleep(0.5)
        await client.async_control_device(WORLD["did"], {"attrs": {"mode": 1}})
        print(client.websocket.last_invalid_msg or "no error")
        listening.cancel()


asyncio.run(main())
