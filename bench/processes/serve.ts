/** What a process of the bench can be asked: each task takes one argument and answers when it is done. */
export type Tasks<Of> = { readonly [Name in keyof Of]: (argument: never) => unknown };

/** A question to a process. */
export interface Question {
  readonly id: number;
  readonly task: string;
  readonly argument: unknown;
}

/** Its answer. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** Answers what the parent asks, until the parent is gone. */
export function serve<Of extends Tasks<Of>>(tasks: Of): void {
  async function respond({ id, task, argument }: Question): Promise<void> {
    let answer: Answer;
    try {
      answer = { id, value: await tasks[task as keyof Of](argument as never) };
    } catch (error) {
      answer = { id, error: error instanceof Error ? error.stack ?? error.message : String(error) };
    }
    process.send?.(answer);
  }
  process.on("message", (question: Question) => void respond(question));
  process.on("disconnect", () => process.exit());
}

/** Milliseconds on a clock that all processes of the machine share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Waits. */
export function sleep(delay: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delay);
  });
}
