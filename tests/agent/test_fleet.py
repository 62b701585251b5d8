"""A fleet that loses its broker: the laws of its way back. `make fleet` prints how long it takes."""

import pytest
from soak.fleet import MINUTE, Broker, Fleet

from gagent.backoff import CAP, FIRST, SETTLED

SIZE = 1000
SCENES = {
    "away 5 min": (5 * MINUTE, None),
    "away 3 s": (3000, None),
    "kicked after the login": (3000, 20),
}


@pytest.fixture(scope="module", params=SCENES.values(), ids=list(SCENES))
def fleet(request):
    return Fleet(SIZE, Broker(*request.param)).run()


def test_everyone_is_back(fleet):
    assert len(fleet.back_after()) == SIZE


def test_nobody_knocks_before_its_wait_is_over(fleet):
    for module in fleet.modules:
        for wait in module.waits:
            assert [at for at in module.tries if wait.at < at < wait.at + wait.wait] == []


def test_nobody_waits_in_vain(fleet):
    # Its wait over, a module knocks, or asks where the broker is and knocks then.
    for module in fleet.modules:
        for wait in module.waits:
            assert [at for at in module.tries if 0 <= at - wait.at - wait.wait < 1000]


def test_ceilings_double_and_fall_only_after_a_settled_session(fleet):
    drawn = {}
    for module in fleet.modules:
        ceiling = FIRST
        for wait in module.waits:
            if wait.up is not None and wait.up >= SETTLED:
                ceiling = FIRST
            assert wait.wait <= ceiling
            drawn.setdefault(ceiling, []).append(wait.wait)
            ceiling = min(2 * ceiling, CAP)
    # Drawn from the whole range: a ceiling that had not been doubled would show, where enough of them were drawn.
    for ceiling, waits in drawn.items():
        assert max(waits) > ceiling // 2 or len(waits) < 50


def test_a_fleet_kicked_after_its_login_does_not_hammer_the_broker():
    kicked = Fleet(SIZE, Broker(3000, 20)).run()
    assert any(wait.up is not None and wait.up < SETTLED for module in kicked.modules for wait in module.waits)
    # One that began anew after each kick would knock every second.
    assert max(len(module.tries) for module in kicked.modules) < 20


def test_the_first_tries_of_a_fleet_are_spread_over_the_whole_first_wait():
    fleet = Fleet(SIZE, Broker(5 * MINUTE)).run()
    firsts = sorted(module.waits[0].wait for module in fleet.modules)
    quarters = [sum(low <= wait < low + FIRST // 4 for wait in firsts) for low in range(0, FIRST, FIRST // 4)]
    assert min(quarters) > SIZE // 5
