// The reviewers' queue: filters, the list, and beside it the incident that is open. Everything works from the keyboard.

import { h, icon, fill, debounce } from '../lib/dom.js';
import { get, query, step } from '../lib/api.js';
import { bindKeys } from '../lib/keys.js';
import { VirtualList } from '../lib/list.js';
import { listen } from '../lib/live.js';
import { go, setFilters } from '../lib/router.js';
import { count, plural } from '../lib/format.js';
import { line, name, visibleString } from '../lib/text.js';
import { relative, utc } from '../lib/time.js';
import { button, chip, choice, choose, complain, disposition, empty, failed, iconButton, select, severity, verdict } from '../lib/ui.js';
import { announce } from '../lib/shell.js';
import { IncidentPane } from './incident.js';
import { Decisions } from './incident-decide.js';

const PAGE = 200;
const STATES = [['open', 'Open'], ['closed', 'Decided'], ['all', 'All']];
const SEVERITIES = [['', 'Any severity'], ['critical', 'Critical'], ['high', 'High or worse'], ['medium', 'Medium or worse'], ['low', 'Low or worse']];
const ACTIONS = [['', 'Any verdict'], ['block', 'Blocked'], ['redact', 'Redacted'], ['strip', 'Stripped'], ['flag', 'Flagged'], ['route', 'Rerouted'], ['throttle', 'Throttled']];
// Filters that are set from elsewhere (a link, a cell) and shown as tokens that can be taken off.
const TOKENS = { rule: 'Rule', tenant: 'Tenant', principal: 'Principal', assignee: 'Assigned to', disposition: 'Decided', outcome: 'Outcome', fingerprint: 'Like', since: 'Since', until: 'Until' };
const KEYS = ['state', 'severity', 'action', 'q', 'group', ...Object.keys(TOKENS)];

const clean = (filters) => Object.fromEntries(KEYS.filter((key) => filters[key]).map((key) => [key, filters[key]]));
const address = (filters) => query({ ...filters, state: filters.state === 'open' ? null : filters.state });
const wide = matchMedia('(min-width: 1280px)');

function cells(row) {
  return [
    h('span.c-severity', severity(row.severity, { label: false })),
    h('span.c-verdict', verdict(row.action)),
    h('span.c-what',
      h('span.what-title', row.count > 1 ? h('b.times', { title: `${count(row.count)} alike, since ${utc(row.first_at)}` }, `${count(row.count)}×`) : null, line(row.title)),
      h('span.what-excerpt', row.direction === 'reply' ? chip('reply') : null, line(row.excerpt))),
    h('span.c-who', name(row.principal), h('span.quiet', name(row.tenant))),
    h('span.c-rules', row.rules.slice(0, 2).map((id) => chip(visibleString(id, 24), 'mono')), row.rules.length > 2 ? h('span.quiet', `+${row.rules.length - 2}`) : null),
    h('span.c-state', row.disposition ? disposition(row.disposition) : row.assignee ? h('span.quiet', name(row.assignee)) : null),
    h('span.c-when', { title: utc(row.at) }, relative(row.at)),
  ];
}

export async function incidents({ params, filters, signal, place }) {
  let chosen = clean(filters);
  let fresh = 0;
  let failure = null;

  const total = h('p.quiet', { aria: { live: 'polite' } });
  const search = h('input', { type: 'search', placeholder: 'Search title, excerpt, principal, rule', aria: { label: 'Search', keyshortcuts: '/' }, value: chosen.q ?? '' });
  const states = choice('State', STATES, chosen.state ?? 'open', (state) => change({ state }));
  const picks = h('div.row');
  const tokens = h('div.row.tokens');
  const newBar = h('button.new-bar', { type: 'button', hidden: true, on: { click: () => showNew() } });
  const bulk = h('div.row.bulk', { hidden: true });
  const listPlace = h('div.queue');
  const pane = new IncidentPane({
    signal,
    changed: settle,
    step: (by) => list.move(by),
    close: () => go(`/incidents${address(chosen)}`),
    decide: (...values) => decisions.open(...values),
  });
  const decisions = new Decisions({ changed: settle, reload: () => load(list.current() && list.id(list.current())) });

  const list = new VirtualList({
    label: 'Incidents', rowHeight: 54, selects: true, columns: null,
    id: (row) => row.id,
    className: (row) => (row.disposition ? 'done' : ''),
    row: cells,
    open: (row) => go(`/incidents/${step(row.id)}${address(chosen)}`),
    // With the pane beside the list, moving is looking.
    moved: (row) => { if (wide.matches && pane.id) openSoon(row.id); },
    page: async (cursor) => {
      const answer = await get(`/incidents${query({ ...chosen, group: chosen.group ? 1 : null, limit: PAGE, cursor })}`, { signal });
      fill(total, answer.total_is_estimate ? `more than ${count(answer.total)} ` : `${count(answer.total)} `, chosen.group ? 'kinds' : answer.total === 1 ? 'incident' : 'incidents');
      return { rows: answer.incidents, next: answer.next, total: answer.total };
    },
    broke: complain,
  });
  list.el.classList.add('incident-list');
  list.shape({ rowHeight: 54, columns: null });

  const openSoon = debounce(120, (id) => go(`/incidents/${step(id)}${address(chosen)}`, { replace: true }));

  function change(next, options) {
    const merged = clean({ ...chosen, ...next });
    setFilters(address(merged), options);
  }

  /** An incident that was changed, and its history, as they are now. */
  function settle(incident, history) {
    const at = list.rows.findIndex((row) => row.id === incident.id);
    if (at >= 0) {
      list.rows[at] = { ...list.rows[at], ...incident, count: list.rows[at].count, first_at: list.rows[at].first_at };
      list.refresh(incident.id);
    }
    if (pane.id === incident.id) pane.update(incident, history);
  }

  async function load(keep = null) {
    try {
      failure = null;
      await list.load({ keep });
    } catch (error) {
      if (error.name === 'AbortError') return;
      failure = error;
    }
    drawList();
  }

  function drawList() {
    const nothing = list.total === 0;
    const filtered = KEYS.some((key) => !['state', 'group'].includes(key) && chosen[key]);
    if (failure) fill(listPlace, failed(failure, () => load()));
    else if (nothing && filtered) fill(listPlace, empty('No incident fits these filters', button('Take all filters off', { run: () => setFilters('') })));
    else if (nothing && (chosen.state ?? 'open') === 'open') {
      fill(listPlace, empty('Nothing waits for a reviewer', 'Every verdict that is more than “passed” comes here. To see one, send an attack through the data port:',
        h('code', 'portcullis demo'), h('p', h('a', { href: '/incidents?state=all' }, 'Show what was decided'))));
    } else if (nothing) fill(listPlace, empty('Nothing here yet', 'What reviewers decide is kept here as long as the record is.'));
    else if (!list.el.isConnected) {
      fill(listPlace, list.el);
      list.redraw();
    }
  }

  function drawFilters() {
    choose(states, chosen.state ?? 'open');
    if (document.activeElement !== search) search.value = chosen.q ?? '';
    fill(picks,
      select(SEVERITIES, chosen.severity ?? '', { label: 'Severity', change: (value) => change({ severity: value }) }),
      select(ACTIONS, chosen.action ?? '', { label: 'Verdict', change: (value) => change({ action: value }) }),
      button('Group', { press: Boolean(chosen.group), title: 'One row for the same attack (g)', run: () => change({ group: chosen.group ? '' : '1' }) }),
      h('a.button', { href: `/api/v1/incidents.csv${query({ ...chosen, group: null })}`, download: 'incidents.csv', title: 'What is filtered, as CSV; formulas are made harmless' }, icon('download'), h('span', 'CSV')));
    fill(tokens, Object.keys(TOKENS).filter((key) => chosen[key]).map((key) => h('span.token', h('span.quiet', TOKENS[key]), ' ', line(visibleString(chosen[key], 60)),
      iconButton('close', `Take off ${TOKENS[key].toLowerCase()}`, () => change({ [key]: '' })))));
    tokens.hidden = !tokens.firstChild;
  }

  function drawBulk() {
    const ids = [...list.selected];
    bulk.hidden = ids.length === 0;
    if (!ids.length) return;
    const all = (what, value) => () => decisions.many(ids, what, value).then(() => {
      list.selected.clear();
      list.dressAll();
      drawBulk();
    });
    fill(bulk, h('b', plural(ids.length, 'incident')),
      button('True positive', { kind: 'small', need: 'reviewer', run: all('disposition', 'true_positive') }),
      button('False alarm', { kind: 'small', need: 'reviewer', run: all('disposition', 'false_positive') }),
      button('Accepted risk', { kind: 'small', need: 'reviewer', run: all('disposition', 'accepted_risk') }),
      button('Assign to me', { kind: 'small', need: 'reviewer', run: all('assign', 'me') }),
      button('Clear', { kind: 'small', run: () => { list.selected.clear(); list.dressAll(); drawBulk(); } }));
  }

  function showNew() {
    fresh = 0;
    newBar.hidden = true;
    list.el.scrollTop = 0;
    load();
  }

  function showPane(id) {
    root.classList.toggle('with-pane', Boolean(id));
    pane.show(id);
    if (!id) return;
    const at = list.rows.findIndex((row) => row.id === id);
    if (at >= 0 && at !== list.active) list.activate(at, { tell: false });
  }

  const current = () => (pane.id ? pane.incident : list.current());
  const on = (run) => () => {
    const incident = current();
    if (!incident) return false;
    run(incident);
    return true;
  };
  const unbind = bindKeys({
    t: on((one) => decisions.decide(one, 'true_positive')),
    f: on((one) => decisions.decide(one, 'false_positive')),
    a: on((one) => decisions.decide(one, 'accepted_risk')),
    u: () => decisions.undo(),
    m: on((one) => decisions.assign(one)),
    c: on((one) => decisions.note(one)),
    x: () => {
      if (!list.current()) return false;
      list.choose(list.current());
      drawBulk();
      return true;
    },
    g: () => change({ group: chosen.group ? '' : '1' }),
    n: () => (fresh ? showNew() : false),
    e: () => pane.exception(),
    r: () => pane.rescan(),
    l: () => pane.nextLayer(),
    '[': () => pane.nextFinding(-1),
    ']': () => pane.nextFinding(1),
    Escape: () => {
      if (!pane.id) return false;
      pane.close();
      list.el.focus();
      return true;
    },
  });
  search.addEventListener('input', debounce(250, () => change({ q: search.value.trim() }, { replace: true })));
  const unlisten = listen((type, data) => {
    if (type !== 'incident' || !data?.id || list.rows.some((row) => row.id === data.id)) return;
    // The list does not move under its reader.
    fresh += 1;
    newBar.hidden = false;
    fill(newBar, `${plural(fresh, 'new incident')} `, h('span.quiet', 'press '), h('kbd', 'n'), h('span.quiet', ' to show'));
    if (fresh === 1) announce('New incidents have arrived');
  });

  const root = h('div.review',
    h('div.review-list',
      h('div.page-head', h('h1', 'Incidents'), states, total),
      h('div.row.filters', h('div.search', search), picks), tokens, bulk, newBar, listPlace),
    pane.el);
  drawFilters();
  await load(params.id ?? null);
  place.classList.add('fixed');
  fill(place, root);
  list.redraw();
  showPane(params.id ?? null);
  if (!params.id) list.el.focus({ preventScroll: true });

  return {
    get title() { return pane.id ? 'Incident' : 'Incidents'; },
    update(next, nextFilters) {
      const before = address(chosen);
      chosen = clean(nextFilters);
      drawFilters();
      if (address(chosen) !== before) {
        list.selected.clear();
        drawBulk();
        load(next.id ?? null);
      }
      showPane(next.id ?? null);
    },
    close() {
      unbind();
      unlisten();
      list.close();
      pane.stop();
    },
  };
}
