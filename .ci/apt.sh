#!/bin/sh
# Install Debian packages where we may; otherwise say which are missing.
set -eu
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "autolog's Makefile needs: $*. Please install (Debian, Ubuntu: sudo apt-get install $*), then run make again." >&2
    exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
