// Who may come in: users and tokens. For administrators.

import { h, fill } from '../lib/dom.js';
import { get, patch, post, remove, step } from '../lib/api.js';
import { me, ROLES } from '../lib/session.js';
import { word } from '../lib/format.js';
import { name, visibleString } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { button, chip, confirm, dialog, empty, field, notice, panel, select } from '../lib/ui.js';

const roleChoices = ROLES.map((role) => [role, word(role)]);
const password = () => h('input', { type: 'password', autocomplete: 'new-password', minlength: 15, required: true });
const HINT = '15 characters or more; a few words do. It is kept as Argon2id.';

/** A dialog with fields whose problem is shown inside. */
function ask(title, fields, label, run) {
  const problem = h('p.problem', { role: 'alert' });
  const send = async () => {
    try {
      await run();
      box.close();
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  const form = h('form.stack', { on: { submit: (event) => { event.preventDefault(); send(); } } }, fields, problem,
    h('div.dialog-foot', button('Cancel', { run: () => box.close() }), h('button.button.primary', { type: 'submit' }, label)));
  const box = dialog(title, {}, form);
}

export async function access({ signal, place }) {
  async function load() {
    const [{ users }, { tokens }] = await Promise.all([get('/users', { signal }), get('/tokens', { signal })]);
    draw(users, tokens);
  }

  function addUser() {
    const user = h('input', { required: true, autocomplete: 'off', maxlength: 64 });
    const role = select(roleChoices, 'reviewer', { label: 'Role' });
    const secret = password();
    // Who has none is vouched for by the identity provider, where there is one.
    secret.required = !me().oidc?.enabled;
    const hint = secret.required ? HINT : `Left empty: they sign in with ${visibleString(me().oidc.name, 60)}, under this name there. ${HINT}`;
    ask('Add a user', [field('Name', user), field('Role', role, 'Each role may do what those before it may.'), field('Password', secret, hint)], 'Add', async () => {
      await post('/users', { name: user.value, role: role.value, password: secret.value || null });
      await load();
    });
  }

  function change(user) {
    const role = select(roleChoices, user.role, { label: 'Role' });
    role.disabled = user.by_groups;
    const secret = h('input', { type: 'password', autocomplete: 'new-password', minlength: 15 });
    ask(`Change ${visibleString(user.name, 40)}`, [field('Role', role, user.by_groups ? 'It follows their groups at the identity provider.' : ''), field('New password', secret, `Left empty: it stays. ${HINT}`), h('p', 'Their sessions end.')], 'Change', async () => {
      await patch(`/users/${step(user.name)}`, { ...(role.value === user.role ? {} : { role: role.value }), ...(secret.value ? { password: secret.value } : {}) });
      await load();
    });
  }

  function addToken() {
    const id = h('input', { required: true, autocomplete: 'off', maxlength: 64 });
    const role = select(roleChoices, 'viewer', { label: 'Role' });
    const days = h('input', { type: 'number', min: 1, max: 3650, value: 90 });
    ask('Add a token', [field('Name', id, 'What it is for.'), field('Role', role), field('Days', days, 'Left empty: it does not end by itself.')], 'Add', async () => {
      const made = await post('/tokens', { id: id.value, role: role.value, days: days.value ? Number(days.value) : null });
      await load();
      const secret = h('input', { readonly: true, value: made.secret, class: 'mono' });
      const box = dialog('The token', {}, h('p', 'It is shown this once. Send it as “Authorization: Bearer …”.'), field('Token', secret),
        h('div.dialog-foot', button('Copy', { run: () => navigator.clipboard?.writeText(made.secret).then(() => notice('Copied')) }), button('Done', { kind: 'primary', run: () => box.close() })));
      secret.select();
    });
  }

  const drop = (what, path) => confirm(`Remove ${visibleString(what, 40)}?`, 'This takes effect at once.', 'Remove', async () => {
    await remove(path);
    await load();
  }, { kind: 'danger' });

  function draw(users, tokens) {
    fill(place,
      h('div.page-head', h('h1', 'Access')),
      panel('Users', { aside: button('Add a user', { kind: 'small', run: addUser }) }, table('Users', [
        { key: 'name', title: 'Name', className: 'grow', cell: (row) => [name(row.name), row.name === me().user ? [' ', chip('you')] : null] }, { key: 'role', title: 'Role', cell: (row) => word(row.role) },
        { key: 'how', title: 'Signs in with', cell: (row) => (row.has_password ? 'a password' : row.by_groups ? 'the identity provider, by groups' : 'the identity provider') }, { key: 'last_at', title: 'Last signed in', cell: (row) => time(row.last_at) }, { key: 'created_at', title: 'Since', cell: (row) => time(row.created_at) },
        { key: 'do', title: '', cell: (row) => h('span.row', button('Change', { kind: 'small', run: () => change(row) }), button('Remove', { kind: 'small', run: () => drop(row.name, `/users/${step(row.name)}`) })) },
      ], users)),
      panel('Tokens', { aside: button('Add a token', { kind: 'small', run: addToken }) }, table('Tokens', [
        { key: 'id', title: 'Name', className: 'grow', cell: (row) => name(row.id) }, { key: 'role', title: 'Role', cell: (row) => word(row.role) }, { key: 'created_by', title: 'Made by', cell: (row) => name(row.created_by ?? '–') },
        { key: 'created_at', title: 'Since', cell: (row) => time(row.created_at) }, { key: 'expires_at', title: 'Ends', cell: (row) => (row.expires_at ? time(row.expires_at, { exact: true }) : 'not by itself') },
        { key: 'do', title: '', cell: (row) => button('Remove', { kind: 'small', run: () => drop(row.id, `/tokens/${step(row.id)}`) }) },
      ], tokens, { empty: empty('No token', 'Programs use tokens: a SIEM that reads incidents, a script that reloads the policy. The token of this box is in the state folder, file admin-token.') })));
  }

  await load();
  return { title: 'Access' };
}
