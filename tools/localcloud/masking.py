"""Names of people as other people see them: four characters hidden. Open API manual, guest users and sharing."""

_HIDDEN = "****"


def masked(text: str | None) -> str | None:
    """A name or a phone number without its middle four characters; the first one of a short name stays."""
    if not text:
        return None
    head = max(1, (len(text) - len(_HIDDEN)) // 2)
    return text[:head] + _HIDDEN + text[head + len(_HIDDEN) :]


def masked_email(address: str | None) -> str | None:
    """An e-mail address without the four characters before the @."""
    if not address:
        return None
    name, at, host = address.rpartition("@")
    return name[: -len(_HIDDEN)] + _HIDDEN + at + host
