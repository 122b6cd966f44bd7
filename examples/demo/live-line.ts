import process from "node:process";

/** A line that is written anew in place on a terminal; elsewhere a plain line now and then. */
export class LiveLine {
  readonly #isTerminal = process.stdout.isTTY === true;
  #shownAt = -Infinity;

  /** Shows the present state. Without a terminal, at most once a second. */
  show(text: string): void {
    if (this.#isTerminal) {
      process.stdout.write(`\r\x1b[2K${text.slice(0, (process.stdout.columns ?? 80) - 1)}`);
    } else if (performance.now() - this.#shownAt >= 1000) {
      this.#shownAt = performance.now();
      console.log(text);
    }
  }

  /** Writes a line that stays. */
  note(text: string): void {
    if (this.#isTerminal) process.stdout.write("\r\x1b[2K");
    console.log(text);
  }
}
