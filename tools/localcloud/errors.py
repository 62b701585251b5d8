"""The error table of the Open API and the exception that answers with a row of it. Open API manual, appendix.

The manual gives codes and texts. The HTTP status of most codes is not public: 404 where something is not there, 403
where it is refused, 429 and 500 for the service's own troubles, 400 for the rest, which is what clients expect of a bad
token or password (several log in again on 400).
"""

from typing import Any, NamedTuple

PRODUCT_KEY_INVALID = 9002
APPID_INVALID = 9003
TOKEN_INVALID = 9004
USER_NOT_EXIST = 9005
TOKEN_EXPIRED = 9006
SERVER_ERROR = 9008
CODE_EXPIRED = 9009
CODE_INVALID = 9010
DEVICE_NOT_FOUND = 9014
FORM_INVALID = 9015
DID_PASSCODE_INVALID = 9016
DEVICE_NOT_BOUND = 9017
PHONE_UNAVAILABLE = 9018
USERNAME_UNAVAILABLE = 9019
USERNAME_PASSWORD_ERROR = 9020
EMAIL_UNAVAILABLE = 9022
DEVICE_DISABLED = 9023
ATTR_INVALID = 9025
USER_INVALID = 9026
SEND_FAILED = 9037
APP_AUTH_INVALID = 9038
BAD_QRCODE = 9040
REQUEST_THROTTLED = 9041
DEVICE_OFFLINE = 9042
TIMESTAMP_INVALID = 9043
SIGNATURE_INVALID = 9044
NOT_SERVED = 9045
EMAIL_NOT_ACTIVE = 9077
GUEST_NOT_FOUND = 9082
ONLY_OWNER_CAN_BIND = 9092
ONLY_OWNER_CAN_OPERATE = 9093
OWNER_CANNOT_UNBIND_SELF = 9095
FIRMWARE_NOT_FOUND = 9027
NO_PUSH_RULE = 9500
NOT_IN_EFFECT = 9502


class Row(NamedTuple):
    status: int
    message: str


ERRORS = {
    9001: Row(400, "mac already registered!"),
    9002: Row(400, "product_key invalid"),
    9003: Row(400, "appid invalid"),
    9004: Row(400, "token invalid"),
    9005: Row(400, "user not exist"),
    9006: Row(400, "token expired"),
    9007: Row(400, "m2m_id invalid"),
    9008: Row(500, "server error"),
    9009: Row(400, "code expired"),
    9010: Row(400, "code invalid"),
    9011: Row(400, "sandbox scale quota exhausted!"),
    9012: Row(400, "production scale quota exhausted!"),
    9013: Row(400, "product has no request scale!"),
    9014: Row(404, "device not found!"),
    9015: Row(400, "form invalid!"),
    9016: Row(400, "did or passcode invalid!"),
    9017: Row(400, "device not bound!"),
    9018: Row(400, "phone unavailable!"),
    9019: Row(400, "username unavailable!"),
    9020: Row(400, "username or password error!"),
    9021: Row(400, "send command failed!"),
    9022: Row(400, "email unavailable!"),
    9023: Row(403, "device is disabled!"),
    9024: Row(500, "fail to notify m2m!"),
    9025: Row(400, "attr invalid!"),
    9026: Row(400, "user invalid!"),
    9027: Row(404, "firmware not found!"),
    9028: Row(404, "JD product info not found!"),
    9029: Row(404, "datapoint data not found!"),
    9030: Row(404, "scheduler not found!"),
    9031: Row(400, "qq oauth key invalid!"),
    9032: Row(404, "ota upgrade service OK, but in idle or disable!"),
    9033: Row(400, "bt firmware unverified,except verify device!"),
    9034: Row(404, "bt firmware is OK, but nothing to upgrade!"),
    9035: Row(500, "Save kairosdb error!"),
    9036: Row(400, "event not defined!"),
    9037: Row(500, "send sms failed!"),
    9038: Row(400, "X-Gizwits-Application-Auth invalid!"),
    9039: Row(403, "Not allowed to call deprecated API!"),
    9040: Row(400, "bad qrcode content!"),
    9041: Row(429, "request was throttled"),
    9042: Row(400, "device offline!"),
    9043: Row(400, "X-Gizwits-Timestamp invalid!"),
    9044: Row(400, "X-Gizwits-Signature invalid!"),
    9045: Row(404, "API deprecated!"),
    9046: Row(400, "Register already in progress!"),
    9077: Row(400, "email already exists but not activate!"),
    9080: Row(400, "can not share device to self!"),
    9081: Row(403, "guest or normal user can not share device!"),
    9082: Row(404, "guest user not found!"),
    9083: Row(400, "guest user alread bound!"),
    9084: Row(404, "sharing record not found!"),
    9085: Row(404, "message record not found!"),
    9087: Row(400, "sharing alread created,waiting for the guest to accept!"),
    9088: Row(400, "sharing record expired!"),
    9089: Row(400, "sharing record status is not unaccept!"),
    9090: Row(400, "owner binding disabled!"),
    9092: Row(403, "owner exist, guest can not bind!"),
    9093: Row(403, "permission denied, you are not owner!"),
    9094: Row(400, "sharing already canceled!"),
    9095: Row(400, "can not unbind self!"),
    9096: Row(403, "permission denied, you are not guest!"),
    9098: Row(400, "notify delele binding failed!"),
    9099: Row(400, "notify delele binding failed!"),
    9100: Row(403, "permission denied, you are not owner or guest!"),
    9101: Row(403, "permission denied, you are not the receiver!"),
    9220: Row(404, "scene not found!"),
    9221: Row(400, "the scene does not belong to you!"),
    9999: Row(500, "reserved"),
    # The two below are not in the manual: the device API answers with them.
    9500: Row(404, "Don't have a push rule id on device"),
    9502: Row(404, "push rule not in effect or device already upgrade"),
}


class ApiError(Exception):
    """Answers a request with one row of the table; `detail` says to a person what was got and what was expected."""

    def __init__(self, code: int, detail: str | None = None) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    @property
    def status(self) -> int:
        return ERRORS[self.code].status

    def body(self) -> dict[str, Any]:
        """The JSON answer. The manual calls the last field detail_msg, clients met detail_message: both are there."""
        return {
            "error_code": self.code,
            "error_message": ERRORS[self.code].message,
            "detail_message": self.detail,
            "detail_msg": self.detail,
        }
