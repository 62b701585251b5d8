"""TLS with the cloud: the other side must show a certificate for its name, issued by who is in `ca_file`.

Loaded only where the settings want it; an ESP8266 cannot check certificates and so does not have it.
"""

import select
import ssl
from binascii import a2b_base64


class Tls:
    """`ca_file` holds one certificate, DER or PEM."""

    def __init__(self, ca_file):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_mode = ssl.CERT_REQUIRED
        with open(ca_file, "rb") as file:
            data = file.read()
        if b"-----BEGIN" in data:
            # Not every build reads PEM.
            data = a2b_base64(data.split(b"-----", 3)[2])
        context.load_verify_locations(cadata=data)
        self._context = context

    def secured(self, sock, host, poll):
        """What is used instead of `sock` in `poll`, the handshake goes on with it; None while it is not connected."""
        # A chip's TLS takes "not yet connected" for an error.
        ready = select.poll()
        ready.register(sock, select.POLLOUT)
        if not ready.poll(0):
            return None
        poll.unregister(sock)
        sock = self._context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        poll.register(sock, select.POLLIN | select.POLLOUT)
        return sock
