// The parts every page is made of: buttons, panels, notices, dialogs, marks for severity and verdict, empty and failed states.

import { h, s, icon, fill, uid } from './dom.js';
import { word } from './format.js';
import { can, me } from './session.js';

/** A button. `need` is the role it takes; without that role it is off, and its title says why. */
export function button(label, { run, kind = '', need = null, title = null, symbol = null, press = null, keys = null } = {}) {
  const denied = need !== null && !can(need);
  return h('button', {
    class: `button ${kind}`, type: 'button', disabled: denied, on: { click: run },
    title: denied ? `This takes the role ${need}; you are ${me()?.role ?? 'not signed in'}.` : title,
    aria: { pressed: press, keyshortcuts: keys },
  }, symbol ? icon(symbol) : null, h('span', label), keys ? h('kbd', { aria: { hidden: true } }, keys) : null);
}

/** A button that is only a symbol; the label is for title and screen readers. */
export function iconButton(symbol, label, run) {
  return h('button.icon-button', { type: 'button', title: label, aria: { label }, on: { click: run } }, icon(symbol));
}

const BARS = { info: 0, low: 1, medium: 2, high: 3, critical: 4 };

/** Severity as filled bars and a word, so that it does not need colour. */
export function severity(level, { label = true } = {}) {
  const filled = BARS[level] ?? 0;
  const bars = [0, 1, 2, 3].map((i) => s('rect', {
    x: i * 4, y: 9 - i * 3, width: 3, height: 3 + i * 3, class: i < filled ? 'on' : 'off',
  }));
  const picture = s('svg.bars', { viewBox: '0 0 15 12', aria: { hidden: true } }, bars);
  return h('span.severity', { class: `sev-${level in BARS ? level : 'info'}`, title: `${word(level)} severity` }, picture,
    h('span', { class: label ? '' : 'sr' }, word(level)));
}

const VERDICTS = {
  allow: 'Passed', flag: 'Flagged', redact: 'Redacted', strip: 'Stripped', route: 'Rerouted', throttle: 'Throttled', block: 'Blocked',
};

/** What was done, as a word in a box. */
export function verdict(action) {
  return h('span.verdict', { class: VERDICTS[action] ? `act-${action}` : '' }, VERDICTS[action] ?? word(action));
}

/** What a reviewer decided. */
export function disposition(value) {
  if (!value) return h('span.quiet', 'Open');
  return h('span.disposition', { class: `dis-${value.replaceAll(/[^a-z_]/g, '')}` },
    icon({ true_positive: 'check', false_positive: 'cross', accepted_risk: 'shield' }[value] ?? 'check'), word(value));
}

export function chip(text, className = '', title = null) {
  return h('span.chip', { class: className, title }, text);
}

/** A titled part of a page. */
export function panel(title, { aside = null, className = '', id = uid('panel'), level = 'h2' } = {}, ...children) {
  return h('section.panel', { class: className, aria: { labelledby: id } },
    h('div.panel-head', h(level, { id }, title), aside), h('div.panel-body', children));
}

/** Names and values. */
export function facts(pairs) {
  return h('dl.facts', pairs.filter(Boolean).map(([key, value]) => h('div', h('dt', key), h('dd', value))));
}

/** Says what would be here, and what brings it. */
export function empty(title, ...more) {
  return h('div.empty', h('p.empty-title', title), more.map((part) => (part instanceof Node ? part : h('p', part))));
}

/** Says what went wrong and offers to try again. */
export function failed(error, again = null) {
  const role = error.status === 403 && error.body?.need ? ` It takes the role ${error.body.need}.` : '';
  return h('div.failed', { role: 'alert' }, h('p.empty-title', error.status === 403 ? 'Not allowed' : 'This could not be loaded'),
    h('p', `${error.message ?? error}${role}`), error.status === 403 ? h('p', `You are signed in as ${me()?.user} with the role ${me()?.role}. An admin can change roles under Access.`) : null,
    again ? button('Try again', { run: again }) : null);
}

/** Grey lines in the place of what is being loaded, so that nothing moves when it comes. */
export function skeleton(lines = 8) {
  return h('div.skeleton', { aria: { busy: true, label: 'Loading' } }, Array.from({ length: lines }, () => h('div.bone')));
}

/** A message in the corner; read out politely. Gone after a while, unless it is an error. */
export function notice(text, { kind = '', action = null } = {}) {
  const close = () => el.remove();
  const el = h('div.notice', { class: kind }, h('p', text),
    action ? button(action.label, { kind: 'small', keys: action.keys ?? null, run: () => { close(); action.run(); } }) : null,
    iconButton('close', 'Dismiss', close));
  const shelf = document.getElementById('notices');
  shelf.append(el);
  while (shelf.children.length > 4) shelf.firstElementChild.remove();
  if (kind !== 'bad') setTimeout(close, 7000);
  return close;
}

export function complain(error) {
  if (error.name !== 'AbortError') notice(error.status === 403 ? `Not allowed: ${error.message}` : error.message, { kind: 'bad' });
}

/** A modal dialog; gives an object with close() and body. Focus goes in, and back to where it was. */
export function dialog(title, { className = '', onClose = null } = {}, ...children) {
  const id = uid('dialog');
  const body = h('div.dialog-body', children);
  const el = h('dialog.dialog', { class: className, aria: { labelledby: id } });
  const back = document.activeElement;
  const close = () => el.close();
  fill(el, h('div.dialog-head', h('h2', { id }, title), iconButton('close', 'Close', close)), body);
  el.addEventListener('close', () => {
    el.remove();
    if (back?.isConnected) back.focus();
    onClose?.();
  });
  document.body.append(el);
  el.showModal();
  (body.querySelector('[autofocus], input, select, textarea') ?? body.querySelector('button') ?? el).focus();
  return { el, body, close };
}

/** Asks before something that matters; `run` may take its time, and its error is shown inside. */
export function confirm(title, text, label, run, { kind = 'primary' } = {}) {
  const problem = h('p.problem', { role: 'alert' });
  const yes = button(label, { kind, run: async () => {
    yes.disabled = true;
    try {
      await run();
      box.close();
    } catch (error) {
      problem.textContent = error.message;
      yes.disabled = false;
    }
  } });
  const box = dialog(title, {}, h('p', text), problem, h('div.dialog-foot', button('Cancel', { run: () => box.close() }), yes));
  yes.focus();
}

/** A labelled input; `hint` below it. */
export function field(label, input, hint = null) {
  const id = input.id || uid('field');
  input.id = id;
  const hintId = hint ? `${id}-hint` : null;
  if (hintId) input.setAttribute('aria-describedby', hintId);
  return h('div.field', h('label', { for: id }, label), input, hint ? h('p.hint', { id: hintId }, hint) : null);
}

/** A <select>; choices are [value, text]. */
export function select(choices, value, { change = null, label = null, disabled = false } = {}) {
  return h('select', { aria: { label }, disabled, on: change ? { change: (event) => change(event.target.value) } : {} },
    choices.map(([key, text]) => h('option', { value: key, selected: key === (value ?? '') }, text)));
}

/** Buttons of which one is pressed. */
export function choice(label, choices, value, change) {
  return h('div.choice', { role: 'group', aria: { label } }, choices.map(([key, text]) =>
    h('button', { type: 'button', aria: { pressed: key === value }, data: { value: key }, on: { click: () => change(key) } }, text)));
}

/** Marks one button of choice() as pressed. */
export function choose(group, value) {
  for (const each of group.children) each.setAttribute('aria-pressed', String(each.dataset.value === value));
}

/** Tabs: [{title, make}]; panels are made when first shown. */
export function tabs(label, list, start = 0) {
  const id = uid('tabs');
  const body = h('div.tab-panel', { role: 'tabpanel', id: `${id}-p`, tabIndex: 0 });
  const heads = list.map((tab, i) => h('button.tab', {
    type: 'button', role: 'tab', id: `${id}-${i}`, aria: { controls: `${id}-p` },
    on: { click: () => open(i), keydown: (event) => {
      const next = { ArrowRight: i + 1, ArrowLeft: i - 1 + list.length }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      open(next % list.length);
      heads[next % list.length].focus();
    } },
  }, tab.title));
  let now = start;
  function open(i) {
    now = i;
    heads.forEach((head, n) => {
      head.setAttribute('aria-selected', String(n === i));
      head.tabIndex = n === i ? 0 : -1;
    });
    body.setAttribute('aria-labelledby', `${id}-${i}`);
    fill(body, list[i].make());
  }
  open(start);
  const el = h('div.tabs', h('div.tab-heads', { role: 'tablist', aria: { label } }, heads), body);
  return { el, next: () => open((now + 1) % list.length), open };
}

/** How full something is, as a bar with its words. */
export function meter(label, value, most, text) {
  const share = most > 0 ? Math.min(1, value / most) : 0;
  return h('div.meter', { class: share > 0.9 ? 'full' : share > 0.7 ? 'filling' : '', role: 'meter', aria: {
    label, valuemin: 0, valuemax: most, valuenow: value, valuetext: text,
  } }, h('div', { style: { width: `${(share * 100).toFixed(1)}%` } }));
}
