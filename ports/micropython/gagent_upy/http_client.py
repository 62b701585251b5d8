"""One request of the device API at a time -> `http_response` or `http_failed`. Cloud manual, device side, chapter 3.

Exactly one answer for each request, within 10 s of its turn. Survives: names that do not resolve, dead and slow
servers, answers that are not HTTP, are cut short, have no length, or are too long. Redirects are not followed: the
agent gets the 3xx. A reason never holds the path or the body: dids and passcodes travel in both.
"""

from mcu_proto.const import const

from .connection import Connection
from .http_answer import HttpAnswer

# The vendor's cloud answers within 5 s; on a bad mobile line twice that is seen.
_TIMEOUT = const(10000)
# Requests that wait for their turn; an agent has three under way at most, more are of sessions that are over.
_MAX_WAITING = const(6)
# The longest answer in use is a provisioning of some 300 bytes.
_MAX_BODY = const(1024)


class HttpClient:
    """`feed(method, ref, ...)` gets the answer for `agent`; what comes is read into `buf`, a memoryview.

    `tls` is for https; `due` is when `turn` has something to do though nothing came.
    """

    def __init__(self, poll, network, buf, feed, agent, tls=None):
        self._connection = Connection(poll, network)
        self._buf = buf
        self._feed = feed
        self._agent = agent
        self.tls = tls
        self._waiting = []
        self._effect = None
        self.due = None

    def request(self, effect):
        """Take the request of an `HttpRequest`; the answer comes out of `turn`."""
        self._waiting.append(effect)
        self.due = 0

    def give_up(self, reason):
        """Whatever is under way or waits fails, now."""
        waiting, self._waiting = self._waiting, []
        if self._effect is not None:
            waiting.insert(0, self._end())
        for effect in waiting:
            self._feed(self._agent.http_failed, effect.ref, reason)

    def turn(self, now):
        """Go on with the request that has its turn, or begin the next."""
        self.due = None
        if len(self._waiting) > _MAX_WAITING:
            reason = "more than %d requests wait" % _MAX_WAITING
            self._feed(self._agent.http_failed, self._waiting.pop(0).ref, reason)
        if self._effect is None:
            if not self._waiting:
                return
            try:
                self._begin(self._waiting.pop(0), now)
            except MemoryError:
                self._feed(self._agent.http_failed, self._end().ref, "no room for a request")
                return
            if self.tls is None and self._effect.url.startswith("https"):
                self._feed(self._agent.http_failed, self._end().ref, "https needs ca_file in the settings")
                return
        n = self._connection.step(self._buf, now)
        answer = self._answer
        reason = ""
        whole = False
        try:
            if n > 0:
                whole = answer.feed(self._buf[:n])
            elif n < 0:
                whole = answer.is_whole()
                reason = "no answer from " + self._connection.reason
            elif now >= self._deadline:
                # A server that gives neither a length nor an end: what came is all that will come.
                whole = answer.is_whole()
                reason = "no answer from %s within %d s" % (self._where, _TIMEOUT // 1000)
        except ValueError as error:
            reason = "the answer of %s is %s" % (self._where, error.args[0])
        if whole:
            status, body = answer.status, self._body
            answer = None
            self._feed(self._agent.http_response, self._end().ref, status, body)
        elif reason:
            self._feed(self._agent.http_failed, self._end().ref, reason)
        elif self.due is None:
            at = self._connection.due
            self.due = self._deadline if at is None else min(at, self._deadline)

    def _begin(self, effect, now):
        self._effect = effect
        self._deadline = now + _TIMEOUT
        self._body = b""
        self._answer = HttpAnswer(self._on_body)
        scheme, rest = effect.url.split("://", 1)
        where, path = (rest + "/").split("/", 1)
        self._where = where
        parts = where.split(":", 1)
        port = 443 if scheme == "https" else 80
        if len(parts) == 2 and parts[1].isdigit():
            port = int(parts[1])
        self._connection.open(parts[0], port, self.tls if scheme == "https" else None)
        head = "%s /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % (effect.method, path[:-1], where)
        if effect.body:
            head += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n" % len(effect.body)
        self._connection.write(head.encode() + b"\r\n" + effect.body)

    def _on_body(self, piece):
        if len(self._body) + len(piece) > _MAX_BODY:
            raise ValueError("longer than %d bytes" % _MAX_BODY)
        self._body += piece

    def _end(self):
        """The effect that is over."""
        effect = self._effect
        self._effect = self._answer = self._body = None
        self._connection.close()
        self.due = 0 if self._waiting else None
        return effect
