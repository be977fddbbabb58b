// A virtualised list: rows of one height, only those in sight in the document, pages fetched as they are reached.

import { h, fill, uid } from './dom.js';
import { bindKeys } from './keys.js';

const OVERSCAN = 6;
// Browsers lose precision beyond some 17 million pixels; more rows than fit are a reason to filter.
const TALLEST = 15_000_000;

/**
 * options: label, rowHeight, columns ([{key, title}] or none), row(item, index) → cells, id(item), className(item),
 * open(item, index), moved(item, index), page(cursor) → {rows, next, total} or none where setRows() is used.
 */
export class VirtualList {
  constructor(options) {
    Object.assign(this, options);
    this.rows = [];
    this.total = 0;
    this.next = null;
    this.busy = null;
    this.active = -1;
    this.selected = new Set();
    this.live = new Map();
    this.epoch = 0;
    this.prefix = uid('row');
    this.head = h('div.vhead', { role: 'row', aria: { rowindex: 1 } });
    this.space = h('div.vspace', { role: 'rowgroup' });
    this.el = h('div.vlist', {
      tabIndex: 0, role: 'grid', aria: { label: this.label, multiselectable: Boolean(options.selects) },
      on: { scroll: () => this.plan(), click: (event) => this.click(event), keydown: (event) => this.key(event) },
    }, this.head, this.space);
    this.watch = new ResizeObserver(() => this.plan());
    this.watch.observe(this.el);
    this.unbind = bindKeys({
      j: () => this.move(1), k: () => this.move(-1), Enter: () => this.openActive(), o: () => this.openActive(),
    });
  }

  close() {
    this.unbind();
    this.watch.disconnect();
    this.epoch += 1;
  }

  /** Other columns or another height; the rows stay. */
  shape({ rowHeight, columns }) {
    const kept = this.el.scrollTop / this.rowHeight;
    this.rowHeight = rowHeight;
    fill(this.head, (columns ?? []).map((column) => h('div.vcell', { role: 'columnheader', class: `col-${column.key} ${column.number ? 'num' : ''}`, aria: column.aria ?? {} }, column.head ?? column.title)));
    this.head.hidden = !columns;
    this.redraw();
    this.el.scrollTop = kept * rowHeight;
  }

  /** All rows at once. */
  setRows(rows) {
    this.rows = rows;
    this.total = rows.length;
    this.next = null;
    if (this.active >= rows.length) this.active = rows.length - 1;
    this.redraw();
  }

  /** From the first page on; what was active stays so if it is still there. */
  async load({ keep = null } = {}) {
    const mine = (this.epoch += 1);
    const first = await this.page(null);
    if (mine !== this.epoch) return;
    this.rows = first.rows;
    this.next = first.next;
    this.total = first.total;
    this.busy = null;
    this.active = keep === null ? -1 : this.rows.findIndex((row) => this.id(row) === keep);
    this.redraw();
  }

  redraw() {
    for (const el of this.live.values()) el.remove();
    this.live.clear();
    this.space.style.height = `${Math.min(this.total * this.rowHeight, TALLEST)}px`;
    this.el.setAttribute('aria-rowcount', String(this.total + 1));
    this.paint();
  }

  plan() {
    if (this.planned) return;
    this.planned = requestAnimationFrame(() => {
      this.planned = 0;
      this.paint();
    });
  }

  paint() {
    const top = Math.max(0, this.el.scrollTop);
    const from = Math.max(0, Math.floor(top / this.rowHeight) - OVERSCAN);
    const to = Math.min(this.total, Math.ceil((top + this.el.clientHeight) / this.rowHeight) + OVERSCAN);
    for (const [index, el] of this.live) {
      if (index < from || index >= to) {
        el.remove();
        this.live.delete(index);
      }
    }
    const fresh = document.createDocumentFragment();
    for (let index = from; index < to; index += 1) {
      if (!this.live.has(index)) {
        const el = this.make(index);
        this.live.set(index, el);
        fresh.append(el);
      }
    }
    this.space.append(fresh);
    this.reach(to);
  }

  make(index) {
    const item = this.rows[index];
    const el = h('div.vrow', {
      role: 'row', id: `${this.prefix}-${index}`, data: { index }, aria: { rowindex: index + 2 },
      style: { transform: `translateY(${index * this.rowHeight}px)`, height: `${this.rowHeight}px` },
    });
    if (!item) el.classList.add('wait');
    else this.write(el, item, index);
    this.dress(el, item, index);
    return el;
  }

  write(el, item, index) {
    fill(el, this.row(item, index));
    for (const cell of el.children) cell.setAttribute('role', 'gridcell');
  }

  /** The state of a row that changes without its content. */
  dress(el, item, index) {
    const chosen = item !== undefined && this.selected.has(this.id(item));
    el.classList.toggle('active', index === this.active);
    el.classList.toggle('chosen', chosen);
    el.setAttribute('aria-selected', String(chosen || index === this.active));
    const extra = item && this.className ? this.className(item) : '';
    el.classList.toggle('done', extra === 'done');
  }

  /** Fetches pages, one after the other, until row `to` is there. Cursors allow no jumps. */
  async reach(to) {
    if (this.busy || !this.next || this.rows.length >= to) return;
    const mine = this.epoch;
    try {
      this.busy = this.page(this.next);
      const more = await this.busy;
      if (mine !== this.epoch) return;
      const start = this.rows.length;
      this.rows.push(...more.rows);
      this.next = more.next;
      this.total = Math.max(more.next ? more.total : this.rows.length, this.rows.length);
      this.busy = null;
      this.space.style.height = `${Math.min(this.total * this.rowHeight, TALLEST)}px`;
      for (const [index, el] of this.live) {
        if (index >= start && index < this.rows.length) {
          el.remove();
          this.live.delete(index);
        }
      }
      this.plan();
    } catch (error) {
      this.busy = null;
      if (mine === this.epoch) this.broke?.(error);
    }
  }

  /** Draws one item again, after it was changed. */
  refresh(id) {
    for (const [index, el] of this.live) {
      const item = this.rows[index];
      if (item && this.id(item) === id) {
        this.write(el, item, index);
        this.dress(el, item, index);
      }
    }
  }

  dressAll() {
    for (const [index, el] of this.live) this.dress(el, this.rows[index], index);
  }

  current() {
    return this.rows[this.active] ?? null;
  }

  activate(index, { tell = true } = {}) {
    this.active = Math.max(-1, Math.min(this.total - 1, index));
    if (this.active >= 0) {
      const top = this.active * this.rowHeight;
      const headHeight = this.head.hidden ? 0 : this.head.offsetHeight;
      const room = this.el.clientHeight - headHeight;
      if (top < this.el.scrollTop) this.el.scrollTop = top;
      else if (top + this.rowHeight > this.el.scrollTop + room) this.el.scrollTop = top + this.rowHeight - room;
      this.paint();
      this.el.setAttribute('aria-activedescendant', `${this.prefix}-${this.active}`);
    } else this.el.removeAttribute('aria-activedescendant');
    this.dressAll();
    if (tell && this.current()) this.moved?.(this.current(), this.active);
  }

  move(by) {
    this.activate(this.active < 0 ? (by > 0 ? 0 : this.total - 1) : this.active + by);
  }

  openActive() {
    if (!this.current()) return false;
    this.open(this.current(), this.active);
    return true;
  }

  choose(item) {
    const id = this.id(item);
    if (!this.selected.delete(id)) this.selected.add(id);
    this.dressAll();
  }

  key(event) {
    if (event.target !== this.el) return;
    const page = Math.max(1, Math.floor(this.el.clientHeight / this.rowHeight) - 1);
    const to = { ArrowDown: this.active + 1, ArrowUp: Math.max(0, this.active - 1), PageDown: this.active + page, PageUp: Math.max(0, this.active - page), Home: 0, End: this.total - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.activate(to);
  }

  click(event) {
    const el = event.target.closest('.vrow');
    const index = Number(el?.dataset.index);
    const item = this.rows[index];
    if (!el || !item || event.target.closest('a, button, input, label')) return;
    this.activate(index, { tell: false });
    this.open(item, index);
  }
}
