// What stands around every page: the bar with its links, the live light, theme, help, and the signed-in user.

import { h, icon, fill } from './dom.js';
import { name } from './text.js';
import { count } from './format.js';
import { post } from './api.js';
import { me, can } from './session.js';
import { listen, liveState, toggleLive, stopLive } from './live.js';
import { SHORTCUTS, bindKeys, keysEnabled, enableKeys } from './keys.js';
import { go } from './router.js';
import { complain, dialog, iconButton } from './ui.js';

const PAGES = [
  ['/', 'Overview'], ['/incidents', 'Incidents'], ['/rules', 'Rules'], ['/policy', 'Policy'], ['/models', 'Models'], ['/principals', 'Principals'],
  ['/integrity', 'Integrity'], ['/actions', 'Actions', 'admin'], ['/access', 'Access', 'admin'],
];
const LIVE = {
  live: ['Live', 'Events arrive as they happen. Press to pause.'],
  reconnecting: ['Reconnecting', 'The live connection was lost; it is tried again by itself.'],
  paused: ['Paused', 'Live events are paused. Press to go on.'],
  off: ['Off', 'Live events are off. Press to connect.'],
};

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  try {
    localStorage.setItem('theme', root.dataset.theme);
  } catch {
    // Storage is forbidden: the choice lasts for this visit.
  }
}

/** Every shortcut there is, and the switch that turns single letters off. */
export function help() {
  dialog('Keyboard shortcuts', { className: 'wide' },
    h('div.help', SHORTCUTS.map((group) => h('section', h('h3', group.title), h('dl.keys', group.keys.map(([key, what]) =>
      h('div', h('dt', key.split(' ').map((part) => (/^(or|…)$/.test(part) ? ` ${part} ` : h('kbd', part)))), h('dd', what))))))),
    h('label.check', h('input', { type: 'checkbox', checked: keysEnabled(), on: { change: (event) => enableKeys(event.target.checked) } }),
      'Single-letter shortcuts are on (for this visit)'));
}

async function signOut() {
  try {
    await post('/logout');
  } catch (error) {
    complain(error);
    return;
  }
  stopLive();
  // A new document, so that nothing of this session stays in memory.
  location.assign('/login');
}

function userMenu() {
  const { user, role } = me();
  return h('details.menu', { on: { focusout: (event) => { if (!event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false; } } },
    h('summary', { title: 'Your account' }, name(user), h('span.role', role), icon('down')),
    h('div.menu-body', h('p.quiet', `Signed in with the role ${role}.`), h('button.button', { type: 'button', on: { click: signOut } }, 'Sign out')));
}

let links = [];
let openCount = null;
let unlisten = null;
let unbind = null;

/** Draws the bar for the session. */
export function drawBar() {
  const bar = document.getElementById('bar');
  openCount = h('span.nav-count', { hidden: true });
  const mine = PAGES.filter(([, , need]) => !need || can(need));
  links = mine.map(([path, title]) => h('a', { href: path }, title, path === '/incidents' ? openCount : null));
  const light = h('button.live', { type: 'button', on: { click: toggleLive } });
  const dress = () => {
    const state = liveState();
    light.dataset.state = state;
    light.title = LIVE[state][1];
    fill(light, h('span.dot', { aria: { hidden: true } }), LIVE[state][0]);
  };
  dress();
  unlisten?.();
  unlisten = listen((type, data) => {
    if (type === 'state') dress();
    if (type === 'tick' && Number.isFinite(data.incidents_open)) {
      openCount.hidden = data.incidents_open === 0;
      openCount.textContent = count(data.incidents_open);
      openCount.title = `${count(data.incidents_open)} open`;
    }
  });
  fill(bar, h('a.brand', { href: '/', aria: { label: 'Portcullis, overview' } }, icon('gate'), h('span', 'Portcullis')),
    h('nav', { aria: { label: 'Pages' } }, links),
    h('div.bar-end', light, iconButton('keys', 'Keyboard shortcuts (?)', help), iconButton('theme', 'Switch between light and dark', switchTheme), userMenu()));
  bar.hidden = false;
  unbind?.();
  unbind = bindKeys({
    '?': help,
    ...Object.fromEntries(mine.map(([path], i) => [String(i + 1), () => go(path)])),
    '/': () => {
      const search = document.querySelector('main input[type=search]');
      search?.focus();
      return search !== null;
    },
  });
}

/** Marks the link of the present page. */
export function markPage(path) {
  for (const link of links) {
    const to = link.getAttribute('href');
    const here = to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`);
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

/** Says something to screen readers alone. */
export function announce(text) {
  document.getElementById('announce').textContent = text;
}
