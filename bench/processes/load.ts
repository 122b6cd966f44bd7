import { cpuSeconds, machineTimes } from "../cpu.ts";
import { quantile } from "../statistics.ts";
import { type ProtocolName, protocols } from "./protocols.ts";
import { Pump } from "./pump.ts";
import { serve, sleep } from "./serve.ts";

/** One measurement, as it is asked for. */
export interface Measurement {
  /** Requests in flight. */
  readonly window: number;
  /** Milliseconds under load before the measured ones. */
  readonly warmup: number;
  /** Measured milliseconds. */
  readonly interval: number;
  /** The processes whose CPU time is read at both ends of the interval. */
  readonly pids: readonly (number | undefined)[];
}

/** What was measured. */
export interface Measured {
  /** How long the measured interval really was. */
  readonly seconds: number;
  /** Requests answered in it. */
  readonly replies: number;
  /** Requests that were never answered, in the interval, before or after it. */
  readonly lost: number;
  /** Messages that were replies to nothing. */
  readonly strays: number;
  /** Milliseconds from a request's sending to its reply. */
  readonly latency: { readonly p50: number; readonly p99: number };
  /** CPU seconds of this process in the interval. */
  readonly loadCpu: number | undefined;
  /** CPU seconds of the processes that were asked for. */
  readonly cpu: readonly (number | undefined)[];
  /** The share of all the machine's CPUs that was in use, by whomever. */
  readonly machine: number;
}

/** What the process of the load does. */
export interface LoadTasks {
  /** Connects `connections` times. */
  open(argument: {
    readonly protocol: ProtocolName;
    readonly transport: string;
    readonly endpoint: string;
    readonly connections: number;
  }): Promise<void>;
  measure(argument: Measurement): Promise<Measured>;
}

let pump: Pump | undefined;

serve<LoadTasks>({
  async open({ protocol: name, transport, endpoint, connections }) {
    const protocol = protocols[name];
    const connect = () => protocol.connect(transport, endpoint);
    const sockets = await Promise.all(Array.from({ length: connections }, connect));
    pump = new Pump(sockets, protocol);
  },

  async measure({ window, warmup, interval, pids }) {
    if (pump === undefined) throw new Error("Cannot measure: nothing is open");
    pump.start(window);
    await sleep(warmup);
    const times = pump.time();
    const before = reading(pids);
    await sleep(interval);
    const after = reading(pids);
    pump.untime();
    const { replies } = pump;
    const lost = await pump.stop();
    const { strays } = pump;
    const sorted = times.sorted();
    const [loadCpu, ...cpu] = after.cpu.map((seconds, at) => difference(seconds, before.cpu[at]));
    return {
      seconds: (after.at - before.at) / 1000,
      replies,
      lost,
      strays,
      latency: { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) },
      loadCpu,
      cpu,
      machine: 1 - (after.machine.idle - before.machine.idle) /
          Math.max(1, after.machine.total - before.machine.total),
    };
  },
});

function reading(pids: readonly (number | undefined)[]) {
  return {
    at: performance.now(),
    cpu: [process.pid, ...pids].map(cpuSeconds),
    machine: machineTimes(),
  };
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}
