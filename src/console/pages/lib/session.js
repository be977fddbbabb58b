// Who is signed in, and what that role may do. The appliance decides; this only says so before one tries.

import { setCsrf } from './api.js';

export const ROLES = ['viewer', 'reviewer', 'author', 'admin'];
let session = null;

/** Keeps what GET /session or a login answered. */
export function setSession(value) {
  session = value;
  setCsrf(value?.csrf ?? '');
}

export const me = () => session;

/** Whether the signed-in user has at least this role. */
export function can(role) {
  return ROLES.indexOf(session?.role) >= ROLES.indexOf(role);
}
