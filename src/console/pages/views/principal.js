// One principal: what they did day by day, from where, with which keys, and what was found.

import { h, fill } from '../lib/dom.js';
import { get, query, step } from '../lib/api.js';
import { bars } from '../lib/chart.js';
import { compact, count, money, percent, word } from '../lib/format.js';
import { line, name } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { disposition, empty, facts, panel, severity, verdict } from '../lib/ui.js';

export async function principal({ params, signal, place }) {
  const one = await get(`/principals/${step(params.tenant)}/${step(params.principal)}?days=90`, { signal });
  const seen = (title, rows) => table(title, [
    { key: 'name', title, className: 'grow', cell: (row) => name(row.name, 'mono') }, { key: 'requests', title: 'Requests', number: true, cell: (row) => count(row.requests) },
    { key: 'first_at', title: 'First', cell: (row) => time(row.first_at) }, { key: 'last_at', title: 'Last', cell: (row) => time(row.last_at) },
  ], rows, { empty: empty(`No ${title.toLowerCase()}`, '') });
  fill(place,
    h('div.page-head', h('h1', name(one.principal)), h('span.quiet', 'of tenant ', name(one.tenant)),
      h('a.end', { href: `/incidents${query({ state: 'all', tenant: one.tenant, principal: one.principal })}` }, 'Incidents')),
    h('div.columns',
      panel('90 days', {}, facts([
        ['Requests', count(one.requests)], ['Blocked', `${count(one.blocked)} (${percent(one.requests ? one.blocked / one.requests : null)})`], ['Incidents', `${count(one.stopped)}, ${count(one.incidents_open)} open`],
        ['Refused', count(one.refused)], ['Tokens', `${compact(one.prompt_tokens)} in, ${compact(one.completion_tokens)} out`], ['Cost', money(one.cost_usd)], ['First seen', time(one.first_at)], ['Last seen', time(one.last_at)],
      ])),
      panel('Requests by day', {}, bars(one.series.at, one.series.requests, 'Requests by day'), h('h3', 'Incidents by day'), bars(one.series.at, one.series.stopped, 'Incidents by day'))),
    h('div.columns',
      panel('Found by', {}, table('Rules and labels that acted', [
        { key: 'id', title: 'Rule or label', className: 'grow', cell: (row) => h('a', { href: `/rules/${step(row.id)}` }, name(row.id, 'mono')) },
        { key: 'count', title: 'Incidents', number: true, cell: (row) => h('a', { href: `/incidents${query({ state: 'all', tenant: one.tenant, principal: one.principal, rule: row.id })}` }, count(row.count)) },
      ], one.rules, { empty: empty('Nothing was found', '') })),
      panel('From where', { aside: h('span.quiet', 'in the last 1000 exchanges') }, seen('Addresses', one.addresses), one.keys.length ? seen('Client keys', one.keys) : null)),
    panel('Incidents', {}, table('Incidents', [
      { key: 'at', title: 'When', cell: (row) => time(row.at) }, { key: 'severity', title: 'Severity', cell: (row) => severity(row.severity) }, { key: 'action', title: 'Verdict', cell: (row) => verdict(row.action) },
      { key: 'title', title: 'What', className: 'grow', cell: (row) => h('a', { href: `/incidents/${step(row.id)}?state=all` }, line(row.title)) }, { key: 'disposition', title: 'Decided', cell: (row) => disposition(row.disposition) },
    ], one.incidents, { empty: empty('No incident', '') })),
    panel('Last exchanges', {}, table('Last exchanges', [
      { key: 'at', title: 'When', cell: (row) => time(row.at) }, { key: 'outcome', title: 'Outcome', cell: (row) => word(row.outcome ?? 'open') },
      { key: 'action', title: 'Verdict', cell: (row) => verdict(row.reply_action && row.reply_action !== 'allow' ? row.reply_action : row.request_action ?? 'allow') },
      { key: 'model', title: 'Model', cell: (row) => name(row.model ?? '–', 'mono') }, { key: 'tokens', title: 'Tokens', number: true, cell: (row) => compact((row.prompt_tokens ?? 0) + (row.completion_tokens ?? 0)) },
      { key: 'exchange_id', title: 'Exchange', cell: (row) => h('code', row.exchange_id) },
    ], one.exchanges)));
  return { title: 'Principal' };
}
