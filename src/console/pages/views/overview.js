// The overview: how much passes, what was stopped, how fast, at what cost, and whether the record keeps up.

import { h, icon, fill } from '../lib/dom.js';
import { get, query } from '../lib/api.js';
import { setFilters } from '../lib/router.js';
import { listen, liveState } from '../lib/live.js';
import { StackedChart } from '../lib/chart.js';
import { name } from '../lib/text.js';
import { time } from '../lib/time.js';
import { choice, choose, complain, panel, select } from '../lib/ui.js';
import { figures, warnings } from './overview-figures.js';
import { auditFacts, latencyTable, providerTable, ruleTable, usageTable } from './overview-tables.js';

const RANGES = [['1h', 'Hour'], ['6h', '6 h'], ['24h', '24 h'], ['7d', '7 d'], ['30d', '30 d'], ['90d', '90 d']];
const SERIES = [['passed', 'Passed'], ['redacted', 'Redacted'], ['flagged', 'Flagged'], ['blocked', 'Blocked'], ['failed', 'Failed']];
// A longer range changes slowly, and costs the store more.
const REFRESH_S = { '1h': 15, '6h': 30, '24h': 60 };

/** What neither a verdict nor a failure touched is drawn as passed. */
function stacked({ series, step_s: step }) {
  const rest = series.requests.map((all, i) => Math.max(0, all - series.blocked[i] - series.flagged[i] - series.redacted[i] - series.failed[i]));
  const all = { ...series, passed: rest };
  return { at: series.at, step, series: SERIES.map(([key, title]) => ({ key, name: title, values: all[key] })) };
}

const clean = (filters) => ({
  range: RANGES.some(([key]) => key === filters.range) ? filters.range : '24h',
  tenant: filters.tenant ?? '',
});

export async function overview({ filters, signal, place }) {
  let chosen = clean(filters);
  let data = null;
  let timer = 0;
  let asked = 0;

  const address = (change) => {
    const next = { ...chosen, ...change };
    return query({ range: next.range === '24h' ? null : next.range, tenant: next.tenant });
  };
  const ranges = choice('Range', RANGES, chosen.range, (range) => setFilters(address({ range })));
  const tenantPlace = h('div.tenant-pick');
  const since = h('p.quiet.end');
  const problems = h('div.stack');
  const figurePlace = h('div.figures');
  const chart = new StackedChart('Exchanges by verdict over time');
  const now = h('p.quiet.now-line');
  const parts = Object.fromEntries(['latency', 'usage', 'rules', 'providers', 'audit'].map((key) => [key, h('div')]));

  const load = async () => {
    const mine = (asked += 1);
    const answer = await get(`/overview${query(chosen)}`, { signal });
    if (mine === asked) {
      data = answer;
      draw();
    }
  };
  const plan = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      // A paused reader wants it to stand still, and a hidden page needs no news.
      if (!document.hidden && liveState() !== 'paused') await load().catch(() => {});
      plan();
    }, (REFRESH_S[chosen.range] ?? 300) * 1000);
  };

  function draw() {
    fill(tenantPlace, select([['', 'All tenants'], ...data.tenants.map((one) => [one, one])], chosen.tenant, {
      label: 'Tenant', change: (tenant) => setFilters(address({ tenant })),
    }));
    fill(since, 'Policy ', h('a', { href: '/policy' }, name(data.policy.version, 'mono')), ' since ', time(data.policy.since),
      data.model ? [' · model ', name(data.model.version, 'mono')] : ' · no model loaded: rules alone judge');
    fill(problems, warnings(data));
    problems.hidden = !problems.firstChild;
    fill(figurePlace, figures(data, chosen));
    chart.update(stacked(data));
    fill(parts.latency, latencyTable(data.latency));
    fill(parts.usage, usageTable(data.usage));
    fill(parts.rules, ruleTable(data.rules));
    fill(parts.providers, providerTable(data.providers));
    fill(parts.audit, auditFacts(data.audit, data.cache, data.spool_bytes_max));
  }

  const unlisten = listen((type, tick) => {
    if (type !== 'tick' || !data) return;
    now.textContent = `Now: ${tick.requests_per_s} requests/s, ${tick.blocked_per_s} blocked/s, ${tick.in_flight} in flight`;
    // The tick knows only these; the rest waits for the next load.
    Object.assign(data.audit, { queue_depth: tick.queue_depth, spool_bytes: tick.spool_bytes, store_ok: tick.store_ok });
    fill(parts.audit, auditFacts(data.audit, data.cache, data.spool_bytes_max));
  });

  await load();
  fill(place,
    h('div.page-head', h('h1', 'Overview'), ranges, tenantPlace, since),
    problems, figurePlace,
    panel('Traffic by verdict', { aside: now, className: 'traffic' }, chart.el),
    h('div.overview-grid',
      panel('Latency by stage', { aside: h('span.quiet', 'p50, p95, p99, logarithmic') }, parts.latency),
      panel('Top rules', { aside: h('a', { href: '/rules' }, 'All rules') }, parts.rules),
      panel('Providers', {}, parts.providers),
      panel('Audit record', { aside: h('a', { href: '/integrity' }, icon('shield'), ' Is it whole?') }, parts.audit),
      panel('Usage', { className: 'span-2' }, parts.usage)));
  plan();

  return {
    title: 'Overview',
    update(_, next) {
      chosen = clean(next);
      choose(ranges, chosen.range);
      load().catch(complain);
      plan();
    },
    close() {
      clearTimeout(timer);
      unlisten();
      chart.close();
    },
  };
}
