// Making the first admin, with the one-time token that the appliance printed.

import { h, icon, fill } from '../lib/dom.js';
import { get, post } from '../lib/api.js';
import { field } from '../lib/ui.js';

const SHORTEST = 15;

export function setupPage(main, done) {
  document.title = 'Setup · Portcullis';
  const token = location.hash.slice(1);
  // The token must not stay in the address bar, where it would be copied or kept in the history.
  history.replaceState(null, '', '/setup');
  const user = h('input', { name: 'user', autocomplete: 'username', required: true, spellcheck: 'false', autocapitalize: 'none' });
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'new-password', required: true, minlength: SHORTEST });
  const again = h('input', { name: 'again', type: 'password', autocomplete: 'new-password', required: true });
  const problem = h('p.problem', { role: 'alert' });
  const submit = h('button.button.primary', { type: 'submit' }, 'Make the first admin');
  const form = h('form.stack', { method: 'post', on: { submit: async (event) => {
    event.preventDefault();
    problem.textContent = '';
    if (password.value !== again.value) {
      problem.textContent = 'The two passwords differ.';
      return;
    }
    submit.disabled = true;
    try {
      await post('/setup', { token, user: user.value, password: password.value }, { quiet: true });
      const session = await get('/session', { quiet: true });
      history.replaceState(null, '', '/');
      fill(main);
      done(session);
    } catch (error) {
      problem.textContent = error.message;
      submit.disabled = false;
    }
  } } }, field('User', user), field('Password', password, `At least ${SHORTEST} characters; long beats complicated.`), field('Password again', again), problem, submit);
  const missing = [h('p', 'This address lacks its one-time token.'), h('p', 'On the appliance, run ', h('code', 'portcullis console link'), ' and open the address that it prints.')];
  fill(main, h('div.gate', h('div.gate-box', h('h1', icon('gate'), 'Set up the console'),
    token ? [h('p', 'This makes the first admin, who can then add others. The address works once.'), form] : missing)));
  if (token) user.focus();
}
