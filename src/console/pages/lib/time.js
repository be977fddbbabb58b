// Times: local in the text, UTC in the title, relative while they are recent.

import { h } from './dom.js';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n) => String(n).padStart(2, '0');

/** "23 Nov 14:05", with the year where it is another one. */
export function local(value, withSeconds = false) {
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return '–';
  const year = at.getFullYear() === new Date().getFullYear() ? '' : ` ${at.getFullYear()}`;
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}${withSeconds ? `:${two(at.getSeconds())}` : ''}`;
  return `${at.getDate()} ${MONTHS[at.getMonth()]}${year} ${clock}`;
}

/** "2026-11-23 14:05:09 UTC" */
export function utc(value) {
  const at = new Date(value);
  return Number.isNaN(at.getTime()) ? 'unknown time' : `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** "4 min ago" within a day, else local. */
export function relative(value) {
  const age = (Date.now() - new Date(value).getTime()) / 1000;
  if (!(age < 86_400) || age < -60) return local(value);
  if (age < 45) return 'just now';
  if (age < 3600) return `${Math.max(1, Math.round(age / 60))} min ago`;
  return `${Math.round(age / 3600)} h ago`;
}

/** A <time> element. Relative ones keep themselves current. */
export function time(value, { exact = false } = {}) {
  if (!value) return h('span.quiet', 'never');
  const text = exact ? local(value, true) : relative(value);
  const title = exact ? utc(value) : `${local(value, true)} local, ${utc(value)}`;
  return h('time', { datetime: value, title, data: exact ? {} : { relative: '1' } }, text);
}

/** The axis text of a chart: the clock within two days, the day beyond. */
export function tick(value, spanSeconds) {
  const at = new Date(value);
  if (spanSeconds <= 2 * 86_400) return `${two(at.getHours())}:${two(at.getMinutes())}`;
  return `${at.getDate()} ${MONTHS[at.getMonth()]}`;
}

/** Keeps every relative time on the page current. */
export function keepCurrent() {
  setInterval(() => {
    for (const el of document.querySelectorAll('time[data-relative]')) {
      const text = relative(el.dateTime);
      if (el.textContent !== text) el.textContent = text;
    }
  }, 20_000);
}
