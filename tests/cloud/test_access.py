"""Which topics a device may use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from localcloud import access

DID = "CaptureDevice000000001"
KEY = "0123456789abcdef" * 2

MAY_PUBLISH = ["dev2app/D", "dev2app/D/app", "cli2ser_req", "cli2ser", "dev2ser/D", "sys/D/log", "sys/D/a/b"]
MAY_NOT_PUBLISH = [
    "dev2app/E", "dev2app/D/a/b", "dev2app", "dev2app/Dx", "app2dev/D/app", "ser2cli_res/D", "ser2cli_req/D",
    "dev2app/D/+", "sys/D/#", "sys/#", "dev2app/+", "$SYS/x", "$CONTROL/dynamic-security/v1", "", "/dev2app/D",
]  # fmt: skip
MAY_SUBSCRIBE = [
    "ser2cli_noti/K", "ser2cli_res/D", "app2dev/D/#", "app2dev/D/+", "app2dev/D/app", "app2module/D/#",
    "llm/D/config/response", "llm/D/config/push",
]  # fmt: skip
MAY_NOT_SUBSCRIBE = [
    "#", "+", "+/D/#", "app2dev/#", "app2dev/+/#", "app2dev/E/#", "ser2cli_noti/+", "ser2cli_noti/#", "ser2cli_res/+",
    "ser2cli_res/D/x", "dev2app/D", "dev2app/#", "$SYS/#", "app2dev/D/#/x", "app2dev/D/x#", "app2dev/D/+x", "",
    "ser2cli_noti/ffffffffffffffffffffffffffffffff",
]  # fmt: skip


@pytest.mark.parametrize("topic", MAY_PUBLISH)
def test_device_may_publish_to_its_own_topics(topic):
    assert access.may_publish(DID, _named(topic))


@pytest.mark.parametrize("topic", MAY_NOT_PUBLISH)
def test_device_may_not_publish_elsewhere(topic):
    assert not access.may_publish(DID, _named(topic))


@pytest.mark.parametrize("topic_filter", MAY_SUBSCRIBE)
def test_device_may_subscribe_to_its_own_topics(topic_filter):
    assert access.may_subscribe(DID, KEY, _named(topic_filter))


@pytest.mark.parametrize("topic_filter", MAY_NOT_SUBSCRIBE)
def test_device_may_not_subscribe_elsewhere(topic_filter):
    assert not access.may_subscribe(DID, KEY, _named(topic_filter))


def test_device_of_unknown_product_may_have_the_notices_of_one_product():
    assert access.may_subscribe(DID, "", "ser2cli_noti/" + "F" * 32)
    for wrong in ("+", "#", "f" * 31, "f" * 33, "g" * 32, "f" * 32 + "/#"):
        assert not access.may_subscribe(DID, "", "ser2cli_noti/" + wrong)


@pytest.mark.parametrize("did", ["", "+", "#", "a/b", "a+", "a\x00", "a b", "ä", "x" * 65])
def test_did_that_is_not_one_level_of_a_topic_gets_nothing(did):
    assert access.publish_filters(did) == access.receive_filters(did, KEY) == ()
    assert not access.may_publish(did, "cli2ser_req")
    assert not access.may_subscribe(did, "", "ser2cli_noti/" + KEY)


def test_did_of_64_characters_is_plain():
    assert access.is_plain_did("x" * 64)


_LEVELS = st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=4)
_FILTERS = st.builds(lambda levels, end: "/".join(levels + end), _LEVELS, st.sampled_from([[], ["#"]]))
_TOPICS = st.lists(st.sampled_from("ab"), min_size=1, max_size=5).map("/".join)


@given(_FILTERS, _FILTERS, _TOPICS)
def test_covered_filter_never_matches_more(allowed, wanted, topic):
    if access.covers(allowed, wanted) and access.covers(wanted, topic):
        assert access.covers(allowed, topic)


def _named(topic):
    levels = {"D": DID, "E": "OtherDevice00000000002", "K": KEY, "Dx": DID + "x"}
    return "/".join(levels.get(level, level) for level in topic.split("/"))
