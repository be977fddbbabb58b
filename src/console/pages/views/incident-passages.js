// What was said, passage by passage: the text with what was found in it, its readings, the classifier's windows, and the findings beside it.

import { h, fill } from '../lib/dom.js';
import { query, step } from '../lib/api.js';
import { plural, score, word } from '../lib/format.js';
import { line, name, pieces, visible } from '../lib/text.js';
import { button, chip, empty, severity, verdict } from '../lib/ui.js';
import { announce } from '../lib/shell.js';

const COLOURS = 6;
const NO_TEXT = {
  role: ['The text is for reviewers', 'Your role shows what was found, not what was said. An admin can change roles under Access.'],
  not_kept: ['The text is not kept', h => ['The record holds redacted excerpts. To keep prompts and replies, encrypted per tenant, write ', h('code', 'policy.record.text: full'), ' in the configuration.']],
  gone: ['The text is gone', 'It was kept, and the time that texts are kept is over.'],
  shredded: ['The text was destroyed', 'Somebody asked for its deletion; its key is gone, and the record stays whole.'],
  key_missing: ['The text cannot be read here', 'The master key that it was encrypted under is not among those of this machine (audit.texts.keys).'],
  damaged: ['The text is damaged', 'What the store has is not what the record says. Verify the record under Integrity.'],
};
const STANDINGS = {
  shadow: 'in shadow mode: it does not act', excepted: 'an exception covers it', allowed: 'a rule allows it', executing: 'above the paranoia level that acts',
};

export class Passages {
  /** `direction` is one of the API's; `example(finding)` is asked for with a button. */
  constructor(direction, { example }) {
    this.direction = direction;
    this.example = example;
    this.marked = null;
    this.layers = [];
    this.el = h('div.said', this.texts(), this.findings());
  }

  colour(number) {
    return `f${(number % COLOURS) + 1}`;
  }

  texts() {
    const { why_no_text: why, passages, text_cut: cut } = this.direction;
    if (why) {
      const [title, more] = NO_TEXT[why] ?? ['The text is not here', ''];
      return h('section.panel.texts', empty(title, h('p', typeof more === 'function' ? more(h) : more)));
    }
    return h('section.panel.texts', { aria: { label: 'What was said' } },
      passages.map((passage, at) => this.passage(passage, at)),
      cut > 0 ? h('p.quiet.pad', `${cut} bytes were left out of the record: it is bounded.`) : null);
  }

  passage(passage) {
    const quiet = !passage.spans?.length;
    const body = h('div.passage-body');
    const readings = [{ name: 'as sent', text: passage.text, spans: passage.spans, sent: true }, ...passage.layers.filter((one) => one.name !== 'raw')];
    let now = 0;
    const draw = () => fill(body, this.reading(readings[now]), now === 0 ? this.windows(passage) : null);
    const heads = h('div.choice', { role: 'group', aria: { label: 'Reading' } });
    const drawHeads = () => fill(heads, readings.map((one, i) => h('button', { type: 'button', aria: { pressed: i === now }, on: { click: () => show(i) } }, one.name)));
    const show = (i) => {
      now = i;
      drawHeads();
      draw();
    };
    const both = button('Side by side', { kind: 'small', press: false, run: () => {
      const side = both.getAttribute('aria-pressed') !== 'true';
      both.setAttribute('aria-pressed', String(side));
      if (side) fill(body, h('div.side-by-side', readings.map((one) => h('div', h('h4', one.name), this.reading(one)))));
      else draw();
    } });
    const has_layers = readings.length > 1;
    if (has_layers) this.layers.push(() => show((now + 1) % readings.length));
    drawHeads();
    draw();
    const head = h('div.passage-head', h('b', word(passage.role)), name(passage.place, 'mono quiet'), has_layers ? [heads, both] : null);
    const left = passage.left_out > 0 ? h('p.quiet', `${plural(passage.left_out, 'byte')} more are not shown.`) : null;
    return quiet && passage.text.length > 400
      ? h('article.passage.is-quiet', head, h('details.fold', h('summary', `${plural(passage.text.length, 'character')} in which nothing was found`), body), left)
      : h('article.passage', { class: quiet ? 'is-quiet' : '' }, head, body, left);
  }

  /** A text with marks where something was found; of decoded readings what rules in force see there. */
  reading({ text, spans, sent }) {
    const numbered = (spans ?? []).map((span) => ({ ...span, finding: sent ? span.finding : this.numberOf(span) }));
    return h('div.hostile.block', { dir: 'ltr' }, pieces(text, numbered).map((piece) => {
      const shown = visible(piece.text, { lines: true });
      if (!piece.findings.length) return shown;
      const first = piece.findings[0];
      return h('mark', {
        class: this.colour(first), tabIndex: 0, data: { findings: piece.findings.join(' ') },
        title: piece.findings.map((number) => this.direction.findings[number]?.id).filter(Boolean).join(', '),
        on: { click: () => this.mark(first), focus: () => this.mark(first, { scroll: false }) },
      }, shown);
    }));
  }

  numberOf(span) {
    const at = this.direction.findings.findIndex((one) => one.id === span.rule);
    return at < 0 ? 0 : at;
  }

  /** The classifier's score of each window, as a strip. */
  windows(passage) {
    if (!passage.windows.length) return null;
    return h('div.windows', { role: 'img', aria: { label: `Scores of the classifier by window: ${passage.windows.map((one) => score(one.score)).join(', ')}` } },
      h('span.quiet', 'Classifier'),
      passage.windows.map((one) => h('span.window', { title: `${score(one.score)}, characters ${one.start} to ${one.end}`, class: one.score >= 0.9 ? 'high' : one.score >= 0.5 ? 'medium' : 'low' }, score(one.score))));
  }

  findings() {
    const { findings } = this.direction;
    this.cards = findings.map((one) => this.card(one));
    return h('section.panel.findings', { aria: { label: 'Findings' } },
      h('div.panel-head', h('h2', plural(findings.length, 'finding')), h('span.quiet', h('kbd', '['), ' ', h('kbd', ']'))),
      findings.length ? h('ol', this.cards) : empty('Nothing was found', 'Something else was the reason: a fault, or content that cannot be seen.'));
  }

  card(one) {
    const acts = one.standing === 'acts';
    return h('li.finding', { class: `${this.colour(one.number)} ${acts ? '' : 'still'}`, tabIndex: -1, data: { number: one.number }, on: { click: () => this.mark(one.number) } },
      h('div.finding-head', h('span.swatch', { aria: { hidden: true } }), one.judge === 'rule' ? h('a', { href: `/rules/${step(one.id)}` }, name(one.id, 'mono')) : name(one.id, 'mono'),
        severity(one.severity), h('span.quiet', `${one.points} points`), one.score !== null && one.score !== undefined ? chip(score(one.score), '', 'The classifier’s probability of an attack') : null, one.action ? verdict(one.action) : null),
      h('p', line(one.title)),
      h('p.quiet', chip(one.layer), ' ', name(one.place, 'mono'), ' ', one.excerpt ? ['“', line(one.excerpt), '”'] : null),
      acts ? null : h('p.quiet', `${word(one.standing)}: ${STANDINGS[one.standing] ?? ''} `, one.standing_by ? name(one.standing_by, 'mono') : null, one.would ? [' It would have ', verdict(one.would)] : null),
      one.rule ? h('details.fold', h('summary', 'What the rule looks for'), one.rule.description ? h('p', one.rule.description) : null,
        h('ul.patterns', one.rule.patterns.map((pattern) => h('li', h('code.hostile', visible(pattern))))), h('p.quiet', name(`${one.rule.file}:${one.rule.line}`, 'mono'))) : null,
      h('div.row', one.tags.map((tag) => chip(tag)),
        one.judge === 'rule' ? button('Add as an example', { kind: 'small', need: 'author', run: () => this.example(one) }) : null,
        h('a.quiet', { href: `/incidents${query({ state: 'all', rule: one.id })}` }, 'Others')));
  }

  mark(number, { scroll = true } = {}) {
    this.marked = number;
    for (const el of this.el.querySelectorAll('mark')) el.classList.toggle('now', el.dataset.findings.split(' ').includes(String(number)));
    for (const card of this.cards) card.classList.toggle('now', card.dataset.number === String(number));
    if (!scroll) return;
    this.cards[number]?.scrollIntoView({ block: 'nearest' });
    this.el.querySelector('mark.now')?.scrollIntoView({ block: 'nearest' });
  }

  step(by) {
    const { findings } = this.direction;
    if (!findings.length) return false;
    const next = this.marked === null ? (by > 0 ? 0 : findings.length - 1) : (this.marked + by + findings.length) % findings.length;
    this.mark(next);
    announce(`Finding ${next + 1} of ${findings.length}: ${findings[next].id}, ${findings[next].title}`);
    return true;
  }

  nextLayer() {
    if (!this.layers.length) return false;
    for (const next of this.layers) next();
    return true;
  }
}
