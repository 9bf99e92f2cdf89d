/** Requests as they are: no normalising of paths, no header that the test did not ask for. */

import http, { type IncomingHttpHeaders, type IncomingMessage } from "node:http";

export interface Question {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

export async function ask(base: string, path: string, question: Question = {}): Promise<Answer> {
  const answer = await begin(base, path, question);
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const isJson = /json/.test(answer.headers["content-type"] ?? "") && text !== "";
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    text,
    json: isJson ? (JSON.parse(text) as unknown) : undefined,
  };
}

/** The answer as soon as its head is there; its body is the caller's to read. */
export function begin(base: string, path: string, question: Question = {}): Promise<IncomingMessage> {
  const { method = "GET", body, headers = {} } = question;
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path, method, headers, agent: false });
    request.on("response", resolve).on("error", reject).end(body);
  });
}

export function post(base: string, path: string, body?: string, headers?: Record<string, string>): Promise<Answer> {
  return ask(base, path, { method: "POST", ...(body !== undefined && { body }), ...(headers && { headers }) });
}

/** The first true value of `condition`; fails at the deadline. */
export async function waitFor<T>(condition: () => T | Promise<T>, what: string, deadlineMs = 20_000): Promise<T> {
  const ends = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > ends) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Resolves once `value` has been the same for a second. */
export async function waitUntilStill(value: () => number): Promise<void> {
  let last = { value: -1, since: 0 };
  await waitFor(() => {
    if (value() !== last.value) last = { value: value(), since: Date.now() };
    return Date.now() - last.since > 1000;
  }, "everything waits");
}
