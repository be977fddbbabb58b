// The only way this console makes elements: h() for HTML, s() for SVG. Strings become text nodes, never markup.

const SVG = 'http://www.w3.org/2000/svg';

// Links stay on this origin: a path, a fragment or a query. Anything else would be a link made from data.
const SAFE_LINK = /^(?:\/(?![/\\])|[#?])/;

// These are state, which an attribute would only give a first value.
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'selected', 'indeterminate', 'hidden', 'open', 'tabIndex']);

// Attributes that would run or load something. Nothing here needs them; refusing them keeps it so.
const REFUSED = /^(?:on|style$|srcdoc$|src$|srcset$|action$|formaction$|xlink:href$)/i;

function attribute(el, name, value) {
  if (REFUSED.test(name)) throw new Error(`h(): attribute ${name} is refused`);
  if (name === 'href' && !SAFE_LINK.test(value)) throw new Error('h(): links must stay on this origin');
  el.setAttribute(name, value === true ? '' : String(value));
}

function apply(el, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name === 'on') for (const [type, run] of Object.entries(value)) el.addEventListener(type, run);
    else if (name === 'style') Object.assign(el.style, value);
    else if (name === 'data') Object.assign(el.dataset, value);
    else if (name === 'aria') {
      for (const [key, text] of Object.entries(value)) {
        if (text !== null && text !== undefined) el.setAttribute(`aria-${key}`, String(text));
      }
    } else if (name === 'class') {
      for (const word of String(value).split(' ')) if (word) el.classList.add(word);
    } else if (PROPERTIES.has(name)) el[name] = value;
    else if (value !== false) attribute(el, name, value);
  }
}

function append(el, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(el, child);
    else el.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

function isProps(value) {
  return value !== null && typeof value === 'object' && !(value instanceof Node) && !Array.isArray(value);
}

function make(el, words, rest) {
  if (words.length) el.classList.add(...words);
  if (isProps(rest[0])) {
    apply(el, rest[0]);
    append(el, rest.slice(1));
  } else append(el, rest);
  return el;
}

/** An HTML element: h('p.quiet', {on: {click}}, 'text', [more]). The properties may be left out. */
export function h(name, ...rest) {
  const [tag, ...words] = name.split('.');
  return make(document.createElement(tag), words, rest);
}

/** An SVG element, in the same way. */
export function s(name, ...rest) {
  const [tag, ...words] = name.split('.');
  return make(document.createElementNS(SVG, tag), words, rest);
}

/** One of the symbols of index.html; decoration only, so hidden from screen readers. */
export function icon(name) {
  return s('svg.icon', { viewBox: '0 0 16 16', aria: { hidden: true } }, s('use', { href: `#i-${name}` }));
}

/** Puts new children in the place of all old ones. */
export function fill(el, ...children) {
  el.replaceChildren();
  append(el, children);
  return el;
}

let serial = 0;

/** An id that no other element of this page has. */
export function uid(prefix = 'x') {
  serial += 1;
  return `${prefix}-${serial}`;
}

/** Runs once things have been quiet for `ms`. */
export function debounce(ms, run) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), ms);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
