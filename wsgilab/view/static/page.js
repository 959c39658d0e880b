// The page: which dashboard, which time, which server; asks for data every few seconds and draws it.

import * as echarts from './echarts.js';
import * as charts from './charts.js';
import { element, newest, table, text } from './words.js';

const CHARTS = {
  timeseries: charts.timeseries, trend: charts.trend, bargauge: charts.bargauge, heatmap: charts.heatmap,
  'state-timeline': charts.stateTimeline,
};
const SPANS = [['now-5m', 'last 5 minutes'], ['now-15m', 'last 15 minutes'], ['now-1h', 'last hour'], ['now-6h', 'last 6 hours'],
  ['now-2d', 'last 2 days']];
const RETRY_MS = 2000;

const at = (id) => document.getElementById(id);
const state = { dashboards: [], runs: [], dashboard: null, drawn: new Map(), asked: 0, timer: 0 };
const here = () => new URLSearchParams(location.search);
const uid = () => location.pathname.split('/')[2];

const GONE = { what: 'lab view does not answer: it has ended, or is starting. This page will notice when it is back.', next: './lab view' };

// What an address of the API gives: an object with `key`, or with a `problem` that says why not.
async function ask(path, key) {
  let response;
  let answer;
  try {
    response = await fetch(path);
  } catch {
    return { problem: GONE };
  }
  try {
    answer = await response.json();
  } catch {
    answer = null;
  }
  if (answer?.problem || answer?.[key]) return answer;
  return { problem: { what: `Something at ${location.host} answers (HTTP ${response.status}), and it is not lab view. Another program may have that port now.`,
    next: `./lab view --port ${Number(location.port) + 1}` } };
}

async function start() {
  const answer = await ask('/api/dashboards', 'dashboards');
  if (answer.problem) {
    tellProblem(answer.problem);
    setTimeout(start, RETRY_MS);
    return;
  }
  tellProblem(null);
  Object.assign(state, answer);
  open();
}

function open() {
  state.dashboard = state.dashboards.find((one) => one.uid === uid()) ?? state.dashboards[0];
  document.title = `${state.dashboard.title} · WSGI Lab`;
  for (const { chart } of state.drawn.values()) chart?.dispose();
  state.drawn.clear();
  drawNavigation();
  drawSpans();
  at('panels').replaceChildren(...state.dashboard.panels.map(place));
  refresh();
}

// ── where we are ────────────────────────────────────────────────────────────────────────────────────────────────────

function go(event, url) {
  event.preventDefault();
  const next = new URL(url, location.href);
  for (const name of ['from', 'to']) if (here().has(name) && !next.searchParams.has(name)) next.searchParams.set(name, here().get(name));
  history.pushState(null, '', next);
  open();
}

function choose(changes) {
  const parameters = here();
  for (const [name, value] of Object.entries(changes)) parameters.set(name, value);
  history.pushState(null, '', `?${parameters}`);
  refresh();
}

function drawNavigation() {
  at('dashboards').replaceChildren(...state.dashboards.map((one) => {
    const current = one === state.dashboard ? 'page' : undefined;
    const link = element('a', { href: `/d/${one.uid}${location.search}`, 'aria-current': current }, one.title);
    link.addEventListener('click', (event) => go(event, link.href));
    return link;
  }));
}

function drawSpans() {
  const spans = [...SPANS.map(([from, label]) => [`${from}/now`, label]),
    ...state.runs.map((run) => [`${run.since - 5000}/${run.until ? run.until + 5000 : 'now'}`, `run ${run.name}`])];
  const parameters = here();
  const current = `${parameters.get('from') ?? state.dashboard.time.from}/${parameters.get('to') ?? state.dashboard.time.to}`;
  if (!spans.some(([value]) => value === current)) spans.unshift([current, 'as in the address']);
  at('span').replaceChildren(...spans.map(([value, label]) =>
    element('option', { value, selected: value === current ? '' : undefined }, label)));
  at('span').onchange = () => {
    const [from, to] = at('span').value.split('/');
    choose({ from, to });
  };
}

function drawVariables(variables = {}) {
  const choices = Object.entries(variables).map(([name, one]) => {
    const options = one.options.includes(one.value) ? one.options : [one.value, ...one.options];
    const select = element('select', { name }, ...options.map((value) =>
      element('option', { value, selected: value === one.value ? '' : undefined }, value)));
    select.onchange = () => choose({ [`var-${name}`]: select.value });
    return element('label', {}, `${one.label ?? name} `, select);
  });
  if (document.activeElement?.closest('#variables')) return; // not under the reader's hand
  at('variables').replaceChildren(...choices);
}

// ── data ────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function refresh() {
  clearTimeout(state.timer);
  const asked = ++state.asked;
  const answer = await ask(`/api/data/${state.dashboard.uid}${location.search}`, 'panels');
  if (asked !== state.asked) return; // another dashboard or time was chosen meanwhile
  draw(answer);
  const wait = answer.problem ? RETRY_MS : Math.max(1000, (parseInt(state.dashboard.refresh, 10) || 5) * 1000);
  // A hidden page asks no one; it is drawn anew when it is looked at.
  state.timer = setTimeout(() => (document.hidden ? undefined : refresh()), wait);
}
document.addEventListener('visibilitychange', () => document.hidden || !state.dashboard || refresh());

function tellProblem(problem) {
  const next = problem?.next ? [' Next: ', element('code', {}, problem.next)] : [];
  at('problem').replaceChildren(...(problem ? [problem.what, ...next] : []));
  at('problem').hidden = !problem;
}

function draw(answer) {
  tellProblem(answer.problem);
  if (answer.problem) return; // the last picture stays, with the reason above it
  const started = performance.now();
  const [start, step] = [answer.start * 1000, answer.step_s * 1000];
  const shown = { start, step, end: start + (answer.points - 1) * step };
  drawVariables(answer.variables);
  const variables = Object.entries(answer.variables ?? {});
  for (const [id, drawn] of state.drawn) {
    drawn.title.textContent = variables.reduce((title, [name, one]) => title.replace(`$${name}`, one.value), drawn.panel.title);
    if (answer.problems[id]) replace(drawn, element('p', { class: 'unknown' }, answer.problems[id]));
    else fill(drawn, answer.panels[id], shown);
  }
  const drawing = Math.round(performance.now() - started);
  at('footer').textContent = `Refreshed ${new Date().toLocaleTimeString([], { hour12: false })}: data in ${Math.round(answer.took_ms)} ms `
    + `(p99 of the queries ${answer.queries_p99_ms} ms), drawn in ${drawing} ms.`;
  Object.assign(document.body.dataset, { ready: state.dashboard.uid, tookMs: answer.took_ms, drawnMs: drawing, interactiveMs:
    document.body.dataset.interactiveMs ?? Math.round(performance.now()) });
}

// ── panels ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function place(panel) {
  if (panel.type === 'row') return element('h2', { style: gridArea(panel.gridPos) }, panel.title);
  const title = element('span', {}, panel.title);
  const reading = element('p', { class: 'reading', hidden: '' }, panel.description ?? '');
  const why = element('button', { class: 'why', title: panel.description ?? '', 'aria-label': 'How to read this panel' }, '?');
  why.onclick = () => { reading.hidden = !reading.hidden; };
  const drawing = element('div', { class: 'drawing' });
  const legend = element('div', { class: 'legend' });
  const heading = element('h3', {}, title, ...(panel.description ? [why] : []));
  const card = element('section', { class: 'panel', 'data-panel': panel.id, 'data-type': panel.type, style: gridArea(panel.gridPos) },
    heading, drawing, legend, reading);
  state.drawn.set(String(panel.id), { panel, title, drawing, legend, chart: null });
  return card;
}

const gridArea = ({ x = 0, y = 0, w, h }) => `grid-area: ${y + 1} / ${x + 1} / span ${h} / span ${w}`;

function fill(drawn, data, shown) {
  const { panel } = drawn;
  if (panel.type === 'text') replace(drawn, text(panel));
  else if (panel.type === 'table') replace(drawn, table(panel, data, go) ?? nothing());
  else if (panel.type === 'stat') fillStat(drawn, data);
  else if (panel.type in CHARTS) fillChart(drawn, drawn.drawing, CHARTS[panel.type](panel, data, shown), data);
  else replace(drawn, element('p', { class: 'unknown' }, `A panel of type “${panel.type}” cannot be drawn here; Grafana can.`));
}

function fillStat(drawn, data) {
  const found = newest(drawn.panel, data);
  if (!found) return replace(drawn, nothing());
  if (!drawn.chart) {
    drawn.line = element('div');
    drawn.number = element('b');
    drawn.drawing.replaceChildren(element('div', { class: 'stat' }, drawn.number, drawn.line));
  }
  drawn.number.textContent = found.text;
  return fillChart(drawn, drawn.line, charts.sparkline(found.values), null);
}

function fillChart(drawn, into, option, data) {
  if (!option) return replace(drawn, nothing());
  if (!drawn.chart) {
    if (into === drawn.drawing) into.replaceChildren();
    // SVG: sharp on a projector, and a screen reader or a test can see what is drawn.
    drawn.chart = echarts.init(into, null, { renderer: 'svg' });
  }
  drawn.chart.setOption(option, { notMerge: true });
  if (data) {
    drawn.legend.replaceChildren(...charts.legend(drawn.panel, data, drawn.panel.type).map(([name, color, kind]) =>
      element('span', {}, element('i', { class: kind || undefined, style: kind === 'block' ? `background:${color}` : `border-color:${color}` }), name)));
    drawn.chart.resize(); // the legend may have taken or given a line
  }
  return undefined;
}

function replace(drawn, content) {
  drawn.chart?.dispose();
  drawn.chart = null;
  drawn.drawing.replaceChildren(content);
  drawn.legend.replaceChildren();
}

const nothing = () => element('p', { class: 'nothing' }, 'Nothing recorded in this time.');

window.addEventListener('popstate', open);
window.addEventListener('resize', () => { for (const { chart } of state.drawn.values()) chart?.resize(); });
start();
