// One function per panel type that is a chart: panel and data in, ECharts option out (or null: nothing to draw).

import { format } from './units.js';
import { defaults, look, mapped, seriesOf } from './fields.js';

const INK = '#1b1f24';
const GRID = '#e3e7eb';
const TEXT = { color: INK, fontSize: 13 };
const base = (grid) => ({
  animation: false,
  textStyle: { fontFamily: 'system-ui, "DejaVu Sans", sans-serif' },
  grid: { left: 8, right: 16, top: 10, bottom: 4, containLabel: true, ...grid },
});
const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false });

function timeAxis(shown) {
  return { type: 'time', axisLine: { onZero: false }, min: shown.start, max: shown.end, axisLabel: { ...TEXT, hideOverlap: true,
    formatter: (at) => clock(at).slice(0, shown.end - shown.start < 600e3 ? 8 : 5) }, splitLine: { show: false } };
}

// Memory comes in powers of two: ticks at 32, 64, 96 MiB, and not at 19.1.
const powerOfTwo = (extent) => 2 ** Math.ceil(Math.log2(Math.max(1, extent) / 4));

function valueAxis(panel, most = 0) {
  const { unit, min, max, custom } = defaults(panel);
  const log = custom?.scaleDistribution?.type === 'log';
  return { type: log ? 'log' : 'value', logBase: 10, min: log ? undefined : min, max: max ?? undefined,
    interval: max && !log ? max / 4 : unit === 'bytes' ? powerOfTwo(most) : undefined, splitNumber: 4,
    axisLabel: { ...TEXT, formatter: (value) => format(value, unit) }, splitLine: { lineStyle: { color: GRID } } };
}

// The dashed line of a threshold that the panel wants drawn, and its value next to it.
function thresholdLine(panel) {
  if (!/line|dashed/.test(defaults(panel).custom?.thresholdsStyle?.mode ?? '')) return undefined;
  const steps = (defaults(panel).thresholds?.steps ?? []).filter((step) => step.value !== null);
  return { symbol: 'none', silent: true, lineStyle: { type: 'dashed', color: '#888888', width: 2 },
    label: { ...TEXT, position: 'insideStartTop', formatter: (mark) => format(mark.value, defaults(panel).unit) },
    data: steps.map((step) => ({ yAxis: step.value })) };
}

// A window can be one point long, which is no line, or two or three, which is a dash: those are shown as dots.
const SHORT = 3;

function withDots(points, symbol) {
  let since = 0;
  return points.map((point, i) => {
    if (point[1] === null) since = i + 1;
    let until = i;
    while (until - since <= SHORT && until < points.length && points[until][1] !== null) until += 1;
    return until - since <= SHORT ? { value: point, symbol, symbolSize: 6 } : { value: point, symbol: 'none' };
  });
}

function tooltip(panel, heading) {
  const { unit, decimals } = defaults(panel);
  return { trigger: 'axis', confine: true, transitionDuration: 0, order: 'valueDesc', textStyle: { ...TEXT },
    formatter: (marks) => [heading(marks[0]), ...marks.filter((mark) => mark.value?.[1] !== null)
      .map((mark) => `${mark.marker}${escape(mark.seriesName)} <b>${format(mark.value[1], unit, decimals)}</b>`)].join('<br>') };
}
const escape = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

export function timeseries(panel, data, shown) {
  const stacked = defaults(panel).custom?.stacking?.mode === 'normal';
  const log = defaults(panel).custom?.scaleDistribution?.type === 'log';
  const series = seriesOf(panel, data).map((one, index) => {
    const { color, dashed, width } = look(panel, one.name, index);
    const points = one.values.map((value, i) => [shown.start + i * shown.step, log && value <= 0 ? null : value]);
    const fill = (defaults(panel).custom?.fillOpacity ?? 0) / 100;
    return { type: 'line', name: one.name, data: withDots(points, dashed ? 'emptyCircle' : 'circle'), showSymbol: true, connectNulls: false, color,
      lineStyle: { color, width, type: dashed ? [8, 6] : 'solid' }, stack: stacked ? 'all' : undefined,
      areaStyle: fill ? { color, opacity: fill } : undefined, markLine: index ? undefined : thresholdLine(panel) };
  }).filter((one) => one.data.some((point) => point.value[1] !== null));
  if (!series.length) return null;
  const most = Math.max(...series.flatMap((one) => one.data.map((point) => point.value[1] ?? 0)));
  return { ...base(), xAxis: timeAxis(shown), yAxis: valueAxis(panel, most), series,
    tooltip: tooltip(panel, (mark) => clock(mark.value[0])) };
}

// Rows by rate, a line for each server: what Grafana's trend panel makes of its groupingToMatrix table.
export function trend(panel, data) {
  const matrix = panel.transformations.find((one) => one.id === 'groupingToMatrix')?.options ?? {};
  const lines = new Map();
  for (const row of seriesOf(panel, data)) {
    const name = row.labels[matrix.columnField];
    if (!lines.has(name)) lines.set(name, []);
    if (row.value !== null) lines.get(name).push([Number(row.labels[matrix.rowField]), row.value]);
  }
  const series = [...lines].map(([name, points], index) => {
    const { color, width } = look(panel, name, index);
    return { type: 'line', name, data: points.sort((a, b) => a[0] - b[0]), symbol: 'circle', symbolSize: 9, color,
      lineStyle: { color, width }, markLine: index ? undefined : thresholdLine(panel) };
  });
  if (!series.some((one) => one.data.length)) return null;
  const rate = { type: 'value', min: 0, axisLabel: { ...TEXT }, name: 'offered, req/s', nameLocation: 'middle', nameGap: 26,
    nameTextStyle: TEXT, splitLine: { lineStyle: { color: GRID } } };
  return { ...base({ bottom: 24 }), xAxis: rate, yAxis: valueAxis(panel), series,
    tooltip: tooltip(panel, (mark) => `${mark.value[0]} req/s offered`) };
}

export function bargauge(panel, data) {
  const rows = seriesOf(panel, data).filter((one) => one.value !== null).sort((a, b) => a.value - b.value);
  if (!rows.length) return null;
  const { unit, decimals, min } = defaults(panel);
  const bars = rows.map((one, i) => ({ value: one.value, itemStyle: { color: look(panel, one.name, i).color } }));
  return { ...base({ right: 90 }),
    xAxis: { type: 'value', min: min ?? 0, axisLabel: TEXT, splitLine: { lineStyle: { color: GRID } } },
    yAxis: { type: 'category', data: rows.map((one) => one.name), axisLabel: { ...TEXT, fontSize: 15 }, axisTick: { show: false } },
    series: [{ type: 'bar', data: bars, barMaxWidth: 30,
      label: { show: true, position: 'right', ...TEXT, fontSize: 15, fontWeight: 600, formatter: (bar) => format(bar.value, unit, decimals) } }] };
}

// [row, from, until, value] for each stretch in which a series keeps its value.
function stretches(rows, shown) {
  const found = [];
  rows.forEach((one, row) => {
    let from = 0;
    for (let i = 1; i <= one.values.length; i += 1) {
      if (i < one.values.length && one.values[i] === one.values[from]) continue;
      if (one.values[from] !== null) found.push([row, shown.start + from * shown.step, shown.start + i * shown.step, one.values[from]]);
      from = i;
    }
  });
  return found;
}

function rectangle(api, row, from, until, color, share) {
  const [left, y] = api.coord([from, row]);
  const right = api.coord([until, row])[0];
  const height = api.size([0, 1])[1] * share;
  return { type: 'rect', shape: { x: left, y: y - height / 2, width: Math.max(1, right - left), height }, style: { fill: color } };
}

export function stateTimeline(panel, data, shown) {
  const rows = seriesOf(panel, data);
  const { mappings } = defaults(panel);
  const parts = stretches(rows, shown);
  if (!parts.length) return null;
  const colour = (value) => mapped(mappings, value)?.color ?? '#888888';
  const series = { type: 'custom', data: parts, encode: { x: [1, 2], y: 0 },
    renderItem: (_, api) => rectangle(api, api.value(0), api.value(1), api.value(2), colour(api.value(3)), panel.options?.rowHeight ?? 0.9) };
  return { ...base(), xAxis: timeAxis(shown), series: [series],
    yAxis: { type: 'category', data: rows.map((one) => one.name), inverse: true, axisLabel: { ...TEXT, fontSize: 14, interval: 0 }, axisTick: { show: false } },
    tooltip: { confine: true, transitionDuration: 0, textStyle: TEXT, formatter: ({ value }) => `${escape(rows[value[0]].name)}: <b>${
      mapped(mappings, value[3])?.text ?? value[3]}</b><br>${clock(value[1])} to ${clock(value[2])}` } };
}

const HEAT = ['#FFEDA0', '#FED976', '#FEB24C', '#FD8D3C', '#FC4E2A', '#E31A1C', '#B10026'];

export function heatmap(panel, data, shown) {
  const { cells = [], rows_per_decade: perDecade } = data?.[panel.targets[0].refId] ?? {};
  if (!cells.length) return null;
  const most = Math.max(...cells.map((cell) => cell[2]));
  const shade = (weight) => HEAT[Math.min(HEAT.length - 1, Math.floor(Math.sqrt(weight / most) * HEAT.length))];
  const unit = defaults(panel).unit;
  const low = Math.floor(Math.min(...cells.map((cell) => cell[1])) / perDecade) * perDecade;
  const high = Math.ceil((Math.max(...cells.map((cell) => cell[1])) + 1) / perDecade) * perDecade;
  const at = (row) => 10 ** (row / perDecade);
  const series = { type: 'custom', data: cells.map(([column, row, weight]) => [shown.start + column * shown.step, row + 0.5, weight]),
    encode: { x: 0, y: 1 }, renderItem: (_, api) => rectangle(api, api.value(1), api.value(0) - shown.step / 2,
      api.value(0) + shown.step / 2, shade(api.value(2)), 1) };
  return { ...base(), xAxis: timeAxis(shown), series: [series],
    yAxis: { type: 'value', min: low, max: high, interval: perDecade, axisLabel: { ...TEXT, formatter: (row) => format(at(row), unit) }, splitLine: { lineStyle: { color: GRID } } },
    tooltip: { confine: true, transitionDuration: 0, textStyle: TEXT, formatter: ({ value }) => `${clock(value[0])}<br>${
      format(at(value[1] - 0.5), unit)} to ${format(at(value[1] + 0.5), unit)}: <b>${format(value[2], 'short')}</b> answers/s` } };
}

// The line behind a large number.
export function sparkline(values) {
  return { animation: false, grid: { left: 0, right: 0, top: 4, bottom: 0 }, xAxis: { type: 'category', show: false, data: values.map((_, i) => i) },
    yAxis: { type: 'value', show: false, scale: true },
    series: [{ type: 'line', data: values, symbol: 'none', lineStyle: { color: '#0b63b5', width: 2 }, areaStyle: { color: '#0b63b5', opacity: 0.15 } }] };
}

// Names and colours under a chart: [name, colour, kind].
export function legend(panel, data, type) {
  if (type === 'bargauge' || type === 'heatmap') return [];
  if (type === 'state-timeline') {
    const { mappings } = defaults(panel);
    return Object.values(mappings?.[0]?.options ?? {}).sort((a, b) => a.index - b.index).map((one) => [one.text, one.color, 'block']);
  }
  const names = seriesOf(panel, data).map((one) => (type === 'trend' ? one.labels.server : one.name));
  return [...new Set(names)].map((name, index) => {
    const own = look(panel, name, index);
    return [name, own.color, own.dashed ? 'dashed' : ''];
  });
}
