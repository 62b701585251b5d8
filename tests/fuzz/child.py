"""One fuzz target in a process that the fuzzer takes over: `python -m fuzz.child TARGET [options of libFuzzer]`."""

import importlib
import sys


def main():
    """Fuzz until the options or a finding end it; never returns."""
    atheris = importlib.import_module("atheris")
    # The code under test is instrumented as it is imported.
    with atheris.instrument_imports(include=["mcu_proto"]):
        targets = importlib.import_module("fuzz.targets").TARGETS
    # The fuzzer starts itself anew for a merge, through the shell: this is how.
    itself = "%s -m fuzz.child %s" % (sys.executable, sys.argv[1])
    atheris.Setup([itself, *sys.argv[2:]], targets[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
