/** The proxy as a program: the scanner's routes on PORT, until SIGTERM or SIGINT. */

import type { AddressInfo } from "node:net";

import express from "express";

import { registerScannerRoutes } from "./routes.ts";
import { readAddress, readSettings, SettingError, type Address } from "./settings.ts";

const LAST_ANSWERS_MS = 5_000;

function serve({ host, port }: Address): void {
  const app = express().disable("x-powered-by");
  registerScannerRoutes(app);
  app.use((request, response) => {
    response.status(404).json({ error: "Not Found", message: `no route for ${request.method} ${request.path}` });
  });
  const server = app.listen(port, host, (error?: Error) => {
    if (error) end(`cannot listen on ${host}:${port}: ${error.message}`);
    else console.log(`proxy: listening on http://${inUrl(host)}:${(server.address() as AddressInfo).port}`);
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      server.close();
      setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS).unref();
    });
  }
}

function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function end(reason: string): never {
  console.error(`proxy: ${reason}`);
  process.exit(2);
}

try {
  readSettings(process.env); // a typing error is better told now than at the first request
  serve(readAddress(process.env));
} catch (error) {
  if (!(error instanceof SettingError)) throw error;
  end(error.message);
}
