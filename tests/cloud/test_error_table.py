"""The error table of the manual's appendix, whole."""

import pytest
from localcloud.errors import ERRORS

# Code and text as the appendix has them; 9220 and 9221 from its example.
QUOTED = """
9001 mac already registered!
9002 product_key invalid
9003 appid invalid
9004 token invalid
9005 user not exist
9006 token expired
9007 m2m_id invalid
9008 server error
9009 code expired
9010 code invalid
9011 sandbox scale quota exhausted!
9012 production scale quota exhausted!
9013 product has no request scale!
9014 device not found!
9015 form invalid!
9016 did or passcode invalid!
9017 device not bound!
9018 phone unavailable!
9019 username unavailable!
9020 username or password error!
9021 send command failed!
9022 email unavailable!
9023 device is disabled!
9024 fail to notify m2m!
9025 attr invalid!
9026 user invalid!
9027 firmware not found!
9028 JD product info not found!
9029 datapoint data not found!
9030 scheduler not found!
9031 qq oauth key invalid!
9032 ota upgrade service OK, but in idle or disable!
9033 bt firmware unverified,except verify device!
9034 bt firmware is OK, but nothing to upgrade!
9035 Save kairosdb error!
9036 event not defined!
9037 send sms failed!
9038 X-Gizwits-Application-Auth invalid!
9039 Not allowed to call deprecated API!
9040 bad qrcode content!
9041 request was throttled
9042 device offline!
9043 X-Gizwits-Timestamp invalid!
9044 X-Gizwits-Signature invalid!
9045 API deprecated!
9046 Register already in progress!
9077 email already exists but not activate!
9080 can not share device to self!
9081 guest or normal user can not share device!
9082 guest user not found!
9083 guest user alread bound!
9084 sharing record not found!
9085 message record not found!
9087 sharing alread created,waiting for the guest to accept!
9088 sharing record expired!
9089 sharing record status is not unaccept!
9090 owner binding disabled!
9092 owner exist, guest can not bind!
9093 permission denied, you are not owner!
9094 sharing already canceled!
9095 can not unbind self!
9096 permission denied, you are not guest!
9098 notify delele binding failed!
9099 notify delele binding failed!
9100 permission denied, you are not owner or guest!
9101 permission denied, you are not the receiver!
9220 scene not found!
9221 the scene does not belong to you!
9999 reserved
"""


@pytest.mark.parametrize("row", QUOTED.strip().splitlines(), ids=lambda row: row[:4])
def test_a_code_of_the_manual_has_its_text(row):
    code, text = row.split(" ", 1)
    assert ERRORS[int(code)].message == text


def test_every_code_is_answered_with_a_status_of_a_refusal():
    assert {row.status for row in ERRORS.values()} <= {400, 403, 404, 429, 500}
