// Who calls: the busiest, the dearest, those that are stopped most.

import { h, fill, debounce } from '../lib/dom.js';
import { get, query, step } from '../lib/api.js';
import { setFilters } from '../lib/router.js';
import { compact, count, money } from '../lib/format.js';
import { name } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { button, choice, choose, complain, empty, panel, select } from '../lib/ui.js';

const SORTS = [['stopped', 'Stopped most'], ['requests', 'Most requests'], ['cost', 'Dearest'], ['last', 'Last seen']];
const DAYS = [['1', 'Today'], ['7', '7 days'], ['30', '30 days'], ['90', '90 days']];
const clean = (filters) => ({ q: filters.q ?? '', tenant: filters.tenant ?? '', sort: SORTS.some(([key]) => key === filters.sort) ? filters.sort : 'stopped', days: DAYS.some(([key]) => key === filters.days) ? filters.days : '30' });

export async function principals({ filters, signal, place }) {
  let chosen = clean(filters);
  let rows = [];
  const search = h('input', { type: 'search', placeholder: 'Part of a name', aria: { label: 'Search' }, value: chosen.q });
  const sorts = choice('Order', SORTS, chosen.sort, (sort) => change({ sort }));
  const days = h('div');
  const body = h('div');
  const change = (next, options) => setFilters(query({ ...chosen, ...next }), options);

  const columns = [
    { key: 'principal', title: 'Principal', className: 'grow', cell: (row) => h('a', { href: `/principals/${step(row.tenant)}/${step(row.principal)}` }, name(row.principal)) },
    { key: 'tenant', title: 'Tenant', cell: (row) => name(row.tenant) },
    { key: 'requests', title: 'Requests', number: true, cell: (row) => count(row.requests) },
    { key: 'blocked', title: 'Blocked', number: true, cell: (row) => count(row.blocked) },
    { key: 'stopped', title: 'Incidents', number: true, cell: (row) => h('a', { href: `/incidents${query({ state: 'all', tenant: row.tenant, principal: row.principal })}` }, count(row.stopped)) },
    { key: 'incidents_open', title: 'Open', number: true, cell: (row) => (row.incidents_open ? h('a', { href: `/incidents${query({ tenant: row.tenant, principal: row.principal })}` }, count(row.incidents_open)) : '0') },
    { key: 'tokens', title: 'Tokens', number: true, cell: (row) => compact(row.prompt_tokens + row.completion_tokens) },
    { key: 'cost_usd', title: 'Cost', number: true, cell: (row) => money(row.cost_usd) },
    { key: 'last_at', title: 'Last seen', cell: (row) => time(row.last_at) },
  ];

  async function load(cursor = null) {
    const answer = await get(`/principals${query({ ...chosen, cursor, limit: 100 })}`, { signal });
    rows = cursor ? [...rows, ...answer.principals] : answer.principals;
    choose(sorts, chosen.sort);
    fill(days, select(DAYS, chosen.days, { label: 'Range', change: (value) => change({ days: value }) }));
    fill(body, panel('Principals', { aside: chosen.tenant ? ['Tenant ', name(chosen.tenant), ' ', button('All', { kind: 'small', run: () => change({ tenant: '' }) })] : null },
      table('Principals', columns, rows, { empty: empty('Nobody', chosen.q ? 'No principal has this in its name.' : 'Whoever calls shows up here by client key, by a name made from their own key, or by address.') }),
      answer.next ? h('p.pad', button('More', { run: () => load(answer.next).catch(complain) })) : null));
  }

  search.addEventListener('input', debounce(250, () => change({ q: search.value.trim() }, { replace: true })));
  await load();
  fill(place, h('div.page-head', h('h1', 'Principals'), sorts, days, h('div.search', search)), body);
  return {
    title: 'Principals',
    update(_, next) {
      chosen = clean(next);
      load().catch(complain);
    },
  };
}
