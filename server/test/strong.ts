/** Symbols whose simulated markets show signals of every strength, and what pages are told to make of them. */

import { ask, waitFor } from "./client.ts";
import type { Scanner } from "./processes.ts";

const COINS = "BTC ETH SOL BNB XRP ADA DOGE DOT LINK POL PEPE WIF BONK INJ SUI OP ARB FET";
export const SYMBOLS: readonly string[] = COINS.split(" ").map((coin) => `${coin}/USDT`);
export const COLOURS: Readonly<Record<string, string>> = {
  MOMENTUM_BUY: "green",
  MOMENTUM_SELL: "red",
  REVERSION_BULLISH: "blue",
  REVERSION_BEARISH: "orange",
};

export interface Signal {
  readonly symbol: string;
  readonly timeframe: string;
  readonly signal_type: string;
  readonly combined_score: number;
}

/** What a scanner needs so that they come: at some moments none is strong, but five minutes later others are. */
export const BRISK = { SCANNER_SPEED: "10" };

/** Resolves once the scanner has signals of 60 and more: in its first cycle as a rule, or in one of the next. */
export async function strongSignals({ url }: Scanner): Promise<void> {
  await waitFor(async () => {
    const { json } = await ask(url, "/api/scanner/continuous/signals?min_score=60");
    return ((json as { signals?: unknown[] }).signals ?? []).length > 0;
  }, "signals of 60 and more", 100_000);
}
