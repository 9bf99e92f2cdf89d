import assert from "node:assert/strict";
import { test } from "node:test";

import express from "express";

import { ROUTES } from "../routes.ts";
import { ask, post } from "./client.ts";
import { nobody, proxyTo, recorder, stub } from "./servers.ts";

// every route once: what is asked of us, and what we answer when the scanner does not
const EXPECTED: readonly (readonly [string, string, number, Record<string, unknown>])[] = [
  ["GET", "/health", 500, {}],
  ["GET", "/ready", 503, { ready: false }],
  ["POST", "/api/scanner/scan", 500, {}],
  ["GET", "/api/scanner/signals", 500, {}],
  ["GET", "/api/scanner/status", 503, { status: "unavailable" }],
  ["POST", "/api/scanner/initialize", 500, {}],
  ["POST", "/api/scanner/reset", 500, {}],
  ["POST", "/api/scanner/multi-timeframe", 500, {}],
  ["POST", "/api/position/calculate", 500, {}],
  ["POST", "/api/scanner/continuous/start", 500, {}],
  ["POST", "/api/scanner/continuous/stop", 500, {}],
  ["GET", "/api/scanner/continuous/status", 503, { running: false }],
  ["GET", "/api/scanner/continuous/signals", 500, { signals: [] }],
  ["GET", "/api/scanner/continuous/confluence/BTC%2FUSDT", 500, {}],
  ["GET", "/api/scanner/continuous/market-state", 500, {}],
  ["GET", "/api/scanner/continuous/freshness", 500, {}],
  ["GET", "/api/scanner/continuous/gaps", 500, {}],
  ["GET", "/api/scanner/training-data/BTC%2FUSDT/features", 500, {}],
  ["GET", "/api/scanner/training-data/BTC%2FUSDT", 500, {}],
];

test("the expectations name every route of the table", () => {
  const named = EXPECTED.map(([method, path]) => `${method.toLowerCase()} ${path.replace("BTC%2FUSDT", "*symbol")}`);
  assert.deepEqual(
    named,
    ROUTES.map(({ method, path }) => `${method} ${path}`),
  );
});

test("every route asks the scanner the same, query included", async (t) => {
  const scanner = await recorder(t);
  const proxy = await proxyTo(t, scanner.url);
  for (const [method, path] of EXPECTED) {
    await ask(proxy.url, `${path}?min_score=60&a=1&a=2&b[c]=%20`, { method });
    const { method: asked, url, body } = scanner.seen.at(-1) ?? assert.fail("the scanner was not asked");
    assert.deepEqual([asked, url], [method, `${path}?min_score=60&a=1&a=2&b[c]=%20`]);
    assert.equal(body, method === "POST" ? "{}" : "");
  }
});

test("every route passes statuses and bodies through to the last byte", async (t) => {
  const odd = '{ "z": 1,"a" : [1.0, 1e2],\n "note":"\\u00e9 é" }';
  const url = await stub(t, (request, response) => {
    request.resume();
    const status = Number(new URLSearchParams(request.url?.split("?")[1]).get("status"));
    response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(odd);
  });
  const proxy = await proxyTo(t, url);
  for (const [method, path] of EXPECTED) {
    for (const status of [200, 202, 400, 401, 404, 409, 413, 429, 500, 503]) {
      const answer = await ask(proxy.url, `${path}?status=${status}`, { method });
      assert.deepEqual([answer.status, answer.text], [status, odd]);
    }
  }
  assert.deepEqual(proxy.logged, []);
});

type Context = Parameters<typeof stub>[0];

const WAYS_TO_FAIL = {
  "cannot be reached": { scanner: nobody, message: /ECONNREFUSED/ },
  "answers a web page": {
    scanner: (t: Context) =>
      stub(t, (_request, response) => response.writeHead(404, { "content-type": "text/html" }).end("<h1>?</h1>")),
    message: /404 Not Found, and not in JSON/,
  },
  "answers something without a type": {
    scanner: (t: Context) => stub(t, (_request, response) => response.end("{}")),
    message: /200 OK, and not in JSON/,
  },
  "never answers": {
    scanner: (t: Context) => stub(t, () => undefined),
    message: /silent for 50 ms/,
    env: { SCANNER_API_TIMEOUT_MS: "50" },
  },
  "hangs up": {
    scanner: (t: Context) => stub(t, (request) => request.socket.destroy()),
    message: /ECONNRESET/,
  },
  "has an address that is none": {
    scanner: () => Promise.resolve("localhost:5001"),
    message: /SCANNER_API_URL: is not an address/,
  },
} as const;

for (const [way, { scanner, message, ...settings }] of Object.entries(WAYS_TO_FAIL)) {
  test(`every route has its failure row when the scanner ${way}`, async (t) => {
    const proxy = await proxyTo(t, await scanner(t), settings);
    for (const [method, path, status, fields] of EXPECTED) {
      const answer = await ask(proxy.url, path, { method });
      const { error, message: said, ...others } = answer.json as Record<string, unknown>;
      assert.deepEqual([answer.status, others, error], [status, fields, "Scanner unavailable"], path);
      assert.match(String(said), message);
    }
    assert.equal(proxy.logged.length, EXPECTED.length);
  });
}

const SPELLINGS: readonly (readonly [string, string])[] = [
  ["BTC/USDT", "BTC%2FUSDT"],
  ["BTC%2FUSDT", "BTC%2FUSDT"],
  ["BTC%2fUSDT", "BTC%2FUSDT"],
  ["btc-usdt", "btc-usdt"],
  ["binance:BTC/USDT", "binance%3ABTC%2FUSDT"],
  ["kucoinfutures:BTC/USDT:USDT", "kucoinfutures%3ABTC%2FUSDT%3AUSDT"],
  ["BTC%252FUSDT", "BTC%252FUSDT"],
  ["1000%24PEPE/USDT", "1000%24PEPE%2FUSDT"],
  ["%E5%B8%81/USDT", "%E5%B8%81%2FUSDT"],
  ["%3Fdays=1%23", "%3Fdays%3D1%23"],
  ["../../health", "..%2F..%2Fhealth"],
  ["%2e%2e%2fstatus", "..%2Fstatus"],
  ["BTC%0d%0aX:1", "BTC%0D%0AX%3A1"],
  ["$&/$1", "%24%26%2F%241"],
];

test("a symbol reaches the scanner as one encoded segment, however it was written", async (t) => {
  const scanner = await recorder(t);
  const proxy = await proxyTo(t, scanner.url);
  for (const route of ["/api/scanner/training-data/", "/api/scanner/continuous/confluence/"]) {
    for (const [written, expected] of SPELLINGS) {
      await ask(proxy.url, `${route}${written}?days=30`);
      assert.equal(scanner.seen.at(-1)?.url, `${route}${expected}?days=30`);
    }
  }
});

test("a symbol that cannot be decoded is refused in JSON", async (t) => {
  const proxy = await proxyTo(t, await nobody(t));
  const answer = await ask(proxy.url, "/api/scanner/training-data/%ZZ");
  assert.equal(answer.status, 400);
  assert.deepEqual(Object.keys(answer.json as object), ["error", "message"]);
});

const start = "/api/scanner/continuous/start";
const symbols = '{"symbols":["BTC/USDT"]}';

test("a body goes out as JSON, whatever the client called it", async (t) => {
  const scanner = await recorder(t);
  const proxy = await proxyTo(t, scanner.url);
  for (const type of ["application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", undefined]) {
    await post(proxy.url, start, symbols, type === undefined ? {} : { "content-type": type });
    assert.equal(scanner.seen.at(-1)?.body, symbols);
    assert.equal(scanner.seen.at(-1)?.headers["content-type"], "application/json");
  }
});

test("an absent body goes out as an empty object, however absence is told", async (t) => {
  const scanner = await recorder(t);
  const proxy = await proxyTo(t, scanner.url);
  const ways: Record<string, string>[] = [{}, { "content-length": "0" }, { "transfer-encoding": "chunked" }];
  for (const headers of ways) {
    await post(proxy.url, start, undefined, headers);
    assert.equal(scanner.seen.at(-1)?.body, "{}", JSON.stringify(headers));
  }
});

test("a body without a length and one that is not JSON are the scanner's to judge", async (t) => {
  const scanner = await recorder(t);
  const proxy = await proxyTo(t, scanner.url);
  for (const body of [symbols, "{broken", "[]", "null"]) {
    await post(proxy.url, start, body, { "transfer-encoding": "chunked" });
    assert.equal(scanner.seen.at(-1)?.body, body);
  }
});

test("bodies that the application has parsed already are sent on", async (t) => {
  const scanner = await recorder(t);
  const proxy = await proxyTo(t, scanner.url, { before: [express.json(), express.text()] });
  const cases: readonly (readonly [string | undefined, string | undefined, string])[] = [
    [symbols, "application/json", symbols],
    [symbols, "text/plain", symbols],
    [symbols, undefined, symbols],
    [undefined, "application/json", "{}"],
    [undefined, "text/plain", "{}"],
    [undefined, undefined, "{}"],
  ];
  for (const [body, type, expected] of cases) {
    await post(proxy.url, start, body, type === undefined ? {} : { "content-type": type });
    assert.equal(scanner.seen.at(-1)?.body, expected, `${body} as ${type}`);
  }
});

test("the address of the scanner is read at every request, and may have a path", async (t) => {
  const scanner = await recorder(t);
  const env: Record<string, string> = { SCANNER_API_URL: await nobody(t) };
  const proxy = await proxyTo(t, scanner.url, { env });
  assert.equal((await ask(proxy.url, "/health")).status, 500);
  env.SCANNER_API_URL = `${scanner.url}/behind/`;
  assert.equal((await ask(proxy.url, "/health?a=1")).status, 200);
  assert.equal(scanner.seen[0]?.url, "/behind/health?a=1");
});

test("an address that leads back to the proxy is told, not followed", async (t) => {
  const env: Record<string, string> = {};
  const proxy = await proxyTo(t, "http://localhost", { env });
  env.SCANNER_API_URL = proxy.url;
  const answer = await ask(proxy.url, "/api/scanner/status");
  assert.deepEqual([answer.status, proxy.logged.length], [503, 1]);
  assert.match(answer.text, /leads back to this proxy/);
});

test("HEAD is asked of the scanner as HEAD and has no body", async (t) => {
  const scanner = await stub(t, (request, response) => {
    const length = request.method === "HEAD" ? "1234" : "0";
    response.writeHead(200, { "content-type": "application/json", "content-length": length }).end();
  });
  const proxy = await proxyTo(t, scanner);
  const answer = await ask(proxy.url, "/api/scanner/status", { method: "HEAD" });
  assert.deepEqual([answer.status, answer.headers["content-length"], answer.text], [200, "1234", ""]);
  const failure = await ask((await proxyTo(t, await nobody(t))).url, "/api/scanner/status", { method: "HEAD" });
  assert.deepEqual([failure.status, failure.text], [503, ""]);
});

test("headers that describe the answer pass, those of the scanner's server do not", async (t) => {
  const scanner = await stub(t, (_request, response) =>
    response
      .writeHead(401, {
        "content-type": "application/problem+json",
        "www-authenticate": "Bearer",
        "retry-after": "5",
        server: "Werkzeug",
        "set-cookie": "a=1",
        "access-control-allow-origin": "*",
      })
      .end("{}"),
  );
  const { headers } = await ask((await proxyTo(t, scanner)).url, "/api/scanner/status");
  assert.deepEqual([headers["www-authenticate"], headers["retry-after"]], ["Bearer", "5"]);
  for (const name of ["server", "set-cookie", "access-control-allow-origin"]) assert.equal(headers[name], undefined);
});
