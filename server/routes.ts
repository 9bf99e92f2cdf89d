/**
 * The scanner's HTTP API on an Express application: which routes there are, and what each answers when the scanner does
 * not. Everything else about a request is the scanner's business.
 */

import type { IRouter, NextFunction, Request, Response } from "express";

import { forward, type Failure } from "./forward.ts";
import { readSettings, type Environment } from "./settings.ts";

export interface Route {
  readonly method: "get" | "post";
  readonly path: string;
  readonly failure: Failure;
  /** How long the scanner may be silent, where SCANNER_API_TIMEOUT_MS does not say. */
  readonly timeoutMs?: number;
}

export interface Options {
  /** Read at every request; the process's own by default. */
  readonly env?: Environment;
  /** Takes a line for every request that the scanner did not answer. */
  readonly log?: (line: string) => void;
}

const TIMEOUT_MS = 30_000;
const WHOLE_SCAN_MS = 180_000; // a scan may be asked to answer when it is done

const DATASET_MS = 120_000; // what is to be sent is made out before the first byte

const plain: Failure = { status: 500, fields: {} };
const noSignals: Failure = { status: 500, fields: { signals: [] } };
const unavailable: Failure = { status: 503, fields: { status: "unavailable" } };
const notReady: Failure = { status: 503, fields: { ready: false } };
const notRunning: Failure = { status: 503, fields: { running: false } };

export const ROUTES: readonly Route[] = [
  { method: "get", path: "/health", failure: plain },
  { method: "get", path: "/ready", failure: notReady },
  { method: "post", path: "/api/scanner/scan", failure: plain, timeoutMs: WHOLE_SCAN_MS },
  { method: "get", path: "/api/scanner/signals", failure: plain },
  { method: "get", path: "/api/scanner/status", failure: unavailable },
  { method: "post", path: "/api/scanner/initialize", failure: plain },
  { method: "post", path: "/api/scanner/reset", failure: plain },
  { method: "post", path: "/api/scanner/multi-timeframe", failure: plain },
  { method: "post", path: "/api/position/calculate", failure: plain },
  { method: "post", path: "/api/scanner/continuous/start", failure: plain },
  { method: "post", path: "/api/scanner/continuous/stop", failure: plain },
  { method: "get", path: "/api/scanner/continuous/status", failure: notRunning },
  { method: "get", path: "/api/scanner/continuous/signals", failure: noSignals },
  { method: "get", path: "/api/scanner/continuous/confluence/*symbol", failure: plain },
  { method: "get", path: "/api/scanner/continuous/market-state", failure: plain },
  { method: "get", path: "/api/scanner/continuous/freshness", failure: plain },
  { method: "get", path: "/api/scanner/continuous/gaps", failure: plain },
  { method: "get", path: "/api/scanner/training-data/*symbol/features", failure: plain, timeoutMs: DATASET_MS },
  { method: "get", path: "/api/scanner/training-data/*symbol", failure: plain, timeoutMs: DATASET_MS },
];

/**
 * Adds every route of the table to `app`. Routes registered before keep their paths.
 *
 * A body parser may come before or after; before is better, as bodies then stream and only the scanner judges them.
 */
export function registerScannerRoutes(app: IRouter, options: Options = {}): void {
  const { env = process.env, log = console.error } = options;
  for (const { method, path, failure, timeoutMs = TIMEOUT_MS } of ROUTES) {
    app[method](path, (request: Request, response: Response) =>
      forward(request, response, {
        path: path.replace("*symbol", () => encodeURIComponent(symbolOf(request))),
        failure,
        timeoutMs,
        readSettings: () => readSettings(env),
        log,
      }),
    );
  }
  app.use("/api/scanner", refuseBrokenEncoding);
}

/** `BTC/USDT`, however its slash was written. */
function symbolOf(request: Request): string {
  const segments = request.params.symbol;
  return Array.isArray(segments) ? segments.join("/") : (segments ?? "");
}

/** A symbol such as `%ZZ`, which Express cannot decode. */
function refuseBrokenEncoding(error: unknown, _request: Request, response: Response, next: NextFunction): void {
  if (!(error instanceof URIError)) return next(error);
  response.status(400).json({ error: "Invalid input", message: "path: is not valid percent-encoding" });
}
