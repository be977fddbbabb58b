// What was done on this console, by whom, as the record's chain has it.

import { h, fill } from '../lib/dom.js';
import { get, query, step } from '../lib/api.js';
import { count, word } from '../lib/format.js';
import { line, name } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { button, complain, empty, panel } from '../lib/ui.js';

const isIncident = (target) => /^[0-9a-f-]{36}:(?:request|reply)$/.test(target ?? '');

const COLUMNS = [
  { key: 'at', title: 'When', cell: (row) => time(row.at, { exact: true }) },
  { key: 'user', title: 'Who', cell: (row) => (row.user ? name(row.user) : h('span.quiet', 'nobody known')) },
  { key: 'role', title: 'Role', cell: (row) => (row.role ? word(row.role) : '–') },
  { key: 'what', title: 'What', cell: (row) => line(word(row.what)) },
  { key: 'target', title: 'On', className: 'grow', cell: (row) => (isIncident(row.target) ? h('a', { href: `/incidents/${step(row.target)}?state=all` }, name(row.target, 'mono')) : row.target ? name(row.target, 'mono') : null) },
  { key: 'detail', title: 'Detail', cell: (row) => (row.detail ? line(row.detail) : null) },
  { key: 'address', title: 'From', cell: (row) => (row.address ? name(row.address, 'mono') : '–') },
  { key: 'seq', title: 'Record', number: true, cell: (row) => count(row.seq) },
];

export async function actions({ signal, place }) {
  let rows = [];
  const body = h('div');
  async function load(cursor = null) {
    const answer = await get(`/actions${query({ cursor, limit: 100 })}`, { signal });
    rows = [...rows, ...answer.actions];
    fill(body, panel('Actions', { aside: h('span.quiet', 'part of the tamper-evident record') },
      table('Actions', COLUMNS, rows, { empty: empty('Nothing yet', 'Sign-ins, decisions, changes of rules, users and tokens stand here.') }),
      answer.next ? h('p.pad', button('More', { run: () => load(answer.next).catch(complain) })) : null));
  }
  await load();
  fill(place, h('div.page-head', h('h1', 'Actions')), body);
  return { title: 'Actions' };
}
