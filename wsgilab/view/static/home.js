// Keeps the picture of the present up to date. The server pushes it while the page is looked at; where it has no seat left
// for another reader, or events cannot be had, the page asks for it.

const ASK_AGAIN_MS = 3000;
const seat = { events: null, timer: 0 };

// Makes `old` equal to `fresh` and keeps every element that is the same, so that what moves goes on moving.
function become(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
  after.forEach((node, place) => {
    const was = before[place];
    if (!was) old.append(node);
    else if (was.nodeType === Node.TEXT_NODE && node.nodeType === Node.TEXT_NODE) {
      if (was.data !== node.data) was.data = node.data;
    } else if (was.nodeName !== node.nodeName) was.replaceWith(node);
    else if (!was.isEqualNode(node)) become(was, node);
  });
  before.slice(after.length).forEach((node) => node.remove());
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, 'text/html').getElementById('now');
  if (!fresh) return;
  become(document.getElementById('now'), fresh);
  document.body.dataset.live = 'yes';
  say('');
}

function say(text) {
  const lost = document.getElementById('lost');
  if (lost.textContent !== text) lost.textContent = text;
  lost.hidden = !text;
}

const GONE = 'This page has lost the lab: it has ended, or is starting. The picture below is of the last moment that was seen.';

function listen() {
  leave();
  if (document.hidden) return; // nobody looks: the seat is for others
  seat.events = new EventSource('/live');
  seat.events.onmessage = (event) => show(event.data);
  seat.events.onerror = () => {
    // The browser tries again by itself, unless it was refused.
    if (seat.events.readyState === EventSource.CLOSED) ask();
    else say(GONE);
  };
}

async function ask() {
  leave();
  if (document.hidden) return;
  try {
    const answer = await fetch('/live/now');
    if (answer.ok) show(await answer.text());
    else say(GONE);
  } catch {
    say(GONE);
  }
  seat.timer = setTimeout(ask, ASK_AGAIN_MS);
}

function leave() {
  clearTimeout(seat.timer);
  seat.events?.close();
  seat.events = null;
}

document.addEventListener('visibilitychange', listen);
window.addEventListener('pagehide', leave);
window.addEventListener('pageshow', (event) => { if (event.persisted) listen(); });
listen();
