/** The body that a POST takes to the scanner: the client's own, and `{}` where it sent none. */

import type { Request } from "express";

export const LONGEST_BODY = 1_000_000; // bytes; the scanner takes no more either

export class BodyTooLong extends Error {}

/**
 * What the client sends, or what a body parser of the application has already read. Throws BodyTooLong.
 *
 * Read to its end before anything else happens: a client that is still sending may never read the answer.
 */
export async function bodyOf(request: Request): Promise<Buffer> {
  const parsed: unknown = request.body;
  const body = parsed === undefined ? await received(request) : asBytes(parsed);
  return body.length > 0 ? body : Buffer.from("{}");
}

async function received(request: Request): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= LONGEST_BODY) chunks.push(chunk);
  }
  if (length > LONGEST_BODY) throw new BodyTooLong(`body: is longer than ${LONGEST_BODY} bytes`);
  return Buffer.concat(chunks);
}

function asBytes(parsed: unknown): Buffer {
  if (Buffer.isBuffer(parsed)) return parsed;
  return Buffer.from(typeof parsed === "string" ? parsed : JSON.stringify(parsed));
}
