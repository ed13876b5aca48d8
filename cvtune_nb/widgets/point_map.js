const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442"];
const EDGES = { 4: "#1B6A98", 5: "#805800", 6: "#6E6800" };  // the light colours have a dark edge
const PAD = 14, NEAR = 12, FAINT = 0.13, EIGHTH = Math.PI / 4;
const star = (corners, turn, ...far) => Array.from({ length: corners }, (_, i) => {
    const angle = 2 * Math.PI * i / corners + turn, out = far[i % far.length];
    return [out * Math.cos(angle), out * Math.sin(angle)];
});
const SHAPES = [star(24, 0, 1), star(4, EIGHTH, 1.25), star(3, -2 * EIGHTH, 1.4), star(4, 0, 1.35),
                star(8, EIGHTH, 1.6, 0.5), star(3, 2 * EIGHTH, 1.4), star(8, 0, 1.6, 0.5)];
const half = (radius) => Math.ceil(1.6 * radius + 1);
const mark = (number, radius, dense) => {  // the marker of a class: 49 pairs of a colour and a shape
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d"), colour = number % 7;
    canvas.width = canvas.height = Math.ceil(2 * half(radius) * dense);
    canvas.style.width = canvas.style.height = `${2 * half(radius)}px`;
    pen.translate(canvas.width / 2, canvas.width / 2);
    pen.scale(dense * radius, dense * radius);
    pen.beginPath();
    SHAPES[(number + Math.floor(number / 7)) % 7].forEach((corner) => pen.lineTo(...corner));
    pen.closePath();
    pen.fillStyle = COLOURS[colour];
    pen.fill();
    pen.lineWidth = 0.8 / radius;
    pen.strokeStyle = EDGES[colour] ?? "#fff";
    if (EDGES[colour] || radius > 4) pen.stroke();  // a white edge would cover most of a small mark
    return canvas;
};
const binary = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
const OURS = { "data-lm-suppress-shortcuts": true };
function render({ model, el }) {
    const root = element("div", el, "cvtune-map");
    const plot = element("div", root, "cvtune-map-plot", { tabindex: 0, role: "application", ...OURS });
    const base = element("canvas", plot), over = element("canvas", plot), tip = element("div", plot);
    const legend = element("div", root, "cvtune-map-legend", { role: "group", "aria-label": "Classes: hide or show them" });
    const status = element("div", root, "cvtune-map-status", { role: "status" });
    let places = [], numbers = [], classes = [], titles = [], xs = [], ys = [], marks = [], radius = 5, shown = 0;
    let chosen = new Set(), hidden = new Set(), lasso = null, near = -1, wide = 0, high = 0, dense = 1;
    const frame = { x: 0.5, y: 0.5, side: 0.25, on: false };

    const seen = (i) => i in numbers && !hidden.has(numbers[i]);
    const within = (path) => {  // the points that a closed path of [x, y] winds round
        const found = [], across = path.map(([x]) => x), down = path.map(([, y]) => y);
        const left = Math.min(...across), right = Math.max(...across);
        for (let i = 0; i < numbers.length; i++) {
            const x = xs[i], y = ys[i];
            if (!seen(i) || !(x >= left && x <= right)) continue;
            let turns = 0;
            for (let k = 0, j = path.length - 1; k < path.length; j = k++) {
                const side = (across[k] - across[j]) * (y - down[j]) - (x - across[j]) * (down[k] - down[j]);
                if (down[j] <= y && down[k] > y && side > 0) turns += 1;
                if (down[j] > y && down[k] <= y && side < 0) turns -= 1;
            }
            if (turns) found.push(i);
        }
        return found;
    };
    const framed = () => {
        const side = frame.side * Math.min(wide, high) / 2, x = frame.x * wide, y = frame.y * high;
        return [[x - side, y - side], [x + side, y - side], [x + side, y + side], [x - side, y + side]];
    };
    const nearest = ([x, y]) => {
        let best = -1, least = NEAR * NEAR;
        for (let i = 0; i < numbers.length; i++) {
            const far = (xs[i] - x) ** 2 + (ys[i] - y) ** 2;
            if (far <= least && seen(i)) [best, least] = [i, far];
        }
        return best;
    };
    const cleared = (canvas) => {
        const pen = canvas.getContext("2d");
        pen.setTransform(dense, 0, 0, dense, 0, 0);
        pen.clearRect(0, 0, wide, high);
        return pen;
    };
    const circle = (pen, i, colour, width) => {
        pen.beginPath();
        pen.arc(xs[i], ys[i], radius + 5, 0, 2 * Math.PI);
        [pen.strokeStyle, pen.lineWidth] = [colour, width];
        pen.stroke();
    };
    const draw = () => {  // the points
        if (!wide) return;
        const pen = cleared(base), by = half(radius);
        pen.fillStyle = "#fff";
        pen.fillRect(0, 0, wide, high);
        for (const on of [false, true]) {
            pen.globalAlpha = on || !chosen.size ? 1 : FAINT;
            for (let i = 0; i < numbers.length; i++) if (seen(i) && chosen.has(i) === on)
                pen.drawImage(marks[numbers[i]], xs[i] - by, ys[i] - by, 2 * by, 2 * by);
        }
        for (const [colour, width] of [["#fff", 5], ["#000", 2.5]])
            model.get("marked").filter(seen).forEach((i) => circle(pen, i, colour, width));
    };
    const trace = () => {  // what moves: lasso, frame, the point under the mouse
        const pen = cleared(over), path = lasso ?? (frame.on ? framed() : []);
        pen.beginPath();
        path.forEach(([x, y]) => pen.lineTo(x, y));
        pen.closePath();
        pen.fillStyle = "rgba(0, 114, 178, 0.12)";
        pen.fill();
        [pen.strokeStyle, pen.lineWidth] = ["#222", 2];
        pen.setLineDash(lasso ? [5, 4] : []);
        pen.stroke();
        pen.setLineDash([]);
        if (near >= 0) circle(pen, near, "#222", 1);
    };
    const say = () => {
        const counts = new Map();
        chosen.forEach((i) => counts.set(numbers[i], (counts.get(numbers[i]) ?? 0) + 1));
        const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([one, count]) => `${count} ${classes[one]}`);
        if (parts.length > 9) parts.splice(8, parts.length, `${parts.length - 8} classes more`);
        status.textContent = `${chosen.size} of ${numbers.length} photos selected`
            + (parts.length ? `: ${parts.join(", ")}` : "")
            + (frame.on ? `. In the frame: ${within(framed()).length}` : "");
    };
    const choose = (points, more) => {
        const before = chosen;
        chosen = new Set(more ? [...before, ...points] : points);
        if (chosen.size || before.size) model.send({ selected: [...chosen].sort((a, b) => a - b), shown });
        draw();
        say();
    };
    const point = (i) => {
        if (i === near) return;
        [near, tip.hidden] = [i, i < 0];
        tip.textContent = [titles[i], classes[numbers[i]]].filter(Boolean).join("\n");
        const flip = xs[i] > wide / 2, up = ys[i] > high / 2;  // towards the middle
        [tip.style.left, tip.style.right] = flip ? ["auto", `${wide - xs[i] + 12}px`] : [`${xs[i] + 12}px`, "auto"];
        [tip.style.top, tip.style.bottom] = up ? ["auto", `${high - ys[i] + 8}px`] : [`${ys[i] + 8}px`, "auto"];
        trace();
    };
    const framing = (on) => {
        if (frame.on === on && !on) return;
        frame.on = on;
        trace();
        say();
    };
    const fit = () => {  // to the size that the map has on the page
        [wide, high, dense] = [plot.clientWidth, plot.clientHeight, window.devicePixelRatio || 1];
        if (!wide) return;
        for (const canvas of [base, over])
            [canvas.width, canvas.height] = [Math.round(wide * dense), Math.round(high * dense)];
        marks = classes.map((_, number) => mark(number, radius, dense));
        xs = Float32Array.from(numbers, (_, i) => PAD + places[2 * i] * (wide - 2 * PAD));
        ys = Float32Array.from(numbers, (_, i) => high - PAD - places[2 * i + 1] * (high - 2 * PAD));
        draw();
        trace();
    };
    const load = () => {
        places = new Float32Array(binary(model.get("places")));
        numbers = new Uint16Array(binary(model.get("numbers")));
        [classes, titles, shown] = [model.get("classes"), model.get("titles"), model.get("shown")];
        [chosen, hidden, lasso, near, tip.hidden] = [new Set(model.get("selected")), new Set(), null, -1, true];
        radius = numbers.length > 20000 ? 2.5 : numbers.length > 3000 ? 3.5 : 5;
        plot.setAttribute("aria-label", `${model.get("name")}, ${numbers.length} points. Arrows: move the frame; `
            + "plus and minus: its size; Enter: select what is inside; Shift+Enter: add it; Escape: select none");
        const counts = classes.map(() => 0);
        numbers.forEach((number) => counts[number] += 1);
        legend.replaceChildren();
        classes.forEach((name, number) => {
            const button = element("button", legend, "", { type: "button", "aria-pressed": true, ...OURS });
            button.append(mark(number, 5, window.devicePixelRatio || 1));
            element("span", button).textContent = `${name} (${counts[number]})`;
            button.onclick = () => {
                if (!hidden.delete(number)) hidden.add(number);
                button.setAttribute("aria-pressed", !hidden.has(number));
                choose([...chosen].filter(seen));
            };
        });
        fit();
        say();
    };
    const at = (event) => {
        const area = plot.getBoundingClientRect();
        return [event.clientX - area.left, event.clientY - area.top];
    };
    plot.addEventListener("pointerdown", (event) => {
        if (event.button || !event.isPrimary) return;
        event.preventDefault();
        plot.focus({ preventScroll: true });
        plot.setPointerCapture(event.pointerId);
        framing(false);
        point(-1);
        lasso = [at(event)];
    });
    plot.addEventListener("pointermove", (event) => {
        const to = at(event);
        if (!lasso) return point(nearest(to));
        const last = lasso.at(-1);
        if (Math.hypot(to[0] - last[0], to[1] - last[1]) < 4) return;
        lasso.push([limit(to[0], 0, wide), limit(to[1], 0, high)]);
        trace();
    });
    const up = (event) => {
        const path = lasso;
        lasso = null;
        trace();
        if (!path || event.type !== "pointerup") return;
        choose(path.length > 2 ? within(path) : [nearest(path[0])].filter(seen), event.shiftKey);
    };
    plot.addEventListener("pointerup", up);
    plot.addEventListener("pointercancel", up);
    plot.addEventListener("pointerleave", () => point(-1));
    plot.addEventListener("focus", () => framing(plot.matches(":focus-visible") && !lasso));
    plot.addEventListener("blur", () => framing(false));
    plot.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        const size = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key], step = frame.side * Math.min(wide, high) / 4;
        if (by) {
            frame.x = limit(frame.x + by[0] * step / wide, 0, 1);
            frame.y = limit(frame.y + by[1] * step / high, 0, 1);
        } else if (size) frame.side = limit(frame.side * size, 0.04, 1);
        else if (event.key === "Enter") {
            if (frame.on) choose(within(framed()), event.shiftKey);
        } else if (event.key === "Escape") {
            lasso = null;
            choose([]);
        } else return;
        event.preventDefault();
        event.stopPropagation();
        framing(true);
    });
    const sizes = new ResizeObserver(fit);
    sizes.observe(plot);
    model.on("change:shown", load);
    model.on("change:marked", draw);
    load();
    return () => sizes.disconnect();
}
export default { render };
