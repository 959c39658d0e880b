// Runs in each document of a measured tab before the document's own scripts, watches it, and takes part in nothing.
// What it knows of a click goes with the tab: a click may lead to another document of the same server.
(() => {
  "use strict";
  if (window !== window.top || !location.protocol.startsWith("http")) return;
  const KEY = "wsgilab.click";
  const origin = performance.timeOrigin;
  const page = { ttfb_ms: null, fcp_ms: null, lcp_ms: null };
  const observers = [];
  let before = new Map(); // what was selected before the click, and its text
  let click = JSON.parse(sessionStorage.getItem(KEY));
  sessionStorage.removeItem(KEY);
  if (click) click.navigated = true;

  /** Hear of all entries of a type, those before this line too. */
  function watch(type, heard, options = {}) {
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(heard));
    observer.observe({ type, buffered: true, ...options });
    observers.push(() => observer.takeRecords().forEach(heard));
  }

  /** An event of the interaction: INP is the longest of them. The first of a page is told however short it was. */
  function felt(entry) {
    const interacts = entry.interactionId || entry.entryType === "first-input";
    if (!interacts || !click || click.origin !== origin || entry.startTime < click.armed) return;
    click.events.push({ ms: entry.duration, delay_ms: entry.processingStart - entry.startTime });
    click.told ||= entry.name === "click"; // the last event of the interaction
  }

  function shown(by, time) {
    if (click?.at && !(by in click.shown)) click.shown[by] = origin + time - click.at;
  }

  /** Look whether the content is there. This runs before the browser paints what has just been inserted. */
  function look() {
    if (!click?.at || click.there) return;
    const node = [...document.querySelectorAll(click.content)].find((one) => before.get(one) !== one.textContent);
    if (!node) return;
    click.there = true;
    node.setAttribute("elementtiming", KEY);
    requestAnimationFrame(() => {
      const channel = new MessageChannel(); // its message comes after the frame
      channel.port1.onmessage = () => shown("frame", performance.now());
      channel.port2.postMessage(null);
    });
  }

  function settle() {
    observers.forEach((take) => take());
    if (click?.origin === origin) click.interactions = performance.interactionCount - click.counted;
    if (click && document.visibilityState === "hidden") click.hidden ||= !click.leaving;
  }

  watch("event", felt, { durationThreshold: 16 });
  watch("first-input", felt);
  watch("paint", (entry) => { if (entry.name === "first-contentful-paint") page.fcp_ms = entry.startTime; });
  watch("largest-contentful-paint", (entry) => { page.lcp_ms = entry.startTime; });
  watch("element", (entry) => { if (entry.identifier === KEY) shown("element", entry.renderTime || entry.startTime); });
  new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });

  addEventListener("click", (event) => {
    if (!click || click.at || !event.isTrusted) return;
    click.at = origin + event.timeStamp;
    look(); // what was done when the button went down is there already
  }, { capture: true });
  addEventListener("visibilitychange", () => {
    if (click && !click.leaving && document.visibilityState === "hidden") click.hidden = true;
  });
  addEventListener("pagehide", () => {
    if (!click) return;
    click.leaving = true; // a document that is left is hidden, too
    settle();
    sessionStorage.setItem(KEY, JSON.stringify({ ...click, leaving: false }));
  }, { capture: true });

  window.wsgilab = {
    /** The next trusted click is measured until something that `content` selects is new, or has another text. */
    arm(content) {
      before = new Map([...document.querySelectorAll(content)].map((node) => [node, node.textContent]));
      document.querySelectorAll(`[elementtiming="${KEY}"]`).forEach((node) => node.removeAttribute("elementtiming"));
      click = {
        content, origin, armed: performance.now(), counted: performance.interactionCount, at: null, there: false,
        shown: {}, events: [], told: false, interactions: 0, hidden: false, navigated: false, leaving: false,
      };
      return true;
    },
    isShown: () => Boolean(click && "frame" in click.shown),
    /** Whether nothing more is to come: of a click that is too short to be told of, nobody knows. */
    isTold: () => Boolean(click && "element" in click.shown && (click.told || click.navigated)),
    /** What is known of the click, which is forgotten. */
    click() {
      settle();
      const found = click;
      click = null;
      return found;
    },
    page() {
      settle();
      page.ttfb_ms = performance.getEntriesByType("navigation")[0]?.responseStart || null;
      return page;
    },
  };
})();
