"""GET /metrics: the text format, and that it says what the API says."""
import re
import shutil
import subprocess

from formulas import BLOCKS, HOSTILE, LAYERS, loss

LABEL = r'[a-z]+="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"([a-zA-Z_][a-zA-Z0-9_]*)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (NaN|[+-]Inf|[-+0-9.e]+)")


def read(server):
    """{(name, labels): value} and {name: type}; fails on a line that is not of the format."""
    status, headers, body = server.ask("/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    samples, types, current, seen = {}, {}, None, set()
    for line in body.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, current, types[current] = line.split()
            assert current not in seen, f"family {current} comes twice"
            seen.add(current)
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            assert name == current, line
            assert (name, labels) not in samples, line
            samples[name, labels] = float(value)
    return samples, types


def test_figures(server):
    samples, types = read(server)
    assert types["foreshock_loss"] == "gauge"
    assert samples["foreshock_loss", 'run="gpt-small",layer=""'] == loss(1190)
    assert samples["foreshock_step", 'run="gpt-small"'] == 1190
    diversity = {labels for name, labels in samples if name == "foreshock_sa_diversity"}
    escaped = HOSTILE.replace('"', '\\"')
    assert diversity == {f'run="gpt-small",layer="{name}"' for name in [*LAYERS, escaped]}
    medians = {labels for name, labels in samples if name == "foreshock_gate_in_out_p50"}
    assert medians == {f'run="gpt-small",layer="{name}"' for name in BLOCKS}
    assert not [labels for _, labels in samples if labels and 'run="exploded.1"' in labels and "rule=" not in labels]


def test_alerts_and_counters(server):
    samples, types = read(server)
    assert samples["foreshock_alerts_firing", 'run="gpt-small",rule="sigma_growth",severity="critical"'] == 1
    assert samples["foreshock_alerts_firing", 'run="exploded.1",rule="nonfinite",severity="critical"'] == 1
    assert samples["foreshock_metrics_left_out", None] == 0
    assert samples["foreshock_refused_total", 'code="step_backwards"'] == 0
    assert types["foreshock_store_commit_seconds_total"] == "counter"
    before = samples["foreshock_http_requests_total", None]
    assert read(server)[0]["foreshock_http_requests_total", None] == before + 1
    server.ask("/nothing")
    assert read(server)[0]["foreshock_http_errors_total", None] == samples["foreshock_http_errors_total", None] + 1


if shutil.which("promtool"):  # Debian's package prometheus; `read` holds to the format without it

    def test_promtool(server):
        text = server.ask("/metrics")[2]
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr
