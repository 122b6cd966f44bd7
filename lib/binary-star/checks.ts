/**
 * Checks an option that is one of some words.
 *
 * @throws {TypeError} When it is none of them.
 */
export function oneOf(name: string, value: unknown, choices: readonly string[]): void {
  if (typeof value === "string" && choices.includes(value)) return;
  const list = choices.map((choice) => JSON.stringify(choice)).join(" or ");
  throw new TypeError(`Cannot use ${name}: expected ${list}, got ${JSON.stringify(value)}`);
}

/**
 * Checks a lease's name.
 *
 * @throws {TypeError} When it is no text, or empty.
 */
export function leaseName(name: unknown): string {
  if (typeof name === "string" && name !== "") return name;
  throw new TypeError(
    `Cannot use lease.name: expected a text that is not empty, got ${JSON.stringify(name)}`,
  );
}
