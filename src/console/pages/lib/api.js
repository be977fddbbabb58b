// Calls to the appliance: same origin, JSON, the CSRF header on whatever changes something, errors as sentences.

const BASE = '/api/v1';

/** What the appliance refused, in words fit to be shown. */
export class ApiError extends Error {
  constructor(status, message, body = {}) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

let csrf = '';
let signInAgain = null;

/** Sets the token that every change must carry. */
export function setCsrf(token) {
  csrf = token;
}

/** `run` is asked when the session has ended: it resolves once somebody signed in again, and the call is repeated. */
export function onSessionEnd(run) {
  signInAgain = run;
}

const FALLBACK = {
  403: 'Your role does not allow this.',
  404: 'The appliance does not know this.',
  409: 'Somebody changed this in the meantime. Load it again.',
  429: 'Too many attempts. Wait a little.',
  503: 'The appliance is busy or shutting down. Try again in a moment.',
};

async function failure(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A proxy's page instead of our JSON; the status alone must do.
  }
  const text = typeof body?.error === 'string' ? body.error : (FALLBACK[response.status] ?? `The appliance answered with status ${response.status}.`);
  return new ApiError(response.status, text, body ?? {});
}

async function once(method, path, body, signal) {
  const headers = { accept: 'application/json' };
  if (method !== 'GET') headers['x-csrf-token'] = csrf;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response;
  try {
    response = await fetch(BASE + path, {
      method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin', redirect: 'error', cache: 'no-store',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The appliance cannot be reached. Check the network and whether it runs, then try again.');
  }
  if (!response.ok) throw await failure(response);
  return response.status === 204 ? null : response.json();
}

async function call(method, path, body, { signal, quiet = false } = {}) {
  try {
    return await once(method, path, body, signal);
  } catch (error) {
    if (error.status !== 401 || quiet || !signInAgain) throw error;
    await signInAgain(error);
    return once(method, path, body, signal);
  }
}

export const get = (path, options) => call('GET', path, undefined, options);
export const post = (path, body = {}, options) => call('POST', path, body, options);
export const patch = (path, body, options) => call('PATCH', path, body, options);
export const remove = (path, options) => call('DELETE', path, undefined, options);

/** A query string of what is set, in a stable order, so that equal filters have equal addresses. */
export function query(values) {
  const out = new URLSearchParams();
  for (const key of Object.keys(values).sort()) {
    const value = values[key];
    if (value !== '' && value !== null && value !== undefined) out.set(key, String(value));
  }
  const text = out.toString();
  return text ? `?${text}` : '';
}

/** One step of a path. */
export const step = encodeURIComponent;
