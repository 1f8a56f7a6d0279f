# Varnish 7 in front of the bridge: thousands of spectators become a handful of requests.
#
# What it must do for Low-Latency HLS: let everybody who asks for the same part or playlist wait for
# one request to the bridge (Varnish does so by itself), wake all of them at once, keep what a
# directive names and forget refusals soon (the bridge's Cache-Control says how long), and never
# answer with something stale.
vcl 4.1;

import std;

backend bridge {
    .host = "127.0.0.1";
    .port = "8080";
    # A held request may take three target durations; the bridge then answers 503 by itself.
    .first_byte_timeout = 20s;
    .between_bytes_timeout = 20s;
    .connect_timeout = 2s;
    .max_connections = 2000;
    .probe = {
        .url = "/healthz";
        .interval = 2s;
        .timeout = 2s;
        .window = 4;
        .threshold = 2;
        .initial = 2;
    }
}

sub vcl_recv {
    # Uploads come from this machine, never from outside.
    if (req.url ~ "^/ingest/") {
        return (synth(404));
    }
    # Socket.IO: a WebSocket is a pipe.
    if (req.http.Upgrade ~ "(?i)websocket") {
        return (pipe);
    }
    if (req.url !~ "^/live/" || (req.method != "GET" && req.method != "HEAD")) {
        return (pass);
    }
    # One object for everybody: nothing of the request but its path and the directives counts.
    unset req.http.Cookie;
    unset req.http.Authorization;
    set req.url = std.querysort(req.url);
    set req.url = regsuball(req.url, "(?<=[?&])(?!_HLS_(msn|part|skip)=)[^&]*&?", "");
    set req.url = regsub(req.url, "[?&]+$", "");
    return (hash);
}

sub vcl_pipe {
    set bereq.http.Upgrade = req.http.Upgrade;
    set bereq.http.Connection = req.http.Connection;
}

sub vcl_backend_fetch {
    # Media is compressed already, and playlists come from the bridge as they are to go out.
    if (bereq.url ~ "\.m4s$|\.mp4$") {
        unset bereq.http.Accept-Encoding;
    }
}

sub vcl_backend_response {
    if (bereq.url !~ "^/live/") {
        return (deliver);
    }
    # Behind is worse than nothing: no grace, no keep.
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    if (beresp.http.Cache-Control ~ "no-store") {
        # A stalled or busy bridge. Kept for a moment, so that everybody behind this request is
        # refused with it; not as hit-for-miss, which would let all of them through for minutes.
        set beresp.ttl = 0.5s;
        set beresp.uncacheable = false;
        return (deliver);
    }
    # Parts are small and everybody waits for them: from memory, as soon as they are whole.
    set beresp.do_stream = false;
}

sub vcl_deliver {
    unset resp.http.X-Varnish;
    unset resp.http.Via;
}
