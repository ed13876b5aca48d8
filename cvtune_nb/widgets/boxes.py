"""A photo on which a person drags a box around an object, by mouse, finger or keyboard."""

import anywidget
import traitlets


class BoxPicker(anywidget.AnyWidget):
    """photo: which it is; image: JPEG bytes of it, upright; name: what screen readers call it; box: left, top, width,
    height in shares (0..1) of the photo, empty without a box. `show` sets them all. What the person does comes as a
    message (on_msg): photo and box; see widgets.drawing.

    Keys while it has the focus: Enter puts a box into the middle, arrows move it, Shift and arrows change its size,
    Delete removes it.
    """

    photo = traitlets.Unicode().tag(sync=True)
    image = traitlets.Bytes().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    box = traitlets.List(traitlets.Float()).tag(sync=True)
    shown = traitlets.Int(0).tag(sync=True)

    def show(self, photo: str, name: str, image: bytes, box: list[float]) -> None:
        """Show a photo with this box, in the place of whatever is on the page."""
        with self.hold_sync():
            self.photo, self.name, self.image, self.box = photo, name, image, box
            self.shown += 1

    _esm = """
    const STEP = 0.02, LEAST = 0.01;
    const within = (value, low, high) => Math.min(Math.max(value, low), high);
    function render({ model, el }) {
        const frame = document.createElement("div"), photo = document.createElement("img");
        const mark = document.createElement("div");
        frame.tabIndex = 0;
        frame.className = "cvtune-boxes";
        frame.setAttribute("role", "group");
        frame.style.cssText = "position:relative;display:inline-block;touch-action:none;cursor:crosshair;line-height:0";
        photo.draggable = false;
        photo.style.cssText = "max-width:100%;height:auto;user-select:none";
        photo.onload = () => {  // small photos are shown larger, so that a box can be drawn
            const scale = Math.min(480 / photo.naturalWidth, 420 / photo.naturalHeight);
            photo.style.width = `${photo.naturalWidth * scale}px`;
        };
        mark.style.cssText = "position:absolute;box-sizing:border-box;border:2px solid #fff;outline:2px solid #0072B2;"
            + "pointer-events:none";
        frame.append(photo, mark);
        el.append(frame);
        let box = [], from = null, later = 0, shown = "", sent = "";

        const draw = () => {
            mark.style.display = box.length ? "block" : "none";
            ["left", "top", "width", "height"].forEach((side, i) => mark.style[side] = `${100 * (box[i] ?? 0)}%`);
            const [wide, high] = box.slice(2).map((side) => `${Math.round(100 * side)}%`);
            const said = box.length ? `, box ${wide} wide and ${high} high` : "";
            frame.setAttribute("aria-label", `${model.get("name")}${said}. Enter: a box; arrows: move it; `
                + "Shift and arrows: its size; Delete: remove it");
        };
        const save = () => {
            clearTimeout(later);
            if (JSON.stringify(box) !== sent) model.send({ photo: shown, box });
            sent = JSON.stringify(box);
        };
        const load = () => {
            clearTimeout(later);
            const old = photo.src;
            photo.src = URL.createObjectURL(new Blob([model.get("image")], { type: "image/jpeg" }));
            if (old) URL.revokeObjectURL(old);
            photo.alt = model.get("name");
            shown = model.get("photo");
            box = [...model.get("box")];
            sent = JSON.stringify(box);
            from = null;
            draw();
        };
        const place = (event) => {
            const area = photo.getBoundingClientRect();
            return [within((event.clientX - area.left) / area.width, 0, 1),
                    within((event.clientY - area.top) / area.height, 0, 1)];
        };
        frame.addEventListener("pointerdown", (event) => {
            if (event.button) return;
            frame.focus();
            frame.setPointerCapture(event.pointerId);
            from = place(event);
            event.preventDefault();
        });
        frame.addEventListener("pointermove", (event) => {
            if (!from) return;
            const to = place(event), wide = Math.abs(to[0] - from[0]), high = Math.abs(to[1] - from[1]);
            if (wide < LEAST || high < LEAST) return;  // a click leaves the box as it is
            box = [Math.min(from[0], to[0]), Math.min(from[1], to[1]), wide, high];
            draw();
        });
        const up = () => { if (from) { from = null; save(); } };
        frame.addEventListener("pointerup", up);
        frame.addEventListener("pointercancel", up);
        frame.addEventListener("blur", save);
        frame.addEventListener("keydown", (event) => {
            if (event.ctrlKey || event.altKey || event.metaKey) return;
            const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
            const by = step[event.key];
            if (event.key === "Enter" && !box.length) box = [0.35, 0.35, 0.3, 0.3];
            else if (event.key === "Delete" || event.key === "Backspace") box = [];
            else if (by && box.length && event.shiftKey)
                box = [box[0], box[1],
                       within(box[2] + by[0], STEP, 1 - box[0]), within(box[3] + by[1], STEP, 1 - box[1])];
            else if (by && box.length)
                box = [within(box[0] + by[0], 0, 1 - box[2]), within(box[1] + by[1], 0, 1 - box[3]), box[2], box[3]];
            else if (!by) return save();  // perhaps a key that turns to the next photo
            event.preventDefault();
            event.stopPropagation();
            draw();
            clearTimeout(later);
            later = setTimeout(save, 400);
        });
        model.on("change:shown", load);
        load();
        return () => URL.revokeObjectURL(photo.src);
    }
    export default { render };
    """
