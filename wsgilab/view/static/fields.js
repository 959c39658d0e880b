// What a panel's fieldConfig says about one of its series: colour, dashes, unit. See Grafana's "field overrides".

// For series that no override names: no server's colour, and told apart by colour-blind readers (after Paul Tol).
const SPARE = ['#222255', '#117733', '#AA4499', '#4477AA', '#661100', '#888888', '#CCBB44', '#EE6677'];

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
