/** The guide's examples for Node and React, run as they stand there. */

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";

import express from "express";
import type { Browser, Page } from "playwright-core";

import { launchBrowser, pageOf, withoutBrowser } from "./browsers.ts";
import { ask, post, waitFor } from "./client.ts";
import { ROOT, startFile, startScanner, withoutScanner, type Program, type Scanner } from "./processes.ts";
import { listen, nobody, proxyTo } from "./servers.ts";
import { BRISK, COLOURS, strongSignals, SYMBOLS, type Signal } from "./strong.ts";

const GUIDE = "docs/CONTINUOUS_SCANNER_GUIDE.md";
const MOUNT = `
import { createRoot } from "react-dom/client";
createRoot(document.body.appendChild(document.createElement("main"))).render(<Scanner symbols={window.symbols} />);`;
const api = "/api/scanner/continuous";

test("no page but the guide has an example in TypeScript, and the guide has one of each kind", async () => {
  const pages = (await readdir(path.join(ROOT, "docs"))).map((name) => `docs/${name}`);
  for (const page of ["README.md", ...pages]) {
    for (const language of ["ts", "tsx"]) {
      assert.equal((await blocksOf(page, language)).length, page === GUIDE ? 1 : 0, `${language} in ${page}`);
    }
  }
});

describe("the guide's component for React", { skip: withoutScanner || withoutBrowser }, () => {
  let browser: Browser;

  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  test("starts a scan and shows its signals, behind the proxy", async (t) => {
    const scanner = await startScanner(BRISK);
    t.after(() => scanner.end("SIGKILL"));
    const proxy = await proxyTo(t, scanner.url, { before: [await pageOf(await component(), SYMBOLS)] });
    await starts(await opened(browser, proxy.url), scanner);
  });

  test("does so from an origin of its own that the scanner names", async (t) => {
    const app = express();
    const origin = await listen(t, http.createServer(app));
    const scanner = await startScanner({ ...BRISK, SCANNER_CORS_ORIGINS: origin });
    t.after(() => scanner.end("SIGKILL"));
    app.use(await pageOf(await component(`${scanner.url}${api}`), SYMBOLS));
    await starts(await opened(browser, origin), scanner);
  });
});

describe("the guide's program for Node", { skip: withoutScanner }, () => {
  let scanner: Scanner;

  before(async () => {
    scanner = await startScanner();
  });
  after(() => scanner?.end("SIGKILL"));

  test("serves every answer of the scanner, and its own where there is none", async (t) => {
    const program = await exampleProgram(t, scanner);
    const started = await post(program.url, `${api}/start`, '{"symbols":["BTC/USDT","ETH/USDT"]}');
    assert.deepEqual([started.status, (started.json as { status: string }).status], [200, "started"]);
    await waitFor(async () => {
      const { json } = await ask(program.url, `${api}/signals?symbol=ETH/USDT`);
      const { signals } = json as { signals: Signal[] };
      return signals.length === 4 && signals.every(({ symbol }) => symbol === "ETH/USDT");
    }, "signals of four timeframes");
    for (const route of ["/confluence/BTC/USDT", "/market-state", "/status"]) {
      const [through, direct] = await Promise.all([program.url, scanner.url].map((url) => ask(url, `${api}${route}`)));
      assert.deepEqual([through?.status, keysOf(through?.json)], [200, keysOf(direct?.json)], route);
    }
    assert.equal((await ask(program.url, `${api}/signals?min_score=abc`)).status, 400);

    await scanner.end("SIGKILL");
    for (const [route, status, fields] of [
      ["/api/scanner/status", 503, { status: "unavailable" }],
      [`${api}/status`, 503, { running: false }],
      [`${api}/signals`, 500, { signals: [] }],
      [`${api}/market-state`, 500, {}],
    ] as const) {
      const answer = await ask(program.url, route);
      const { error, message, ...others } = answer.json as Record<string, unknown>;
      assert.deepEqual([answer.status, others, error], [status, fields, "Scanner unavailable"], route);
      await waitFor(() => program.output().includes(`GET ${route}: ${String(message)}`), `a line about ${route}`);
    }
  });
});

/** The page has started the scan, and lists what the scanner then finds, in colours, with badges and the market. */
async function starts(page: Page, scanner: Scanner): Promise<void> {
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(error.message));
  const [started] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith("/start")),
    page.getByText("Start Continuous Mode").click(),
  ]);
  assert.equal(started.status(), 200);
  await strongSignals(scanner);
  const aligned = new Map<string, boolean>();
  page.on("response", async (response) => {
    const symbol = /\/confluence\/(.+)$/.exec(response.url())?.[1];
    if (symbol !== undefined) aligned.set(symbol, isAligned(await response.json()));
  });
  const [polled] = await Promise.all([
    page.waitForResponse((response) => response.url().includes("/signals?")),
    page.clock.runFor(30_000),
  ]);
  const { signals } = (await polled.json()) as { signals: Signal[] };
  assert.ok(signals.length > 0);
  await waitFor(() => signals.every(({ symbol }) => aligned.has(symbol)), "an answer for every badge");
  const expected = signals.map(({ symbol, timeframe, signal_type: type, combined_score: score }) => ({
    text: `${symbol} ${timeframe} ${type} ${score.toFixed(1)}${aligned.get(symbol) ? " all 4 timeframes" : ""}`,
    colour: COLOURS[type] ?? "grey",
  }));
  const items = page.locator("li");
  const shown = () => items.evaluateAll((all) => all.map((one) => ({ text: one.textContent, colour: one.style.color })));
  await waitFor(async () => JSON.stringify(await shown()) === JSON.stringify(expected), "the list is on the page");
  assert.match(await page.locator("p").innerText(), /^Breadth [01]\.\d\d \((bullish|bearish|neutral)\), volatility \w+$/);
  assert.deepEqual(troubles, []);
}

function isAligned(confluence: unknown): boolean {
  const { bullish_timeframes: up, bearish_timeframes: down } = confluence as Record<string, number>;
  return up === 4 || down === 4;
}

/** A page whose time is in our hand. */
async function opened(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage();
  const now = Date.now();
  await page.clock.install({ time: now });
  await page.goto(url);
  await page.clock.pauseAt(now + 20_000);
  return page;
}

/** The guide's component on a page, asking at `base` where one is given. */
async function component(base = api): Promise<{ contents: string; resolveDir: string; loader: "tsx" }> {
  const [block = ""] = await blocksOf(GUIDE, "tsx");
  const own = `const API = "${api}";`;
  assert.ok(block.includes(own));
  const contents = block.replace(own, `const API = "${base}";`) + MOUNT;
  return { contents, resolveDir: import.meta.dirname, loader: "tsx" };
}

/** The guide's program at a port that is free, in front of `scanner`. */
async function exampleProgram(t: TestContext, scanner: Scanner): Promise<Program> {
  const folder = await mkdtemp(path.join(tmpdir(), "guide-"));
  for (const linked of ["server", "node_modules"]) await symlink(path.join(ROOT, linked), path.join(folder, linked));
  await writeFile(path.join(folder, "package.json"), '{"type": "module"}');
  const [block = ""] = await blocksOf(GUIDE, "ts");
  const url = await nobody(t);
  assert.ok(block.includes("app.listen(5000,"));
  await writeFile(path.join(folder, "app.ts"), block.replace("app.listen(5000,", `app.listen(${new URL(url).port},`));
  const program = await startFile(folder, "app.ts", url, { SCANNER_API_URL: scanner.url });
  t.after(async () => {
    await program.end();
    await rm(folder, { recursive: true });
  });
  return program;
}

async function blocksOf(page: string, language: string): Promise<string[]> {
  const text = await readFile(path.join(ROOT, page), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, block = ""]) => block);
}

function keysOf(value: unknown): string[] {
  return Object.keys(value as object).sort();
}
