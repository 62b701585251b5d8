"""mcu_proto.names: every number of the protocol has its name, and no name is without its number."""

import pytest

from mcu_proto import const, names

ONE_WAY = {const.CMD_ILLEGAL_FROM_MODULE, const.CMD_ILLEGAL_FROM_MCU}


def _numbers(prefix):
    return {value for name, value in vars(const).items() if name.startswith(prefix)}


def test_every_command_and_its_ack_have_names():
    requests = _numbers("CMD_")
    assert set(names.CMD_NAMES) == requests | {const.ack_of(cmd) for cmd in requests - ONE_WAY}


def test_an_ack_is_even_and_follows_its_request():
    assert const.ack_of(const.CMD_P0_UP) == 0x06


@pytest.mark.parametrize(
    "prefix, table",
    [
        ("ACTION_", names.ACTION_NAMES),
        ("STATUS_", names.STATUS_NAMES),
        ("ERR_", names.ERR_NAMES),
        ("BAD_", names.BAD_NAMES),
        ("FAIL_", names.FAIL_NAMES),
    ],
)
def test_every_number_has_its_name(prefix, table):
    assert set(table) == _numbers(prefix)


@pytest.mark.parametrize(
    "table",
    [names.CMD_NAMES, names.ACTION_NAMES, names.STATUS_NAMES, names.ERR_NAMES, names.BAD_NAMES, names.FAIL_NAMES],
)
def test_no_two_numbers_share_a_name(table):
    assert len(set(table.values())) == len(table)
