// The overview's row of figures with their sparklines, and what is wrong at the moment.

import { h, icon } from '../lib/dom.js';
import { query } from '../lib/api.js';
import { sparkline } from '../lib/chart.js';
import { bytes, compact, count, money, ms, percent } from '../lib/format.js';
import { name, visibleString } from '../lib/text.js';

function figure(title, value, { spark = null, note = null, href = null, hint = null, kind = '' }) {
  const body = [h('span.figure-title', title), h('span.figure-value', value), h('span.figure-note', note ?? '\u00a0'), spark ? sparkline(spark, kind) : null];
  return href ? h('a.figure', { href, title: hint }, body) : h('div.figure', { title: hint }, body);
}

/** A share of each interval; an interval without requests has none. */
const shares = (part, whole) => part.map((value, i) => (whole[i] ? value / whole[i] : 0));
const since = (data) => data.from;

export function figures(data, { tenant }) {
  const { totals, series } = data;
  const total = data.latency.find((one) => one.name === 'total');
  const tokens = totals.prompt_tokens + totals.completion_tokens;
  const list = (more) => `/incidents${query({ state: 'all', since: since(data), tenant, ...more })}`;
  return [
    figure('Requests', compact(totals.requests), { spark: series.requests, note: totals.refused ? `${compact(totals.refused)} refused` : null, hint: count(totals.requests) }),
    figure('Block rate', percent(totals.requests ? totals.blocked / totals.requests : null), {
      spark: shares(series.blocked, series.requests), kind: 'spark-blocked', note: `${compact(totals.blocked)} blocked`, href: list({ action: 'block' }),
    }),
    figure('Flagged', compact(totals.flagged), { spark: series.flagged, kind: 'spark-flagged', note: `${compact(totals.redacted)} redacted`, href: list({ action: 'flag' }) }),
    figure('Failed', compact(totals.failed), { spark: series.failed, note: percent(totals.requests ? totals.failed / totals.requests : null), href: list({ outcome: 'failed' }) }),
    figure('p95, whole exchange', ms(total?.p95_ms ?? null), { note: total ? `p50 ${ms(total.p50_ms)}` : null, hint: 'From the first byte in to the last byte out, the provider included' }),
    figure('Tokens', compact(tokens), {
      spark: series.prompt_tokens.map((value, i) => value + series.completion_tokens[i]), note: `${compact(totals.prompt_tokens)} in, ${compact(totals.completion_tokens)} out`,
    }),
    figure('Cost', money(totals.cost_usd), {
      spark: totals.cost_usd === null ? null : series.cost_usd,
      note: totals.cost_usd === null ? 'set prices under providers' : totals.unpriced ? `${compact(totals.unpriced)} exchanges have no price` : 'all priced',
      hint: 'Computed from tokens and the prices in the configuration. Models without a price are not in it.',
    }),
    figure('Open incidents', count(totals.incidents_open), { note: 'to review', href: `/incidents${query({ tenant })}` }),
  ];
}

const warning = (...content) => h('p.warning', { role: 'status' }, icon('warn'), h('span', content));

/** What somebody should look at now; nothing where all is well. */
export function warnings({ audit, providers, spool_bytes_max: max }) {
  const full = max > 0 ? audit.spool_bytes / max : 0;
  return [
    audit.disk_ok ? null : warning('The appliance cannot write its audit record to disk. Exchanges are refused or pass unrecorded, as the configuration says. Check the disk that holds the spool.'),
    audit.store_ok ? null : warning(`The audit store cannot be reached: ${visibleString(audit.store_error ?? 'no reason given')}. Records wait in the spool (${bytes(audit.spool_bytes)}); nothing is lost while it has room.`),
    full > 0.8 ? warning(`The spool is ${percent(full)} full. When it is full, the setting policy.faults.audit_full decides. Bring the store back, or give the spool more room.`) : null,
    ...providers.filter((one) => one.requests > 0 && one.failed / one.requests > 0.02).map((one) => warning(
      'Provider ', name(one.name, 'mono'), ` fails ${percent(one.failed / one.requests)} of its requests.`,
      one.last_error ? ` Last: ${visibleString(one.last_error, 160)}` : null)),
  ];
}
