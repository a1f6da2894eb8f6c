// The clip viewer: frames of one recording with the outlines of the reference and of two arms.
// Masks come as chain codes in half pixels, two steps a character (see outlines.py).
"use strict";
(() => {
  const viewer = document.getElementById("viewer");
  if (!viewer) return;
  const part = (name) => viewer.querySelector(`[data-part="${name}"]`);
  const structures = JSON.parse(document.getElementById("structures").textContent);
  const PERIOD_MS = 40; // where the files hold no time stamps
  const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const STEPS = [[2, 0], [1, 1], [0, 2], [-1, 1], [-2, 0], [-1, -1], [0, -2], [1, -1]];
  const SOLID = [], DASHED = [6, 4], DOTTED = [1.5, 3.5];

  let clip = null; // the recording's content, with .images decoded from its frames
  let index = 0;
  let playing = null; // {at: when play began, from: the time shown then}
  let ownLayout = false; // whether the reader chose how pictures are laid out
  let loads = 0; // counts recordings asked for: a slow one must not replace a later one

  // ---- reading a recording

  async function choose(position) {
    const load = ++loads;
    pause();
    viewer.setAttribute("aria-busy", "true");
    const next = JSON.parse(document.getElementById(`clip-${position}`).textContent);
    next.times = next.times_ms || next.numbers.map((_, i) => i * PERIOD_MS);
    next.images = next.frames.map((data) => {
      const image = new Image();
      image.src = `data:image/webp;base64,${data}`;
      return image;
    });
    const decoded = await Promise.allSettled(next.images.map((image) => image.decode()));
    if (load !== loads) return;
    const broken = decoded.filter((result) => result.status === "rejected").length;
    clip = next;
    index = 0;
    for (const name of ["arms", "reference"]) {
      part(name).style.aspectRatio = `${clip.columns} / ${clip.rows}`;
    }
    if (!ownLayout) {
      // Flat pictures fit one below the other even into the window of a phone.
      part("large").checked = clip.rows < 0.85 * clip.columns;
      layOut();
    }
    part("scrubber").max = clip.images.length - 1;
    part("notice").textContent = [
      viewer.querySelector(`option[value="${position}"]`).dataset.notice,
      clip.times_ms ? "" : "No time stamps in this recording: played at 25 frames a second.",
      broken ? `${broken} frames cannot be shown by this browser (it needs WebP).` : "",
    ].filter(Boolean).join(" ");
    viewer.removeAttribute("aria-busy");
    drawTimeline();
    show(0);
  }

  function outline(code) {
    const [x, y, pairs] = code.split(",");
    const path = new Path2D();
    let at = [Number(x), Number(y)];
    const box = [...at, ...at];
    path.moveTo(at[0] / 2 + 0.5, at[1] / 2 + 0.5);
    for (const pair of pairs) {
      const both = ALPHABET.indexOf(pair);
      for (const step of [STEPS[both >> 3], STEPS[both & 7]]) {
        at = [at[0] + step[0], at[1] + step[1]];
        path.lineTo(at[0] / 2 + 0.5, at[1] / 2 + 0.5);
        box[0] = Math.min(box[0], at[0]);
        box[1] = Math.min(box[1], at[1]);
        box[2] = Math.max(box[2], at[0]);
        box[3] = Math.max(box[3], at[1]);
      }
    }
    path.closePath();
    return { path, centre: [(box[0] + box[2]) / 4 + 0.5, (box[1] + box[3]) / 4 + 0.5] };
  }

  // ---- drawing a frame

  const arms = () => ["first", "second"].map((name) => ({
    name: part(name).value,
    lines: name === "first" ? SOLID : DASHED,
    shown: part(`show-${name}`).checked && part(name).value !== "",
  }));
  const hidden = (label) => !part(`structure-${label}`).checked;

  function drawInto(canvas, layers) {
    const width = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    if (!width) return;
    const height = Math.round(width * clip.rows / clip.columns);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = canvas.getContext("2d");
    const scale = width / clip.columns;
    const point = clip.columns / canvas.clientWidth; // a CSS pixel
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, clip.columns, clip.rows);
    const image = clip.images[index];
    if (image.complete && image.naturalWidth) context.drawImage(image, 0, 0, clip.columns, clip.rows);
    context.lineJoin = context.lineCap = "round";
    const numbered = new Set();
    for (const { outlines, lines, numbers } of layers) {
      for (const [label, code] of outlines || []) {
        if (hidden(label)) continue;
        const { path, centre } = outline(code);
        context.setLineDash([]);
        context.lineWidth = 4 * point;
        context.strokeStyle = "rgba(0, 0, 0, 0.55)"; // keeps light lines apart from light tissue
        context.stroke(path);
        context.setLineDash(lines.map((length) => length * point));
        context.lineWidth = 2.1 * point;
        context.strokeStyle = structures[label - 1].color;
        context.stroke(path);
        if (numbers && part("numbers").checked) numbered.add([label, centre]);
      }
    }
    context.font = `600 ${(canvas.clientWidth < 260 ? 9 : 12) * point}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.setLineDash([]);
    for (const [label, [x, y]] of numbered) {
      context.lineWidth = 3 * point;
      context.strokeStyle = "rgba(0, 0, 0, 0.8)";
      context.strokeText(label, x, y);
      context.fillStyle = "#fff";
      context.fillText(label, x, y);
    }
  }

  function draw() {
    if (!clip) return;
    const reference = clip.reference[index];
    drawInto(part("reference"), [{ outlines: reference, lines: SOLID, numbers: true }]);
    const layers = arms().filter((arm) => arm.shown).map((arm, i) => ({
      outlines: clip.drawn[arm.name][index], lines: arm.lines, numbers: i === 0,
    }));
    if (part("show-reference").checked) layers.unshift({ outlines: reference, lines: DOTTED });
    drawInto(part("arms"), layers);
  }

  function show(at) {
    index = Math.max(0, Math.min(at, clip.images.length - 1));
    const seconds = (clip.times[index] / 1000).toFixed(2);
    const text = `frame ${clip.numbers[index]} (${index + 1} of ${clip.images.length}), ${seconds} s`;
    part("scrubber").value = index;
    part("scrubber").setAttribute("aria-valuetext", text);
    part("position").textContent = text;
    part("unlabelled").hidden = clip.reference[index] !== null;
    for (const { name, slot } of [{ name: part("first").value, slot: "first" },
                                  { name: part("second").value, slot: "second" }]) {
      const dice = name ? clip.dice[name][index] : null;
      part(`absent-${slot}`).hidden = !name || clip.drawn[name][index] !== null;
      viewer.querySelectorAll(`[data-dice="${slot}"]`).forEach((cell, i) => {
        cell.textContent = dice ? dice[i] : "";
      });
    }
    const marker = part("timeline").querySelector("[data-now]");
    if (marker) marker.setAttribute("transform", `translate(${across(index)} 0)`);
    if (!playing) describe(text);
    draw();
  }

  function describe(text) {
    part("reference").setAttribute("aria-label", `Reference, ${clip.name}, ${text}`);
    const names = arms().filter((arm) => arm.shown).map((arm) => arm.name);
    part("arms").setAttribute(
      "aria-label", `Outlines of ${names.join(" and ") || "no arm"}, ${clip.name}, ${text}`);
  }

  // ---- mean Dice over time, a line for each arm; a click goes there

  const across = (at) => 600 * (at + 0.5) / clip.images.length;

  function drawTimeline() {
    const svg = part("timeline");
    svg.replaceChildren();
    const add = (name, attributes) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const key in attributes) element.setAttribute(key, attributes[key]);
      svg.append(element);
      return element;
    };
    arms().forEach((arm, i) => {
      if (!arm.name) return;
      let pen = false;
      const points = clip.dice[arm.name].map((row, at) => {
        const dice = Number(row[row.length - 1]); // NaN where it is undefined
        if (Number.isNaN(dice)) { pen = false; return ""; }
        const move = pen ? "L" : "M";
        pen = true;
        // Doubled, so that a frame alone leaves a dot.
        const point = `${across(at).toFixed(1)} ${(58 - 54 * dice).toFixed(1)}`;
        return move === "M" ? `M${point}L${point}` : `L${point}`;
      });
      add("path", { d: points.join(""), class: i ? "second" : "first" });
    });
    add("path", { d: "M0 0V60", "data-now": "", class: "now" });
  }

  // ---- playing at true speed

  function play() {
    if (playing || !clip || clip.images.length < 2) return;
    if (index === clip.images.length - 1) show(0);
    playing = { at: performance.now(), from: clip.times[index] };
    part("play").textContent = "Pause";
    requestAnimationFrame(tick);
  }

  function tick(now) {
    if (!playing) return;
    const time = playing.from + (now - playing.at) * Number(part("speed").value);
    const last = clip.images.length - 1;
    const period = (clip.times[last] - clip.times[0]) / last;
    let at = index;
    while (at < last && clip.times[at + 1] <= time) at += 1;
    if (time >= clip.times[last] + period) { // shown as long as any other; then from the start
      playing = { at: now, from: clip.times[0] };
      at = 0;
    }
    if (at !== index) show(at);
    requestAnimationFrame(tick);
  }

  function pause() {
    playing = null;
    part("play").textContent = "Play";
    if (clip) describe(part("position").textContent);
  }

  const step = (by) => { pause(); show(index + by); };

  // ---- controls

  part("recording").addEventListener("change", (event) => choose(event.target.value));
  for (const name of ["first", "second"]) {
    part(name).addEventListener("change", () => {
      for (const place of viewer.querySelectorAll(`[data-name="${name}"]`)) {
        place.textContent = part(name).value || "no arm";
      }
      if (clip) { drawTimeline(); show(index); }
    });
    part(name).dispatchEvent(new Event("change")); // browsers keep choices over a reload
  }
  viewer.querySelectorAll('input[type="checkbox"]').forEach((box) => {
    box.addEventListener("change", () => { if (clip) { describe(part("position").textContent); draw(); } });
  });
  const layOut = () => part("stage").classList.toggle("large", part("large").checked);
  part("large").addEventListener("change", () => {
    ownLayout = true;
    layOut();
  });
  part("play").addEventListener("click", () => (playing ? pause() : play()));
  part("back").addEventListener("click", () => step(-1));
  part("on").addEventListener("click", () => step(1));
  part("scrubber").addEventListener("input", (event) => { pause(); show(Number(event.target.value)); });
  part("speed").addEventListener("change", () => {
    if (playing) playing = { at: performance.now(), from: clip.times[index] };
  });
  part("timeline").addEventListener("click", (event) => {
    const box = part("timeline").getBoundingClientRect();
    pause();
    show(Math.floor((event.clientX - box.left) / box.width * clip.images.length));
  });

  viewer.addEventListener("keydown", (event) => {
    if (!clip || event.altKey || event.ctrlKey || event.metaKey) return;
    const on = event.target;
    if (on.tagName === "SELECT" || on.type === "checkbox") return; // keys of their own
    const far = event.shiftKey ? 10 : 1;
    const recording = part("recording");
    const turn = (by) => {
      const to = recording.selectedIndex + by;
      if (to < 0 || to >= recording.options.length) return;
      recording.selectedIndex = to;
      choose(recording.value);
    };
    const actions = {
      ArrowLeft: () => step(-far),
      ArrowRight: () => step(far),
      Home: () => step(-clip.images.length),
      End: () => step(clip.images.length),
      PageUp: () => turn(-1),
      PageDown: () => turn(1),
      " ": on.tagName === "BUTTON" ? null : () => (playing ? pause() : play()),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });

  // A finger or mouse on the pictures: drag to scrub, tap to play or pause.
  let drag = null;
  part("stage").addEventListener("pointerdown", (event) => {
    if (!clip || event.button || event.target.tagName !== "CANVAS") return;
    drag = { x: event.clientX, from: index, moved: false, width: event.target.clientWidth };
  });
  part("stage").addEventListener("pointermove", (event) => {
    if (!drag) return;
    const by = Math.round((event.clientX - drag.x) / drag.width * clip.images.length);
    if (Math.abs(event.clientX - drag.x) < 5 && !drag.moved) return;
    drag.moved = true;
    pause();
    show(drag.from + by);
  });
  part("stage").addEventListener("pointerup", () => {
    if (drag && !drag.moved) playing ? pause() : play();
    drag = null;
  });
  for (const end of ["pointercancel", "pointerleave"]) {
    part("stage").addEventListener(end, () => { drag = null; });
  }

  new ResizeObserver(draw).observe(part("stage"));
  document.addEventListener("visibilitychange", () => { if (document.hidden) pause(); });
  viewer.hidden = false;
  choose(part("recording").value);
})();
