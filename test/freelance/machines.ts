import { ClientMachine } from "../../lib/freelance/machine/client.ts";
import type {
  ClientMachineOptions,
  Effect,
  FreelanceStrategy,
  Input,
} from "../../lib/freelance/machine/model.ts";

/** A client's machine at time 0, and shorthands for what happens to it. */
export class Driven {
  readonly machine: ClientMachine;
  now = 0;

  constructor(strategy: FreelanceStrategy, options: Partial<ClientMachineOptions> = {}) {
    this.machine = new ClientMachine({
      strategy,
      hedge: Infinity,
      heartbeat: { interval: 10, liveness: 2 },
      backoff: { initial: 5, max: 40 },
      ...options,
    });
  }

  /** Lists servers whose connections stand. */
  up(...servers: readonly string[]): this {
    for (const server of servers) {
      this.step({ type: "added", server });
      this.step({ type: "joined", server });
    }
    return this;
  }

  step(input: Input): string[] {
    return this.machine.step(input, this.now).map(said);
  }

  ask(
    id: number,
    { timeout = 100, retries = 3 }: { timeout?: number; retries?: number } = {},
  ): string[] {
    return this.step({ type: "request", id, timeout, retries, jitter: 0 });
  }

  pong(server: string): string[] {
    return this.step({ type: "heard", server, pong: true });
  }

  /** Lets time pass, with a tick whenever the machine wants one; says what came of it. */
  until(time: number): string[] {
    const effects: string[] = [];
    while (this.machine.deadline <= time) {
      this.now = Math.max(this.now, this.machine.deadline);
      effects.push(...this.step({ type: "tick" }));
    }
    this.now = time;
    return effects;
  }
}

/** An effect in a few words. */
function said(effect: Effect): string {
  switch (effect.type) {
    case "send":
    case "withdraw":
      return `${effect.type} ${effect.id} ${effect.server}`;
    case "attempt":
    case "settle":
      return `${effect.type} ${effect.id}`;
    case "fail":
    case "attemptFailed":
      return `${effect.type} ${effect.id}: ${effect.reason}`;
    case "failover":
    case "hedged":
      return `${effect.type} ${effect.from} ${effect.to}`;
    case "serverDown":
      return `${effect.type} ${effect.server} ${effect.reason}`;
    case "ping":
    case "lateReply":
    case "serverUp":
      return `${effect.type} ${effect.server}`;
    default:
      return effect satisfies never;
  }
}

/** The effects of some kinds. */
export function only(effects: readonly string[], ...kinds: readonly string[]): string[] {
  return effects.filter((effect) => kinds.includes(effect.split(" ")[0] ?? ""));
}
