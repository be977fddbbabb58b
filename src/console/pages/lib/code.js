// Diffs and rule text, with quiet colours; both are data and go through visible().

import { h } from './dom.js';
import { visible } from './text.js';

/** A unified diff, line by line, with the line numbers of both sides. */
export function diff(text, label = 'Changes') {
  let left = 0;
  let right = 0;
  const rows = String(text ?? '').replace(/\n$/, '').split('\n').map((content) => {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(content);
    if (hunk) {
      left = Number(hunk[1]);
      right = Number(hunk[2]);
      return h('tr.hunk', h('td'), h('td'), h('td', visible(content)));
    }
    if (/^(?:---|\+\+\+) /.test(content)) return h('tr.file', h('td'), h('td'), h('td', visible(content)));
    const kind = { '+': 'added', '-': 'removed' }[content[0]] ?? '';
    const from = kind === 'added' ? '' : left++;
    const to = kind === 'removed' ? '' : right++;
    const sign = { added: 'added: ', removed: 'removed: ' }[kind];
    return h('tr', { class: kind }, h('td.line-number', from || ''), h('td.line-number', to || ''),
      h('td.hostile', { dir: 'ltr' }, sign ? h('span.sr', sign) : null, visible(content, { lines: true })));
  });
  return h('div.code', { tabIndex: 0, role: 'region', aria: { label } }, h('table.diff', h('caption.sr', label), h('tbody', rows)));
}

const YAML_LINE = /^(\s*(?:- )?)([A-Za-z_][\w.-]*)(:)(.*)$/;

/** Rule text: keys and comments told apart, nothing more. */
export function yaml(text, label = 'Rule text') {
  const rows = String(text ?? '').replace(/\n$/, '').split('\n').map((content) => {
    if (/^\s*#/.test(content)) return h('span.yaml-line.yaml-comment', visible(content, { lines: true }), '\n');
    const found = YAML_LINE.exec(content);
    return found
      ? h('span.yaml-line', found[1], h('span.yaml-key', found[2]), found[3], visible(found[4], { lines: true }), '\n')
      : h('span.yaml-line', visible(content, { lines: true }), '\n');
  });
  return h('pre.code.hostile', { tabIndex: 0, dir: 'ltr', role: 'region', aria: { label } }, rows);
}
