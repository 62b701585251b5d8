"""What `machine` of the unix profile has when it is asked for: a watchdog that never bites, a clock that is set."""


class WDT:
    def feed(self):
        pass


class RTC:
    def datetime(self, when):
        pass
