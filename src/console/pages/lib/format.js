// Numbers, sizes, money and shares as short text. Null means "not known" and reads as a dash.

const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 });
const DASH = '–';

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

/** 12,345 */
export function count(value) {
  return missing(value) ? DASH : whole.format(value);
}

/** 12.3K, from ten thousand on. */
export function compact(value) {
  if (missing(value)) return DASH;
  return Math.abs(value) < 10_000 ? whole.format(value) : short.format(value);
}

/** "1 rule", "2 rules" */
export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A share of 1 as per cent; small shares keep their digits. */
export function percent(share) {
  if (missing(share)) return DASH;
  const value = share * 100;
  if (value === 0) return '0%';
  if (value < 0.01) return '<0.01%';
  return `${value.toFixed(value < 1 ? 2 : value < 10 ? 1 : 0)}%`;
}

/** Milliseconds, with a unit that fits. */
export function ms(value) {
  if (missing(value)) return DASH;
  if (value < 1) return `${whole.format(value * 1000)} µs`;
  if (value < 10) return `${value.toFixed(1)} ms`;
  if (value < 10_000) return `${whole.format(value)} ms`;
  return `${(value / 1000).toFixed(1)} s`;
}

/** Seconds as a rough length of time. */
export function seconds(value) {
  if (missing(value)) return DASH;
  if (value < 60) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  if (value < 3600) return `${Math.round(value / 60)} min`;
  return `${(value / 3600).toFixed(1)} h`;
}

/** Bytes in binary units. */
export function bytes(value) {
  if (missing(value)) return DASH;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let rest = value;
  let unit = 0;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${rest < 10 && unit > 0 ? rest.toFixed(1) : Math.round(rest)} ${units[unit]}`;
}

/** US dollars; null is a price that nobody has configured, and says so. */
export function money(value) {
  if (missing(value)) return 'no price';
  if (value !== 0 && value < 0.01) return '<$0.01';
  return value < 1000 ? `$${value.toFixed(2)}` : `$${compact(value)}`;
}

/** A probability or model score. */
export function score(value) {
  return missing(value) ? DASH : Number(value).toFixed(2);
}

/** The first words of something long that is made of hex digits. */
export function digest(value, length = 12) {
  const text = String(value ?? '');
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

const WORDS = {
  true_positive: 'True positive', false_positive: 'False alarm', accepted_risk: 'Accepted risk', client_gone: 'Client gone',
  tool_result: 'Tool result', tool_arguments: 'Tool arguments', tool_definition: 'Tool definition',
};

/** A word of the API as people write it, in sentence case. */
export function word(value) {
  const text = String(value ?? '');
  return WORDS[text] ?? (text.charAt(0).toUpperCase() + text.slice(1).replaceAll('_', ' '));
}
