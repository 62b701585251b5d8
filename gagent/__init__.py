"""The agent's mind: provisioning, online and offline, relay. Inputs in, effects out, no I/O.

Nothing is imported here: on a chip each module is paid for separately. Start reading at `agent`.
"""

VERSION = "0.1.0"
