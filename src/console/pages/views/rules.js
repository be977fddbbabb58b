// The rules in force: what each of them did, what it costs, and how often reviewers called it a false alarm.

import { h, fill, debounce } from '../lib/dom.js';
import { get, query, step } from '../lib/api.js';
import { go, setFilters } from '../lib/router.js';
import { VirtualList } from '../lib/list.js';
import { count, percent, plural, word } from '../lib/format.js';
import { name } from '../lib/text.js';
import { header, sorted } from '../lib/table.js';
import { chip, empty, select, severity } from '../lib/ui.js';

const RANK = { info: 0, low: 1, medium: 2, high: 3, critical: 4 };
const COLUMNS = [
  { key: 'id', title: 'Rule', sorts: true },
  { key: 'title', title: 'What it finds', sorts: true },
  { key: 'severity', title: 'Severity', sorts: true, number: true, value: (row) => RANK[row.severity] },
  { key: 'standing', title: 'Standing', sorts: true, value: (row) => standing(row) },
  { key: 'hits_24h', title: '24 h', sorts: true, number: true },
  { key: 'hits_30d', title: '30 days', sorts: true, number: true },
  { key: 'blocked_30d', title: 'Blocked', sorts: true, number: true },
  { key: 'shadow_30d', title: 'Shadow', sorts: true, number: true },
  { key: 'false_rate', title: 'False alarms', sorts: true, number: true },
  { key: 'cost', title: 'Cost', sorts: true, number: true },
];

/** Whether it acts. */
export const standing = (row) => (row.mode === 'shadow' ? 'shadow' : row.is_above_blocking ? 'records only' : 'acts');

export function standingChip(row) {
  const now = standing(row);
  const title = { shadow: 'It is searched for and recorded, and does not act', 'records only': 'Above the paranoia level that acts', acts: 'It acts' }[now];
  return chip(word(now), now === 'acts' ? 'good' : '', title);
}

const clean = (filters) => ({ q: filters.q ?? '', family: filters.family ?? '', standing: filters.standing ?? '' });

export async function rules({ filters, signal, place }) {
  let chosen = clean(filters);
  let sort = { key: 'hits_30d', down: true };
  const data = await get('/rules', { signal });
  const families = [...new Set(data.rules.map((row) => row.family))].sort();
  const shown = h('p.quiet', { aria: { live: 'polite' } });
  const search = h('input', { type: 'search', placeholder: 'Id, title or file', aria: { label: 'Search' }, value: chosen.q });
  const picks = h('div.row');
  const listPlace = h('div.queue');
  const list = new VirtualList({
    label: 'Rules', rowHeight: 34, id: (row) => row.id, className: () => '',
    open: (row) => go(`/rules/${step(row.id)}`),
    row: (row) => [
      name(row.id, 'mono vcell col-id'), name(row.title, 'vcell col-title'), h('span.vcell.col-severity', severity(row.severity)), h('span.vcell.col-standing', standingChip(row)),
      ...['hits_24h', 'hits_30d', 'blocked_30d', 'shadow_30d'].map((key) => h('span.vcell.num', { class: row[key] ? '' : 'quiet' }, count(row[key]))),
      h('span.vcell.num', { title: row.false_rate === null ? 'Nobody has decided an incident of this rule' : `${row.dispositions.false_positive} of ${row.dispositions.true_positive + row.dispositions.false_positive + row.dispositions.accepted_risk} decided` }, row.false_rate === null ? '–' : percent(row.false_rate)),
      h('span.vcell.num', { title: 'Its part of the time that all rules spend in searches of their own, over all rules’ examples; measured in the background after a change' }, row.cost === null ? '–' : percent(row.cost)),
    ],
  });
  list.el.classList.add('rule-list');

  const change = (next, options) => setFilters(query({ ...chosen, ...next }), options);
  const columns = () => COLUMNS.map((column) => ({ ...column, head: header(column, sort, (next) => { sort = next; draw(); }), aria: { sort: sort.key === column.key ? (sort.down ? 'descending' : 'ascending') : null } }));

  function draw() {
    const words = chosen.q.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row) => words.every((part) => `${row.id} ${row.title} ${row.file}`.toLowerCase().includes(part))
      && (!chosen.family || row.family === chosen.family) && (!chosen.standing || standing(row) === chosen.standing);
    const rows = sorted(data.rules.filter(fits), COLUMNS, sort);
    fill(shown, `${plural(rows.length, 'rule')} of ${count(data.rules.length)}, version `, name(data.version, 'mono'));
    fill(picks, select([['', 'All families'], ...families.map((one) => [one, word(one)])], chosen.family, { label: 'Family', change: (family) => change({ family }) }),
      select([['', 'All standings'], ['acts', 'Acts'], ['shadow', 'Shadow'], ['records only', 'Records only']], chosen.standing, { label: 'Standing', change: (value) => change({ standing: value }) }));
    if (!rows.length) fill(listPlace, empty('No rule fits', 'Rules that are off, or above the level that is searched for, are not listed: portcullis rules list has them all.'));
    else {
      if (!list.el.isConnected) fill(listPlace, list.el);
      list.rows = rows;
      list.total = rows.length;
      list.shape({ rowHeight: 34, columns: columns() });
    }
  }

  search.addEventListener('input', debounce(120, () => change({ q: search.value.trim() }, { replace: true })));
  place.classList.add('fixed');
  fill(place, h('div.review-list', h('div.page-head', h('h1', 'Rules'), shown), h('div.row.filters', h('div.search', search), picks), listPlace));
  draw();
  return {
    title: 'Rules',
    update(_, next) {
      chosen = clean(next);
      draw();
    },
    close: () => list.close(),
  };
}
