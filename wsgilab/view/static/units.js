// How a number reads: the units that the dashboards name, as Grafana writes them.

const digits = (value) => (value === 0 ? 0 : Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
const plain = (value, decimals) => {
  const text = value.toFixed(decimals ?? digits(value));
  return decimals === undefined && text.includes('.') ? text.replace(/\.?0+$/, '') : text;
};

function scaled(value, steps, decimals, otherwise = steps[steps.length - 1]) {
  const [factor, name] = steps.find(([least]) => Math.abs(value) >= least) ?? otherwise;
  return `${plain(value / factor, decimals)}${name}`;
}

const TIME = [[86400, ' d'], [3600, ' h'], [60, ' min'], [1, ' s'], [1e-3, ' ms'], [1e-6, ' µs']];
const BYTES = [[2 ** 30, ' GiB'], [2 ** 20, ' MiB'], [2 ** 10, ' KiB'], [1, ' B']];
const COUNT = [[1e6, ' M'], [1e4, ' K']];

export function format(value, unit = 'none', decimals = undefined) {
  if (value === null || value === undefined) return '–';
  if (unit.startsWith('suffix:')) return `${plain(value, decimals)}${unit.slice('suffix:'.length)}`;
  if (unit === 's') return value === 0 ? '0 s' : scaled(value, TIME, decimals);
  if (unit === 'bytes') return scaled(value, BYTES, decimals);
  if (unit === 'reqps') return `${plain(value, decimals ?? (Math.abs(value) < 10 ? undefined : 0))} req/s`;
  if (unit === 'percentunit') return `${plain(value * 100, decimals)} %`;
  return unit === 'short' ? scaled(value, COUNT, decimals, [1, '']) : plain(value, decimals);
}
