#!/usr/bin/env python3
"""Draws what kernel_benchmark wrote with --json, as SVG files. Needs Python 3.9 and nothing else.

  plot.py <benchmark.json> <output folder>
  plot.py --check <benchmark.json> <output folder>    also looks whether the pictures are whole; prints "N passed, N failed"

  matmul_4bit.svg    how many times as fast as each peer, over M, a line per layer, with what must be reached and what can be
  matmul_int8.svg    the same of int8
  memory.svg         what changes format: share of a copy's time; products of one token: share of the memory's bandwidth
"""
import json
import math
import sys
import xml.etree.ElementTree
from pathlib import Path
from xml.sax.saxutils import escape

INK, MUTED, RULE, PALE = "#1b1f24", "#5b6570", "#dfe3e8", "#c3c9d0"
SERIES = ["#0b6bcb", "#c2410c", "#15803d", "#7c3aed", "#be185d", "#0f766e"]
MUST, CEILING = "#b91c1c", "#6b7280"
FONT = "font-family='Inter, Segoe UI, Helvetica, Arial, sans-serif'"
HIGHLIGHTED = [(14336, 4096), (4096, 14336), (4096, 4096), (10240, 4096), (1024, 4096)]
PEERS = {
    "bf16": "cuBLASLt bf16",
    "bitsandbytes": "bitsandbytes",
    "dequantize+bf16": "dequantize, then cuBLASLt bf16",
    "int8": "cuBLASLt int8, bare product",
}


class Picture:
    def __init__(self, width, height):
        self.size = width, height
        self.parts = []

    def line(self, x1, y1, x2, y2, color, width=1.0, dash=None):
        dashes = f" stroke-dasharray='{dash}'" if dash else ""
        self.parts.append(
            f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{color}' stroke-width='{width}'{dashes}/>")

    def text(self, x, y, content, size=12, color=INK, anchor="start", weight="normal"):
        self.parts.append(f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{color}' text-anchor='{anchor}' "
                          f"font-weight='{weight}'>{escape(content)}</text>")

    def rect(self, x, y, width, height, color):
        self.parts.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0):.1f}' height='{height:.1f}' rx='2' fill='{color}'/>")

    def curve(self, points, color, width):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f"<polyline points='{path}' fill='none' stroke='{color}' stroke-width='{width}' stroke-linejoin='round'/>")

    def dot(self, x, y, color, title):
        self.parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.2' fill='{color}'><title>{escape(title)}</title></circle>")

    def svg(self):
        width, height = self.size
        return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}' {FONT}>\n"
                f"<rect width='{width}' height='{height}' fill='white'/>\n" + "\n".join(self.parts) + "\n</svg>\n")


def peer_of(row, name):
    return next((p for p in row["peers"] if p["name"] == name and p.get("ratio") is not None), None)


def step_of(greatest, parts):
    """The distance of axis ticks: 1, 2 or 5 times a power of ten, at most `parts` of them."""
    power = 10 ** math.floor(math.log10(greatest / parts))
    return next(power * m for m in (1, 2, 5, 10) if power * m * parts >= greatest)


def subtitle(results):
    machine = results["machine"]
    commit = f", commit {machine['commit']}" if machine["commit"] else ""
    return f"{machine['gpu']}, CUDA {machine['runtime']}, {machine['date'][:10]}{commit}"


def heading(picture, title, results):
    picture.text(24, 34, title, 19, weight="600")
    picture.text(24, 55, subtitle(results), 12, MUTED)


def ratio_panel(picture, rows, peer, left, top, width, height):
    """Lines of ratio over M."""
    sizes = sorted({row["M"] for row in rows})
    shapes = sorted({(row["N"], row["K"]) for row in rows}, key=lambda s: (HIGHLIGHTED.index(s) if s in HIGHLIGHTED else 99, -s[0] * s[1]))
    highlighted = [s for s in shapes if s in HIGHLIGHTED] or shapes[:len(SERIES)]
    values = {(row["N"], row["K"], row["M"]): peer_of(row, peer)["ratio"] for row in rows}
    wanted = {}  # by M
    for row in rows:
        for target in row["targets"]:
            if target["peer"] == peer and target["kind"] == "ratio" and (row["N"], row["K"]) == max(
                    ((r["N"], r["K"]) for r in rows if r["M"] == row["M"] and any(t["peer"] == peer for t in r["targets"])),
                    key=lambda s: s[0] * s[1]):
                wanted[row["M"]] = target["must"], target["ceiling"]
    greatest = max([*values.values(), *(ceiling for _, ceiling in wanted.values()), 1.0]) * 1.06
    x_of = {size: left + width * (i + 0.5) / len(sizes) for i, size in enumerate(sizes)}

    def y_of(value):
        return top + height * (1 - min(value, greatest) / greatest)

    picture.text(left - 36, top - 16, f"times as fast as {PEERS[peer]}", 13, weight="600")
    step = step_of(greatest, 8)
    for i in range(int(greatest / step) + 1):
        y = y_of(i * step)
        picture.line(left, y, left + width, y, RULE)
        picture.text(left - 8, y + 4, f"{i * step:g}", 11, MUTED, "end")
    picture.line(left, y_of(1), left + width, y_of(1), INK, 1)
    for size in sizes:
        picture.text(x_of[size], top + height + 18, str(size), 11, MUTED, "middle")
    picture.text(left + width / 2, top + height + 36, "M, rows of activations", 11, MUTED, "middle")

    half = width / len(sizes) / 2 * 0.86
    for size, (must, ceiling) in wanted.items():
        picture.line(x_of[size] - half, y_of(ceiling), x_of[size] + half, y_of(ceiling), CEILING, 1.6, "2 3")
        picture.line(x_of[size] - half, y_of(must), x_of[size] + half, y_of(must), MUST, 1.6, "6 3")

    for shape in sorted(shapes, key=lambda s: s in highlighted):
        points = [(size, values[(*shape, size)]) for size in sizes if (*shape, size) in values]
        is_bold = shape in highlighted
        color = SERIES[highlighted.index(shape) % len(SERIES)] if is_bold else PALE
        picture.curve([(x_of[size], y_of(v)) for size, v in points], color, 2.2 if is_bold else 1)
        if not is_bold:
            continue
        for size, value in points:
            picture.dot(x_of[size], y_of(value), color, f"{shape[0]}x{shape[1]}, M={size}: {value:.2f}x")
    picture.text(left + width + 14, top + 4, "N x K", 11, MUTED)
    for i, shape in enumerate(highlighted):
        y, color = top + 22 + 18 * i, SERIES[i % len(SERIES)]
        picture.line(left + width + 14, y, left + width + 32, y, color, 2.4)
        picture.text(left + width + 38, y + 4, f"{shape[0]}x{shape[1]}", 12, color, weight="600")


def ratio_picture(results, operation, formats, peers, title):
    rows = [r for r in results["rows"] if r["operation"] == operation and r["format"] in formats and "failure" not in r]
    peers = [p for p in peers if any(peer_of(r, p) for r in rows)]
    if not peers:
        return None
    panel, left, width = 300, 76, 640
    picture = Picture(left + width + 140, 100 + len(peers) * (panel + 92))
    heading(picture, title, results)
    for i, peer in enumerate(peers):
        ratio_panel(picture, [r for r in rows if peer_of(r, peer)], peer, left, 112 + i * (panel + 92), width, panel)
    y = picture.size[1] - 18
    picture.line(left, y - 4, left + 30, y - 4, MUST, 1.6, "6 3")
    picture.text(left + 36, y, "must be reached", 11, MUTED)
    picture.line(left + 150, y - 4, left + 180, y - 4, CEILING, 1.6, "2 3")
    picture.text(left + 186, y, "physical ceiling", 11, MUTED)
    picture.line(left + 300, y - 4, left + 330, y - 4, PALE, 1.6)
    picture.text(left + 336, y, "other layers", 11, MUTED)
    return picture


def bars(picture, entries, left, top, width, greatest, unit):
    """Horizontal bars: entries are (label, value, must or None, ceiling or None, color)."""
    bar, gap = 17, 9
    step = step_of(greatest, 6)
    bottom = top + len(entries) * (bar + gap)
    for i in range(int(greatest / step + 1e-9) + 1):
        x = left + width * i * step / greatest
        picture.line(x, top - 4, x, bottom, RULE)
        picture.text(x, bottom + 14, f"{i * step:.0%}" if unit == "%" else f"{i * step:.1f}", 11, MUTED, "middle")
    for i, (label, value, must, ceiling, color) in enumerate(entries):
        y = top + i * (bar + gap)
        picture.text(left - 10, y + 13, label, 12, INK, "end")
        picture.rect(left, y, width * min(value, greatest) / greatest, bar, color)
        for mark, mark_color in ((must, MUST), (ceiling, CEILING)):
            if mark is not None and mark <= greatest:
                x = left + width * mark / greatest
                picture.line(x, y - 3, x, y + bar + 3, mark_color, 2.2)
        picture.text(left + width + 10, y + 13, f"{value:.0%}" if unit == "%" else f"{value:.2f}", 12, INK)
    return bottom + 30


def memory_picture(results):
    copies = []
    for row in results["rows"]:
        copy = peer_of(row, "copy")
        if copy is None or "failure" in row:
            continue
        target = next((t for t in row["targets"] if t["peer"] == "copy"), None)
        value = 1 / copy["ratio"]
        color = SERIES[0] if target is None or value <= target["must"] else SERIES[1]
        copies.append((row["name"], value, target and target["must"], target and target["ceiling"], color))
    tokens = [(r["name"], r["share_of_limit"], None, None, SERIES[0]) for r in results["rows"]
              if r["operation"] in ("matmul_4bit", "matmul_int8", "chain") and r["M"] == 1 and r.get("limit") == "memory" and
              r.get("share_of_limit") is not None]
    if not copies and not tokens:
        return None
    # Those with a target, then the largest of the rest.
    copies = sorted(copies, key=lambda e: e[2] is None)[:18]
    tokens = sorted(tokens, key=lambda e: -e[1])[:24]
    left, width = 320, 420
    picture = Picture(left + width + 90, 110 + 26 * (len(copies) + len(tokens)) + 78 * bool(copies) + 30 * bool(tokens))
    heading(picture, "Against the memory", results)
    y = 100
    if copies:
        picture.text(24, y - 16, "time, as a share of a device copy of the same tensor of full width (less is better)", 13, weight="600")
        y = bars(picture, copies, left, y, width, max(1.0, min(2.0, max(e[1] for e in copies) * 1.05)), "") + 24
        picture.line(left, y - 26, left + 14, y - 26, MUST, 2.2)
        picture.text(left + 20, y - 22, "must", 11, MUTED)
        picture.line(left + 70, y - 26, left + 84, y - 26, CEILING, 2.2)
        picture.text(left + 90, y - 22, "physical limit", 11, MUTED)
        y += 24
    if tokens:
        picture.text(24, y - 16, "products of one token: share of a read-only stream's bandwidth (more is better)", 13, weight="600")
        bars(picture, tokens, left, y, width, max(1.0, min(2.0, max(e[1] for e in tokens))), "%")
    return picture


def draw(results):
    return {
        "matmul_4bit.svg": ratio_picture(results, "matmul_4bit", ("nf4",), ("bf16", "bitsandbytes", "dequantize+bf16"),
                                         "NF4 matrix product, bfloat16 activations"),
        "matmul_int8.svg": ratio_picture(results, "matmul_int8", ("int8 rows",), ("bf16", "int8", "bitsandbytes"),
                                         "LLM.int8() matrix product, bfloat16 activations, no outliers"),
        "memory.svg": memory_picture(results),
    }


def check(pictures, folder):
    """Whether each picture is there, is XML, and has no number that is none."""
    passed = failed = 0
    for name, picture in pictures.items():
        try:
            assert picture is not None, "nothing to draw"
            text = (folder / name).read_text()
            root = xml.etree.ElementTree.fromstring(text)
            assert len(list(root.iter())) > 20, "almost empty"
            assert "nan" not in text.lower().replace("font-family", "") and "inf" not in text.replace("Inter", ""), "not a number"
            texts = [e for e in root.iter("{http://www.w3.org/2000/svg}text")]
            assert all(0 <= float(e.get("x")) <= picture.size[0] and 0 <= float(e.get("y")) <= picture.size[1] for e in texts), "text outside"
            passed += 1
        except (AssertionError, OSError, xml.etree.ElementTree.ParseError) as error:
            print(f"FAIL {name}: {error}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return failed == 0


def main(arguments):
    is_check = arguments[:1] == ["--check"]
    if len(arguments) - is_check != 2 or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 2
    results = json.loads(Path(arguments[-2]).read_text())
    folder = Path(arguments[-1])
    folder.mkdir(parents=True, exist_ok=True)
    pictures = draw(results)
    for name, picture in pictures.items():
        if picture is not None:
            (folder / name).write_text(picture.svg())
            print(folder / name)
    return 0 if not is_check or check(pictures, folder) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
