/** Through the proxy to the real scanner, on its simulated exchange. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { ROUTES } from "../routes.ts";
import { ask, begin, post, waitFor, waitUntilStill } from "./client.ts";
import { startProxy, startScanner, withoutScanner, type Program, type Scanner } from "./processes.ts";

const api = "/api/scanner";

describe("the continuous routes, on the real scanner", { skip: withoutScanner }, () => {
  let scanner: Scanner;
  let proxy: Program;

  before(async () => {
    scanner = await startScanner();
    proxy = await startProxy({ SCANNER_API_URL: scanner.url });
  });
  after(async () => {
    await proxy?.end();
    await scanner?.end();
  });

  test("before a start, signals answer the scanner's own 503", async () => {
    const answer = await ask(proxy.url, `${api}/continuous/signals`);
    const { error, signals } = answer.json as { error: unknown; signals: unknown };
    assert.deepEqual([answer.status, error, signals], [503, "Scanner not running", []]);
  });

  test("training data of a symbol that was never scanned answer the scanner's 404", async () => {
    const answer = await ask(proxy.url, `${api}/training-data/NEVER/USDT`);
    assert.deepEqual([answer.status, Object.keys(answer.json as object)], [404, ["error", "message"]]);
  });

  test("bad input answers the scanner's 400, which names the field", async () => {
    const start = (body: string) => post(proxy.url, `${api}/continuous/start`, body);
    for (const [body, field] of [
      ["{broken", "body"],
      ["[]", "body"],
      ['{"symbols":1}', "symbols"],
    ] as const) {
      const answer = await start(body);
      assert.equal(answer.status, 400);
      assert.match((answer.json as { message: string }).message, new RegExp(`^${field}`));
    }
    assert.equal((await ask(proxy.url, `${api}/continuous/signals?min_score=abc`)).status, 400);
  });

  test("a page of another site may change nothing, and no page of another origin reads an answer", async () => {
    const stop = (headers: Record<string, string>) =>
      post(proxy.url, `${api}/continuous/stop`, undefined, headers).then(({ status }) => status);
    const origin = "http://evil.example";
    assert.equal(await stop({ origin, "sec-fetch-site": "cross-site" }), 403);
    assert.equal(await stop({ origin }), 403);
    assert.equal(await stop({ origin, host: "evil.example" }), 403);
    assert.equal(await stop({ origin: "http://localhost:5173", "sec-fetch-site": "cross-site" }), 200); // a named one
    assert.equal(await stop({ origin: proxy.url }), 200);
    const read = await ask(proxy.url, `${api}/continuous/status`, { headers: { origin: "http://localhost:5173" } });
    assert.deepEqual([read.status, read.headers["access-control-allow-origin"]], [200, undefined]);
  });

  test("a stop without body and type answers when nothing runs", async () => {
    const answer = await post(proxy.url, `${api}/continuous/stop`);
    assert.deepEqual([answer.status, (answer.json as { status: string }).status], [200, "not_running"]);
  });

  test("a start without body and type scans the defaults, and finds signals", async () => {
    const answer = await post(proxy.url, `${api}/continuous/start`);
    const { status, symbols } = answer.json as { status: string; symbols: string[] };
    assert.deepEqual([answer.status, status], [200, "started"]);
    assert.ok(symbols.includes("BTC/USDT"));
    await waitFor(async () => {
      const { signals } = (await ask(proxy.url, `${api}/continuous/signals`)).json as { signals: unknown[] };
      return signals.length > 0;
    }, "signals");
  });

  test("status, market state and signals say what they say directly", async () => {
    const keys = async (base: string, route: string) => Object.keys((await ask(base, route)).json as object).sort();
    for (const route of [
      "/health",
      `${api}/continuous/status`,
      `${api}/continuous/market-state`,
      `${api}/continuous/signals`,
    ]) {
      assert.deepEqual(await keys(proxy.url, route), await keys(scanner.url, route), route);
    }
    const { running } = (await ask(proxy.url, `${api}/continuous/status`)).json as { running: boolean };
    assert.equal(running, true);
  });

  test("filters of the query reach the scanner", async () => {
    const answer = await ask(proxy.url, `${api}/continuous/signals?symbol=ETH%2FUSDT&timeframe=1h&limit=1`);
    const { signals } = answer.json as { signals: { symbol: string; timeframe: string }[] };
    assert.deepEqual(
      signals.map(({ symbol, timeframe }) => [symbol, timeframe]),
      [["ETH/USDT", "1h"]],
    );
  });

  test("a parameter that the scanner does not know is refused by the scanner, on every route", async () => {
    for (const { method, path: route } of ROUTES) {
      const asked = `${route.replace("*symbol", "BTC/USDT")}?min_scor=70`;
      const [proxied, direct] = await Promise.all([proxy.url, scanner.url].map((url) => ask(url, asked, { method })));
      assert.deepEqual([proxied?.status, proxied?.text], [400, direct?.text], asked);
    }
  });

  for (const symbol of ["BTC/USDT", "BTC%2FUSDT", "btc-usdt", "simulated:BTC/USDT", "simulated%3ABTC%2FUSDT"]) {
    test(`confluence and training data know ${symbol}`, async () => {
      const confluence = await ask(proxy.url, `${api}/continuous/confluence/${symbol}?min_score=60`);
      assert.equal(confluence.status, 200, confluence.text);
      const data = await ask(proxy.url, `${api}/training-data/${symbol}?days=30`);
      assert.equal(data.status, 200, data.text);
      assert.equal((data.json as { days: number }).days, 30);
    });
  }

  test("a symbol that climbs out of its folder is refused by the scanner", async () => {
    for (const symbol of ["..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"]) {
      const answer = await ask(proxy.url, `${api}/training-data/${symbol}`);
      assert.deepEqual([answer.status, Object.keys(answer.json as object)], [400, ["error", "message"]]);
    }
  });

  test("a stop ends the scan", async () => {
    const answer = await post(proxy.url, `${api}/continuous/stop`);
    assert.deepEqual([answer.status, (answer.json as { status: string }).status], [200, "stopped"]);
  });
});

describe("the base routes, on the real scanner", { skip: withoutScanner }, () => {
  let scanner: Scanner;
  let proxy: Program;

  before(async () => {
    scanner = await startScanner({ SCANNER_API_KEY: "shared" });
    proxy = await startProxy({ SCANNER_API_URL: scanner.url, SCANNER_API_KEY: "shared" });
  });
  after(async () => {
    await proxy?.end();
    await scanner?.end();
  });

  test("the proxy's key opens what the scanner keeps closed; a wrong key is the client's own", async () => {
    assert.equal((await post(scanner.url, `${api}/reset`)).status, 401);
    assert.equal((await post(proxy.url, `${api}/reset`)).status, 200);
    const refused = await post(proxy.url, `${api}/reset`, undefined, { authorization: "Bearer wrong" });
    assert.deepEqual([refused.status, refused.headers["www-authenticate"]], [401, 'Bearer error="invalid_token"']);
  });

  test("the proxy's key opens nothing for a strange page", async () => {
    for (const path of [`${api}/reset`, `${api}/continuous/stop`, `${api}/scan`]) {
      assert.equal((await post(proxy.url, path, undefined, { origin: "http://evil.example" })).status, 403);
    }
  });

  test("a scan is accepted with 202, and status tells its end", async () => {
    assert.equal((await post(proxy.url, `${api}/initialize`)).status, 202);
    assert.equal((await post(proxy.url, `${api}/scan`, '{"timeframe":"medium","minStrength":0}')).status, 202);
    await waitFor(async () => {
      const { last_scan: last } = (await ask(proxy.url, `${api}/status`)).json as { last_scan: string | null };
      return last !== null;
    }, "the scan ends");
    const answer = await ask(proxy.url, `${api}/signals?minStrength=0`);
    const { signals, filters } = answer.json as { signals: unknown[]; filters: { signals: unknown[] } };
    assert.ok(answer.status === 200 && signals.length > 0 && filters.signals.length > 0);
  });

  test("a scan that is waited for answers 200 with its signals", async () => {
    const answer = await post(proxy.url, `${api}/scan`, '{"sync":true}');
    assert.equal(answer.status, 200, answer.text);
    assert.ok(Array.isArray((answer.json as { signals: unknown }).signals));
  });

  test("multi-timeframe and position answer what they answer directly", async () => {
    const timeframes = await post(proxy.url, `${api}/multi-timeframe`, '{"symbol":"BTC/USDT"}');
    assert.deepEqual([timeframes.status, (timeframes.json as { symbol: string }).symbol], [200, "BTC/USDT"]);
    const key = { authorization: "Bearer shared" };
    for (const body of ['{"entryPrice":100,"stopLoss":96}', '{"entryPrice":0}', '{"entryPrice":"x"}']) {
      const [direct, proxied] = await Promise.all([
        post(scanner.url, "/api/position/calculate", body, key),
        post(proxy.url, "/api/position/calculate", body),
      ]);
      assert.deepEqual([proxied.status, proxied.text], [direct.status, direct.text]);
    }
  });

  test("bad input answers the scanner's 400", async () => {
    assert.equal((await ask(proxy.url, `${api}/signals?minStrength=abc`)).status, 400);
    assert.equal((await post(proxy.url, `${api}/scan`, "{broken")).status, 400);
  });

  test("neither program prints the key", () => {
    assert.doesNotMatch(proxy.output() + scanner.output(), /shared/);
  });
});

describe("a dataset of 50 MB, on the real scanner", { skip: withoutScanner }, () => {
  const route = `${api}/training-data/simulated:BTC/USDT?days=60`;
  const wanted = 50_000_000;
  let scanner: Scanner;
  let proxy: Program;

  before(async () => {
    scanner = await startScanner();
    proxy = await startProxy({ SCANNER_API_URL: scanner.url });
    await writeSignals(path.join(scanner.dataFolder, "signals"), 50, wanted / 50);
  });
  after(async () => {
    await proxy?.end();
    await scanner?.end();
  });

  test(
    "does not gather in the proxy for a client who is slow",
    { skip: !existsSync("/proc/self/status") },
    async () => {
      await ask(proxy.url, "/health");
      const before = peakMemory(proxy);
      const answer = await begin(proxy.url, route);
      await waitUntilStill(() => peakMemory(proxy)); // nobody reads yet
      const grown = peakMemory(proxy) - before;
      assert.ok(grown < wanted / 3, `the proxy grew by ${grown} bytes`);
      let length = 0;
      for await (const chunk of answer) length += (chunk as Buffer).length;
      assert.ok(length > wanted, `${length} bytes`);
    },
  );

  test("arrives to the last byte", async () => {
    assert.deepEqual(await digestOf(proxy.url), await digestOf(scanner.url));
  });

  test("breaks off when the scanner is killed, and the proxy lives", async () => {
    const answer = await begin(proxy.url, route);
    await once(answer, "readable");
    await scanner.end("SIGKILL");
    await assert.rejects(
      async () => {
        for await (const chunk of answer) assert.ok(chunk);
      },
      { code: "ECONNRESET" },
    );
    const { status, json } = await ask(proxy.url, `${api}/continuous/status`);
    assert.deepEqual([status, (json as { running: boolean }).running], [503, false]);
    assert.equal(proxy.child.exitCode, null);
  });

  async function digestOf(base: string): Promise<string> {
    const hash = createHash("sha256");
    for await (const chunk of await begin(base, route)) hash.update(chunk as Buffer);
    return hash.digest("hex");
  }
});

/** Signals of the last `days` days, `bytes` for each day, as the scanner files them. */
async function writeSignals(folder: string, days: number, bytes: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let day = 0; day < days; day++) {
    const date = new Date(Date.now() - day * 86_400_000).toISOString().slice(0, 10);
    const record = JSON.stringify({
      symbol: "BTC/USDT",
      exchange: "simulated",
      timestamp: `${date}T00:00:00+00:00`,
      note: "x".repeat(900),
    });
    const count = Math.ceil(bytes / record.length);
    await writeFile(
      path.join(folder, `simulated_BTCUSDT_${date}.json`),
      `[\n${Array(count).fill(record).join(",\n")}\n]`,
    );
  }
}

/** The most memory that `program` has held so far, in bytes. */
function peakMemory({ child }: Program): number {
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
