"""Which topics a device may use. Cloud manual, device side, chapter 4.3.

The tables are the whole rule: the embedded broker and brokers that ask over HTTP ask the functions, mosquitto is
given the filters. A did that could be read as part of a filter gets nothing: it would open other devices' topics.
An app is known by its client id and may use the topics of the devices its user is bound to (chapter 6).
"""

import re
from collections.abc import Callable

_PUBLISH = ("dev2app/{did}", "dev2app/{did}/+", "cli2ser_req", "cli2ser", "dev2ser/{did}", "sys/{did}/#")
_RECEIVE = (
    "ser2cli_noti/{product_key}",
    "ser2cli_res/{did}",
    "app2dev/{did}/#",
    "app2module/{did}/#",
    "llm/{did}/#",
)

# What a device asks the service, on topics without its did. Who knows the sender puts it in.
SERVICE_TOPICS = ("cli2ser_req", "cli2ser")
_SERVICE = "dev2ser/"

_NOTICES = "ser2cli_noti/"
_PRODUCT_KEY = re.compile(r"[0-9a-fA-F]{32}")
_DID = re.compile(r"[!-~]{1,64}")


def is_plain_did(did: str) -> bool:
    """Whether a did stands for one level of a topic and nothing more."""
    return _DID.fullmatch(did) is not None and not set(did) & set("/+#")


def publish_filters(did: str) -> tuple[str, ...]:
    """What a device may publish to."""
    return _filled(_PUBLISH, did, "")


def receive_filters(did: str, product_key: str) -> tuple[str, ...]:
    """What a device is served, in the order of the manual; notices of every product while its own is unknown."""
    return _filled(_RECEIVE, did, product_key or "+")


def may_publish(did: str, topic: str) -> bool:
    """Whether a device may publish to `topic`."""
    if "+" in topic or "#" in topic:
        return False
    return any(covers(allowed, topic) for allowed in publish_filters(did))


def may_subscribe(did: str, product_key: str, topic_filter: str) -> bool:
    """Whether a subscription of a device is served; all that it matches must be the device's own."""
    if not is_filter(topic_filter):
        return False
    if not product_key and topic_filter.startswith(_NOTICES):
        # The key is unknown yet, but it is one key: a wildcard would show the notices of every product.
        return is_plain_did(did) and _PRODUCT_KEY.fullmatch(topic_filter[len(_NOTICES) :]) is not None
    return any(covers(allowed, topic_filter) for allowed in receive_filters(did, product_key))


def route(did: str, topic: str) -> str:
    """Under which topic a message of a device goes on, "" when it may not be published."""
    if not may_publish(did, topic):
        return ""
    return _SERVICE + did if topic in SERVICE_TOPICS else topic


def app_may_publish(client: str, is_bound: Callable[[str], bool], topic: str) -> bool:
    """Whether an app may publish to `topic`: commands to its devices, under its own name."""
    kind, _, rest = topic.partition("/")
    did, _, sender = rest.partition("/")
    return kind == "app2dev" and sender == client and is_plain_did(did) and is_bound(did)


def app_may_subscribe(client: str, uid: str, app_id: str, is_bound: Callable[[str], bool], wanted: str) -> bool:
    """Whether a subscription of an app is served: reports of its devices, answers to itself, its own notices."""
    if wanted in (_NOTICES + uid, _NOTICES + app_id) or covers("ser2cli_res/%s/#" % client, wanted):
        return is_filter(wanted)
    kind, _, rest = wanted.partition("/")
    did, _, receiver = rest.partition("/")
    return kind == "dev2app" and receiver in ("", client) and is_plain_did(did) and is_bound(did)


def watched_did(wanted: str) -> str:
    """The device whose reports a subscription of an app shows, "" when it shows none."""
    kind, _, rest = wanted.partition("/")
    return rest if kind == "dev2app" and is_plain_did(rest) else ""


def is_filter(text: str) -> bool:
    """Whether `text` is a legal filter: each wildcard alone in its level, # only at the end."""
    levels = text.split("/")
    if not text or "#" in levels[:-1]:
        return False
    return not any(len(level) > 1 and ("+" in level or "#" in level) for level in levels)


def covers(allowed: str, wanted: str) -> bool:
    """Whether everything that the topic or filter `wanted` matches is matched by the filter `allowed` too."""
    levels = wanted.split("/")
    for i, level in enumerate(allowed.split("/")):
        if level == "#":
            return True
        if i == len(levels) or levels[i] == "#":
            return False
        if level not in ("+", levels[i]):
            return False
    return len(levels) == allowed.count("/") + 1


def _filled(templates: tuple[str, ...], did: str, product_key: str) -> tuple[str, ...]:
    if not is_plain_did(did):
        return ()
    return tuple(template.format(did=did, product_key=product_key) for template in templates)
