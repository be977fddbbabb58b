// Real tables: a caption, column headers that sort, numbers to the right, cells that hold elements.

import { h, fill, icon } from './dom.js';

function compare(a, b) {
  if (a === b) return 0;
  // What is not known sorts last in either direction of interest: it is neither small nor large.
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
}

/** Rows in the order of a sort ({key, down}). */
export function sorted(rows, columns, sort) {
  const column = columns.find((each) => each.key === sort?.key);
  if (!column) return rows;
  const value = column.value ?? ((row) => row[column.key]);
  const way = sort.down ? -1 : 1;
  return [...rows].sort((a, b) => way * compare(value(a), value(b)));
}

/** A header cell's content: a button where the column sorts. */
export function header(column, sort, change) {
  if (!column.sorts) return column.title;
  const mine = sort?.key === column.key;
  return h('button.sort', { type: 'button', class: mine ? 'now' : '', on: { click: () => change({ key: column.key, down: mine ? !sort.down : column.number === true }) } },
    column.title, mine ? icon(sort.down ? 'down' : 'up') : null);
}

/**
 * A table. columns: [{key, title, cell(row) or none, value(row), number, sorts, className}].
 * Gives the element; `empty` stands in its place where there is no row.
 */
export function table(caption, columns, rows, { sort = null, empty = null, className = '' } = {}) {
  if (!rows.length && empty) return empty;
  const body = h('tbody');
  const head = h('tr');
  let now = sort;
  const draw = () => {
    fill(head, columns.map((column) => h('th', {
      scope: 'col', class: `${column.number ? 'num' : ''} ${column.className ?? ''}`,
      aria: { sort: now?.key === column.key ? (now.down ? 'descending' : 'ascending') : null },
    }, header(column, now, (next) => { now = next; draw(); head.querySelector('.now')?.focus(); }))));
    fill(body, sorted(rows, columns, now).map((row) => h('tr', columns.map((column) =>
      h('td', { class: `${column.number ? 'num' : ''} ${column.className ?? ''}` }, column.cell ? column.cell(row) : String(row[column.key] ?? '–'))))));
  };
  draw();
  return h('div.table-wrap', { class: className },
    h('table', h('caption.sr', caption), h('thead', head), body));
}
