/** What the environment asks of the proxy. Refuses; never repairs. */

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Settings {
  /** Where the scanner listens; a path in it goes before every route. */
  readonly scanner: URL;
  /** Lent to requests that bring no Authorization of their own. */
  readonly apiKey: string | undefined;
  /** Whose pages count as the proxy's own, besides those of the address it was asked at. */
  readonly origins: readonly string[];
  /** How long nothing may move between proxy and scanner; undefined leaves it to the route. */
  readonly timeoutMs: number | undefined;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A setting that cannot be meant; the message names the variable, never a secret value. */
export class SettingError extends Error {}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;
/** Pages of usual development servers, as the scanner has them. */
const LOCAL_PAGES =
  "http://localhost:5000,http://localhost:5173,http://localhost:5001," +
  "http://127.0.0.1:5000,http://127.0.0.1:5173,http://127.0.0.1:5001";
const LONGEST_TIMEOUT_MS = 3_600_000;

/** Where the scanner is and how to talk to it. Throws SettingError. */
export function readSettings(env: Environment): Settings {
  return {
    scanner: scannerAddress(env.SCANNER_API_URL || "http://localhost:5001"),
    apiKey: apiKey(env.SCANNER_API_KEY || undefined),
    origins: (env.SCANNER_CORS_ORIGINS ?? LOCAL_PAGES).split(",").map((origin) => origin.trim()),
    timeoutMs: env.SCANNER_API_TIMEOUT_MS
      ? wholeNumber("SCANNER_API_TIMEOUT_MS", env.SCANNER_API_TIMEOUT_MS, 1, LONGEST_TIMEOUT_MS)
      : undefined,
  };
}

/**
 * Where the proxy itself listens. Throws SettingError.
 *
 * Whoever reaches the proxy reaches the scanner behind it, with the proxy's key, so other machines are let in only
 * where the operator says so.
 */
export function readAddress(env: Environment): Address {
  const host = env.HOST || "127.0.0.1";
  if (!LOOPBACK.test(host) && env.SCANNER_ALLOW_ANONYMOUS !== "1") {
    throw new SettingError(
      `HOST: '${host}' is reachable from other machines, and whoever reaches the proxy may start and stop scans; ` +
        "listen on 127.0.0.1, or set SCANNER_ALLOW_ANONYMOUS=1 if that is what you want",
    );
  }
  return { host, port: wholeNumber("PORT", env.PORT || "5000", 0, 65_535) };
}

function scannerAddress(text: string): URL {
  const address = URL.canParse(text) ? new URL(text) : undefined;
  if (address?.protocol !== "http:" && address?.protocol !== "https:") {
    throw new SettingError("SCANNER_API_URL: is not an address such as http://localhost:5001");
  }
  return address;
}

function apiKey(text: string | undefined): string | undefined {
  if (text !== undefined && !/^[\x21-\x7e]+$/.test(text)) {
    throw new SettingError("SCANNER_API_KEY: has a character that a header cannot carry");
  }
  return text;
}

function wholeNumber(name: string, text: string, low: number, high: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (!(value >= low && value <= high)) {
    throw new SettingError(`${name}: '${text}' is not a whole number from ${low} to ${high}`);
  }
  return value;
}
