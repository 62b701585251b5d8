"""Takes the place of the port's start: a link that is given the inputs of a transcript and shows its effects.

As `upy_replay_agent.py`; a program of its own, as on a chip there is one link, and the agent has it.
"""


def make(header):
    """`give(input, values, now, options)` -> (effects as a transcript has them, when the link is due)."""
    from mcu_proto.link import McuLink

    link = McuLink(header["link"].get("role", 0))

    def give(name, values, now, options):
        if name == "receive_bytes":
            effects = link.receive_bytes(values[0], now)
        elif name == "handle_timeout":
            effects = link.handle_timeout(now)
        elif name == "request":
            effects = link.request(values[0], values[1], now, options["token"])
        else:
            raise ValueError(name)
        return [_shown(effect) for effect in effects], link.next_timeout()

    return give


def _shown(effect):
    from mcu_proto.link import Acked, Failed, Illegal, Received, SendSerial

    if isinstance(effect, SendSerial):
        return ["SendSerial", {"hex": effect.data.hex()}]
    if isinstance(effect, Received):
        return ["Received", _frame(effect.frame)]
    if isinstance(effect, Acked):
        return ["Acked", effect.token, _frame(effect.frame)]
    if isinstance(effect, Failed):
        return ["Failed", effect.token, effect.reason]
    if isinstance(effect, Illegal):
        return ["Illegal", [effect.bad.reason, effect.bad.cmd, effect.bad.sn]]
    raise ValueError("an effect that no transcript has")


def _frame(frame):
    return [frame.cmd, frame.sn, frame.flags, {"hex": frame.payload.hex()}]
