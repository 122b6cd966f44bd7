/** Lays rows out in columns: the first ones, of text, to the left, and all figures to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns: number,
): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (row: readonly string[]) =>
    row.map((text, column) =>
      column < textColumns ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)
    ).join("  ").trimEnd();
  return [head, widths.map((width) => "-".repeat(width)), ...rows].map(line).join("\n");
}

/** A count, with its thousands apart. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Milliseconds with three figures that say something. */
export function milliseconds(value: number): string {
  if (value >= 100) return count(value);
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

/** A share of one CPU. */
export function percent(share: number | undefined): string {
  return share === undefined ? "?" : `${Math.round(share * 100)} %`;
}
