/**
 * One request to the scanner, and its answer back.
 *
 * Status, body and the headers that describe it pass through as they are, as a stream. What this file adds is the answer
 * where there is none: the scanner cannot be reached, falls silent, or says something that is not JSON and no table.
 */

import http, { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import { pipeline } from "node:stream/promises";
import { urlToHttpOptions } from "node:url";

import type { Request, Response } from "express";

import { BodyTooLong, bodyOf } from "./body.ts";
import { isOwn } from "./origins.ts";
import type { Settings } from "./settings.ts";

/** What a client gets instead of an answer; `error` and `message` are added to the fields. */
export interface Failure {
  readonly status: 500 | 503;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Call {
  /** Path at the scanner, encoded, without the query. */
  readonly path: string;
  readonly failure: Failure;
  /** How long nothing may move, where the settings name no time. */
  readonly timeoutMs: number;
  readonly readSettings: () => Settings;
  readonly log: (line: string) => void;
}

type Target = http.RequestOptions & { readonly timeout: number };

const VIA = "1.1 scanner-proxy";
const PASSED_BACK = [
  "content-type",
  "content-length",
  "content-encoding",
  "content-disposition",
  "vary",
  "cache-control",
  "retry-after",
  "www-authenticate",
];

/** Answers `response` with what the scanner says to `request`. Never rejects. */
export async function forward(request: Request, response: Response, call: Call): Promise<void> {
  try {
    const answer = await ask(request, response, call);
    response.writeHead(answer.statusCode ?? 500, passedBack(answer.headers));
    await pipeline(answer, response); // an answer cut short cuts the client's connection: half a body is no body
  } catch (error) {
    if (hasLeft(response, error)) return;
    if (error instanceof BodyTooLong) return refuse(response, error);
    const reason = reasonOf(error, response.headersSent);
    call.log(`${request.method} ${call.path}: ${reason}`);
    if (!response.headersSent) fail(response, call.failure, reason);
  }
}

/** The scanner's answer, its body still to be read. Rejects where there is none, or none in JSON. */
async function ask(request: Request, response: Response, call: Call): Promise<IncomingMessage> {
  const settings = call.readSettings();
  refuseCircle(request.headers);
  const own = isOwn(request.headers, settings.origins);
  const body = request.method === "POST" ? await bodyOf(request) : undefined;
  const target = {
    ...urlToHttpOptions(settings.scanner),
    path: upstreamPath(settings.scanner, call.path, request.originalUrl),
    method: request.method,
    headers: {
      via: VIA,
      ...authorization(request.headers, own ? settings.apiKey : undefined),
      ...(own ? {} : strangeOrigin(request.headers)),
      ...packing(request.headers),
      ...description(body),
    },
    agent: false, // a kept connection may be closed by the scanner's server just as the next request is sent
    timeout: settings.timeoutMs ?? call.timeoutMs,
  };
  const answer = await send(target, body, response);
  if (!isOurs(answer.headers["content-type"])) {
    answer.destroy();
    throw new Error(`the scanner answered ${answer.statusCode} ${answer.statusMessage}, and not in JSON`);
  }
  return answer;
}

/** Sends one request, which ends when `response` does. */
function send(target: Target, body: Buffer | undefined, response: Response): Promise<IncomingMessage> {
  const outgoing = (target.protocol === "https:" ? https : http).request(target);
  response.once("close", () => outgoing.destroy());
  return new Promise((resolve, reject) => {
    let answer: IncomingMessage | undefined;
    outgoing.on("response", (begun) => resolve((answer = begun)));
    outgoing.on("error", reject);
    outgoing.on("timeout", () => {
      if (response.writableNeedDrain) return void outgoing.setTimeout(target.timeout); // it is the client who is slow
      (answer ?? outgoing).destroy(new Error(`the scanner was silent for ${target.timeout} ms`));
    });
    outgoing.end(body);
  });
}

/** A SCANNER_API_URL that names this proxy would have it ask itself without end. */
function refuseCircle(headers: IncomingHttpHeaders): void {
  if (headers.via?.includes(VIA)) throw new Error("SCANNER_API_URL leads back to this proxy");
}

function upstreamPath(scanner: URL, path: string, originalUrl: string): string {
  const query = originalUrl.indexOf("?");
  return scanner.pathname.replace(/\/$/, "") + path + (query < 0 ? "" : originalUrl.slice(query));
}

/** The client's own authorization, else the key that is lent to it, if one is. */
function authorization({ authorization }: IncomingHttpHeaders, lent: string | undefined): OutgoingHttpHeaders {
  if (authorization !== undefined) return { authorization };
  return lent !== undefined ? { authorization: `Bearer ${lent}` } : {};
}

/** Where a strange page comes from: the scanner refuses what it would change. */
function strangeOrigin({ origin }: IncomingHttpHeaders): OutgoingHttpHeaders {
  return origin !== undefined ? { origin } : {};
}

/** How the client can unpack long answers. */
function packing({ "accept-encoding": accepted }: IncomingHttpHeaders): OutgoingHttpHeaders {
  return accepted !== undefined ? { "accept-encoding": accepted } : {};
}

/** JSON whatever the client called it: a browser calls a text without a type text/plain. */
function description(body: Buffer | undefined): OutgoingHttpHeaders {
  return body === undefined ? {} : { "content-type": "application/json", "content-length": body.length };
}

function passedBack(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => PASSED_BACK.includes(name)));
}

/** Whether it is something the scanner says: JSON, or a table where one was asked for. */
function isOurs(contentType: string | undefined): boolean {
  return /^(application\/(([\w.-]+\+)?json|vnd\.apache\.parquet)|text\/csv)\s*(;|$)/i.test(contentType ?? "");
}

/** Whether it was the client who went away, before or within the answer. */
function hasLeft(response: Response, error: unknown): boolean {
  return codeOf(error) === "ERR_STREAM_PREMATURE_CLOSE" || (response.destroyed && !response.headersSent);
}

function fail(response: Response, failure: Failure, reason: string): void {
  response.status(failure.status).json({ ...failure.fields, error: "Scanner unavailable", message: reason });
}

function refuse(response: Response, { message }: BodyTooLong): void {
  response.status(413).json({ error: "Request Entity Too Large", message });
}

/** What happened, without addresses and secrets: clients read it. */
function reasonOf(error: unknown, begun: boolean): string {
  const code = codeOf(error);
  if (code !== undefined && begun) return `the scanner broke off within its answer (${code})`;
  if (code !== undefined) return `cannot reach the scanner (${code}); does it run where SCANNER_API_URL says?`;
  return error instanceof Error ? error.message : "the scanner did not answer";
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
