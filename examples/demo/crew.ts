import { type ChildProcess, fork } from "node:child_process";
import process from "node:process";

/** Worker processes that can be killed and come back; none outlives this process. */
export class Crew {
  readonly #script: URL;
  readonly #args: readonly string[];
  readonly #members: ChildProcess[] = [];
  readonly #killAll = (): void => this.#members.forEach((member) => member.kill("SIGKILL"));
  killed = 0;

  constructor(script: URL, args: readonly string[], size: number) {
    this.#script = script;
    this.#args = args;
    for (let i = 0; i < size; i++) this.#members.push(this.#start());
    process.once("exit", this.#killAll);
  }

  #start(): ChildProcess {
    return fork(this.#script, [...this.#args], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  /** Kills one at random as a crash would, starts another in its place, and returns who died. */
  replaceOne(): number | undefined {
    const at = Math.floor(Math.random() * this.#members.length);
    const victim = this.#members[at];
    victim?.kill("SIGKILL");
    this.killed++;
    this.#members[at] = this.#start();
    return victim?.pid;
  }

  /** Asks all to finish, and waits until they have. */
  async dismiss(): Promise<void> {
    await Promise.all(this.#members.map((member) =>
      new Promise((resolve) => {
        if (member.exitCode !== null || member.signalCode !== null) return resolve(undefined);
        member.once("exit", resolve);
        if (member.connected) member.disconnect();
      })
    ));
    process.off("exit", this.#killAll);
  }
}
