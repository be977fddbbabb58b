// Hostile text made visible: whatever would hide, reorder or imitate text becomes a small named mark.

import { h } from './dom.js';

const NAMES = new Map([
  [0x00a0, ['NBSP', 'no-break space']], [0x00ad, ['SHY', 'soft hyphen']], [0x034f, ['CGJ', 'combining grapheme joiner']],
  [0x061c, ['ALM', 'Arabic letter mark']], [0x115f, ['HCF', 'Hangul choseong filler']], [0x1160, ['HJF', 'Hangul jungseong filler']],
  [0x180e, ['MVS', 'Mongolian vowel separator']], [0x1680, ['OSM', 'Ogham space mark']],
  [0x2002, ['ENSP', 'en space']], [0x2003, ['EMSP', 'em space']], [0x2007, ['FSP', 'figure space']], [0x2009, ['THSP', 'thin space']],
  [0x200a, ['HSP', 'hair space']], [0x200b, ['ZWSP', 'zero-width space']], [0x200c, ['ZWNJ', 'zero-width non-joiner']],
  [0x200d, ['ZWJ', 'zero-width joiner']], [0x200e, ['LRM', 'left-to-right mark']], [0x200f, ['RLM', 'right-to-left mark']],
  [0x2028, ['LSEP', 'line separator']], [0x2029, ['PSEP', 'paragraph separator']],
  [0x202a, ['LRE', 'left-to-right embedding']], [0x202b, ['RLE', 'right-to-left embedding']],
  [0x202c, ['PDF', 'pop directional formatting']], [0x202d, ['LRO', 'left-to-right override']],
  [0x202e, ['RLO', 'right-to-left override']], [0x202f, ['NNBSP', 'narrow no-break space']], [0x205f, ['MMSP', 'medium mathematical space']],
  [0x2060, ['WJ', 'word joiner']], [0x2061, ['FA', 'function application']], [0x2062, ['IT', 'invisible times']],
  [0x2063, ['IS', 'invisible separator']], [0x2064, ['IP', 'invisible plus']],
  [0x2066, ['LRI', 'left-to-right isolate']], [0x2067, ['RLI', 'right-to-left isolate']], [0x2068, ['FSI', 'first strong isolate']],
  [0x2069, ['PDI', 'pop directional isolate']], [0x2800, ['BRBL', 'Braille blank']], [0x3000, ['IDSP', 'ideographic space']],
  [0x3164, ['HF', 'Hangul filler']], [0xfeff, ['BOM', 'byte order mark']], [0xffa0, ['HHF', 'halfwidth Hangul filler']],
  [0xfffc, ['OBJ', 'object replacement']], [0xfffd, ['REPL', 'replacement character']], [0x7f, ['DEL', 'delete']],
]);
// Their short names, as not every font has pictures of them.
const C0 = [
  ['NUL', 'null'], ['SOH', 'start of heading'], ['STX', 'start of text'], ['ETX', 'end of text'], ['EOT', 'end of transmission'], ['ENQ', 'enquiry'],
  ['ACK', 'acknowledge'], ['BEL', 'bell'], ['BS', 'backspace'], ['TAB', 'tab'], ['LF', 'line feed'], ['VT', 'vertical tab'], ['FF', 'form feed'],
  ['CR', 'carriage return'], ['SO', 'shift out'], ['SI', 'shift in'], ['DLE', 'data link escape'], ['DC1', 'device control 1'],
  ['DC2', 'device control 2'], ['DC3', 'device control 3'], ['DC4', 'device control 4'], ['NAK', 'negative acknowledge'],
  ['SYN', 'synchronous idle'], ['ETB', 'end of transmission block'], ['CAN', 'cancel'], ['EM', 'end of medium'], ['SUB', 'substitute'],
  ['ESC', 'escape'], ['FS', 'file separator'], ['GS', 'group separator'], ['RS', 'record separator'], ['US', 'unit separator'],
];

// In this order: a whole ANSI escape, a run of tag characters, piled-up combining marks (they paint over their neighbours),
// then any single character of the categories "other" and "separator" or that is drawn as nothing.
const HIDDEN = new RegExp([
  String.raw`(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]`, String.raw`\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)`,
  String.raw`[\u{E0000}-\u{E007F}]+`, String.raw`(?<=\p{M}{4})\p{M}+`,
  String.raw`(?! )[\p{C}\p{DI}\p{Z}\u2800\uFFFC\uFFFD]`,
].join('|'), 'gu');

// More marks than this in one text are still replaced, but no longer as elements: a text of nothing else must not stall the page.
const MARKS = 1500;

function hex(code) {
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Of one hidden stretch: the glyph shown for it, and its name. */
function describe(found) {
  const code = found.codePointAt(0);
  if ((code === 0x1b || code === 0x9b) && found.length > 1) {
    const rest = Array.from(found.slice(1), (c) => (c.codePointAt(0) < 0x20 ? `‹${C0[c.codePointAt(0)][0]}›` : c)).join('');
    return [`‹ESC${rest}›`, `ANSI escape sequence, ${found.length} characters`];
  }
  if (code >= 0xe0000 && code <= 0xe007f) {
    const hidden = Array.from(found, (c) => c.codePointAt(0) - 0xe0000).map((c) => (c >= 0x20 && c < 0x7f ? String.fromCodePoint(c) : '·'));
    return [`‹TAG ${hidden.join('')}›`, `${hidden.length} tag characters (U+E0000 to U+E007F), which spell “${hidden.join('')}”`];
  }
  if (/^\p{M}/u.test(found) && !/^\p{DI}/u.test(found)) return [`‹+${Array.from(found).length} marks›`, 'more combining marks on one letter'];
  if (code < 0x20) return [`‹${C0[code][0]}›`, `${hex(code)} ${C0[code][1]}`];
  const known = NAMES.get(code);
  if (known) return [`‹${known[0]}›`, `${hex(code)} ${known[1]}`];
  if (code >= 0xfe00 && code <= 0xfe0f) return [`‹VS${code - 0xfe00 + 1}›`, `${hex(code)} variation selector`];
  if (code >= 0xe0100 && code <= 0xe01ef) return [`‹VS${code - 0xe0100 + 17}›`, `${hex(code)} variation selector`];
  return [`‹${hex(code)}›`, `${hex(code)} not a visible character`];
}

/** Calls `plain` with harmless stretches and `hidden` with each hidden one (equal neighbours counted together). */
function walk(text, lines, plain, hidden) {
  let done = 0;
  let last = null;
  const flush = () => {
    if (last) hidden(last.found, last.times);
    last = null;
  };
  for (const match of text.matchAll(HIDDEN)) {
    const found = match[0];
    if (lines && (found === '\n' || found === '\t')) continue;
    if (match.index > done) {
      flush();
      plain(text.slice(done, match.index));
    }
    done = match.index + found.length;
    if (last && last.found === found) last.times += 1;
    else {
      flush();
      last = { found, times: 1 };
    }
  }
  flush();
  if (done < text.length) plain(text.slice(done));
}

/** Nodes that show `text` with everything hidden in it. With `lines`, line feeds and tabs stay what they are. */
export function visible(text, { lines = false } = {}) {
  const out = document.createDocumentFragment();
  let marks = 0;
  walk(String(text ?? ''), lines, (part) => out.append(part), (found, times) => {
    const [glyph, name] = describe(found);
    const shown = times > 1 ? `${glyph}×${times}` : glyph;
    marks += 1;
    if (marks > MARKS) out.append(shown);
    else out.append(h('span.ctl', { title: times > 1 ? `${name}, ${times} times` : name, role: 'img', aria: { label: name } }, shown));
  });
  return out;
}

/** The same as a string, for titles and labels, which have no elements. */
export function visibleString(text, most = 300) {
  let out = '';
  walk(String(text ?? '').slice(0, most), false, (part) => { out += part; }, (found, times) => {
    out += describe(found)[0] + (times > 1 ? `×${times}` : '');
  });
  return String(text ?? '').length > most ? `${out}…` : out;
}

/** A name (tenant, principal, model …) from outside, isolated from the direction of what stands around it. */
export function name(text, className = '') {
  return h('bdi', { class: `hostile ${className}`, dir: 'ltr' }, visible(text));
}

/** One line of hostile text. */
export function line(text, className = '') {
  return h('span', { class: `hostile ${className}`, dir: 'ltr' }, visible(text));
}

/** A block of hostile text, lines kept. */
export function block(text, className = '') {
  return h('div', { class: `hostile block ${className}`, dir: 'ltr' }, visible(text, { lines: true }));
}

/** UTF-16 indices of offsets that count Unicode scalar values; the offsets in rising order. */
function indices(text, offsets) {
  const found = new Map();
  let index = 0;
  let scalar = 0;
  for (const offset of offsets) {
    while (scalar < offset && index < text.length) {
      index += text.codePointAt(index) > 0xffff ? 2 : 1;
      scalar += 1;
    }
    found.set(offset, index);
  }
  return found;
}

/** A text cut where spans begin and end: [{text, findings: [numbers]}]. Spans may overlap, and may be wrong. */
export function pieces(text, spans) {
  const good = spans.filter((span) => Number.isInteger(span.start) && Number.isInteger(span.end) && span.start >= 0 && span.start < span.end);
  const offsets = [...new Set(good.flatMap((span) => [span.start, span.end]))].sort((a, b) => a - b);
  const at = indices(text, offsets);
  const cuts = [...new Set([0, ...offsets.map((offset) => at.get(offset)), text.length])].sort((a, b) => a - b);
  const out = [];
  for (let i = 0; i + 1 < cuts.length; i += 1) {
    const findings = good.filter((span) => at.get(span.start) <= cuts[i] && at.get(span.end) >= cuts[i + 1]).map((span) => span.finding);
    out.push({ text: text.slice(cuts[i], cuts[i + 1]), findings: [...new Set(findings)] });
  }
  return out;
}
