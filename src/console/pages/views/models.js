// The classifier that serves, and what the one in shadow would have changed.

import { h, fill } from '../lib/dom.js';
import { get, step } from '../lib/api.js';
import { count, plural, word } from '../lib/format.js';
import { line, name } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { chip, empty, facts, panel } from '../lib/ui.js';

const score = (value) => value.toFixed(3);
const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(2)} %` : '–');

function serving(model) {
  if (!model) return panel('Serves', {}, empty('No classifier', 'Rules alone judge: the model could not be used, and policy.faults.model_missing says degrade.'));
  return panel('Serves', {}, facts([
    ['Model', name(model.name)], ['Version', h('code', model.version)], ['Licence', line(model.licence)],
    ['Sessions', count(model.threads)], ['Windows waiting', count(model.waiting)],
    ...Object.entries(model.trained).map(([key, value]) => [word(key), line(String(value))]),
  ]));
}

function shadow(one) {
  if (!one) {
    return [panel('In shadow', {}, empty('No model in shadow', h('p', 'Name one as ', h('code', 'model.shadow'), ' in the configuration: it sees what the classifier sees, and decides nothing.')))];
  }
  const dropped = Object.entries(one.dropped).filter(([, texts]) => texts > 0).map(([why, texts]) => `${count(texts)} ${word(why)}`);
  return [
    panel('In shadow', { aside: one.differs ? chip(`${plural(one.differs, 'text')} would differ`, 'warn') : null }, facts([
      ['Version', h('code', one.version)], ['Since', time(one.since)], ['Sees', `${one.share} of 100 exchanges`],
      ['Judged', plural(one.judged, 'text')], ['Differs', `${count(one.differs)} (${share(one.differs, one.judged)})`],
      ['Mean difference', one.mean_difference === null ? '–' : one.mean_difference.toFixed(4)], ['Left out', dropped.length ? dropped.join(', ') : 'none'],
    ])),
    panel('From present to shadow', {}, table('Transitions', [
      { key: 'from', title: 'Present', cell: (row) => word(row.from) }, { key: 'to', title: 'Shadow', className: 'grow', cell: (row) => (row.from === row.to ? word(row.to) : chip(word(row.to), 'warn')) },
      { key: 'texts', title: 'Texts', number: true, cell: (row) => count(row.texts) }, { key: 'share', title: 'Share', number: true, cell: (row) => share(row.texts, one.judged) },
    ], one.transitions, { empty: empty('Nothing judged yet', 'Texts that the classifier is asked about are counted here once the shadow has answered too.') })),
    panel('Last texts that would differ', {}, table('Disagreements', [
      { key: 'at', title: 'When', cell: (row) => time(row.at) },
      { key: 'exchange_id', title: 'Exchange', className: 'grow', cell: (row) => h('a', { href: `/incidents/${step(`${row.exchange_id}:request`)}?state=all` }, name(row.exchange_id, 'mono')) },
      { key: 'from', title: 'Present', cell: (row) => word(row.from) }, { key: 'to', title: 'Shadow', cell: (row) => word(row.to) },
      { key: 'present', title: 'Score', number: true, cell: (row) => score(row.scores[0]) }, { key: 'shadow', title: 'Shadow’s', number: true, cell: (row) => score(row.scores[1]) },
    ], one.recent, { empty: empty('None so far', 'Both models reach the same level on every text.') })),
  ];
}

export async function models({ signal, place }) {
  const data = await get('/models', { signal });
  fill(place, h('div.page-head', h('h1', 'Models')), h('div.stack', serving(data.model), ...shadow(data.shadow)));
  return { title: 'Models' };
}
