"""The chip's radio: which network it joins and when, and when it offers one of its own."""

import pytest
from gagent_upy import storage
from testkit.mosquitto_running import free_port
from testkit.upy_radio import HOME, play

pytestmark = pytest.mark.micropython


def test_the_network_of_the_settings_is_joined_and_kept(tmp_path):
    told, said, stored = play(tmp_path, "wait(joined)", given=HOME, before="air(home)")
    assert told == [(True, 80)]
    assert said == ["joining Wi-Fi home", "Wi-Fi home is joined"]
    assert stored["current"] == stored["last_good"] == ["home", "homesecret"]


def test_a_lost_network_is_told_and_joined_again(tmp_path):
    program = "wait(joined); air(); wait(lambda: len(told) == 2); air(home); wait(joined)"
    told, _, _ = play(tmp_path, program, given=HOME, before="air(home)")
    assert told == [(True, 80), (False, 0), (True, 80)]


def test_a_network_that_stays_is_told_once(tmp_path):
    told, _, _ = play(tmp_path, "wait(joined); wait(lambda: False, 3000)", given=HOME, before="air(home)")
    assert told == [(True, 80)]


def test_the_last_good_network_is_tried_after_half_a_minute(tmp_path):
    before = 'air(home); storage.save("networks", {"current": list(other), "last_good": list(home)})'
    program = "wait(lambda: len(said) == 2); said.append(clock.now() // 1000); wait(joined)"
    _, said, stored = play(tmp_path, program, before=before)
    assert said == ["joining Wi-Fi other", "joining Wi-Fi home", 30, "Wi-Fi home is joined"]
    assert stored["current"] == ["home", "homesecret"]


def test_networks_take_turns_and_the_radio_begins_anew_after_two_minutes(tmp_path):
    before = """
air()
storage.save("networks", {"current": list(other), "last_good": list(home)})
is_active = radio.WLAN.active
def noted(self, on=None):
    told.append(on)
    return is_active(self, on)
radio.WLAN.active = noted
"""
    told, said, _ = play(tmp_path, "wait(lambda: len(said) == 5, 121000)", before=before)
    assert said == ["joining Wi-Fi %s" % name for name in ("other", "home", "other", "home", "other")]
    assert told == [True, False, True]


def test_another_network_in_the_settings_is_taken_and_one_told_later_stays(tmp_path):
    before = """
air(home, other)
storage.save("networks", {"current": ["old", "oldsecret"], "last_good": ["old", "oldsecret"], "given": ["old", ""]})
"""
    _, _, stored = play(tmp_path, "wait(joined)", given=HOME, before=before)
    assert stored["current"] == ["home", "homesecret"]
    storage.save(str(tmp_path / "networks"), {**stored, "current": ["other", "othersecret"]})
    _, said, _ = play(tmp_path, "wait(joined)", given=HOME, before="air(home, other)")
    assert said[0] == "joining Wi-Fi other"


def test_without_a_network_one_of_our_own_is_offered_for_five_minutes(tmp_path):
    program = "wait(lambda: wifi.state == SOFTAP); wait(lambda: len(said) == 2); said.append(wifi.due)"
    told, said, stored = play(tmp_path, program, port=free_port())
    assert said == [
        "SoftAP XPG-GAgent-E4F5 is open for configuration",
        "nobody named a network: no Wi-Fi until the next start",
        None,
    ]
    assert told == [(False, 0)]
    assert not stored["softap"]


def test_the_password_of_our_network_is_drawn_once_and_never_said(tmp_path):
    program = "wait(lambda: wifi.state == SOFTAP); said.append(wifi._onboarding._access_point._settings)"
    passwords = []
    for _ in range(2):
        _, said, stored = play(tmp_path, program, port=free_port())
        assert said[1]["key"] == stored["ap_password"]
        assert stored["ap_password"] not in said[0]
        passwords.append(stored["ap_password"])
    assert len(passwords[0]) == 10
    assert passwords[0] == passwords[1]


def test_the_password_in_the_settings_goes_before(tmp_path):
    program = "wait(lambda: wifi.state == SOFTAP); said.append(wifi._onboarding._access_point._settings)"
    _, said, _ = play(tmp_path, program, password="123456789", port=free_port())
    assert said[1]["key"] == "123456789"


def test_the_mcu_may_ask_and_a_power_cut_does_not_end_it(tmp_path):
    program = """
wait(joined)
wifi.configure()
wait(lambda: wifi.state == SOFTAP)
wifi._onboarding._close()
wifi = make()
wait(lambda: wifi.state == SOFTAP)
wait(joined)
"""
    told, said, _ = play(tmp_path, program, given=HOME, before="air(home)", port=free_port())
    # Told of the end of configuration, then of the network that was there before.
    assert told == [(True, 80), (False, 0), (False, 0), (True, 80)]
    assert said.count("SoftAP XPG-GAgent-E4F5 is open for configuration") == 2


def test_a_factory_reset_forgets_the_networks_and_asks_to_be_configured(tmp_path):
    program = "wait(joined); wifi.forget(); wifi = make(); wait(lambda: wifi.state == SOFTAP)"
    _, _, stored = play(tmp_path, program, given=HOME, before="air(home)", port=free_port())
    assert (stored["current"], stored["last_good"], stored["softap"]) == (None, None, True)


def test_how_things_are_is_told_again_when_asked(tmp_path):
    program = "wait(joined); wifi.tell(); wait(lambda: len(told) == 2, 2000)"
    told, _, _ = play(tmp_path, program, given=HOME, before="air(home)")
    assert told == [(True, 80), (True, 80)]
