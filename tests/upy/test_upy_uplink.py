"""The chip's broker session against brokers that behave as a test wants: one answer for each connect, reports kept."""

import asyncio

import pytest
from testkit import mqtt_script as script
from testkit import upy_program
from testkit.certificates import Authority
from testkit.deaf_port import deaf_port
from testkit.upy_broker_session import (
    PROGRAM,
    dead,
    deaf,
    good,
    play,
    refuses,
    reports,
    says_nothing,
    sends,
)

pytestmark = pytest.mark.micropython


def test_a_session_begins_with_login_and_subscriptions_in_order(tmp_path):
    _, heard, _, _, [session] = play(tmp_path, "hears(1)", good)
    assert heard == [("connected",)]
    assert session.topics == [b"ser2cli_noti/pk", b"ser2cli_res/did", b"app2dev/did/#"]


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_a_refused_login_is_lost_with_its_code(tmp_path, code):
    _, heard, reason, _, _ = play(tmp_path, "hears(1); passes(20000)", refuses(code))
    assert heard == [("lost", code)]
    assert reason == "the broker refused the login with code %d" % code


def test_a_broker_that_does_not_answer_the_login_is_lost_after_ten_seconds(tmp_path):
    seconds, heard, reason, _, _ = play(tmp_path, "hears(1)", says_nothing)
    assert heard == [("lost", 0)]
    assert reason == "no login at 127.0.0.1 within 10 s"
    assert seconds == 10


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\xff\xff\xff\xff\xff", b"\x00\x00"])
def test_what_is_not_mqtt_ends_the_session(tmp_path, garbage):
    async def talk(session, reader, writer):
        await script.read_packet(reader)
        writer.write(garbage)
        await reader.read()

    _, heard, _, _, _ = play(tmp_path, "hears(1); passes(20000)", talk)
    assert heard == [("lost", 0)]


def test_a_closed_connection_is_lost_once(tmp_path):
    _, heard, reason, _, _ = play(tmp_path, "hears(2); passes(200000)", sends(is_closed=True))
    assert heard == [("connected",), ("lost", 0)]
    assert reason.endswith("closed by the other side")


def test_messages_come_in_any_pieces(tmp_path):
    message = script.publish("app2dev/did/x", b"hello")
    long = script.publish("app2dev/did/x", bytes(900))
    pieces = (message + message[:3], message[3:] + long, *[bytes((b,)) for b in message])
    _, heard, _, _, _ = play(tmp_path, "hears(5)", sends(*pieces))
    expected = ("app2dev/did/x", b"hello")
    assert heard == [("connected",), expected, expected, ("app2dev/did/x", bytes(900)), expected]


def test_a_secured_session_does_the_same(tmp_path):
    message = script.publish("app2dev/did/x", bytes(900))
    program = "hears(7); report(b'one'); passes(1000); uplink.disconnect(); passes(1000)"
    talk = sends(message * 4, message, script.publish("a", b"b"))
    seconds, heard, _, _, [session] = play(tmp_path, program, talk, authority=Authority(tmp_path))
    assert heard == [("connected",)] + [("app2dev/did/x", bytes(900))] * 5 + [("a", b"b")]
    assert reports(session) == [(b"one", False)]
    assert session.packets[-1] == (script.DISCONNECT, b"")
    # Nothing lay about until a ping was due.
    assert seconds == 2


def test_a_message_too_long_is_skipped_and_the_next_one_comes(tmp_path):
    pieces = (script.publish("app2dev/did/x", bytes(5000)), script.publish("app2dev/did/x", b"small"))
    _, heard, _, _, _ = play(tmp_path, "hears(2)", sends(*pieces))
    assert heard == [("connected",), ("app2dev/did/x", b"small")]


def test_a_message_whose_topic_is_no_text_is_ignored(tmp_path):
    bad = script.packet(script.PUBLISH, b"\x00\x02\xff\xfehello")
    cut = script.packet(script.PUBLISH, b"\x00\x20ab")
    _, heard, _, _, _ = play(tmp_path, "hears(2)", sends(bad, cut, script.publish("a", b"b")))
    assert heard == [("connected",), ("a", b"b")]


def test_a_message_with_qos_1_is_acked(tmp_path):
    message = script.packet(0x32, b"\x00\x01a\x12\x34hello")
    _, heard, _, _, [session] = play(tmp_path, "hears(2); passes(1000); uplink.disconnect()", sends(message))
    assert heard == [("connected",), ("a", b"hello")]
    assert session.packets == [(script.PUBACK, b"\x12\x34"), (script.DISCONNECT, b"")]


def test_a_report_is_published_with_qos_1_and_not_again_once_it_is_acked(tmp_path):
    program = "hears(1); report(b'one'); passes(5000); uplink.disconnect(); connect(); hears(2); passes(5000)"
    _, heard, _, dropped, sessions = play(tmp_path, program, good, good)
    assert heard == [("connected",), ("connected",)]
    assert [reports(session) for session in sessions] == [[(b"one", False)], []]
    assert dropped == 0


def test_a_report_that_was_not_acked_is_sent_again_in_the_next_session(tmp_path):
    program = "hears(1); report(b'one'); passes(29000); hears(2); connect(); hears(3); passes(1000)"
    _, heard, reason, _, sessions = play(tmp_path, program, deaf, good)
    assert heard == [("connected",), ("lost", 0), ("connected",)]
    assert reason == "the broker does not acknowledge what it was sent"
    assert [reports(session) for session in sessions] == [[(b"one", False)], [(b"one", True)]]


def test_reports_without_a_session_are_kept_the_newest_four_and_the_others_counted(tmp_path):
    program = "uplink.disconnect()\nfor n in range(7): report(b'%d' % n)\nconnect(); hears(1); passes(1000)"
    _, _, _, dropped, sessions = play(tmp_path, program, good)
    assert reports(sessions[-1]) == [(b"3", False), (b"4", False), (b"5", False), (b"6", False)]
    assert dropped == 3


def test_large_reports_push_older_ones_out_and_the_newest_stays(tmp_path):
    program = "uplink.disconnect()\nfor n in b'abc': report(bytes((n,)) * 900)\nconnect(); hears(1); passes(1000)"
    _, _, _, dropped, sessions = play(tmp_path, program, good)
    assert reports(sessions[-1]) == [(b"c" * 900, False)]
    assert dropped == 2


def test_reports_while_the_broker_is_slow_leave_in_order(tmp_path):
    program = "hears(1)\nfor n in range(20):\n    report(b'%d' % n)\n    if n % 4 == 3: passes(100)\n"
    _, heard, _, dropped, [session] = play(tmp_path, program, good)
    assert [payload for payload, _ in reports(session)] == [b"%d" % n for n in range(20)]
    assert (heard, dropped) == ([("connected",)], 0)


def test_a_message_without_a_session_is_dropped(tmp_path):
    program = "uplink.publish('a', b'x', 0, 0); hears(1); uplink.publish('a', b'y', 0, 0); passes(1000)"
    _, _, _, _, [session] = play(tmp_path, program, good)
    assert session.packets == [(script.PUBLISH, b"\x00\x01ay")]


def test_an_idle_session_is_kept_alive(tmp_path):
    _, heard, _, _, [session] = play(tmp_path, "hears(1); passes(250000)", good)
    assert heard == [("connected",)]
    assert len(session.packets) == 4


def test_a_short_keep_alive_is_kept(tmp_path):
    program = "hears(1); effect = MqttConnect(*effect[:5], 10, topics); connect(); hears(2); passes(23000)"
    _, heard, _, _, sessions = play(tmp_path, program, good, good)
    assert heard[-1] == ("connected",)
    assert len(sessions[-1].packets) == 4


def test_nothing_is_heard_behind_a_refusal(tmp_path):
    async def talk(session, reader, writer):
        await script.read_packet(reader)
        writer.write(script.connack(5) + script.publish("a", b"b"))

    _, heard, _, _, _ = play(tmp_path, "hears(1); passes(1000)", talk)
    assert heard == [("lost", 5)]


def test_a_dead_broker_is_found_in_seventy_seconds(tmp_path):
    seconds, heard, reason, _, _ = play(tmp_path, "hears(2)", dead)
    assert heard == [("connected",), ("lost", 0)]
    assert reason == "the broker is silent"
    assert seconds == 70


def test_leaving_says_goodbye_and_nothing_is_heard_afterwards(tmp_path):
    _, heard, _, _, [session] = play(tmp_path, "hears(1); uplink.disconnect(); passes(100000)", good)
    assert heard == [("connected",)]
    assert session.packets == [(script.DISCONNECT, b"")]


def test_connecting_anew_closes_the_session_before(tmp_path):
    _, heard, _, _, sessions = play(tmp_path, "hears(1); connect(); hears(2); passes(1000)", good, good)
    assert heard == [("connected",), ("connected",)]
    assert sessions[0].packets == [(script.DISCONNECT, b"")]


def test_a_broker_that_is_not_there_is_lost_at_once(tmp_path):
    async def scenario():
        with deaf_port() as gone:
            text = PROGRAM.format(port=gone, program="hears(1)", ca="")
            return await upy_program.run(text, tmp_path)

    seconds, heard, reason, _ = eval(asyncio.run(scenario())[-1])
    assert heard == [("mqtt_lost", 0)]
    assert "ECONNREFUSED" in reason
    assert seconds == 0
