// The stream of live events: one connection for the whole console, reconnecting by itself, told to whoever listens.

const listeners = new Set();
let source = null;
let state = 'off';
let delay = 1000;
let timer = 0;
let watchdog = 0;

function tell(type, data) {
  for (const listener of listeners) listener(type, data);
}

function become(next) {
  if (state === next) return;
  state = next;
  tell('state', next);
}

function parse(event) {
  try {
    return JSON.parse(event.data);
  } catch {
    return null;
  }
}

// A connection that a proxy keeps open without passing anything on looks alive; ticks come every 2 seconds.
function heard() {
  clearTimeout(watchdog);
  watchdog = setTimeout(again, 12_000);
  delay = 1000;
  become('live');
}

function again() {
  source?.close();
  source = null;
  clearTimeout(timer);
  clearTimeout(watchdog);
  become('reconnecting');
  timer = setTimeout(connect, delay);
  delay = Math.min(delay * 2, 30_000);
}

function connect() {
  source = new EventSource('/api/v1/live');
  source.addEventListener('open', heard);
  source.addEventListener('error', again);
  for (const type of ['tick', 'incident']) {
    source.addEventListener(type, (event) => {
      heard();
      const data = parse(event);
      if (data) tell(type, data);
    });
  }
}

/** `listener(type, data)` with type tick, incident or state, until the returned function is called. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const liveState = () => state;

export function startLive() {
  if (source || state === 'paused') return;
  become('reconnecting');
  connect();
}

export function stopLive(next = 'off') {
  clearTimeout(timer);
  clearTimeout(watchdog);
  source?.close();
  source = null;
  become(next);
}

/** Pauses or goes on, as the reader wishes. */
export function toggleLive() {
  if (state === 'paused' || state === 'off') {
    state = 'off';
    startLive();
  } else stopLive('paused');
}
