import assert from "node:assert/strict";
import { test } from "node:test";

import { ask, begin, waitFor } from "./client.ts";
import { refusalOf, startCommand, startProxy } from "./processes.ts";
import { nobody, recorder, stub } from "./servers.ts";

test("the program proxies, answers 404 in JSON elsewhere and never prints the key", async (t) => {
  const scanner = await recorder(t);
  const proxy = await startProxy({ SCANNER_API_URL: scanner.url, SCANNER_API_KEY: "never-printed" });
  t.after(() => proxy.end());
  const answer = await ask(proxy.url, "/api/scanner/status");
  assert.deepEqual([answer.status, answer.headers["x-powered-by"]], [200, undefined]);
  assert.equal(scanner.seen[0]?.headers.authorization, "Bearer never-printed");
  const elsewhere = await ask(proxy.url, "/api/scanner/continuous/start"); // a GET
  assert.deepEqual([elsewhere.status, Object.keys(elsewhere.json as object)], [404, ["error", "message"]]);
  assert.doesNotMatch(proxy.output(), /never-printed/);
});

test("a request that fails is one line of its output, without the key", async (t) => {
  const proxy = await startProxy({ SCANNER_API_URL: await nobody(t), SCANNER_API_KEY: "never-printed" });
  t.after(() => proxy.end());
  assert.equal((await ask(proxy.url, "/api/scanner/status")).status, 503);
  await waitFor(() => /GET \/api\/scanner\/status: cannot reach.*\n/.test(proxy.output()), "the line");
  assert.doesNotMatch(proxy.output(), /never-printed/);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} lets an answer finish and ends the program`, async (t) => {
    let finish = (): void => undefined;
    const scanner = await stub(t, (request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      if (request.url === "/health") return void response.end("{}");
      response.write("[");
      finish = () => response.end("]");
    });
    const proxy = await startProxy({ SCANNER_API_URL: scanner });
    t.after(() => proxy.end("SIGKILL"));
    const answer = await begin(proxy.url, "/api/scanner/signals");
    const ending = proxy.end(signal);
    await waitFor(
      () =>
        ask(proxy.url, "/health").then(
          () => false,
          () => true,
        ),
      "nobody new is let in",
    );
    finish();
    let text = "";
    for await (const chunk of answer) text += String(chunk);
    assert.deepEqual([text, await ending], ["[]", 0]);
  });
}

const REFUSED: readonly (readonly [Record<string, string>, RegExp])[] = [
  [{ HOST: "0.0.0.0" }, /HOST: '0\.0\.0\.0' is reachable from other machines.*SCANNER_ALLOW_ANONYMOUS=1/],
  [{ PORT: "80000" }, /PORT: '80000' is not a whole number from 0 to 65535/],
  [{ SCANNER_API_TIMEOUT_MS: "1s" }, /SCANNER_API_TIMEOUT_MS: '1s'/],
  [{ SCANNER_API_URL: "me:secret@x" }, /SCANNER_API_URL: is not an address/],
  [{ SCANNER_API_KEY: "secret\n" }, /SCANNER_API_KEY: has a character/],
  [{ HOST: "256.0.0.1", SCANNER_ALLOW_ANONYMOUS: "1" }, /cannot listen on 256\.0\.0\.1/],
];

for (const [variables, reason] of REFUSED) {
  test(`the program refuses to start with ${JSON.stringify(variables)}`, async () => {
    const { code, output } = await refusalOf(variables);
    assert.equal(code, 2);
    assert.match(output, reason);
    assert.doesNotMatch(output, /secret/);
  });
}

test("the program listens beyond loopback where that is allowed", async (t) => {
  const proxy = await startProxy({ HOST: "0.0.0.0", SCANNER_ALLOW_ANONYMOUS: "1" });
  t.after(() => proxy.end());
  assert.match(proxy.url, /^http:\/\/0\.0\.0\.0:\d+$/);
});

for (const command of ["npm run dev", "npm start"]) {
  test(`\`${command}\` from the root starts the proxy`, async (t) => {
    const scanner = await recorder(t);
    const proxy = await startCommand(command, { PORT: "0", SCANNER_API_URL: scanner.url });
    t.after(() => proxy.end("SIGKILL"));
    assert.equal((await ask(proxy.url, "/health")).status, 200);
    await proxy.end("SIGINT");
    await waitFor(
      () =>
        ask(proxy.url, "/health").then(
          () => false,
          () => true,
        ),
      "nobody listens any more",
    );
  });
}
