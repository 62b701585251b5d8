"""The agent: what a module does between the MCU's serial line and the cloud.

          start              valid device info                    heartbeats fail, line lost
    IDLE ───────▶ HANDSHAKE ───────────────────▶ RUN ─────────────────────────▶ HANDSHAKE
                    │ ▲ asked again for ever      │ 0b, 29
                    └─┘                           └─▶ Restart, then `start` again

Two conversations meet here: `McuLink` with the MCU, `CloudSession` with the cloud. This file routes between them and
keeps the module's own duties: handshake, heartbeat, status word, time, reset. P0 crosses it undecoded.

A report goes out as a publish of qos 1 and only then is it acked to the MCU: what a port keeps before it performs the
ack is never lost. Until there is a did, the newest report waits here.

Laws of the boundary: an input never raises on what a peer sent; effects are performed in list order; `next_timeout` is
valid after every call and `handle_timeout` harmless when early; `now` is milliseconds that never go back; `data` is not
kept. `urandom(n)` gives n random bytes.
"""

from mcu_proto import message
from mcu_proto.const import (
    ACK_TIMEOUT,
    ACTION_READ_REPLY,
    ACTION_VAR_READ_REPLY,
    CMD_ANNOUNCE,
    CMD_BINDABLE,
    CMD_CONFIG_MODE,
    CMD_GET_INFO,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_HEARTBEAT,
    CMD_MODULE_STATUS,
    CMD_P0_DOWN,
    CMD_P0_UP,
    CMD_PIECE,
    CMD_PRODUCTION_TEST,
    CMD_REGISTER_SUBDEVICES,
    CMD_RESET_MODULE,
    CMD_RESTART_MODULE,
    CMD_STOP_SENDING,
    CMD_SUBDEVICES_REGISTERED,
    MAX_PAYLOAD,
    STATUS_APP,
    STATUS_BINDABLE,
    STATUS_CLOUD,
    STATUS_CONFIG,
    STATUS_ROUTER,
    STATUS_STATION,
    STATUS_TEST,
    const,
)
from mcu_proto.errors import RemoteError
from mcu_proto.link import COUNT_NAMES, Acked, Failed, Illegal, McuLink, Received, SendSerial

from . import device_api, topics, wire
from .cloud import KEEPALIVE_S, CloudSession
from .effects import (
    NOTICE_BAD_FRAME,
    NOTICE_CONTROL_FAILED,
    NOTICE_IGNORED,
    NOTICE_MCU_LOST,
    NOTICE_MCU_READY,
    NOTICE_MCU_SILENT,
    NOTICE_NEW_IDENTITY,
    NOTICE_RESET,
    NOTICE_RESTART,
    NOTICE_UPLOAD,
    ConfigureNetwork,
    MqttPublish,
    Notice,
    Reported,
    Restart,
    SaveConfig,
)
from .status import signal_bits

IDLE = const(0)
HANDSHAKE = const(1)
RUN = const(2)

# Tokens of our own requests; a control's token is (cloud command, client, sn, P0).
_ASKED_INFO = const(1)
_ASKED_LIFE = const(2)
_TOLD_STATUS = const(3)
_LOCAL = const(4)

# The reference agent asks ten rounds and gives up; we pause and go on.
_ROUNDS = const(10)
_PAUSE = const(1000)
_SILENT_NOTICE_EVERY = const(60000)
_HEARTBEAT = const(55000)
# Heartbeats without an answer until the MCU counts as lost, as the manual has it.
_MISSES = const(3)
_STATUS_EVERY = const(600000)
_STATUS_RETRY = const(1000)
_TEST_MODE = const(180000)
# The MCU expects its ack to have left the line before the module restarts.
_RESTART_AFTER = const(100)
_RESET_AFTER = const(2000)


class Agent:
    """`config` is an AgentConfig, written here when the identity changes; `baud` the speed of the serial line,
    `queue_size` how many controls may wait for the MCU.

    `crypto` has the port's md5(data), aes_encrypt(key, data) and aes_decrypt(key, data): with it a product whose MCU
    knows its secret uses generation B of the device API. `local` asks for `Reported`, `cloud` is False when there is
    none to talk to, `max_upload` is the largest file that an MCU may send up: 0 refuses all, as a chip must.
    """

    def __init__(self, config, urandom, baud=9600, queue_size=16, crypto=None, local=False, cloud=True, max_upload=0):
        self._config = config
        self._urandom = urandom
        self._crypto = crypto
        self._local = local
        self._has_cloud = cloud
        hold = (CMD_P0_UP, CMD_GET_TIME, CMD_GET_MODULE_INFO, CMD_PIECE)
        serves = bytes((CMD_REGISTER_SUBDEVICES,))
        if max_upload:
            serves += bytes((CMD_ANNOUNCE, CMD_PIECE, CMD_STOP_SENDING))
        self._link = McuLink(hold=hold, serves=serves, baud=baud, queue_size=queue_size)
        self._cloud = CloudSession(config, urandom)
        self._max_upload = max_upload
        self._upload = None
        self._subdevices = None
        self._local_online = False
        self._reports = self._controls = self._control_failures = 0
        # The newest report while there is no did to publish it under.
        self._kept = None
        self._heartbeat = _HEARTBEAT
        self._tz_minutes = config.tz_minutes
        self._state = IDLE
        self._network = False
        self._signal = 0
        self._utc = None
        self._info = None
        self._rounds = 0
        self._silent_at = None
        self._forget_mcu()

    def start(self, now) -> list:
        """Begin, or begin anew after a Restart."""
        out = []
        self._leave_cloud(out)
        self._begin_handshake(now, out)
        return out

    def handle_timeout(self, now) -> list:
        """Do what is due."""
        out = []
        if self._state == IDLE:
            return out
        self._from_link(self._link.handle_timeout(now), now, out)
        if self._restart_at is not None and now >= self._restart_at:
            reason = self._restart
            self._leave_cloud(out)
            self._stop_link(out)
            self._state = IDLE
            out.append(Restart(reason))
            return out
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_info(now, out)
        if self._upload is not None:
            self._upload.handle_timeout(now, out)
        if self._state == RUN:
            self._run_duties(now, out)
        out.extend(self._cloud.handle_timeout(now))
        self._tell_status(now, out)
        return out

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do; None: not before the next input."""
        first = None
        for at in (
            self._link.next_timeout(),
            self._cloud.next_timeout(),
            self._ask_at,
            self._heartbeat_at,
            None if self._status_busy else self._status_at,
            self._bindable_until,
            self._test_until,
            self._restart_at,
            None if self._upload is None else self._upload.next_timeout(),
        ):
            if at is not None and (first is None or at < first):
                first = at
        return first

    def set_utc(self, utc, now) -> list:
        """The port knows the time (seconds since 1970): it is preferred to what the cloud tells."""
        self._utc = (utc, now)
        return []

    def receive_serial(self, data, now) -> list:
        """Bytes from the MCU."""
        out = []
        if self._state != IDLE:
            self._from_link(self._link.receive_bytes(data, now), now, out)
            self._tell_status(now, out)
        return out

    def serial_lost(self, now) -> list:
        """The serial port is gone; the handshake goes on until an MCU answers again."""
        out = []
        if self._state != IDLE:
            self._lose_mcu("the serial port is gone", now, out)
        return out

    def network_changed(self, up, rssi, now) -> list:
        """`up`: there is a network to reach the cloud by; `rssi` its signal strength in percent."""
        out = []
        self._network = up
        self._signal = signal_bits(rssi) if up else 0
        self._configuring = False
        if not up:
            self._leave_cloud(out)
        else:
            self._join_cloud(now, out)
        self._tell_status(now, out)
        return out

    def mqtt_connected(self, now) -> list:
        """MqttConnect was carried out: logged in and subscribed."""
        out = self._cloud.mqtt_connected(now)
        self._tell_status(now, out)
        return out

    def mqtt_lost(self, reason, now) -> list:
        """The session ended or did not come about; `reason` is the CONNACK code of a refusal, else 0."""
        out = self._cloud.mqtt_lost(reason, now)
        self._app_count = 0
        self._tell_status(now, out)
        return out

    def control(self, p0, now) -> list:
        """A local control or read: P0 for the MCU; its answer, if it has content, comes as `Reported`."""
        out = []
        self._send_p0(p0, _LOCAL, now, out)
        return out

    def local_online(self, up, now) -> list:
        """Where there is no cloud: whether something local stands in for it, as the status word tells the MCU."""
        out = []
        self._local_online = up
        self._tell_status(now, out)
        return out

    def receive_publish(self, topic, payload, now) -> list:
        """A message on one of the topics of MqttConnect."""
        out = []
        kind, subject, client = topics.parse(topic)
        try:
            if kind == "app2dev" and subject == self._config.did:
                self._on_app(client, wire.decode(payload), now, out)
            elif kind == "ser2cli_res" and subject == self._config.did:
                self._on_service(wire.decode_service(payload), now, out)
            else:
                out.append(Notice(NOTICE_IGNORED, "message on %s" % topic[:80]))
        except RemoteError as error:
            out.append(Notice(NOTICE_IGNORED, str(error)))
        return out

    def http_response(self, ref, status, body, now) -> list:
        """The answer to HttpRequest `ref`."""
        out = []
        if self._subdevices is None or not self._subdevices.http_response(ref, status, body, now, out):
            out = self._cloud.http_response(ref, status, body, now)
            self._publish_kept(out)
        self._tell_status(now, out)
        return out

    def http_failed(self, ref, reason, now) -> list:
        """HttpRequest `ref` got no answer; `reason` is text for people."""
        out = []
        if self._subdevices is None or not self._subdevices.http_failed(ref, now, out):
            out = self._cloud.http_failed(ref, reason, now)
        return out

    def snapshot(self) -> dict:
        """The state for status pages and tests; no secrets."""
        info = self._info
        return {
            "state": ("idle", "handshake", "run")[self._state],
            "cloud": ("off", "registering", "provisioning", "connecting", "online", "waiting")[self._cloud.state()],
            "did": self._config.did,
            "mac": self._config.mac,
            "product_key": self._config.product_key,
            "status": self._status(),
            "app_count": self._app_count,
            "mcu_hard_ver": info.hard_ver if info else "",
            "mcu_soft_ver": info.soft_ver if info else "",
            "counts": self._counts(),
        }

    def _counts(self) -> dict:
        counts = {name: count for name, count in zip(COUNT_NAMES, self._link.counts) if name}
        counts["reports"] = self._reports
        counts["controls"] = self._controls
        counts["control_failures"] = self._control_failures
        return counts

    # The MCU's side.

    def _begin_handshake(self, now, out):
        self._stop_link(out)
        self._state = HANDSHAKE
        self._rounds = 0
        self._silent_at = None
        self._ask_info(now, out)

    def _stop_link(self, out):
        for failed in self._link.reset():
            if failed.token == _LOCAL or isinstance(failed.token, tuple):
                self._control_failures += 1
                out.append(Notice(NOTICE_CONTROL_FAILED, failed.reason))
        self._forget_mcu()

    def _forget_mcu(self):
        self._upload = None
        self._in_hand = []
        self._ask_at = None
        self._restart = self._restart_at = None
        self._app_count = 0
        self._configuring = False
        self._heartbeat_at = None
        self._misses = 0
        self._status_told = None
        self._status_busy = False
        self._status_at = None
        self._bindable = False
        self._bindable_until = None
        self._test_until = None

    def _ask_info(self, now, out):
        self._ask_at = None
        self._from_link(self._link.request(CMD_GET_INFO, b"", now, _ASKED_INFO), now, out)

    def _ask_again(self, instead, now, out):
        """Device info did not come, `instead` says what did."""
        self._rounds += 1
        if self._rounds % _ROUNDS and not instead:
            self._ask_info(now, out)
            return
        self._ask_at = now + _PAUSE
        if self._silent_at is None or now >= self._silent_at:
            self._silent_at = now + _SILENT_NOTICE_EVERY
            out.append(Notice(NOTICE_MCU_SILENT, instead))

    def _lose_mcu(self, why, now, out):
        if self._state == RUN:
            out.append(Notice(NOTICE_MCU_LOST, why))
        self._leave_cloud(out)
        self._begin_handshake(now, out)

    def _from_link(self, items, now, out):
        for item in items:
            if isinstance(item, SendSerial):
                out.append(item)
            elif isinstance(item, Received):
                self._on_alive(now)
                self._on_request(item.frame, now, out)
            elif isinstance(item, Acked):
                self._on_alive(now)
                self._on_acked(item.token, item.frame, now, out)
            elif isinstance(item, Failed):
                self._on_failed(item.token, item.reason, now, out)
            elif isinstance(item, Illegal):
                out.append(Notice(NOTICE_BAD_FRAME, item.bad.reason))

    def _on_alive(self, now):
        if self._state == RUN:
            self._misses = 0
            self._heartbeat_at = now + self._heartbeat

    def _on_acked(self, token, frame, now, out):
        if token == _ASKED_INFO:
            try:
                self._on_info(message.parse_device_info(frame.payload), now, out)
            except RemoteError as error:
                self._ask_again(str(error), now, out)
        elif token == _TOLD_STATUS:
            self._status_busy = False
            self._status_at = now + _STATUS_EVERY
        elif token == _LOCAL:
            self._controls += 1
            self._tell_reported(frame.payload, out)
        elif token is not None and token != _ASKED_LIFE:
            self._controls += 1
            self._answer_control(token, frame.payload, out)

    def _on_failed(self, token, reason, now, out):
        if token == _ASKED_INFO:
            self._ask_again("", now, out)
        elif token == _TOLD_STATUS:
            self._status_busy = False
            self._status_at = now + _STATUS_RETRY
        elif token == _ASKED_LIFE:
            self._misses += 1
            if self._misses >= _MISSES:
                self._lose_mcu("no answer to %d heartbeats" % _MISSES, now, out)
        elif token is not None:
            if token != _LOCAL:
                self._in_hand.remove(token)
            self._control_failures += 1
            out.append(Notice(NOTICE_CONTROL_FAILED, reason))

    def _on_info(self, info, now, out):
        config = self._config
        if info.product_key != config.product_key or not config.passcode:
            config.renew(info.product_key, self._urandom)
            out.append(SaveConfig(config.to_record()))
            out.append(Notice(NOTICE_NEW_IDENTITY, info.product_key))
        self._info = info
        self._heed(message.parse_env(info.data or b""))
        self._state = RUN
        self._on_alive(now)
        self._open_bindable(now)
        out.append(Notice(NOTICE_MCU_READY, info.product_key))
        self._join_cloud(now, out)

    def _on_request(self, frame, now, out):
        if self._state == RUN:
            handler = self._ON_REQUEST.get(frame.cmd)
            if handler is not None:
                handler(self, frame, now, out)
        elif frame.cmd == CMD_GET_TIME:
            self._on_get_time(frame, now, out)
        elif frame.cmd == CMD_P0_UP:
            # Whose product it is is not known yet: the MCU tells its state again when it changes.
            out.extend(self._link.reply(frame))

    def _on_report(self, frame, now, out):
        self._reports += 1
        self._tell_reported(frame.payload, out)
        if self._has_cloud and self._test_until is None:
            self._publish_report(frame.payload, out)
        out.extend(self._link.reply(frame))

    def _publish_report(self, p0, out):
        did = self._config.did
        if did:
            out.append(MqttPublish(topics.dev2app(did), wire.encode(wire.CLOUD_REPORT, p0), 1))
        else:
            self._kept = p0

    def _publish_kept(self, out):
        if self._kept is not None and self._config.did:
            p0, self._kept = self._kept, None
            self._publish_report(p0, out)

    def _tell_reported(self, p0, out):
        if self._local and p0:
            out.append(Reported(p0))

    def _on_big_data(self, frame, now, out):
        if self._upload is None:
            # Few MCUs send files: loaded for the first that does.
            from .upload import Upload

            self._upload = Upload(self._link, self._max_upload, self._crypto.md5, self._publish_file)
        self._upload.receive(frame, now, out)

    def _publish_file(self, file, out):
        if self._config.did:
            out.append(MqttPublish(topics.dev2app(self._config.did), wire.encode(wire.CLOUD_REPORT, file), 1))
            out.append(Notice(NOTICE_UPLOAD, len(file)))

    def _on_register_subdevices(self, frame, now, out):
        if self._subdevices is None:
            # Only gateways have such.
            from .subdevices import Subdevices

            self._subdevices = Subdevices(self._config, self._urandom, self._cloud.request, self._send_registered)
        self._subdevices.receive(frame, self._cloud.is_online(), now, out)

    def _send_registered(self, payload, now, out):
        self._from_link(self._link.request(CMD_SUBDEVICES_REGISTERED, payload, now), now, out)

    def _heed(self, env):
        """What the MCU's own text in device info asks for; nonsense is ignored."""
        self._heartbeat = _number(env, "LocalHT", 5, 3600, _HEARTBEAT // 1000) * 1000
        self._tz_minutes = _number(env, "tz", -43200, 50400, self._config.tz_minutes * 60) // 60
        self._cloud.keepalive_s = _number(env, "m2mKeepAL", 10, 3600, KEEPALIVE_S)

    def _on_config_mode(self, frame, now, out):
        try:
            mode = message.parse_config_mode(frame.payload).mode
        except RemoteError as error:
            out.append(Notice(NOTICE_IGNORED, str(error)))
            return
        self._configuring = True
        out.append(ConfigureNetwork(mode))

    def _on_reset(self, frame, now, out):
        config = self._config
        config.renew(config.product_key, self._urandom)
        out.append(SaveConfig(config.to_record()))
        out.append(Notice(NOTICE_RESET, config.product_key))
        self._leave_cloud(out)
        if config.old_did:
            out.extend(self._cloud.forget_old_did())
        self._restart = NOTICE_RESET
        self._restart_at = now + _RESET_AFTER

    def _on_restart(self, frame, now, out):
        out.append(Notice(NOTICE_RESTART, ""))
        self._restart = NOTICE_RESTART
        self._restart_at = now + _RESTART_AFTER

    def _on_production_test(self, frame, now, out):
        # No cloud connection while in test mode.
        self._test_until = now + _TEST_MODE
        self._leave_cloud(out)

    def _on_bindable(self, frame, now, out):
        self._open_bindable(now)

    def _on_get_time(self, frame, now, out):
        utc = self._utc or self._cloud.utc
        seconds = utc[0] + (now - utc[1]) // 1000 if utc else 0
        out.extend(self._link.reply(frame, message.build_network_time(seconds, self._tz_minutes)))

    def _on_get_module_info(self, frame, now, out):
        c = self._config
        # An MCU asks this once in its life, if ever: loaded when it does.
        from mcu_proto import module_info

        info = module_info.ModuleInfo(
            self._info.protocol_ver, c.hard_version, c.soft_version, c.mac, c.ip, self._info.device_attr or 0
        )
        out.extend(self._link.reply(frame, module_info.build_module_info(info)))

    _ON_REQUEST = {
        CMD_P0_UP: _on_report,
        CMD_CONFIG_MODE: _on_config_mode,
        CMD_RESET_MODULE: _on_reset,
        CMD_PRODUCTION_TEST: _on_production_test,
        CMD_BINDABLE: _on_bindable,
        CMD_GET_TIME: _on_get_time,
        CMD_GET_MODULE_INFO: _on_get_module_info,
        CMD_RESTART_MODULE: _on_restart,
        CMD_ANNOUNCE: _on_big_data,
        CMD_PIECE: _on_big_data,
        CMD_STOP_SENDING: _on_big_data,
        CMD_REGISTER_SUBDEVICES: _on_register_subdevices,
    }

    def _open_bindable(self, now):
        window = self._info.bindable_timeout
        self._bindable = True
        # A window of 0 never closes.
        self._bindable_until = now + window * 1000 if window else None

    def _run_duties(self, now, out):
        if self._heartbeat_at is not None and now >= self._heartbeat_at:
            self._heartbeat_at = now + self._heartbeat
            self._from_link(self._link.request(CMD_HEARTBEAT, b"", now, _ASKED_LIFE), now, out)
        if self._bindable_until is not None and now >= self._bindable_until:
            self._bindable = False
            self._bindable_until = None
        if self._test_until is not None and now >= self._test_until:
            self._test_until = None
            self._join_cloud(now, out)

    def _tell_status(self, now, out):
        """Push the status word when it changed or is due; one push at a time, the next carries what came meanwhile."""
        if self._state != RUN or self._status_busy:
            return
        word = self._status()
        due = self._status_at is not None and now >= self._status_at
        if due or (word != self._status_told):
            self._status_told = word
            self._status_busy = True
            payload = message.build_module_status(word)
            self._from_link(self._link.request(CMD_MODULE_STATUS, payload, now, _TOLD_STATUS), now, out)

    def _status(self) -> int:
        word = self._signal
        for bit, on in (
            (STATUS_STATION, True),
            (STATUS_CONFIG, self._configuring),
            (STATUS_BINDABLE, self._bindable),
            (STATUS_ROUTER, self._network),
            (STATUS_CLOUD, self._cloud.is_online() or (self._local_online and not self._has_cloud)),
            (STATUS_APP, self._app_count > 0),
            (STATUS_TEST, self._test_until is not None),
        ):
            if on:
                word |= bit
        return word

    # The cloud's side.

    def _join_cloud(self, now, out):
        idle = self._test_until is None and self._restart_at is None
        if self._has_cloud and self._state == RUN and self._network and idle:
            info = self._info
            out.extend(self._cloud.start((info.hard_ver, info.soft_ver), now, self._api()))

    def _api(self):
        """Generation B of the device API where the MCU knows its secret and the port can encrypt, else A."""
        secret = self._info.product_secret
        if self._crypto is None or not secret or len(secret) != 32:
            return device_api
        from .device_api_b import SecretApi

        try:
            return SecretApi(self._crypto, secret)
        except ValueError:
            return device_api  # no hex digits, so no secret

    def _leave_cloud(self, out):
        out.extend(self._cloud.stop())
        self._app_count = 0

    def _on_app(self, client, envelope, now, out):
        if envelope.cmd != wire.CLOUD_COMMAND and envelope.cmd != wire.CLOUD_CONTROL:
            out.append(Notice(NOTICE_IGNORED, "app command %04x" % envelope.cmd))
        else:
            token = (envelope.cmd, client, envelope.sn, envelope.p0)
            # Sent again while the first is still under way: it is executed, and answered, once.
            if token not in self._in_hand:
                self._send_p0(envelope.p0, token, now, out)

    def _send_p0(self, p0, token, now, out):
        if len(p0) > MAX_PAYLOAD:
            out.append(Notice(NOTICE_IGNORED, "control of %d bytes, an MCU takes %d" % (len(p0), MAX_PAYLOAD)))
        elif self._state != RUN:
            out.append(Notice(NOTICE_IGNORED, "control while there is no MCU"))
        else:
            if token != _LOCAL:
                self._in_hand.append(token)
            self._from_link(self._link.request(CMD_P0_DOWN, p0, now, token, ACK_TIMEOUT), now, out)

    def _answer_control(self, token, p0, out):
        self._in_hand.remove(token)
        cmd, client, sn, _ = token
        if p0 and p0[0] in (ACTION_READ_REPLY, ACTION_VAR_READ_REPLY):
            self._tell_reported(p0, out)
        if not self._cloud.is_online():
            return
        did = self._config.did
        if cmd == wire.CLOUD_CONTROL:
            out.append(MqttPublish(topics.dev2app(did, client), wire.encode(wire.CLOUD_CONTROL_ACK, p0, sn), 0))
        else:
            out.append(MqttPublish(topics.dev2app(did), wire.encode(wire.CLOUD_REPORT, p0), 0))

    def _on_service(self, service, now, out):
        cmd, body = service
        if cmd == wire.SERVICE_APP_COUNT and len(body) >= 2:
            self._app_count = body[0] << 8 | body[1]
            self._tell_status(now, out)
        else:
            out.append(Notice(NOTICE_IGNORED, "service command %04x" % cmd))


def _number(env, key, low, high, default) -> int:
    text = env.get(key, "")
    digits = text[1:] if text.startswith("-") else text
    if not digits.isdigit() or not low <= int(text) <= high:
        return default
    return int(text)
