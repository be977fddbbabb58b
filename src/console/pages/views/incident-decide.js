// What a reviewer does with incidents: dispositions, assignment, notes; with one step back.

import { h } from '../lib/dom.js';
import { post, step } from '../lib/api.js';
import { can, me } from '../lib/session.js';
import { plural, word } from '../lib/format.js';
import { announce } from '../lib/shell.js';
import { button, complain, dialog, field, notice } from '../lib/ui.js';

export class Decisions {
  /** `changed(incident)` is told of every incident as it is now; `reload()` after many at once. */
  constructor({ changed, reload }) {
    this.changed = changed;
    this.reload = reload;
    this.last = null;
  }

  allowed() {
    if (can('reviewer')) return true;
    notice(`This takes the role reviewer; you are ${me()?.role}.`, { kind: 'bad' });
    return false;
  }

  async send(incident, what, body) {
    const answer = await post(`/incidents/${step(incident.id)}/${what}`, body);
    this.changed(answer.incident, answer.history);
    return answer;
  }

  /** Says what it was; a group is asked about, since it is many. */
  async decide(incident, disposition, { group = false } = {}) {
    if (!this.allowed()) return;
    const before = incident.disposition ?? null;
    try {
      await this.send(incident, 'disposition', { disposition, group });
      this.last = { incident, before };
      announce(`${word(disposition)}`);
      notice(`${word(disposition)}: ${incident.title}`, { action: { label: 'Undo', keys: 'u', run: () => this.undo() } });
      if (group) this.reload();
    } catch (error) {
      complain(error);
    }
  }

  undo() {
    if (!this.last) return false;
    const { incident, before } = this.last;
    this.last = null;
    this.send(incident, 'disposition', { disposition: before, note: 'Taken back' }).then(() => announce('Taken back'), complain);
    return true;
  }

  async assign(incident, user = me().user) {
    if (!this.allowed()) return;
    try {
      await this.send(incident, 'assign', { user: incident.assignee === user ? null : user });
    } catch (error) {
      complain(error);
    }
  }

  note(incident) {
    if (!this.allowed()) return;
    const text = h('textarea', { maxlength: 4000, required: true });
    const problem = h('p.problem', { role: 'alert' });
    const save = async () => {
      try {
        await this.send(incident, 'notes', { text: text.value });
        box.close();
      } catch (error) {
        problem.textContent = error.message;
      }
    };
    text.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
    });
    const box = dialog('Write a note', {}, field('Note', text, 'Kept in the incident’s history with your name. Ctrl+Enter saves.'), problem,
      h('div.dialog-foot', button('Cancel', { run: () => box.close() }), button('Save', { kind: 'primary', run: save })));
  }

  /** The same with many, one after the other, so that each is recorded. */
  async many(ids, what, value) {
    if (!this.allowed()) return;
    let done = 0;
    try {
      for (const id of ids) {
        const body = what === 'assign' ? { user: me().user } : { disposition: value };
        await this.send({ id }, what, body);
        done += 1;
      }
      notice(`${plural(done, 'incident')}: ${what === 'assign' ? 'assigned to you' : word(value).toLowerCase()}`);
    } catch (error) {
      complain(error);
    }
  }
}
