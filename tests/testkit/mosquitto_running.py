"""A real mosquitto on a free port, for tests marked `mosquitto`: started, waited for, ended by its pid."""

import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from . import parts
from .patience import PATIENCE_S

# Below those that a kernel gives to whoever connects: a port that was found stays free until its server takes it and
# while that is away, and a client that tries it meanwhile cannot reach itself. In no order: others may look here too.
_PORTS = iter(random.SystemRandom().sample(range(20000, 32768), 12768))


class Mosquitto:
    """One broker; `port` stays the same when it is killed and started again."""

    def __init__(
        self, folder: pathlib.Path, users: Mapping[str, str] | None = None, listener: Sequence[str] = ()
    ) -> None:
        self._folder = folder
        self._users = users
        self._listener = listener
        self._process: subprocess.Popen | None = None
        self.host = "127.0.0.1"
        self.port = free_port()

    def start(self) -> None:
        """Run it and wait until it accepts."""
        command = parts.find("mosquitto")
        if command is None:
            raise RuntimeError(parts.missing("mosquitto"))
        log = (self._folder / "mosquitto.log").open("ab")
        self._process = subprocess.Popen([command, "-c", str(self._write_settings())], stdout=log, stderr=log)
        log.close()
        self._wait()

    def kill(self) -> None:
        """End it as a power cut would: no goodbye to anybody."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def _write_settings(self) -> pathlib.Path:
        lines = ["listener %d %s" % (self.port, self.host), *self._listener, "persistence false"]
        if os.geteuid() == 0:
            lines.append("user root")  # otherwise it gives up root, and may not read this folder any more
        if self._users is None:
            lines.append("allow_anonymous true")
        else:
            lines += ["allow_anonymous false", "password_file %s" % self._write_passwords()]
        path = self._folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _write_passwords(self) -> pathlib.Path:
        command = parts.find("mosquitto_passwd")
        if command is None:
            raise RuntimeError("mosquitto_passwd not found: it comes with mosquitto")
        path = self._folder / "passwords"
        path.write_text("".join("%s:%s\n" % user for user in (self._users or {}).items()))
        path.chmod(0o600)
        subprocess.run([command, "-U", str(path)], check=True, capture_output=True)
        return path

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
                return
            time.sleep(0.02)
        log = (self._folder / "mosquitto.log").read_text(errors="replace")
        raise RuntimeError("mosquitto does not accept on port %d: %s" % (self.port, log))

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(PATIENCE_S)


@contextlib.contextmanager
def mosquitto_running(
    folder: pathlib.Path, users: Mapping[str, str] | None = None, listener: Sequence[str] = ()
) -> Iterator[Mosquitto]:
    """A broker that accepts everybody, or only `users` (name -> password); its files go into `folder`.

    `listener` has further lines of its settings for the one listener, such as its certificate.
    """
    broker = Mosquitto(folder, users, listener)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def free_port() -> int:
    """A TCP port that nobody listens on; each is given once."""
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("every port below 32768 is taken")
