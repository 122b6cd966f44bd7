/** Shows how far the bench is: one live line on a terminal, and otherwise a line for each step. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  #live = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** A step, which the next one replaces. */
  step(text: string): void {
    if (!this.#out.isTTY) return this.line(text);
    this.#out.write(`\r\x1b[2K${text.slice(0, (this.#out.columns || 80) - 1)}`);
    this.#live = true;
  }

  /** Something that stays. */
  line(text: string): void {
    if (this.#live) this.#out.write("\r\x1b[2K");
    this.#live = false;
    this.#out.write(`${text}\n`);
  }
}
