/** The body that a POST takes to the scanner: the client's own, and `{}` where it sent none. */

import type { Request } from "express";

type Chunk = string | Buffer;

export interface Body {
  readonly chunks: Iterable<Chunk> | AsyncIterable<Chunk>;
  /** In bytes; undefined where only the end of the stream will tell. */
  readonly length: number | undefined;
}

/** Streams what the client sends, or repeats what a body parser of the application has already read. */
export function bodyOf(request: Request): Body {
  const parsed: unknown = request.body;
  if (parsed !== undefined) return wholeBody(asText(parsed));
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > 0) return { chunks: received(request), length: declared };
  if (request.headers["transfer-encoding"] === undefined) return wholeBody("{}");
  return { chunks: orEmptyObject(received(request)), length: undefined };
}

function wholeBody(text: Chunk): Body {
  return { chunks: [text], length: Buffer.byteLength(text) };
}

function asText(parsed: unknown): Chunk {
  const text = typeof parsed === "string" || Buffer.isBuffer(parsed) ? parsed : JSON.stringify(parsed);
  return text.length > 0 ? text : "{}";
}

/** Leaves the client's connection open when the scanner stops reading: it is still owed an answer. */
function received(request: Request): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false });
}

async function* orEmptyObject(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  let empty = true;
  for await (const chunk of chunks) {
    empty = false;
    yield chunk;
  }
  if (empty) yield "{}";
}
