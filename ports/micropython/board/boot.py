"""The first that a chip runs: the heap is kept in one piece, and the UART of the MCU free of the radio's remarks."""

import gc

gc.threshold(4096)
try:
    import esp

    esp.osdebug(None)
except ImportError:
    pass  # no Espressif chip
gc.collect()
