// The dashboard: what is chosen, what is known, and how it is shown. All data come from the API.

import { events, get, post } from "/page/api.js";
import { ago, byId, clock, count, el, number, show } from "/page/dom.js";
import { HeatMap } from "/page/heatmap.js";
import { LinePlot } from "/page/plot.js";

const POINTS = 500;
const state = { run: null, layer: null, runs: [], alerts: [], detail: null, filter: "", error: null };

function readHash() {
  const hash = new URLSearchParams(location.hash.slice(1));
  state.run = hash.get("run");
  state.layer = hash.get("layer");
}

function choose(run, layer) {
  if (run !== state.run) state.detail = null;
  state.run = run;
  state.layer = layer;
  const hash = new URLSearchParams({ run });
  if (layer !== null) hash.set("layer", layer);
  history.replaceState(null, "", `#${hash}`);
  render();
  refresh("run", "series", "alerts");
}

// ---- what is asked ----

const runPath = (run) => `/api/v1/runs/${encodeURIComponent(run)}`;

const questions = {
  async runs() {
    state.runs = (await get("/api/v1/runs")).runs;
    if (!state.runs.some((run) => run.id === state.run)) {
      if (!state.runs.length) state.run = state.layer = state.detail = null;
      else choose((state.runs.find((run) => run.state === "running") || state.runs[0]).id, null);
    }
  },
  async run() {
    if (!state.run) return;
    const asked = state.run;
    const detail = await get(runPath(asked));
    if (asked !== state.run) return;
    state.detail = detail;
    if (!detail.layers.some((layer) => layer.name === state.layer)) {
      state.layer = firstLayer(detail);
      if (state.layer !== null) refresh("series");
    }
  },
  async alerts() {
    const asked = state.run;
    if (!asked) return;
    const { alerts } = await get("/api/v1/alerts", { run: asked });
    if (asked === state.run) state.alerts = alerts;
  },
  async series() {
    if (state.run) await Promise.all([drawRun(), drawLayer()]);
  },
};

// A layer that has figures says more at first sight than one that has none.
function firstLayer(detail) {
  const measured = detail.layers.find((layer) => "sa.diversity" in layer.last);
  return (measured || detail.layers[0])?.name ?? null;
}

const wanted = new Set();
let busy = false;

// Asks for the named things, all that were named meanwhile in one go, and at most about once a second.
function refresh(...names) {
  names.forEach((name) => wanted.add(name));
  if (!busy) work();
}

async function work() {
  busy = true;
  while (wanted.size) {
    const now = [...wanted];
    wanted.clear();
    for (const name of Object.keys(questions).filter((key) => now.includes(key))) {
      try {
        await questions[name]();
        state.error = null;
      } catch (error) {
        state.error = error.message;
      }
    }
    render();
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
  busy = false;
}

// ---- plots ----

// Attempts of one metric follow each other in one line, with a gap between them.
function toLines(answer, metrics, labels) {
  return metrics.flatMap((metric, i) => {
    const parts = answer.series.filter((series) => series.metric === metric);
    if (!parts.length) return [];
    const line = { name: labels[i], style: i + 1, step: [], value: [], min: [], max: [], nonfinite: [] };
    parts.sort((a, b) => a.step[0] - b.step[0]).forEach((part, k) => {
      if (k) append(line, { step: [part.step[0]], mean: [null], min: [null], max: [null], nonfinite: [0] });
      append(line, part);
    });
    return [line];
  });
}

function append(line, part) {
  line.step = line.step.concat(part.step);
  line.value = line.value.concat(part.mean);
  line.min = line.min.concat(part.min);
  line.max = line.max.concat(part.max);
  line.nonfinite = line.nonfinite.concat(part.nonfinite);
}

const runPlots = [
  { metrics: ["loss"], labels: ["loss"], plot: new LinePlot("Loss", { height: 200, log: true }) },
  {
    metrics: ["run.risk"], labels: ["run.risk"],
    plot: new LinePlot("Risk of an explosion within 200 steps", { height: 110, range: [0, 1] }),
  },
];
byId("run-plots").append(...runPlots.map(({ plot }) => plot.element));

const QUANTILES = ["p05", "p25", "p50", "p75", "p95"];
const layerPlots = [
  {
    metrics: ["spectral.sigma1", "spectral.sigma2"], labels: ["σ₁", "σ₂"],
    plot: new LinePlot("Spectrum: σ₁ and σ₂", { log: true }),
  },
  {
    metrics: ["rotation.from_init"], labels: ["rotation.from_init"],
    plot: new LinePlot("Rotation from initialization"),
  },
  {
    metrics: ["sa.diversity"], labels: ["sa.diversity"],
    plot: new LinePlot("Alignment: SA diversity", { range: [0, 1] }),
  },
  { histogram: "sa", plot: new HeatMap("Alignment: tokens by SA") },
  {
    metrics: QUANTILES.map((q) => `gate.in_out.${q}`), labels: QUANTILES,
    plot: new LinePlot("Neurons: cos(w_in, w_out)"),
  },
  { histogram: "gate.in_out", plot: new HeatMap("Neurons by cos(w_in, w_out)") },
];

function seriesOf(run, layer, metrics) {
  return get(`${runPath(run)}/series`,
    [["layer", layer], ["points", POINTS], ...metrics.map((metric) => ["metric", metric])]);
}

async function drawRun() {
  const answer = await seriesOf(state.run, "", runPlots.flatMap(({ metrics }) => metrics));
  if (answer.run !== state.run) return;
  const markers = state.alerts.map(({ started_step: step, severity, title }) =>
    ({ step, severity, text: `${title} (step ${step})` }));
  for (const { metrics, labels, plot } of runPlots) plot.set(toLines(answer, metrics, labels), markers);
}

// The plots of a layer's families, and those of the MLP block, whichever the chosen one is.
function plotsOf(layer) {
  return layerPlots.filter(({ metrics, histogram }) =>
    (layer.kind === "block") === (histogram || metrics[0]).startsWith("gate."));
}

async function drawLayer() {
  const run = state.run, name = state.layer;
  const layer = state.detail?.layers.find((candidate) => candidate.name === name);
  if (!layer) return;
  const plots = plotsOf(layer);
  const answer = await seriesOf(run, name, plots.flatMap((entry) => entry.metrics || []));
  const maps = await Promise.all(plots.filter((entry) => entry.histogram).map((entry) =>
    get(`${runPath(run)}/histogram`, { layer: name, metric: entry.histogram, columns: 240 })));
  if (run !== state.run || name !== state.layer) return;
  show(byId("layer-plots"), plots.map((entry) => entry.plot.element.querySelector(".title").textContent),
    () => plots.map((entry) => entry.plot.element));
  for (const entry of plots) {
    if (entry.histogram) entry.plot.set(maps.find((map) => map.metric === entry.histogram));
    else entry.plot.set(toLines(answer, entry.metrics, entry.labels));
  }
}

// ---- lists ----

function badge(firing) {
  return firing ? el("span", { class: "badge" }, firing) : el("span", { class: "quiet" }, "0");
}

function table(heads, rows) {
  return el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
}

function head(text, numeric, title = null) {
  return el("th", { class: numeric ? "n" : null, title }, text);
}

function runRow([id, name, status, step, firing]) {
  const dot = el("span", { class: `dot ${status}`, title: status });
  return el("tr", { class: id === state.run ? "chosen" : null, onclick: () => choose(id, null) },
    el("td", {}, el("button", { type: "button", title: id }, dot, name)),
    el("td", { class: "n" }, count(step)), el("td", { class: "n" }, badge(firing)));
}

function renderRuns() {
  const rows = state.runs.map((run) => [run.id, run.name, run.state, run.last_step, run.alerts_firing]);
  show(byId("runs"), [rows, state.run], () => [rows.length
    ? table([head("Run"), head("Step", true), head("Alerts", true)], rows.map(runRow))
    : el("p", { class: "empty" }, "No run has been seen yet.")]);
}

function renderSummary() {
  const firing = state.runs.reduce((sum, run) => sum + run.alerts_firing, 0);
  const running = state.runs.filter((run) => run.state === "running").length;
  byId("summary").textContent =
    state.error || `${running} running, ${firing} ${firing === 1 ? "alert" : "alerts"} firing`;
  document.title = firing ? `(${firing}) foreshock` : "foreshock";
}

function layerFigure(layer) {
  const metric = layer.kind === "block" ? "gate.in_out.p50" : "sa.diversity";
  return layer.last[metric]?.value?.toFixed(3) ?? "–";
}

function layerRow([name, kind, figure, hit]) {
  return el("tr", { class: name === state.layer ? "chosen" : null, onclick: () => choose(state.run, name) },
    el("td", {}, el("button", { type: "button", title: name, class: `${kind}${hit ? " hit" : ""}` }, name)),
    el("td", { class: "n" }, figure));
}

function renderLayers() {
  const firing = state.alerts.filter((alert) => alert.state === "firing");
  const struck = new Set(firing.flatMap((alert) => alert.layers));
  const rows = (state.detail?.layers || [])
    .filter((layer) => layer.name.toLowerCase().includes(state.filter))
    .map((layer) => [layer.name, layer.kind, layerFigure(layer), struck.has(layer.name)]);
  const about = "Last SA diversity; for a block, the median of cos(w_in, w_out)";
  show(byId("layers"), [rows, state.layer], () =>
    [table([head("Name"), head("SA div.", true, about)], rows.map(layerRow))]);
}

function fact(label, value) {
  return el("div", {}, el("dt", {}, label), el("dd", {}, value));
}

function renderRunHead() {
  const run = state.detail;
  const facts = run && [["state", run.state], ["step", count(run.last_step)], ["attempt", run.attempt],
    ["started", clock(run.started_at)], ["last seen", ago(run.last_seen_at)], ["clients", run.clients],
    ["dropped", count(run.dropped)], ...Object.entries(run.tags)];
  show(byId("run-head"), run && [run.id, facts], () => (run ? [
    el("h2", { class: "name" }, el("span", { class: `dot ${run.state}` }), run.name,
      el("span", { class: "quiet" }, run.id === run.name ? "" : run.id)),
    el("dl", { class: "facts" }, ...facts.map(([label, value]) => fact(label, value))),
  ] : []));
}

const HEADLINE = ["spectral.sigma1", "spectral.gap", "spectral.stable_rank", "spectral.residual", "sa.diversity",
  "rotation.from_init", "weights.norm", "weights.drift", "gate.in_out.mean", "gate.beyond_chance"];

function renderLayerHead() {
  const layer = state.detail?.layers.find((candidate) => candidate.name === state.layer);
  const shown = HEADLINE.filter((metric) => metric in (layer?.last || {}))
    .map((metric) => [metric, number(layer.last[metric].value)]);
  show(byId("layer-head"), layer && [layer.name, layer.kind, shown], () => (layer ? [
    el("h2", { class: "name" }, layer.name,
      el("span", { class: "quiet" }, layer.kind === "block" ? "MLP block"
        : `${layer.role || ""} ${layer.shape.join(" × ")} ${layer.dtype || ""}`)),
    el("dl", { class: "facts" }, ...shown.map(([metric, value]) => fact(metric, value))),
  ] : []));
}

function evidenceTable(evidence) {
  const given = (column) => evidence.some((piece) => (piece[column] ?? null) !== null);
  const isNumber = (column) => column !== "layer" && column !== "metric";
  const columns = ["layer", "metric", "value", "threshold", "baseline", "window"]
    .filter((column) => column === "value" || given(column));
  const text = (piece, column) => {
    if (column === "value" && piece.value === null) return "not finite";
    return isNumber(column) ? number(piece[column]) : piece[column] ?? "";
  };
  const cell = (piece, column) => el("td", { class: isNumber(column) ? "n" : null }, text(piece, column));
  return table(columns.map((column) => head(column, isNumber(column))),
    evidence.map((piece) => el("tr", {}, ...columns.map((column) => cell(piece, column)))));
}

async function acknowledge(alert) {
  try {
    if (await post(`/api/v1/alerts/${alert.id}/ack`)) refresh("alerts");
  } catch (error) {
    state.error = error.message;
    render();
  }
}

function layerLinks(layers) {
  return layers.map((layer) =>
    el("button", { type: "button", class: "chip", onclick: () => choose(state.run, layer) }, layer));
}

function alertCard(alert) {
  const until = alert.state === "resolved" ? `resolved ${clock(alert.resolved_at)}`
    : `firing, last at step ${count(alert.last_step)}${alert.silenced ? ", silenced" : ""}`;
  return el("article", { class: `alert ${alert.severity} ${alert.state}` },
    el("header", {},
      el("span", { class: "severity" }, alert.severity), el("h3", {}, alert.title),
      el("span", { class: "quiet" }, `${alert.rule} · since step ${count(alert.started_step)} · ${until}`),
      alert.acknowledged ? el("span", { class: "quiet" }, "acknowledged")
        : el("button", { type: "button", onclick: () => acknowledge(alert) }, "Acknowledge")),
    el("p", {}, alert.summary),
    alert.layers.length ? el("div", { class: "chips" }, ...layerLinks(alert.layers)) : null,
    alert.evidence.length ? evidenceTable(alert.evidence) : null);
}

function renderAlerts() {
  const firing = state.alerts.filter((alert) => alert.state === "firing");
  const resolved = state.alerts.filter((alert) => alert.state !== "firing");
  show(byId("alerts"), [state.run, state.alerts], () => [
    ...firing.map(alertCard),
    resolved.length ? el("details", {}, el("summary", { class: "quiet" }, `${resolved.length} resolved`),
      ...resolved.map(alertCard)) : null,
    state.run && !state.alerts.length ? el("p", { class: "quiet calm" }, "No alerts for this run.") : null,
  ]);
}

function render() {
  renderSummary();
  renderRuns();
  renderLayers();
  renderRunHead();
  renderAlerts();
  renderLayerHead();
}

// ---- life ----

function onState(name) {
  byId("live").dataset.state = name;
  byId("live").textContent = name;
  if (name === "live") refresh("runs", "run", "alerts", "series");
}

function onEvent(type, data) {
  if (type === "sample") {
    if (data.run === state.run && (data.layer === "" || data.layer === state.layer)) refresh("series", "run");
  } else if (type === "alert") {
    refresh("runs", "alerts", "series");
  } else if (type === "run") {
    refresh("runs", "run");
  } else {
    refresh("runs", "run", "alerts", "series");
  }
}

byId("layer-filter").addEventListener("input", (event) => {
  state.filter = event.target.value.trim().toLowerCase();
  render();
});
window.addEventListener("hashchange", () => {
  readHash();
  refresh("run", "alerts", "series");
});
setInterval(() => {
  if (byId("live").dataset.state !== "live") refresh("runs", "run", "alerts", "series");
}, 3000);

readHash();
refresh("runs", "run", "alerts", "series");
events(onState, onEvent);
