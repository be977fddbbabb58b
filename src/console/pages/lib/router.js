// Addresses and pages: History API, one page at a time, the same page kept where only its filters change.

const routes = [];
let current = null;
let show = null;

/** `pattern` is a path with :names. Routes with the same `key` share one page, which is told of changes by update(). */
export function route(pattern, key, open) {
  const names = [];
  const source = pattern.replace(/:(\w+)/g, (_, name) => {
    names.push(name);
    return '([^/]+)';
  });
  routes.push({ test: new RegExp(`^${source}/?$`), names, key, open });
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function match(path) {
  for (const { test, names, key, open } of routes) {
    const found = test.exec(path);
    if (found) return { key, open, params: Object.fromEntries(names.map((name, i) => [name, decode(found[i + 1])])) };
  }
  return null;
}

async function resolve() {
  const found = match(location.pathname);
  const filters = Object.fromEntries(new URLSearchParams(location.search));
  if (found && current?.key === found.key && current.page?.update) {
    current.page.update(found.params, filters);
    show.moved(found, current.page);
    return;
  }
  current?.stop.abort();
  current?.page?.close?.();
  const stop = new AbortController();
  const mine = { key: found?.key ?? null, stop, page: null };
  current = mine;
  const place = show.begin(found);
  try {
    const page = found ? await found.open({ params: found.params, filters, signal: stop.signal, place }) : null;
    if (current !== mine) {
      page?.close?.();
      return;
    }
    mine.page = page;
    show.ready(found, page);
  } catch (error) {
    if (current === mine && error.name !== 'AbortError') show.failed(error, () => { current = null; resolve(); });
  }
}

/** Goes to an address of this console. With `replace` the present one leaves no trace in the history. */
export function go(path, { replace = false } = {}) {
  if (path === location.pathname + location.search) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', path);
  resolve();
}

/** Changes the filters in the address without going anywhere. */
export function setFilters(text, { replace = false } = {}) {
  go(location.pathname + text, { replace });
}

/** Begins: links of this console are followed without loading a new document. */
export function start(handlers) {
  show = handlers;
  addEventListener('popstate', resolve);
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest?.('a[href]');
    if (!link || link.origin !== location.origin || link.hasAttribute('download') || link.hasAttribute('data-reload')) return;
    if (link.pathname.startsWith('/api/') || link.getAttribute('href').startsWith('#')) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
  resolve();
}

/** Opens the present page anew. */
export function reload() {
  current?.stop.abort();
  current?.page?.close?.();
  current = null;
  resolve();
}
