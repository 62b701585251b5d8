"""How the doctor looks at a cloud from outside: as an app, a module, a browser would. Each ends within seconds."""

import contextlib
import http.client
import json
import socket
import threading

TIMEOUT_S = 3.0
# For a name.
RESOLVE_S = 3.0
# Any 32 hex digits are an app id; a cloud that wants listed ones answers with its error, which is an answer too.
APP_ID = "d0" * 16
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}

# MQTT 3.1 CONNECT without user: protocol MQIsdp, version 3, clean session, keep-alive 10 s, client id "doctor".
_CONNECT = bytes.fromhex("1014 0006 4d5149736470 03 02 000a 0006 646f63746f72")
_CONNACK = b"\x20\x02"
_REFUSED = (4, 5)

_UPGRADE = (
    "GET /ws/app/v1 HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def reachable(host: str) -> str:
    """Where to knock when something listens on `host`."""
    return _ANY.get(host, host)


def open_api(host: str, port: int) -> tuple[str, bool]:
    """(what answers there, whether it is this kind of cloud)."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/status", headers={"X-Gizwits-Application-Id": APP_ID})
        answer = connection.getresponse()
        text = answer.read(4096)
    except ConnectionRefusedError:
        return "nothing listens on %s port %d" % (host, port), False
    except (OSError, http.client.HTTPException) as error:
        return "port %d of %s does not answer as HTTP does: %s" % (port, host, error or type(error).__name__), False
    finally:
        connection.close()
    with contextlib.suppress(ValueError, AttributeError):
        if "status" in json.loads(text) or "error_code" in json.loads(text):
            return "the Open API answers on %s port %d" % (host, port), True
    return "port %d of %s is another program's (HTTP %d)" % (port, host, answer.status), False


def mqtt(host: str, port: int) -> tuple[str, bool]:
    """(what answers there, whether it is a broker that refuses strangers)."""
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall(_CONNECT)
            answer = connection.recv(4)
    except ConnectionRefusedError:
        return "nothing listens on %s port %d" % (host, port), False
    except OSError as error:
        return "port %d of %s does not answer as a broker does: %s" % (port, host, error), False
    if answer[:2] == _CONNACK and len(answer) == 4 and answer[3] in _REFUSED:
        return "the broker answers on %s port %d, and refuses strangers" % (host, port), True
    if answer[:2] == _CONNACK:
        return "the broker on %s port %d lets in who shows no password" % (host, port), False
    return "port %d of %s is another program's" % (port, host), False


def websocket(host: str, port: int) -> tuple[str, bool]:
    """(what answers there, whether it is the WebSocket API)."""
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall((_UPGRADE % host).encode())
            answer = connection.recv(1024)
    except ConnectionRefusedError:
        return "nothing listens on %s port %d" % (host, port), False
    except OSError as error:
        return "port %d of %s does not answer: %s" % (port, host, error), False
    if answer.startswith(b"HTTP/1.1 101"):
        return "the WebSocket API answers on %s port %d" % (host, port), True
    return "port %d of %s is another program's" % (port, host), False


def resolve(name: str) -> set[str]:
    """The IPv4 addresses of a name as this machine sees them; none when it is not known, or not soon."""
    found: set[str] = set()

    def ask() -> None:
        with contextlib.suppress(OSError):
            found.update(str(row[4][0]) for row in socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM))

    # The resolver knows no timeout; a thread that is still asking is left behind.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(RESOLVE_S)
    return set(found)


def own_addresses() -> set[str]:
    """The IPv4 addresses of this machine that others can reach, as far as it knows them."""
    found = resolve(socket.gethostname())
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Sends nothing: it only asks which address would be used.
        probe.connect(("192.0.2.1", 9))
        found.add(probe.getsockname()[0])
    return {address for address in found if not address.startswith("127.")}
