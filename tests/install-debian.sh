#!/bin/sh
# Installs the real parts that the tests use and that come from Debian: two browsers, an RTMP server,
# ffmpeg, GStreamer and mpv as independent players and judges, a cache, network namespaces with
# packet loss. Does nothing when all are there.
set -eu

missing=""
PATH="$PATH:/usr/sbin"
need() { # command, package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need chromium chromium
need firefox-esr firefox-esr
need ffprobe ffmpeg
need nginx nginx
need ip iproute2
need nft nftables
need turnserver coturn
need stunnel4 stunnel4
need varnishd varnish
need mpv mpv
need gst-launch-1.0 "gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav"
need Xvfb xvfb
gst-inspect-1.0 x264enc >/dev/null 2>&1 || missing="$missing gstreamer1.0-plugins-ugly"
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
case "$missing" in *varnish*)
    systemctl disable --now varnish varnishncsa >/dev/null 2>&1 || true
    ;;
esac
# The tests run a TURN server of their own; Debian's would be open to the world from now on.
case "$missing" in *coturn*)
    systemctl disable --now coturn >/dev/null 2>&1 || service coturn stop >/dev/null 2>&1 || true
    ;;
esac
