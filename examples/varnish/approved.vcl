# Written by approved.ts from examples/shop/fallbacks.json.
sub approved_zone {
  if (bereq.url == "/_zones/home/service_banner") {
    synthetic({"<section class="zone service_banner" data-zone="service_banner"><div class="shown" data-variant="service-standard" data-tier="approved"><p>Free delivery from 50 €</p></div></section>"});
  }
  if (bereq.url == "/_zones/home/hero") {
    synthetic({"<section class="zone hero" data-zone="hero"><div class="shown" data-variant="hero-standard" data-tier="approved"><div class="picture" style="--hue:156"></div><h2>New season, new paths</h2><p><a href="/new">Discover</a></p></div></section>"});
  }
  if (bereq.url == "/_zones/home/offer_rail") {
    synthetic({"<section class="zone offer_rail" data-zone="offer_rail"><div class="shown" data-variant="rail-editorial" data-tier="approved"><h2>Our editors recommend</h2><ul><li>trail mid 2</li><li>loden parka</li><li>city pack 18</li><li>merino sock 3</li></ul></div></section>"});
  }
  if (bereq.url == "/_zones/home/promo_tile") {
    synthetic({"<section class="zone promo_tile" data-zone="promo_tile"><div class="shown" data-variant="tile-gift-card" data-tier="approved"><div class="picture" style="--hue:56"></div><h2>The gift card always fits</h2><p><a href="/gift-card">Have a look</a></p></div></section>"});
  }
  if (bereq.url == "/_zones/home/category_tiles") {
    synthetic({"<section class="zone category_tiles" data-zone="category_tiles"><div class="shown" data-variant="tiles-standard" data-tier="approved"><h2>Shop by category</h2><ul><li>shoes</li><li>jackets</li><li>backpacks</li><li>running</li></ul></div></section>"});
  }
  if (bereq.url == "/_zones/home/recently_viewed") {
    synthetic({"<section class="zone recently_viewed" data-zone="recently_viewed"><div class="shown" data-variant="viewed-bestsellers" data-tier="approved"><h2>Loved by many</h2><ul><li>trail mid 2</li><li>city pack 18</li><li>rain shell 1</li></ul></div></section>"});
  }
  if (bereq.url == "/_zones/home/newsletter_box") {
    synthetic({"<section class="zone newsletter_box" data-zone="newsletter_box"><div class="shown" data-variant="newsletter-signup" data-tier="approved"><h2>One letter a month, no noise</h2><p><a href="/newsletter">Have a look</a></p></div></section>"});
  }
}
