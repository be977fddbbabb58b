// Is the record whole? One answer at the top; below it the chains, what was signed, what was given up, and what all that proves.

import { h, icon, fill } from '../lib/dom.js';
import { get, post } from '../lib/api.js';
import { count, digest, plural, word } from '../lib/format.js';
import { line, name, visibleString } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { button, chip, complain, empty, facts, panel } from '../lib/ui.js';

const POLL_MS = 1500;

/** The one answer. */
function answer({ check, audit }) {
  const state = (kind, symbol, title, ...more) => h('div.answer', { class: kind, role: 'status' }, icon(symbol), h('div', h('h2', title), more.map((part) => h('p', part))));
  if (check.running) return state('', 'shield', 'Being verified', ['Every record is read and held against its neighbours, the checkpoints and the rows for review. Begun ', time(check.started_at), ' by ', name(check.by), '.']);
  if (check.error) return state('bad', 'warn', 'The verification could not be finished', line(check.error));
  const broken = (check.regions ?? []).flatMap((region) => region.chains.filter((chain) => chain.break).map((chain) => ({ region: region.region, chain })));
  if (broken.length) {
    return state('bad', 'warn', 'The record was changed', ...broken.map(({ chain }) => [word(chain.break.kind), ' at record ', count(chain.break.seq), ' of ', name(chain.node, 'mono'), ': ', line(chain.break.detail)]),
      'Keep a copy of the store and of the state folder before anything else, and hold the record against an anchor outside: portcullis audit verify --anchor.');
  }
  if (check.finished_at) {
    const records = check.regions.flatMap((region) => region.chains).reduce((sum, chain) => sum + chain.records, 0);
    return state('good', 'check', 'The record is whole', [`${plural(records, 'record')} hang together, verified `, time(check.finished_at), ' by ', name(check.by), '.'],
      audit.written_seq > audit.shipped_seq ? `${count(audit.written_seq - audit.shipped_seq)} records wait in the spool.` : 'Every record written so far is in the store.');
  }
  return state('', 'shield', 'Not verified since the start', 'Verifying reads every record once; the appliance works on meanwhile. From outside, portcullis audit verify does the same, with an anchor if there is one.');
}

function region(one, several) {
  const sealed = (node) => one.seals.find((seal) => seal.node === node);
  const head = several ? [h('h2.region', 'Region ', name(one.region))] : [];
  return [...head,
    panel('Chains', {}, table('Chains', [
      { key: 'node', title: 'Chain', className: 'grow', cell: (row) => name(row.node, 'mono') }, { key: 'first_seq', title: 'From', number: true, cell: (row) => count(row.first_seq) }, { key: 'last_seq', title: 'To', number: true, cell: (row) => count(row.last_seq) },
      { key: 'sealed', title: 'Signed up to', number: true, cell: (row) => count(sealed(row.node)?.last_seq ?? null) }, { key: 'at', title: 'Last checkpoint', cell: (row) => (sealed(row.node) ? time(sealed(row.node).at) : 'none yet') },
    ], one.chains, { empty: empty('No record yet', 'The first one is written when the appliance starts.') })),
    h('div.columns',
      panel('The key', {}, one.key ? facts([['Algorithm', one.key.algorithm], ['Id', h('code', one.key.id)], ['Public', h('code.wrap', one.key.public)], ['Why it matters', 'Whoever has this public key can verify the record without the appliance: portcullis audit verify --key. Keep it elsewhere.']])
        : empty('No key of this machine', 'Checkpoints of this region are signed elsewhere.')),
      panel('Kept how long', { aside: one.archive ? chip('Archived before it goes', 'good') : null }, one.retention.length
        ? table('Retention', [{ key: 'class', title: 'Class', className: 'grow', cell: (row) => name(row.class) }, ...['events', 'review', 'texts'].map((key) => ({ key, title: word(key), number: true, cell: (row) => (row[key] === null ? 'for ever' : plural(row[key], 'day')) }))], one.retention)
        : empty('Everything is kept for ever', h('p', 'To give up what is old, write ', h('code', 'audit.retention'), ' in the configuration.')))),
    panel('Checkpoints', { aside: h('span.quiet', 'the newest') }, table('Checkpoints', [
      { key: 'at', title: 'Signed', cell: (row) => time(row.at) }, { key: 'node', title: 'Chain', cell: (row) => name(row.node, 'mono') }, { key: 'day', title: 'Day' }, { key: 'last_seq', title: 'Up to', number: true, cell: (row) => count(row.last_seq) },
      { key: 'root', title: 'Merkle root', className: 'grow', cell: (row) => h('code', { title: row.root }, digest(row.root, 24)) }, { key: 'is_last', title: '', cell: (row) => (row.is_last ? chip('Day closed') : null) },
    ], one.seals.slice(0, 12), { empty: empty('No checkpoint yet', 'The first one is signed within a minute of the first record.') })),
    panel('Given up', {}, table('Tombstones', [
      { key: 'at', title: 'When', cell: (row) => time(row.at) }, { key: 'day', title: 'Day' }, { key: 'part', title: 'What', cell: (row) => word(row.part) }, { key: 'class', title: 'Class', cell: (row) => name(row.class ?? 'all') },
      { key: 'records', title: 'Records', number: true, cell: (row) => count(row.chains.reduce((sum, chain) => sum + chain.records, 0)) },
      { key: 'archived', title: 'Kept before', className: 'grow', cell: (row) => (row.archived ? name(visibleString(row.archived.manifest, 80), 'mono') : h('span.quiet', 'no archive')) },
    ], one.tombstones, { empty: empty('Nothing was given up', 'What retention drops leaves a signed tombstone here, so that it can be told from what was taken away.') }))];
}

export async function integrity({ signal, place }) {
  let timer = 0;
  const body = h('div.stack');
  const top = h('div');
  const run = button('Verify now', { need: 'reviewer', kind: 'primary', run: async () => {
    try {
      await post('/integrity/verify');
      await load();
    } catch (error) {
      complain(error);
    }
  } });

  async function load() {
    const data = await get('/integrity', { signal });
    run.disabled = data.check.running || run.title.startsWith('This takes');
    fill(top, answer(data));
    fill(body, data.regions.flatMap((one) => region(one, data.regions.length > 1)));
    clearTimeout(timer);
    if (data.check.running) timer = setTimeout(() => load().catch(() => {}), POLL_MS);
  }

  await load();
  fill(place, h('div.page-head', h('h1', 'Integrity'), h('span.end', run)), top, body,
    panel('What this proves', {}, h('ul.plain',
      h('li', 'Nobody changed, took away, moved or put in a record up to the last checkpoint without having the key.'),
      h('li', 'It does not prove that the appliance wrote down what happened, nor that whoever has the key did not sign anew: for that, keep checkpoints elsewhere (an output, or portcullis audit checkpoint) and verify against them.'),
      h('li', 'What reviewers decide is told in the chain as well, under Actions.'))));
  return { title: 'Integrity', close: () => clearTimeout(timer) };
}
