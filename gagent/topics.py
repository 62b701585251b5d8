"""MQTT topics of a device, built and taken apart. Cloud manual, device side, chapter 4.3.

app2dev/<did>/<client>    down: an app's command          dev2app/<did>[/<client>]   up: report, answer to one app
ser2cli_res/<did>         down: the service to one device  ser2cli_noti/<product key> down: to all of a product
cli2ser_req               up: a request to the service
"""

# Reference modules cut a client id to this and their cloud knows it: a longer one never gets its answer.
MAX_CLIENT = 23

CLI2SER_REQ = "cli2ser_req"


def dev2app(did, client="") -> str:
    """Where a device publishes: to all apps, or the answer to one."""
    if client:
        return "dev2app/%s/%s" % (did, client[:MAX_CLIENT])
    return "dev2app/" + did


def app2dev(did, client) -> str:
    """Where an app publishes a command."""
    return "app2dev/%s/%s" % (did, client)


def ser2cli_res(did) -> str:
    """Where the service publishes to one device."""
    return "ser2cli_res/" + did


def subscriptions(did, product_key) -> tuple:
    """What a device subscribes to, in the order the reference agent does."""
    return ("ser2cli_noti/" + product_key, ser2cli_res(did), "app2dev/%s/#" % did)


def parse(topic) -> tuple:
    """(kind, did or product key, client); client is "" where the topic has none. Never raises."""
    parts = topic.split("/", 2)
    while len(parts) < 3:
        parts.append("")
    return tuple(parts)
