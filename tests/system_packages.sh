#!/bin/sh
# The system packages of `make test`: installed only by root or in CI, and only after saying so. Otherwise the one command
# that installs them is printed and the tests that need them are skipped, with the reason.
#
# The service of the package is not needed: each test starts a broker of its own, on a port of its own.
set -eu

PATH="$PATH:/usr/local/sbin:/usr/sbin"
command -v mosquitto >/dev/null && exit 0

install="apt-get install -y --no-install-recommends mosquitto"
as_root=""
if [ "$(id -u)" != 0 ]; then
    if [ "${CI:-}" = true ] && command -v sudo >/dev/null; then
        as_root="sudo"
    else
        echo "mosquitto is not installed, the tests that need it are skipped. To run them: sudo $install" >&2
        [ "${CI:-}" != true ]
        exit
    fi
fi
if ! command -v apt-get >/dev/null; then
    echo "mosquitto is not installed, the tests that need it are skipped. Install it with this system's packages." >&2
    [ "${CI:-}" != true ]
    exit
fi

echo "installing the system package mosquitto, a broker for the tests ($install) ..." >&2
export DEBIAN_FRONTEND=noninteractive
if ! { $as_root apt-get update -qq && $as_root $install -qq >/dev/null; }; then
    echo "mosquitto could not be installed, the tests that need it are skipped. To try again: $install" >&2
    [ "${CI:-}" != true ]
    exit
fi
if systemctl is-active --quiet mosquitto 2>/dev/null; then
    echo "stopping the service that came with it" >&2
    $as_root systemctl disable --now --quiet mosquitto
fi
