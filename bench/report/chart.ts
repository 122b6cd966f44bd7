import type { Spread } from "../statistics.ts";

/** One bar. */
export interface Bar {
  readonly label: string;
  readonly value: Spread;
  /** Whether it is this library's; bars of others are grey. */
  readonly ours: boolean;
}

/** Bars that are compared with each other. */
export interface Group {
  readonly title: string;
  readonly bars: readonly Bar[];
}

/** Groups on one scale. */
export interface Panel {
  readonly title: string;
  readonly subtitle: string;
  readonly groups: readonly Group[];
  format(value: number): string;
}

const width = 760;
const margin = 16;
/** Where bars begin and where the longest ends; its figure follows. */
const left = 210;
const right = width - 90;
const barHeight = 14;
const barStep = 20;
const ours = ["#2f81f7", "#39a0a0", "#8a63d2", "#d29922"];
const others = "#8c959f";

/**
 * Draws panels below each other, as SVG. The background is the page's own, and the text follows the reader's
 * light or dark scheme.
 */
export function chart(title: string, panels: readonly Panel[], footer: string): string {
  const colours = coloursOf(panels);
  const parts: string[] = [];
  let y = margin + 16;
  parts.push(text(margin, y, title, "title"));
  for (const panel of panels) {
    y += 34;
    parts.push(text(margin, y, panel.title, "panel"));
    y += 17;
    parts.push(text(margin, y, panel.subtitle, "quiet"));
    y += 6;
    const bars = panel.groups.flatMap((group) => group.bars);
    const longest = Math.max(...bars.map(({ value }) => value.max));
    const at = (value: number) => left + (right - left) * (value / longest);
    for (const group of panel.groups) {
      y += 18;
      parts.push(text(margin, y, group.title, "group"));
      y += 6;
      for (const bar of group.bars) {
        parts.push(...drawn(bar, y, at, colours.get(bar.label) ?? others, panel));
        y += barStep;
      }
    }
  }
  y += 20;
  parts.push(text(margin, y, footer, "quiet"));
  const height = y + margin;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">\n` +
    `<style>\n${style}\n</style>\n${parts.join("\n")}\n</svg>\n`;
}

const style = `text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #424a53 }
.title { font-size: 16px; font-weight: 600 }
.panel { font-size: 14px; font-weight: 600 }
.group { font-weight: 600 }
.quiet { font-size: 11px; fill: #6e7781 }
.figure { font-variant-numeric: tabular-nums }
.spread { stroke: #24292f; stroke-width: 1.2; fill: none; opacity: .75 }
@media (prefers-color-scheme: dark) { text { fill: #c9d1d9 } .quiet { fill: #8b949e } .spread { stroke: #f0f3f6 } }`;

function drawn(
  { label, value }: Bar,
  y: number,
  at: (value: number) => number,
  colour: string,
  { format }: Panel,
): string[] {
  const middle = y + barHeight / 2;
  const end = Math.max(at(value.median), left + 1);
  const [min, max] = [at(value.min), at(value.max)];
  return [
    text(left - 8, middle + 4, label, "label", "end"),
    `<rect x="${left}" y="${y}" width="${
      px(end - left)
    }" height="${barHeight}" rx="2" fill="${colour}"/>`,
    `<path class="spread" d="M${px(min)} ${middle}H${px(max)}M${px(min)} ${middle - 3}v6` +
    `M${px(max)} ${middle - 3}v6"/>`,
    text(px(Math.max(end, max) + 8), middle + 4, format(value.median), "figure"),
  ];
}

/** Bars of the same name have the same colour in all panels. */
function coloursOf(panels: readonly Panel[]): Map<string, string> {
  const colours = new Map<string, string>();
  for (const bar of panels.flatMap(({ groups }) => groups.flatMap(({ bars }) => bars))) {
    if (bar.ours && !colours.has(bar.label)) {
      colours.set(bar.label, ours[colours.size % ours.length] ?? others);
    }
  }
  return colours;
}

function text(x: number, y: number, content: string, kind: string, anchor?: "end"): string {
  const anchored = anchor === undefined ? "" : ` text-anchor="${anchor}"`;
  return `<text x="${x}" y="${y}" class="${kind}"${anchored}>${escaped(content)}</text>`;
}

function px(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
