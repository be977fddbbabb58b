// Signing in: as a page at the start, as a dialog when the session ends in the midst of work.

import { h, icon, fill } from '../lib/dom.js';
import { get, post } from '../lib/api.js';
import { visibleString } from '../lib/text.js';
import { seconds } from '../lib/format.js';
import { button, dialog, field } from '../lib/ui.js';

// Why the identity provider's way in ended at this page: the codes of /api/v1/oidc/callback.
const REASONS = {
  expired: 'Signing in took too long, or was begun in another tab. Try again.',
  denied: 'The identity provider did not let you in, or you turned back.',
  unknown: 'You have no access to this console. An administrator can give it to you.',
  taken: 'Somebody else has your name here. An administrator can sort this out.',
  failed: 'The identity provider could not be asked, or its answer does not hold. The log of the appliance says why.',
};

function toOidc() {
  try {
    sessionStorage.setItem('return-to', location.pathname === '/login' ? '/' : location.pathname + location.search);
  } catch {
    // Storage is forbidden: signing in then leads to the overview.
  }
  location.assign('/api/v1/oidc/start');
}

const oidcButton = (oidc) => button(`Sign in with ${visibleString(oidc.name, 60)}`, { run: toOidc });

/** The form; `done` gets the new session. */
function form(oidc, user, done) {
  const who = h('input', { name: 'user', autocomplete: 'username', required: true, value: user, spellcheck: 'false', autocapitalize: 'none' });
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true });
  const problem = h('p.problem', { role: 'alert' });
  const submit = h('button.button.primary', { type: 'submit' }, 'Sign in');
  const el = h('form.stack', { method: 'post', on: { submit: async (event) => {
    event.preventDefault();
    submit.disabled = true;
    problem.textContent = '';
    try {
      await post('/login', { user: who.value, password: password.value }, { quiet: true });
      done(await get('/session', { quiet: true }));
    } catch (error) {
      const wait = error.body?.retry_after_s;
      problem.textContent = error.status === 429 && wait ? `Too many attempts. Try again in ${seconds(wait)}.` : error.message;
      password.value = '';
      password.focus();
    } finally {
      submit.disabled = false;
    }
  } } }, field('User', who), field('Password', password), problem, submit);
  if (oidc?.enabled) el.append(h('p.or', h('span', 'or')), oidcButton(oidc));
  setTimeout(() => (user ? password : who).focus());
  return el;
}

export function loginPage(main, { oidc, setup_needed: setupNeeded } = {}, done) {
  document.title = 'Sign in · Portcullis';
  const body = setupNeeded
    ? [h('p', 'There is no user yet: the first admin has not been made.'),
      h('p', 'On the appliance, run ', h('code', 'portcullis console link'), '. It prints an address that works once; open it here.'),
      oidc?.enabled ? [h('p.or', h('span', 'or')), oidcButton(oidc)] : null]
    : form(oidc, '', done);
  const reason = REASONS[new URLSearchParams(location.search).get('oidc')];
  fill(main, h('div.gate', h('div.gate-box', h('h1', icon('gate'), 'Portcullis'), reason ? h('p.problem', { role: 'alert' }, reason) : null, body,
    h('p.quiet', 'What you decide here is recorded with your name.'))));
}

/** Resolves with the new session. Closing the dialog leaves the page; the next call asks again. */
export function loginDialog(body, user) {
  return new Promise((resolve, reject) => {
    let session = null;
    const box = dialog('Your session has ended', {
      onClose: () => (session ? resolve(session) : reject(new Error('Not signed in. What you see may be out of date.'))),
    }, h('p', body?.oidc?.enabled
      ? 'Sign in again to go on where you were. With a password nothing that you typed is lost; the identity provider has a page of its own.'
      : 'Sign in again to go on where you were. Nothing that you typed is lost.'), form(body?.oidc, user, (value) => {
      session = value;
      box.close();
    }));
  });
}
