"""The agent: what a module does between the MCU's serial line and the cloud.

    MCU ── McuSession ──┐                        ┌── CloudSession ── cloud
                        ├── Agent ── Relay ──────┤
                        └────────── SideJobs ────┘

This file routes between the conversations and does what needs more than one of them: identity, reset, restart, time,
module info. P0 crosses it undecoded. A report goes out as a publish of qos 1 and only then is it acked to the MCU: what
a port keeps before it performs the ack is never lost.

Laws of the boundary: an input never raises on what a peer sent; effects are performed in list order; `next_timeout` is
valid after every call and `handle_timeout` harmless when early; `now` is milliseconds that never go back; `data` is not
kept. `urandom(n)` gives n random bytes.
"""

from mcu_proto import message
from mcu_proto.const import (
    CMD_ANNOUNCE,
    CMD_CONFIG_MODE,
    CMD_GET_MODULE_INFO,
    CMD_GET_TIME,
    CMD_P0_UP,
    CMD_PIECE,
    CMD_READY,
    CMD_REGISTER_SUBDEVICES,
    CMD_RESET_MODULE,
    CMD_RESTART_MODULE,
    CMD_STOP_RECEIVING,
    CMD_STOP_SENDING,
    CMD_TRANSACTION,
    MAX_FRAME,
    STATUS_APP,
    STATUS_CLOUD,
    STATUS_CONFIG,
    STATUS_ROUTER,
    const,
)
from mcu_proto.errors import RemoteError
from mcu_proto.link import COUNT_NAMES, Acked, Failed, Received

from . import topics, wire
from .cloud import KEEPALIVE_S, CloudSession, Offer
from .effects import (
    NOTICE_FIRMWARE,
    NOTICE_IGNORED,
    NOTICE_NEW_IDENTITY,
    NOTICE_RESET,
    NOTICE_RESTART,
    ConfigureNetwork,
    Notice,
    Restart,
    SaveConfig,
)
from .mcu_session import HEARTBEAT, RUN, McuLost, McuReady, McuSession, TestMode
from .relay import Relay
from .status import signal_bits

# The MCU expects its ack to have left the line before the module restarts.
_RESTART_AFTER = const(100)
_RESET_AFTER = const(2000)


class Agent:
    """`config` is an AgentConfig, written here when the identity changes; `baud` the speed of the serial line,
    `queue_size` how many controls may wait for the MCU.

    `crypto` has the port's md5(data), aes_encrypt(key, data) and aes_decrypt(key, data): with it a product whose MCU
    knows its secret uses generation B of the device API. `local` asks for `Reported`, `cloud` is False when there is
    none to talk to, `max_upload` is the largest file that an MCU may send up: 0 refuses all, as a chip must;
    `max_firmware` the largest image: 0 takes none. Signatures need the crypto's is_signed(key, signature, message).
    `max_frame` is the longest frame taken from the MCU.
    """

    def __init__(
        self,
        config,
        urandom,
        baud=9600,
        queue_size=16,
        crypto=None,
        local=False,
        cloud=True,
        max_upload=0,
        max_firmware=0,
        max_frame=MAX_FRAME,
    ):
        self._config = config
        self._urandom = urandom
        self._crypto = crypto
        self._has_cloud = cloud
        self._max_firmware = max_firmware
        hold = (CMD_P0_UP, CMD_GET_TIME, CMD_GET_MODULE_INFO, CMD_PIECE)
        serves = bytes((CMD_REGISTER_SUBDEVICES,))
        if max_upload:
            serves += bytes((CMD_ANNOUNCE, CMD_PIECE, CMD_STOP_SENDING))
        if max_firmware:
            hold += (CMD_READY,)
            serves += bytes((CMD_READY, CMD_STOP_RECEIVING, CMD_TRANSACTION))
        self._mcu = McuSession(hold, serves, baud, queue_size, max_frame)
        self._cloud = CloudSession(config, urandom)
        self._relay = Relay(config, local, cloud)
        self._max_upload = max_upload
        # What few appliances need, when this one does.
        self._side_jobs = None
        self._network = False
        self._app_count = 0
        self._tz_minutes = config.tz_minutes
        self._utc = None
        self._restart = self._restart_at = None
        # A report that came before the handshake was done, not acked yet.
        self._early = None

    def start(self, now) -> list:
        """Begin, or begin anew after a Restart."""
        out: list = []
        self._leave_cloud(out)
        self._restart = self._restart_at = None
        if self._side_jobs is not None:
            self._side_jobs.mcu_lost()
        self._from_mcu(self._mcu.start(now), now, out)
        return out

    def handle_timeout(self, now) -> list:
        """Do what is due."""
        out: list = []
        self._from_mcu(self._mcu.handle_timeout(now), now, out)
        if self._restart_at is not None and now >= self._restart_at:
            self._leave_cloud(out)
            self._from_mcu(self._mcu.stop(), now, out)
            out.append(Restart(self._restart))
            self._restart = self._restart_at = None
            return out
        if self._side_jobs is not None:
            self._side_jobs.handle_timeout(now, out)
        out.extend(self._cloud.handle_timeout(now))
        self._settle(now, out)
        return out

    def next_timeout(self) -> "int | None":
        """When handle_timeout has something to do; None: not before the next input."""
        first = None
        jobs_at = None if self._side_jobs is None else self._side_jobs.next_timeout()
        for at in (self._mcu.next_timeout(), self._cloud.next_timeout(), self._restart_at, jobs_at):
            if at is not None and (first is None or at < first):
                first = at
        return first

    def set_utc(self, utc, now) -> list:
        """The port knows the time (seconds since 1970): it is preferred to what the cloud tells."""
        self._utc = (utc, now)
        return []

    def receive_serial(self, data, now) -> list:
        """Bytes from the MCU."""
        out: list = []
        self._from_mcu(self._mcu.receive(data, now), now, out)
        self._settle(now, out)
        return out

    def serial_lost(self, now) -> list:
        """The serial port is gone; the handshake goes on until an MCU answers again."""
        out: list = []
        self._from_mcu(self._mcu.lost("the serial port is gone", now), now, out)
        return out

    def network_changed(self, up, rssi, now) -> list:
        """`up`: there is a network to reach the cloud by; `rssi` its signal strength in percent."""
        out: list = []
        self._network = up
        self._mcu.show_signal(signal_bits(rssi) if up else 0)
        self._mcu.show(STATUS_ROUTER, up)
        self._mcu.show(STATUS_CONFIG, False)
        if not up:
            self._leave_cloud(out)
        else:
            self._join_cloud(now, out)
        self._settle(now, out)
        return out

    def mqtt_connected(self, now) -> list:
        """MqttConnect was carried out: logged in and subscribed."""
        out = self._cloud.mqtt_connected(now)
        self._settle(now, out)
        return out

    def mqtt_lost(self, reason, now) -> list:
        """The session ended or did not come about; `reason` is the CONNACK code of a refusal, else 0."""
        out = self._cloud.mqtt_lost(reason, now)
        self._set_app_count(0)
        self._settle(now, out)
        return out

    def control(self, p0, now) -> list:
        """A local control or read: P0 for the MCU; its answer, if it has content, comes as `Reported`."""
        out: list = []
        self._down((0, "", 0, bytes(p0)), now, out)
        return out

    def local_online(self, up, now) -> list:
        """Where there is no cloud: whether something local stands in for it, as the status word tells the MCU."""
        out: list = []
        if not self._has_cloud:
            self._mcu.show(STATUS_CLOUD, up)
        self._settle(now, out)
        return out

    def receive_publish(self, topic, payload, now) -> list:
        """A message on one of the topics of MqttConnect."""
        out: list = []
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
        out: list = []
        jobs = self._side_jobs
        if jobs is None or not jobs.http_response(ref, status, body, now, out):
            for item in self._cloud.http_response(ref, status, body, now):
                if isinstance(item, Offer):
                    self._on_offer(item, now, out)
                else:
                    out.append(item)
            self._relay.publish_kept(out)
        self._settle(now, out)
        return out

    def http_failed(self, ref, reason, now) -> list:
        """HttpRequest `ref` got no answer; `reason` is text for people."""
        out: list = []
        jobs = self._side_jobs
        if jobs is None or not jobs.http_failed(ref, now, out):
            out = self._cloud.http_failed(ref, reason, now)
        return out

    def firmware(self, event, now) -> list:
        """An answer to an effect of an upgrade: `ota.Progress`, `Image`, `FirmwareData` or `FirmwareFailed`."""
        out: list = []
        self._jobs().firmware().answered(event, now, out)
        return out

    def snapshot(self) -> dict:
        """The state for status pages and tests; no secrets."""
        info = self._mcu.info
        counts = {name: count for name, count in zip(COUNT_NAMES, self._mcu.link.counts) if name}
        counts["reports"] = self._relay.reports
        counts["controls"] = self._relay.controls
        counts["control_failures"] = self._relay.failures
        return {
            "state": ("idle", "handshake", "run")[self._mcu.state],
            "cloud": ("off", "registering", "provisioning", "connecting", "online", "waiting")[self._cloud.state()],
            "did": self._config.did,
            "mac": self._config.mac,
            "product_key": self._config.product_key,
            "status": self._mcu.status(),
            "app_count": self._app_count,
            "firmware": self._side_jobs.snapshot() if self._side_jobs is not None else {},
            "mcu_hard_ver": info.hard_ver if info else "",
            "mcu_soft_ver": info.soft_ver if info else "",
            "counts": counts,
        }

    # The MCU's side.

    def _from_mcu(self, items, now, out):
        for item in items:
            if isinstance(item, Received):
                self._on_request(item.frame, now, out)
            elif isinstance(item, Acked):
                if self._relay.owns(item.token):
                    self._relay.acked(item.token, item.frame.payload, self._cloud.is_online(), out)
                elif self._side_jobs is not None:
                    self._side_jobs.acked(item.token, now, out)
            elif isinstance(item, Failed):
                if self._relay.owns(item.token):
                    self._relay.failed(item.token, item.reason, out)
                elif self._side_jobs is not None:
                    self._side_jobs.unacked(item, now, out)
            elif isinstance(item, McuReady):
                self._on_ready(item.info, now, out)
            elif isinstance(item, McuLost):
                self._early = None
                if self._side_jobs is not None:
                    self._side_jobs.mcu_lost()
                self._leave_cloud(out)
            elif isinstance(item, TestMode):
                # No cloud connection while in test mode.
                if item.on:
                    self._leave_cloud(out)
                else:
                    self._join_cloud(now, out)
            else:
                out.append(item)

    def _on_ready(self, info, now, out):
        config = self._config
        if info.product_key != config.product_key or not config.passcode:
            config.renew(info.product_key, self._urandom)
            out.append(SaveConfig(config.to_record()))
            out.append(Notice(NOTICE_NEW_IDENTITY, info.product_key))
            self._early = None
        # What the MCU's own text asks for; nonsense is ignored.
        env = message.parse_env(info.data or b"")
        self._mcu.heartbeat = _number(env, "LocalHT", 5, 3600, HEARTBEAT // 1000) * 1000
        self._tz_minutes = _number(env, "tz", -43200, 50400, config.tz_minutes * 60) // 60
        self._cloud.keepalive_s = _number(env, "m2mKeepAL", 10, 3600, KEEPALIVE_S)
        if self._side_jobs is not None:
            self._side_jobs.mcu_ready(info, now, out)
        self._join_cloud(now, out)
        early, self._early = self._early, None
        if early is not None:
            self._on_report(early, out)

    def _on_request(self, frame, now, out):
        """By frequency; a table would cost a chip a row of heap for every command."""
        cmd = frame.cmd
        if cmd == CMD_GET_TIME:
            self._on_get_time(frame, now, out)
        elif self._mcu.state != RUN:
            if cmd == CMD_P0_UP:
                # Whose product it is is not known yet. Acked when it can be handed over; till then the MCU repeats it.
                self._early = frame
        elif cmd == CMD_P0_UP:
            self._on_report(frame, out)
        elif cmd == CMD_CONFIG_MODE:
            self._on_config_mode(frame, out)
        elif cmd == CMD_RESET_MODULE:
            self._on_reset(now, out)
        elif cmd == CMD_RESTART_MODULE:
            self._on_restart(now, out)
        elif cmd == CMD_GET_MODULE_INFO:
            self._on_get_module_info(frame, out)
        else:
            # What nobody serves was refused by the link.
            self._jobs().receive(frame, now, out)

    def _on_report(self, frame, out):
        self._relay.report(frame.payload, out)
        out.extend(self._mcu.link.reply(frame))

    def _on_config_mode(self, frame, out):
        try:
            mode = message.parse_config_mode(frame.payload).mode
        except RemoteError as error:
            out.append(Notice(NOTICE_IGNORED, str(error)))
            return
        self._mcu.show(STATUS_CONFIG, True)
        out.append(ConfigureNetwork(mode))

    def _on_reset(self, now, out):
        config = self._config
        config.renew(config.product_key, self._urandom)
        out.append(SaveConfig(config.to_record()))
        out.append(Notice(NOTICE_RESET, config.product_key))
        self._leave_cloud(out)
        if config.old_did:
            out.extend(self._cloud.forget_old_did())
        self._restart = NOTICE_RESET
        self._restart_at = now + _RESET_AFTER

    def _on_restart(self, now, out):
        out.append(Notice(NOTICE_RESTART, ""))
        self._restart = NOTICE_RESTART
        self._restart_at = now + _RESTART_AFTER

    def _on_get_time(self, frame, now, out):
        utc = self._utc or self._cloud.utc
        seconds = utc[0] + (now - utc[1]) // 1000 if utc else 0
        out.extend(self._mcu.link.reply(frame, message.build_network_time(seconds, self._tz_minutes)))

    def _on_get_module_info(self, frame, out):
        # An MCU asks this once in its life, if ever: loaded when it does.
        from mcu_proto import module_info

        c = self._config
        mcu = self._mcu.info
        info = module_info.ModuleInfo(
            mcu.protocol_ver, c.hard_version, c.soft_version, c.mac, c.ip, mcu.device_attr or 0
        )
        out.extend(self._mcu.link.reply(frame, module_info.build_module_info(info)))

    def _jobs(self):
        if self._side_jobs is None:
            # Loaded for the first appliance that needs one.
            from .side_jobs import SideJobs

            self._side_jobs = SideJobs(
                self._config,
                self._urandom,
                self._crypto,
                self._mcu,
                self._cloud,
                self._relay,
                self._from_mcu,
                self._max_upload,
                self._max_firmware,
            )
        return self._side_jobs

    def _settle(self, now, out):
        """Tell the MCU what changed."""
        self._show_cloud()
        self._from_mcu(self._mcu.settle(now), now, out)

    def _show_cloud(self):
        if self._has_cloud:
            self._mcu.show(STATUS_CLOUD, self._cloud.is_online())

    # The cloud's side.

    def _join_cloud(self, now, out):
        idle = not self._mcu.is_testing() and self._restart_at is None
        if self._has_cloud and self._mcu.state == RUN and self._network and idle:
            info = self._mcu.info
            out.extend(self._cloud.start((info.hard_ver, info.soft_ver), now, self._secret_api()))

    def _leave_cloud(self, out):
        out.extend(self._cloud.stop())
        self._show_cloud()
        self._set_app_count(0)

    def _secret_api(self):
        """Generation B of the device API where the MCU knows its secret and the port can encrypt, else None."""
        secret = self._mcu.info.product_secret
        if self._crypto is None or not secret or len(secret) != 32:
            return None
        # Old modules do without: loaded where it is spoken.
        from .device_api_b import SecretApi

        try:
            return SecretApi(self._crypto, secret)
        except ValueError:
            return None  # no hex digits, so no secret

    def _on_app(self, client, envelope, now, out):
        if envelope.cmd != wire.CLOUD_COMMAND and envelope.cmd != wire.CLOUD_CONTROL:
            out.append(Notice(NOTICE_IGNORED, "app command %04x" % envelope.cmd))
        else:
            self._down((envelope.cmd, client, envelope.sn, envelope.p0), now, out)

    def _down(self, token, now, out):
        if self._mcu.state != RUN:
            out.append(Notice(NOTICE_IGNORED, "control while there is no MCU"))
        else:
            self._from_mcu(self._relay.down(token, self._mcu, now, out), now, out)

    def _on_offer(self, offer, now, out):
        out.append(Notice(NOTICE_FIRMWARE, offer.version))
        if self._max_firmware and self._mcu.info is not None:
            self._jobs().offered(offer, now, out)

    def _on_service(self, service, now, out):
        cmd, body = service
        if cmd == wire.SERVICE_APP_COUNT and len(body) >= 2:
            self._set_app_count(body[0] << 8 | body[1])
            self._settle(now, out)
        elif cmd == wire.SERVICE_OTA and body[:1] in (b"\x01", b"\x02"):
            self._cloud.check_firmware(body[0], out)
        else:
            out.append(Notice(NOTICE_IGNORED, "service command %04x" % cmd))

    def _set_app_count(self, count):
        self._app_count = count
        self._mcu.show(STATUS_APP, count > 0)


def _number(env, key, low, high, default) -> int:
    text = env.get(key, "")
    digits = text[1:] if text.startswith("-") else text
    if not digits.isdigit() or not low <= int(text) <= high:
        return default
    return int(text)
