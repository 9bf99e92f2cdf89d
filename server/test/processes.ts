/** The real programs as child processes: the scanner on its simulated exchange, and the proxy. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { ask, waitFor } from "./client.ts";

const SERVER = path.resolve(import.meta.dirname, "..");
export const ROOT = path.resolve(SERVER, "..");
const OWN_PYTHON = path.join(ROOT, ".venv", "bin", "python");

/** The interpreter that has the scanner's requirements: PYTHON, or the one `make` has set up. */
const python = process.env.PYTHON ?? (existsSync(OWN_PYTHON) ? OWN_PYTHON : undefined);

/** Why tests against the real scanner cannot run; false where they can. */
export const withoutScanner = python === undefined && "no scanner to ask: run `make test`, or name its PYTHON";

const started: ChildProcess[] = [];
process.once("exit", () => started.forEach((child) => signalAll(child, "SIGKILL"))); // whatever a failed test has left

export interface Program {
  readonly child: ChildProcess;
  readonly url: string;
  /** Everything it has printed. */
  readonly output: () => string;
  /** Ends it with `signal` and waits; its exit code, null where the signal ended it. */
  readonly end: (signal?: NodeJS.Signals) => Promise<number | null>;
}

export interface Scanner extends Program {
  readonly dataFolder: string;
}

type Variables = Readonly<Record<string, string>>;

/** The Flask application, listening; it scans nothing until told to. */
export async function startScanner(variables: Variables = {}): Promise<Scanner> {
  const dataFolder = await mkdtemp(path.join(tmpdir(), "scanner-"));
  const own = { SCANNER_SIMULATED: "1", SCANNER_HOST: "127.0.0.1", SCANNER_PORT: "0", SCANNER_DATA_DIR: dataFolder };
  const program = await start(python ?? "python3", ["scanner_api.py"], ROOT, { ...own, ...variables });
  const end: Program["end"] = async (signal) => {
    const code = await program.end(signal);
    await rm(dataFolder, { recursive: true, force: true });
    return code;
  };
  return { ...program, dataFolder, end };
}

/** The proxy as `npm run dev` runs it, listening on a free port. */
export function startProxy(variables: Variables): Promise<Program> {
  return start(process.execPath, ["--import", "tsx", "index.ts"], SERVER, {
    HOST: "127.0.0.1",
    PORT: "0",
    ...variables,
  });
}

/** A command from the root of the project, listening. */
export function startCommand(command: string, variables: Variables): Promise<Program> {
  const [program = "", ...arguments_] = command.split(" ");
  return start(program, arguments_, ROOT, variables);
}

/** A TypeScript file as a program of `folder`, which has node_modules; up once `url` answers. */
export function startFile(folder: string, file: string, url: string, variables: Variables): Promise<Program> {
  const answers = () =>
    ask(url, "/").then(
      () => url,
      () => "",
    );
  return start(process.execPath, ["--import", "tsx", file], folder, variables, answers);
}

/** What the proxy says, and its exit code, where it refuses to start. */
export async function refusalOf(variables: Variables): Promise<{ code: number | null; output: string }> {
  const { child, output } = run(process.execPath, ["--import", "tsx", "index.ts"], SERVER, { PORT: "0", ...variables });
  return { code: await ended(child), output: output() };
}

/** A program once `address` knows where it listens, from what it says unless told otherwise. */
async function start(
  command: string,
  arguments_: string[],
  folder: string,
  variables: Variables,
  address: (output: string) => string | Promise<string> = (output) => /listening on (http:\S+)/.exec(output)?.[1] ?? "",
): Promise<Program> {
  const { child, output } = run(command, arguments_, folder, variables);
  const end: Program["end"] = (signal = "SIGTERM") => {
    signalAll(child, signal);
    return ended(child);
  };
  try {
    const url = await waitFor(() => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      return address(output());
    }, "it listens");
    return { child, url, output, end };
  } catch (error) {
    await end("SIGKILL");
    throw new Error(`${command} ${arguments_.join(" ")}: ${output()}`, { cause: error });
  }
}

function run(command: string, arguments_: string[], folder: string, variables: Variables) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(SCANNER_|HOST$|PORT$|NODE_TEST)/.test(name));
  const env = { ...Object.fromEntries(inherited), ...variables };
  const child = spawn(command, arguments_, { cwd: folder, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => (text += piece.toString()));
  return { child, output: () => text };
}

/** To the program and all it has started, as a terminal does. */
function signalAll(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, signal);
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", resolve));
}
