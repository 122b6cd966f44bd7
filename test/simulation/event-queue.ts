import type { Process } from "./process.ts";

/** Something that happens to a process. */
export interface SimulationEvent {
  /** When, in virtual milliseconds; moved when the process is paused or busy. */
  at: number;
  /** Which of those of the same time comes first. */
  readonly sequence: number;
  readonly process: Process;
  readonly label: string;
  readonly run: () => void;
  /** Whether one turn of the event loop may take it together with others, as one read of a socket does. */
  readonly batched: boolean;
  cancelled: boolean;
}

/** The events to come, a binary heap by (time, sequence). */
export class EventQueue {
  readonly #heap: SimulationEvent[] = [];

  get length(): number {
    return this.#heap.length;
  }

  peek(): SimulationEvent | undefined {
    return this.#heap[0];
  }

  push(event: SimulationEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent] as SimulationEvent, event)) break;
      heap[at] = heap[parent] as SimulationEvent;
      at = parent;
    }
    heap[at] = event;
  }

  pop(): SimulationEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || first === last) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (
        child + 1 < heap.length &&
        isBefore(heap[child + 1] as SimulationEvent, heap[child] as SimulationEvent)
      ) child++;
      if (isBefore(last, heap[child] as SimulationEvent)) break;
      heap[at] = heap[child] as SimulationEvent;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: SimulationEvent, b: SimulationEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}
