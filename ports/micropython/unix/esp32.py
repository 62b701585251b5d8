"""`esp32` of the unix profile: two places for a firmware, in files, and a bootloader that starts one. For tests only.

`ota_0` and `ota_1` are the partitions, where a test made them, and `otadata` says which is started: from the next
process on, as from the next reset.
"""

_BLOCK = 4096
_ERASED = 0xFF


class Partition:
    RUNNING = 1
    _running = []

    def __init__(self, label):
        if label == self.RUNNING:
            label = self._running[0]
        self._label = label
        try:
            with open(label, "rb") as file:
                self._size = file.seek(0, 2)
        except OSError:
            raise OSError(-261)  # noqa: B904  ESP_ERR_NOT_FOUND

    def info(self):
        return 0, 16, 0x10000, self._size, self._label, False

    def get_next_update(self):
        return Partition("ota_1" if self._label == "ota_0" else "ota_0")

    def set_boot(self):
        with open("otadata", "w") as file:
            file.write(self._label)

    def readblocks(self, number, buffer):
        with open(self._label, "rb") as file:
            file.seek(number * _BLOCK)
            file.readinto(buffer)

    def writeblocks(self, number, buffer):
        with open(self._label, "r+b") as file:
            file.seek(number * _BLOCK)
            file.write(buffer)

    @staticmethod
    def mark_app_valid_cancel_rollback():
        with open("otavalid", "w") as file:
            file.write(Partition._running[0])


def _started():
    try:
        with open("otadata") as file:
            return file.read()
    except OSError:
        return "ota_0"


Partition._running.append(_started())
