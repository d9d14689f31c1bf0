# Puts the page together with Edge Side Includes, in front of examples/shop. The shell is held for everybody; what goes into its boxes is
# asked for with every page and never held. See README.md.
vcl 4.1;

# `sub approved_zone`: the approved words of every zone, built in at deploy. `node examples/varnish/approved.ts` writes it.
include "approved.vcl";

backend shop {
  .host = "127.0.0.1";
  .port = "8081";
  .connect_timeout = 50ms;
}

sub vcl_recv {
  if (req.method != "GET" && req.method != "HEAD") {
    return (synth(405));
  }
  if (req.esi_level == 0) {
    if (req.url ~ "^/_zones/") {
      return (synth(404));
    }
    # The shell is the same for everybody: what the visitor brings is put aside for the boxes. What is named here is overwritten, so that
    # nobody can bring it along. A page that is put together has no validator and no ranges.
    set req.http.X-Visitor = req.http.Cookie;
    set req.http.X-View = req.xid;
    unset req.http.Cookie;
    unset req.http.Authorization;
    unset req.http.If-None-Match;
    unset req.http.If-Modified-Since;
    unset req.http.Range;
    set req.url = regsub(req.url, "\?.*", "");
    return (hash);
  }
  # A box. All boxes of one page carry one view, which the shop decides at once.
  set req.http.Cookie = req_top.http.X-Visitor;
  set req.http.Stepwell-View = req_top.http.X-View;
  return (pass);
}

sub vcl_backend_fetch {
  unset bereq.http.X-Visitor;
  unset bereq.http.X-View;
  if (bereq.url ~ "^/_zones/") {
    # The shop answers by its own deadline and in one piece. These times are for a shop that hangs.
    set bereq.first_byte_timeout = 150ms;
    set bereq.between_bytes_timeout = 50ms;
  } else {
    unset bereq.http.X-Country;
    unset bereq.http.Stepwell-View;
  }
}

sub vcl_backend_response {
  if (bereq.url ~ "^/_zones/") {
    # Nothing of a box is shown before all of it is there: what breaks off ends in vcl_backend_error.
    set beresp.do_stream = false;
    set beresp.uncacheable = true;
    set beresp.ttl = 0s;
    if (beresp.status != 200 || beresp.http.Content-Length == "0") {
      return (error(503));
    }
    return (deliver);
  }
  set beresp.do_esi = true;
  # The shop may be away for a week, and its pages still stand.
  set beresp.grace = 7d;
  if (beresp.status >= 500 && bereq.is_bgfetch) {
    return (abandon);
  }
}

sub vcl_backend_error {
  if (bereq.url ~ "^/_zones/") {
    set beresp.status = 200;
    set beresp.http.Content-Type = "text/html; charset=utf-8";
    set beresp.uncacheable = true;
    set beresp.ttl = 0s;
    call approved_zone;
    return (deliver);
  }
}

sub vcl_synth {
  # What is refused here is nobody's to keep either.
  set resp.http.Cache-Control = "no-store";
}

sub vcl_deliver {
  if (req.esi_level == 0) {
    # It is one visitor's page now: no cache further out may hold it, or take the shell's validator for the page's.
    set resp.http.Cache-Control = "private, no-store";
    unset resp.http.ETag;
    unset resp.http.Last-Modified;
    unset resp.http.Age;
    unset resp.http.Accept-Ranges;
  }
}
