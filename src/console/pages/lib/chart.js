// A small chart library: sparklines, stacked bars over time with a crosshair and a table, ranges on a logarithmic scale.

import { h, s, fill, uid } from './dom.js';
import { compact, count } from './format.js';
import { local, tick, utc } from './time.js';
import { button } from './ui.js';

const PAD = { left: 46, right: 6, top: 8, bottom: 20 };

/** A line without axes. It repeats what the figure beside it says, so screen readers pass it by. */
export function sparkline(values, className = '') {
  const clean = values.map((value) => value ?? 0);
  const top = Math.max(...clean, 1e-9);
  const x = (i) => (clean.length > 1 ? (i / (clean.length - 1)) * 100 : 0);
  const y = (value) => 23 - (value / top) * 21;
  const path = clean.map((value, i) => `${i ? 'L' : 'M'}${x(i).toFixed(2)} ${y(value).toFixed(2)}`).join('');
  return s('svg.spark', { class: className, viewBox: '0 0 100 24', preserveAspectRatio: 'none', aria: { hidden: true } },
    s('path.spark-area', { d: `${path}L100 24L0 24Z` }), s('path.spark-line', { d: path }));
}

/** Round numbers for an axis that reaches `most`. */
function ticks(most, wanted = 4) {
  const rough = Math.max(most, 1) / wanted;
  const size = 10 ** Math.floor(Math.log10(rough));
  const each = [1, 2, 2.5, 5, 10].map((n) => n * size).find((n) => n >= rough);
  const whole = Math.max(1, each);
  return Array.from({ length: Math.floor(most / whole) + 1 }, (_, i) => i * whole).concat(Math.ceil(most / whole) * whole)
    .filter((value, i, all) => all.indexOf(value) === i);
}

/** Bars over time, one colour a series, the lowest first. Arrow keys move the crosshair; the legend has its values. */
export class StackedChart {
  constructor(label) {
    this.label = label;
    this.hidden = new Set();
    this.at = null;
    this.asTable = false;
    this.data = null;
    this.plot = s('svg.plot', { aria: { hidden: true } });
    this.hatch = uid('hatch');
    this.frame = h('div.plot-frame', {
      tabIndex: 0, role: 'img', aria: { label: `${label}. Arrow keys read single intervals; the table has them all.` },
      on: {
        pointermove: (event) => this.point(event), pointerleave: () => this.mark(null), blur: () => this.mark(null),
        keydown: (event) => this.key(event),
      },
    }, this.plot);
    this.legend = h('div.legend');
    this.when = h('span.legend-when');
    this.spoken = h('p.sr', { aria: { live: 'polite' } });
    this.toggle = button('Table', { kind: 'small', press: false, run: () => this.swap() });
    this.el = h('div.chart', h('div.legend-row', this.when, this.legend, this.toggle), this.frame, this.spoken);
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.frame);
  }

  /** {at: [times], step, series: [{name, key, values}]} */
  update(data) {
    this.data = data;
    if (this.at !== null && this.at >= data.at.length) this.at = null;
    fill(this.legend, data.series.map((one) => h('button.legend-item', {
      type: 'button', class: `fill-${one.key}`, aria: { pressed: !this.hidden.has(one.key) }, title: `Show or hide ${one.name.toLowerCase()}`,
      on: { click: () => this.hide(one.key) },
    }, h('span.swatch', { aria: { hidden: true } }), one.name, h('b.legend-value'))));
    this.draw();
    this.read();
  }

  close() {
    this.watch.disconnect();
  }

  hide(key) {
    if (!this.hidden.delete(key)) this.hidden.add(key);
    [...this.legend.children].forEach((el, i) => el.setAttribute('aria-pressed', String(!this.hidden.has(this.data.series[i].key))));
    this.draw();
  }

  swap() {
    this.asTable = !this.asTable;
    this.toggle.setAttribute('aria-pressed', String(this.asTable));
    this.draw();
  }

  shown() {
    return this.data.series.filter((one) => !this.hidden.has(one.key));
  }

  draw() {
    if (!this.data) return;
    this.frame.classList.toggle('as-table', this.asTable);
    this.frame.setAttribute('role', this.asTable ? 'region' : 'img');
    if (this.asTable) fill(this.frame, this.table());
    else {
      if (!this.plot.isConnected) fill(this.frame, this.plot);
      this.drawPlot(this.frame.clientWidth, this.frame.clientHeight);
    }
  }

  drawPlot(width, height) {
    if (width < 80 || height < 40) return;
    const { at, step } = this.data;
    const series = this.shown();
    const sums = at.map((_, i) => series.reduce((sum, one) => sum + (one.values[i] ?? 0), 0));
    const marks = ticks(Math.max(...sums, 1));
    const top = marks.at(-1);
    const inner = { w: width - PAD.left - PAD.right, h: height - PAD.top - PAD.bottom };
    const slot = inner.w / Math.max(at.length, 1);
    const y = (value) => PAD.top + inner.h - (value / top) * inner.h;
    const base = at.map(() => 0);
    const bars = series.map((one) => {
      let path = '';
      at.forEach((_, i) => {
        const value = one.values[i] ?? 0;
        if (!value) return;
        const low = y(base[i]);
        base[i] += value;
        // A single blocked request among thousands must still be seen: no bar is lower than a pixel.
        const high = Math.min(y(base[i]), low - 1);
        path += `M${(PAD.left + i * slot + Math.min(0.5, slot / 8)).toFixed(1)} ${low.toFixed(1)}V${high.toFixed(1)}h${Math.max(0.6, slot - Math.min(1, slot / 4)).toFixed(2)}V${low.toFixed(1)}Z`;
      });
      return s('path', { class: `bar-${one.key}`, d: path, fill: one.key === 'failed' ? `url(#${this.hatch})` : null });
    });
    const span = at.length * step;
    const every = Math.max(1, Math.ceil(96 / slot));
    const labels = at.map((value, i) => (i % every === 0 && PAD.left + i * slot < width - 40
      ? s('text.axis', { x: PAD.left + i * slot, y: height - 5 }, tick(value, span)) : null));
    this.cross = s('rect.cross', { y: PAD.top, width: Math.max(slot, 1), height: inner.h, class: 'off' });
    this.slot = slot;
    this.plot.setAttribute('viewBox', `0 0 ${width} ${height}`);
    fill(this.plot,
      s('defs', s('pattern', { id: this.hatch, width: 4, height: 4, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
        s('rect.hatch-ground', { width: 4, height: 4 }), s('rect.hatch-line', { width: 1.6, height: 4 }))),
      marks.map((mark) => [s('line.grid', { x1: PAD.left, x2: width - PAD.right, y1: y(mark), y2: y(mark) }),
        s('text.axis', { x: PAD.left - 6, y: y(mark) + 3.5, 'text-anchor': 'end' }, compact(mark))]), bars, labels, this.cross);
    this.mark(this.at);
  }

  point(event) {
    if (this.asTable || !this.slot) return;
    const x = event.clientX - this.frame.getBoundingClientRect().left - PAD.left;
    this.mark(Math.max(0, Math.min(this.data.at.length - 1, Math.floor(x / this.slot))));
  }

  key(event) {
    if (this.asTable || !this.data) return;
    const last = this.data.at.length - 1;
    const next = { ArrowLeft: (this.at ?? last + 1) - 1, ArrowRight: (this.at ?? -1) + 1, Home: 0, End: last, Escape: null }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.mark(next === null ? null : Math.max(0, Math.min(last, next)));
    if (this.at !== null) {
      this.spoken.textContent = `${local(this.data.at[this.at])}: ${this.data.series.map((one) => `${one.name} ${count(one.values[this.at])}`).join(', ')}`;
    }
  }

  mark(i) {
    this.at = i;
    if (this.cross) {
      this.cross.classList.toggle('off', i === null);
      if (i !== null) this.cross.setAttribute('x', String(PAD.left + i * this.slot));
    }
    this.read();
  }

  /** The legend's numbers: of the marked interval, else of the whole range. */
  read() {
    if (!this.data) return;
    const { at, series } = this.data;
    this.when.textContent = this.at === null ? 'Whole range' : local(at[this.at]);
    this.when.title = this.at === null ? '' : utc(at[this.at]);
    [...this.legend.children].forEach((el, i) => {
      const values = series[i].values;
      const number = this.at === null ? values.reduce((sum, value) => sum + (value ?? 0), 0) : values[this.at];
      el.querySelector('.legend-value').textContent = compact(number);
    });
  }

  table() {
    const { at, series } = this.data;
    return h('table', h('caption.sr', this.label),
      h('thead', h('tr', h('th', { scope: 'col' }, 'From'), series.map((one) => h('th.num', { scope: 'col' }, one.name)))),
      h('tbody', at.map((value, i) => h('tr', h('th', { scope: 'row', title: utc(value) }, local(value)), series.map((one) => h('td.num', count(one.values[i])))))));
  }
}

/** p50, p95, p99 and the maximum on one logarithmic line from `low` to `high` milliseconds. */
export function range({ p50_ms: p50, p95_ms: p95, p99_ms: p99, max_ms: max }, low, high) {
  const place = (value) => (Math.log10(Math.max(value, low) / low) / Math.log10(high / low)) * 100;
  const wide = (from, to) => Math.max(0.6, place(to) - place(from));
  return s('svg.range', { viewBox: '0 0 100 12', preserveAspectRatio: 'none', aria: { hidden: true } },
    s('rect.range-rail', { x: 0, y: 5.5, width: 100, height: 1 }),
    s('rect.range-tail', { x: place(p95), y: 4, width: wide(p95, p99), height: 4 }),
    s('rect.range-body', { x: place(p50), y: 2, width: wide(p50, p95), height: 8 }),
    s('rect.range-max', { x: Math.min(99.4, place(max)), y: 2, width: 0.6, height: 8 }));
}

/** Counts over time as small bars, with its numbers as a title and a label. */
export function bars(at, values, label) {
  const top = Math.max(...values, 1);
  const each = 100 / Math.max(values.length, 1);
  return s('svg.mini-bars', { viewBox: '0 0 100 32', preserveAspectRatio: 'none', role: 'img', aria: { label } },
    values.map((value, i) => s('rect', { x: i * each, y: 32 - (value / top) * 31, width: each * 0.8, height: (value / top) * 31 },
      s('title', `${local(at[i])}: ${count(value)}`))));
}
