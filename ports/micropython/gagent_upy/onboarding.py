"""Configuration by a network of our own: somebody joins it and names the network to use. LAN notes, chapter 9.

Two ways in: the datagram 0x0001 on UDP 12414 that vendor apps send, and a web form on http://10.10.100.254/. Loaded
only in this mode. Survives: forms cut anywhere, too long or without an end, one phone at a time; wrong lengths are
answered with the form again, wrong datagrams not at all.
"""

import select
import socket
from os import urandom

import network

from gagent import wire
from mcu_proto.const import const
from mcu_proto.errors import RemoteError

_ADDRESS = "10.10.100.254"
_UDP_PORT = const(12414)
_CMD_CONFIGURE = const(0x0001)
_CMD_CONFIGURED = const(0x0002)
_MODE = const(300000)
# Apps that saw no ack yet send again; the page must have left as well.
_LINGER = const(3000)
_PATIENCE = const(5000)
_MAX_REQUEST = const(1024)

_PAGE = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>Wi-Fi</title><style>body{font:1.1em sans-serif;max-width:22em;margin:2em auto;padding:0 1em}"
    "input,button{font:inherit;width:100%;box-sizing:border-box;padding:.5em;margin:.3em 0 1em}</style>"
    "<h1>Wi-Fi for this device</h1>"
)
_FORM = (
    '<form method="post"><label>Network name<input name="ssid" maxlength="32" required></label>'
    '<label>Password<input name="pass" type="password" maxlength="64"></label><button>Connect</button></form>'
)
_WRONG = "<p>A name has 1 to 32 bytes, a password 8 to 63 characters or none.</p>"
_DONE = "<p>Thank you. The device now joins that network, and this one ends.</p>"


class Onboarding:
    """`turn` gives [ssid, key] when somebody told it, [] when the time is over, else None; `due` is when it must."""

    def __init__(self, poll, form_port, password, mac, now):
        self.ssid = "XPG-GAgent-" + mac[-4:]
        self._poll = poll
        self._until = self.due = now + _MODE
        self._found = None
        self._client = None
        self._access_point = network.WLAN(network.AP_IF)
        self._access_point.active(True)
        # Where there is no such number (Pico W), WPA2 is what a key means.
        security = {"security": network.AUTH_WPA2_PSK} if hasattr(network, "AUTH_WPA2_PSK") else {}
        self._access_point.config(ssid=self.ssid, key=password, **security)
        self._access_point.ifconfig((_ADDRESS, "255.255.255.0", _ADDRESS, _ADDRESS))
        self._datagrams = self._bound(socket.SOCK_DGRAM, _UDP_PORT)
        self._server = self._bound(socket.SOCK_STREAM, form_port)
        self._server.listen(2)

    def turn(self, now) -> "list | None":
        """Serve who asks."""
        self._receive_datagram(now)
        if self._client is None:
            self._accept(now)
        else:
            self._serve(now)
        self.due = self._until if self._client is None else min(self._until, self._patience)
        if now < self._until:
            return None
        self._close()
        return self._found or []

    def _bound(self, kind, port):
        sock = socket.socket(socket.AF_INET, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(socket.getaddrinfo("0.0.0.0", port)[0][-1])
        self._poll.register(sock, select.POLLIN)
        return sock

    def _close(self):
        self._drop_client()
        for sock in (self._datagrams, self._server):
            self._poll.unregister(sock)
            sock.close()
        self._access_point.active(False)

    def _take(self, ssid, key, now) -> bool:
        """Whether these can be; then they are taken, and the mode ends soon."""
        key = key.split(b"\x00", 1)[0]
        try:
            found = [str(ssid, "utf-8"), str(key, "utf-8")]
            if len(key) == 64:
                bytes.fromhex(found[1])
        except ValueError:
            return False
        if not 0 < len(ssid) <= 32 or not (len(key) == 0 or 8 <= len(key) <= 64):
            return False
        if self._found is None:
            self._until = now + _LINGER
        self._found = found
        return True

    def _receive_datagram(self, now):
        try:
            data, sender = self._datagrams.recvfrom(256)
            envelope = wire.decode(data)
        except (OSError, RemoteError):
            return
        body = envelope.p0
        if envelope.cmd != _CMD_CONFIGURE or len(body) < 4:
            return
        end = 2 + (body[0] << 8 | body[1])
        key = body[end + 2 :]
        if end + 2 > len(body) or body[end] << 8 | body[end + 1] != len(key):
            return
        if self._take(body[2:end], key, now):
            try:
                self._datagrams.sendto(wire.encode(_CMD_CONFIGURED, b""), sender)
            except OSError:
                pass  # it asks again

    def _accept(self, now):
        try:
            self._client = self._server.accept()[0]
        except OSError:
            return
        self._client.setblocking(False)
        self._poll.register(self._client, select.POLLIN)
        self._request = b""
        self._patience = now + _PATIENCE

    def _serve(self, now):
        try:
            data = self._client.read(_MAX_REQUEST)
            if data:
                self._request += data
            if data == b"" or now >= self._patience or len(self._request) > _MAX_REQUEST:
                self._drop_client()
                return
            page = self._answer(now)
            if page:
                # At most 1 KB: it fits into what any network stack takes at once.
                self._client.write(page)
                self._drop_client()
        except OSError:
            self._drop_client()

    def _answer(self, now) -> bytes:
        """The answer to the request, b"" while it is not complete."""
        parts = self._request.split(b"\r\n\r\n", 1)
        if len(parts) < 2:
            return b""
        head, body = parts
        line = head.split(b"\r\n", 1)[0].split(b" ")
        if line[0] == b"POST":
            size = head.lower().split(b"content-length:", 1)[-1].split(b"\r\n", 1)[0].strip()
            if size.isdigit() and len(body) < int(size):
                return b""
            query = body
        else:
            query = line[1].split(b"?", 1)[-1] if len(line) > 1 and b"web_config.cgi?" in line[1] else b""
        text = _FORM
        if query:
            fields = _fields(query)
            taken = self._take(fields.get(b"ssid", b""), fields.get(b"pass", b""), now)
            text = _DONE if taken else _WRONG + _FORM
        page = (_PAGE + text).encode()
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-cache\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(page)
        ) + page

    def _drop_client(self):
        if self._client is not None:
            self._poll.unregister(self._client)
            self._client.close()
            self._client = None


def draw_password() -> str:
    """A password for our network, without letters and digits that look like others."""
    return "".join(["abcdefghkmnpqrstuvwxyz23456789ACDEF"[b % 35] for b in urandom(10)])


def _fields(query) -> dict:
    """The fields of a form."""
    out = {}
    for pair in query.split(b"&"):
        parts = pair.split(b"=", 1)
        if len(parts) == 2:
            out[parts[0]] = _unquoted(parts[1])
    return out


def _unquoted(text) -> bytes:
    """Without the percent signs of a form; what is no hex stays as it is."""
    pieces = text.replace(b"+", b" ").split(b"%")
    out = pieces[0]
    for piece in pieces[1:]:
        try:
            out += bytes((int(str(piece[:2], "utf-8"), 16),)) + piece[2:]
        except ValueError:
            out += b"%" + piece
    return out
