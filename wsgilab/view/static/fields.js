// What a panel's fieldConfig says about one of its series: colour, dashes, unit. See Grafana's "field overrides".

// For series that no override names; told apart with red-green and blue-yellow blindness (Paul Tol, "muted").
const SPARE = ['#332288', '#117733', '#CC6677', '#0072B2', '#AA4499', '#999933', '#882255', '#44AA99', '#E69F00', '#555555'];

function applies(matcher, name) {
  if (matcher.id === 'byName') return matcher.options === name;
  if (matcher.id === 'byRegexp') {
    const [, pattern, flags] = matcher.options.match(/^\/(.*)\/([a-z]*)$/s) ?? [null, matcher.options, ''];
    return new RegExp(pattern, flags).test(name);
  }
  return false;
}

export function properties(panel, name) {
  const found = {};
  for (const override of panel.fieldConfig?.overrides ?? []) {
    if (!applies(override.matcher, name)) continue;
    for (const property of override.properties ?? []) found[property.id] = property.value;
  }
  return found;
}

export function look(panel, name, index) {
  const own = properties(panel, name);
  const custom = panel.fieldConfig?.defaults?.custom ?? {};
  return {
    color: own.color?.fixedColor ?? SPARE[index % SPARE.length],
    dashed: own['custom.lineStyle']?.fill === 'dash',
    width: own['custom.lineWidth'] ?? custom.lineWidth ?? 2,
  };
}

export const defaults = (panel) => panel.fieldConfig?.defaults ?? {};

// The text and colour of a value, where a mapping names it.
export function mapped(mappings, value) {
  for (const mapping of mappings ?? []) {
    const found = mapping.type === 'value' && mapping.options?.[String(value)];
    if (found) return found;
  }
  return null;
}

// All targets' series of a panel, in the order of its targets.
export const seriesOf = (panel, data) => (panel.targets ?? []).flatMap((target) => data?.[target.refId] ?? []);
