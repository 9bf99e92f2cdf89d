import assert from "node:assert/strict";
import { once } from "node:events";
import http, { type ServerResponse } from "node:http";
import net from "node:net";
import { test } from "node:test";

import type { RequestHandler } from "express";

import { LONGEST_BODY } from "../body.ts";
import { ask, begin, waitFor, waitUntilStill } from "./client.ts";
import { proxyTo, recorder, stub } from "./servers.ts";

const dataset = "/api/scanner/training-data/BTC/USDT";
const json = { "content-type": "application/json" };

test("an answer passes piece by piece, before it is complete", async (t) => {
  let answering: ServerResponse | undefined;
  const scanner = await stub(t, (_request, response) => {
    answering = response.writeHead(200, json);
    response.write('{"first":1');
  });
  const answer = await begin((await proxyTo(t, scanner)).url, dataset);
  assert.equal(String(await once(answer, "data")), '{"first":1');
  answering?.end("}");
  assert.equal(String(await once(answer, "data")), "}");
});

for (const type of ["text/csv; charset=utf-8", "application/vnd.apache.parquet"]) {
  test(`a table passes as it is: ${type}`, async (t) => {
    const bytes = Buffer.from([80, 65, 82, 49, 0, 255, 128]);
    const scanner = await stub(t, (_request, response) => response.writeHead(200, { "content-type": type }).end(bytes));
    const answer = await begin((await proxyTo(t, scanner)).url, dataset);
    assert.equal(answer.headers["content-type"], type);
    assert.deepEqual(Buffer.concat(await answer.toArray()), bytes);
  });
}

test("an answer is packed where the client can unpack it, and stays so", async (t) => {
  const scanner = await stub(t, (request, response) => {
    const accepted = request.headers["accept-encoding"];
    const head = { ...json, vary: "Accept-Encoding", ...(accepted === "gzip" && { "content-encoding": "gzip" }) };
    response.writeHead(200, head).end(accepted ?? "plain");
  });
  const proxy = await proxyTo(t, scanner);
  const ways: readonly (readonly [Record<string, string>, string, string | undefined])[] = [
    [{}, "plain", undefined],
    [{ "accept-encoding": "br" }, "br", undefined],
    [{ "accept-encoding": "gzip" }, "gzip", "gzip"],
  ];
  for (const [headers, body, encoding] of ways) {
    const answer = await begin(proxy.url, dataset, { headers });
    assert.deepEqual([answer.headers.vary, answer.headers["content-encoding"]], ["Accept-Encoding", encoding]);
    assert.equal(String(Buffer.concat(await answer.toArray())), body);
  }
});

test("a slow client slows the scanner down, and may be slower than the time-out", async (t) => {
  const whole = 64 * 2 ** 20;
  let sent = 0;
  const scanner = await stub(t, (_request, response) => {
    const piece = Buffer.alloc(2 ** 20, " ");
    response.writeHead(200, { ...json, "content-length": whole });
    const more = (): void => {
      while (sent < whole) {
        sent += piece.length;
        if (!response.write(piece)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  });
  const proxy = await proxyTo(t, scanner, { env: { SCANNER_API_TIMEOUT_MS: "200" } });
  const answer = await begin(proxy.url, dataset);
  await waitUntilStill(() => sent); // several time-outs long
  assert.ok(sent < whole / 2, `${sent} of ${whole} bytes were taken from the scanner for a client who read none`);
  let received = 0;
  for await (const chunk of answer) received += (chunk as Buffer).length;
  assert.equal(received, whole);
});

test("a scanner that falls silent within an answer is given up", async (t) => {
  const scanner = await stub(t, (_request, response) => void response.writeHead(200, json).write("{"));
  const proxy = await proxyTo(t, scanner, { env: { SCANNER_API_TIMEOUT_MS: "100" } });
  await assert.rejects(ask(proxy.url, dataset), { code: "ECONNRESET" });
  assert.match(proxy.logged.join(), /silent for 100 ms/);
});

test("a scanner that breaks off breaks the client's connection, and nothing else", async (t) => {
  const scanner = await stub(t, (request, response) => {
    if (request.url === "/health") return void response.writeHead(200, json).end("{}");
    response.writeHead(200, { ...json, "content-length": 1000 }).write("{", () => request.socket.destroy());
  });
  const proxy = await proxyTo(t, scanner);
  await assert.rejects(ask(proxy.url, dataset), { code: "ECONNRESET" });
  assert.match(proxy.logged.join(), /broke off/);
  assert.equal((await ask(proxy.url, "/health")).status, 200);
});

for (const moment of ["before", "within"]) {
  test(`a client who leaves ${moment} the answer ends the question to the scanner`, async (t) => {
    let asked = false;
    let ended = false;
    const scanner = await stub(t, (_request, response) => {
      asked = true;
      response.on("close", () => (ended = true));
      if (moment === "within") response.writeHead(200, json).write("{");
    });
    const proxy = await proxyTo(t, scanner);
    const request = http.get(`${proxy.url}${dataset}`).on("error", () => undefined);
    if (moment === "within") await once(request, "response");
    await waitFor(() => asked, "the scanner is asked");
    request.destroy();
    await waitFor(() => ended, "the scanner's connection is closed");
    assert.deepEqual(proxy.logged, []);
  });
}

test("a client who leaves within its own body never reaches the scanner", async (t) => {
  const scanner = await recorder(t);
  let left = false;
  const noticing: RequestHandler = (_request, response, next) => {
    response.on("close", () => (left = true));
    next();
  };
  const proxy = await proxyTo(t, scanner.url, { before: [noticing] });
  const { port } = new URL(proxy.url);
  const client = net.connect(Number(port), "127.0.0.1");
  client.write("POST /api/scanner/scan HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{", () => client.destroy());
  await waitFor(() => left, "the proxy notices");
  assert.equal((await ask(proxy.url, "/health")).status, 200);
  assert.deepEqual([scanner.seen.map(({ url }) => url), proxy.logged], [["/health"], []]);
});

test("a body that is too long is read to its end, refused in JSON and not sent on", async (t) => {
  const scanner = await recorder(t);
  const proxy = await proxyTo(t, scanner.url);
  const sent = (length: number) =>
    ask(proxy.url, "/api/scanner/scan", { method: "POST", body: Buffer.alloc(length, "x") });
  assert.equal((await sent(LONGEST_BODY)).status, 200);
  for (const length of [LONGEST_BODY + 1, 8 * LONGEST_BODY]) {
    const answer = await sent(length);
    assert.deepEqual([answer.status, Object.keys(answer.json as object)], [413, ["error", "message"]]);
  }
  assert.equal(scanner.seen.length, 1);
});
