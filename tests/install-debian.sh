#!/bin/sh
# Installs the real parts that the tests use and that come from Debian: a browser, an RTMP server,
# ffmpeg and ffprobe as independent judges. Does nothing when all are there.
set -eu

missing=""
PATH="$PATH:/usr/sbin"
need() { # command, package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need chromium chromium
need ffprobe ffmpeg
need nginx nginx
[ -e /usr/lib/nginx/modules/ngx_rtmp_module.so ] || missing="$missing libnginx-mod-rtmp"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ]; then
    echo "The tests need these Debian packages:$missing" >&2
    echo "Install them: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing for the tests:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# shellcheck disable=SC2086
{ apt-get update && apt-get install --yes --no-install-recommends $missing; } >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    exit 1
}
rm -f "$log"
