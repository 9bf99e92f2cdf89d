/** The calls that frontend developers are given, run as they are in a real browser against the proxy. */

import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { build } from "esbuild";
import type { RequestHandler } from "express";
import { chromium, type Browser, type Page, type Response } from "playwright-core";

import { ask, waitFor } from "./client.ts";
import { startScanner, withoutScanner, type Scanner } from "./processes.ts";
import { proxyTo } from "./servers.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const executable = process.env.CHROMIUM ?? findProgram(NAMES);
const skip = withoutScanner || (executable === undefined && `no browser: none of ${NAMES.join(", ")} is installed`);

const COINS = "BTC ETH SOL BNB XRP ADA DOGE DOT LINK POL PEPE WIF BONK INJ SUI OP ARB FET";
const SYMBOLS = COINS.split(" ").map((coin) => `${coin}/USDT`);
const COLOURS: Readonly<Record<string, string>> = {
  MOMENTUM_BUY: "green",
  MOMENTUM_SELL: "red",
  REVERSION_BULLISH: "blue",
  REVERSION_BEARISH: "orange",
};

interface Signal {
  readonly symbol: string;
  readonly timeframe: string;
  readonly signal_type: string;
}

describe("a page with the frontend's calls", { skip }, () => {
  let scanner: Scanner;
  let browser: Browser;

  before(async () => {
    scanner = await startScanner();
    browser = await chromium.launch({
      executablePath: executable ?? "",
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [], // the sandbox cannot start as root
    });
  });
  after(async () => {
    await browser?.close();
    await scanner?.end();
  });

  test("starts a scan, polls every 30 s, shows market state, and outlives the scanner", async (t) => {
    const proxy = await proxyTo(t, scanner.url, { before: [await pageHandler()] });
    const page = await browser.newPage();
    const troubles: string[] = [];
    const asked: string[] = [];
    page.on("pageerror", (error) => troubles.push(error.message));
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    const polls = () => asked.filter((route) => route === "/api/scanner/continuous/signals").length;
    const opened = Date.now();
    await page.clock.install({ time: opened });
    await page.goto(proxy.url);
    await page.clock.pauseAt(opened + 20_000); // from here the page's time is in our hand

    const started = await answerTo(page, "start", () => page.getByText("Start Continuous Mode").click());
    assert.equal(started.request().headers()["content-type"], "text/plain;charset=UTF-8"); // none was given
    assert.equal(started.status(), 200, await started.text());
    assert.deepEqual(((await started.json()) as { symbols: string[] }).symbols, SYMBOLS);

    const market = await answerTo(page, "market-state", () => page.getByText("Show market state").click());
    const { market_state: state } = (await market.json()) as { market_state: { volatility_regime: string } };
    await page.getByText(`volatility ${state.volatility_regime}, bias`).waitFor();

    await strongSignals(scanner);
    await page.clock.runFor(9_000);
    assert.equal(polls(), 0);
    const polled = await answerTo(page, "signals", () => page.clock.runFor(21_000));
    const { signals } = (await polled.json()) as { signals: Signal[] };
    assert.ok(signals.length > 0);
    await shows(page, signals);
    await page.locator("#signals li small").first().waitFor(); // an answer about a symbol with %2F

    await scanner.end("SIGKILL");
    const failed = await answerTo(page, "signals", () => page.clock.runFor(30_000));
    assert.equal(failed.status(), 500);
    await shows(page, []);

    await page.evaluate("unmount()");
    await page.clock.runFor(90_000);
    assert.equal(polls(), 2);
    assert.deepEqual(troubles, []);
  });
});

/** What the proxy answers to the call that `act` makes the page do. */
async function answerTo(page: Page, route: string, act: () => Promise<void>): Promise<Response> {
  const answer = page.waitForResponse((response) => response.url().includes(`/api/scanner/continuous/${route}`));
  await act();
  return answer;
}

/** The page lists just these signals, each in the colour of its type. */
async function shows(page: Page, signals: readonly Signal[]): Promise<void> {
  const items = page.locator("#signals li");
  await waitFor(async () => (await items.count()) === signals.length, `${signals.length} signals on the page`);
  for (const [index, { symbol, timeframe, signal_type: type }] of signals.entries()) {
    assert.match(await items.nth(index).innerText(), new RegExp(`^${symbol} ${timeframe} ${type} `));
    assert.equal(await items.nth(index).getAttribute("style"), `color: ${COLOURS[type] ?? "grey"};`);
  }
}

async function strongSignals({ url }: Scanner): Promise<void> {
  await waitFor(async () => {
    const { json } = await ask(url, "/api/scanner/continuous/signals?min_score=60");
    return (json as { signals: unknown[] }).signals.length > 0;
  }, "signals of 60 and more");
}

/** Serves the page and its script. */
async function pageHandler(): Promise<RequestHandler> {
  const entry = path.join(import.meta.dirname, "page", "page.tsx");
  const options = { bundle: true, write: false, define: { "process.env.NODE_ENV": '"production"' } } as const;
  const script = (await build({ entryPoints: [entry], ...options })).outputFiles[0]?.text ?? "";
  const html = `<!doctype html><title>Scanner</title><link rel="icon" href="data:,"><body>
    <script>window.symbols = ${JSON.stringify(SYMBOLS)}</script><script src="/page.js"></script>`;
  return (request, response, next) => {
    if (request.path === "/") response.type("html").send(html);
    else if (request.path === "/page.js") response.type("js").send(script);
    else next();
  };
}

function findProgram(names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
