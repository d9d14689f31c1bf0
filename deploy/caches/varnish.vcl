vcl 4.1;
# Stepwell behind Varnish 7: `varnishd -a 127.0.0.1:8000 -f varnish.vcl`. Change the address.

backend stepwell {
  .host = "127.0.0.1";
  .port = "8080";
}

sub vcl_recv {
  unset req.http.Cookie;
  # One spelling, one method. A HEAD would be turned into a GET and kept.
  if (req.method != "GET" || req.url !~ "^/v1/decide\?") {
    return (pass);
  }
  # The answer is the same for whoever asks: STEPWELL_PUBLIC_GET=1, or a key of the edge's own, set in vcl_backend_fetch.
  unset req.http.Authorization;
  unset req.http.DPoP;
}

# The built-in VCL does the rest: what says private, no-store or no-cache is not kept, what says s-maxage is kept so long,
# and stale-while-revalidate is all the grace there is.
sub vcl_backend_response {
  # Where it is there, the built-in VCL does not look for private, no-store or no-cache in Cache-Control, and it reads no lifetime from it.
  # Stepwell sends it only where STEPWELL_CDN_HEADERS asks for it, on what may be kept, and Cache-Control then says the same.
  unset beresp.http.Surrogate-Control;
}

# What Varnish itself answers says nothing of caching: we say it.
sub vcl_backend_error {
  set beresp.http.Cache-Control = "private, no-store";
  set beresp.ttl = 0s;
  set beresp.uncacheable = true;
}

sub vcl_synth {
  set resp.http.Cache-Control = "private, no-store";
}
