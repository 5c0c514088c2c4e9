// Line plots over steps, in SVG: axes, bands of min and max, marks for what is not finite, markers, a tooltip.

import { el, number, svg } from "/page/dom.js";

const MARGIN = { top: 8, right: 12, bottom: 22, left: 52 };

// Round tick values that cover [low, high].
export function ticks(low, high, most) {
  const raw = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  const values = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) values.push(i * step);
  return values;
}

function logTicks(low, high) {
  const decades = Math.log10(high / low);
  const factors = decades < 3 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / 6));
  const values = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += every) {
    values.push(...factors.map((factor) => factor * 10 ** power));
  }
  return values.filter((value) => value >= low && value <= high);
}

export function stepLabel(step) {
  if (step >= 1e6) return `${Number((step / 1e6).toPrecision(4))}M`;
  return step >= 1e4 ? `${Number((step / 1e3).toPrecision(4))}k` : String(step);
}

// The panel of a plot: title, legend, an SVG that follows its width, a tooltip. `draw()` is called when it changes.
export class Panel {
  constructor(title, height) {
    this.height = height;
    this.svg = svg("svg", { role: "img", "aria-label": title });
    this.legend = el("span", { class: "legend" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.canvasPlace = el("div", { class: "stage" }, this.svg, this.tip);
    this.empty = el("p", { class: "empty", hidden: true }, "no data yet");
    this.element = el("figure", { class: "plot" },
      el("figcaption", {}, el("span", { class: "title" }, title), this.legend), this.canvasPlace, this.empty);
    this.width = 0;
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (width === this.width || width < 80) return;
      this.width = width;
      this.svg.setAttribute("width", width);
      this.svg.setAttribute("height", height);
      this.draw();
    }).observe(this.canvasPlace);
    this.pointer = null;
    this.svg.addEventListener("pointermove", (event) => {
      this.pointer = { x: event.clientX, y: event.clientY };
      this.hover();
    });
    this.svg.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.leave();
    });
  }

  get inner() {
    return {
      x: MARGIN.left,
      y: MARGIN.top,
      width: this.width - MARGIN.left - MARGIN.right,
      height: this.height - MARGIN.top - MARGIN.bottom,
    };
  }

  showEmpty(empty) {
    this.empty.hidden = !empty;
    this.canvasPlace.hidden = empty;
  }

  scaleX([low, high]) {
    const { x, width } = this.inner;
    return (step) => x + (high > low ? (step - low) / (high - low) : 0.5) * width;
  }

  axisX(range, scale) {
    const { y, height, width } = this.inner;
    const nodes = [];
    const values = range[1] > range[0] ? ticks(range[0], range[1], width / 80) : [range[0]];
    for (const value of values.filter(Number.isInteger)) {
      nodes.push(svg("text", { class: "tick", x: scale(value), y: y + height + 15, "text-anchor": "middle" },
        stepLabel(value)));
    }
    return nodes;
  }

  axisY(values, scale) {
    const { x, width } = this.inner;
    return values.flatMap((value) => [
      svg("line", { class: "grid", x1: x, x2: x + width, y1: scale(value), y2: scale(value) }),
      svg("text", { class: "tick", x: x - 6, y: scale(value) + 3.5, "text-anchor": "end" }, number(value)),
    ]);
  }

  placeTip(x, lines) {
    this.tip.replaceChildren(...lines);
    this.tip.hidden = false;
    const left = x + 14 + this.tip.offsetWidth > this.width ? x - 14 - this.tip.offsetWidth : x + 14;
    this.tip.style.left = `${Math.max(0, left)}px`;
  }

  leave() {
    this.tip.hidden = true;
  }
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

// A line: {name, step, value, min, max, nonfinite} of equal lengths; `style` 1 to 6 is its colour.
export class LinePlot extends Panel {
  // `range`: fixed bounds of y, or null; `log`: a logarithmic axis when the values span more than 1.5 decades.
  constructor(title, { height = 170, range = null, log = false } = {}) {
    super(title, height);
    this.fixed = range;
    this.mayLog = log;
    this.lines = [];
    this.markers = [];
    this.cursor = svg("line", { class: "cursor" });
  }

  // `markers`: [{step, severity, text}]
  set(lines, markers = []) {
    this.lines = lines.filter((line) => line.step.length > 0);
    this.markers = markers;
    this.showEmpty(this.lines.length === 0);
    this.legend.replaceChildren(...(lines.length > 1 ? this.lines : []).map((line) =>
      el("span", { class: `key s${line.style}` }, line.name)));
    this.draw();
  }

  rangeY() {
    const found = extent(this.lines.flatMap((line) => [...line.min, ...line.max]));
    if (this.fixed || !found) return { low: this.fixed?.[0] ?? 0, high: this.fixed?.[1] ?? 1, log: false };
    let [low, high] = found;
    if (this.mayLog && low > 0 && high / low > 30) return { low: low / 1.15, high: high * 1.15, log: true };
    const pad = (high - low) * 0.06 || Math.abs(high) * 0.05 || 0.5;
    return { low: low >= 0 ? Math.max(0, low - pad) : low - pad, high: high + pad, log: false };
  }

  scaleY({ low, high, log }) {
    const { y, height } = this.inner;
    const turn = log ? Math.log : (value) => value;
    return (value) => y + height - ((turn(value) - turn(low)) / (turn(high) - turn(low))) * height;
  }

  draw() {
    if (!this.width || !this.lines.length) return;
    const first = extent(this.lines.flatMap((line) => line.step));
    const range = this.rangeY();
    this.x = this.scaleX(first);
    this.y = this.scaleY(range);
    const values = range.log ? logTicks(range.low, range.high)
      : ticks(range.low, range.high, this.inner.height / 34);
    this.svg.replaceChildren(
      ...this.axisY(values, this.y), ...this.axisX(first, this.x),
      ...this.markers.filter((m) => m.step >= first[0] && m.step <= first[1]).flatMap((m) => this.marker(m)),
      ...this.lines.flatMap((line) => this.line(line)), this.cursor);
    if (this.pointer) this.hover();
    else this.leave();
  }

  marker({ step, severity, text }) {
    const { y, height } = this.inner;
    const x = this.x(step);
    return [
      svg("line", { class: `marker ${severity}`, x1: x, x2: x, y1: y, y2: y + height }),
      svg("path", { class: `marker-head ${severity}`, d: `M${x - 5},${y} h10 l-5,7 z` }, svg("title", {}, text)),
    ];
  }

  line(line) {
    const nodes = [];
    const { y, height } = this.inner;
    let path = "", band = [], pen = "M";
    const close = () => {
      if (band.length > 1) {
        const up = band.map(([x, , top]) => `${x},${top}`);
        const down = band.map(([x, bottom]) => `${x},${bottom}`).reverse();
        nodes.push(svg("polygon", { class: `band s${line.style}`, points: [...up, ...down].join(" ") }));
      }
      band = [];
    };
    for (let i = 0; i < line.step.length; i++) {
      const x = this.x(line.step[i]).toFixed(1);
      if (line.nonfinite[i] > 0) {
        nodes.push(svg("path", { class: "nonfinite", d: `M${x - 3},${y + height - 7} l6,6 m0,-6 l-6,6` }));
      }
      if (line.value[i] === null) {
        pen = "M";
        close();
        continue;
      }
      path += `${pen}${x},${this.y(line.value[i]).toFixed(1)}`;
      pen = "L";
      if (line.min[i] < line.max[i]) band.push([x, this.y(line.min[i]).toFixed(1), this.y(line.max[i]).toFixed(1)]);
      else close();
    }
    close();
    nodes.push(svg("path", { class: `line s${line.style}`, d: path }));
    return nodes;
  }

  hover() {
    if (!this.lines.length || !this.x) return;
    const at = this.pointer.x - this.svg.getBoundingClientRect().left;
    const { y, height } = this.inner;
    let step = null, nearest = Infinity;
    for (const line of this.lines) {
      for (const candidate of line.step) {
        const distance = Math.abs(this.x(candidate) - at);
        if (distance < nearest) [step, nearest] = [candidate, distance];
      }
    }
    const x = this.x(step);
    for (const [name, value] of Object.entries({ x1: x, x2: x, y1: y, y2: y + height, visibility: "visible" })) {
      this.cursor.setAttribute(name, value);
    }
    this.placeTip(x, [el("b", {}, `step ${step}`), ...this.lines.flatMap((line) => this.tipLine(line, step))]);
  }

  tipLine(line, step) {
    const i = line.step.indexOf(step);
    if (i < 0) return [];
    const value = line.nonfinite[i] > 0 && line.value[i] === null ? "not finite" : number(line.value[i]);
    return [el("div", { class: `key s${line.style}` }, line.name, el("i", {}, value))];
  }

  leave() {
    super.leave();
    this.cursor.setAttribute("visibility", "hidden");
  }
}
