"""Who sent a message to a topic without a did, from mosquitto's log."""

import asyncio

import pytest
from localcloud.mosquitto_senders import Senders
from testkit.patience import PATIENCE_S


def _scene(script):
    """Runs `script(senders)`, which asks and tells in some order; the answers."""

    async def run():
        senders = Senders()
        asked = [asyncio.create_task(senders.sender(*question)) for question in script[0]]
        await asyncio.sleep(0)
        for line in script[1]:
            senders.saw(*line)
        asked += [asyncio.create_task(senders.sender(*question)) for question in script[2]]
        return await asyncio.wait_for(asyncio.gather(*asked), PATIENCE_S)

    return asyncio.run(run())


@pytest.mark.parametrize("before", [0, 1, 3], ids=["lines first", "mixed", "messages first"])
def test_the_nth_line_belongs_to_the_nth_message(before):
    questions = [("cli2ser_req", 6), ("cli2ser", 6), ("cli2ser_req", 8)]
    lines = [("one", "cli2ser_req", 6), ("two", "cli2ser", 6), ("three", "cli2ser_req", 8)]
    assert _scene((questions[:before], lines, questions[before:])) == ["one", "two", "three"]


def test_what_does_not_fit_is_nobodys_and_nothing_that_waits_is_trusted_after_it():
    questions = [("cli2ser_req", 8), ("cli2ser_req", 8)]
    lines = [("one", "cli2ser_req", 6), ("two", "cli2ser_req", 8)]
    assert _scene((questions, lines[:1], [])) == ["", ""]
    assert _scene(([], lines, questions[:1])) == [""]


def test_after_a_mistake_it_begins_again():
    async def scene():
        senders = Senders()
        senders.saw("one", "cli2ser_req", 6)
        assert await senders.sender("cli2ser_req", 8) == ""
        senders.saw("two", "cli2ser_req", 8)
        assert await senders.sender("cli2ser_req", 8) == "two"

    asyncio.run(scene())
