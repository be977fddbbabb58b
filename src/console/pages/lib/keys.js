// Keyboard shortcuts: one list of them all (the help shows it), bound by the page that is open.

export const SHORTCUTS = [
  { id: 'everywhere', title: 'Everywhere', keys: [
    ['?', 'Show this help'], ['/', 'Search on this page'], ['Escape', 'Close, or leave the field'], ['1 … 9', 'Go to a page, in the order of the bar'],
  ] },
  { id: 'list', title: 'Lists', keys: [
    ['j', 'Next row'], ['k', 'Previous row'], ['Home', 'First row'], ['End', 'Last row'], ['Enter or o', 'Open'],
  ] },
  { id: 'incidents', title: 'Incidents', keys: [
    ['t', 'True positive'], ['f', 'False alarm'], ['a', 'Accepted risk'], ['u', 'Undo the last decision'], ['m', 'Assign to me'],
    ['c', 'Write a note'], ['e', 'Make an exception'], ['x', 'Select'], ['g', 'Group on or off'], ['n', 'Show new incidents'],
  ] },
  { id: 'incident', title: 'An open incident', keys: [
    ['[', 'Previous finding'], [']', 'Next finding'], ['l', 'Next layer of the passage'], ['r', 'Judge again with the present policy'],
  ] },
];

const layers = [];
let enabled = true;

/** Single-letter keys can be switched off for this visit: speech input and slips trigger them. */
export const keysEnabled = () => enabled;
export function enableKeys(on) {
  enabled = on;
}

/** Binds `keys` ({key: run}) until the returned function is called. The newest binding of a key is asked first. */
export function bindKeys(keys) {
  const layer = new Map(Object.entries(keys));
  layers.push(layer);
  return () => {
    const at = layers.indexOf(layer);
    if (at >= 0) layers.splice(at, 1);
  };
}

const TYPING = 'input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]';
const PRESSABLE = 'a, button, summary, input, select, [role=tab], [role=menuitem]';

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector('dialog[open]')) return;
  const { key, target } = event;
  if (target.matches?.(TYPING)) {
    if (key === 'Escape') target.blur();
    return;
  }
  if ((key === 'Enter' || key === ' ') && target.matches?.(PRESSABLE)) return;
  if (!enabled && key.length === 1) return;
  for (let i = layers.length - 1; i >= 0; i -= 1) {
    const run = layers[i].get(key);
    // A binding that gives false did not want the key: the one below gets it.
    if (run && run(event) !== false) {
      event.preventDefault();
      return;
    }
  }
}

export function startKeys() {
  document.addEventListener('keydown', onKey);
}
