// The panel types that are no charts: table, stat, text. DOM in and out; what Prometheus says is text, never markup.

import { format } from './units.js';
import { defaults, mapped, properties, seriesOf } from './fields.js';

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const dark = (color) => {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return red * 0.299 + green * 0.587 + blue * 0.114 < 140;
};

// The rows of Grafana's merge and organize: one for each set of labels, a column for each query.
function merged(panel, data) {
  const { renameByName = {}, indexByName = {} } = panel.transformations?.find((one) => one.id === 'organize')?.options ?? {};
  const rows = new Map();
  for (const target of panel.targets) {
    for (const one of data?.[target.refId] ?? []) {
      const key = JSON.stringify(one.labels);
      if (!rows.has(key)) rows.set(key, { ...one.labels });
      rows.get(key)[`Value #${target.refId}`] = one.value;
    }
  }
  const labels = new Set([...rows.values()].flatMap((row) => Object.keys(row)).filter((name) => !name.startsWith('Value #')));
  const fields = [...labels, ...panel.targets.map((target) => `Value #${target.refId}`)];
  fields.sort((a, b) => (indexByName[a] ?? 99) - (indexByName[b] ?? 99));
  return { rows: [...rows.values()], columns: fields.map((field) => ({ field, name: renameByName[field] ?? field })) };
}

function sorted(rows, columns, sortBy) {
  const by = columns.find((column) => column.name === sortBy?.displayName);
  if (!by) return rows;
  const order = (row) => row[by.field] ?? -Infinity;
  return [...rows].sort((a, b) => (order(a) - order(b)) * (sortBy.desc ? -1 : 1));
}

function cell(panel, column, value, go) {
  const own = properties(panel, column.name);
  if (typeof value !== 'string') return element('td', {}, format(value, own.unit ?? defaults(panel).unit, own.decimals && undefined));
  const color = mapped(own.mappings, value)?.color;
  const url = own.links?.[0]?.url.replace('${__value.raw}', encodeURIComponent(value));
  const style = color ? `background:${color};color:${dark(color) ? '#fff' : '#1b1f24'}` : undefined;
  const shown = element(url ? 'a' : 'span', { href: url, style }, value);
  if (url) shown.addEventListener('click', (event) => go(event, url));
  return element('td', {}, shown);
}

export function table(panel, data, go) {
  const { rows, columns } = merged(panel, data);
  if (!rows.length) return null;
  const head = element('tr', {}, ...columns.map((column) => element('th', { scope: 'col' }, column.name)));
  const lines = sorted(rows, columns, panel.options?.sortBy?.[0]).map((row) =>
    element('tr', {}, ...columns.map((column) => cell(panel, column, row[column.field] ?? null, go))));
  return element('div', { class: 'rows' }, element('table', {}, element('thead', {}, head), element('tbody', {}, ...lines)));
}

export function newest(panel, data) {
  const values = seriesOf(panel, data)[0]?.values ?? [];
  const last = values.findLast((value) => value !== null);
  return last === undefined ? null : { values, text: format(last, defaults(panel).unit, defaults(panel).decimals) };
}

// Paragraphs, **bold**, *emphasis* and `code`: as much Markdown as the dashboards use.
export function text(panel) {
  const paragraphs = panel.options.content.split(/\n\n+/).map((paragraph) => {
    const pieces = paragraph.split(/(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/).map((piece) => {
      if (piece.startsWith('**')) return element('strong', {}, piece.slice(2, -2));
      if (piece.startsWith('*')) return element('em', {}, piece.slice(1, -1));
      return piece.startsWith('`') ? element('code', {}, piece.slice(1, -1)) : piece;
    });
    return element('p', {}, ...pieces);
  });
  return element('div', { class: 'text' }, ...paragraphs);
}
