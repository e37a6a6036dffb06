// A server that is not ours: Fedify on loopback, with a small control door for the tests.
//
//   PORT=3001 [LISTEN=3002] [AUTHORIZED_FETCH=1] node peer.mjs
//
// PORT is in its URLs; LISTEN, if another, is where it really listens, with something of the test's in between.
// Everything that federates goes through Fedify alone. The control door (/control/…) tells it what to send and shows
// what it received after it had checked the signatures; it never touches an activity's bytes.

import { createServer } from "node:http";
import { Readable } from "node:stream";
import {
  createFederation,
  exportJwk,
  generateCryptoKeyPair,
  importJwk,
  InProcessMessageQueue,
  MemoryKvStore,
} from "@fedify/fedify";
import { verifyJsonLd, verifyObject } from "@fedify/fedify/sig";
import {
  Accept,
  Activity,
  Article,
  Endpoints,
  Follow,
  Note,
  Person,
  Question,
  QuoteAuthorization,
  Reject,
  Undo,
} from "@fedify/fedify/vocab";

const port = Number(process.env.PORT);
const origin = `http://localhost:${port}`;
const listen = Number(process.env.LISTEN ?? port);
const authorizedFetch = process.env.AUTHORIZED_FETCH === "1";

const people = new Map(); // identifier -> {keys: [{privateKey, publicKey} as JWK], aliases: [URL], successor: URL}
const followers = new Map(); // identifier -> Map(actor id -> recipient)
const objects = new Map(); // URI -> JSON-LD of an object that is ours
const received = []; // {activity, signer, identifier}
const errors = [];

// A green square of 8 by 8.
const picture = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mOQqwjAihiGlgQAa5I5gZSUYSUAAAAASUVORK5CYII=",
  "base64",
);

async function makeKeys(kinds = ["RSASSA-PKCS1-v1_5", "Ed25519"]) {
  return Promise.all(kinds.map(async (kind) => {
    const pair = await generateCryptoKeyPair(kind);
    return { privateKey: await exportJwk(pair.privateKey), publicKey: await exportJwk(pair.publicKey) };
  }));
}

// Keeps all but the documents of others, which Fedify would not read again for five minutes: tests change them.
class ForgetfulStore extends MemoryKvStore {
  async set(key, value, options) {
    if (key[1] !== "remoteDocument") await super.set(key, value, options);
  }
}

const federation = createFederation({
  kv: new ForgetfulStore(),
  queue: new InProcessMessageQueue(),
  allowPrivateAddress: true,
  outboxRetryPolicy: ({ attempts }) => attempts < 3 ? Temporal.Duration.from({ milliseconds: 200 }) : null,
  inboxRetryPolicy: () => null,
  onOutboxError: (error) => errors.push(String(error)),
});

const actorOf = (context, identifier) => context.getActorUri(identifier);

const actors = federation.setActorDispatcher("/users/{identifier}", async (context, identifier) => {
  const person = people.get(identifier);
  if (person === undefined) return null;
  const keys = await context.getActorKeyPairs(identifier);
  return new Person({
    id: actorOf(context, identifier),
    preferredUsername: identifier,
    name: `${identifier} of Fedify`,
    inbox: context.getInboxUri(identifier),
    outbox: context.getOutboxUri(identifier),
    followers: context.getFollowersUri(identifier),
    endpoints: new Endpoints({ sharedInbox: context.getInboxUri() }),
    url: new URL(`${origin}/@${identifier}`),
    aliases: person.aliases.map((alias) => new URL(alias)),
    successor: person.successor && new URL(person.successor),
    publicKey: keys[0].cryptographicKey,
    assertionMethods: keys.map((key) => key.multikey),
  });
}).setKeyPairsDispatcher(async (_context, identifier) => {
  const person = people.get(identifier);
  if (person === undefined) return [];
  return Promise.all(person.keys.map(async (pair) => ({
    privateKey: await importJwk(pair.privateKey, "private"),
    publicKey: await importJwk(pair.publicKey, "public"),
  })));
}).mapHandle((_context, username) => people.has(username) ? username : null);

if (authorizedFetch) {
  actors.authorize(async (context) => await context.getSignedKeyOwner() != null);
}

federation.setFollowersDispatcher("/users/{identifier}/followers", (_context, identifier) => ({
  items: [...(followers.get(identifier)?.values() ?? [])],
}));

federation.setOutboxDispatcher("/users/{identifier}/outbox", () => ({ items: [] }));

for (const [type, path] of [[Note, "notes"], [Question, "questions"], [Article, "articles"], [QuoteAuthorization, "stamps"]]) {
  const dispatcher = federation.setObjectDispatcher(type, `/users/{identifier}/${path}/{id}`, async (context, values) => {
    const uri = context.getObjectUri(type, values);
    const json = objects.get(uri.href);
    return json === undefined ? null : await type.fromJsonLd(json, context);
  });
  if (authorizedFetch) dispatcher.authorize(async (context) => await context.getSignedKeyOwner() != null);
}

federation.setInboxListeners("/users/{identifier}/inbox", "/inbox")
  .setSharedKeyDispatcher(() => ({ identifier: [...people.keys()][0] }))
  .on(Follow, async (context, follow) => {
    await record(context, follow);
    const target = context.parseUri(follow.objectId);
    if (target?.type !== "actor") return;
    const follower = await follow.getActor(context);
    if (!followers.has(target.identifier)) followers.set(target.identifier, new Map());
    followers.get(target.identifier).set(follow.actorId.href, {
      id: follow.actorId,
      inboxId: follower.inboxId,
      endpoints: follower.endpoints,
    });
    await context.sendActivity(target, follower, new Accept({
      id: new URL(`${origin}/activities/${crypto.randomUUID()}`),
      actor: actorOf(context, target.identifier),
      object: follow,
    }));
  })
  .on(Undo, async (context, undo) => {
    await record(context, undo);
    const inner = await undo.getObject(context);
    if (!(inner instanceof Follow)) return;
    const target = context.parseUri(inner.objectId);
    if (target?.type === "actor") followers.get(target.identifier)?.delete(undo.actorId.href);
  })
  .on(Reject, record)
  .on(Activity, record)
  .onError((_context, error) => errors.push(String(error)));

async function record(context, activity) {
  received.push({
    at: Date.now(),
    recipient: context.recipient,
    activity: await activity.toJsonLd({ format: "compact", contextLoader: context.contextLoader }),
  });
}

// The control door -------------------------------------------------------------------------------------------

const control = {
  async "POST /control/people"({ name, aliases = [], kinds }) {
    people.set(name, { keys: await makeKeys(kinds), aliases });
    return { id: `${origin}/users/${name}` };
  },
  async "POST /control/rotate"({ name }) {
    people.get(name).keys = await makeKeys();
    return {};
  },
  async "POST /control/move"({ name, to }) {
    people.get(name).successor = to;
    return {};
  },
  async "POST /control/objects"(json) {
    objects.set(json.id, json);
    return {};
  },
  async "POST /control/drop"({ id }) {
    objects.delete(id);
    return {};
  },
  // Sends an activity, given as JSON-LD, from one of ours to actors (by URI) or to "followers".
  async "POST /control/send"({ from, to, activity }, context) {
    const value = await Activity.fromJsonLd(activity, context);
    let recipients = "followers";
    if (to !== "followers") {
      const loader = await context.getDocumentLoader({ identifier: from });
      recipients = await Promise.all(to.map((uri) => context.lookupObject(uri, { documentLoader: loader })));
      if (recipients.some((one) => one === null)) throw new Error(`not found: ${to}`);
    }
    await context.sendActivity({ identifier: from }, recipients, value, { immediate: true });
    return {};
  },
  // What Fedify makes of a handle or URI; asked with a signature of `as` when given.
  async "POST /control/lookup"({ what, as }, context) {
    const documentLoader = as ? await context.getDocumentLoader({ identifier: as }) : context.documentLoader;
    const found = await context.lookupObject(what, { documentLoader });
    return { found: found === null ? null : await found.toJsonLd({ format: "compact", contextLoader: context.contextLoader }) };
  },
  async "POST /control/webfinger"({ what }, context) {
    return { found: await context.lookupWebFinger(what) };
  },
  // Whether Fedify holds the signature inside a document for good: `ld` the older kind, `proof` FEP-8b32.
  async "POST /control/verify"(json, context) {
    const { signature: _signature, ...bare } = json;
    const options = { documentLoader: context.documentLoader, contextLoader: context.contextLoader };
    return {
      ld: json.signature !== undefined && await verifyJsonLd(json, options),
      proof: json.proof !== undefined && await verifyObject(Activity, bare, options) !== null,
    };
  },
  async "GET /control/received"() {
    return { received, errors };
  },
  async "GET /control/followers"() {
    return Object.fromEntries([...followers].map(([name, map]) => [name, [...map.keys()]]));
  },
};

async function answer(request) {
  const url = new URL(request.url);
  if (url.pathname === "/picture.png") return new Response(picture, { headers: { "Content-Type": "image/png" } });
  const door = control[`${request.method} ${url.pathname}`];
  if (door === undefined) return await federation.fetch(request, { contextData: undefined });
  try {
    const body = request.method === "POST" ? await request.json() : {};
    return Response.json(await door(body, federation.createContext(new URL(origin), undefined)));
  } catch (error) {
    return Response.json({ error: String(error), stack: error.stack, cause: String(error.cause ?? "") }, { status: 500 });
  }
}

createServer(async (incoming, outgoing) => {
  const hasBody = !["GET", "HEAD"].includes(incoming.method);
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) headers.append(incoming.rawHeaders[i], incoming.rawHeaders[i + 1]);
  const request = new Request(`${origin}${incoming.url}`, {
    method: incoming.method,
    headers,
    body: hasBody ? Readable.toWeb(incoming) : undefined,
    duplex: "half",
  });
  const response = await answer(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(Buffer.from(await response.arrayBuffer()));
}).listen(listen, "127.0.0.1", () => console.log(`ready ${origin}`));
