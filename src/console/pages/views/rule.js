// One rule: its text, its examples, what it did lately, and the exceptions to it.

import { h, fill } from '../lib/dom.js';
import { get, query, step } from '../lib/api.js';
import { bars } from '../lib/chart.js';
import { yaml } from '../lib/code.js';
import { count, percent, word } from '../lib/format.js';
import { block, line, name } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { chip, disposition, empty, facts, panel, severity, verdict } from '../lib/ui.js';
import { standingChip } from './rules.js';

export async function rule({ params, signal, place }) {
  const one = await get(`/rules/${step(params.id)}`, { signal });
  const decided = one.dispositions.true_positive + one.dispositions.false_positive + one.dispositions.accepted_risk;
  const examples = (title, list) => h('div', h('h3', title), list.length ? h('ul.examples', list.map((text) => h('li', block(text)))) : h('p.quiet', 'none'));
  fill(place,
    h('div.page-head', h('h1', name(one.id, 'mono'), ' ', name(one.title)), severity(one.severity), standingChip(one),
      h('a.end', { href: `/incidents${query({ state: 'all', rule: one.id })}` }, 'Its incidents')),
    one.description ? h('p', one.description) : null,
    h('div.columns',
      panel('What it did', {}, facts([
        ['Last 24 hours', `${count(one.hits_24h)} findings`],
        ['Last 30 days', `${count(one.hits_30d)} findings, ${count(one.blocked_30d)} in what was blocked`],
        ['Shadow, 30 days', count(one.shadow_30d)],
        ['Held back, 30 days', one.held_30d ? `${count(one.held_30d)} by exceptions, allowances or the paranoia level` : '0'],
        ['False alarms', decided ? `${percent(one.false_rate)} of ${count(decided)} decided in 90 days` : h('span.quiet', 'nobody has decided an incident of it')],
        ['Cost', one.cost === null ? h('span.quiet', 'not measured') : `${percent(one.cost)} of the time that rules spend in searches of their own`],
      ])),
      panel('Findings by day', {}, one.hits.at.length ? bars(one.hits.at, one.hits.count.map((acted, i) => acted + one.hits.shadow[i]), `Findings of ${one.id} by day`) : empty('Nothing found in 30 days', 'A rule that never matches may be too narrow, or what it looks for may be rare.'))),
    h('div.columns',
      panel('What it says', { aside: name(`${one.file}:${one.line}`, 'mono quiet') }, one.yaml ? yaml(one.yaml) : empty('Its text cannot be read', 'The kept copy of this policy is not there.')),
      panel('Applies', {}, facts([
        ['To', [one.on_request ? 'requests' : null, one.on_reply ? 'replies' : null].filter(Boolean).join(' and ')],
        ['Family', word(one.family)], ['Action', one.action ? verdict(one.action) : `adds ${one.points} points`], ['Paranoia', `level ${one.paranoia}`],
        ['Tags', one.tags.map((tag) => [chip(tag), ' '])], one.overrides.length && ['Overrides', one.overrides.map((text) => h('p', line(text)))],
        one.references.length && ['More about it', one.references.map((text) => h('p', line(text)))],
      ]))),
    panel('Exceptions', {}, one.exceptions.length
      ? table('Exceptions to this rule', [
        { key: 'id', title: 'Id', cell: (row) => name(row.id, 'mono') }, { key: 'reason', title: 'Why', className: 'grow', cell: (row) => line(row.reason) },
        { key: 'scope', title: 'Where', cell: (row) => line(Object.entries(row.scope).map(([key, value]) => `${key}: ${[value].flat().join(', ')}`).join('; ') || 'everywhere') }, { key: 'expires', title: 'Until' },
        { key: 'file', title: 'File', cell: (row) => name(`${row.file}:${row.line}`, 'mono') },
      ], one.exceptions)
      : empty('No exception', 'They are made from incidents: open one that is a false alarm and press e.')),
    panel('Examples', {}, h('div.columns', examples('It must find', one.examples.match), examples('It must leave alone', one.examples.pass))),
    panel('Last incidents', {}, table('Last incidents', [
      { key: 'at', title: 'When', cell: (row) => time(row.at) }, { key: 'action', title: 'Verdict', cell: (row) => verdict(row.action) },
      { key: 'excerpt', title: 'Excerpt', className: 'grow', cell: (row) => h('a', { href: `/incidents/${step(row.id)}?state=all` }, line(row.excerpt || row.title)) },
      { key: 'principal', title: 'Principal', cell: (row) => name(row.principal) }, { key: 'disposition', title: 'Decided', cell: (row) => disposition(row.disposition) },
    ], one.recent, { empty: empty('No incident of this rule', 'What it finds shows up here.') })));
  return { title: one.id };
}
