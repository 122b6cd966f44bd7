/**
 * Writes a name that came from outside in letters, digits and `._-%`. Code units and not code points, so that
 * any string comes back as it was.
 */
export function escapeName(name: string): string {
  if (!/[^A-Za-z0-9._-]/.test(name)) return name; // which is the rule
  return name.replaceAll(
    /[^A-Za-z0-9._-]/g,
    (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Reads what {@linkcode escapeName} wrote. */
export function unescapeName(escaped: string): string {
  if (!escaped.includes("%")) return escaped;
  return escaped.replaceAll(
    /%([0-9a-f]{4})/g,
    (_, digits: string) => String.fromCharCode(parseInt(digits, 16)),
  );
}
