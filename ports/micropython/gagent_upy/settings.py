"""Settings: lines of `key = value` in one file on the flash, `#` for remarks. Checked here once and trusted afterwards.

An error names the line, the key, what was found and what is allowed. An unknown key is an error too: a misspelt one
must not be silently ignored. A missing file means that every key has its default.
"""

import sys

FILE = "gagent.txt"

# By platform: UART of the MCU, its pins (-1: the platform's own), UART of the log (-1: what print() goes to), hardware
# version told to the cloud. What an ESP32 takes by itself are the pins of its flash.
_PLATFORMS = {
    "esp8266": (0, -1, -1, 1, "0ESP8266"),
    "esp32": (1, 17, 16, -1, "000ESP32"),
    "rp2": (1, -1, -1, -1, "0000RP2W"),
}
_OTHER = (1, -1, -1, -1, "0000UNIX")

# Key, default, and what is allowed: (lowest, highest) of a number, the longest text; None is yes or no.
_KEYS = (
    ("api_url", "http://api.gizwits.com", 128),
    ("ssid", "", 32),
    ("key", "", 64),
    ("ap_password", "", 63),
    ("uart", None, (0, 2)),
    ("baud", 9600, (1200, 921600)),
    ("tx", None, (-1, 48)),
    ("rx", None, (-1, 48)),
    ("rxbuf", 512, (512, 4096)),
    ("form_port", 80, (1, 65535)),
    ("log_uart", None, (-1, 2)),
    ("led", -1, (-1, 48)),
    ("escape_pin", 0, (-1, 48)),
    ("watchdog", True, None),
    ("tz_minutes", 480, (-720, 840)),
    ("hard_version", None, 8),
    ("soft_version", "04020006", 8),
    ("mqtt_tls", False, None),
    ("mqtt_port", 0, (0, 65535)),
    ("ca_file", "", 64),
    ("ntp_host", "", 64),
    ("firmware_key", "", 64),
)


class SettingsError(Exception):
    """One line for the user: which line and key, what was found, what is allowed."""


class Settings:
    """One attribute for each key. Without a method, which would keep this module in memory as long as the settings."""

    api_url: str
    ssid: str
    key: str
    ap_password: str
    uart: int
    baud: int
    tx: int
    rx: int
    rxbuf: int
    form_port: int
    log_uart: int
    led: int
    escape_pin: int
    watchdog: bool
    tz_minutes: int
    hard_version: str
    soft_version: str
    mqtt_tls: bool
    mqtt_port: int
    ca_file: str
    ntp_host: str
    firmware_key: str


def load_settings(path=FILE) -> Settings:
    """The settings in the file `path`."""
    try:
        with open(path) as file:
            return parse_settings(file)
    except OSError:
        return parse_settings(())


def parse_settings(lines) -> Settings:
    """The settings in these lines."""
    s = settings = Settings()
    for key, default, _ in _KEYS:
        setattr(s, key, default)
    s.uart, s.tx, s.rx, s.log_uart, s.hard_version = _PLATFORMS.get(sys.platform, _OTHER)
    number = 0
    for line in lines:
        number += 1
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key, found, text = _split(line)
        try:
            if not found:
                raise ValueError("expected key = value")
            setattr(settings, key, _value(key, text))
        except ValueError as error:
            raise SettingsError("%s line %d: %s: %s" % (FILE, number, key, error.args[0]))  # noqa: B904
    _check_together(settings)
    return settings


def _split(line) -> tuple:
    parts = line.split("=", 1)
    return parts[0].strip(), len(parts) == 2, parts[-1].strip()


def _value(key, text):
    for row in _KEYS:
        if row[0] == key:
            allowed = row[2]
            break
    else:
        raise ValueError("no such key, there are: %s" % ", ".join([row[0] for row in _KEYS]))
    if allowed is None:
        if text not in ("yes", "no"):
            raise ValueError("yes or no expected, got '%s'" % text[:20])
        return text == "yes"
    if isinstance(allowed, int):
        if len(text.encode()) > allowed:
            raise ValueError("at most %d bytes expected, got %d" % (allowed, len(text.encode())))
        return text
    low, high = allowed
    digits = text[1:] if text.startswith("-") else text
    if not digits.isdigit() or not low <= int(text) <= high:
        raise ValueError("a number from %d to %d expected, got '%s'" % (low, high, text[:20]))
    return int(text)


def _check_together(s):
    wrong = ""
    if not s.api_url.startswith(("http://", "https://")):
        wrong = "api_url: http:// or https:// expected"
    elif (s.tx < 0) != (s.rx < 0):
        wrong = "tx, rx: both or none expected"
    elif 0 < len(s.ap_password) < 8:
        wrong = "ap_password: 8 to 63 characters expected"
    elif s.led >= 0 and s.led == 2 and s.log_uart == 1 and sys.platform == "esp8266":
        wrong = "led: GPIO2 is the log's; set log_uart = -1 or choose another pin"
    elif (s.mqtt_tls or s.api_url.startswith("https")) and not (s.ca_file and s.ntp_host):
        # A certificate cannot be checked without its issuer and without the time.
        wrong = "mqtt_tls, https: ca_file and ntp_host are needed with TLS"
    elif s.ca_file and sys.platform == "esp8266":
        wrong = "ca_file: an ESP8266 cannot check certificates; use a gateway on the LAN that terminates TLS"
    elif s.firmware_key and sys.platform == "esp8266":
        wrong = "firmware_key: an ESP8266 cannot check signatures; leave it out"
    elif s.firmware_key and not _is_key(s.firmware_key):
        wrong = "firmware_key: the 64 hex digits expected that `localcloud ota keygen` printed"
    if wrong:
        raise SettingsError("%s: %s" % (FILE, wrong))


def _is_key(text) -> bool:
    return len(text) == 64 and not [letter for letter in text if letter not in "0123456789abcdef"]
