"""Which topics a device may use. Cloud manual, device side, chapter 4.3.

The two tables are the whole rule: the embedded broker asks `may_publish` and `may_subscribe`, mosquitto is given the
filters. A did that could be read as part of a filter gets nothing: it would open other devices' topics.
"""

import re

_PUBLISH = ("dev2app/{did}", "dev2app/{did}/+", "cli2ser_req", "cli2ser", "dev2ser/{did}", "sys/{did}/#")
_RECEIVE = (
    "ser2cli_noti/{product_key}",
    "ser2cli_res/{did}",
    "app2dev/{did}/#",
    "app2module/{did}/#",
    "llm/{did}/#",
)

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
