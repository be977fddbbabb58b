// The policy: which is in force, how it came, what was tried, and the way back.

import { h, fill } from '../lib/dom.js';
import { get, post, query } from '../lib/api.js';
import { diff } from '../lib/code.js';
import { bytes, count, plural, word } from '../lib/format.js';
import { block, name, visibleString } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { can } from '../lib/session.js';
import { button, chip, complain, confirm, empty, facts, notice, panel, select } from '../lib/ui.js';

const RESULTS = { in_force: ['In force', 'good'], unchanged: ['Unchanged', ''], needs_restart: ['Needs a restart', 'warn'], refused: ['Refused', 'bad'] };

function attempt(one) {
  const [text, kind] = RESULTS[one.result] ?? [word(one.result), ''];
  return h('li', h('p', chip(text, kind), ' ', time(one.at), ` by ${word(one.origin).toLowerCase()}, took ${count(one.took_ms)} ms. Since then `, name(one.version, 'mono')),
    one.needs_restart?.length ? h('p', 'These keys only a restart takes over: ', one.needs_restart.map((key) => [h('code', key), ' '])) : null,
    one.problems?.length ? h('details.fold', { open: true }, h('summary', plural(one.problem_count, 'problem')), one.problems.map((problem) => block(problem.text))) : null);
}

export async function policy({ signal, place }) {
  const load = () => get('/policy', { signal });

  async function ask(what, body, said) {
    const made = await post(`/policy/${what}`, body);
    notice(`${said}: ${made.version}`);
    draw(await load());
  }

  function compare(kept) {
    const versions = kept.map((one) => [one.version, `${visibleString(one.version, 20)}${one.in_force ? ' (in force)' : ''}`]);
    if (!can('author')) return empty('Differences are for authors', 'The configuration is among the files.');
    if (versions.length < 2) return empty('Nothing to compare', 'A second version comes with the first change of the rules or of the policy.');
    const from = select(versions, versions[1][0], { label: 'From', change: () => show() });
    const to = select(versions, versions[0][0], { label: 'To', change: () => show() });
    const result = h('div.stack');
    const show = async () => {
      try {
        const found = await get(`/policy/diff${query({ from: from.value, to: to.value })}`, { signal });
        fill(result, found.files.length ? found.files.map((file) => h('div', h('h3', name(file.path, 'mono')), diff(file.diff, file.path))) : h('p.quiet', 'No file differs.'));
      } catch (error) {
        complain(error);
      }
    };
    return h('div.stack', h('div.row', h('span', 'From'), from, h('span', 'to'), to, button('Compare', { run: show })), result);
  }

  function draw(data) {
    const now = data.in_force;
    const back = (one) => confirm('Go back to this policy?', `Policy ${one.version} comes into force at once and stays over restarts, until the files change or somebody reloads.`, 'Go back',
      () => ask('rollback', { version: one.version }, 'Went back'));
    fill(place,
      h('div.page-head', h('h1', 'Policy'), h('span.end', button('Reload the files', { need: 'author', run: () => ask('reload', {}, 'Reloaded').catch(complain) }))),
      now.pinned ? h('p.warning', 'Somebody went back to this policy: it stays until the files change or are reloaded by hand.') : null,
      h('div.columns',
        panel('In force', {}, facts([
          ['Version', name(now.version, 'mono')], ['Since', time(now.since)], ['Came by', word(now.origin)], ['Rules', `${count(now.rules)}, version ${now.rules_version}`],
          ['Files', data.watched ? 'are watched: a change comes into force as soon as it is seen' : 'are not watched: SIGHUP, a reload here or portcullis rules reload'],
          data.live > 1 && ['In memory', `${data.live} policies: open exchanges end with the one that they began with`],
        ])),
        panel('What was tried', {}, data.attempts.length ? h('ol.attempts', data.attempts.map(attempt)) : empty('Nothing yet', 'Every reload, and why one was refused, stands here.'))),
      panel('Kept', {}, table('Kept policies', [
        { key: 'version', title: 'Version', cell: (row) => [name(row.version, 'mono'), row.in_force ? [' ', chip('In force', 'good')] : null, row.previous ? [' ', chip('Before that')] : null] },
        { key: 'at', title: 'Last put in force', cell: (row) => time(row.at) }, { key: 'origin', title: 'By', cell: (row) => word(row.origin) },
        { key: 'rules', title: 'Rules', number: true, cell: (row) => count(row.rules) }, { key: 'bytes', title: 'Size', number: true, cell: (row) => bytes(row.bytes) },
        { key: 'back', title: '', cell: (row) => (row.in_force ? null : button('Go back', { kind: 'small', need: 'author', run: () => back(row) })) },
      ], data.kept)),
      panel('Compare', {}, compare(data.kept)));
  }

  draw(await load());
  return { title: 'Policy' };
}
