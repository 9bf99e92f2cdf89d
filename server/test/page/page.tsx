/** A scanner page as a frontend would write it: the calls stand as they are given to frontend developers. */

import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

interface Signal {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly signal_type: string;
  readonly combined_score: number;
}

interface Confluence {
  readonly bullish_timeframes: number;
  readonly bearish_timeframes: number;
}

interface MarketState {
  readonly breadth: { readonly breadth_ratio: number; readonly market_bias: string };
  readonly volatility_regime: string;
}

const COLOURS: Readonly<Record<string, string>> = {
  MOMENTUM_BUY: "green",
  MOMENTUM_SELL: "red",
  REVERSION_BULLISH: "blue",
  REVERSION_BEARISH: "orange",
};

/** Says whether all four timeframes of a symbol point the same way. */
function Badge({ symbol }: { readonly symbol: string }) {
  const [found, setFound] = useState<Confluence>();
  useEffect(() => {
    fetch(`/api/scanner/continuous/confluence/${symbol.replace("/", "%2F")}?min_score=60`)
      .then((response) => response.json())
      .then(setFound);
  }, [symbol]);
  if (found === undefined) return null;
  const aligned = found.bullish_timeframes === 4 || found.bearish_timeframes === 4;
  return <small>{aligned ? "all 4 timeframes" : `${found.bullish_timeframes} up, ${found.bearish_timeframes} down`}</small>;
}

function Scanner({ selectedSymbols }: { readonly selectedSymbols: readonly string[] }) {
  const [liveSignals, setLiveSignals] = useState<readonly Signal[]>([]);
  const [state, setState] = useState<MarketState>();

  const startContinuous = async () => {
    await fetch('/api/scanner/continuous/start', {
      method: 'POST',
      body: JSON.stringify({ symbols: selectedSymbols })
    });
  };

  useEffect(() => {
    const interval = setInterval(async () => {
      const response = await fetch('/api/scanner/continuous/signals?min_score=60');
      const data = await response.json();
      setLiveSignals(data.signals);
    }, 30000);
    return () => clearInterval(interval);
  }, []);

  const showMarketState = async () => {
    const marketState = await fetch('/api/scanner/continuous/market-state');
    setState((await marketState.json()).market_state);
  };

  return (
    <main>
      <h1>Scanner</h1>
      <button onClick={startContinuous}>Start Continuous Mode</button>
      <button onClick={showMarketState}>Show market state</button>
      {state && (
        <p id="market">
          breadth {state.breadth.breadth_ratio.toFixed(2)}, volatility {state.volatility_regime}, bias{" "}
          {state.breadth.market_bias}
        </p>
      )}
      <ul id="signals">
        {liveSignals.map((signal) => (
          <li
            key={`${signal.exchange}:${signal.symbol}:${signal.timeframe}`}
            style={{ color: COLOURS[signal.signal_type] ?? "grey" }}
          >
            {signal.symbol} {signal.timeframe} {signal.signal_type} {signal.combined_score.toFixed(1)}{" "}
            <Badge symbol={signal.symbol} />
          </li>
        ))}
      </ul>
    </main>
  );
}

declare global {
  interface Window {
    /** What the test chooses, and how it takes the page away again. */
    symbols: readonly string[];
    unmount: () => void;
  }
}

const root = createRoot(document.body.appendChild(document.createElement("div")));
root.render(<Scanner selectedSymbols={window.symbols} />);
window.unmount = () => root.unmount();
