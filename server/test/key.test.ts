import assert from "node:assert/strict";
import { test } from "node:test";

import { ask } from "./client.ts";
import { nobody, proxyTo, recorder } from "./servers.ts";

const env = { SCANNER_API_KEY: "the-key-of-the-proxy" };

async function authorizationSeen(
  t: Parameters<typeof recorder>[0],
  settings: Record<string, string>,
  headers: Record<string, string>,
) {
  const scanner = await recorder(t);
  const proxy = await proxyTo(t, scanner.url, { env: { ...settings } });
  await ask(proxy.url, "/api/scanner/continuous/stop", { method: "POST", headers });
  return scanner.seen[0]?.headers.authorization;
}

test("the proxy lends its key to a request that brings none", async (t) => {
  assert.equal(await authorizationSeen(t, env, {}), "Bearer the-key-of-the-proxy");
});

test("a client's own authorization is passed on instead", async (t) => {
  assert.equal(await authorizationSeen(t, env, { authorization: "Bearer mine" }), "Bearer mine");
  assert.equal(await authorizationSeen(t, {}, { authorization: "Bearer mine" }), "Bearer mine");
});

test("without a key nothing is added", async (t) => {
  assert.equal(await authorizationSeen(t, {}, {}), undefined);
  assert.equal(await authorizationSeen(t, { SCANNER_API_KEY: "" }, {}), undefined);
});

const HERE = { host: "192.168.1.5:5000", origin: "http://192.168.1.5:5000" };
const LENT: readonly Record<string, string>[] = [
  { "sec-fetch-site": "same-origin" },
  HERE,
  { host: "localhost:3000", origin: "http://localhost:3000" },
  { host: "[::1]:5000", origin: "http://[::1]:5000" },
  { origin: "http://localhost:5173", "sec-fetch-site": "cross-site" }, // named by default
  { origin: "http://localhost:3000", "sec-fetch-site": "same-origin" }, // a development server in front changed the host
];
const NOT_LENT: readonly Record<string, string>[] = [
  { "sec-fetch-site": "cross-site" },
  { origin: "http://evil.example" }, // over plain http a browser says no more
  { origin: "http://evil.example", host: "evil.example" }, // a name made to point here
  { origin: "http://evil.example", host: "evil.example", "sec-fetch-site": "same-origin" },
  { ...HERE, origin: "http://192.168.1.5:8080" },
  { origin: "null" },
  { origin: "http://localhost.evil.example", host: "localhost.evil.example" },
];

for (const headers of LENT) {
  test(`the key is lent to a page with ${JSON.stringify(headers)}`, async (t) => {
    assert.equal(await authorizationSeen(t, env, headers), "Bearer the-key-of-the-proxy");
  });
}

for (const headers of NOT_LENT) {
  test(`the key is not lent to a page with ${JSON.stringify(headers)}`, async (t) => {
    assert.equal(await authorizationSeen(t, env, headers), undefined);
  });
}

test("a site in front is one whose pages are the proxy's own once it is named", async (t) => {
  const site = { origin: "https://scanner.example", host: "scanner.example", "sec-fetch-site": "same-origin" };
  const named = { ...env, SCANNER_CORS_ORIGINS: "https://a.example, https://scanner.example" };
  assert.equal(await authorizationSeen(t, env, site), undefined);
  assert.equal(await authorizationSeen(t, named, site), "Bearer the-key-of-the-proxy");
});

test("keys are neither logged nor answered when something fails", async (t) => {
  const proxy = await proxyTo(t, await nobody(t), { env: { ...env } });
  const headers = { authorization: "Bearer the-key-of-the-client" };
  const answers = [
    await ask(proxy.url, "/api/scanner/status"),
    await ask(proxy.url, "/api/scanner/status", { headers }),
  ];
  const broken = await proxyTo(t, "http://me:secret-key@localhost:x", { env: { SCANNER_API_KEY: "bad\nkey" } });
  const unusable = await proxyTo(t, await nobody(t), { env: { SCANNER_API_KEY: "bad\nkey" } });
  for (const { url } of [broken, unusable]) answers.push(await ask(url, "/api/scanner/status"));
  const told = JSON.stringify([answers, proxy.logged, broken.logged, unusable.logged]);
  assert.doesNotMatch(told, /the-key|secret-key|bad/);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [503, 503, 503, 503],
  );
});
