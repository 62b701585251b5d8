"""The first that a chip runs: the heap in one piece, the UART free of the radio's remarks, the version that starts."""

import gc
import sys

import machine

gc.threshold(4096)
try:
    import esp

    esp.osdebug(None)
except ImportError:
    pass  # no Espressif chip
try:
    import loader

    if loader.boot():
        machine.reset()
    del loader, sys.modules["loader"]
except Exception as error:  # whatever there is to start, it is started
    sys.print_exception(error)
gc.collect()
