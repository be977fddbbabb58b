// Starts the console: finds out who is signed in, then shows the page of the address.

import { h, fill } from './lib/dom.js';
import { get, onSessionEnd } from './lib/api.js';
import { route, start, reload, go } from './lib/router.js';
import { me, setSession } from './lib/session.js';
import { startKeys } from './lib/keys.js';
import { startLive, stopLive } from './lib/live.js';
import { keepCurrent } from './lib/time.js';
import { announce, drawBar, markPage } from './lib/shell.js';
import { failed, skeleton } from './lib/ui.js';
import { loginPage, loginDialog } from './views/login.js';
import { setupPage } from './views/setup.js';
import { overview } from './views/overview.js';
import { incidents } from './views/incidents.js';
import { rules } from './views/rules.js';
import { rule } from './views/rule.js';
import { policy } from './views/policy.js';
import { principals } from './views/principals.js';
import { principal } from './views/principal.js';
import { integrity } from './views/integrity.js';
import { access } from './views/access.js';
import { actions } from './views/actions.js';
import { models } from './views/models.js';

const main = document.getElementById('main');

route('/', 'overview', overview);
route('/incidents', 'incidents', incidents);
route('/incidents/:id', 'incidents', incidents);
route('/rules', 'rules', rules);
route('/rules/:id', 'rule', rule);
route('/policy', 'policy', policy);
route('/principals', 'principals', principals);
route('/principals/:tenant/:principal', 'principal', principal);
route('/integrity', 'integrity', integrity);
route('/access', 'access', access);
route('/actions', 'actions', actions);
route('/models', 'models', models);
route('/login', 'login', () => {
  go('/', { replace: true });
  return null;
});

function title(text) {
  document.title = text ? `${text} · Portcullis` : 'Portcullis';
}

const shown = {
  begin() {
    markPage(location.pathname);
    const place = h('div.page');
    fill(main, place);
    // Quick answers come without a flash of grey; slow ones say that they are on their way.
    setTimeout(() => { if (!place.firstChild) fill(place, skeleton()); }, 150);
    return place;
  },
  ready(found, page) {
    if (!found) fill(main, h('div.page', h('h1', 'No such page'), h('p', 'This address is none of the console\u2019s. ', h('a', { href: '/' }, 'Go to the overview'))));
    title(found ? page?.title : 'No such page');
    announce(page?.title ?? '');
    scrollTo(0, 0);
  },
  moved(found, page) {
    markPage(location.pathname);
    title(page.title);
  },
  failed(error, again) {
    title('Problem');
    fill(main, h('div.page', failed(error, again)));
  },
};

// Where OIDC comes back to. A path of this console or nothing; it never leaves this tab.
function returnFromOidc() {
  const path = sessionStorage.getItem('return-to');
  sessionStorage.removeItem('return-to');
  if (path && /^\/(?![/\\])/.test(path) && location.pathname === '/') history.replaceState(null, '', path);
}

function begin(session) {
  setSession(session);
  returnFromOidc();
  drawBar();
  startKeys();
  startLive();
  keepCurrent();
  start(shown);
}

let asking = null;

// The session ended in the midst of work: the page stays as it is, with whatever was typed, behind a sign-in dialog.
onSessionEnd((error) => {
  if (!me()) return Promise.reject(error);
  stopLive();
  asking ??= loginDialog(error.body, me().user).then((session) => {
    const other = session.user !== me().user || session.role !== me().role;
    setSession(session);
    startLive();
    // Another user must not see what the one before had open.
    if (other) {
      drawBar();
      reload();
    }
  }).finally(() => { asking = null; });
  return asking;
});

async function boot() {
  if (location.pathname === '/setup') {
    setupPage(main, begin);
    return;
  }
  try {
    begin(await get('/session', { quiet: true }));
  } catch (error) {
    if (error.status !== 401) {
      fill(main, h('div.page', failed(error, boot)));
      return;
    }
    loginPage(main, error.body, (session) => {
      fill(main);
      begin(session);
    });
  }
}

boot();
