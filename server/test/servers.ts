/** The two sides of the proxy in one process: an application with our routes, and a scanner that says what it is told. */

import http, { type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

import express, { type RequestHandler } from "express";

import { registerScannerRoutes } from "../routes.ts";

export interface Proxy {
  readonly url: string;
  readonly logged: string[];
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An application with nothing but our routes, and whatever comes `before` them. */
export async function proxyTo(
  t: TestContext,
  scanner: string,
  { env = {}, before = [] }: { env?: Record<string, string>; before?: RequestHandler[] } = {},
): Promise<Proxy> {
  const logged: string[] = [];
  const app = express();
  for (const handler of before) app.use(handler);
  env.SCANNER_API_URL ??= scanner;
  registerScannerRoutes(app, { env, log: (line) => logged.push(line) });
  return { url: await listen(t, http.createServer(app)), logged };
}

/** A scanner that answers every request with `listener`. */
export function stub(t: TestContext, listener: RequestListener): Promise<string> {
  return listen(t, http.createServer(listener));
}

/** A scanner that answers `{}` and keeps what it was asked. */
export async function recorder(t: TestContext): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const url = await stub(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url: asked = "", headers } = request;
    seen.push({ method, url: asked, headers, body: Buffer.concat(chunks).toString() });
    response.setHeader("content-type", "application/json").end("{}");
  });
  return { url, seen };
}

/** An address where nobody listens. */
export async function nobody(t: TestContext): Promise<string> {
  const server = http.createServer();
  const url = await listen(t, server);
  await new Promise((resolve) => server.close(resolve));
  return url;
}

/** Its address, on a free port; it ends with the test. */
export async function listen(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
