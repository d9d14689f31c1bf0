/**
 * Runs in a page before anything of it, and keeps a record from the first byte on: every layout shift; every change of what a zone shows,
 * be it another variant or other words under the same, with whether what it showed before may have been painted and the zone was in view;
 * and every frame with a zone in view and no word in it. Frames are counted here, because the browser tells of a paint (`getEntriesByType('paint')`) some frames after it.
 */
(() => {
  let shift = 0;
  let shifts = 0;
  const changes = [];
  const blankFrames = {};
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
  // Also of what is hidden: words that come into sight with their box are no others.
  const writtenIn = (box) => (shownIn(box)?.textContent ?? '').replace(/\s+/g, ' ').trim();
  const isVisible = (box) => box.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const isInView = (box) => {
    const { top, bottom } = box.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  };
  // biome-ignore lint/performance/useDomNodeTextContent: what is hidden from a reader must not count as shown.
  const wordsIn = (box) => box.innerText.replace(/[\s\u2800\p{Cc}\p{Default_Ignorable_Code_Point}]+/gu, ' ').trim();

  let frame = 0;
  let isDrawing = false;
  const afterFrame = new MessageChannel();
  afterFrame.port1.onmessage = () => {
    isDrawing = false;
  };
  // Asked for again before anything else: so it is the first of each frame, and what comes after it in the same frame is painted with it.
  const eachFrame = () => {
    requestAnimationFrame(eachFrame);
    frame += 1;
    isDrawing = true;
    afterFrame.port2.postMessage(null);
    look();
    for (const box of boxes()) {
      const { zone } = box.dataset;
      if (isVisible(box) && isInView(box) && wordsIn(box) === '') blankFrames[zone] = (blankFrames[zone] ?? 0) + 1;
    }
  };
  requestAnimationFrame(eachFrame);

  const seen = new Map();
  /** The first frame with which what is written now may be painted. */
  const nextPaint = () => (isDrawing ? frame : frame + 1);
  const isLoading = () => document.readyState === 'loading';
  const look = () => {
    for (const box of boxes()) {
      const now = shownIn(box)?.dataset.variant ?? null;
      const before = seen.get(box);
      const written = writtenIn(box);
      const paintable = isVisible(box) ? nextPaint() : Number.POSITIVE_INFINITY;
      // Words that are still on their way to the page follow those that are there.
      const isSame = now === before?.variant && (written === before.written || (isLoading() && written.startsWith(before.written)));
      if (before !== undefined && isSame) {
        before.written = written;
        // What was not painted so far will not be while it is hidden.
        if (before.paintedFrom > frame) before.paintedFrom = paintable;
        continue;
      }
      // A box is written piece by piece: until something stands in it there is nothing to change. That it is blank meanwhile is told above.
      if (before === undefined && now === null) continue;
      seen.set(box, { variant: now, written, paintedFrom: paintable });
      if (before === undefined) continue;
      changes.push({
        zone: box.dataset.zone,
        from: before.variant,
        to: now,
        wasPainted: before.paintedFrom <= frame,
        isInView: isInView(box),
      });
    }
  };
  new MutationObserver(look).observe(document, {
    childList: true,
    subtree: true,
    characterData: true,
    attributes: true,
    attributeFilter: ['data-variant', 'class', 'style', 'hidden'],
  });

  globalThis.pageRecord = {
    read() {
      count(layout.takeRecords());
      look();
      return { shift, shifts, changes, blankFrames };
    },
    zones() {
      return boxes().map((box) => {
        const { variant = null, tier = null } = shownIn(box)?.dataset ?? {};
        const { height: heightPx } = box.getBoundingClientRect();
        return { zone: box.dataset.zone, variant, tier, text: wordsIn(box), heightPx, isInView: isInView(box) };
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
