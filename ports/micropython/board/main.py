"""What a chip runs after boot.py: the agent, until the power goes; or nothing, for a person at the REPL."""

import gc
import sys
import time

import machine

try:
    # Inside: a version on trial that cannot even be loaded must lead to a reset too.
    import gagent_upy
    from gagent_upy import start

    run = start.make()
except Exception as error:  # no room, or flash that cannot be read: a chip that tries again can be reached in between
    sys.print_exception(error)
    time.sleep(5)
    machine.reset()
# What was needed for the start makes room for what is needed from now on.
del start, gagent_upy.start, sys.modules["gagent_upy.start"]
gc.collect()
if run is not None:
    run()
