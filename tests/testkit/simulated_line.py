"""A simulated MCU as the line of a test bench, on a clock of its own: ten minutes pass in no time."""

from mcu_proto.link import SendSerial

# A short line: bytes arrive in the next millisecond.
LATENCY = 1


class SimulatedLine:
    """`mcu` has the inputs of `McuSimulator`; `spoil(data, now)` -> the frames that leave instead of `data`."""

    def __init__(self, mcu, spoil=lambda data, now: [data], alter=lambda data: data):
        self.time = 0
        self._mcu = mcu
        self._spoil = spoil
        self._alter = alter
        self._coming = []
        self._planned = []
        self._perform(mcu.start(0))

    def now(self):
        return self.time

    def write(self, data):
        data = self._alter(data)
        if data:
            self._perform(self._mcu.receive_serial(data, self.time))

    def read(self, until):
        while True:
            due = self._mcu.next_timeout()
            moments = [item[0] for item in self._coming[:1] + self._planned[:1]] + ([] if due is None else [due])
            if not moments or min(moments) > until:
                self.time = max(self.time, until)
                return b""
            self.time = max(self.time, min(moments))
            if self._coming and self._coming[0][0] <= self.time:
                return self._coming.pop(0)[1]
            if self._planned and self._planned[0][0] <= self.time:
                self._perform(self._planned.pop(0)[1](self.time))
                continue
            self._perform(self._mcu.handle_timeout(self.time))

    def act(self, effects):
        """What the appliance did by itself."""
        self._perform(effects)

    def plan(self, at, action):
        """What it will do by itself: `action(now)` gives the effects."""
        self._planned.append((at, action))

    def _perform(self, effects):
        for effect in effects:
            if isinstance(effect, SendSerial):
                for data in self._spoil(effect.data, self.time):
                    late, data = data if isinstance(data, tuple) else (0, data)
                    self._coming.append((self.time + LATENCY + late, data))
        self._coming.sort(key=lambda item: item[0])
