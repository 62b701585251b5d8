"""The chip's broker session in a program of a test's, and brokers that behave as the test wants."""

import asyncio
import contextlib

from . import mqtt_script as script
from . import upy_program
from .raw_server import serving

# The prelude of each: an uplink that notes what happens, and a connect to `port`.
PROGRAM = """
from gagent.effects import MqttConnect
from gagent_upy.uplink import Uplink

tls = None
if {ca!r}:
    from gagent_upy.tls import Tls

    tls = Tls({ca!r})
uplink = Uplink(poll, network, buf, feed, agent, 0, tls)
keepalive_s = 3600
topics = ("ser2cli_noti/pk", "ser2cli_res/did", "app2dev/did/#")
effect = MqttConnect("127.0.0.1", {port}, "did", "did", "passcode", keepalive_s, topics)
connect = lambda: uplink.connect(effect, clock.now())
report = lambda payload: uplink.publish("dev2app/did", payload, 1, clock.now())
hears = lambda count: spin(uplink, lambda: len(heard) >= count)
passes = lambda ms: spin(uplink, lambda: False, ms)
connect()
{program}
# The broker reads also what was sent last.
settle()
# A message is a view of what was read.
heard = [tuple([bytes(part) if isinstance(part, memoryview) else part for part in item]) for item in heard]
print(repr((clock.now() // 1000, heard, uplink.reason, uplink.dropped)))
"""


_SHORT = {"mqtt_connected": ("connected",), "mqtt_lost": ("lost",), "receive_publish": ()}


class Session:
    """What one client sent: `packets` after the three subscriptions, `topics` of these, `connect` before them."""

    def __init__(self):
        self.packets = []
        self.topics = []


def play(folder, program, *talks, authority=None):
    """What `program` saw (seconds, heard, reason, dropped), and what each session saw, talked to by one of `talks`.

    `authority` signs the broker's certificate; None: the connection is plain.
    """
    tls = authority.issue("127.0.0.1").server_context() if authority else None
    ca = str(authority.ca) if authority else ""

    async def scenario():
        sessions = []
        waiting = list(talks)

        async def talk(reader, writer):
            session = Session()
            sessions.append(session)
            await waiting.pop(0)(session, reader, writer)

        async with serving(talk, tls) as port:
            lines = await upy_program.run(PROGRAM.format(port=port, program=program, ca=ca), folder)
        seconds, heard, reason, dropped = eval(lines[-1])
        return seconds, [_SHORT.get(item[0], ()) + item[1:] for item in heard], reason, dropped, sessions

    return asyncio.run(scenario())


async def login(session, reader, writer):
    """Lets the client log in and subscribe."""
    session.topics = await script.accept(reader, writer)


async def collect(session, reader, writer, is_acking=True):
    """Every packet until the client leaves; a publish of QoS 1 is acked."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            kind, body = await script.read_packet(reader)
            session.packets.append((kind, body))
            if kind & 0x36 == 0x32 and is_acking:
                end = 2 + int.from_bytes(body[:2], "big")
                writer.write(script.packet(script.PUBACK, body[end : end + 2]))
            elif kind == 0xC0:
                writer.write(script.packet(0xD0))


async def good(session, reader, writer):
    """A broker as it should be."""
    await login(session, reader, writer)
    await collect(session, reader, writer)


async def deaf(session, reader, writer):
    """One that acknowledges no report."""
    await login(session, reader, writer)
    await collect(session, reader, writer, is_acking=False)


async def dead(session, reader, writer):
    """One that says nothing after the login."""
    await login(session, reader, writer)
    while await reader.read(100):
        pass


def sends(*pieces, is_closed=False):
    """One that sends these pieces after the login, then closes or listens."""

    async def talk(session, reader, writer):
        await login(session, reader, writer)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        if not is_closed:
            await collect(session, reader, writer)

    return talk


def refuses(code):
    """One that refuses the login."""

    async def talk(session, reader, writer):
        await script.read_packet(reader)
        writer.write(script.connack(code))

    return talk


async def says_nothing(session, reader, writer):
    """One that does not even answer the login."""
    while await reader.read(100):
        pass


def reports(session):
    """(payload, is sent again) of every report in a session."""
    found = []
    for kind, body in session.packets:
        if kind & 0xF6 == 0x32:
            end = 2 + int.from_bytes(body[:2], "big")
            found.append((body[end + 2 :], bool(kind & 8)))
    return found
