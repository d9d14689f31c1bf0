/**
 * Runs in a page before anything of it, and keeps a record from the first byte on: every layout shift, and every change of what a zone
 * shows, with whether the page had been painted by then and the zone was in view.
 */
(() => {
  let shift = 0;
  let shifts = 0;
  const changes = [];
  const count = (entries) => {
    for (const { value, hadRecentInput } of entries) {
      if (hadRecentInput) continue;
      shift += value;
      shifts += 1;
    }
  };
  const layout = new PerformanceObserver((list) => count(list.getEntries()));
  layout.observe({ type: 'layout-shift', buffered: true });

  const boxes = () => [...document.querySelectorAll('[data-zone]')];
  const shownIn = (box) => box.querySelector('[data-variant]');
  const isInView = (box) => {
    const { top, bottom } = box.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  };
  const isPainted = () => performance.getEntriesByType('paint').length > 0;

  const seen = new Map();
  const look = () => {
    for (const box of boxes()) {
      const now = shownIn(box)?.dataset.variant ?? null;
      const before = seen.get(box);
      // A box is written piece by piece: until something stands in it there is nothing to change.
      if (now === before || (before === undefined && now === null)) continue;
      seen.set(box, now);
      if (before === undefined) continue;
      changes.push({ zone: box.dataset.zone, from: before, to: now, afterFirstPaint: isPainted(), isInView: isInView(box) });
    }
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-variant'] });

  globalThis.pageRecord = {
    read() {
      count(layout.takeRecords());
      look();
      return { shift, shifts, changes };
    },
    zones() {
      return boxes().map((box) => {
        const { variant = null, tier = null } = shownIn(box)?.dataset ?? {};
        // biome-ignore lint/performance/useDomNodeTextContent: what is hidden from a reader must not count as shown.
        const text = box.innerText.replace(/\s+/g, ' ').trim();
        return { zone: box.dataset.zone, variant, tier, text, heightPx: box.getBoundingClientRect().height, isInView: isInView(box) };
      });
    },
    /** So many frames on. After two, everything that was written has been drawn. */
    drawn(frames) {
      return new Promise((resolve) => {
        const next = () => (frames-- > 0 ? requestAnimationFrame(next) : resolve(true));
        next();
      });
    },
  };
})();
