// The overview's tables: latency, usage, top rules, providers, the audit record.

import { h } from '../lib/dom.js';
import { query, step } from '../lib/api.js';
import { range } from '../lib/chart.js';
import { bytes, compact, count, money, ms, percent, seconds, word } from '../lib/format.js';
import { name } from '../lib/text.js';
import { time } from '../lib/time.js';
import { table } from '../lib/table.js';
import { chip, empty, facts, meter, severity } from '../lib/ui.js';

const NO_TRAFFIC = () => empty('No exchange in this range', 'Point a client at the data port: server.data of the configuration, with /v1 behind it. portcullis demo sends some.');

export function latencyTable(stages) {
  const high = Math.max(10, ...stages.map((one) => one.max_ms)) * 1.05;
  return table('Latency by stage', [
    { key: 'name', title: 'Stage', cell: (row) => word(row.name) },
    { key: 'range', title: 'Range', className: 'range-cell', cell: (row) => range(row, 0.05, high) },
    { key: 'p50_ms', title: 'p50', number: true, cell: (row) => ms(row.p50_ms) },
    { key: 'p95_ms', title: 'p95', number: true, cell: (row) => ms(row.p95_ms) },
    { key: 'p99_ms', title: 'p99', number: true, cell: (row) => ms(row.p99_ms) },
    { key: 'max_ms', title: 'Max', number: true, cell: (row) => ms(row.max_ms) },
  ], stages, { empty: NO_TRAFFIC(), className: 'latency' });
}

export function usageTable(rows) {
  return table('Usage by provider, model and tenant', [
    { key: 'tenant', title: 'Tenant', sorts: true, cell: (row) => name(row.tenant) },
    { key: 'provider', title: 'Provider', sorts: true, cell: (row) => name(row.provider) },
    { key: 'model', title: 'Model', sorts: true, cell: (row) => name(row.model, 'mono') },
    { key: 'requests', title: 'Requests', number: true, sorts: true, cell: (row) => count(row.requests) },
    { key: 'prompt_tokens', title: 'Prompt tokens', number: true, sorts: true, cell: (row) => compact(row.prompt_tokens) },
    { key: 'completion_tokens', title: 'Completion tokens', number: true, sorts: true, cell: (row) => compact(row.completion_tokens) },
    { key: 'cost_usd', title: 'Cost', number: true, sorts: true, cell: (row) => (row.cost_usd === null
      ? h('span.quiet', { title: 'The configuration has no price for this model' }, 'no price') : money(row.cost_usd)) },
  ], rows, { sort: { key: 'requests', down: true }, empty: NO_TRAFFIC(), className: 'scroll-tall' });
}

export function ruleTable(rules) {
  return table('Rules with the most findings', [
    { key: 'title', title: 'Rule', className: 'grow', cell: (row) => h('a.rule-link', { href: `/rules/${step(row.id)}` }, name(row.id, 'mono'), ' ', name(row.title)) },
    { key: 'severity', title: 'Severity', cell: (row) => severity(row.severity) },
    { key: 'acted', title: 'Findings', number: true, cell: (row) => h('a', { href: `/incidents${query({ state: 'all', rule: row.id })}` }, count(row.acted)) },
    { key: 'blocked', title: 'Blocked', number: true, cell: (row) => count(row.blocked) },
  ], rules, { empty: empty('No finding in this range', 'Rules that match show up here, the busiest first.') });
}

export function providerTable(providers) {
  const health = (row) => {
    if (!row.requests) return chip('Idle');
    const share = row.failed / row.requests;
    return share > 0.02 ? chip('Failing', 'bad') : share > 0.005 ? chip('Shaky', 'warn') : chip('Healthy', 'good');
  };
  return table('Providers', [
    { key: 'name', title: 'Provider', cell: (row) => name(row.name) },
    { key: 'health', title: 'Health', cell: health },
    { key: 'requests', title: 'Requests', number: true, cell: (row) => compact(row.requests) },
    { key: 'failed', title: 'Failed', number: true, cell: (row) => (row.requests ? percent(row.failed / row.requests) : '–') },
    { key: 'p95_ms', title: 'p95', number: true, cell: (row) => ms(row.p95_ms) },
    { key: 'last', title: 'Last error', className: 'grow', cell: (row) => (row.last_error ? [time(row.last_error_at), ' ', name(row.last_error, 'quiet')] : h('span.quiet', 'none')) },
  ], providers, { empty: empty('No provider is configured', h('p', 'Add one under ', h('code', 'providers:'), ' in portcullis.yaml.')) });
}

export function auditFacts(audit, cache, most) {
  const behind = Math.max(0, audit.written_seq - audit.shipped_seq);
  const looked = cache ? cache.hits + cache.misses : 0;
  const spool = `${bytes(audit.spool_bytes)} of ${bytes(most)}`;
  return facts([
    ['Store', audit.store_ok ? chip('Reachable', 'good') : chip('Unreachable', 'bad')],
    ['Disk', audit.disk_ok ? chip('Writable', 'good') : chip('Cannot write', 'bad')],
    ['Written', `record ${count(audit.written_seq)}`],
    ['Not yet in the store', `${count(behind)} records, ${seconds(audit.lag_s)} behind`],
    ['Queue', `${count(audit.queue_depth)} records wait in memory`],
    ['Spool', h('div.meter-row', meter('Spool', audit.spool_bytes, most, spool), h('span', spool))],
    cache && ['Verdict cache', looked ? `${percent(cache.hits / looked)} of ${compact(looked)} texts known` : 'not asked yet'],
  ]);
}
