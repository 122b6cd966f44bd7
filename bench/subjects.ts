import { once } from "node:events";
import { createServer } from "node:net";
import { Child, kill, startCommand } from "./child.ts";
import type { BrokerTasks } from "./processes/broker.ts";
import type { EchoServerTasks } from "./processes/echo-server.ts";
import type { QueueTasks } from "./processes/queue.ts";
import { loadTransport } from "./transports.ts";

/** What is measured: an implementation of a pattern on a transport. */
export interface Subject {
  readonly name: string;
  /** What its peers use, where the bench says that they use the subject's own transport. */
  readonly transport: string;
  /** Starts it, in a process of its own. */
  start(): Promise<Running>;
}

/** A subject that runs. */
export interface Running {
  /** Where clients connect. */
  readonly front: string;
  /** Where workers connect, if it has any. */
  readonly back: string;
  /** Its process, if it is known. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** This library's Simple Pirate queue on a transport. */
export function privateerQueue(transport: string): Subject {
  return {
    name: `privateer over ${transport}`,
    transport,
    async start() {
      const child = new Child<QueueTasks>("queue");
      return running(child, await child.ask("open", { transport }));
    },
  };
}

/** This library's Majordomo broker on a transport, with workers of any kind. */
export function privateerBroker(transport: string, workers = ""): Subject {
  return {
    name: `privateer over ${transport}${workers}`,
    transport,
    async start() {
      const child = new Child<BrokerTasks>("broker");
      return running(child, await child.ask("open", { transport }));
    },
  };
}

/** A ROUTER of this library that returns what it gets. */
export function echoServer(transport: string): Subject {
  return {
    name: transport,
    transport,
    async start() {
      const child = new Child<EchoServerTasks>("echo-server");
      return running(child, { back: "", ...await child.ask("open", { transport }) });
    },
  };
}

function running(
  child: { readonly pid: number | undefined; kill(): Promise<void> },
  endpoints: { readonly front: string; readonly back: string },
): Running {
  return { ...endpoints, pid: child.pid, stop: () => child.kill() };
}

/** A program of others, started by a command or running already. */
export interface Foreign {
  readonly name: string;
  readonly front: string;
  readonly back: string;
  readonly command: string | undefined;
  readonly pid: number | undefined;
}

/** A program of others as a subject. */
export function foreign({ name, front, back, command, pid }: Foreign): Subject {
  return {
    name,
    transport: loadTransport,
    async start() {
      if (command === undefined) return { front, back, pid, stop: () => Promise.resolve() };
      for (const endpoint of new Set([front, back])) await checkFree(endpoint);
      const process = await startCommand(command);
      return { front, back, pid: process.pid, stop: () => kill(process) };
    },
  };
}

/** Makes sure that it is the program to be started that will answer, and not another on its port. */
async function checkFree(endpoint: string): Promise<void> {
  const [, host = "", port = ""] = endpoint.match(/^tcp:\/\/(.*):(\d+)$/) ?? [];
  if (port === "") return;
  const server = createServer().listen(Number(port), host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new Error(`Cannot start a program on ${endpoint}: ${(error as Error).message}`);
  }
  server.close();
  await once(server, "close");
}
