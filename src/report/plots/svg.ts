/** SVG as text: elements with escaped attributes, and the few shapes that every plot is made of. */

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Text between tags or in an attribute. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** @param inside markup, escaped already */
export function el(name: string, attributes: Attributes, ...inside: readonly string[]): string {
  const words = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined
      ? []
      : [` ${key}="${typeof value === 'number' ? coordinate(value) : escapeXml(value)}"`],
  );
  return inside.length === 0
    ? `<${name}${words.join('')}/>`
    : `<${name}${words.join('')}>${inside.join('')}</${name}>`;
}

export function text(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return el('text', { x, y, ...attributes }, escapeXml(words));
}

/** A rectangle that says what it is when it is pointed at. Narrower than a pixel it would not be seen. */
export function bar(x: number, y: number, width: number, height: number, fill: string, tip: string): string {
  const wide = Math.max(1.2, width);
  const tall = Math.max(0, height);
  const shape = {
    x,
    y,
    width: wide,
    height: tall,
    rx: Math.min(2, wide / 4, tall / 4),
    style: `fill:${fill}`,
  };
  return el('rect', shape, el('title', {}, escapeXml(tip)));
}

/** A broken line through points; `null` lifts the pen. */
export function linePath(points: readonly (readonly [number, number] | null)[]): string {
  let pen = 'M';
  const words: string[] = [];
  for (const point of points) {
    if (point === null) pen = 'M';
    else {
      words.push(`${pen}${coordinate(point[0])} ${coordinate(point[1])}`);
      pen = 'L';
    }
  }
  return words.join('');
}

/** A tenth of a pixel is finer than any screen. */
function coordinate(value: number): string {
  return String(Math.round(value * 10) / 10);
}

const CHARACTER_PX = 6.4;

/** How wide a text is at the plots' size of 11.5 px, about. */
export function textWidth(words: string): number {
  return words.length * CHARACTER_PX;
}
