/** Which web pages are the proxy's own: theirs is the proxy's key, and what they ask may change something. */

import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

/**
 * Whether a request comes from no web page, from one of `named`, or from one of the address that it was sent to.
 *
 * Only addresses and localhost can be told by themselves: a name of somebody else may be made to point here, and then
 * its pages and their requests agree on it. Other names, such as of a site in front, have to be among `named`.
 */
export function isOwn({ origin, host, ...headers }: IncomingHttpHeaders, named: readonly string[]): boolean {
  const site = headers["sec-fetch-site"]; // what a browser says about it; over plain http only to this machine
  if (origin === undefined) return site !== "cross-site";
  if (named.includes(origin)) return true;
  return isAddress(origin) && (site === "same-origin" || withoutScheme(origin) === host?.toLowerCase());
}

function isAddress(origin: string): boolean {
  const name = URL.canParse(origin) ? new URL(origin).hostname.replace(/^\[|\]$/g, "") : "";
  return name === "localhost" || isIP(name) !== 0;
}

function withoutScheme(origin: string): string {
  return origin.replace(/^https?:\/\//, "");
}
