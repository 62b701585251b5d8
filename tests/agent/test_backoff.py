"""gagent.backoff: exponential with full jitter."""

from hypothesis import given
from hypothesis import strategies as st

from gagent.backoff import CAP, FIRST, SETTLED, Backoff

HIGHEST = 0xFFFFFF


def _drawing(n):
    """A urandom whose next draw is n."""
    return lambda size: n.to_bytes(size, "big")


@given(st.integers(0, HIGHEST), st.integers(1, 20))
def test_every_wait_is_drawn_from_zero_to_its_ceiling(draw, failures):
    backoff = Backoff(_drawing(draw))
    ceiling = FIRST
    for _ in range(failures):
        assert backoff.delay(0) == draw % (ceiling + 1)
        ceiling = min(2 * ceiling, CAP)


def test_the_first_wait_is_jittered_too():
    assert {Backoff(_drawing(n)).delay(0) for n in range(5)} == {0, 1, 2, 3, 4}


def test_ceiling_stops_at_the_cap():
    backoff = Backoff(_drawing(CAP))
    assert [backoff.delay(0) for _ in range(12)][-1] == CAP


def test_a_session_that_stayed_up_starts_the_waits_anew():
    backoff = Backoff(_drawing(FIRST))
    for _ in range(8):
        backoff.delay(0)
    backoff.connected(0)
    assert backoff.delay(SETTLED) == FIRST


def test_a_kick_right_after_the_login_goes_on_backing_off():
    backoff = Backoff(_drawing(2 * FIRST))
    backoff.delay(0)
    backoff.connected(0)
    assert backoff.delay(SETTLED - 1) == 2 * FIRST
