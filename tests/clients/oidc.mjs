// An identity provider for tests: oidc-provider with a page of one field. Settings as JSON in the first argument: client_id,
// client_secret, and claims of each person by name. The first line of its output is its issuer.

import Provider from 'oidc-provider';
import { createServer } from 'node:http';
import { once } from 'node:events';

const { client_id: client, client_secret: secret, people } = JSON.parse(process.argv[2]);
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{ client_id: client, client_secret: secret, redirect_uris: ['http://127.0.0.1/'] }],
  claims: { profile: ['preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ['for tests alone'] },
  pkce: { required: () => true },
  findAccount: (_, id) => (people[id] ? { accountId: id, claims: () => ({ sub: `id-of-${id}`, ...people[id] }) } : undefined),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Whoever signs in has agreed to all of it.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid profile email groups');
    await grant.save();
    return grant;
  },
});

// The console's port is not known before it runs.
provider.Client.prototype.redirectUriAllowed = (uri) => /^http:\/\/127\.0\.0\.1:\d+\/api\/v1\/oidc\/callback$/.test(uri);

const page = `<!doctype html><html lang="en"><title>Test staff</title>
<form method="post"><label>Name <input name="login" autofocus></label> <button>Sign in</button></form>
<form method="post"><button name="cancel" value="1">Cancel</button></form></html>`;

const answer = provider.callback();
server.on('request', async (request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  if (request.method === 'GET') return response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  let body = '';
  for await (const piece of request) body += piece;
  const fields = new URLSearchParams(body);
  const result = fields.has('cancel')
    ? { error: 'access_denied', error_description: 'turned back' }
    : { login: { accountId: fields.get('login') } };
  await provider.interactionFinished(request, response, result);
});
console.log(issuer);
