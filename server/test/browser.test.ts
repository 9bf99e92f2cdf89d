/** The calls that frontend developers are given, run as they are in a real browser against the proxy. */

import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import type { Browser, Page, Response } from "playwright-core";

import { launchBrowser, pageOf, withoutBrowser } from "./browsers.ts";
import { waitFor } from "./client.ts";
import { startScanner, withoutScanner, type Scanner } from "./processes.ts";
import { proxyTo } from "./servers.ts";
import { BRISK, COLOURS, strongSignals, SYMBOLS, type Signal } from "./strong.ts";

const PAGE = path.join(import.meta.dirname, "page", "page.tsx");

describe("a page with the frontend's calls", { skip: withoutScanner || withoutBrowser }, () => {
  let scanner: Scanner;
  let browser: Browser;

  before(async () => {
    scanner = await startScanner(BRISK);
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await scanner?.end();
  });

  test("starts a scan, polls every 30 s, shows market state, and outlives the scanner", async (t) => {
    const proxy = await proxyTo(t, scanner.url, { before: [await pageOf(PAGE, SYMBOLS)] });
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
