// Histograms over steps as a heat map: a canvas under the axes of a panel.

import { el } from "/page/dom.js";
import { Panel } from "/page/plot.js";

export class HeatMap extends Panel {
  constructor(title, { height = 170 } = {}) {
    super(title, height);
    this.canvas = el("canvas", {});
    this.canvasPlace.prepend(this.canvas);
    this.columns = [];
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // The answer of /histogram: attempts lie one behind the other.
  set(answer) {
    this.edges = answer.edges;
    this.columns = answer.histograms.flatMap((part) => part.step.map((step, i) => {
      const counts = part.counts.map((row) => row[i]);
      return { step, counts, total: counts.reduce((sum, n) => sum + n, 0), most: Math.max(1, ...counts) };
    }));
    this.columns.sort((a, b) => a.step - b.step);
    this.showEmpty(this.columns.length === 0);
    this.draw();
  }

  draw() {
    if (!this.width || !this.columns.length) return;
    const { x, y, width, height } = this.inner;
    const range = [this.columns[0].step, this.columns[this.columns.length - 1].step];
    this.x = this.scaleX(range);
    const scaleY = (value) => y + height - ((value + 1) / 2) * height;
    this.svg.replaceChildren(...this.axisX(range, this.x), ...this.axisY([-1, -0.5, 0, 0.5, 1], scaleY));
    this.canvas.width = width * devicePixelRatio;
    this.canvas.height = height * devicePixelRatio;
    Object.assign(this.canvas.style,
      { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    this.paint();
    if (this.pointer) this.hover();
  }

  // Colour follows the root of the share of the column's fullest bin: thin tails stay visible.
  paint() {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    const cell = height / 64;
    context.clearRect(0, 0, width, height);
    context.fillStyle = getComputedStyle(this.element).getPropertyValue("--heat").trim();
    const place = (step) => (this.x(step) - this.inner.x) * devicePixelRatio;
    this.columns.forEach((column, i) => {
      const before = i ? (place(this.columns[i - 1].step) + place(column.step)) / 2 : 0;
      const next = this.columns[i + 1];
      const end = next ? (place(next.step) + place(column.step)) / 2 : width;
      column.counts.forEach((n, bin) => {
        if (!n) return;
        context.globalAlpha = Math.sqrt(n / column.most);
        const top = Math.round(height - (bin + 1) * cell), bottom = Math.round(height - bin * cell);
        context.fillRect(Math.round(before), top, Math.round(end) - Math.round(before), bottom - top);
      });
    });
    context.globalAlpha = 1;
  }

  hover() {
    if (!this.columns.length || !this.x) return;
    const box = this.svg.getBoundingClientRect();
    const at = this.pointer.x - box.left;
    const column = this.columns.reduce((best, candidate) =>
      Math.abs(this.x(candidate.step) - at) < Math.abs(this.x(best.step) - at) ? candidate : best);
    const { y, height } = this.inner;
    const bin = Math.floor((1 - (this.pointer.y - box.top - y) / height) * 64);
    if (bin < 0 || bin > 63) return this.leave();
    const share = column.total ? (100 * column.counts[bin]) / column.total : 0;
    this.placeTip(this.x(column.step), [
      el("b", {}, `step ${column.step}`),
      el("div", {}, `${this.edges[bin].toFixed(2)} to ${this.edges[bin + 1].toFixed(2)}`),
      el("div", {}, `${column.counts[bin]} of ${column.total} (${share.toFixed(1)} %)`),
    ]);
  }
}
