/** What happened, as a hash and, when asked for, as lines. */
export class Trace {
  readonly lines: string[] | undefined;
  #low = 0x811c9dc5;
  #high = 0x01000193;
  #events = 0;

  constructor(keepLines: boolean) {
    this.lines = keepLines ? [] : undefined;
  }

  get events(): number {
    return this.#events;
  }

  get hash(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join(
      "",
    );
  }

  /** Notes an event. Times are hashed to the microsecond. */
  record(at: number, process: string, label: string): void {
    this.#events++;
    this.#mix(Math.round(at * 1000));
    for (let index = 0; index < process.length; index++) this.#mix(process.charCodeAt(index));
    for (let index = 0; index < label.length; index++) this.#mix(label.charCodeAt(index));
    this.lines?.push(`${at.toFixed(3).padStart(12)}  ${process.padEnd(12)} ${label}`);
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = Math.imul(this.#high + this.#low, 0x85ebca6b) ^ (this.#low >>> 15);
  }
}
