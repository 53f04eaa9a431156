/** Figures for people that are no quantity of `core/time`. */

/** @param part 0..1 */
export function percent(part: number): string {
  const value = part * 100;
  return `${value >= 10 ? value.toFixed(0) : value >= 0.1 ? value.toFixed(1) : Number(value.toPrecision(2))} %`;
}

/** Groups of three digits. */
export function formatCount(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}
