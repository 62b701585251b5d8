"""`localcloud doctor`: what keeps an appliance, an app or a person from this cloud, and what to do about it.

Works with the cloud running or not, on the machine it runs on, and changes nothing. What it cannot know from here (what
DNS the appliance uses) it says as a note; only what is certainly wrong is a failure.
"""

import datetime
import shutil
import time
from collections.abc import Iterator
from typing import NamedTuple

from cryptography import x509

from . import doctor_probes as probes
from .app import open_cloud_store
from .certificate import find_certificate
from .settings import Settings
from .store.database import StoreError

GOOD = "ok"
NOTE = "note"
BAD = "FAIL"

# The one name that original modules know, and the names that public apps and integrations are built with.
MODULE_NAME = "api.gizwits.com"
APP_NAMES = (
    "euapi.gizwits.com",
    "usapi.gizwits.com",
    "m2m.gizwits.com",
    "eum2m.gizwits.com",
    "usm2m.gizwits.com",
    "sandbox.gizwits.com",
    "eusandbox.gizwits.com",
)
MODULE_HTTP_PORT = 80
# Less than this and a busy week of records does not fit.
_MIN_FREE = 200 * 2**20
_SOON_DAYS = 30
# Older than this program: a clock that has not been set.
_FIRST_YEAR = 2024


class Finding(NamedTuple):
    """`fix` says what to do, "" when there is nothing to do."""

    state: str
    layer: str
    seen: str
    fix: str = ""


def describe(finding: Finding) -> str:
    """One line, and the fix below it."""
    line = "%-4s  %-10s %s" % (finding.state, finding.layer, finding.seen)
    return "%s\n%19s%s" % (line, "-> ", finding.fix) if finding.fix else line


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding about the cloud of these settings on this machine."""
    yield _clock()
    yield from _data(settings)
    yield from _servers(settings)
    yield from _certificate(settings)
    yield from _names(settings)


def _clock() -> Finding:
    now = datetime.datetime.now(datetime.UTC)
    seen = "%s UTC, and modules take their time from it" % now.strftime("%Y-%m-%d %H:%M:%S")
    if now.year < _FIRST_YEAR:
        return Finding(BAD, "clock", seen, "set the clock of this machine (NTP)")
    return Finding(GOOD, "clock", seen)


def _data(settings: Settings) -> Iterator[Finding]:
    try:
        store = open_cloud_store(settings)
    except StoreError as error:
        yield Finding(BAD, "data", str(error), "see --data, --config and the setting database_url")
        return
    try:
        products, devices = store.products.all(), store.devices.all()
        has_operator = store.operators.password_hash() is not None
    finally:
        store.close()
    yield Finding(GOOD, "data", "products: %d, devices: %d, in %s" % (len(products), len(devices), settings.data_dir))
    if not products and settings.products == "listed":
        yield Finding(BAD, "products", "none: no device can register", "localcloud product add DEFINITION.json ...")
    if not has_operator:
        fix = "localcloud console password"
        yield Finding(NOTE, "console", "the operator's pages are closed: no password is set", fix)
    free = shutil.disk_usage(settings.data_dir).free
    if free < _MIN_FREE:
        yield Finding(BAD, "disk", "%d MB free" % (free // 2**20), "make room, or shorten history_days")


def _servers(settings: Settings) -> Iterator[Finding]:
    host = probes.reachable(settings.http_host)
    seen, is_cloud = probes.open_api(host, settings.http_port)
    yield Finding(GOOD if is_cloud else BAD, "HTTP", seen, "" if is_cloud else _START)
    if settings.http_port != MODULE_HTTP_PORT:
        seen, is_cloud = probes.open_api(host, MODULE_HTTP_PORT)
        fix = "" if is_cloud else "for them: --http-port 80, or forward port 80 to %d" % settings.http_port
        told = "original modules know port 80 only: " + seen
        yield Finding(GOOD if is_cloud else NOTE, "port 80", told, fix)
    if settings.broker in ("embedded", "mosquitto"):
        seen, is_good = probes.mqtt(probes.reachable(settings.mqtt_host), settings.mqtt_port)
        yield Finding(GOOD if is_good else BAD, "MQTT", seen, "" if is_good else _START)
    seen, is_good = probes.websocket(host, settings.ws_port)
    yield Finding(GOOD if is_good else BAD, "WebSocket", seen, "" if is_good else _START)


def _certificate(settings: Settings) -> Iterator[Finding]:
    files = find_certificate(settings.data_dir)
    if files is None:
        seen = "none: no HTTPS, no MQTT and WebSocket with TLS; original modules need none, apps often insist"
        yield Finding(NOTE, "TLS", seen, "localcloud cert HOST ... with every name that apps call")
        return
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    days = int((certificate.not_valid_after_utc.timestamp() - time.time()) // 86400)
    names = _names_in(certificate)
    seen = "certificate for %s, good for %d days" % (", ".join(names), days)
    state = BAD if days < 0 else NOTE if days < _SOON_DAYS else GOOD
    yield Finding(state, "TLS", seen, "" if state == GOOD else "make it again: localcloud cert " + " ".join(names))
    wanted = {name for pair in settings.regions.items() for name in pair}
    missing = sorted(wanted - set(names))
    if missing:
        fix = "localcloud cert " + " ".join([*names, *missing])
        yield Finding(BAD, "regions", "the certificate lacks %s" % ", ".join(missing), fix)


def _names_in(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return found.get_values_for_type(x509.DNSName) + addresses


def _names(settings: Settings) -> Iterator[Finding]:
    own = probes.own_addresses()
    target = settings.advertised_host or next(iter(sorted(own)), "this machine")
    yield _led_here([MODULE_NAME], own, target, "modules")
    regions = {name for pair in settings.regions.items() for name in pair}
    yield _led_here(sorted(regions or APP_NAMES), own, target, "apps")


def _led_here(names: list[str], own: set[str], target: str, who: str) -> Finding:
    elsewhere = [name for name in names if not probes.resolve(name) & own]
    if not elsewhere:
        return Finding(GOOD, "DNS", "for %s, all lead here: %s" % (who, ", ".join(names)))
    seen = "for %s, not this machine as seen from here: %s" % (who, ", ".join(elsewhere))
    fix = "to bring them over, answer these names with %s in the DNS that the %s use" % (target, who)
    return Finding(NOTE, "DNS", seen, fix)


_START = "localcloud run, or stop the other program; see --http-port, --mqtt-port, --ws-port"
