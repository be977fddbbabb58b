// From a verdict to a change of the rules: an exception, or an example more. First a look at what would happen, then the change.

import { h, fill } from '../lib/dom.js';
import { post, step } from '../lib/api.js';
import { diff } from '../lib/code.js';
import { plural } from '../lib/format.js';
import { line, name, visibleString } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { button, dialog, field, notice, select, verdict } from '../lib/ui.js';

/** What the appliance found when it tried the change on a copy. */
function preview(found) {
  const { tests, changed } = found;
  return h('div.stack',
    h('p', 'In ', name(found.file, 'mono'), ':'), diff(found.diff, 'The change'),
    tests.failed.length
      ? h('div.failed', h('p.empty-title', `${plural(tests.failed.length, 'example')} of the rule would not hold`), tests.failed.slice(0, 5).map((one) => h('p', line(visibleString(JSON.stringify(one), 300)))))
      : h('p.good', `The rules load, and ${plural(tests.examples, 'example')} of the rule hold (${plural(tests.scans, 'scan')}).`),
    changed.rows.length
      ? table('Verdicts that would change', [
        { key: 'at', title: 'When', cell: (row) => time(row.at) }, { key: 'title', title: 'What', className: 'grow', cell: (row) => line(row.title) },
        { key: 'before', title: 'Then', cell: (row) => [verdict(row.before.action), ` ${row.before.score}`] }, { key: 'after', title: 'Would be', cell: (row) => [verdict(row.after.action), ` ${row.after.score}`] },
      ], changed.rows)
      : null,
    h('p.quiet', `${plural(changed.replayed, 'incident')} of this rule judged again, ${changed.rows.length} would change.`,
      changed.without_text ? ` ${plural(changed.without_text, 'incident')} could not be: no text is kept of them.` : ''));
}

/** A form whose first press looks and whose second press writes. Any change in between takes it back to the look. */
function twoSteps(title, path, fields, body, done) {
  const problem = h('p.problem', { role: 'alert' });
  const result = h('div');
  let seen = null;
  const look = button('Show what would happen', { kind: 'primary', run: async () => {
    problem.textContent = '';
    look.disabled = true;
    try {
      const found = await post(path, { ...body(), commit: false });
      seen = found.tests.failed.length ? null : found.seen;
      fill(result, preview(found));
      write.hidden = !seen;
      look.classList.toggle('primary', !seen);
      if (seen) write.focus();
    } catch (error) {
      fill(result);
      problem.textContent = error.message;
    }
    look.disabled = false;
  } });
  const write = button('Write it and put it in force', { kind: 'primary', run: async () => {
    write.disabled = true;
    try {
      const made = await post(path, { ...body(), commit: true, seen });
      box.close();
      notice(`In force as policy ${made.version}.`);
      done?.(made);
    } catch (error) {
      problem.textContent = error.message;
      write.disabled = false;
    }
  } });
  write.hidden = true;
  const form = h('div.stack', { on: { input: () => {
    seen = null;
    write.hidden = true;
    look.classList.add('primary');
    fill(result);
  } } }, fields);
  const box = dialog(title, { className: 'wide' }, form, result, problem, h('div.dialog-foot', button('Cancel', { run: () => box.close() }), look, write));
}

const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

export function exceptionDialog(incident, finding, { keepsText }) {
  const reason = h('textarea', { required: true });
  const until = h('input', { type: 'date', value: inDays(90), min: inDays(0), max: inDays(400) });
  const what = select([...(keepsText ? [['text', 'Only this very text']] : []), ['any', 'Whatever the rule finds there']], keepsText ? 'text' : 'any', { label: 'What it covers' });
  const scopes = [['tenant', `Tenant ${visibleString(incident.tenant, 40)}`, incident.tenant], ['role', `Texts of the role ${finding.role}`, finding.role], ['place', `At ${visibleString(finding.place, 60)}`, finding.place],
    ...(incident.model ? [['model', `Model ${visibleString(incident.model, 40)}`, incident.model]] : [])];
  // A star would be taken for any run of characters: whoever chose the name must not choose how far an exception reaches.
  const boxes = scopes.filter(([, , value]) => !value.includes('*')).map(([key, label, value]) => [key, value, h('input', { type: 'checkbox', checked: key === 'tenant' }), label]);
  twoSteps(`Exception to ${visibleString(finding.id, 40)}`, `/incidents/${step(incident.id)}/exception`, [
    h('p', 'What it covers is recorded under its own id, and does not act.'),
    field('What it covers', what),
    h('fieldset', h('legend', 'Where it holds'), boxes.map(([, , input, label]) => h('label.check', input, label))),
    field('Until', until, 'The last day (UTC). An exception that has ended covers nothing.'),
    field('Reason', reason, 'For whoever reads the rules after you.'),
  ], () => ({
    finding: finding.number, only_this_text: what.value === 'text', until: until.value, reason: reason.value,
    scope: Object.fromEntries(boxes.filter(([, , input]) => input.checked).map(([key, value]) => [key, value])),
  }));
}

export function exampleDialog(incident, finding, text) {
  const expect = select([['match', 'The rule must find it'], ['pass', 'The rule must leave it alone']], incident.disposition === 'false_positive' ? 'pass' : 'match', { label: 'Expected' });
  const example = h('textarea', { value: text, rows: 8, class: 'mono', spellcheck: 'false' });
  twoSteps(`Example for ${visibleString(finding.id, 40)}`, `/incidents/${step(incident.id)}/example`, [
    h('p', 'Examples are the rule’s tests. Take out what is personal: the rule file is read by many.'),
    field('Expected', expect), field('Text', example),
  ], () => ({ finding: finding.number, expect: expect.value, text: example.value }));
}
