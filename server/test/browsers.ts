/** A real headless browser, where one is installed, and pages for it that are bundled from TSX. */

import { accessSync, constants } from "node:fs";
import path from "node:path";

import { build, type StdinOptions } from "esbuild";
import type { RequestHandler } from "express";
import { chromium, type Browser } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const executable = process.env.CHROMIUM ?? findProgram(NAMES);

/** Why pages cannot be opened; false where they can. */
export const withoutBrowser = executable === undefined && `no browser: none of ${NAMES.join(", ")} is installed`;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: executable ?? "",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [], // the sandbox cannot start as root
  });
}

/** Serves a page with the script of `entry`, a file or a text; the script finds `symbols` in its window. */
export async function pageOf(entry: string | StdinOptions, symbols: readonly string[]): Promise<RequestHandler> {
  const source = typeof entry === "string" ? { entryPoints: [entry] } : { stdin: entry };
  const settings = { jsx: "automatic", define: { "process.env.NODE_ENV": '"production"' } } as const;
  const script = (await build({ ...source, ...settings, bundle: true, write: false })).outputFiles[0]?.text ?? "";
  const html = `<!doctype html><title>Scanner</title><link rel="icon" href="data:,"><body>
    <script>window.symbols = ${JSON.stringify(symbols)}</script><script src="/page.js"></script>`;
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
