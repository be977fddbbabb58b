// One incident: why, what was said, what was found in it, how it added up, what became of it. Beside the list, or alone.

import { h, icon, fill } from '../lib/dom.js';
import { get, post, query, step } from '../lib/api.js';
import { bytes, compact, digest, ms, money, word } from '../lib/format.js';
import { line, name, visible, visibleString } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { can, me } from '../lib/session.js';
import { button, chip, complain, disposition, empty, facts, failed, iconButton, notice, panel, severity, skeleton, verdict } from '../lib/ui.js';
import { Passages } from './incident-passages.js';
import { exceptionDialog, exampleDialog } from './incident-change.js';

const DONE = { block: 'blocked', flag: 'flagged', redact: 'redacted', strip: 'stripped', route: 'sent to another model', throttle: 'throttled', allow: 'passed' };

/** Why, in one sentence: what weighed most, or the sum that reached a level. */
function why(direction) {
  if (!direction) return 'The record says nothing more of it.';
  const demanding = direction.findings.find((one) => one.standing === 'acts' && one.action === direction.action);
  if (demanding) return [`${demanding.judge === 'model' ? 'The classifier' : `Rule ${visibleString(demanding.id, 40)}`} demands it: `, line(demanding.title), '.'];
  const sum = direction.sum.find((one) => one.threshold_reached);
  if (sum) return `${sum.total} points reach the level at which text of trust “${sum.trust}” is ${DONE[sum.threshold_reached]} (${sum.levels[sum.threshold_reached]}).`;
  if (direction.faults.length) return `It could not be judged: ${direction.faults.map((one) => word(one.cause).toLowerCase()).join(', ')}.`;
  const opaque = direction.waivers.find((one) => !one.passed);
  if (opaque) return `It has content that cannot be seen: ${opaque.kind}.`;
  return 'Points add up over texts that a reader puts together.';
}

export class IncidentPane {
  constructor({ signal, changed, close, decide }) {
    Object.assign(this, { signal, changed, close, decide });
    this.id = null;
    this.incident = null;
    this.asked = 0;
    this.el = h('section.pane', { hidden: true, aria: { label: 'Incident' } });
  }

  stop() {
    this.asked += 1;
  }

  async show(id) {
    if (id === this.id) return;
    this.id = id;
    this.incident = null;
    this.data = null;
    this.el.hidden = !id;
    const mine = (this.asked += 1);
    if (!id) {
      fill(this.el);
      return;
    }
    const waiting = setTimeout(() => { if (mine === this.asked) fill(this.el, h('div.pane-body', skeleton(12))); }, 150);
    try {
      const data = await get(`/incidents/${step(id)}`, { signal: this.signal });
      if (mine !== this.asked) return;
      this.data = data;
      this.incident = data.incident;
      this.draw();
      this.el.scrollTop = 0;
    } catch (error) {
      if (mine === this.asked && error.name !== 'AbortError') {
        fill(this.el, h('div.pane-body', h('div.row', this.closer()), failed(error, () => { this.id = null; this.show(id); })));
      }
    } finally {
      clearTimeout(waiting);
    }
  }

  /** The incident was changed here: its head and history are drawn again, the rest stays as it is. */
  update(incident, history) {
    this.incident = { ...this.incident, ...incident };
    if (!this.data) return;
    Object.assign(this.data, { incident: this.incident, history });
    fill(this.head, this.headParts());
    fill(this.historyPlace, this.history());
  }

  closer() {
    return iconButton('close', 'Close (Escape)', () => this.close());
  }

  own() {
    return this.data.directions?.find((one) => one.direction === this.incident.direction) ?? null;
  }

  headParts() {
    const one = this.incident;
    const decide = (value) => button(word(value), {
      need: 'reviewer', keys: value[0], press: one.disposition === value,
      run: () => (one.disposition === value ? this.post('disposition', { disposition: null }) : this.post('disposition', { disposition: value })),
    });
    return [
      h('div.pane-title', severity(one.severity), verdict(one.action), h('h2', line(one.title)), h('span.end', this.closer())),
      h('p.why', why(this.own())),
      h('p.quiet', time(one.at, { exact: true }), ' · ', word(one.direction), ' of ', h('a', { href: `/principals/${step(one.tenant)}/${step(one.principal)}` }, name(one.principal)),
        ' (', name(one.tenant), ')', one.model ? [' · ', name(one.model, 'mono')] : null, one.provider ? [' at ', name(one.provider)] : null),
      h('div.row.actions',
        decide('true_positive'), decide('false_positive'), decide('accepted_risk'),
        button(one.assignee ? `Assigned to ${visibleString(one.assignee, 24)}` : 'Assign to me', { need: 'reviewer', keys: 'm', press: Boolean(one.assignee), run: () => this.assign() }),
        button('Judge again', { need: 'reviewer', keys: 'r', run: () => this.rescan() }),
        button('Make an exception', { need: 'author', keys: 'e', run: () => this.exception() })),
      one.disposition ? h('p', disposition(one.disposition), ' ', one.reviewed_at ? time(one.reviewed_at) : null) : null,
    ];
  }

  async post(what, body) {
    try {
      const answer = await post(`/incidents/${step(this.id)}/${what}`, body);
      this.changed(answer.incident, answer.history);
    } catch (error) {
      complain(error);
    }
  }

  assign() {
    this.post('assign', { user: this.incident.assignee === me().user ? null : me().user });
  }

  draw() {
    const { data } = this;
    const own = this.own();
    this.head = h('header.pane-head', this.headParts());
    this.passages = own ? new Passages(own, { example: (finding) => this.example(finding) }) : null;
    this.rescanPlace = h('div');
    this.historyPlace = h('div', this.history());
    fill(this.el, this.head, h('div.pane-body',
      this.rescanPlace,
      own ? this.passages.el : empty('The record has not arrived', 'The exchange is in the spool and not in the store yet. Try again in a moment.'),
      own ? panel('How it added up', {}, this.sums(own)) : null,
      this.others(own),
      h('div.columns', panel('The exchange', {}, this.exchange()), panel('What the client got', {}, this.saw())),
      panel('History', {}, this.historyPlace),
      h('div.columns', panel('Same principal', { aside: h('a', { href: `/incidents${query({ state: 'all', tenant: this.incident.tenant, principal: this.incident.principal })}` }, 'All') }, this.rows(data.timeline, true)),
        panel('Looks the same', { aside: h('a', { href: `/incidents${query({ state: 'all', fingerprint: this.incident.fingerprint })}` }, 'All') }, this.rows(data.similar, false))),
      panel('In the record', { aside: h('a', { href: '/integrity' }, icon('shield'), ' Is it whole?') }, this.records())));
  }

  sums(own) {
    if (!own.sum.length) return empty('Nothing that was found acts', 'Findings in shadow mode, under an exception or above the paranoia level add no points.');
    return own.sum.map((sum) => {
      let so_far = 0;
      const rows = sum.points.map((one) => {
        so_far += one.points;
        return { ...one, so_far };
      });
      const level = (points) => (sum.levels.block !== null && points >= sum.levels.block ? 'block' : points >= (sum.levels.flag ?? Infinity) ? 'flag' : null);
      return h('div.sum', h('h3', name(sum.place, 'mono'), ' ', chip(`trust: ${sum.trust}`)),
        table(`Points at ${sum.place}`, [
          { key: 'id', title: 'Found by', cell: (row) => name(row.id, 'mono') },
          { key: 'title', title: 'What', className: 'grow', cell: (row) => line(row.title) },
          { key: 'points', title: 'Points', number: true },
          { key: 'so_far', title: 'Sum', number: true },
          { key: 'reaches', title: 'Reaches', cell: (row) => [level(row.so_far) ? verdict(level(row.so_far)) : null, row.demands ? [' demands ', verdict(row.demands)] : null] },
        ], rows),
        h('p.quiet', `Flagged from ${sum.levels.flag ?? 'no number of'} points on, blocked from ${sum.levels.block ?? 'no number of'} on (levels of the policy in force).`));
    });
  }

  /** The other half of the exchange, where it was judged too. */
  others(own) {
    const other = this.data.directions?.find((one) => one !== own);
    if (!other || !other.findings.length) return null;
    return panel(`The ${other.direction}`, { aside: h('a', { href: `/incidents/${step(`${this.id.split(':')[0]}:${other.direction}`)}` }, 'Its own incident') },
      h('p', verdict(other.action), ` ${other.findings.length} findings: `, other.findings.slice(0, 5).map((one) => [name(one.id, 'mono'), ' '])));
  }

  exchange() {
    const one = this.data.exchange;
    if (!one) return empty('Not in the store yet', 'The record of this exchange is on its way.');
    return facts([
      ['Exchange', h('code', one.exchange_id)],
      ['Called', [h('span.mono', one.method), ' ', name(one.path, 'mono'), one.stream ? ' (streamed)' : '']],
      ['From', [name(one.client_addr ?? '–', 'mono'), one.key_id ? [' with key ', name(one.key_id, 'mono')] : null]],
      ['Model', [one.model ? name(one.model, 'mono') : h('span.quiet', 'none was asked'), one.model_asked && one.model_asked !== one.model ? [' (asked for ', name(one.model_asked, 'mono'), ')'] : null]],
      ['Outcome', [word(one.outcome), one.status ? ` with status ${one.status}` : '']],
      ['Tokens', one.prompt_tokens === null ? h('span.quiet', 'not counted') : `${compact(one.prompt_tokens)} in, ${compact(one.completion_tokens ?? 0)} out${one.cost_usd === null ? '' : `, ${money(one.cost_usd)}`}`],
      ['Policy', h('a', { href: '/policy' }, name(one.policy_version ?? '–', 'mono'))],
      one.fault && ['Fault', line(one.fault.detail)],
      one.latency_us && ['Time', Object.entries(one.latency_us).map(([stage, us]) => `${word(stage).toLowerCase()} ${ms(us / 1000)}`).join(', ')],
    ]);
  }

  saw() {
    const saw = this.data.client_saw;
    if (!saw) return empty('Not known', 'The exchange has not ended.');
    return facts([['Answer', word(saw.what)], ['Which is', saw.note], saw.status && ['Status', String(saw.status)], saw.bytes > 0 && ['Sent', bytes(saw.bytes)]]);
  }

  history() {
    const { history } = this.data;
    if (!history.length) return empty('Nobody has done anything yet', 'Decisions, assignments and notes stand here with who and when, and in the record itself.');
    const said = (one) => (one.what === 'note' ? 'wrote' : one.what === 'assignee' ? (one.after ? ['gave it to ', name(one.after)] : 'took the assignment off') : one.after ? word(one.after).toLowerCase() : 'opened it again');
    return h('ol.history', history.map((one) => h('li', h('p', h('b', name(one.author)), ' ', said(one), ' · ', time(one.at)), one.note ? h('div.note', visible(one.note, { lines: true })) : null)));
  }

  rows(list, marks) {
    if (!list?.length) return empty(marks ? 'Nothing else' : 'Nothing alike', marks ? 'This is the only incident of this principal.' : 'No other incident has this fingerprint.');
    return h('ol.mini', list.map((one) => h('li', { class: one.id === this.id ? 'here' : '' }, h('a', { href: `/incidents/${step(one.id)}?state=all` }, verdict(one.action), ' ', line(visibleString(one.title, 80)), h('span.quiet', ' ', time(one.at))))));
  }

  records() {
    return table('Records of this exchange', [
      { key: 'kind', title: 'Record', cell: (row) => word(row.kind) }, { key: 'node', title: 'Chain', cell: (row) => name(row.node, 'mono') },
      { key: 'seq', title: 'Number', number: true }, { key: 'day', title: 'Day' },
      { key: 'hash', title: 'Hash', cell: (row) => h('code', { title: row.hash }, digest(row.hash, 16)) },
    ], this.data.records ?? [], { empty: empty('Not in the store yet', '') });
  }

  async rescan() {
    if (!this.id || !can('reviewer')) return false;
    try {
      const found = await post(`/incidents/${step(this.id)}/rescan`);
      const side = (title, one) => h('div', h('h3', title), h('p', verdict(one.action), ` ${one.score} points`), h('p', one.findings.length ? one.findings.map((id) => [name(id, 'mono'), ' ']) : h('span.quiet', 'nothing found')));
      fill(this.rescanPlace, panel('Judged again', { aside: h('span.quiet', 'policy ', name(found.policy_version, 'mono')) },
        h('div.columns', side('Then', found.before), side('Now', found.after)),
        found.fault ? h('p.problem', `The classifier did not answer: ${visibleString(found.fault)}`) : null));
      this.rescanPlace.scrollIntoView({ block: 'nearest' });
    } catch (error) {
      complain(error);
    }
    return true;
  }

  /** The finding that is marked, or else the first rule's that acts. */
  finding() {
    const own = this.own();
    const marked = this.passages?.marked;
    const fits = (one) => one.judge === 'rule' && one.standing === 'acts';
    return own?.findings.find((one) => one.number === marked && fits(one)) ?? own?.findings.find(fits) ?? null;
  }

  exception(finding = this.finding()) {
    if (!this.id) return false;
    if (!finding) {
      notice('Only what a rule found can have an exception; the classifier’s levels stand under policy.model.', { kind: 'bad' });
      return true;
    }
    exceptionDialog(this.incident, finding, { keepsText: this.own().why_no_text === null });
    return true;
  }

  example(finding) {
    const passage = this.own().passages.find((one) => one.place === finding.place);
    exampleDialog(this.incident, finding, passage?.text ?? '');
  }

  nextLayer() {
    return this.passages?.nextLayer() ?? false;
  }

  nextFinding(by) {
    return this.passages?.step(by) ?? false;
  }
}

