"""Takes the place of the port's start: an agent that is given the inputs of a transcript and shows its effects.

Each input is called by its name, each effect is told by its type, as the port does it: in what runs on a chip methods
have no names any more, and effects no types.
"""


def make(header):
    """`give(input, values, now, options)` -> (effects as a transcript has them, when the agent is due)."""
    from gagent.agent import Agent
    from gagent.config import AgentConfig

    config = AgentConfig(header["agent"], header["api_url"])
    config.signatures = header.get("signatures", 0)
    max_firmware = header.get("max_firmware", 0)
    agent = Agent(config, _counting, header.get("baud", 9600), crypto=_Crypto(), max_firmware=max_firmware)

    def give(name, values, now, options):
        if name == "start":
            effects = agent.start(now)
        elif name == "handle_timeout":
            effects = agent.handle_timeout(now)
        elif name == "receive_serial":
            effects = agent.receive_serial(values[0], now)
        elif name == "serial_lost":
            effects = agent.serial_lost(now)
        elif name == "network_changed":
            effects = agent.network_changed(values[0], values[1], now)
        elif name == "mqtt_connected":
            effects = agent.mqtt_connected(now)
        elif name == "mqtt_lost":
            effects = agent.mqtt_lost(values[0], now)
        elif name == "receive_publish":
            effects = agent.receive_publish(values[0], values[1], now)
        elif name == "http_response":
            effects = agent.http_response(values[0], values[1], values[2], now)
        elif name == "http_failed":
            effects = agent.http_failed(values[0], values[1], now)
        elif name == "set_utc":
            effects = agent.set_utc(values[0], now)
        elif name == "firmware":
            effects = agent.firmware(_event(values[0]), now)
        else:
            raise ValueError(name)
        return [_shown(effect) for effect in effects], agent.next_timeout()

    return give


def _shown(effect):
    from gagent import effects as e

    if isinstance(effect, e.SendSerial):
        return ["SendSerial", _json(effect.data)]
    if isinstance(effect, e.MqttPublish):
        return ["MqttPublish", effect.topic, _json(effect.payload), effect.qos]
    if isinstance(effect, e.Notice):
        return ["Notice", effect.code, _json(effect.detail)]
    if isinstance(effect, e.HttpRequest):
        return ["HttpRequest", effect.ref, effect.method, effect.url, _json(effect.body)]
    if isinstance(effect, e.MqttConnect):
        login = (effect.client_id, effect.username, effect.password)
        return list(("MqttConnect", effect.host, effect.port) + login + (effect.keepalive_s, list(effect.topics)))
    if isinstance(effect, e.MqttDisconnect):
        return ["MqttDisconnect"]
    if isinstance(effect, e.SaveConfig):
        return ["SaveConfig", effect.record]
    if isinstance(effect, e.ConfigureNetwork):
        return ["ConfigureNetwork", effect.mode]
    if isinstance(effect, e.Restart):
        return ["Restart", effect.reason]
    return _shown_upgrade(effect)


def _shown_upgrade(effect):
    from gagent import ota

    if isinstance(effect, ota.Download):
        return ["Download", effect.kind, effect.version, effect.url, effect.max_size]
    if isinstance(effect, ota.ReadFirmware):
        return ["ReadFirmware", effect.offset, effect.size]
    if isinstance(effect, ota.DropFirmware):
        return ["DropFirmware", effect.kind]
    if isinstance(effect, ota.InstallFirmware):
        return ["InstallFirmware", effect.version]
    raise ValueError("an effect that no transcript has")


def _event(value):
    from gagent import ota

    if value[0] == "Progress":
        return ota.Progress(value[1], value[2])
    if value[0] == "Image":
        return ota.Image(value[1], value[2], value[3], value[4])
    if value[0] == "FirmwareData":
        return ota.FirmwareData(value[1])
    return ota.FirmwareFailed(value[1])


def _json(value):
    return {"hex": value.hex()} if isinstance(value, bytes) else value


class _Crypto:
    """All signatures are good: those of transcripts are."""

    def is_signed(self, key, signature, message):
        return True


def _counting(n):
    """Stands in for urandom: 0, 1, 2, ... each time."""
    return bytes(range(n))
