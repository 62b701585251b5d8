#!/bin/sh
# The system packages of `make test`: installed only by root or in CI, and only after saying so. Otherwise the one command
# that installs them is printed and the tests that need them are skipped, with the reason.
#
# The services of the packages are not needed: the tests start a broker and a database of their own, on free ports.
set -eu

PATH="$PATH:/usr/local/sbin:/usr/sbin"
for folder in /usr/lib/postgresql/*/bin; do
    PATH="$PATH:$folder"
done

missing=""
needs() { command -v "$1" >/dev/null || missing="$missing $2"; }
needs mosquitto mosquitto
needs initdb postgresql
needs chromium chromium
needs tshark tshark
missing="${missing# }"
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends $missing"
skipped="the tests that need them are skipped"
as_root=""
if [ "$(id -u)" != 0 ]; then
    if [ "${CI:-}" = true ] && command -v sudo >/dev/null; then
        as_root="sudo"
    else
        echo "not installed: $missing; $skipped. To run them: sudo $install" >&2
        [ "${CI:-}" != true ]
        exit
    fi
fi
if ! command -v apt-get >/dev/null; then
    echo "not installed: $missing; $skipped. Install them with this system's packages." >&2
    [ "${CI:-}" != true ]
    exit
fi

echo "installing system packages for the tests: $missing ($install) ..." >&2
export DEBIAN_FRONTEND=noninteractive
if ! { $as_root apt-get update -qq && $as_root $install -qq >/dev/null; }; then
    echo "could not be installed: $missing; $skipped. To try again: $install" >&2
    [ "${CI:-}" != true ]
    exit
fi
for service in mosquitto postgresql; do
    case " $missing " in *" $service "*) ;; *) continue ;; esac
    if systemctl is-active --quiet "$service" 2>/dev/null; then
        echo "stopping the service $service that came with its package" >&2
        $as_root systemctl disable --now --quiet "$service"
    fi
done
