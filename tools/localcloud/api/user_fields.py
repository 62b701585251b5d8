"""The fields of a user in a form: what may stand in each, and whether a name is free."""

import datetime
import re
from typing import TYPE_CHECKING

from ..errors import FORM_INVALID, ApiError
from ..request import Fields

if TYPE_CHECKING:
    from ..app import Cloud

LANGUAGES = ("en", "zh-cn")
GENDERS = ("M", "F", "N")
# Columns of the users table; a phone id and a password may be as long as a name.
MAX_NAME = 128
MAX_EMAIL = 254
MAX_TEXT = 256

_PHONE = re.compile(r"\+?[0-9]{5,20}")
# Not what is allowed, but what can be mailed to at all.
_EMAIL = re.compile(r"[^@\s\"<>(),:;\\]{1,64}@[^@\s\"<>(),:;\\]{1,189}")
_BIRTHDAY = re.compile(r"(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})")
_LEAP_YEAR = "2000"


def phone_of(form: Fields) -> str:
    """The phone in a form."""
    phone = form.text("phone", MAX_NAME)
    if not _PHONE.fullmatch(phone):
        raise ApiError(FORM_INVALID, "phone: expected 5 to 20 digits, after a + with the country code or without")
    return phone


def email_of(form: Fields) -> str:
    """The e-mail address in a form, in lower case."""
    email = form.text("email", MAX_EMAIL)
    if not _EMAIL.fullmatch(email):
        raise ApiError(FORM_INVALID, "email: expected an address such as name@example.com")
    return email.lower()


def language_of(form: Fields) -> str:
    """The language of a new user."""
    # Apps send whatever their phone is set to; the two of the manual are kept, others read English.
    lang = form.optional_text("lang", 16).lower()
    return lang if lang in LANGUAGES else "en"


def details_of(form: Fields) -> dict[str, str]:
    """The columns that anyone may set for themselves. `remar` stands in the manual."""
    columns = {name: form.optional_text(name, MAX_TEXT) for name in ("address", "remark") if name in form}
    if "remar" in form:
        columns["remark"] = form.optional_text("remar", MAX_TEXT)
    if "name" in form:
        columns["name"] = form.optional_text("name", MAX_NAME)
    for name, choices in (("gender", GENDERS), ("lang", LANGUAGES)):
        if form.get(name) not in (None, ""):
            columns[name] = form.text(name, 16)
            if columns[name] not in choices:
                raise ApiError(FORM_INVALID, "%s: expected one of %s" % (name, ", ".join(choices)))
    if "birthday" in form:
        columns["birthday"] = form.optional_text("birthday", 10)
        if columns["birthday"] and not _is_birthday(columns["birthday"]):
            raise ApiError(FORM_INVALID, "birthday: expected YYYY-MM-DD or MM-DD")
    return columns


def _is_birthday(text: str) -> bool:
    parts = _BIRTHDAY.fullmatch(text)
    if parts is None:
        return False
    try:
        datetime.date(int(parts[1] or _LEAP_YEAR), int(parts[2]), int(parts[3]))
    except ValueError:
        return False
    return True


def check_free(name: str, cloud: "Cloud", code: int) -> None:
    """ApiError with that code when somebody logs in with this name, be it a username, phone or address."""
    if cloud.store.users.by_name(name) is not None:
        raise ApiError(code)
