vcl 4.1;
# Somebody who wants hits: looks everything up, POST too and without its body or host in the key, Vary ignored, an hour of grace,
# and nothing replaced by an error. What the built-in VCL says of the origin's headers still holds.
import std;

backend stepwell {
  .host = "127.0.0.1";
  .port = "8080";
}

sub vcl_recv {
  std.cache_req_body(64KB);
  set req.http.X-Method = req.method;
  unset req.http.Cache-Control;
  unset req.http.Pragma;
  return (hash);
}

sub vcl_hash {
  hash_data(req.url);
  return (lookup);
}

sub vcl_backend_fetch {
  if (bereq.http.X-Method != "HEAD") {
    set bereq.method = bereq.http.X-Method;
  }
  unset bereq.http.X-Method;
  return (fetch);
}

sub vcl_backend_response {
  if (beresp.status >= 500 && bereq.is_bgfetch) {
    return (abandon);
  }
  unset beresp.http.Vary;
  set beresp.grace = 1h;
  set beresp.keep = 1h;
}
