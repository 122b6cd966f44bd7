/**
 * Makes an observer safe to call from anywhere: what it throws becomes an uncaught exception of its own, as
 * with an event listener, and does not disturb what it watches.
 */
export function observer<Event>(
  observe: ((event: Event) => void) | undefined,
): (event: Event) => void {
  if (observe === undefined) return () => {};
  return (event) => {
    try {
      observe(event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}
